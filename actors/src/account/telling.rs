//! Telling the account's sessions of its board: its own records at once, and the conversations' tasks by their
//! conversations, which are asked to show them once the places are durable. The sessions know the places by then, so that
//! whatever record of such a task reaches them carries them.
//!
//! Not here: which records there are (`board::record`), and how a conversation makes one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{AsyncContext, Context, Handler, Message};
use bytes::Bytes;
use rill_proto::id::{ConversationId, MessageId};
use rill_proto::refusal::Refusal;

use super::Account;
use super::board::record::{self, Numbers, Records, Texts};
use super::rules::Decision;
use super::state::Change;
use super::sync::turn_away;
use crate::conversation::{Part, Show, Token};
use crate::hub::Item;
use crate::journal::Reply;
use crate::node::Node;
use crate::piece::Piece;
use crate::presence::Lane;
use crate::session::Submit;
use crate::watermark::Issued;

/// What an event did to conversations' tasks is durable: they are shown, and the event is answered.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Durable {
    pub(super) submit: Submit,
    pub(super) request: Bytes,
    pub(super) told: Records,
    /// The account's other sessions.
    pub(super) others: Vec<Lane>,
    pub(super) issued: Issued,
}

impl Durable {
    /// Comes back to the account once it is true; if it never is, the event is answered with a fault.
    pub(super) fn reply(self, node: &Arc<Node>, ctx: &Context<Account>) -> Reply {
        let (addr, node) = (ctx.address(), Arc::clone(node));
        Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(self);
            } else {
                node.inboxes.put(self.submit.answer(Err(&Refusal::unavailable())));
            }
        }))
    }
}

/// An answer whose last records come from conversations; it leaves when the last of them has done its part. Its stamp
/// stays open until then, so that no horizon passes the change before it is told.
struct Answering {
    node: Arc<Node>,
    submit: Submit,
    request: Bytes,
    is_spoilt: AtomicBool,
    _issued: Issued,
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Answering").field(&self.submit.request_id).finish()
    }
}

impl Part for Answering {
    fn fail(&self) {
        self.is_spoilt.store(true, Ordering::Release);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.is_spoilt.load(Ordering::Acquire) {
            return self.node.inboxes.put(self.submit.answer(Err(&Refusal::unavailable())));
        }
        let (lane, frame, index) = (self.submit.lane.clone(), self.submit.frame, self.submit.index);
        let (request, pieces) = (self.request.clone(), Vec::new());
        self.node.inboxes.put(Item::Answer { lane, frame, index, told: 0, request, pieces });
    }
}

impl Account {
    /// The records of a decision that is in memory already.
    pub(super) fn records(&self, decision: &Decision, texts: &Texts) -> Records {
        let mut texts = texts.clone();
        for change in &decision.changes {
            if let Change::Text(id, Some(text)) = change {
                texts.insert(*id, text.clone());
            }
        }
        record::records(&self.state.board, &decision.board, &texts)
    }

    /// Gives sessions the new places of conversations' tasks, when there are any.
    pub(super) fn placements_for(&self, decision: &Decision, lanes: &[Lane]) -> Vec<Item> {
        let moves = |change: &Change| {
            let Change::Task(id, task) = change else { return false };
            task.is_none() || self.state.board.placements().contains_key(id)
        };
        if !decision.changes.iter().any(moves) {
            return Vec::new();
        }
        let places = self.state.board.placements();
        lanes.iter().map(|lane| Item::Placements(lane.clone(), Arc::clone(places))).collect()
    }

    /// The texts without which a decision cannot be told.
    pub(super) fn texts_wanted(&self, decision: &Decision, texts: &Texts) -> Vec<MessageId> {
        let task = |id| {
            let changed = decision.changes.iter().rev().find_map(|change| {
                let Change::Task(of, task) = change else { return None };
                (*of == id).then_some(task.as_ref())
            });
            changed.unwrap_or_else(|| self.state.board.task(id))
        };
        let mut wanted = record::texts_wanted(&decision.board, task, texts);
        wanted.retain(|id| {
            !decision.changes.iter().any(|change| matches!(change, Change::Text(of, Some(_)) if of == id))
        });
        wanted
    }

    /// Asks conversations to show some of their messages to sessions of the account. The asking one, if there is one, gets
    /// them as a part of the answer to its frame.
    pub(super) fn show(
        &self,
        shows: BTreeMap<ConversationId, Numbers>,
        is_whole: bool,
        asking: Option<(&Lane, u64)>,
        lanes: &[Lane],
        token: &Token,
    ) {
        for (id, numbers) in shows {
            let show = Show {
                viewer: self.id,
                asking: asking.map(|(lane, frame)| (lane.clone(), frame)),
                lanes: lanes.to_vec(),
                numbers,
                is_whole,
                token: Arc::clone(token),
            };
            if self.desk.node.to_conversation(id, show).is_err() {
                let all = lanes.iter().chain(asking.map(|(lane, _)| lane));
                all.for_each(|lane| turn_away(&self.desk.node, lane.clone()));
            }
        }
    }
}

impl Handler<Durable> for Account {
    type Result = ();

    fn handle(&mut self, durable: Durable, _: &mut Self::Context) {
        let Durable { submit, request, told, others, issued } = durable;
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        if !told.pieces.is_empty() {
            let pieces: Vec<Piece> = told.pieces;
            self.desk.node.inboxes.put(Item::Part(lane.clone(), frame, pieces));
        }
        let node = Arc::clone(&self.desk.node);
        let token: Token =
            Arc::new(Answering { node, submit, request, is_spoilt: AtomicBool::new(false), _issued: issued });
        self.show(told.shows, told.is_whole, Some((&lane, frame)), &others, &token);
    }
}
