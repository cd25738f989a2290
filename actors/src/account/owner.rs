//! The actor that owns one account. It takes one thing at a time, as a conversation's owner does.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::contact::{self, Known};
use super::login::{
    AskOwnContact, CloseSession, Login, OpenSession, OrderReply, OwnContact, Register, account_of,
    ticket_name, token_name,
};
use super::rows::{load, rows};
use super::rules::{self, Decision, Given, Task};
use super::state::{Change, Head, State};
use super::sync::{Run, Step};
use super::{Found, Introduce, Sync, dialog_id};
use crate::conversation::rows::{decode, encode};
use crate::conversation::{OpenDialog, Part, Peek};
use crate::effect::{Apply, Effect};
use crate::hub::{CloseCode, Item};
use crate::journal::{Departure, Journal, Reply, Rows};
use crate::node::Node;
use crate::piece::Piece;
use crate::session::Submit;
use crate::store::{Aggregate, OutboxEntry, RowKey, StoreFault, UniqueKey};
use crate::watermark::Issued;

/// How much may wait for appends under way. Full: events are refused with 503, safe to retry.
const BACKLOG_MAX: usize = 1_024;

/// How long a retired owner stays, to pass on what reaches it late.
const RETIREMENT: Duration = Duration::from_secs(1);

/// The owner of one account.
pub struct Account {
    pub(super) node: Arc<Node>,
    pub(super) id: AccountId,
    pub(super) state: State,
    pub(super) journal: Journal,
    generation: u32,
    backlog: VecDeque<Work>,
    pub(super) runs: HashMap<u64, Run>,
    last_used: Instant,
    retired: bool,
}

/// One thing to do.
enum Work {
    Submit(Submit),
    Introduce(Introduce),
    Sync(Sync),
    Apply(OutboxEntry, Effect),
    Register(Register),
    Open(OpenSession),
    Close(CloseSession),
    Own(AskOwnContact),
}

/// The store has finished an append.
#[derive(Message)]
#[rtype(result = "()")]
struct Appended {
    generation: u32,
    ok: bool,
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
        let journal = Journal::new(Arc::clone(&node), Aggregate::Account(id), 0);
        Self {
            node,
            id,
            state: State::new(id),
            journal,
            generation: 0,
            backlog: VecDeque::new(),
            runs: HashMap::new(),
            last_used: Instant::now(),
            retired: false,
        }
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let read = self.node.store.load(Aggregate::Account(self.id));
        ctx.wait(read.into_actor(self).map(|read, owner, ctx| {
            let loaded = read.and_then(|loaded| match loaded {
                Some(loaded) => Ok((loaded.version, load(owner.id, &loaded)?)),
                None => Ok((0, State::new(owner.id))),
            });
            match loaded {
                Ok((version, state)) => {
                    owner.node.metrics.activations.add(1);
                    owner.journal =
                        Journal::new(Arc::clone(&owner.node), Aggregate::Account(owner.id), version);
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

    fn take(&mut self, work: Work, ctx: &mut Context<Self>) {
        self.last_used = Instant::now();
        if self.retired {
            self.pass_on(work);
        } else if !self.journal.has_room() || !self.backlog.is_empty() {
            if self.backlog.len() < BACKLOG_MAX {
                self.backlog.push_back(work);
            } else {
                self.fail(work);
            }
        } else {
            self.begin(work, ctx);
        }
    }

    fn work_off(&mut self, ctx: &mut Context<Self>) {
        while self.journal.has_room() {
            let Some(work) = self.backlog.pop_front() else {
                return;
            };
            self.begin(work, ctx);
        }
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
            Work::Own(order) => {
                let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
                self.journal.pass(Departure::reply(told(order.reply, own)));
            }
        }
    }

    fn given(&self) -> (Issued, Given) {
        let issued = self.node.issue();
        let given = Given {
            now: self.node.now_s(),
            stamp: issued.stamp(),
        };
        (issued, given)
    }

    fn submit(&mut self, submit: Submit, ctx: &mut Context<Self>) {
        let (issued, given) = self.given();
        let refusal = match rules::decide(&self.state, &submit.event, given) {
            Ok(Task::Decided(decision)) => return self.effect(submit, &decision, issued, ctx),
            Ok(Task::Gather(ids, mode)) => return self.gather(submit, ids, mode),
            Ok(Task::OpenDialog(other, mk_conv_type)) => {
                let known = self.state.contacts.row(other).and_then(|row| row.dialog_id);
                let id = known.unwrap_or_else(|| dialog_id(&self.node, self.id, other, 0));
                let attempt = u32::from(known.is_none());
                let fault = submit.answer(Err(&Refusal::unavailable()));
                if self
                    .node
                    .to_conversation(
                        id,
                        OpenDialog {
                            submit,
                            other,
                            mk_conv_type,
                            attempt,
                        },
                    )
                    .is_err()
                {
                    self.node.inboxes.put(fault);
                }
                return;
            }
            Ok(Task::IntroduceById(id)) => {
                let is_listed = id == self.id || self.state.contacts.row(id).is_some();
                let through = Arc::new(self.state.memberships.keys().copied().collect());
                return self.ask(
                    id,
                    Introduce {
                        submit,
                        found: Found::ById { is_listed, through },
                    },
                    ctx,
                );
            }
            Ok(Task::IntroduceByEmail(email)) => return self.look_up(submit, email, ctx),
            Err(refusal) => refusal,
        };
        self.refuse(submit, &refusal);
    }

    /// Finds the account of an address and asks it to show itself.
    fn look_up(&mut self, submit: Submit, email: String, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.node);
        let found = async move { (account_of(&node, &email).await, email) };
        ctx.wait(
            found
                .into_actor(self)
                .map(|(found, email), owner, ctx| match found {
                    Ok(id) => owner.ask(
                        id,
                        Introduce {
                            submit,
                            found: Found::ByEmail(email),
                        },
                        ctx,
                    ),
                    Err(fault) => owner.meet(&fault, Work::Submit(submit)),
                }),
        );
    }

    fn ask(&mut self, id: AccountId, introduce: Introduce, ctx: &mut Context<Self>) {
        if id == self.id {
            return self.introduce(introduce, ctx);
        }
        let fault = introduce.submit.answer(Err(&Refusal::unavailable()));
        if self.node.to_account(id, introduce).is_err() {
            self.node.inboxes.put(fault);
        }
    }

    /// Shows this account to whoever asked, in the form that fits.
    fn introduce(&mut self, introduce: Introduce, ctx: &mut Context<Self>) {
        let Introduce { submit, found } = introduce;
        let (issued, given) = self.given();
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
        self.node.metrics.events_done.add(1);
        let reply = answer(submit, &identifier, vec![piece]);
        let claim = match found {
            Found::ByEmail(email) if !decision.changes.is_empty() => self.email_claim(email),
            Found::ByEmail(_) | Found::ById { .. } => Vec::new(),
        };
        self.append(
            &decision,
            claim,
            Departure {
                issued: Some(issued),
                ..Departure::reply(reply)
            },
            ctx,
        );
    }

    fn email_claim(&self, email: String) -> Vec<(UniqueKey, Bytes)> {
        vec![(
            UniqueKey::Email(email),
            Bytes::copy_from_slice(self.id.0.as_bytes()),
        )]
    }

    /// Asks conversations for their parts of one answer.
    fn gather(&self, submit: Submit, ids: Vec<ConversationId>, mode: rill_proto::classificator::InitMode) {
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        let gathering = Arc::new(Gathering {
            node: Arc::clone(&self.node),
            submit,
        });
        for id in ids {
            let peek = Peek {
                lane: lane.clone(),
                frame,
                mode,
                token: Arc::clone(&gathering) as _,
            };
            if self.node.to_conversation(id, peek).is_err() {
                tracing::debug!(conversation_id = %id, "too busy for its part of an answer");
            }
        }
    }

    /// Carries out what an event decided.
    fn effect(&mut self, submit: Submit, decision: &Decision, issued: Issued, ctx: &mut Context<Self>) {
        self.take_in(decision);
        self.node.metrics.events_done.add(1);
        let own: Vec<Piece> = self
            .own_contact()
            .map(|own| Piece::Shared(own.record))
            .into_iter()
            .collect();
        let mut items = Vec::new();
        if decision.tells_own && !decision.changes.is_empty() {
            let lanes = self
                .node
                .presence
                .of(self.id)
                .into_iter()
                .filter(|lane| *lane != submit.lane);
            items.extend(lanes.map(|lane| Item::Pieces(lane, own.clone())));
        }
        let pieces = if decision.tells_own { own } else { Vec::new() };
        let reply = answer(submit, &decision.identifier, pieces);
        let departure = Departure {
            items,
            reply,
            settles: None,
            issued: Some(issued),
        };
        self.append(decision, Vec::new(), departure, ctx);
    }

    fn refuse(&mut self, submit: Submit, refusal: &Refusal) {
        self.node.metrics.events_refused.add(1);
        let request = submit.record(Err(refusal));
        self.journal
            .pass(Departure::reply(event_reply(submit, request, Vec::new())));
    }

    fn apply(&mut self, entry: OutboxEntry, effect: &Effect, ctx: &mut Context<Self>) {
        let (issued, given) = self.given();
        let decision = rules::apply(&self.state, effect, given);
        let settles = Some(entry.id);
        if decision.changes.is_empty() {
            return self.journal.pass(Departure {
                settles,
                ..Departure::reply(Reply::None)
            });
        }
        self.take_in(&decision);
        let news = match effect {
            Effect::Joined { conversation_id, .. } => Step::Visit(*conversation_id),
            Effect::Dialog { with, .. } => Step::Show(*with),
            Effect::Profile { .. } => Step::Nothing,
        };
        let addr = ctx.address();
        let node = Arc::clone(&self.node);
        // The stamp stays open until the sessions have been told, so that no horizon passes this change before they are.
        let telling = super::sync::Tell {
            step: news,
            issued: Some(issued),
        };
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(telling);
            } else {
                node.carry_again(entry);
            }
        }));
        self.append(
            &decision,
            Vec::new(),
            Departure {
                settles,
                ..Departure::reply(reply)
            },
            ctx,
        );
    }

    fn register(&mut self, order: Register, ctx: &mut Context<Self>) {
        let (issued, given) = self.given();
        let entry = rules::Entry {
            email: &order.email,
            password_hash: &order.password_hash,
            display_name: &order.display_name,
            fleep_address: order.fleep_address.as_deref(),
        };
        match rules::register(&self.state, entry, given) {
            Ok(decision) => {
                self.take_in(&decision);
                let mut claim = self.email_claim(order.email);
                let id = Bytes::copy_from_slice(self.id.0.as_bytes());
                claim.extend(
                    order
                        .fleep_address
                        .map(|address| (UniqueKey::Address(address), id)),
                );
                let reply = told(order.reply, Ok(self.id));
                self.append(
                    &decision,
                    claim,
                    Departure {
                        issued: Some(issued),
                        ..Departure::reply(reply)
                    },
                    ctx,
                );
            }
            Err(refusal) => self
                .journal
                .pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    fn open(&mut self, order: OpenSession, ctx: &mut Context<Self>) {
        let (issued, given) = self.given();
        let token = token_name(&self.node, order.token_id);
        let ticket = ticket_name(&self.node, &order.ticket);
        let login = Login {
            account_id: self.id,
            token,
            ticket,
        };
        match rules::open_session(&self.state, &login, given) {
            Ok(decision) => {
                self.take_in(&decision);
                let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
                let claim = vec![(UniqueKey::Token(token), encode(&login))];
                let departure = Departure {
                    issued: Some(issued),
                    ..Departure::reply(told(order.reply, own))
                };
                self.append(&decision, claim, departure, ctx);
            }
            Err(refusal) => self
                .journal
                .pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    fn close(&mut self, order: CloseSession, ctx: &mut Context<Self>) {
        let (issued, _) = self.given();
        let decision = rules::close_session(&self.state, order.token);
        self.take_in(&decision);
        let lanes = self
            .node
            .presence
            .of(self.id)
            .into_iter()
            .filter(|lane| lane.token() == order.token);
        let reason = "the session logged out";
        let items = lanes
            .map(|lane| Item::Close(lane, CloseCode::Policy, reason.to_owned()))
            .collect();
        let departure = Departure {
            items,
            reply: told(order.reply, Ok(())),
            settles: None,
            issued: Some(issued),
        };
        let rows = Rows {
            release: vec![UniqueKey::Token(order.token)],
            ..Rows::default()
        };
        self.append_rows(rows, &decision, departure, ctx);
    }

    fn take_in(&mut self, decision: &Decision) {
        for change in &decision.changes {
            self.state.fold(change);
        }
    }

    fn append(
        &mut self,
        decision: &Decision,
        claim: Vec<(UniqueKey, Bytes)>,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        self.append_rows(
            Rows {
                claim,
                ..Rows::default()
            },
            decision,
            departure,
            ctx,
        );
    }

    /// Begins the append of a decision that is in memory already; one that changes nothing only leaves.
    fn append_rows(
        &mut self,
        mut changed: Rows,
        decision: &Decision,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        if decision.changes.is_empty() {
            return self.journal.pass(Departure {
                issued: None,
                ..departure
            });
        }
        (changed.put, changed.remove) = rows(&decision.changes);
        changed.outbox = decision
            .effects
            .iter()
            .map(|(target, effect)| (*target, encode(effect)))
            .collect();
        let (addr, generation) = (ctx.address(), self.generation);
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded: at most APPENDS_UNDER_WAY_MAX are under way"
        )]
        self.journal.append(changed, departure, move |ok| {
            addr.do_send(Appended { generation, ok })
        });
        if decision
            .changes
            .iter()
            .any(|change| matches!(change, Change::Contact(..)))
        {
            self.hand_out_contacts();
        }
    }

    fn hand_out_contacts(&self) {
        let book = Arc::new(self.state.contacts.clone());
        for lane in self.node.presence.of(self.id) {
            self.node.inboxes.put(Item::Contacts(lane, Arc::clone(&book)));
        }
    }

    pub(super) fn own_contact(&self) -> Option<OwnContact> {
        let Head {
            profile,
            registration,
            ..
        } = self.state.head.as_ref()?;
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

    fn meet(&mut self, fault: &StoreFault, work: Work) {
        tracing::error!(account_id = %self.id, %fault, "a fact cannot be fetched");
        self.fail(work);
    }

    fn fail(&self, work: Work) {
        match work {
            Work::Submit(submit) | Work::Introduce(Introduce { submit, .. }) => {
                self.node.metrics.events_failed.add(1);
                self.node.inboxes.put(submit.answer(Err(&Refusal::unavailable())));
            }
            Work::Sync(sync) => super::sync::turn_away(&self.node, sync.lane),
            Work::Apply(entry, _) => self.node.carry_again(entry),
            Work::Register(order) => refuse_order(order.reply),
            Work::Open(order) => refuse_order(order.reply),
            Work::Close(order) => refuse_order(order.reply),
            Work::Own(order) => refuse_order(order.reply),
        }
    }

    fn pass_on(&self, work: Work) {
        let sent = match work {
            Work::Submit(submit) => {
                let fault = submit.answer(Err(&Refusal::unavailable()));
                self.node
                    .to_account(self.id, submit)
                    .map_err(|_| self.node.inboxes.put(fault))
            }
            Work::Introduce(introduce) => {
                let fault = introduce.submit.answer(Err(&Refusal::unavailable()));
                self.node
                    .to_account(self.id, introduce)
                    .map_err(|_| self.node.inboxes.put(fault))
            }
            Work::Sync(sync) => {
                let lane = sync.lane.clone();
                self.node
                    .to_account(self.id, sync)
                    .map_err(|_| super::sync::turn_away(&self.node, lane))
            }
            Work::Apply(entry, _) => {
                self.node.carry(entry);
                Ok(())
            }
            // A reply that is dropped tells its caller that the order may be tried again.
            Work::Register(order) => self.node.to_account(self.id, order).map_err(drop),
            Work::Open(order) => self.node.to_account(self.id, order).map_err(drop),
            Work::Close(order) => self.node.to_account(self.id, order).map_err(drop),
            Work::Own(order) => self.node.to_account(self.id, order).map_err(drop),
        };
        let _: Result<(), ()> = sent;
    }

    fn watch_idle(ctx: &mut Context<Self>, wait: Duration) {
        ctx.run_later(wait, |owner, ctx| {
            let idle = owner.node.settings.idle;
            let rested = owner.last_used.elapsed();
            if rested >= idle && owner.journal.is_idle() && owner.backlog.is_empty() && owner.runs.is_empty()
            {
                owner.node.metrics.passivations.add(1);
                owner.retire(ctx);
            } else {
                Self::watch_idle(ctx, idle.saturating_sub(rested).max(idle / 4));
            }
        });
    }

    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.retired = true;
        self.node.retire_account(self.id, &ctx.address());
        for work in std::mem::take(&mut self.backlog) {
            self.fail(work);
        }
        self.state = State::new(self.id);
        ctx.run_later(RETIREMENT, |_, ctx| ctx.stop());
    }
}

fn answer(submit: Submit, identifier: &serde_json::Value, pieces: Vec<Piece>) -> Reply {
    let request = submit.record(Ok(identifier));
    event_reply(submit, request, pieces)
}

fn event_reply(submit: Submit, request: Bytes, pieces: Vec<Piece>) -> Reply {
    let (lane, frame, index) = (submit.lane.clone(), submit.frame, submit.index);
    let fault = Box::new(move || submit.record(Err(&Refusal::unavailable())));
    Reply::Event {
        lane,
        frame,
        index,
        fault,
        request,
        pieces,
    }
}

/// Tells the outcome of an order once it is durable, or that it may be tried again.
fn told<T: Send + 'static>(reply: OrderReply<T>, outcome: Result<T, Refusal>) -> Reply {
    Reply::Order(Box::new(move |ok| {
        let outcome = if ok { outcome } else { Err(Refusal::unavailable()) };
        // A caller who has gone away does not want to know.
        let _gone = reply.send(outcome);
    }))
}

fn refuse_order<T>(reply: OrderReply<T>) {
    let _gone = reply.send(Err(Refusal::unavailable()));
}

impl Actor for Account {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.load(ctx);
        Self::watch_idle(ctx, self.node.settings.idle);
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

impl Handler<Appended> for Account {
    type Result = ();

    fn handle(&mut self, appended: Appended, ctx: &mut Self::Context) {
        if appended.generation != self.generation {
            return;
        }
        if appended.ok {
            self.node.metrics.appends.add(1);
            self.journal.appended();
            self.work_off(ctx);
        } else {
            self.generation += 1;
            let fresh = Journal::new(Arc::clone(&self.node), Aggregate::Account(self.id), 0);
            std::mem::replace(&mut self.journal, fresh).failed();
            self.load(ctx);
        }
    }
}
