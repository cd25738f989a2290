//! The link's task: it gives the membership its clock, its ears and its store, and does what the membership says.
//!
//! It has a thread of its own, so that a busy server still says that it lives. Not here: any decision (`membership`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::carrier::{Batch, Carrier, Event, Published};
use super::format::{Said, decode_frame, decode_said, encode_frame, encode_said};
use super::membership::{Action, BEAT_EVERY, Beat, Frame, Membership};
use super::outbox::{FRAME_BYTES_MAX, Outbox};
use super::{Config, Leave, LinkError, Receiver, Shared, View};
use crate::store::{Epoch, Stamp, Store, StoreFault};
use crate::watermark::Watermark;

/// How often it is looked who is silent and whether a beat is due: a fraction of a beat.
const TICK: Duration = Duration::from_millis(25);

/// Letters that come within this of others that have just left wait, and leave together: a frame costs each of two nodes and Redis some
/// fifty microseconds, whatever is in it. Whoever comes after a silence does not wait; the others do so for half as long as a screen shows
/// one picture.
pub(super) const FRAMES_APART: Duration = Duration::from_millis(8);

/// How many bytes go out at once, about: some frames, so that several batches are under way.
const BATCH_BYTES: usize = 4 * FRAME_BYTES_MAX;

/// How many batches lie between the task and the carrier.
const BATCHES: usize = 1;

/// How many events are taken in before what has come of them goes out.
const EVENTS_AT_ONCE: usize = 64;

/// How long somebody who leaves waits for Redis and for the store. A server that drains has more to do than that.
const LEAVE_WAIT: Duration = Duration::from_secs(3);

/// How long what a view gives to other nodes may take to come to rest: three times what an append lasts before it fails. A node that
/// takes longer keeps all of them from a view; it stops, is put out as a silent one is, and begins again.
const REST_WAIT: Duration = Duration::from_secs(15);

/// What comes back to the task.
enum Answer {
    Open(Result<Vec<Epoch>, StoreFault>, Stamp),
    Fenced(Epoch, Result<(), StoreFault>),
    /// What a round's proposal gives to other nodes has come to rest; or has not in time.
    Prepared(u64, bool),
}

struct Task {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    watermark: Arc<Watermark>,
    receiver: Arc<dyn Receiver>,
    membership: Membership,
    carried: Carried,
    answers: mpsc::UnboundedSender<Answer>,
    /// A beat is due at once.
    beat_due: bool,
    last_beat: Option<Instant>,
    /// When letters may leave again.
    letters_from: Instant,
    /// Letters wait for that.
    is_held: bool,
    is_over: bool,
}

/// The carrier's end here.
struct Carried {
    batches: mpsc::Sender<Batch>,
    /// What waits for the carrier.
    ready: VecDeque<Batch>,
    /// Batches that the carrier has, and Redis has not taken.
    under_way: usize,
    is_up: bool,
    was_up: bool,
    /// The bytes that wait in the carrier's events.
    waiting: Arc<AtomicUsize>,
}

/// Starts the thread.
pub(super) fn start(
    config: &Config,
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    watermark: Arc<Watermark>,
    receiver: Arc<dyn Receiver>,
    orders: mpsc::Receiver<Leave>,
) -> Result<(), LinkError> {
    let (batches, to_carry) = mpsc::channel(BATCHES);
    let (tell, events) = mpsc::unbounded_channel();
    let (answers, answered) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let carrier = Carrier::new(config, shared.me, to_carry, tell, Arc::clone(&waiting))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let task = Task {
        membership: Membership::new(shared.me),
        shared,
        store,
        watermark,
        receiver,
        carried: Carried {
            batches,
            ready: VecDeque::new(),
            under_way: 0,
            is_up: false,
            was_up: false,
            waiting,
        },
        answers,
        beat_due: false,
        last_beat: None,
        letters_from: Instant::now(),
        is_held: false,
        is_over: false,
    };
    let run = move || {
        runtime.block_on(async {
            tokio::spawn(carrier.run());
            task.run(events, answered, orders).await;
        });
    };
    std::thread::Builder::new().name("link".to_owned()).spawn(run)?;
    Ok(())
}

impl Task {
    async fn run(
        mut self,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut answered: mpsc::UnboundedReceiver<Answer>,
        mut orders: mpsc::Receiver<Leave>,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shared = Arc::clone(&self.shared);
        while !self.is_over {
            let batches = self.carried.batches.clone();
            tokio::select! {
                permit = batches.reserve(), if self.carried.has_ready() => {
                    if let (Ok(permit), Some(batch)) = (permit, self.carried.next()) {
                        permit.send(batch);
                    }
                }
                event = events.recv() => {
                    self.take(event);
                    for _ in 1..EVENTS_AT_ONCE {
                        let Ok(event) = events.try_recv() else { break };
                        self.take(Some(event));
                    }
                }
                answer = answered.recv() => self.answered(answer),
                () = shared.wake.notified() => {}
                () = sleep_until(self.letters_from.into()), if self.is_held => {}
                _ = ticks.tick() => self.membership.tick(Instant::now()),
                order = orders.recv() => {
                    if let Some(told) = order {
                        self.leave(&mut events).await;
                        // Whoever asked may have stopped waiting.
                        let _ = told.send(());
                    }
                    break;
                }
            }
            self.turn();
        }
        self.end();
        // A handle that is still there may ask to leave: it has left.
        orders.close();
    }

    /// Does what has come of the news.
    fn turn(&mut self) {
        let now = Instant::now();
        if self.shared.renew.swap(false, Ordering::AcqRel) {
            self.membership.renew(now);
        }
        self.act();
        self.compose(now);
        let is_settled = self.carried.is_up && self.membership.is_settled(now);
        self.shared.is_settled.store(is_settled, Ordering::Release);
    }

    /// Nothing is told or joined any more.
    fn end(&mut self) {
        self.shared.horizon.end();
        self.shared.is_settled.store(false, Ordering::Release);
        self.shared.is_joined.store(false, Ordering::Release);
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&mut self) {
        while let Some(action) = self.membership.next_action() {
            match action {
                Action::Ask => self.ask(),
                Action::Fence(epoch) => self.fence(epoch),
                Action::Gap => self.shared.metrics.link_gaps.add(1),
                Action::Leave(proposal) => {
                    // Before the watermark is announced under the proposal.
                    self.shared.horizon.freeze();
                    let others = proposal.nodes.iter().copied().filter(|epoch| *epoch != self.shared.me);
                    let watermark = self.watermark.current();
                    let dropped = self.outbox().begin(proposal.round, others, watermark);
                    self.shared.metrics.link_letters_dropped.add(dropped as u64);
                    self.carried.ready.clear();
                    self.prepare(Arc::new(proposal));
                }
                Action::Beat => self.beat_due = true,
                Action::Install(view) => {
                    tracing::info!(round = view.round, nodes = ?view.nodes, "a view is installed");
                    *self.shared.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
                    self.shared.is_joined.store(true, Ordering::Release);
                    self.shared.metrics.link_rounds.add(1);
                    self.receiver.installed(view);
                    self.outbox().open();
                }
                Action::Deliver(from, letters) => {
                    self.shared.metrics.link_letters_received.add(letters.len() as u64);
                    self.receiver.letters(from, letters);
                }
                Action::Announced(lowest) => self.shared.horizon.raise(lowest),
                Action::Stop => {
                    tracing::error!(epoch = self.shared.me, "this node was put out: its epoch is over");
                    self.is_over = true;
                    self.end();
                    self.receiver.fenced();
                }
            }
        }
    }

    fn ask(&self) {
        let (asked, watermark) = (self.store.open_epochs(), self.watermark.current());
        let answers = self.answers.clone();
        tokio::spawn(async move { answers.send(Answer::Open(asked.await, watermark)) });
    }

    fn prepare(&self, proposal: Arc<View>) {
        let (round, answers) = (proposal.round, self.answers.clone());
        let prepared = self.receiver.prepare(proposal);
        tokio::spawn(async move {
            let has_rested = timeout(REST_WAIT, prepared).await.is_ok();
            answers.send(Answer::Prepared(round, has_rested))
        });
    }

    fn fence(&self, epoch: Epoch) {
        tracing::warn!(epoch, "a node is silent: its epoch is ended");
        let (ended, answers) = (self.store.fence(epoch), self.answers.clone());
        tokio::spawn(async move { answers.send(Answer::Fenced(epoch, ended.await)) });
    }

    fn answered(&mut self, answer: Option<Answer>) {
        let now = Instant::now();
        match answer {
            Some(Answer::Open(Ok(open), watermark)) => self.membership.store_answered(open, watermark, now),
            Some(Answer::Open(Err(fault), _)) => {
                tracing::debug!(%fault, "the store does not say which nodes there are");
                self.membership.store_failed();
            }
            Some(Answer::Fenced(epoch, Ok(()))) => {
                self.shared.metrics.link_fences.add(1);
                self.watermark.observe(self.store.last_stamp());
                self.membership.ended(epoch, now);
            }
            Some(Answer::Fenced(epoch, Err(fault))) => {
                tracing::warn!(epoch, %fault, "an epoch could not be ended");
                self.membership.not_ended(epoch);
            }
            Some(Answer::Prepared(round, true)) => self.membership.prepared(round),
            Some(Answer::Prepared(round, false)) => self.membership.stuck(round),
            // This task holds a sender.
            None => {}
        }
    }

    fn take(&mut self, event: Option<Event>) {
        let now = Instant::now();
        match event {
            Some(Event::Up) => {
                (self.carried.is_up, self.beat_due) = (true, true);
                if std::mem::replace(&mut self.carried.was_up, true) {
                    self.shared.metrics.link_reconnects.add(1);
                    self.membership.reconnected();
                }
                tracing::info!("the link is up");
            }
            // The carrier ends after this task only.
            Some(Event::Down) | None => {
                self.carried.is_up = false;
                self.carried.under_way = 0;
                self.carried.ready.clear();
            }
            Some(Event::Taken) => self.carried.under_way = self.carried.under_way.saturating_sub(1),
            Some(Event::Said(bytes)) => {
                self.count(&bytes);
                self.said(&bytes, now);
            }
            Some(Event::Told(bytes)) => {
                self.count(&bytes);
                self.shared.metrics.link_frames_received.add(1);
                self.told(&bytes, now);
            }
        }
        // Letters are passed on before what follows them is believed.
        self.act();
    }

    fn count(&self, bytes: &Bytes) {
        self.carried.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        self.shared.metrics.link_bytes_received.add(bytes.len() as u64);
    }

    fn said(&mut self, bytes: &Bytes, now: Instant) {
        match decode_said(bytes) {
            Ok(Said::Beat(beat)) => {
                self.watermark.observe(beat.watermark);
                self.membership.beat_heard(beat, now);
            }
            Ok(Said::Bye(epoch)) => self.membership.ended(epoch, now),
            // Whatever it was, it was not a frame: nothing that is counted is missing.
            Err(error) => tracing::warn!(%error, "somebody speaks differently on the link"),
        }
    }

    fn told(&mut self, bytes: &Bytes, now: Instant) {
        match decode_frame(bytes) {
            Ok(frame) => self.membership.frame_heard(frame, now),
            Err(error) => {
                tracing::warn!(%error, "a frame cannot be read");
                self.membership.noise_heard(now);
            }
        }
    }

    /// Makes batches of what waits, and of the beat when it is due. While older ones wait for the carrier, newer letters wait with
    /// their like, to share a frame.
    fn compose(&mut self, now: Instant) {
        self.is_held = false;
        if !self.carried.is_up || !self.carried.ready.is_empty() || self.is_over {
            return;
        }
        let is_due =
            self.beat_due || self.last_beat.is_none_or(|last| now.duration_since(last) >= BEAT_EVERY);
        if !is_due {
            if !self.outbox().has_news() {
                return;
            }
            self.is_held = now < self.letters_from;
            if self.is_held {
                return;
            }
        }
        self.letters_from = now + FRAMES_APART;
        let mut batches = Batches::default();
        let (watermark, frames, sent) = loop {
            self.watermark.tick(now_us());
            // Whatever is stamped up to this was handed over before, so it is in the outbox, or in what the outbox has lost.
            let watermark = self.watermark.current();
            let mut outbox = self.outbox();
            if !outbox.has_overflowed() {
                break (outbox.announced(watermark), outbox.frames(self.shared.me), outbox.sent());
            }
            drop(outbox);
            tracing::warn!(
                "more waits for another node than is kept: it is dropped, and read from the store"
            );
            self.membership.spoil(now);
            self.act();
        };
        for (to, frame) in &frames {
            self.count_sent(frame);
            batches.add(Published { to: Some(*to), bytes: encode_frame(frame) });
        }
        if let Some(proposal) = self.membership.proposal(now).filter(|_| is_due) {
            let (nodes, round) = (proposal.nodes.clone(), proposal.round);
            let has_view = self.membership.installed().is_some();
            let consents = self.membership.consents();
            let beat = Beat { from: self.shared.me, nodes, round, consents, has_view, watermark, sent };
            batches.add(Published { to: None, bytes: encode_said(&Said::Beat(beat)) });
            (self.beat_due, self.last_beat) = (false, Some(now));
        }
        self.carried.ready.extend(batches.end());
    }

    fn count_sent(&self, frame: &Frame) {
        let metrics = &self.shared.metrics;
        metrics.link_frames_sent.add(1);
        metrics.link_letters_sent.add(frame.letters.len() as u64);
        metrics.link_bytes_sent.add(frame.letters.iter().map(Bytes::len).sum::<usize>() as u64);
    }

    /// Sends what waits, ends the own epoch, and says so.
    async fn leave(&mut self, events: &mut mpsc::UnboundedReceiver<Event>) {
        self.end();
        self.flush(events).await;
        self.beat_due = true;
        self.compose(Instant::now());
        self.flush(events).await;
        let fenced = timeout(LEAVE_WAIT, self.store.fence(self.shared.me)).await;
        if !matches!(fenced, Ok(Ok(()))) {
            // Then the others find out that this node is silent.
            tracing::warn!(epoch = self.shared.me, "the store does not end this node's epoch");
            return;
        }
        let bye = Published { to: None, bytes: encode_said(&Said::Bye(self.shared.me)) };
        self.carried.ready.push_back(vec![bye]);
        self.flush(events).await;
    }

    /// Waits until Redis has taken everything, or is away.
    async fn flush(&mut self, events: &mut mpsc::UnboundedReceiver<Event>) {
        let flush = async {
            while self.carried.is_up && !self.carried.is_empty() {
                let batches = self.carried.batches.clone();
                tokio::select! {
                    permit = batches.reserve(), if self.carried.has_ready() => {
                        if let (Ok(permit), Some(batch)) = (permit, self.carried.next()) {
                            permit.send(batch);
                        }
                    }
                    event = events.recv() => match event {
                        Some(Event::Taken) => self.carried.under_way = self.carried.under_way.saturating_sub(1),
                        Some(Event::Down) | None => self.carried.is_up = false,
                        Some(Event::Up) => self.carried.is_up = true,
                        // Whoever leaves takes nothing in any more.
                        Some(Event::Said(_) | Event::Told(_)) => {}
                    },
                }
            }
        };
        // Who waits for nothing that comes has nothing to say to anybody.
        let _ = timeout(LEAVE_WAIT, flush).await;
    }
}

impl Carried {
    fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.under_way == 0
    }

    fn next(&mut self) -> Option<Batch> {
        let batch = self.ready.pop_front()?;
        self.under_way += 1;
        Some(batch)
    }
}

/// Batches of about the same size, in the making.
#[derive(Default)]
struct Batches {
    done: Vec<Batch>,
    last: Batch,
    bytes: usize,
}

impl Batches {
    fn add(&mut self, published: Published) {
        self.bytes += published.bytes.len();
        self.last.push(published);
        if self.bytes >= BATCH_BYTES {
            self.done.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
    }

    fn end(mut self) -> Vec<Batch> {
        if !self.last.is_empty() {
            self.done.push(self.last);
        }
        self.done
    }
}

/// The wall clock in microseconds.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
