//! The one thread that writes: takes what waits, judges it, commits it with one fsync, tells the callers.
//!
//! Owned here: the queue, the bounds of a batch, the order of callbacks, and what happens after a failure. Deliberately
//! not here: the judging itself (`admission`) and the bytes (`keys`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::oneshot;

use super::admission::{Admission, LAST_STAMP_KEY};
use super::engine::{Engine, Space, calm};
use super::keys;
use super::pending::Pending;
use crate::store::{Append, AppendError, Appended, EffectId, Epoch, Stamp, StoreFault};

/// Orders in one batch. An fsync is shared by many long before that; more would only make the first ones wait longer.
const BATCH_ORDERS_MAX: usize = 1024;

/// Bytes of row values in one batch (a single larger append still fits): what a disk takes in a few milliseconds, and a
/// bound for what the journal may hold of one unfinished batch.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the writer is asked for.
pub(super) enum Order {
    /// Make an append durable, then tell.
    Append(Append, Appended),
    /// Forget an outbox entry.
    Settle(EffectId),
    /// End an epoch, then tell.
    Fence(Epoch, oneshot::Sender<()>),
}

/// Orders that wait for the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    closed: bool,
}

impl Queue {
    /// Puts an order at the end.
    pub(super) fn push(&self, order: Order) {
        let mut waiting = self.lock();
        waiting.orders.push_back(order);
        // The writer sleeps only when nothing waits, so only the first order has to wake it.
        if waiting.orders.len() == 1 {
            self.arrived.notify_one();
        }
    }

    /// Lets the writer end once the queue is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Waits for orders and takes a batch of them into `batch`, which is empty; false when the queue is closed and empty.
    fn take(&self, batch: &mut Vec<Order>) -> bool {
        let mut waiting = self.lock();
        while waiting.orders.is_empty() {
            if waiting.closed {
                return false;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        while batch.len() < BATCH_ORDERS_MAX
            && bytes < BATCH_BYTES_MAX
            && let Some(order) = waiting.orders.pop_front()
        {
            bytes += weight(&order);
            batch.push(order);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nobody can leave the queue half-changed: a panic elsewhere is no reason to stop here.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(order: &Order) -> usize {
    match order {
        Order::Append(append, _) => append.put.iter().map(|(_, value)| value.len()).sum(),
        Order::Settle(_) | Order::Fence(..) => 0,
    }
}

/// What the writer shares with the readers.
pub(super) struct Shared {
    /// The open engine.
    pub(super) engine: Engine,
    /// The orders.
    pub(super) queue: Queue,
    /// The highest stamp that is durable.
    pub(super) last_stamp: AtomicU64,
    /// The epoch of this opening.
    pub(super) epoch: Epoch,
    /// Set once, when the epoch is over.
    fenced: AtomicBool,
    /// Set once, when a write failed: the engine's state is unknown from then on.
    failed: OnceLock<StoreFault>,
    /// Makes the next commit fail.
    #[cfg(test)]
    pub(super) break_commit: AtomicBool,
}

impl Shared {
    /// Nothing waits yet.
    pub(super) fn new(engine: Engine, last_stamp: Stamp, epoch: Epoch) -> Self {
        Self {
            engine,
            queue: Queue::default(),
            last_stamp: AtomicU64::new(last_stamp),
            epoch,
            fenced: AtomicBool::new(false),
            failed: OnceLock::new(),
            #[cfg(test)]
            break_commit: AtomicBool::new(false),
        }
    }

    /// Whether the epoch is over.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Refuses when the store has failed before.
    pub(super) fn check(&self) -> Result<(), StoreFault> {
        self.failed.get().cloned().map_or(Ok(()), Err)
    }
}

/// Writes until the queue is closed and empty.
pub(super) fn run(shared: &Shared) {
    let mut admission = Admission::default();
    // Both are as large as the busiest batch needs, and are used again for each.
    let (mut orders, mut pending) = (Vec::new(), Pending::default());
    while shared.queue.take(&mut orders) {
        let result = shared.check().and_then(|()| {
            calm(|| write(shared, &mut admission, &mut pending, &orders))
                .unwrap_or_else(|panic| Err(StoreFault(panic)))
        });
        if let Err(fault) = &result
            && shared.failed.set(fault.clone()).is_ok()
        {
            tracing::error!(%fault, "the store failed; it refuses everything until it is opened again");
        }
        tell(&mut orders, result);
    }
}

/// Judges a batch and commits what is admitted. Says for each append, in order, what became of it.
fn write(
    shared: &Shared,
    admission: &mut Admission,
    pending: &mut Pending,
    orders: &[Order],
) -> Result<Vec<Result<(), AppendError>>, StoreFault> {
    let mut verdicts = Vec::with_capacity(orders.len());
    let last_stamp = shared.last_stamp.load(Ordering::Relaxed);
    let mut stamp = last_stamp;
    for order in orders {
        match order {
            Order::Append(append, _) => {
                let verdict = if shared.fenced.load(Ordering::Relaxed) {
                    Err(AppendError::Fenced { epoch: shared.epoch })
                } else {
                    admission.admit(&shared.engine, pending, append)?
                };
                if verdict.is_ok() {
                    stamp = stamp.max(append.stamp);
                }
                verdicts.push(verdict);
            }
            Order::Settle(effect) => pending.remove(Space::Outbox, keys::effect(*effect)),
            Order::Fence(epoch, _) if *epoch == shared.epoch => shared.fenced.store(true, Ordering::Release),
            // The lock on the folder has ended every other one.
            Order::Fence(..) => {}
        }
    }
    admission.finish(&shared.engine, pending, stamp)?;
    if stamp > last_stamp {
        pending.put(Space::Meta, LAST_STAMP_KEY.to_vec(), keys::number(stamp));
    }
    #[cfg(test)]
    if shared.break_commit.load(Ordering::Relaxed) {
        return Err(StoreFault("broken by a test".into()));
    }
    pending.commit(&shared.engine)?;
    shared.last_stamp.store(stamp, Ordering::Release);
    Ok(verdicts)
}

/// Calls the callbacks in the order of the appends. After a failure all of them hear of it, the refused ones too: what
/// refused them may not be there.
fn tell(orders: &mut Vec<Order>, result: Result<Vec<Result<(), AppendError>>, StoreFault>) {
    let (mut callbacks, mut fences) = (Vec::new(), Vec::new());
    for order in orders.drain(..) {
        match order {
            Order::Append(_, done) => callbacks.push(done),
            Order::Fence(_, told) => fences.push(told),
            Order::Settle(_) => {}
        }
    }
    let callbacks = callbacks.into_iter();
    let call = |done: Appended, verdict| {
        if let Err(panic) = calm(|| done(verdict)) {
            tracing::error!(panic, "a callback of the store panicked");
        }
    };
    match result {
        Ok(verdicts) => callbacks.zip(verdicts).for_each(|(done, verdict)| call(done, verdict)),
        Err(fault) => callbacks.for_each(|done| call(done, Err(fault.clone().into()))),
    }
    for told in fences {
        // A store that has failed takes no more appends either way; whoever asked may be gone.
        let _ = told.send(());
    }
}
