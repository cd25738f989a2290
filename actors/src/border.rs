//! The border between this node and the others: who owns what, and everything that crosses.
//!
//! Owned here: the view by which messages find their owners, what other nodes have told of their sessions, and what was
//! lent to them (tokens and replies). Not here: what carries the bytes and how a view is agreed on (`link`), and what is
//! done with a message once it has arrived (its owner's business).
//!
//! Everything between nodes belongs to one view. When a view is to follow, whatever concerns owners that move is held
//! back ([`Border::prepare`]); when it is everybody's ([`Border::install`]), what was under way is begun anew: events
//! that nobody has answered are sent again, in their order, and have their effect once since they carry their
//! `client_req_id`; every session catches up from the horizon that it was told; effects come again from the store's
//! outbox. So nothing that is lost between nodes is missed by anybody, and there is one way back from every loss.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use bytes::Bytes;
use dashmap::DashMap;
use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::conversation::Token;
use crate::hub::Item;
use crate::link::{Link, View};
use crate::node::{Node, Unreachable};
use crate::presence::{Lane, LaneName};
use crate::session::Submit;
use crate::store::{Aggregate, Epoch, Stamp};
use crate::watermark::Issued;

pub(crate) mod crossing;
mod handover;
pub mod order;
mod parcel;
mod pending;
pub mod reply;
#[cfg(test)]
mod tests;

use order::Order;
use parcel::Parcel;
use pending::Pending;
use reply::Waiting;

/// What carries letters from node to node, in order.
pub trait Carrier: Send + Sync + 'static {
    /// Sends a letter to another node of the view; never waits.
    fn send(&self, to: Epoch, letter: Bytes);

    /// Sends a letter to every other node of the view; never waits.
    fn send_all(&self, letter: Bytes);

    /// How far sessions may be told to be.
    fn horizon(&self) -> Stamp;

    /// Something was lost: the nodes are to agree anew.
    fn renew(&self);
}

/// Where HTTP calls come in that another node passes on: the sessions of HTTP clients live where their accounts' owners are.
pub trait Door: Send + Sync + 'static {
    /// Carries a call out. Dropped, it may be tried again.
    fn call(&self, call: order::HttpCall);
}

impl Carrier for Link {
    fn send(&self, to: Epoch, letter: Bytes) {
        self.send(to, letter);
    }

    fn send_all(&self, letter: Bytes) {
        self.send_all(letter);
    }

    fn horizon(&self) -> Stamp {
        self.horizon()
    }

    fn renew(&self) {
        self.renew();
    }
}

/// What one node tells another.
#[derive(Serialize, Deserialize)]
enum Letter {
    /// A message for an owner there.
    Order(Aggregate, #[serde(with = "order::text")] Order),
    /// Something for lanes there.
    Parcel(Parcel),
    /// A token of that node is not held here any more.
    GivenBack(u64),
    /// The outcome that somebody there waits for; none when there is none.
    Replied(u64, Option<Bytes>),
    /// A session here has begun a sync.
    Syncing(Lane),
    /// A session here has gone.
    Gone(Lane),
    /// A session has been told everything in this sync.
    Live(Lane, u32),
    /// An account whose owner is there was active, in Unix seconds.
    Active(AccountId, i64),
}

/// Where an aggregate is at this moment.
pub(crate) enum Place {
    /// On this node.
    Here,
    /// On another one.
    There(Epoch),
    /// On its way, or not known yet.
    Between,
}

#[derive(Default)]
struct Gate {
    /// The view that is everybody's; none before this node has joined.
    view: Option<Arc<View>>,
    /// The one that is to follow.
    next: Option<Arc<View>>,
    /// Events that nobody has answered are being sent again, or are to be: whatever comes now waits behind them.
    is_closed: bool,
}

impl Gate {
    fn place(&self, me: Epoch, aggregate: Aggregate) -> Place {
        let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) else { return Place::Between };
        let owner = view.owner(aggregate);
        match &self.next {
            Some(next) if owner != me || next.owner(aggregate) != me => Place::Between,
            _ if owner == me => Place::Here,
            _ => Place::There(owner),
        }
    }
}

/// Things that stay here while a number that stands for them is with another node.
struct Lent<T> {
    last: u64,
    with: HashMap<u64, (Epoch, T)>,
}

impl<T> Lent<T> {
    fn put(&mut self, thing: T, other: Epoch) -> u64 {
        self.last += 1;
        self.with.insert(self.last, (other, thing));
        self.last
    }

    fn take(&mut self, number: u64, other: Epoch) -> Option<T> {
        self.with.get(&number).filter(|(with, _)| *with == other)?;
        self.with.remove(&number).map(|(_, thing)| thing)
    }
}

impl<T> Default for Lent<T> {
    fn default() -> Self {
        Self { last: 0, with: HashMap::new() }
    }
}

/// The border of one node.
pub struct Border {
    node: Weak<Node>,
    carrier: OnceLock<Arc<dyn Carrier>>,
    door: OnceLock<Arc<dyn Door>>,
    me: Epoch,
    gate: RwLock<Gate>,
    /// The lanes of this node, those of sessions that only store events among them.
    own: DashMap<LaneName, Lane>,
    /// What stands for lanes of other nodes.
    others: DashMap<LaneName, Lane>,
    tokens: Mutex<Lent<Token>>,
    replies: Mutex<Lent<Waiting>>,
    pending: Pending,
    /// Stamps of changes of which nobody knows whether they took effect; open until everybody catches up.
    doubtful: Mutex<Vec<Issued>>,
    /// When an account's owner was last told of its activity.
    noted: DashMap<AccountId, i64>,
}

impl std::fmt::Debug for Border {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Border").field(&self.me).finish()
    }
}

/// How many seconds old what an account's owner on another node knows of its activity may be.
const ACTIVITY_S: i64 = 5;

impl Border {
    /// The border of a node that has not joined yet: nobody is served.
    #[must_use]
    pub fn new(node: &Arc<Node>, me: Epoch) -> Arc<Self> {
        Self::of(Arc::downgrade(node), me)
    }

    fn of(node: Weak<Node>, me: Epoch) -> Arc<Self> {
        Arc::new(Self {
            node,
            carrier: OnceLock::new(),
            door: OnceLock::new(),
            me,
            gate: RwLock::default(),
            own: DashMap::new(),
            others: DashMap::new(),
            tokens: Mutex::default(),
            replies: Mutex::default(),
            pending: Pending::default(),
            doubtful: Mutex::default(),
            noted: DashMap::new(),
        })
    }

    /// Gives it what carries its letters; once, before anything is received.
    pub fn open(&self, carrier: Arc<dyn Carrier>) {
        // A second one would be a mistake of the caller's; the first stays.
        let _ = self.carrier.set(carrier);
    }

    /// Gives it the way to the sessions of HTTP clients; once.
    pub fn open_door(&self, door: Arc<dyn Door>) {
        // As with the carrier.
        let _ = self.door.set(door);
    }

    pub(crate) fn call(&self, call: order::HttpCall) {
        if let Some(door) = self.door.get() {
            door.call(call);
        }
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> Epoch {
        self.me
    }

    /// How far sessions may be told to be; nothing before this node has joined.
    #[must_use]
    pub fn horizon(&self) -> Stamp {
        self.carrier.get().map_or(0, |carrier| carrier.horizon())
    }

    /// Whether this node has joined the others.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.gate.read().unwrap_or_else(PoisonError::into_inner).view.is_some()
    }

    pub(crate) fn place(&self, aggregate: Aggregate) -> Place {
        self.gate.read().unwrap_or_else(PoisonError::into_inner).place(self.me, aggregate)
    }

    /// Whether an aggregate is, or is about to be, another node's.
    #[must_use]
    pub fn is_elsewhere(&self, aggregate: Aggregate) -> bool {
        !matches!(self.place(aggregate), Place::Here)
    }

    /// Which other node owns an aggregate, if one does.
    #[must_use]
    pub(crate) fn owner_elsewhere(&self, aggregate: Aggregate) -> Option<Epoch> {
        match self.place(aggregate) {
            Place::There(owner) => Some(owner),
            Place::Here | Place::Between => None,
        }
    }

    /// Brings a message to its owner: `here` where that is this node.
    pub(crate) fn route<M: Into<Order>>(
        self: &Arc<Self>,
        aggregate: Aggregate,
        message: M,
        here: impl FnOnce(M) -> Result<(), Unreachable>,
    ) -> Result<(), Unreachable> {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let place = gate.place(self.me, aggregate);
        if let Place::Here = place {
            drop(gate);
            return here(message);
        }
        drop(gate);
        let order = message.into();
        match place {
            Place::There(owner) => self.send_order(owner, aggregate, order),
            Place::Here | Place::Between => order.lose(),
        }
        Ok(())
    }

    /// Sends a message to an owner on another node.
    pub(crate) fn send_order(self: &Arc<Self>, owner: Epoch, aggregate: Aggregate, order: Order) {
        self.send(owner, &Letter::Order(aggregate, order));
    }

    /// Sends an item to the node whose lanes it is for.
    pub(crate) fn forward(self: &Arc<Self>, home: Epoch, item: Item) {
        self.send(home, &Letter::Parcel(Parcel::pack(item)));
    }

    fn send(self: &Arc<Self>, to: Epoch, letter: &Letter) {
        if let (Some(carrier), Some(written)) = (self.carrier.get(), self.write(to, letter)) {
            carrier.send(to, written);
        }
    }

    fn send_all(self: &Arc<Self>, letter: &Letter) {
        if let (Some(carrier), Some(written)) = (self.carrier.get(), self.write(self.me, letter)) {
            carrier.send_all(written);
        }
    }

    fn write(self: &Arc<Self>, to: Epoch, letter: &Letter) -> Option<Bytes> {
        match crossing::at(self, to, || postcard::to_stdvec(letter)) {
            Ok(written) => Some(written.into()),
            Err(fault) => {
                tracing::error!(%fault, "a letter to another node cannot be written");
                None
            }
        }
    }

    /// Letters of another node have come, in their order.
    pub fn receive(self: &Arc<Self>, from: Epoch, letters: &[Bytes]) {
        let Some(node) = self.node.upgrade() else { return };
        for letter in letters {
            match crossing::at(self, from, || postcard::from_bytes::<Letter>(letter)) {
                Ok(letter) => self.open_letter(&node, from, letter),
                Err(fault) => tracing::error!(%fault, from, "a letter of another node cannot be read"),
            }
        }
    }

    fn open_letter(self: &Arc<Self>, node: &Arc<Node>, from: Epoch, letter: Letter) {
        match letter {
            Letter::Order(aggregate, order) => node.dispatch(aggregate, order),
            Letter::Parcel(parcel) => {
                parcel.unpack(&self.own).into_iter().for_each(|item| node.inboxes.put(item));
            }
            Letter::GivenBack(number) => {
                let token = lock(&self.tokens).take(number, from);
                drop(token);
            }
            Letter::Replied(number, written) => {
                let waiting = lock(&self.replies).take(number, from);
                if let (Some(waiting), Some(written)) = (waiting, written) {
                    waiting(&written);
                }
            }
            Letter::Syncing(lane) => node.presence.arrive(lane),
            Letter::Gone(lane) => {
                node.presence.depart(&lane);
                self.others.remove(&lane.name());
            }
            Letter::Live(lane, number) => lane.go_live(number),
            Letter::Active(account_id, time) => node.presence.note_activity(account_id, time),
        }
    }

    /// A lane by its name: one of this node, or what stands here for one of another.
    fn lane(&self, name: LaneName, account_id: AccountId, token: Uuid, sync: u32) -> Lane {
        if name.home == Some(self.me) {
            let name = LaneName { home: None, ..name };
            return self.own.get(&name).map_or_else(
                || {
                    let gone = Lane::named(name, account_id, token);
                    gone.bury();
                    gone
                },
                |lane| lane.clone(),
            );
        }
        let known = self.others.entry(name).or_insert_with(|| Lane::named(name, account_id, token));
        known.heard_of_sync(sync);
        known.clone()
    }

    fn lend(&self, token: Token, other: Epoch) -> u64 {
        lock(&self.tokens).put(token, other)
    }

    fn give_back(self: &Arc<Self>, owner: Epoch, number: u64) {
        self.send(owner, &Letter::GivenBack(number));
    }

    fn expect_reply(&self, waiting: Waiting, other: Epoch) -> u64 {
        lock(&self.replies).put(waiting, other)
    }

    fn reply(self: &Arc<Self>, owner: Epoch, number: u64, written: Option<Vec<u8>>) {
        self.send(owner, &Letter::Replied(number, written.map(Into::into)));
    }

    /// A hub has opened a lane.
    pub(crate) fn opened(&self, lane: &Lane) {
        self.own.insert(lane.name(), lane.clone());
    }

    /// A session here has begun a sync.
    pub(crate) fn syncing(self: &Arc<Self>, lane: &Lane) {
        self.send_all(&Letter::Syncing(lane.clone()));
    }

    /// A session here has gone.
    pub(crate) fn gone(self: &Arc<Self>, lane: &Lane) {
        self.own.remove(&lane.name());
        self.send_all(&Letter::Gone(lane.clone()));
    }

    /// A session, of whatever node, has been told everything in a sync.
    pub(crate) fn live(self: &Arc<Self>, lane: &Lane, number: u32) {
        self.send_all(&Letter::Live(lane.clone(), number));
    }

    /// An account posts or reads here.
    pub(crate) fn active(self: &Arc<Self>, account_id: AccountId, now: i64) {
        let Some(owner) = self.owner_elsewhere(Aggregate::Account(account_id)) else { return };
        let before = self.noted.insert(account_id, now);
        if before.is_none_or(|before| now - before >= ACTIVITY_S) {
            self.send(owner, &Letter::Active(account_id, now));
        }
    }

    /// The last session of an account here has gone.
    pub(crate) fn rested(&self, node: &Node, account_id: AccountId, activity_time: i64) {
        self.noted.remove(&account_id);
        // Its owner, if that is another node, has been told and remembers.
        if self.is_elsewhere(Aggregate::Account(account_id)) {
            node.presence.forget_activity(account_id, activity_time);
        }
    }

    /// An event of a session here is on its way: until it is answered it may be sent again.
    pub(crate) fn keep(&self, submit: &Submit) {
        self.pending.keep(submit);
    }

    /// An event of a session here is refused before anybody was asked.
    pub(crate) fn refused(&self, lane: &Lane, frame: u64, index: u16) {
        self.pending.answered(lane, frame, index);
    }

    /// What goes on to a session here of an item that has come for it. While the session has to catch up, answers come through
    /// only from owners that it has heard everything of: others would tell of what came after something that was missed. Such an
    /// event is sent again afterwards. Of an event that was sent twice the first answer counts.
    pub(crate) fn let_in(&self, item: Item) -> Option<Item> {
        match item {
            Item::Answer { lane, frame, index, told, request, pieces } => {
                if lane.is_behind() && told == 0 {
                    return None;
                }
                if self.pending.answered(&lane, frame, index) {
                    return Some(Item::Answer { lane, frame, index, told, request, pieces });
                }
                // What it changed is told by nothing else, if the first answer was a fault.
                (told > 0).then_some(Item::Pieces(lane, pieces))
            }
            Item::Part(lane, ..) if lane.is_behind() => None,
            Item::Part(..)
            | Item::Fanout(_)
            | Item::Pieces(..)
            | Item::Contacts(..)
            | Item::Placements(..)
            | Item::Progress(..)
            | Item::Live(..)
            | Item::Close(..) => Some(item),
        }
    }

    /// Answers events that no other node has answered for too long.
    pub(crate) fn give_up(&self, node: &Arc<Node>) {
        self.pending.expired(!self.is_joined()).into_iter().for_each(|fault| node.inboxes.put(fault));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
