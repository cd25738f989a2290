//! Orders that wait for PostgreSQL, and which of them may be written beside which.
//!
//! Several batches are written at once, each over a connection of its own. What touches the same aggregate or the same
//! unique key is never in two of them, so that its orders take effect in the order in which they came. Callbacks are called in the order
//! in which the batches were taken. Not here: the writing (`writer`).

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::store::{Append, AppendError, Appended, EffectId, StoreFault};

/// Orders in one batch. A commit is shared by many long before that; more would only make the first ones wait longer.
const BATCH_ORDERS_MAX: usize = 1024;

/// Bytes of row values in one batch (a single larger append still fits): what a network and a log take in some ten
/// milliseconds.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Orders that are looked at for one batch. Behind so many of which most have to wait for the other connection, those that
/// need not are left for the next time.
const LOOKED_AT_MAX: usize = 4 * BATCH_ORDERS_MAX;

/// What an append hears.
pub(super) type Verdict = Result<(), AppendError>;

/// What is asked for.
pub(super) enum Work {
    /// Make an append durable, then tell.
    Append(Append, Appended),
    /// Forget an outbox entry.
    Settle(EffectId),
}

/// What is asked for, by whom it must not be overtaken, and since when.
pub(super) struct Order {
    pub(super) work: Work,
    /// Hashes of the aggregate and of the unique keys. Two that are equal by accident only wait for each other.
    touches: Vec<u64>,
    since: Instant,
}

/// Orders to be written together.
pub(super) struct Batch {
    pub(super) orders: Vec<Order>,
    ticket: u64,
}

impl Batch {
    /// Since when the oldest of them waits.
    pub(super) fn since(&self) -> Instant {
        self.orders.iter().map(|order| order.since).min().unwrap_or_else(Instant::now)
    }

    /// The appends among them.
    pub(super) fn appends(&self) -> impl Iterator<Item = &Append> {
        self.orders.iter().filter_map(|order| match &order.work {
            Work::Append(append, _) => Some(append),
            Work::Settle(_) => None,
        })
    }

    /// The entries to forget among them.
    pub(super) fn settled(&self) -> impl Iterator<Item = EffectId> {
        self.orders.iter().filter_map(|order| match order.work {
            Work::Settle(effect) => Some(effect),
            Work::Append(..) => None,
        })
    }
}

/// Orders on their way.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    hasher: RandomState,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Order>,
    /// What the batches under way touch.
    busy: HashSet<u64>,
    /// The number of the next batch.
    next: u64,
    /// The oldest batch that has not been told.
    untold: u64,
    /// Batches that are done before an older one is.
    done: BTreeMap<u64, Vec<(Appended, Verdict)>>,
    closed: bool,
}

impl Queue {
    /// Puts an order at the end.
    pub(super) fn push(&self, work: Work) {
        let touches = match &work {
            Work::Append(append, _) => {
                let claimed = append.claim.iter().map(|(key, _)| key);
                let keys = claimed.chain(&append.release).map(|key| self.hasher.hash_one(key));
                std::iter::once(self.hasher.hash_one(append.aggregate)).chain(keys).collect()
            }
            Work::Settle(_) => Vec::new(),
        };
        self.lock().waiting.push_back(Order { work, touches, since: Instant::now() });
        self.changed.notify_one();
    }

    /// Lets the writers end once the queue is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Waits for orders that may be written now; `None` when the queue is closed and empty.
    pub(super) async fn take(&self) -> Option<Batch> {
        loop {
            {
                let mut state = self.lock();
                let orders = state.select();
                let is_over = state.closed && state.waiting.is_empty();
                // Another writer may have something to do as well, or to hear that it is over.
                if is_over || (!orders.is_empty() && !state.waiting.is_empty()) {
                    self.changed.notify_one();
                }
                if !orders.is_empty() {
                    let ticket = state.next;
                    state.next += 1;
                    return Some(Batch { orders, ticket });
                }
                if is_over {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// A batch is written, or could not be: tells its appends as soon as those of the batches before have been told. After
    /// a fault, what waits and builds on it is answered with the fault as well.
    pub(super) fn finish(&self, batch: Batch, outcome: Result<Vec<Verdict>, StoreFault>) {
        let told = self.lock().finish(batch, outcome);
        self.changed.notify_one();
        for (done, verdict) in told {
            if catch_unwind(AssertUnwindSafe(|| done(verdict))).is_err() {
                tracing::error!("a callback of the store panicked");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody can leave the queue half-changed: a panic elsewhere is no reason to stop here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes orders from the front, but none that touches what a batch under way or an order left behind touches.
    fn select(&mut self) -> Vec<Order> {
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        let (mut behind, mut bytes, mut looked_at) = (HashSet::<u64>::new(), 0, 0);
        while taken.len() < BATCH_ORDERS_MAX
            && bytes < BATCH_BYTES_MAX
            && looked_at < LOOKED_AT_MAX
            && let Some(order) = self.waiting.pop_front()
        {
            looked_at += 1;
            if order.touches.iter().any(|touch| self.busy.contains(touch) || behind.contains(touch)) {
                behind.extend(&order.touches);
                left.push_back(order);
            } else {
                bytes += weight(&order.work);
                taken.push(order);
            }
        }
        while let Some(order) = left.pop_back() {
            self.waiting.push_front(order);
        }
        self.busy.extend(taken.iter().flat_map(|order| &order.touches));
        taken
    }

    fn finish(
        &mut self,
        batch: Batch,
        outcome: Result<Vec<Verdict>, StoreFault>,
    ) -> Vec<(Appended, Verdict)> {
        let ticket = batch.ticket;
        let touched: HashSet<u64> =
            batch.orders.iter().flat_map(|order| order.touches.iter().copied()).collect();
        self.busy.retain(|touch| !touched.contains(touch));
        let callbacks = |orders: Vec<Order>| {
            orders.into_iter().filter_map(|order| match order.work {
                Work::Append(_, done) => Some(done),
                Work::Settle(_) => None,
            })
        };
        let told = match outcome {
            Ok(verdicts) => callbacks(batch.orders).zip(verdicts).collect(),
            Err(fault) => {
                let mut orders = batch.orders;
                orders.extend(self.dependents(touched));
                callbacks(orders).map(|done| (done, Err(fault.clone().into()))).collect()
            }
        };
        self.done.insert(ticket, told);
        let mut told = Vec::new();
        while let Some(next) = self.done.remove(&self.untold) {
            told.extend(next);
            self.untold += 1;
        }
        told
    }

    /// Takes out what waits and builds on something that failed, or on what builds on it.
    fn dependents(&mut self, mut failed: HashSet<u64>) -> Vec<Order> {
        let mut dependents = Vec::new();
        for order in std::mem::take(&mut self.waiting) {
            if order.touches.iter().any(|touch| failed.contains(touch)) {
                failed.extend(&order.touches);
                dependents.push(order);
            } else {
                self.waiting.push_back(order);
            }
        }
        dependents
    }
}

fn weight(work: &Work) -> usize {
    match work {
        Work::Append(append, _) => append.put.iter().map(|(_, value)| value.len()).sum(),
        Work::Settle(_) => 0,
    }
}
