//! Carrying out an account's events: look whether it is a repeat, gather facts, decide, fold, append, and let go what is
//! durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use rill_proto::classificator::{DialogType, InitMode};
use rill_proto::id::{AccountId, ConversationId, RequestId};
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};

use super::board::record::Texts;
use super::contact::Known;
use super::facts::{Asking, Fact, NoFact, fetch, know};
use super::label;
use super::listing::{self, Listing};
use super::owner::Work;
use super::rules::{self, Decision, Facts, Judged, Need, News, Stop, Task};
use super::telling::Durable;
use super::{Account, AskActivity, Found, Introduce, dialog_id, fresh_id};
use crate::conversation::rows::encode;
use crate::conversation::{OpenDialog, Part, Peek};
use crate::hub::{CloseCode, Item};
use crate::journal::{Departure, Reply};
use crate::node::Node;
use crate::outcomes::Outcome;
use crate::owner::Owner;
use crate::piece::Piece;
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::{StoreFault, UniqueKey};
use crate::watermark::Issued;

/// An answer whose records come from several owners; it is complete when the last of them has done its part.
struct Gathering {
    node: Arc<Node>,
    submit: Submit,
    identifier: Value,
    is_spoilt: AtomicBool,
}

impl Gathering {
    fn new(node: Arc<Node>, submit: Submit, identifier: Value) -> Arc<Self> {
        Arc::new(Self { node, submit, identifier, is_spoilt: AtomicBool::new(false) })
    }
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gathering").field(&self.submit.request_id).finish()
    }
}

impl Part for Gathering {
    fn fail(&self) {
        self.is_spoilt.store(true, Ordering::Release);
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let answer = if self.is_spoilt.load(Ordering::Acquire) {
            self.node.metrics.events_failed.add(1);
            self.submit.answer(Err(&Refusal::unavailable()))
        } else {
            self.node.metrics.events_done.add(1);
            self.submit.answer(Ok(&self.identifier))
        };
        self.node.inboxes.put(answer);
    }
}

/// Asks conversations for their parts of an answer one after the other, so that the parts come in that order: each is asked
/// when the one before has done its part.
struct Turn {
    gathering: Arc<Gathering>,
    mode: InitMode,
    left: VecDeque<ConversationId>,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Turn").field(&self.gathering).finish()
    }
}

impl Part for Turn {
    fn fail(&self) {
        self.gathering.fail();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let id = self.left.pop_front();
        let Some(id) = id.filter(|_| !self.gathering.is_spoilt.load(Ordering::Acquire)) else { return };
        let next = Self {
            gathering: Arc::clone(&self.gathering),
            mode: self.mode,
            left: std::mem::take(&mut self.left),
        };
        let Gathering { node, submit, .. } = &*self.gathering;
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        let peek = Peek { lane, frame, mode: self.mode, token: Arc::new(next) };
        if node.to_conversation(id, peek).is_err() {
            tracing::debug!(conversation_id = %id, "too busy for its part of an answer");
        }
    }
}

impl Account {
    pub(super) fn submit(&mut self, submit: Submit, ctx: &mut Context<Self>) {
        let (issued, mut facts) = self.facts();
        facts.token = submit.lane.token();
        facts.fresh = fresh_id(&self.desk.node, self.id, submit.request_id);
        self.attempt(submit, facts, issued, ctx);
    }

    /// Judges until there is a verdict, fetching what the rule lacks.
    fn attempt(&mut self, submit: Submit, facts: Facts, issued: Issued, ctx: &mut Context<Self>) {
        match self.judge(&submit, &facts) {
            Ok(task) => self.carry_out(submit, task, &facts.texts, issued, ctx),
            Err(Stop::Refused(refusal)) => self.refuse(submit, &refusal),
            Err(Stop::Needs(need)) => {
                if let Need::Texts(wanted) = &need {
                    // The rows in the store are older than the memory.
                    if !self.desk.journal.is_idle() {
                        return self.desk.wait_for_appends(Work::Submit(submit));
                    }
                    if wanted.iter().all(|id| facts.texts.contains_key(id)) {
                        let fault = StoreFault("a text is not the one that its task names".to_owned());
                        return self.meet(&fault, Work::Submit(submit));
                    }
                }
                let request_id = Some(submit.request_id);
                self.learn(request_id, need, facts, ctx, move |owner, facts, ctx| match facts {
                    Ok(facts) => owner.attempt(submit, facts, issued, ctx),
                    Err(fault) => owner.lack(fault, submit),
                });
            }
        }
    }

    /// Fetches what a rule lacks and goes on with it: at once where it is at hand, else while nothing else is done here.
    pub(super) fn learn(
        &mut self,
        request_id: Option<RequestId>,
        need: Need,
        mut facts: Facts,
        ctx: &mut Context<Self>,
        go_on: impl FnOnce(&mut Self, Result<Facts, NoFact>, &mut Context<Self>) + 'static,
    ) {
        let memberships = match need {
            Need::Companions => self.state.memberships.keys().copied().collect(),
            Need::Profiles(_)
            | Need::Accounts(_)
            | Need::DeviceHolder(_)
            | Need::AddressHolder(_)
            | Need::Password { .. }
            | Need::Texts(_)
            | Need::Files(_)
            | Need::Outcome => Vec::new(),
        };
        let node = Arc::clone(&self.desk.node);
        let asking = Asking { node, account_id: self.id, request_id, memberships };
        let mut fetched = Box::pin(fetch(asking, need));
        let known = |fact: Result<Fact, NoFact>, mut facts: Facts| {
            fact.map(|fact| {
                know(&mut facts, fact);
                facts
            })
        };
        match fetched.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(fact) => go_on(self, known(fact, std::mem::take(&mut facts)), ctx),
            Poll::Pending => {
                let waiting = fetched.into_actor(self);
                ctx.wait(waiting.map(move |fact, owner, ctx| go_on(owner, known(fact, facts), ctx)));
            }
        }
    }

    fn lack(&mut self, fault: NoFact, submit: Submit) {
        match fault {
            NoFact::Store(fault) => self.meet(&fault, Work::Submit(submit)),
            NoFact::Refused(refusal) => self.refuse(submit, &refusal),
        }
    }

    fn judge(&self, submit: &Submit, facts: &Facts) -> Judged<Task> {
        let task = self.first_or_new(submit, facts)?;
        if let Task::Decided(decision) = &task {
            let wanted = self.texts_wanted(decision, &facts.texts);
            if !wanted.is_empty() {
                return Err(Stop::Needs(Need::Texts(wanted)));
            }
        }
        Ok(task)
    }

    fn first_or_new(&self, submit: &Submit, facts: &Facts) -> Judged<Task> {
        if rules::is_remembered(&submit.event) {
            let known = self.outcomes.get((self.id, submit.request_id)).map(Some);
            let first = known.or(facts.outcome.as_ref().map(Option::as_ref));
            match first {
                Some(Some(outcome)) => {
                    return rules::repeat(&self.state, outcome, facts).map(Task::Decided);
                }
                Some(None) => {}
                None => return Err(Stop::Needs(Need::Outcome)),
            }
        }
        rules::decide(&self.state, &submit.event, facts)
    }

    fn carry_out(
        &mut self,
        submit: Submit,
        task: Task,
        texts: &Texts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        match task {
            Task::Decided(decision) => self.effect(submit, &decision, texts, issued, ctx),
            Task::Gather(ids, mode) => {
                self.equip(&submit.lane);
                self.gather(submit, ids, mode);
            }
            Task::List(listing) => self.list(submit, listing, ctx),
            Task::AskActivity(ids) => self.ask_activity(submit, ids, ctx),
            Task::OpenDialog(other, mk_conv_type, unhidden) => {
                if let Some(decision) = unhidden {
                    self.change(&decision, Reply::None, issued, ctx);
                }
                self.equip(&submit.lane);
                self.open_dialog(submit, other, mk_conv_type);
            }
            Task::IntroduceById(id) => {
                self.equip(&submit.lane);
                let is_listed = id == self.id || self.state.contacts.row(id).is_some();
                let through = Arc::new(self.state.memberships.keys().copied().collect());
                let organisation_id = self.state.head.as_ref().and_then(|head| head.profile.organisation_id);
                let found = Found::ById { is_listed, through, organisation_id };
                self.ask(id, Introduce { submit, found }, ctx);
            }
            Task::IntroduceByEmail(email) => self.look_up(submit, email, ctx),
        }
    }

    /// Gives a lane that never synchronised what the records of the answer are completed with: its owner's own words for others.
    fn equip(&self, lane: &Lane) {
        if self.desk.node.presence.of(self.id).contains(lane) {
            return;
        }
        let book = Arc::new(self.state.contacts.clone());
        self.desk.node.inboxes.put(Item::Contacts(lane.clone(), book));
    }

    fn open_dialog(&self, submit: Submit, other: AccountId, mk_conv_type: Option<DialogType>) {
        let known = self.state.contacts.row(other).and_then(|row| row.dialog_id);
        let id = known.unwrap_or_else(|| dialog_id(&self.desk.node, self.id, other, 0));
        let attempt = u32::from(known.is_none());
        let fault = submit.answer(Err(&Refusal::unavailable()));
        let open = OpenDialog { submit, other, mk_conv_type, attempt };
        if self.desk.node.to_conversation(id, open).is_err() {
            self.desk.node.inboxes.put(fault);
        }
    }

    /// Asks conversations for their parts of one answer.
    fn gather(&self, submit: Submit, ids: Vec<ConversationId>, mode: InitMode) {
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        let identifier = json!({ "account_id": self.id });
        let gathering = Gathering::new(Arc::clone(&self.desk.node), submit, identifier);
        for id in ids {
            let peek = Peek { lane: lane.clone(), frame, mode, token: Arc::clone(&gathering) as _ };
            if self.desk.node.to_conversation(id, peek).is_err() {
                tracing::debug!(conversation_id = %id, "too busy for its part of an answer");
            }
        }
    }

    /// Finds a page of a label's conversations, which are then asked to show themselves in their order.
    fn list(&mut self, submit: Submit, listing: Listing, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.desk.node);
        let (viewer, among) = (self.id, self.state.memberships.keys().copied().collect());
        let found = async move {
            let page = listing::page(&*node.store, viewer, among, &listing).await?;
            Ok::<_, StoreFault>((listing, page))
        };
        ctx.wait(found.into_actor(self).map(|found, owner, _| match found {
            Ok((listing, page)) => owner.show_list(submit, &listing, page),
            Err(fault) => owner.meet(&fault, Work::Submit(submit)),
        }));
    }

    fn show_list(&mut self, submit: Submit, listing: &Listing, page: listing::Page) {
        let label_id = listing.label_id;
        let label = listing.label.record(self.id, label_id, &page.cursor());
        let items = vec![Item::Part(submit.lane.clone(), submit.frame, vec![Piece::Shared(label)])];
        let (node, mode, left) = (Arc::clone(&self.desk.node), listing.mode, page.ids.into());
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                let identifier = json!({ "label_id": label_id });
                let gathering = Gathering::new(node, submit, identifier);
                drop(Turn { gathering, mode, left });
            } else {
                node.inboxes.put(submit.answer(Err(&Refusal::unavailable())));
            }
        }));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    /// Asks accounts for their parts of one answer.
    fn ask_activity(&mut self, submit: Submit, ids: Vec<AccountId>, ctx: &mut Context<Self>) {
        let (lane, frame) = (submit.lane.clone(), submit.frame);
        let through = Arc::new(self.state.memberships.keys().copied().collect());
        let identifier = json!({ "account_id": self.id });
        let gathering = Gathering::new(Arc::clone(&self.desk.node), submit, identifier);
        for id in ids {
            let is_listed = id == self.id || self.state.contacts.row(id).is_some();
            let (lane, through) = (lane.clone(), Arc::clone(&through));
            let token = Arc::clone(&gathering) as _;
            let asked = AskActivity { lane, frame, is_listed, through, token };
            if id == self.id {
                self.take(Work::Activity(asked), ctx);
            } else if self.desk.node.to_account(id, asked).is_err() {
                tracing::debug!(account_id = %id, "too busy for its part of an answer");
            }
        }
    }

    /// Carries out what an event decided.
    fn effect(
        &mut self,
        submit: Submit,
        decision: &Decision,
        texts: &Texts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        self.desk.node.metrics.events_done.add(1);
        self.take_in(decision);
        self.equip(&submit.lane);
        let mut board = self.records(decision, texts);
        let mut pieces = self.pieces(&decision.answer);
        pieces.append(&mut board.pieces.clone());
        let mut items = self.news(decision, Some(&submit.lane));
        let others = if decision.is_durable() { self.others(&submit.lane) } else { Vec::new() };
        items.extend(self.placements_for(decision, &others));
        if !board.pieces.is_empty() {
            items.extend(others.iter().map(|lane| Item::Pieces(lane.clone(), board.pieces.clone())));
        }
        let request = match &decision.sync_cursor {
            Some(cursor) => submit.page_record(&decision.identifier, cursor),
            None => submit.record(Ok(&decision.identifier)),
        };
        let mut claim = Vec::new();
        if decision.is_durable() && rules::is_remembered(&submit.event) {
            let outcome = Outcome { identifier: decision.identifier.clone() };
            claim.push((UniqueKey::Request(self.id, submit.request_id.0), encode(&outcome)));
            self.outcomes.put((self.id, submit.request_id), outcome);
        }
        let departure = if board.shows.is_empty() {
            let told = self.told(&submit.lane);
            let reply = event_reply(submit, told, request, pieces);
            Departure { items, reply, settles: None, issued: Some(issued) }
        } else {
            // The lane that asks may be one that never synchronised.
            items.push(Item::Placements(submit.lane.clone(), Arc::clone(self.state.board.placements())));
            board.pieces = pieces;
            let durable = Durable { submit, request, told: board, others, issued: issued.clone() };
            let reply = durable.reply(&self.desk.node, ctx);
            Departure { items, reply, settles: None, issued: Some(issued) }
        };
        self.write(decision, claim, departure, ctx);
    }

    /// The account's sessions but one.
    fn others(&self, asking: &Lane) -> Vec<Lane> {
        let mut others = self.desk.node.presence.of(self.id);
        others.retain(|lane| lane != asking);
        others
    }

    /// Carries out a decision that no session waits for.
    pub(super) fn change(
        &mut self,
        decision: &Decision,
        reply: Reply,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        self.take_in(decision);
        let items = self.news(decision, None);
        self.write(
            decision,
            Vec::new(),
            Departure { items, reply, settles: None, issued: Some(issued) },
            ctx,
        );
    }

    /// What the account's sessions are told of a decision that has been taken in, but for the one that asked; those that it
    /// ends are closed.
    pub(super) fn news(&self, decision: &Decision, asking: Option<&Lane>) -> Vec<Item> {
        let mut items = Vec::new();
        let pieces = self.pieces(&decision.news);
        for lane in self.desk.node.presence.of(self.id) {
            let ends = decision.ends.as_ref().filter(|ends| ends.tokens.contains(&lane.token()));
            match ends {
                Some(ends) => items.push(Item::Close(lane, CloseCode::Policy, ends.reason.to_owned())),
                None if pieces.is_empty() || Some(&lane) == asking => {}
                None => items.push(Item::Pieces(lane, pieces.clone())),
            }
        }
        items
    }

    fn pieces(&self, news: &[News]) -> Vec<Piece> {
        let piece = |news: &News| match news {
            News::Own => self.own_contact().map(|own| Piece::Shared(own.record)),
            News::Contact(id, profile) => Some(Piece::Contact(Arc::new(Known::new(*id, profile)))),
            News::Reminder(id) => {
                self.state.employments.get(id).and_then(|row| row.reminder(self.id)).map(Piece::Shared)
            }
            News::TeamLabel(id) => {
                self.state.teams.get(id).map(|row| Piece::Shared(row.label(self.id, *id, None)))
            }
            News::Label(id) => {
                let label = self.state.labels.get(id);
                label.map(|label| Piece::Shared(label::record(self.id, *id, label, None)))
            }
        };
        news.iter().filter_map(piece).collect()
    }

    pub(super) fn refuse(&mut self, submit: Submit, refusal: &Refusal) {
        self.desk.node.metrics.events_refused.add(1);
        let request = submit.record(Err(refusal));
        let told = self.told(&submit.lane);
        self.desk.journal.pass(Departure::reply(event_reply(submit, told, request, Vec::new())));
    }

    /// The sync that is under way for a session, the own part of which it has been told; 0 for none.
    fn told(&self, lane: &Lane) -> u32 {
        self.runs.get(&lane.name()).map_or(0, |run| run.sync.number)
    }
}

/// The answer to an event, or the fault that it is answered with when it does not become durable. `told` as in [`Item::Answer`].
pub(crate) fn event_reply(submit: Submit, told: u32, request: bytes::Bytes, pieces: Vec<Piece>) -> Reply {
    let (lane, frame, index) = (submit.lane.clone(), submit.frame, submit.index);
    let fault = Box::new(move || submit.record(Err(&Refusal::unavailable())));
    Reply::Event { lane, frame, index, fault, told, request, pieces }
}
