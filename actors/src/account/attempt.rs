//! Deciding an event of the account's own: what the rule lacks is fetched and the rule is asked again, and a
//! `client_req_id` that was carried out before is answered with its first outcome (websocket.md, promise 5).
//!
//! Not here: the rules, and what becomes of a decision.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use rill_proto::id::{AccountId, MessageId, RequestId, SectionId};
use rill_proto::refusal::Refusal;
use serde_json::Value;
use uuid::Uuid;

use super::Account;
use super::board::record::{self, Texts, Told};
use super::owner::Work;
use super::rules::{self, Decision, Given, Stop, Task};
use super::state::Change;
use crate::conversation::rows::decode;
use crate::outcomes::Outcome;
use crate::piece::Piece;
use crate::session::Submit;
use crate::store::{Aggregate, RowKey, Store, StoreFault, StoreFuture, UniqueKey};
use crate::watermark::Issued;

/// What was fetched for an event.
#[derive(Default)]
pub(super) struct Fetched {
    /// What came of the same `client_req_id` before, once that was looked up.
    outcome: Option<Option<Outcome>>,
    pub(super) texts: Texts,
}

/// What must be fetched first.
enum Need {
    Outcome(RequestId),
    Texts(Vec<MessageId>),
}

/// What there is to do about an event.
enum Verdict {
    Task(Task),
    Refused(Refusal),
    /// It was carried out before: what it is answered with.
    Repeated(Decision),
}

impl Account {
    pub(super) fn submit(&mut self, submit: Submit, ctx: &mut Context<Self>) {
        self.attempt(submit, Fetched::default(), ctx);
    }

    /// Judges until there is a verdict, fetching what is lacking. Every round begins with the state as it is then.
    fn attempt(&mut self, submit: Submit, mut fetched: Fetched, ctx: &mut Context<Self>) {
        loop {
            let (issued, given) = self.given_with(self.fresh(submit.request_id), &fetched.texts);
            let need = match self.judge(&submit, given, &fetched) {
                Ok(verdict) => return self.carry_out(submit, verdict, &fetched.texts, issued, ctx),
                Err(need) => need,
            };
            if let Need::Texts(wanted) = &need {
                if !self.desk.journal.is_idle() {
                    return self.desk.wait_for_appends(Work::Submit(submit));
                }
                if wanted.iter().all(|id| fetched.texts.contains_key(id)) {
                    let fault = StoreFault("a text is not the one that its task names".to_owned());
                    return self.meet(&fault, Work::Submit(submit));
                }
            }
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

    fn judge(&self, submit: &Submit, given: Given<'_>, fetched: &Fetched) -> Result<Verdict, Need> {
        let verdict = match rules::decide(&self.state, &submit.event, given) {
            Ok(Task::Decided(decision)) => {
                let wanted = self.texts_wanted(&decision, given.texts);
                if !wanted.is_empty() {
                    return Err(Need::Texts(wanted));
                }
                // Asking for something is no effect: it may be repeated, and is answered afresh.
                if decision.changes.is_empty() {
                    return Ok(Verdict::Task(Task::Decided(decision)));
                }
                Verdict::Task(Task::Decided(decision))
            }
            Ok(task) => return Ok(Verdict::Task(task)),
            Err(Stop::Refused(refusal)) => Verdict::Refused(refusal),
            Err(Stop::Needs(texts)) => return Err(Need::Texts(texts)),
        };
        let outcome = match (self.outcomes.get((self.id, submit.request_id)), &fetched.outcome) {
            (Some(outcome), _) | (None, Some(Some(outcome))) => outcome,
            (None, None) => return Err(Need::Outcome(submit.request_id)),
            (None, Some(None)) => return Ok(verdict),
        };
        let decision = recall(outcome);
        let wanted = self.texts_wanted(&decision, given.texts);
        if wanted.is_empty() { Ok(Verdict::Repeated(decision)) } else { Err(Need::Texts(wanted)) }
    }

    /// The texts without which a decision cannot be told.
    fn texts_wanted(&self, decision: &Decision, texts: &Texts) -> Vec<MessageId> {
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

    fn carry_out(
        &mut self,
        submit: Submit,
        verdict: Verdict,
        texts: &Texts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        match verdict {
            Verdict::Task(Task::Decided(decision)) => self.effect(submit, &decision, texts, issued, ctx),
            Verdict::Task(task) => self.perform(submit, task, issued, ctx),
            Verdict::Refused(refusal) => self.refuse(submit, &refusal),
            Verdict::Repeated(decision) => self.repeat(submit, decision, texts, issued, ctx),
        }
    }

    /// Answers a repeat.
    fn repeat(
        &mut self,
        submit: Submit,
        mut decision: Decision,
        texts: &Texts,
        issued: Issued,
        ctx: &mut Context<Self>,
    ) {
        let named = id_of(&decision.identifier, "account_id").map(AccountId);
        decision.tells_own = named == Some(self.id);
        let Some(other) = named.filter(|named| *named != self.id) else {
            return self.effect(submit, &decision, texts, issued, ctx);
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

/// What a repeat is answered with: the first outcome, and what it names as it is now.
fn recall(outcome: &Outcome) -> Decision {
    let message = id_of(&outcome.identifier, "message_id").map(|id| Told::Task(MessageId(id)));
    let section = id_of(&outcome.identifier, "section_id").map(|id| Told::section(SectionId(id)));
    let board = message.into_iter().chain(section).collect();
    Decision { board, identifier: outcome.identifier.clone(), ..Decision::default() }
}

fn id_of(identifier: &Value, key: &str) -> Option<Uuid> {
    identifier.get(key).and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok())
}

/// A fact that was fetched.
enum Fact {
    Outcome(Option<Outcome>),
    Texts(Texts),
}

fn fetch(store: Arc<dyn Store>, id: AccountId, need: Need) -> StoreFuture<Fact> {
    Box::pin(async move {
        match need {
            Need::Outcome(request_id) => {
                let row = store.holder(UniqueKey::Request(id, request_id.0)).await?;
                Ok(Fact::Outcome(row.map(|row| decode(&row)).transpose()?))
            }
            Need::Texts(wanted) => read_texts(store, id, wanted).await.map(Fact::Texts),
        }
    })
}

/// Reads what private tasks and canned responses say. All of them have a text; a store without one is broken.
pub(super) async fn read_texts(
    store: Arc<dyn Store>,
    id: AccountId,
    wanted: Vec<MessageId>,
) -> Result<Texts, StoreFault> {
    let mut texts = Texts::new();
    for message_id in wanted {
        let row = store.row(Aggregate::Account(id), RowKey::Text(message_id)).await?;
        let row = row.ok_or_else(|| StoreFault(format!("{message_id} has no text")))?;
        texts.insert(message_id, decode(&row)?);
    }
    Ok(texts)
}

fn know(fetched: &mut Fetched, fact: Fact) {
    match fact {
        Fact::Outcome(outcome) => fetched.outcome = Some(outcome),
        Fact::Texts(texts) => fetched.texts.extend(texts),
    }
}
