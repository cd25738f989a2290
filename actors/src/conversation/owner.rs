//! The actor that owns one conversation.
//!
//! It takes one thing at a time: look whether it is a repeat, gather facts, decide, fold, append, and let go what is
//! durable. It owns its state alone, keeps deciding while appends are under way, and holds no future per request.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use rill_proto::classificator::ConvType;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::facts::{fetch, fresh, know};
use super::fanout::{Stage, Subscribers, lanes_told};
use super::repeat::repeat;
use super::rows::{decode, encode, load, rows};
use super::rules::{
    Decision, Facts, Judged, Keys, Need, News, Reach, Stop, decide, dialog, effect, sync, visit,
};
use super::soft::SoftState;
use super::state::{Change, RECENT_SLOTS_MAX, State};
use super::{OpenDialog, Peek, Show, Visit};
use crate::effect::{Apply, Effect};
use crate::hub::{CloseCode, Item};
use crate::journal::{Departure, Reply, Rows};
use crate::node::Node;
use crate::outcomes::{Outcome, Outcomes};
use crate::owner::{Appended, Desk, HandOver, Owner};
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::{Aggregate, Direction, OutboxEntry, StoreFault, UniqueKey};
use crate::watermark::Issued;

/// Who asked, where nobody did.
const NOBODY: AccountId = AccountId(uuid::Uuid::nil());

/// The owner of one conversation.
pub struct Conversation {
    desk: Desk<Work>,
    id: ConversationId,
    state: State,
    subscribers: Subscribers,
    soft: SoftState,
    outcomes: Outcomes,
    soft_end: Option<i64>,
}

/// One thing to do.
pub(crate) enum Work {
    Submit(Submit),
    Dialog(OpenDialog),
    Visit(Visit),
    Peek(Peek),
    Show(Show),
    Apply(OutboxEntry, Effect),
}

/// What a rule made of it.
enum Verdict {
    Decided(Decision),
    Told(Vec<News>),
    /// The dialog is none any more.
    NotADialog,
}

impl Conversation {
    pub(crate) fn new(node: Arc<Node>, id: ConversationId) -> Self {
        Self {
            desk: Desk::new(node, Aggregate::Conversation(id)),
            id,
            state: State::new(id),
            subscribers: Subscribers::default(),
            soft: SoftState::default(),
            outcomes: Outcomes::default(),
            soft_end: None,
        }
    }

    /// Judges until there is a verdict, fetching what the rule lacks.
    fn attempt(&mut self, work: Work, mut facts: Facts, issued: Issued, ctx: &mut Context<Self>) {
        loop {
            let need = match self.judge(&work, &facts) {
                Ok(verdict) => return self.carry_out(work, verdict, issued, ctx),
                Err(Stop::Refused(refusal)) => return self.refuse(work, &refusal),
                Err(Stop::Needs(need)) => need,
            };
            if matches!(need, Need::Slots(_) | Need::Stretch(_)) && !self.desk.journal.is_idle() {
                return self.desk.wait_for_appends(work);
            }
            let mut fetched = fetch(Arc::clone(&self.desk.node.store), self.id, need);
            match fetched.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(Ok(fact)) => know(&mut facts, fact),
                Poll::Ready(Err(fault)) => return self.meet(&fault, work),
                Poll::Pending => {
                    ctx.wait(fetched.into_actor(self).map(|fact, owner, ctx| match fact {
                        Ok(fact) => {
                            know(&mut facts, fact);
                            owner.attempt(work, facts, issued, ctx);
                        }
                        Err(fault) => owner.meet(&fault, work),
                    }));
                    return;
                }
            }
        }
    }

    fn judge(&self, work: &Work, facts: &Facts) -> Judged<Verdict> {
        match work {
            Work::Submit(submit) => {
                let caller = submit.lane.account_id();
                if let Some(outcome) = self.first_outcome(submit, facts)? {
                    return repeat(&self.state, caller, &outcome, facts).map(Verdict::Decided);
                }
                decide(&self.state, caller, &submit.event, facts).map(Verdict::Decided)
            }
            Work::Dialog(open) => {
                let caller = open.submit.lane.account_id();
                let kind = open.mk_conv_type.map(ConvType::from);
                let opened = dialog::open_dialog(&self.state, caller, open.other, kind, facts)?;
                Ok(opened.map_or(Verdict::NotADialog, Verdict::Decided))
            }
            Work::Visit(visit) => {
                let viewer = visit.lane.account_id();
                if self.needs_no_visit(visit) {
                    return Ok(Verdict::Told(Vec::new()));
                }
                visit::catch_up(&self.state, viewer, visit.horizon, facts).map(Verdict::Told)
            }
            Work::Peek(peek) => {
                let peeked = sync::conv_sync(&self.state, peek.lane.account_id(), peek.mode, facts)?;
                Ok(Verdict::Told(peeked.answer))
            }
            Work::Show(show) => {
                let numbers = show.numbers.iter().map(|(nr, _)| *nr).filter(|_| show.is_whole);
                sync::shown(&self.state, show.viewer, numbers, facts).map(Verdict::Told)
            }
            Work::Apply(_, said) => effect::apply(&self.state, said, facts).map(Verdict::Decided),
        }
    }

    /// The outcome of an earlier event with the same `client_req_id`.
    fn first_outcome(&self, submit: &Submit, facts: &Facts) -> Judged<Option<Outcome>> {
        let key = (submit.lane.account_id(), submit.request_id);
        if let Some(outcome) = self.outcomes.get(key) {
            return Ok(Some(outcome.clone()));
        }
        match &facts.outcome {
            Some(known) => Ok(known.clone()),
            None => Err(Stop::Needs(Need::Outcome(key.0, key.1))),
        }
    }

    fn needs_no_visit(&self, visit: &Visit) -> bool {
        let Some(member) = self.state.members.get(&visit.lane.account_id()) else {
            return true;
        };
        let is_hidden = self.state.head.as_ref().is_some_and(|head| member.is_hidden(head));
        (visit.unless_subscribed && self.subscribers.has(&visit.lane))
            || (visit.unless_greeted && self.subscribers.was_greeted(&visit.lane, member.init_stamp))
            || (visit.skip_hidden && visit.horizon == 0 && is_hidden)
    }

    fn carry_out(&mut self, work: Work, verdict: Verdict, issued: Issued, ctx: &mut Context<Self>) {
        match (work, verdict) {
            (Work::Submit(submit), Verdict::Decided(decision)) => self.effect(submit, decision, issued, ctx),
            (Work::Dialog(open), Verdict::Decided(decision)) => {
                self.effect(open.submit, decision, issued, ctx)
            }
            (Work::Dialog(open), Verdict::Told(_) | Verdict::NotADialog) => self.next_dialog(open),
            (Work::Visit(visit), Verdict::Told(news)) => self.greet(visit, &news, &issued),
            (Work::Peek(peek), Verdict::Told(news)) => {
                let pieces = self.stage().pieces(peek.lane.account_id(), &news);
                let item = Item::Part(peek.lane, peek.frame, pieces);
                let token = peek.token;
                let reply = Reply::Order(Box::new(move |_| drop(token)));
                self.desk.journal.pass(Departure { items: vec![item], ..Departure::reply(reply) });
            }
            (Work::Show(show), Verdict::Told(news)) => self.show(show, &news),
            (Work::Apply(entry, effect), Verdict::Decided(decision)) => {
                self.apply(entry, &effect, decision, issued, ctx);
            }
            (Work::Submit(_) | Work::Visit(_) | Work::Peek(_) | Work::Show(_) | Work::Apply(..), _) => {
                unreachable!("`judge` answers each kind of work with its own kind of verdict")
            }
        }
    }

    /// Carries out what an event decided.
    fn effect(&mut self, submit: Submit, decision: Decision, issued: Issued, ctx: &mut Context<Self>) {
        let caller = submit.lane.account_id();
        // Opening a dialog twice is opening it once, whatever the request is called.
        let remembers = !matches!(submit.event, ClientEvent::Contact(_));
        self.desk.node.metrics.events_done.add(1);
        let told = self.subscribers.told(&submit.lane);
        self.take_in(&decision, &submit.lane, issued.stamp());
        let (items, pieces) = self.stage().told(caller, &submit.lane, &decision);
        self.desk.node.metrics.deliveries.add(lanes_told(&items) as u64);
        let request = submit.record(Ok(&decision.identifier));
        let (lane, frame, index, request_id) =
            (submit.lane.clone(), submit.frame, submit.index, submit.request_id);
        let fault = Box::new(move || submit.record(Err(&Refusal::unavailable())));
        let reply = Reply::Event { lane, frame, index, fault, told, request, pieces };
        self.dismiss(&decision);
        if decision.changes.is_empty() && decision.effects.is_empty() {
            self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
        } else {
            let mut claim = Vec::new();
            if remembers {
                let outcome = Outcome { identifier: decision.identifier.clone() };
                claim.push((UniqueKey::Request(caller, request_id.0), encode(&outcome)));
                self.outcomes.put((caller, request_id), outcome);
            }
            let departure = Departure { items, reply, settles: None, issued: Some(issued) };
            self.write(&decision, claim, departure, ctx);
        }
        self.watch_soft(ctx);
    }

    /// Carries out what another owner's effect decided.
    fn apply(
        &mut self,
        entry: OutboxEntry,
        effect: &Effect,
        decision: Decision,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        let caller = effect::asker(effect).unwrap_or(NOBODY);
        for change in &decision.changes {
            self.state.fold(change);
        }
        self.soft.apply(&decision.soft, None, self.desk.node.now_s());
        let items = self.stage().items(caller, None, &decision.news);
        self.dismiss(&decision);
        let settles = Some(entry.id);
        if decision.changes.is_empty() {
            self.desk.journal.pass(Departure { items, reply: Reply::None, settles, issued: None });
        } else {
            let node = Arc::clone(&self.desk.node);
            let again = Box::new(move |ok: bool| {
                if !ok {
                    node.carry_again(entry);
                }
            });
            let departure = Departure { items, reply: Reply::Order(again), settles, issued: Some(issued) };
            self.write(&decision, Vec::new(), departure, ctx);
        }
    }

    /// Puts a decision into memory.
    fn take_in(&mut self, decision: &Decision, lane: &Lane, stamp: u64) {
        for change in &decision.changes {
            self.state.fold(change);
        }
        self.soft.apply(&decision.soft, Some(lane), self.desk.node.now_s());
        let caller = lane.account_id();
        let is_init =
            |news: &News| matches!(news, News::Header(header) if matches!(header.keys, Keys::Init(_)));
        let is_whole = decision.answer.iter().any(is_init);
        let begins = is_whole && decision.changes.iter().any(|change| {
            matches!(change, Change::Member(id, member) if *id == caller && member.is_present() && member.init_stamp == stamp)
        });
        if begins && self.desk.node.presence.of(caller).contains(lane) {
            self.subscribers.add(lane.clone(), lane.sync(), stamp);
        }
    }

    /// Whoever is no member any more, or has it no longer in his list, hears no more.
    fn dismiss(&mut self, decision: &Decision) {
        for change in &decision.changes {
            if let Change::Member(account_id, member) = change
                && !member.hears()
            {
                self.subscribers.remove(*account_id);
            }
        }
    }

    fn write(
        &mut self,
        decision: &Decision,
        claim: Vec<(UniqueKey, bytes::Bytes)>,
        departure: Departure,
        ctx: &mut Context<Self>,
    ) {
        let outbox = decision.effects.iter().map(|(target, effect)| (*target, encode(effect))).collect();
        let (put, remove) = rows(&decision.changes);
        let rows = Rows { put, remove, claim, outbox, ..Rows::default() };
        self.append(rows, departure, ctx);
    }

    fn greet(&mut self, visit: Visit, news: &[News], issued: &Issued) {
        let viewer = visit.lane.account_id();
        let pieces = self.stage().pieces(viewer, news);
        if self.state.members.get(&viewer).is_some_and(super::state::Member::hears) {
            self.subscribers.add(visit.lane.clone(), visit.sync, issued.stamp());
        }
        let items =
            if pieces.is_empty() { Vec::new() } else { vec![Item::Pieces(visit.lane.clone(), pieces)] };
        let node = Arc::clone(&self.desk.node);
        let reply = Reply::Order(Box::new(move |ok| {
            if !ok {
                turn_away(&node, visit.lane);
            }
            drop(visit.token);
        }));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    fn show(&mut self, show: Show, news: &[News]) {
        let stage = self.stage();
        let pieces = if show.is_whole {
            stage.pieces(show.viewer, news)
        } else {
            stage.names(show.viewer, &show.numbers)
        };
        let pushed = show.lanes.iter().map(|lane| Item::Pieces(lane.clone(), pieces.clone()));
        let mut items: Vec<Item> = if pieces.is_empty() { Vec::new() } else { pushed.collect() };
        if let Some((lane, frame)) = show.asking {
            items.push(Item::Part(lane, frame, pieces));
        }
        let (node, lanes, token) = (Arc::clone(&self.desk.node), show.lanes, show.token);
        let reply = Reply::Order(Box::new(move |ok| {
            if !ok {
                lanes.into_iter().for_each(|lane| turn_away(&node, lane));
            }
            drop(token);
        }));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    /// The conversation is no dialog any more: the two begin another one.
    fn next_dialog(&self, open: OpenDialog) {
        let caller = open.submit.lane.account_id();
        let next = crate::account::dialog_id(&self.desk.node, caller, open.other, open.attempt);
        let fault = open.submit.answer(Err(&Refusal::unavailable()));
        let open = OpenDialog { attempt: open.attempt + 1, ..open };
        if self.desk.node.to_conversation(next, open).is_err() {
            self.desk.node.inboxes.put(fault);
        }
    }

    fn refuse(&mut self, work: Work, refusal: &Refusal) {
        match work {
            Work::Submit(submit) | Work::Dialog(OpenDialog { submit, .. }) => {
                self.desk.node.metrics.events_refused.add(1);
                let request = submit.record(Err(refusal));
                let (lane, frame, index) = (submit.lane.clone(), submit.frame, submit.index);
                let fault = Box::new(move || submit.record(Err(&Refusal::unavailable())));
                let told = self.subscribers.told(&lane);
                let reply = Reply::Event { lane, frame, index, fault, told, request, pieces: Vec::new() };
                self.desk.journal.pass(Departure::reply(reply));
            }
            // Whoever was never a member is told nothing.
            Work::Visit(visit) => {
                let token = visit.token;
                self.desk.journal.pass(Departure::reply(Reply::Order(Box::new(move |_| drop(token)))));
            }
            Work::Peek(peek) => drop(peek.token),
            Work::Show(show) => {
                let token = show.token;
                self.desk.journal.pass(Departure::reply(Reply::Order(Box::new(move |_| drop(token)))));
            }
            Work::Apply(entry, _) => self.desk.node.store.settle(entry.id),
        }
    }

    fn meet(&mut self, fault: &StoreFault, work: Work) {
        tracing::error!(conversation_id = %self.id, %fault, "a fact cannot be fetched");
        self.fail(work);
    }

    fn stage(&self) -> Stage<'_> {
        Stage {
            state: &self.state,
            subscribers: &self.subscribers,
            soft: &self.soft,
            presence: &self.desk.node.presence,
            site: &self.desk.node.site,
            now: self.desk.node.now_s(),
        }
    }

    /// Sets the clock for the next pen or lock that ends by itself.
    fn watch_soft(&mut self, ctx: &mut Context<Self>) {
        let Some(end) = self.soft.next_end().filter(|end| self.soft_end.is_none_or(|known| *end < known))
        else {
            return;
        };
        self.soft_end = Some(end);
        let wait = u64::try_from(end - self.desk.node.now_s()).unwrap_or(0);
        ctx.run_later(Duration::from_secs(wait), |owner, ctx| {
            owner.soft_end = None;
            owner.expire();
            owner.watch_soft(ctx);
        });
    }

    fn expire(&mut self) {
        let expired = self.soft.expire(self.desk.node.now_s());
        let pens = expired.pens.into_iter().map(|id| (id, News::Activity(id)));
        let locks =
            expired.locks.into_iter().map(|message_nr| (NOBODY, News::Lock { message_nr, holder: None }));
        for (whose, news) in pens.chain(locks) {
            let items = self.stage().items(whose, None, &[(Reach::Activated, news)]);
            self.desk.journal.pass(Departure { items, ..Departure::reply(Reply::None) });
        }
    }
}

/// A session that could not be brought up to date must come again, or it would miss something.
fn turn_away(node: &Node, lane: Lane) {
    node.inboxes.put(Item::Close(lane, CloseCode::Overloaded, "1000".to_owned()));
}

/// As [`turn_away`], for all that were to be shown something.
fn turn_all_away(node: &Node, show: Show) {
    let asking = show.asking.into_iter().map(|(lane, _)| lane);
    show.lanes.into_iter().chain(asking).for_each(|lane| turn_away(node, lane));
}

impl Owner for Conversation {
    type Work = Work;

    fn desk(&mut self) -> &mut Desk<Work> {
        &mut self.desk
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.desk.node);
        let id = self.id;
        let read = async move {
            let Some(loaded) = node.store.load(Aggregate::Conversation(id)).await? else {
                return Ok((0, State::new(id)));
            };
            let newest = node.store.slots(id, 1, u64::MAX, RECENT_SLOTS_MAX, Direction::Descending).await?;
            Ok::<_, StoreFault>((loaded.version, load(id, &loaded, &newest)?))
        };
        ctx.wait(read.into_actor(self).map(|read, owner, ctx| match read {
            Ok((version, state)) => {
                owner.desk.loaded(version);
                owner.subscribers = Subscribers::find(&state, &owner.desk.node.presence);
                owner.state = state;
                owner.work_off(ctx);
            }
            Err(fault) => {
                tracing::error!(conversation_id = %owner.id, %fault, "a conversation cannot be loaded");
                owner.retire(ctx);
            }
        }));
    }

    fn begin(&mut self, work: Work, ctx: &mut Context<Self>) {
        let issued = self.desk.node.issue();
        let fresh =
            if let Work::Submit(submit) = &work { fresh(&self.desk.node, submit) } else { Uuid::nil() };
        let facts = Facts {
            now: self.desk.node.now_s(),
            stamp: issued.stamp(),
            fresh,
            locks: self.soft.locks(),
            pens: self.soft.pens().keys().copied().collect(),
            ..Facts::default()
        };
        self.attempt(work, facts, issued, ctx);
    }

    fn is_quiet(&mut self) -> bool {
        self.subscribers.sweep();
        self.soft.expire(self.desk.node.now_s());
        self.soft.is_quiet()
    }

    fn is_nothing(&self) -> bool {
        self.state.head.is_none()
    }

    fn forget(&mut self) {
        self.state = State::new(self.id);
        self.subscribers = Subscribers::default();
        self.outcomes = Outcomes::default();
    }

    fn leave_directory(&self, ctx: &Context<Self>) {
        self.desk.node.retire_conversation(self.id, &ctx.address());
    }

    fn fail(&self, work: Work) {
        match work {
            Work::Submit(submit) | Work::Dialog(OpenDialog { submit, .. }) => {
                self.desk.node.metrics.events_failed.add(1);
                self.desk.node.inboxes.put(submit.answer(Err(&Refusal::unavailable())));
            }
            Work::Visit(visit) => turn_away(&self.desk.node, visit.lane),
            Work::Peek(peek) => drop(peek.token),
            Work::Show(show) => turn_all_away(&self.desk.node, show),
            Work::Apply(entry, _) => self.desk.node.carry_again(entry),
        }
    }

    fn pass_on(&self, work: Work) {
        let order = match work {
            Work::Submit(submit) => submit.into(),
            Work::Dialog(open) => open.into(),
            Work::Visit(visit) => visit.into(),
            Work::Peek(peek) => peek.into(),
            Work::Show(show) => show.into(),
            Work::Apply(entry, _) => return self.desk.node.carry(entry),
        };
        self.desk.node.dispatch(Aggregate::Conversation(self.id), order);
    }
}

impl Actor for Conversation {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.load(ctx);
        self.watch_idle(ctx);
    }
}

macro_rules! takes {
    ($($message:ident as $work:ident),+ $(,)?) => {$(
        impl Handler<$message> for Conversation {
            type Result = ();

            fn handle(&mut self, message: $message, ctx: &mut Self::Context) {
                self.take(Work::$work(message), ctx);
            }
        }
    )+};
}

takes! { Submit as Submit, OpenDialog as Dialog, Visit as Visit, Peek as Peek, Show as Show }

impl Handler<Apply> for Conversation {
    type Result = ();

    fn handle(&mut self, Apply(entry): Apply, ctx: &mut Self::Context) {
        match decode(&entry.payload) {
            Ok(effect) => self.take(Work::Apply(entry, effect), ctx),
            Err(fault) => tracing::error!(effect = ?entry.id, %fault, "an effect cannot be read"),
        }
    }
}

impl Handler<HandOver> for Conversation {
    type Result = ();

    fn handle(&mut self, order: HandOver, ctx: &mut Self::Context) {
        self.hand_over(order, ctx);
    }
}

impl Handler<Appended> for Conversation {
    type Result = ();

    fn handle(&mut self, appended: Appended, ctx: &mut Self::Context) {
        self.appended(appended, ctx);
    }
}
