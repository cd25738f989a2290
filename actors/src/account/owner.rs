//! The actor that owns one account. It takes one thing at a time, as a conversation's owner does.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::contact::{self, Known};
use super::login::{AskOwnContact, CloseSession, OpenSession, OwnContact, Register, account_of};
use super::orders::refuse_order;
use super::rows::{load, rows};
use super::rules::{self, Decision, Given, Task};
use super::state::{Change, Head, State};
use super::sync::{Run, Step};
use super::upload::{AskRoom, KeepUploads};
use super::{Found, Introduce, Sync, dialog_id};
use crate::conversation::rows::{decode, encode};
use crate::conversation::{OpenDialog, Part, Peek};
use crate::effect::{Apply, Effect};
use crate::hub::Item;
use crate::journal::{Departure, Reply, Rows};
use crate::node::Node;
use crate::outcomes::{Outcome, Outcomes};
use crate::owner::{Appended, Desk, Owner};
use crate::piece::Piece;
use crate::session::Submit;
use crate::store::{Aggregate, OutboxEntry, RowKey, StoreFault, UniqueKey};
use crate::watermark::Issued;

/// The owner of one account.
pub struct Account {
    pub(super) desk: Desk<Work>,
    pub(super) id: AccountId,
    pub(super) state: State,
    pub(super) runs: HashMap<u64, Run>,
    pub(super) outcomes: Outcomes,
}

/// One thing to do.
pub(crate) enum Work {
    Submit(Submit),
    Introduce(Introduce),
    Sync(Sync),
    Apply(OutboxEntry, Effect),
    Register(Register),
    Open(OpenSession),
    Close(CloseSession),
    Own(AskOwnContact),
    Keep(KeepUploads),
    Room(AskRoom),
}

/// An answer whose records come from several conversations; it is complete when the last of them has done its part.
struct Gathering {
    node: Arc<Node>,
    submit: Submit,
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gathering").field(&self.submit.request_id).finish()
    }
}

impl Part for Gathering {}

impl Drop for Gathering {
    fn drop(&mut self) {
        let identifier = json!({ "account_id": self.submit.lane.account_id() });
        self.node.metrics.events_done.add(1);
        self.node.inboxes.put(self.submit.answer(Ok(&identifier)));
    }
}

impl Account {
    pub(crate) fn new(node: Arc<Node>, id: AccountId) -> Self {
        Self {
            desk: Desk::new(node, Aggregate::Account(id)),
            id,
            state: State::new(id),
            runs: HashMap::new(),
            outcomes: Outcomes::default(),
        }
    }

    /// What a rule is given. `fresh` is the id of what an event makes, nil where none asks.
    pub(super) fn given(&self, fresh: Uuid) -> (Issued, Given) {
        let issued = self.desk.node.issue();
        let storage_quota = self.desk.node.settings.storage_quota;
        let given = Given { now: self.desk.node.now_s(), stamp: issued.stamp(), fresh, storage_quota };
        (issued, given)
    }

    /// Does what a rule said about an event.
    pub(super) fn perform(&mut self, submit: Submit, task: Task, issued: Issued, ctx: &mut Context<Self>) {
        match task {
            Task::Decided(decision) => self.effect(submit, &decision, issued, ctx),
            Task::Gather(ids, mode) => self.gather(submit, ids, mode),
            Task::OpenDialog(other, mk_conv_type) => {
                let known = self.state.contacts.row(other).and_then(|row| row.dialog_id);
                let id = known.unwrap_or_else(|| dialog_id(&self.desk.node, self.id, other, 0));
                let attempt = u32::from(known.is_none());
                let fault = submit.answer(Err(&Refusal::unavailable()));
                let open = OpenDialog { submit, other, mk_conv_type, attempt };
                if self.desk.node.to_conversation(id, open).is_err() {
                    self.desk.node.inboxes.put(fault);
                }
            }
            Task::IntroduceById(id) => {
                let is_listed = id == self.id || self.state.contacts.row(id).is_some();
                let through = Arc::new(self.state.memberships.keys().copied().collect());
                self.ask(id, Introduce { submit, found: Found::ById { is_listed, through } }, ctx);
            }
            Task::IntroduceByEmail(email) => self.look_up(submit, email, ctx),
        }
    }

    /// Finds the account of an address and asks it to show itself.
    fn look_up(&mut self, submit: Submit, email: String, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.desk.node);
        let found = async move { (account_of(&node, &email).await, email) };
        ctx.wait(found.into_actor(self).map(|(found, email), owner, ctx| match found {
            Ok(id) => owner.ask(id, Introduce { submit, found: Found::ByEmail(email) }, ctx),
            Err(fault) => owner.meet(&fault, Work::Submit(submit)),
        }));
    }

    fn ask(&mut self, id: AccountId, introduce: Introduce, ctx: &mut Context<Self>) {
        if id == self.id {
            return self.introduce(introduce, ctx);
        }
        let fault = introduce.submit.answer(Err(&Refusal::unavailable()));
        if self.desk.node.to_account(id, introduce).is_err() {
            self.desk.node.inboxes.put(fault);
        }
    }

    /// Shows this account to whoever asked, in the form that fits.
    fn introduce(&mut self, introduce: Introduce, ctx: &mut Context<Self>) {
        let Introduce { submit, found } = introduce;
        let (issued, given) = self.given(Uuid::nil());
        let decision = match &found {
            Found::ByEmail(email) => rules::become_known(&self.state, email, given),
            Found::ById { .. } => Decision::default(),
        };
        self.take_in(&decision);
        let Some(head) = &self.state.head else {
            return self.refuse(submit, &Refusal::not_found("Account"));
        };
        let piece = if submit.lane.account_id() == self.id {
            Piece::Shared(contact::own(self.id, &head.profile, &head.registration))
        } else {
            let known = Known::new(self.id, &head.profile);
            match &found {
                Found::ByEmail(_) => Piece::Shared(known.unlisted()),
                Found::ById { is_listed, through } => {
                    let shares = || self.state.memberships.keys().any(|id| through.contains(id));
                    if *is_listed || shares() {
                        Piece::Contact(Arc::new(known))
                    } else {
                        Piece::Shared(contact::stranger(self.id, &head.profile))
                    }
                }
            }
        };
        let identifier = json!({ "account_id": self.id });
        self.desk.node.metrics.events_done.add(1);
        let reply = answer(submit, &identifier, vec![piece]);
        let claim = match found {
            Found::ByEmail(email) if !decision.changes.is_empty() => self.email_claim(email),
            Found::ByEmail(_) | Found::ById { .. } => Vec::new(),
        };
        self.write(&decision, claim, Departure { issued: Some(issued), ..Departure::reply(reply) }, ctx);
    }

    pub(super) fn email_claim(&self, email: String) -> Vec<(UniqueKey, Bytes)> {
        vec![(UniqueKey::Email(email), Bytes::copy_from_slice(self.id.0.as_bytes()))]
    }

    /// Asks conversations for their parts of one answer.
    fn gather(&self, submit: Submit, ids: Vec<ConversationId>, mode: rill_proto::classificator::InitMode) {
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        let gathering = Arc::new(Gathering { node: Arc::clone(&self.desk.node), submit });
        for id in ids {
            let peek = Peek { lane: lane.clone(), frame, mode, token: Arc::clone(&gathering) as _ };
            if self.desk.node.to_conversation(id, peek).is_err() {
                tracing::debug!(conversation_id = %id, "too busy for its part of an answer");
            }
        }
    }

    /// Carries out what an event decided.
    pub(super) fn effect(
        &mut self,
        submit: Submit,
        decision: &Decision,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        self.take_in(decision);
        self.desk.node.metrics.events_done.add(1);
        let own: Vec<Piece> = self.own_contact().map(|own| Piece::Shared(own.record)).into_iter().collect();
        let mut items = Vec::new();
        if decision.tells_own && !decision.changes.is_empty() {
            let lanes = self.desk.node.presence.of(self.id).into_iter().filter(|lane| *lane != submit.lane);
            items.extend(lanes.map(|lane| Item::Pieces(lane, own.clone())));
        }
        let pieces = if decision.tells_own { own } else { Vec::new() };
        let mut claim = Vec::new();
        if !decision.changes.is_empty() {
            let outcome = Outcome { identifier: decision.identifier.clone() };
            claim.push((UniqueKey::Request(self.id, submit.request_id.0), encode(&outcome)));
            self.outcomes.put((self.id, submit.request_id), outcome);
        }
        let reply = answer(submit, &decision.identifier, pieces);
        let departure = Departure { items, reply, settles: None, issued: Some(issued) };
        self.write(decision, claim, departure, ctx);
    }

    /// Answers an event that changed nothing.
    pub(super) fn answer(&mut self, submit: Submit, identifier: &serde_json::Value, pieces: Vec<Piece>) {
        self.desk.node.metrics.events_done.add(1);
        self.desk.journal.pass(Departure::reply(answer(submit, identifier, pieces)));
    }

    pub(super) fn refuse(&mut self, submit: Submit, refusal: &Refusal) {
        self.desk.node.metrics.events_refused.add(1);
        let request = submit.record(Err(refusal));
        self.desk.journal.pass(Departure::reply(event_reply(submit, request, Vec::new())));
    }

    fn apply(&mut self, entry: OutboxEntry, effect: &Effect, ctx: &mut Context<Self>) {
        let (issued, given) = self.given(Uuid::nil());
        let decision = rules::apply(&self.state, effect, given);
        let settles = Some(entry.id);
        if decision.changes.is_empty() {
            return self.desk.journal.pass(Departure { settles, ..Departure::reply(Reply::None) });
        }
        self.take_in(&decision);
        let news = match effect {
            Effect::Joined { conversation_id, .. } => Step::Visit(*conversation_id),
            Effect::Dialog { with, .. } => Step::Show(*with),
            Effect::Profile { .. }
            | Effect::Assigned { .. }
            | Effect::Sweep { .. }
            | Effect::Attached { .. } => Step::Nothing,
        };
        let addr = ctx.address();
        let node = Arc::clone(&self.desk.node);
        // The stamp stays open until the sessions have been told, so that no horizon passes this change before they are.
        let telling = super::sync::Tell { step: news, issued: Some(issued) };
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(telling);
            } else {
                node.carry_again(entry);
            }
        }));
        self.write(&decision, Vec::new(), Departure { settles, ..Departure::reply(reply) }, ctx);
    }

    pub(super) fn take_in(&mut self, decision: &Decision) {
        for change in &decision.changes {
            self.state.fold(change);
        }
    }

    pub(super) fn write(
        &mut self,
        decision: &Decision,
        claim: Vec<(UniqueKey, Bytes)>,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        self.write_rows(Rows { claim, ..Rows::default() }, decision, departure, ctx);
    }

    /// Begins the append of a decision that is in memory already; one that changes nothing only leaves.
    pub(super) fn write_rows(
        &mut self,
        mut changed: Rows,
        decision: &Decision,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        if decision.changes.is_empty() {
            return self.desk.journal.pass(Departure { issued: None, ..departure });
        }
        (changed.put, changed.remove) = rows(&decision.changes);
        changed.outbox = decision.effects.iter().map(|(target, effect)| (*target, encode(effect))).collect();
        self.append(changed, departure, ctx);
        if decision.changes.iter().any(|change| matches!(change, Change::Contact(..))) {
            self.hand_out_contacts();
        }
    }

    fn hand_out_contacts(&self) {
        let book = Arc::new(self.state.contacts.clone());
        for lane in self.desk.node.presence.of(self.id) {
            self.desk.node.inboxes.put(Item::Contacts(lane, Arc::clone(&book)));
        }
    }

    pub(super) fn own_contact(&self) -> Option<OwnContact> {
        let Head { profile, registration, .. } = self.state.head.as_ref()?;
        Some(OwnContact {
            account_id: self.id,
            display_name: profile.display_name.clone(),
            email: profile.email.clone(),
            record: contact::own(self.id, profile, registration),
        })
    }

    /// What everybody may know of some accounts, as it is stored.
    pub(super) async fn profiles(node: Arc<Node>, ids: Vec<AccountId>) -> Result<Vec<Piece>, StoreFault> {
        let mut pieces = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(row) = node.store.row(Aggregate::Account(id), RowKey::Head).await? {
                let head: Head = decode(&row)?;
                pieces.push(Piece::Contact(Arc::new(Known::new(id, &head.profile))));
            }
        }
        Ok(pieces)
    }

    pub(super) fn meet(&mut self, fault: &StoreFault, work: Work) {
        tracing::error!(account_id = %self.id, %fault, "a fact cannot be fetched");
        self.fail(work);
    }
}

fn answer(submit: Submit, identifier: &serde_json::Value, pieces: Vec<Piece>) -> Reply {
    let request = submit.record(Ok(identifier));
    event_reply(submit, request, pieces)
}

fn event_reply(submit: Submit, request: Bytes, pieces: Vec<Piece>) -> Reply {
    let (lane, frame, index) = (submit.lane.clone(), submit.frame, submit.index);
    let fault = Box::new(move || submit.record(Err(&Refusal::unavailable())));
    Reply::Event { lane, frame, index, fault, request, pieces }
}

impl Owner for Account {
    type Work = Work;

    fn desk(&mut self) -> &mut Desk<Work> {
        &mut self.desk
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let read = self.desk.node.store.load(Aggregate::Account(self.id));
        ctx.wait(read.into_actor(self).map(|read, owner, ctx| {
            let loaded = read.and_then(|loaded| match loaded {
                Some(loaded) => Ok((loaded.version, load(owner.id, &loaded)?)),
                None => Ok((0, State::new(owner.id))),
            });
            match loaded {
                Ok((version, state)) => {
                    owner.desk.loaded(version);
                    owner.state = state;
                    owner.work_off(ctx);
                }
                Err(fault) => {
                    tracing::error!(account_id = %owner.id, %fault, "an account cannot be loaded");
                    owner.retire(ctx);
                }
            }
        }));
    }

    fn begin(&mut self, work: Work, ctx: &mut Context<Self>) {
        match work {
            Work::Submit(submit) => self.submit(submit, ctx),
            Work::Introduce(introduce) => self.introduce(introduce, ctx),
            Work::Sync(sync) => self.sync(sync, ctx),
            Work::Apply(entry, effect) => self.apply(entry, &effect, ctx),
            Work::Register(order) => self.register(order, ctx),
            Work::Open(order) => self.open(order, ctx),
            Work::Close(order) => self.close(order, ctx),
            Work::Own(order) => self.show_own(order),
            Work::Keep(order) => self.keep_uploads(order, ctx),
            Work::Room(order) => self.show_room(order),
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.runs.is_empty()
    }

    fn forget(&mut self) {
        self.state = State::new(self.id);
        self.outcomes = Outcomes::default();
    }

    fn leave_directory(&self, ctx: &Context<Self>) {
        self.desk.node.retire_account(self.id, &ctx.address());
    }

    fn fail(&self, work: Work) {
        match work {
            Work::Submit(submit) | Work::Introduce(Introduce { submit, .. }) => {
                self.desk.node.metrics.events_failed.add(1);
                self.desk.node.inboxes.put(submit.answer(Err(&Refusal::unavailable())));
            }
            Work::Sync(sync) => super::sync::turn_away(&self.desk.node, sync.lane),
            Work::Apply(entry, _) => self.desk.node.carry_again(entry),
            Work::Register(order) => refuse_order(order.reply),
            Work::Open(order) => refuse_order(order.reply),
            Work::Close(order) => refuse_order(order.reply),
            Work::Own(order) => refuse_order(order.reply),
            Work::Keep(order) => refuse_order(order.reply),
            Work::Room(order) => refuse_order(order.reply),
        }
    }

    fn pass_on(&self, work: Work) {
        let sent = match work {
            Work::Submit(submit) => {
                let fault = submit.answer(Err(&Refusal::unavailable()));
                self.desk.node.to_account(self.id, submit).map_err(|_| self.desk.node.inboxes.put(fault))
            }
            Work::Introduce(introduce) => {
                let fault = introduce.submit.answer(Err(&Refusal::unavailable()));
                self.desk.node.to_account(self.id, introduce).map_err(|_| self.desk.node.inboxes.put(fault))
            }
            Work::Sync(sync) => {
                let lane = sync.lane.clone();
                self.desk
                    .node
                    .to_account(self.id, sync)
                    .map_err(|_| super::sync::turn_away(&self.desk.node, lane))
            }
            Work::Apply(entry, _) => {
                self.desk.node.carry(entry);
                Ok(())
            }
            // A reply that is dropped tells its caller that the order may be tried again.
            Work::Register(order) => self.desk.node.to_account(self.id, order).map_err(drop),
            Work::Open(order) => self.desk.node.to_account(self.id, order).map_err(drop),
            Work::Close(order) => self.desk.node.to_account(self.id, order).map_err(drop),
            Work::Own(order) => self.desk.node.to_account(self.id, order).map_err(drop),
            Work::Keep(order) => self.desk.node.to_account(self.id, order).map_err(drop),
            Work::Room(order) => self.desk.node.to_account(self.id, order).map_err(drop),
        };
        let _: Result<(), ()> = sent;
    }
}

impl Actor for Account {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.load(ctx);
        self.watch_idle(ctx);
    }
}

impl Handler<Appended> for Account {
    type Result = ();

    fn handle(&mut self, appended: Appended, ctx: &mut Self::Context) {
        self.appended(appended, ctx);
    }
}

macro_rules! takes {
    ($($message:ident as $work:ident),+ $(,)?) => {$(
        impl Handler<$message> for Account {
            type Result = ();

            fn handle(&mut self, message: $message, ctx: &mut Self::Context) {
                self.take(Work::$work(message), ctx);
            }
        }
    )+};
}

takes! {
    Submit as Submit,
    Introduce as Introduce,
    Sync as Sync,
    Register as Register,
    OpenSession as Open,
    CloseSession as Close,
    AskOwnContact as Own,
    KeepUploads as Keep,
    AskRoom as Room,
}

impl Handler<Apply> for Account {
    type Result = ();

    fn handle(&mut self, Apply(entry): Apply, ctx: &mut Self::Context) {
        match decode(&entry.payload) {
            Ok(effect) => self.take(Work::Apply(entry, effect), ctx),
            Err(fault) => tracing::error!(effect = ?entry.id, %fault, "an effect cannot be read"),
        }
    }
}
