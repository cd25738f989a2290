//! The last step of fan-out: one hub per worker thread, holding the lanes of that worker's sessions.
//!
//! Owned here: the inboxes through which every other thread reaches a hub, and the hub's pass over them. A lane's queue
//! and the frames that are made of it are in `hub/lane.rs`. Not here: sockets (a [`Sink`] is the gateway's), and who may
//! see what (decided before an item is put in).
//!
//! A pass reads the watermark first, empties the inbox second, and flushes each lane that got something once. That order
//! is what makes the watermark true for every frame of the pass.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use actix::Addr;
use bytes::Bytes;
use rill_proto::record::conv::View;
use tokio::sync::Notify;

use crate::account::board::Placements;
use crate::account::contact::ContactBook;
use crate::account::login::Login;
use crate::border::Border;
use crate::conversation::Token;
use crate::conversation::audience::Template;
use crate::node::Node;
use crate::piece::Piece;
use crate::presence::Lane;
use crate::session::Session;
use crate::store::{Epoch, Stamp};
use crate::watermark::Issued;

#[cfg(feature = "broken")]
mod broken;
mod frame;
mod lane;
mod queued;

pub use frame::FRAME_ROOM;
use lane::Queue;
pub use lane::{Kind, LANE_BYTES_MAX};

/// How many items may wait in a hub's inbox. A pass takes all of them and never waits for an owner, so a full inbox
/// empties within milliseconds; the owner that meets one waits for that long. 65,536 items of a shared batch are some
/// ten megabytes at the very most.
pub const INBOX_ITEMS_MAX: usize = 65_536;

/// Why a session is closed (websocket.md, "Closing").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum CloseCode {
    /// The account was closed, or the session logged out.
    Policy = 1008,
    /// An internal fault.
    Fault = 1011,
    /// The node is draining.
    Draining = 1012,
    /// The node is overloaded.
    Overloaded = 1013,
    /// The client sends faster than it may, or reads too slowly.
    TooFast = 4429,
}

impl CloseCode {
    /// The reason by its number.
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        let all = [Self::Policy, Self::Fault, Self::Draining, Self::Overloaded, Self::TooFast];
        all.into_iter().find(|code| *code as u16 == number)
    }
}

/// Where a lane's frames go: a socket or a long poll.
pub trait Sink {
    /// Whether it can take frames now. While it cannot, the lane keeps them.
    fn is_ready(&self) -> bool;

    /// Takes the frames that lie in `bytes` at `frames`, in order, in as few writes as it can. In front of each frame there is room of
    /// [`FRAME_ROOM`] bytes, to be used for what the transport puts there.
    fn send(&mut self, bytes: &mut [u8], frames: &[std::ops::Range<usize>]);

    /// HTTP only: the answer to one `event/store` call.
    fn answer(&mut self, frame: u64, body: &[u8]);

    /// The client may send again: fewer of its frames are under way than the bound.
    fn resume(&mut self);

    /// Ends the session from outside.
    fn close(&mut self, code: CloseCode, reason: &str);
}

/// News for many lanes of one worker, or of another node: the records once, and what completes them for each lane. It is one
/// allocation for all of them, which the lanes share until they have written it.
#[derive(Debug)]
pub struct Fanout {
    /// The other node whose lanes they are; none where they are of this node.
    pub home: Option<Epoch>,
    /// The records, shared by all lanes and all workers.
    pub batch: Arc<[Template]>,
    /// The lanes; on this node all of one worker.
    pub lanes: Vec<Told>,
}

impl Fanout {
    /// The worker of this node whose lanes they are.
    fn worker(&self) -> Option<u16> {
        self.lanes.first().filter(|_| self.home.is_none()).map(|told| told.worker)
    }
}

/// A lane that is told of a batch. Named by numbers and not held: the count of its holders would go to and fro between the
/// cores with every message.
#[derive(Debug)]
pub struct Told {
    /// The worker whose hub has the lane.
    pub worker: u16,
    /// The sync in which it hears this.
    pub sync: u32,
    /// Its place in the hub.
    pub key: u64,
    /// Its part of the `conv` record when the batch has one.
    pub view: Option<View>,
}

/// What owners and sessions put into a hub's inbox.
#[derive(Debug)]
pub enum Item {
    /// News for many.
    Fanout(Arc<Fanout>),
    /// Records for one.
    Pieces(Lane, Vec<Piece>),
    /// The outcome of one event of one client frame.
    Answer {
        /// Who asked.
        lane: Lane,
        /// Which frame of that session.
        frame: u64,
        /// Which event of that frame.
        index: u16,
        /// The sync of the lane in which the owner has told it everything that came before; 0 where it has not, or that is not known.
        told: u32,
        /// The request record.
        request: Bytes,
        /// What the event changed, or what was asked for.
        pieces: Vec<Piece>,
    },
    /// Records that belong to the answer of a frame that runs alone; its [`Item::Answer`] follows.
    Part(Lane, u64, Vec<Piece>),
    /// The viewer's private contact rows, which complete contact records.
    Contacts(Lane, Arc<ContactBook>),
    /// Where conversations' tasks stand on the viewer's own board, which completes message records.
    Placements(Lane, Arc<Placements>),
    /// How much of a sync has been put in, below 1. The token is dropped when everything before it has left the lane, so
    /// that whoever syncs puts in no more than the client takes.
    Progress(Lane, f32, Token),
    /// The sync with this number is complete: everything up to this stamp has been put in.
    Live(Lane, u32, Stamp),
    /// The session must end.
    Close(Lane, CloseCode, String),
}

impl Item {
    /// The lane that it is for, where it is for one.
    fn lane(&self) -> Option<&Lane> {
        match self {
            Self::Fanout(_) => None,
            Self::Pieces(lane, _)
            | Self::Part(lane, ..)
            | Self::Answer { lane, .. }
            | Self::Contacts(lane, _)
            | Self::Placements(lane, _)
            | Self::Progress(lane, ..)
            | Self::Live(lane, ..)
            | Self::Close(lane, ..) => Some(lane),
        }
    }

    /// The worker of this node whose hub it is for.
    #[must_use]
    pub fn worker(&self) -> Option<u16> {
        if let Self::Fanout(fanout) = self {
            return fanout.worker();
        }
        self.lane().filter(|lane| lane.home().is_none()).map(Lane::worker)
    }

    /// The other node that it is for.
    fn home(&self) -> Option<Epoch> {
        if let Self::Fanout(fanout) = self {
            return fanout.home;
        }
        self.lane().and_then(Lane::home)
    }
}

/// The inboxes of all hubs of a node, and the way to those of others.
#[derive(Debug)]
pub struct Inboxes {
    inboxes: Vec<Inbox>,
    border: OnceLock<Arc<Border>>,
}

#[derive(Debug, Default)]
struct Inbox {
    items: Mutex<Vec<Item>>,
    room: Condvar,
    wake: Notify,
    /// Every session of the worker is to begin a sync: once for each. What is told from then on may pass these stamps, when all
    /// workers have begun.
    renews: Mutex<Vec<Arc<[Issued]>>>,
}

impl Inboxes {
    /// One inbox for each worker.
    #[must_use]
    pub fn new(workers: u16) -> Arc<Self> {
        let inboxes = (0..workers).map(|_| Inbox::default()).collect();
        Arc::new(Self { inboxes, border: OnceLock::new() })
    }

    /// Items for lanes of other nodes go over a border from now on.
    pub(crate) fn open(&self, border: Arc<Border>) {
        // A node has one border: a second one is the same.
        let _ = self.border.set(border);
    }

    /// Every session is to catch up from what it was told, which is less than these stamps.
    pub(crate) fn renew_all(&self, stamps: Vec<Issued>) {
        let stamps: Arc<[Issued]> = stamps.into();
        for inbox in &self.inboxes {
            inbox.renews.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stamps));
            inbox.wake.notify_one();
        }
    }

    /// The item comes back when it is for a hub of this node and may go there; one for another node is sent.
    fn watch(&self, item: Item) -> Option<Item> {
        let Some(border) = self.border.get() else { return Some(item) };
        if let Some(home) = item.home() {
            border.forward(home, item);
            return None;
        }
        border.let_in(item)
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.inboxes.len()
    }

    /// Puts an item into the inbox of the worker that it is for. For owners, on their own threads only; a full inbox
    /// makes them wait, which is the back-pressure from the workers to the owners.
    pub fn put(&self, item: Item) {
        let worker = item.worker();
        self.put_quietly(item);
        if let Some(worker) = worker {
            self.wake(worker);
        }
    }

    /// As [`Inboxes::put`], without waking the hub: whoever puts several items in, or has a stamp to close first so that
    /// the frames can carry it, wakes the hub once afterwards.
    pub fn put_quietly(&self, item: Item) {
        let Some(item) = self.watch(item) else { return };
        let Some(inbox) = self.of(&item) else { return };
        let items = inbox.items.lock().unwrap_or_else(PoisonError::into_inner);
        let mut items = inbox
            .room
            .wait_while(items, |items| items.len() >= INBOX_ITEMS_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        items.push(item);
        // A full inbox must be emptied by a hub that is awake.
        if items.len() >= INBOX_ITEMS_MAX {
            inbox.wake.notify_one();
        }
    }

    /// Wakes the hub of a worker.
    pub fn wake(&self, worker: u16) {
        if let Some(inbox) = self.inboxes.get(usize::from(worker)) {
            inbox.wake.notify_one();
        }
    }

    /// As [`Inboxes::put`], for a session, which runs on its worker's own thread and so must never wait for it. It has its bound
    /// elsewhere: what a session puts in is bounded by its frames under way.
    pub fn put_on_worker(&self, item: Item) {
        if let (Item::Answer { lane, frame, index, .. }, Some(border)) = (&item, self.border.get()) {
            border.refused(lane, *frame, *index);
        }
        let Some(inbox) = self.of(&item) else { return };
        inbox.items.lock().unwrap_or_else(PoisonError::into_inner).push(item);
        inbox.wake.notify_one();
    }

    fn of(&self, item: &Item) -> Option<&Inbox> {
        self.inboxes.get(usize::from(item.worker()?))
    }

    fn take(&self, worker: u16, into: &mut Vec<Item>) {
        let inbox = &self.inboxes[usize::from(worker)];
        let mut items = inbox.items.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *items, into);
        drop(items);
        inbox.room.notify_all();
    }

    async fn wait(&self, worker: u16) {
        self.inboxes[usize::from(worker)].wake.notified().await;
    }

    fn renewals(&self, worker: u16) -> Vec<Arc<[Issued]>> {
        let renews = &self.inboxes[usize::from(worker)].renews;
        std::mem::take(&mut *renews.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A worker's lanes. Lives on its worker's thread and is never sent.
pub struct Hub {
    worker: u16,
    node: Arc<Node>,
    lanes: HashMap<u64, Queue, BuildHasherDefault<KeyHasher>>,
    next_key: u64,
    dirty: Vec<u64>,
    scratch: Scratch,
}

/// Spreads the keys of lanes, which are given out one after the other: nobody can choose them, so that they need no secret.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, key: u64) {
        /// 2^64 divided by the golden ratio: neighbours end far from each other.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        self.0 = (self.0 ^ key).wrapping_mul(SPREAD);
    }
}

/// Buffers that every flush uses again, so that an idle lane owns none.
#[derive(Default)]
struct Scratch {
    bytes: Vec<u8>,
    frames: Vec<std::ops::Range<usize>>,
    items: Vec<Item>,
}

/// After a pass with more than this the scratch buffer is given back; ordinary passes keep theirs.
const SCRATCH_KEPT_MAX: usize = 256 * 1024;

impl Hub {
    /// The hub of a worker, and the task that runs its passes; to be called on the worker's thread.
    #[must_use]
    pub fn start(worker: u16, node: &Arc<Node>) -> Rc<RefCell<Self>> {
        let inboxes = Arc::clone(&node.inboxes);
        let hub = Rc::new(RefCell::new(Self {
            worker,
            node: Arc::clone(node),
            lanes: HashMap::default(),
            next_key: 0,
            dirty: Vec::new(),
            scratch: Scratch::default(),
        }));
        let running = Rc::clone(&hub);
        actix::spawn(async move {
            loop {
                inboxes.wait(worker).await;
                running.borrow_mut().pass();
            }
        });
        hub
    }

    /// Opens a lane for a session of an account.
    pub fn open(&mut self, login: &Login, kind: Kind, session: Addr<Session>, sink: Box<dyn Sink>) -> Lane {
        let key = self.next_key;
        self.next_key += 1;
        let lane = Lane::new(self.worker, key, login.account_id, login.token);
        self.lanes.insert(key, Queue::new(lane.clone(), kind, session, sink));
        if let Some(border) = self.node.border() {
            border.opened(&lane);
        }
        lane
    }

    /// Forgets a lane and all that waits in it.
    pub fn close(&mut self, lane: &Lane) {
        lane.bury();
        self.lanes.remove(&lane.key());
    }

    /// A sync begins, for a client that has applied everything up to `base`. Its number tells it from earlier ones.
    pub fn sync(&mut self, lane: &Lane, base: Stamp) -> u32 {
        self.lanes.get_mut(&lane.key()).map_or(0, |queue| queue.sync(base))
    }

    /// A sync begins behind what waits in the lane already, for a client that has applied what it was told, or none at all.
    /// Its number, and that horizon; nothing where the lane never synchronised.
    pub fn renew(&mut self, lane: &Lane) -> Option<(u32, Stamp)> {
        self.lanes.get_mut(&lane.key()).and_then(Queue::renew)
    }

    /// A client frame with so many events is about to be dispatched; whether it runs alone.
    pub fn submitted(&mut self, lane: &Lane, frame: u64, events: usize, alone: bool) {
        if let Some(queue) = self.lanes.get_mut(&lane.key()) {
            queue.submitted(frame, events, alone);
            if events == 0 {
                queue.complete(frame, Vec::new(), Vec::new());
                self.ready(lane);
            }
        }
    }

    /// How many frames of a lane are under way.
    #[must_use]
    pub fn under_way(&self, lane: &Lane) -> usize {
        self.lanes.get(&lane.key()).map_or(0, Queue::under_way)
    }

    /// What the poll that comes next must present, for an HTTP lane that is in step with its client.
    #[must_use]
    pub fn expected_horizon(&self, lane: &Lane) -> Option<i64> {
        self.lanes.get(&lane.key()).and_then(Queue::expected_horizon)
    }

    /// Whether the initial sync or the catch-up of a lane is under way.
    #[must_use]
    pub fn is_syncing(&self, lane: &Lane) -> bool {
        self.lanes.get(&lane.key()).is_some_and(Queue::is_syncing)
    }

    /// A poll that waits is not to wait any longer: in the middle of a sync it is told how far that is.
    pub fn tell_progress(&mut self, lane: &Lane) {
        if let Some(queue) = self.lanes.get_mut(&lane.key()) {
            queue.tell_progress();
        }
    }

    /// The sink of a lane can take frames again.
    pub fn ready(&mut self, lane: &Lane) {
        // Not the watermark alone: what lies in the inbox may be older than it, and would be missed by who leaves now.
        let horizon = self.pass();
        self.flush(lane.key(), horizon);
    }

    /// How many lanes there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Ends every session of this worker.
    pub fn close_all(&mut self, code: CloseCode, reason: &str) {
        for queue in self.lanes.values_mut() {
            queue.end(code, reason);
        }
    }

    /// Answers with the watermark that its frames may tell.
    fn pass(&mut self) -> Stamp {
        let horizon = self.node.horizon();
        let mut items = std::mem::take(&mut self.scratch.items);
        self.node.inboxes.take(self.worker, &mut items);
        for item in items.drain(..) {
            self.accept(item);
        }
        self.scratch.items = items;
        let renewals = self.node.inboxes.renewals(self.worker);
        if !renewals.is_empty() {
            self.lanes.values_mut().enumerate().for_each(|(place, queue)| queue.call_to_renew(place));
        }
        drop(renewals);
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            self.flush(key, horizon);
        }
        self.dirty = dirty;
        if self.scratch.bytes.capacity() > SCRATCH_KEPT_MAX {
            self.scratch = Scratch::default();
        }
        horizon
    }

    fn accept(&mut self, item: Item) {
        match item {
            Item::Fanout(fanout) => {
                let bytes = fanout.batch.iter().map(Template::size_hint).sum();
                for (place, told) in fanout.lanes.iter().enumerate() {
                    self.with(told.key, |queue| queue.batch(&fanout, place, bytes));
                }
            }
            Item::Pieces(lane, pieces) => self.with(lane.key(), |queue| queue.pieces(pieces)),
            Item::Part(lane, frame, pieces) => self.with(lane.key(), |queue| queue.part(frame, pieces)),
            Item::Answer { lane, frame, index, request, pieces, .. } => {
                self.with(lane.key(), |queue| queue.answer(frame, index, request, pieces));
            }
            Item::Placements(lane, places) => self.with(lane.key(), |queue| queue.placements(places)),
            Item::Contacts(lane, book) => self.with(lane.key(), |queue| queue.contacts(book)),
            Item::Progress(lane, progress, token) => {
                self.with(lane.key(), |queue| queue.progress(progress, token))
            }
            Item::Live(lane, number, stamp) => self.with(lane.key(), |queue| queue.live(number, stamp)),
            Item::Close(lane, code, reason) => self.with(lane.key(), |queue| queue.end(code, &reason)),
        }
    }

    fn with(&mut self, key: u64, change: impl FnOnce(&mut Queue)) {
        let Some(queue) = self.lanes.get_mut(&key) else {
            return;
        };
        change(queue);
        if queue.mark_dirty() {
            self.dirty.push(key);
        }
    }

    fn flush(&mut self, key: u64, horizon: Stamp) {
        if let Some(queue) = self.lanes.get_mut(&key) {
            queue.flush(horizon, &mut self.scratch.bytes, &mut self.scratch.frames);
        }
    }
}

#[cfg(test)]
mod tests;
