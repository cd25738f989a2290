//! The actor that owns one account. It takes one thing at a time, as a conversation's owner does.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::Bytes;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::board::record::NO_TEXTS;
use super::contact;
use super::fetch::Fetched;
use super::label::StoreLabels;
use super::login::{AskOwnContact, CloseSession, Login, OpenSession, OwnContact};
use super::orders::refuse_order;
use super::rows::{load, rows};
use super::rules::{self, Decision, Facts, Stop};
use super::state::{Change, Head, State};
use super::sync::{Page, Run, Step};
use super::upload::{self, AskRoom, KeepUploads};
use super::wish::{Grant, PrepareLetter};
use super::{AskActivity, Introduce, Rested, Sync};
use crate::conversation::rows::{decode, encode};
use crate::effect::{Aliasing, Apply, Effect};
use crate::hub::Item;
use crate::journal::{Departure, Reply, Rows};
use crate::node::Node;
use crate::outcomes::Outcomes;
use crate::owner::{Appended, Desk, HandOver, Owner};
use crate::presence::LaneName;
use crate::session::Submit;
use crate::store::{Aggregate, OutboxEntry, StoreFault, UniqueKey};
use crate::watermark::Issued;

/// The owner of one account.
pub struct Account {
    pub(super) desk: Desk<Work>,
    pub(super) id: AccountId,
    pub(super) state: State,
    pub(super) runs: HashMap<LaneName, Run>,
    pub(super) outcomes: Outcomes,
    /// Files that are being fetched.
    pub(super) fetching: RefCell<HashSet<Uuid>>,
}

/// One thing to do.
pub(crate) enum Work {
    Submit(Submit),
    Introduce(Introduce),
    Sync(Sync),
    Page(Page),
    Apply(OutboxEntry, Effect),
    Grant(Grant),
    Prepare(PrepareLetter),
    Open(OpenSession),
    Close(CloseSession),
    Own(AskOwnContact),
    Activity(AskActivity),
    Rest(Rested),
    Keep(KeepUploads),
    Room(AskRoom),
    Fetched(Fetched),
    Label(StoreLabels),
}

impl Account {
    pub(crate) fn new(node: Arc<Node>, id: AccountId) -> Self {
        Self {
            desk: Desk::new(node, Aggregate::Account(id)),
            id,
            state: State::new(id),
            runs: HashMap::new(),
            outcomes: Outcomes::default(),
            fetching: RefCell::default(),
        }
    }

    /// What a rule is given, before anything is fetched.
    pub(super) fn facts(&self) -> (Issued, Facts) {
        let issued = self.desk.node.issue();
        let facts = Facts {
            now: self.desk.node.now_s(),
            stamp: issued.stamp(),
            secret: self.secret(issued.stamp()),
            invites: self.desk.node.settings.open_registration,
            storage_quota: self.storage_quota(),
            tasks_max: self.desk.node.settings.tasks_max,
            ..Facts::default()
        };
        (issued, facts)
    }

    /// Carries out what another owner's effect means here.
    fn apply(&mut self, entry: OutboxEntry, effect: Effect, ctx: &mut Context<Self>) {
        if let Effect::Mail { letter } = effect {
            let node = &self.desk.node;
            if let Err(entry) = node.post.put(node, entry, letter) {
                node.carry_again(entry);
            }
            return;
        }
        if let Effect::Fetch(wanted) = &effect {
            return self.go_on_fetching(entry, wanted, ctx);
        }
        let (issued, facts) = self.facts();
        self.try_applying(entry, effect, facts, issued, ctx);
    }

    fn try_applying(
        &mut self,
        entry: OutboxEntry,
        effect: Effect,
        facts: Facts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        match rules::apply(&self.state, &effect, &facts) {
            Ok(decision) => self.applied(entry, &effect, &decision, issued, ctx),
            Err(Stop::Needs(need)) => {
                self.learn(None, need, facts, ctx, move |owner, facts, ctx| match facts {
                    Ok(facts) => owner.try_applying(entry, effect, facts, issued, ctx),
                    Err(fault) => {
                        tracing::error!(account_id = %owner.id, %fault, "a fact cannot be fetched");
                        owner.fail(Work::Apply(entry, effect));
                    }
                })
            }
            // An effect says what is so: there is nobody to refuse it to.
            Err(Stop::Refused(_)) => self.desk.node.store.settle(entry.id),
        }
    }

    fn applied(
        &mut self,
        entry: OutboxEntry,
        effect: &Effect,
        decision: &Decision,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        let settles = Some(entry.id);
        if !decision.is_durable() {
            return self.desk.journal.pass(Departure { settles, ..Departure::reply(Reply::None) });
        }
        self.take_in(decision);
        let step = match effect {
            Effect::Joined { conversation_id, .. } => Step::Visit(*conversation_id),
            Effect::Stored { .. } | Effect::Alias { news: Aliasing::Lost { .. } } => Step::Own,
            Effect::Dialog { with, .. } => Step::Show(*with),
            Effect::Shown { account_id, .. } => Step::Show(*account_id),
            Effect::Assigned { .. } => Step::Tasks(self.records(decision, &NO_TEXTS)),
            Effect::Profile { .. }
            | Effect::Sweep { .. }
            | Effect::Expire { .. }
            | Effect::Labelled { .. }
            | Effect::Ring { .. }
            | Effect::Attached { .. }
            | Effect::Fetch(_)
            | Effect::Named { .. }
            | Effect::Watched { .. }
            | Effect::Spread { .. }
            | Effect::Mail { .. }
            | Effect::Alias { .. }
            | Effect::Detached { .. }
            | Effect::Retired { .. }
            | Effect::Staffed { .. }
            | Effect::Placed { .. }
            | Effect::Founded { .. }
            | Effect::Answered { .. }
            | Effect::Managed { .. }
            | Effect::Discharged { .. } => Step::Nothing,
            Effect::Employed(said) => Step::Organisation(said.organisation_id),
            Effect::Enlisted { team_id, .. } => Step::Team(*team_id),
        };
        let mut items = self.placements_for(decision, &self.desk.node.presence.of(self.id));
        items.extend(self.news(decision, None));
        let addr = ctx.address();
        let node = Arc::clone(&self.desk.node);
        // The stamp stays open until the sessions have been told, so that no horizon passes this change before they are.
        let telling = super::sync::Tell { step, issued: Some(issued.clone()) };
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(telling);
            } else {
                node.carry_again(entry);
            }
        }));
        let departure = Departure { items, reply, settles, issued: Some(issued) };
        self.write(decision, Vec::new(), departure, ctx);
    }

    pub(super) fn take_in(&mut self, decision: &Decision) {
        for change in &decision.changes {
            self.state.fold(change);
            if let Change::Token(name, token) = change {
                match token {
                    Some(token) => self.show_login(*name, token.ticket),
                    None => self.desk.node.logins.remove(self.id, *name),
                }
            }
        }
    }

    fn show_login(&self, token: Uuid, ticket: Uuid) {
        self.desk.node.logins.put(&Login { account_id: self.id, token, ticket });
    }

    /// Begins the append of a decision that is in memory already; one that changes nothing only leaves.
    pub(super) fn write(
        &mut self,
        decision: &Decision,
        mut claim: Vec<(UniqueKey, Bytes)>,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        if !decision.is_durable() {
            return self.desk.journal.pass(Departure { issued: None, ..departure });
        }
        claim.extend(decision.claim.iter().cloned());
        let (put, remove) = rows(&decision.changes);
        let outbox = decision.effects.iter().map(|(target, effect)| (*target, encode(effect))).collect();
        let changed = Rows { put, remove, claim, release: decision.release.clone(), outbox };
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

    /// How many bytes of files it may have: a member of an organisation ten times as many.
    fn storage_quota(&self) -> u64 {
        let head = self.state.head.as_ref();
        let is_in_org = head.is_some_and(|head| head.profile.organisation_id.is_some());
        let quota = self.desk.node.settings.storage_quota;
        if is_in_org { quota.saturating_mul(10) } else { quota }
    }

    pub(super) fn own_record(&self, head: &Head) -> Bytes {
        contact::own(self.id, head, (upload::used(&self.state), self.storage_quota()))
    }

    pub(super) fn own_contact(&self) -> Option<OwnContact> {
        let head = self.state.head.as_ref()?;
        let Head { profile, .. } = head;
        Some(OwnContact {
            account_id: self.id,
            display_name: profile.display_name.clone(),
            email: profile.email.clone(),
            employment: (
                profile.organisation_id.is_some(),
                profile.organisation_id.is_some() && profile.is_org_admin == Some(true),
            ),
            record: self.own_record(head),
        })
    }

    pub(super) fn meet(&mut self, fault: &StoreFault, work: Work) {
        tracing::error!(account_id = %self.id, %fault, "a fact cannot be fetched");
        self.fail(work);
    }
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
                    owner.state.tokens.iter().for_each(|(name, token)| owner.show_login(*name, token.ticket));
                    owner.work_off(ctx);
                }
                Err(fault) => {
                    tracing::error!(account_id = %owner.id, %fault, "an account cannot be loaded");
                    owner.turn_runs_away();
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
            Work::Page(page) => self.page(page, ctx),
            Work::Apply(entry, effect) => self.apply(entry, effect, ctx),
            Work::Activity(asked) => self.show_activity(asked),
            Work::Rest(rested) => self.rest(rested, ctx),
            Work::Grant(grant) => self.grant(grant, ctx),
            Work::Prepare(order) => self.prepare(order, ctx),
            Work::Open(order) => self.open(order, ctx),
            Work::Close(order) => self.close(order, ctx),
            Work::Own(order) => self.show_own(order),
            Work::Keep(order) => self.keep_uploads(order, ctx),
            Work::Room(order) => self.show_room(order),
            Work::Fetched(fetched) => self.fetched(fetched, ctx),
            Work::Label(order) => self.store_labels(order, ctx),
        }
    }

    fn is_quiet(&mut self) -> bool {
        self.runs.is_empty() && self.fetching.borrow().is_empty()
    }

    fn is_nothing(&self) -> bool {
        self.state.head.is_none()
    }

    fn forget(&mut self) {
        self.state.tokens.keys().for_each(|name| self.desk.node.logins.remove(self.id, *name));
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
            Work::Page(page) => self.lose_page(page),
            Work::Apply(entry, _) => self.desk.node.carry_again(entry),
            Work::Grant(grant) => refuse_order(grant.reply),
            Work::Prepare(order) => refuse_order(order.reply),
            Work::Open(order) => refuse_order(order.reply),
            Work::Close(order) => refuse_order(order.reply),
            Work::Own(order) => refuse_order(order.reply),
            Work::Activity(AskActivity { token, .. }) => drop(token),
            // What memory knows it goes on knowing.
            Work::Rest(_) => {}
            Work::Keep(order) => refuse_order(order.reply),
            Work::Room(order) => refuse_order(order.reply),
            Work::Label(order) => refuse_order(order.reply),
            Work::Fetched(fetched) => {
                self.fetching.borrow_mut().remove(&fetched.request_id);
                self.desk.node.carry_again(fetched.entry);
            }
        }
    }

    fn pass_on(&self, work: Work) {
        let order = match work {
            Work::Submit(submit) => submit.into(),
            Work::Introduce(introduce) => introduce.into(),
            Work::Sync(sync) => sync.into(),
            Work::Page(page) => return self.lose_page(page),
            Work::Apply(entry, _) | Work::Fetched(Fetched { entry, .. }) => {
                return self.desk.node.carry(entry);
            }
            Work::Grant(grant) => grant.into(),
            Work::Prepare(order) => order.into(),
            Work::Open(order) => order.into(),
            Work::Close(order) => order.into(),
            Work::Own(order) => order.into(),
            Work::Activity(asked) => asked.into(),
            Work::Rest(rested) => rested.into(),
            Work::Keep(order) => order.into(),
            Work::Room(order) => order.into(),
            Work::Label(order) => order.into(),
        };
        self.desk.node.dispatch(Aggregate::Account(self.id), order);
    }
}

impl Actor for Account {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.load(ctx);
        self.watch_idle(ctx);
    }
}

impl Handler<HandOver> for Account {
    type Result = ();

    fn handle(&mut self, order: HandOver, ctx: &mut Self::Context) {
        self.hand_over(order, ctx);
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
    Grant as Grant,
    PrepareLetter as Prepare,
    OpenSession as Open,
    CloseSession as Close,
    AskOwnContact as Own,
    AskActivity as Activity,
    Rested as Rest,
    KeepUploads as Keep,
    AskRoom as Room,
    Fetched as Fetched,
    StoreLabels as Label,
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
