//! The append loop that every owner shares: what was decided waits here until it is durable, and leaves in order.
//!
//! While appends are under way an owner goes on deciding. Whatever it decides (answers to reads and refusals too)
//! queues up behind the appends before it, so that nothing leaves that rests on something not yet durable. A failed
//! append fails everything behind it: the owner drops its memory and loads afresh. There is no rollback.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::hub::Item;
use crate::node::Node;
use crate::piece::Piece;
use crate::presence::Lane;
use crate::store::{Aggregate, Append, AppendError, EffectId, OutboxEntry, RowKey, UniqueKey};
use crate::watermark::Issued;

/// How many appends of one owner may be under way. Enough to keep the writer's batches full from a single busy
/// conversation, and so few that a failure throws little away. Full: the owner keeps what comes in its backlog.
pub const APPENDS_UNDER_WAY_MAX: usize = 256;

/// What has become of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is durable.
    Durable,
    /// It has no effect, and never will.
    Refused,
    /// The engine failed, or the rows are not those in memory: what is so shows only when they are read again.
    Doubtful,
}

impl From<&Result<(), AppendError>> for Fate {
    fn from(outcome: &Result<(), AppendError>) -> Self {
        match outcome {
            Ok(()) => Self::Durable,
            // Whoever has moved the aggregate has told nobody here.
            Err(AppendError::Fault(_) | AppendError::Moved { .. }) => Self::Doubtful,
            Err(AppendError::Claimed { .. } | AppendError::Fenced { .. }) => Self::Refused,
        }
    }
}

/// Rows and keys that a decision changes; the journal adds version and stamp.
#[derive(Debug, Default)]
pub struct Rows {
    /// Rows to insert or replace.
    pub put: Vec<(RowKey, Bytes)>,
    /// Rows to remove.
    pub remove: Vec<RowKey>,
    /// Unique keys to claim.
    pub claim: Vec<(UniqueKey, Bytes)>,
    /// Unique keys to let go.
    pub release: Vec<UniqueKey>,
    /// Consequences for other aggregates.
    pub outbox: Vec<(Aggregate, Bytes)>,
}

/// Where an outcome goes.
pub enum Reply {
    /// An event of a client frame.
    Event {
        /// The session's lane.
        lane: Lane,
        /// Which frame of the session.
        frame: u64,
        /// Which event of the frame.
        index: u16,
        /// Makes the request record of a fault, should it come to that.
        fault: Box<dyn FnOnce() -> Bytes + Send>,
        /// As in [`Item::Answer`].
        told: u32,
        /// The request record.
        request: Bytes,
        /// The records of the answer.
        pieces: Vec<Piece>,
    },
    /// An order from inside: told whether it is durable.
    Order(Box<dyn FnOnce(bool) + Send>),
    /// Nobody waits.
    None,
}

/// What leaves when a decision is durable.
pub struct Departure {
    /// Records for lanes, ready to go.
    pub items: Vec<Item>,
    /// To whom the outcome goes.
    pub reply: Reply,
    /// An effect of another aggregate that this decision has applied.
    pub settles: Option<EffectId>,
    /// Keeps the watermark below this change until everything has been put into the inboxes.
    pub issued: Option<Issued>,
}

impl Departure {
    /// An outcome without news.
    #[must_use]
    pub fn reply(reply: Reply) -> Self {
        Self { items: Vec::new(), reply, settles: None, issued: None }
    }
}

struct Pending {
    departure: Departure,
    /// The effects of its append, with their ids.
    effects: Vec<OutboxEntry>,
    /// It has an append that is not durable yet.
    is_open: bool,
}

/// An owner's appends under way.
pub struct Journal {
    node: Arc<Node>,
    aggregate: Aggregate,
    version: u64,
    pending: VecDeque<Pending>,
    under_way: usize,
}

impl Journal {
    /// The journal of an aggregate that was loaded at a version (0: it does not exist).
    #[must_use]
    pub fn new(node: Arc<Node>, aggregate: Aggregate, version: u64) -> Self {
        Self { node, aggregate, version, pending: VecDeque::new(), under_way: 0 }
    }

    /// The version after everything that has been decided.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether another append may be begun.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.under_way < APPENDS_UNDER_WAY_MAX
    }

    /// Nothing waits to become durable.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Lets something leave that changes nothing: at once, or behind the appends under way.
    pub fn pass(&mut self, departure: Departure) {
        if self.pending.is_empty() {
            let mut workers = BTreeSet::new();
            depart(&self.node, departure, Vec::new(), &mut workers);
            wake(&self.node, workers);
        } else {
            self.pending.push_back(Pending { departure, effects: Vec::new(), is_open: false });
        }
    }

    /// Begins an append. `appended` is called from the store's thread when it has succeeded or failed; the owner then
    /// calls [`Journal::appended`] or [`Journal::failed`].
    pub fn append(&mut self, rows: Rows, departure: Departure, appended: impl FnOnce(Fate) + Send + 'static) {
        let version = self.version + 1;
        let effects = (0_u16..).zip(&rows.outbox).map(|(index, (target, payload))| OutboxEntry {
            id: EffectId { source: self.aggregate, version, index },
            target: *target,
            payload: payload.clone(),
        });
        let effects = effects.collect();
        let append = Append {
            aggregate: self.aggregate,
            expected_version: self.version,
            stamp: departure.issued.as_ref().map_or(0, Issued::stamp),
            put: rows.put,
            remove: rows.remove,
            claim: rows.claim,
            release: rows.release,
            outbox: rows.outbox,
        };
        self.version = version;
        self.under_way += 1;
        self.pending.push_back(Pending { departure, effects, is_open: true });
        let aggregate = self.aggregate;
        self.node.store.append(
            append,
            Box::new(move |outcome| {
                if let Err(error) = &outcome {
                    tracing::error!(?aggregate, %error, "an append failed; its owner loads afresh");
                }
                appended(Fate::from(&outcome));
            }),
        );
    }

    /// So many of the oldest appends under way are durable: they leave, and whatever waited behind them alone. The hubs
    /// wake up once for all of them.
    pub fn appended(&mut self, durable: usize) {
        for pending in self.pending.iter_mut().filter(|pending| pending.is_open).take(durable) {
            pending.is_open = false;
            self.under_way -= 1;
        }
        let mut workers = BTreeSet::new();
        while self.pending.front().is_some_and(|pending| !pending.is_open) {
            if let Some(pending) = self.pending.pop_front() {
                depart(&self.node, pending.departure, pending.effects, &mut workers);
            }
        }
        wake(&self.node, workers);
    }

    /// An append failed: everything that waits is answered with a fault that is safe to retry. The owner must load
    /// afresh and make a new journal; answers of appends that still come belong to this one and are ignored. Answers with the stamps of
    /// what may have taken effect all the same.
    pub fn failed(self) -> Vec<Issued> {
        let mut stamps = Vec::new();
        for pending in self.pending {
            stamps.extend(pending.departure.issued.filter(|_| pending.is_open));
            match pending.departure.reply {
                Reply::Event { lane, frame, index, fault, told, .. } => {
                    self.node.inboxes.put(Item::Answer {
                        lane,
                        frame,
                        index,
                        told,
                        request: fault(),
                        pieces: Vec::new(),
                    });
                }
                Reply::Order(told) => told(false),
                Reply::None => {}
            }
        }
        stamps
    }
}

/// Lets a departure leave; `workers` gets those whose hubs are to be woken.
fn depart(node: &Arc<Node>, departure: Departure, effects: Vec<OutboxEntry>, workers: &mut BTreeSet<u16>) {
    let mut leave = |item: Item| {
        workers.extend(item.worker());
        node.inboxes.put_quietly(item);
    };
    departure.items.into_iter().for_each(&mut leave);
    match departure.reply {
        Reply::Event { lane, frame, index, told, request, pieces, .. } => {
            leave(Item::Answer { lane, frame, index, told, request, pieces });
        }
        Reply::Order(told) => told(true),
        Reply::None => {}
    }
    // The hubs wake up to a watermark that covers this change, so that their frames carry it.
    drop(departure.issued);
    if let Some(effect) = departure.settles {
        node.store.settle(effect);
    }
    for effect in effects {
        node.carry(effect);
    }
}

fn wake(node: &Node, workers: BTreeSet<u16>) {
    workers.into_iter().for_each(|worker| node.inboxes.wake(worker));
}
