//! The actor that owns one group. It takes one thing at a time, as a conversation's owner does.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use bytes::Bytes;
use rill_proto::id::{AccountId, RequestId};
use rill_proto::refusal::Refusal;

use super::facts::{Asking, Fact, fetch, know};
use super::{Decision, Facts, Group, Judged, Need, Order, Stop, Visit};
use crate::account::{event_reply, fresh_id, told, turn_away};
use crate::conversation::rows::{decode, encode};
use crate::effect::{Apply, Effect};
use crate::hub::Item;
use crate::journal::{Departure, Reply, Rows};
use crate::node::Node;
use crate::outcomes::{Outcome, Outcomes};
use crate::owner::{Appended, Desk, HandOver, Owner};
use crate::piece::Piece;
use crate::presence::{Lane, LaneName};
use crate::session::Submit;
use crate::store::{OutboxEntry, StoreFault, UniqueKey};
use crate::watermark::Issued;

/// The owner of one group.
pub struct Office<G: Group> {
    desk: Desk<Work<G>>,
    id: G::Id,
    state: G,
    outcomes: Outcomes,
}

/// One thing to do.
pub(crate) enum Work<G: Group> {
    Job(Box<Job<G>>),
    Visit(Visit),
}

/// One thing to decide.
pub(crate) enum Job<G: Group> {
    Submit(Submit),
    Order(Order<G::Order>),
    Apply(OutboxEntry, Box<Effect>),
}

impl<G: Group> Job<G> {
    /// Whose request it is, and which.
    fn request(&self) -> Option<(AccountId, RequestId)> {
        match self {
            Self::Submit(submit) if G::is_remembered(&submit.event) => {
                Some((submit.lane.account_id(), submit.request_id))
            }
            Self::Order(order) => Some((order.caller, order.request_id?)),
            Self::Submit(_) | Self::Apply(..) => None,
        }
    }
}

impl<G: Group> Office<G> {
    pub(crate) fn new(node: Arc<Node>, id: G::Id) -> Self {
        Self { desk: Desk::new(node, G::aggregate(id)), id, state: G::new(id), outcomes: Outcomes::default() }
    }

    fn start(&mut self, job: Job<G>, ctx: &mut Context<Self>) {
        let issued = self.desk.node.issue();
        let mut facts = Facts {
            now: self.desk.node.now_s(),
            stamp: issued.stamp(),
            files_kept_s: i64::try_from(self.desk.node.settings.files_kept.as_secs()).unwrap_or(i64::MAX),
            ..Facts::default()
        };
        if let Some((caller, request_id)) = job.request() {
            facts.fresh = fresh_id(&self.desk.node, caller, request_id);
        }
        self.attempt(job, facts, issued, ctx);
    }

    /// Judges until there is a verdict, fetching what the rule lacks.
    fn attempt(&mut self, job: Job<G>, facts: Facts, issued: Issued, ctx: &mut Context<Self>) {
        match self.judge(&job, &facts) {
            Ok(decision) => self.carry_out(job, &decision, issued, ctx),
            Err(Stop::Refused(refusal)) => self.refuse(job, &refusal),
            Err(Stop::Needs(need)) => {
                // The rows in the store are older than the memory.
                if matches!(need, Need::Rows(_)) && !self.desk.journal.is_idle() {
                    return self.desk.wait_for_appends(Work::Job(Box::new(job)));
                }
                self.learn(job, need, facts, issued, ctx);
            }
        }
    }

    fn judge(&self, job: &Job<G>, facts: &Facts) -> Judged<Decision<G>> {
        if let Some(request) = job.request() {
            let known = self.outcomes.get(request).map(Some);
            match known.or(facts.outcome.as_ref().map(Option::as_ref)) {
                Some(Some(outcome)) => return Ok(self.state.repeat(outcome)),
                Some(None) => {}
                None => return Err(Stop::Needs(Need::Outcome)),
            }
        }
        match job {
            Job::Submit(submit) => self.state.decide(submit.lane.account_id(), &submit.event, facts),
            Job::Order(order) => self.state.order(order.caller, &order.what, facts),
            Job::Apply(_, effect) => self.state.apply(effect, facts),
        }
    }

    /// Fetches what a rule lacks and goes on with it: at once where it is at hand, else while nothing else is done here.
    fn learn(&mut self, job: Job<G>, need: Need, facts: Facts, issued: Issued, ctx: &mut Context<Self>) {
        let asking = Asking {
            node: Arc::clone(&self.desk.node),
            aggregate: G::aggregate(self.id),
            request: job.request(),
        };
        let mut fetched = Box::pin(fetch(asking, need));
        match fetched.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(fact) => self.go_on(job, fact, facts, issued, ctx),
            Poll::Pending => {
                let waiting = fetched.into_actor(self);
                ctx.wait(waiting.map(move |fact, owner, ctx| owner.go_on(job, fact, facts, issued, ctx)));
            }
        }
    }

    fn go_on(
        &mut self,
        job: Job<G>,
        fact: Result<Fact, StoreFault>,
        mut facts: Facts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        match fact {
            Ok(fact) => {
                know(&mut facts, fact);
                self.attempt(job, facts, issued, ctx);
            }
            Err(fault) => {
                tracing::error!(group = ?self.id, %fault, "a fact cannot be fetched");
                self.fail(Work::Job(Box::new(job)));
            }
        }
    }

    fn carry_out(&mut self, job: Job<G>, decision: &Decision<G>, issued: Issued, ctx: &mut Context<Self>) {
        for change in &decision.changes {
            self.state.fold(change);
        }
        let mut claim = Vec::new();
        if let Some(request) = job.request().filter(|_| decision.is_durable()) {
            let outcome = Outcome { identifier: decision.identifier.clone() };
            claim.push((UniqueKey::Request(request.0, request.1.0), encode(&outcome)));
            self.outcomes.put(request, outcome);
        }
        let asking = match &job {
            Job::Submit(submit) => Some(submit.lane.clone()),
            Job::Order(_) | Job::Apply(..) => None,
        };
        let items = self.news(&decision.news, asking.as_ref());
        let (reply, settles) = self.reply(job, decision);
        if !decision.is_durable() {
            return self.desk.journal.pass(Departure { items, reply, settles, issued: None });
        }
        let (put, remove) = G::rows(&decision.changes);
        let outbox = decision.effects.iter().map(|(target, effect)| (*target, encode(effect))).collect();
        let rows = Rows { put, remove, claim, release: Vec::new(), outbox };
        self.append(rows, Departure { items, reply, settles, issued: Some(issued) }, ctx);
    }

    fn reply(&self, job: Job<G>, decision: &Decision<G>) -> (Reply, Option<crate::store::EffectId>) {
        match job {
            Job::Submit(submit) => {
                self.desk.node.metrics.events_done.add(1);
                let answer = self.records(submit.lane.account_id(), &decision.answer);
                let request = submit.record(Ok(&decision.identifier));
                let pieces = answer.into_iter().map(Piece::Shared).collect();
                (event_reply(submit, 0, request, pieces), None)
            }
            Job::Order(order) => {
                let records = self.records(order.caller, &decision.answer);
                (told(order.reply, Ok(records)), None)
            }
            Job::Apply(entry, _) => {
                let (node, id) = (Arc::clone(&self.desk.node), entry.id);
                let reply = Reply::Order(Box::new(move |ok| {
                    if !ok {
                        node.carry_again(entry);
                    }
                }));
                (reply, Some(id))
            }
        }
    }

    fn records(&self, viewer: AccountId, news: &[G::News]) -> Vec<Bytes> {
        let site = &self.desk.node.site.public_url;
        news.iter().filter_map(|news| self.state.record(viewer, news, site)).collect()
    }

    /// What everybody's sessions are told of a decision that has been taken in, but for the one that asked.
    fn news(&self, news: &[G::News], asking: Option<&Lane>) -> Vec<Item> {
        let site = &self.desk.node.site.public_url;
        let mut told: Vec<(Lane, Vec<Piece>)> = Vec::new();
        let mut places: HashMap<LaneName, usize> = HashMap::new();
        for news in news {
            for viewer in self.state.audience(news) {
                let mut lanes = self.desk.node.presence.of(viewer);
                lanes.retain(|lane| Some(lane) != asking);
                if lanes.is_empty() {
                    continue;
                }
                let Some(record) = self.state.record(viewer, news, site) else { continue };
                for lane in lanes {
                    let place = *places.entry(lane.name()).or_insert_with(|| {
                        told.push((lane, Vec::new()));
                        told.len() - 1
                    });
                    told[place].1.push(Piece::Shared(record.clone()));
                }
            }
        }
        told.into_iter().map(|(lane, pieces)| Item::Pieces(lane, pieces)).collect()
    }

    fn refuse(&mut self, job: Job<G>, refusal: &Refusal) {
        let departure = match job {
            Job::Submit(submit) => {
                self.desk.node.metrics.events_refused.add(1);
                let request = submit.record(Err(refusal));
                Departure::reply(event_reply(submit, 0, request, Vec::new()))
            }
            Job::Order(order) => Departure::reply(told(order.reply, Err(refusal.clone()))),
            // An effect says what is so: there is nobody to refuse it to.
            Job::Apply(entry, _) => Departure { settles: Some(entry.id), ..Departure::reply(Reply::None) },
        };
        self.desk.journal.pass(departure);
    }

    /// Tells sessions what they have missed, behind everything that was decided before.
    fn visit(&mut self, visit: Visit) {
        let Visit { lanes, horizon, token } = visit;
        let mut items = Vec::new();
        for lane in &lanes {
            let viewer = lane.account_id();
            let pieces = self.records(viewer, &self.state.since(viewer, horizon));
            if !pieces.is_empty() {
                items.push(Item::Pieces(lane.clone(), pieces.into_iter().map(Piece::Shared).collect()));
            }
        }
        let node = Arc::clone(&self.desk.node);
        let reply = Reply::Order(Box::new(move |ok| {
            if !ok {
                lanes.into_iter().for_each(|lane| turn_away(&node, lane));
            }
            drop(token);
        }));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }
}

impl<G: Group> Owner for Office<G> {
    type Work = Work<G>;

    fn desk(&mut self) -> &mut Desk<Work<G>> {
        &mut self.desk
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let read = self.desk.node.store.load(G::aggregate(self.id));
        ctx.wait(read.into_actor(self).map(|read, owner, ctx| {
            let loaded = read.and_then(|loaded| match loaded {
                Some(loaded) => Ok((loaded.version, G::load(owner.id, &loaded)?)),
                None => Ok((0, G::new(owner.id))),
            });
            match loaded {
                Ok((version, state)) => {
                    owner.desk.loaded(version);
                    owner.state = state;
                    owner.work_off(ctx);
                }
                Err(fault) => {
                    tracing::error!(group = ?owner.id, %fault, "a group cannot be loaded");
                    owner.retire(ctx);
                }
            }
        }));
    }

    fn begin(&mut self, work: Work<G>, ctx: &mut Context<Self>) {
        match work {
            Work::Job(job) => self.start(*job, ctx),
            Work::Visit(visit) => self.visit(visit),
        }
    }

    fn fail(&self, work: Work<G>) {
        let job = match work {
            Work::Job(job) => *job,
            Work::Visit(visit) => {
                return visit.lanes.into_iter().for_each(|lane| turn_away(&self.desk.node, lane));
            }
        };
        match job {
            Job::Submit(submit) => {
                self.desk.node.metrics.events_failed.add(1);
                self.desk.node.inboxes.put(submit.answer(Err(&Refusal::unavailable())));
            }
            // A reply that is dropped tells its caller that the call may be tried again.
            Job::Order(order) => drop(order.reply),
            Job::Apply(entry, _) => self.desk.node.carry_again(entry),
        }
    }

    fn pass_on(&self, work: Work<G>) {
        let order = match work {
            Work::Visit(visit) => visit.into(),
            Work::Job(job) => match *job {
                Job::Submit(submit) => submit.into(),
                Job::Order(order) => G::crossing(order),
                Job::Apply(entry, _) => return self.desk.node.carry(entry),
            },
        };
        self.desk.node.dispatch(G::aggregate(self.id), order);
    }

    fn is_quiet(&mut self) -> bool {
        true
    }

    fn is_nothing(&self) -> bool {
        self.state.is_nothing()
    }

    fn forget(&mut self) {
        self.state = G::new(self.id);
        self.outcomes = Outcomes::default();
    }

    fn leave_directory(&self, ctx: &Context<Self>) {
        G::retire(&self.desk.node, self.id, &ctx.address());
    }
}

impl<G: Group> Actor for Office<G> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.load(ctx);
        self.watch_idle(ctx);
    }
}

impl<G: Group> Handler<Appended> for Office<G> {
    type Result = ();

    fn handle(&mut self, appended: Appended, ctx: &mut Self::Context) {
        self.appended(appended, ctx);
    }
}

impl<G: Group> Handler<HandOver> for Office<G> {
    type Result = ();

    fn handle(&mut self, order: HandOver, ctx: &mut Self::Context) {
        self.hand_over(order, ctx);
    }
}

impl<G: Group> Handler<Submit> for Office<G> {
    type Result = ();

    fn handle(&mut self, submit: Submit, ctx: &mut Self::Context) {
        self.take(Work::Job(Box::new(Job::Submit(submit))), ctx);
    }
}

impl<G: Group> Handler<Order<G::Order>> for Office<G> {
    type Result = ();

    fn handle(&mut self, order: Order<G::Order>, ctx: &mut Self::Context) {
        self.take(Work::Job(Box::new(Job::Order(order))), ctx);
    }
}

impl<G: Group> Handler<Visit> for Office<G> {
    type Result = ();

    fn handle(&mut self, visit: Visit, ctx: &mut Self::Context) {
        self.take(Work::Visit(visit), ctx);
    }
}

impl<G: Group> Handler<Apply> for Office<G> {
    type Result = ();

    fn handle(&mut self, Apply(entry): Apply, ctx: &mut Self::Context) {
        match decode(&entry.payload) {
            Ok(effect) => self.take(Work::Job(Box::new(Job::Apply(entry, Box::new(effect)))), ctx),
            Err(fault) => tracing::error!(effect = ?entry.id, %fault, "an effect cannot be read"),
        }
    }
}
