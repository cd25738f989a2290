//! Deciding an event of the account's own: what the rule lacks is fetched and the rule is asked again, and a
//! `client_req_id` that was carried out before is answered with its first outcome (websocket.md, promise 5).
//!
//! Not here: the rules, and what becomes of a decision.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use rill_proto::id::{AccountId, RequestId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::Account;
use super::owner::Work;
use super::rules::{self, Decision, Given, Task};
use crate::conversation::rows::decode;
use crate::outcomes::Outcome;
use crate::piece::Piece;
use crate::session::Submit;
use crate::store::{Store, StoreFault, StoreFuture, UniqueKey};
use crate::watermark::Issued;

/// What was fetched for an event.
#[derive(Default)]
pub(super) struct Fetched {
    /// What came of the same `client_req_id` before, once that was looked up.
    outcome: Option<Option<Outcome>>,
}

/// What must be fetched first.
enum Need {
    Outcome(RequestId),
}

/// What there is to do about an event.
enum Verdict {
    Task(Task),
    Refused(Refusal),
    /// It was carried out before.
    Repeated(Outcome),
}

impl Account {
    pub(super) fn submit(&mut self, submit: Submit, ctx: &mut Context<Self>) {
        self.attempt(submit, Fetched::default(), ctx);
    }

    /// Judges until there is a verdict, fetching what is lacking. Every round begins with the state as it is then.
    fn attempt(&mut self, submit: Submit, mut fetched: Fetched, ctx: &mut Context<Self>) {
        loop {
            let (issued, given) = self.given(self.fresh(submit.request_id));
            let need = match self.judge(&submit, given, &fetched) {
                Ok(verdict) => return self.carry_out(submit, verdict, issued, ctx),
                Err(need) => need,
            };
            let mut fetching = fetch(Arc::clone(&self.desk.node.store), self.id, need);
            match fetching.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
                Poll::Ready(Ok(fact)) => know(&mut fetched, fact),
                Poll::Ready(Err(fault)) => return self.meet(&fault, Work::Submit(submit)),
                Poll::Pending => {
                    ctx.wait(fetching.into_actor(self).map(|fact, owner, ctx| match fact {
                        Ok(fact) => {
                            know(&mut fetched, fact);
                            owner.attempt(submit, fetched, ctx);
                        }
                        Err(fault) => owner.meet(&fault, Work::Submit(submit)),
                    }));
                    return;
                }
            }
        }
    }

    fn judge(&self, submit: &Submit, given: Given, fetched: &Fetched) -> Result<Verdict, Need> {
        let verdict = match rules::decide(&self.state, &submit.event, given) {
            // Asking for something is no effect: it may be repeated, and is answered afresh.
            Ok(Task::Decided(decision)) if decision.changes.is_empty() => {
                return Ok(Verdict::Task(Task::Decided(decision)));
            }
            Ok(Task::Decided(decision)) => Verdict::Task(Task::Decided(decision)),
            Ok(task) => return Ok(Verdict::Task(task)),
            Err(refusal) => Verdict::Refused(refusal),
        };
        if let Some(outcome) = self.outcomes.get((self.id, submit.request_id)) {
            return Ok(Verdict::Repeated(outcome.clone()));
        }
        match &fetched.outcome {
            None => Err(Need::Outcome(submit.request_id)),
            Some(None) => Ok(verdict),
            Some(Some(outcome)) => Ok(Verdict::Repeated(outcome.clone())),
        }
    }

    fn carry_out(&mut self, submit: Submit, verdict: Verdict, issued: Issued, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::Task(task) => self.perform(submit, task, issued, ctx),
            Verdict::Refused(refusal) => self.refuse(submit, &refusal),
            Verdict::Repeated(outcome) => self.recall(submit, outcome, issued, ctx),
        }
    }

    /// Answers a repeat: the first outcome, and what it names as it is now.
    fn recall(&mut self, submit: Submit, outcome: Outcome, issued: Issued, ctx: &mut Context<Self>) {
        let names = |key: &str| outcome.identifier.get(key).and_then(serde_json::Value::as_str);
        let named = names("account_id").and_then(|id| Uuid::parse_str(id).ok()).map(AccountId);
        let decision = Decision {
            tells_own: named == Some(self.id),
            identifier: outcome.identifier.clone(),
            ..Decision::default()
        };
        let Some(other) = named.filter(|named| *named != self.id) else {
            return self.effect(submit, &decision, issued, ctx);
        };
        let shown = Self::profiles(Arc::clone(&self.desk.node), vec![other]);
        ctx.wait(shown.into_actor(self).map(
            move |shown: Result<Vec<Piece>, StoreFault>, owner, _| match shown {
                Ok(pieces) => owner.answer(submit, &decision.identifier, pieces),
                Err(fault) => owner.meet(&fault, Work::Submit(submit)),
            },
        ));
    }

    /// The id of what an event makes: the same for the same request.
    fn fresh(&self, request_id: RequestId) -> Uuid {
        let mut name = [0; 32];
        name[..16].copy_from_slice(self.id.0.as_bytes());
        name[16..].copy_from_slice(request_id.0.as_bytes());
        self.desk.node.derived_id("own", &name)
    }
}

/// A fact that was fetched.
enum Fact {
    Outcome(Option<Outcome>),
}

fn fetch(store: Arc<dyn Store>, id: AccountId, need: Need) -> StoreFuture<Fact> {
    Box::pin(async move {
        match need {
            Need::Outcome(request_id) => {
                let row = store.holder(UniqueKey::Request(id, request_id.0)).await?;
                Ok(Fact::Outcome(row.map(|row| decode(&row)).transpose()?))
            }
        }
    })
}

fn know(fetched: &mut Fetched, fact: Fact) {
    match fact {
        Fact::Outcome(outcome) => fetched.outcome = Some(outcome),
    }
}
