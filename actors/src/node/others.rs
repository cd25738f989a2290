//! A node among others: whose turn an event takes and where, who is told of sessions that come and go, and what moves.
//!
//! Not here: the border itself (`border`).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler};
use dashmap::DashMap;
use rill_proto::event::Owner;
use rill_proto::id::{AccountId, ConversationId, RequestId};

use super::{CARRY_AGAIN, Node, Unreachable};
use crate::account::turn_away;
use crate::border::Place;
use crate::border::order::{LastCall, Order};
use crate::conversation::{Token, Visit};
use crate::owner::HandOver;
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::{Aggregate, OutboxEntry, Stamp};
use crate::watermark::Issued;

impl Node {
    /// Sends an event to its owner.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn submit(self: &Arc<Self>, submit: Submit) -> Result<(), Unreachable> {
        if let Some(border) = self.border() {
            border.keep(&submit);
        }
        self.submit_again(submit)
    }

    /// The same with one that may have been sent before. If its answer comes just now, it is answered already: what comes of this one
    /// is not waited for.
    pub(crate) fn submit_again(self: &Arc<Self>, submit: Submit) -> Result<(), Unreachable> {
        match self.owner_of(&submit) {
            Aggregate::Conversation(id) => self.to_conversation(id, submit),
            Aggregate::Account(id) => self.to_account(id, submit),
            Aggregate::Organisation(id) => self.to_organisation(id, submit),
            Aggregate::Team(id) => self.to_team(id, submit),
        }
    }

    /// Brings a message to its owner, on whichever node; one that cannot take it says so to whoever waits.
    pub fn dispatch(self: &Arc<Self>, aggregate: Aggregate, order: Order) {
        let here = |order: Order| {
            order.here(self, aggregate);
            Ok(())
        };
        let given: Result<(), Unreachable> = match self.border() {
            None => here(order),
            Some(border) => border.route(aggregate, order, here),
        };
        debug_assert!(given.is_ok(), "an order says itself who cannot take it");
    }

    /// Whose turn an event takes.
    pub(crate) fn owner_of(&self, submit: &Submit) -> Aggregate {
        let caller = submit.lane.account_id();
        match submit.event.owner() {
            Owner::Conversation(id) => Aggregate::Conversation(id),
            Owner::NewConversation => Aggregate::Conversation(self.created_by(caller, submit.request_id)),
            Owner::Caller | Owner::Dialog(_) => Aggregate::Account(caller),
            Owner::Organisation(id) => Aggregate::Organisation(id),
            Owner::Team(id) => Aggregate::Team(id),
        }
    }

    /// The id of the conversation that a `conv:create` or `conv:fork` makes: the same for the same request, so that a retry finds it.
    fn created_by(&self, caller: AccountId, request_id: RequestId) -> ConversationId {
        let mut name = [0; 32];
        name[..16].copy_from_slice(caller.0.as_bytes());
        name[16..].copy_from_slice(request_id.0.as_bytes());
        ConversationId(self.derived_id("conversation", &name))
    }

    /// An account posts or reads.
    pub(crate) fn note_activity(&self, account_id: AccountId) {
        let now = self.now_s();
        self.presence.note_activity(account_id, now);
        if let Some(border) = self.border() {
            border.active(account_id, now);
        }
    }

    /// A session begins a sync: whoever becomes active later finds its lane.
    pub(crate) fn arrive(&self, lane: &Lane) {
        self.presence.arrive(lane.clone());
        if let Some(border) = self.border() {
            border.syncing(lane);
        }
    }

    /// A session has gone.
    pub(crate) fn depart(&self, lane: &Lane) {
        self.presence.depart(lane);
        if let Some(border) = self.border() {
            border.gone(lane);
        }
    }

    /// A session has been told everything in a sync but by those that are active now, which are visited last. Answers with
    /// those of this node; the others are visited by their own nodes, each of which drops the token when it has.
    pub(crate) fn go_live(self: &Arc<Self>, call: LastCall) -> Vec<(ConversationId, Stamp)> {
        // In this order: whatever becomes active from now on finds a lane that is live.
        call.lane.go_live(call.sync);
        let Some(border) = self.border() else {
            return call.wanted.into_iter().filter(|(id, _)| self.is_active(*id)).collect();
        };
        border.live(&call.lane, call.sync);
        let mut here = Vec::new();
        let mut elsewhere: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, horizon) in call.wanted {
            // In this order: one that has just been sent away is not taken for one that has nothing to say.
            let is_active = self.is_active(id);
            match border.place(Aggregate::Conversation(id)) {
                Place::There(owner) => elsewhere.entry(owner).or_default().push((id, horizon)),
                Place::Here if is_active => here.push((id, horizon)),
                Place::Here => {}
                Place::Between => call.token.fail(),
            }
        }
        for (owner, wanted) in elsewhere {
            let Some((first, _)) = wanted.first().copied() else { continue };
            let (lane, token) = (call.lane.clone(), Arc::clone(&call.token));
            let call = LastCall { lane, wanted, token, ..call };
            border.send_order(owner, Aggregate::Conversation(first), Order::LastCall(call));
        }
        here
    }

    /// The last visits of a sync, which another node asks for.
    pub(crate) fn last_call(self: &Arc<Self>, call: LastCall) {
        for (id, horizon) in call.wanted {
            // In this order, as above. The one whose name the order bore may stay while another one moves.
            let is_active = self.is_active(id);
            if self.border().is_some_and(|border| border.is_elsewhere(Aggregate::Conversation(id))) {
                call.token.fail();
                continue;
            }
            if !is_active {
                continue;
            }
            let visit = Visit {
                lane: call.lane.clone(),
                sync: call.sync,
                horizon,
                skip_hidden: call.skip_hidden,
                unless_greeted: false,
                unless_subscribed: true,
                token: Arc::clone(&call.token),
            };
            if self.conversation_here(id, visit).is_err() {
                turn_away(self, call.lane.clone());
            }
        }
    }

    /// Appends with these stamps may have taken effect, and were told to nobody: every session is to catch up from below them. Whether
    /// nothing is done here until the nodes have agreed anew, so that whoever is in doubt may leave.
    pub(crate) fn doubt(&self, stamps: Vec<Issued>) -> bool {
        let Some(border) = self.border() else {
            self.inboxes.renew_all(stamps);
            return false;
        };
        border.doubt(stamps);
        true
    }

    /// Sends those owners away whose aggregates are another node's. The token is dropped when all that they decided has left.
    pub(crate) fn hand_over(&self, is_others: &dyn Fn(Aggregate) -> bool, token: &Token) {
        hand_over(&self.conversations, |id| is_others(Aggregate::Conversation(id)), token);
        hand_over(&self.accounts, |id| is_others(Aggregate::Account(id)), token);
        hand_over(&self.organisations, |id| is_others(Aggregate::Organisation(id)), token);
        hand_over(&self.teams, |id| is_others(Aggregate::Team(id)), token);
    }

    /// Carries everything that is not settled and concerns an owner of this node.
    pub(crate) fn read_outbox(self: &Arc<Self>) {
        self.alarms.forget();
        self.again.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let node = Arc::clone(self);
        self.arbiters[0].spawn(async move {
            let is_ours =
                |entry: &OutboxEntry| node.border().is_none_or(|border| !border.is_elsewhere(entry.target));
            loop {
                match node.store.outbox().await {
                    Ok(entries) => {
                        return entries.into_iter().filter(is_ours).for_each(|entry| node.carry(entry));
                    }
                    Err(fault) => tracing::error!(%fault, "the outbox cannot be read; it is tried again"),
                }
                tokio::time::sleep(CARRY_AGAIN).await;
            }
        });
    }
}

fn hand_over<K, A>(owners: &DashMap<K, Addr<A>>, is_others: impl Fn(K) -> bool, token: &Token)
where
    K: std::hash::Hash + Eq + Copy,
    A: Actor + Handler<HandOver>,
    A::Context: ToEnvelope<A, HandOver>,
{
    // No guard of the map is held while sending.
    let leaving = owners.iter().filter(|owner| is_others(*owner.key())).map(|owner| owner.value().clone());
    for owner in leaving.collect::<Vec<_>>() {
        #[expect(clippy::disallowed_methods, reason = "bounded: one for each owner that leaves")]
        owner.do_send(HandOver(Arc::clone(token)));
    }
}
