//! An account in the eyes of others who ask: looked up by its address, by its id, or when it was last active.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::record::{self, lastseen::Lastseen};
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::contact::{self, Known};
use super::login::person_of;
use super::owner::Work;
use super::rules::{Decision, registration};
use super::state::{Change, Head};
use super::submission::event_reply;
use super::{Account, AskActivity, Found, Introduce, Rested};
use crate::conversation::rows::decode;
use crate::hub::Item;
use crate::journal::{Departure, Reply};
use crate::node::Node;
use crate::piece::Piece;
use crate::session::Submit;
use crate::store::{Aggregate, RowKey, StoreFault};

impl Account {
    /// Finds the account of an address and asks it to show itself.
    pub(super) fn look_up(&mut self, submit: Submit, email: String, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.desk.node);
        let found = async move { (person_of(&node, &email).await, email) };
        ctx.wait(found.into_actor(self).map(|(found, email), owner, ctx| match found {
            Ok(id) => owner.ask(id, Introduce { submit, found: Found::ByEmail(email) }, ctx),
            Err(fault) => owner.meet(&fault, Work::Submit(submit)),
        }));
    }

    pub(super) fn ask(&mut self, id: AccountId, introduce: Introduce, ctx: &mut Context<Self>) {
        if id == self.id {
            return self.introduce(introduce, ctx);
        }
        let fault = introduce.submit.answer(Err(&Refusal::unavailable()));
        if self.desk.node.to_account(id, introduce).is_err() {
            self.desk.node.inboxes.put(fault);
        }
    }

    /// Shows this account to whoever asked, in the form that fits.
    pub(super) fn introduce(&mut self, introduce: Introduce, ctx: &mut Context<Self>) {
        let Introduce { submit, found } = introduce;
        let (issued, facts) = self.facts();
        let decision = match &found {
            Found::ByEmail(email) => registration::become_known(&self.state, email, &facts),
            Found::ById { .. } => Decision::default(),
        };
        self.take_in(&decision);
        let Some(head) = &self.state.head else {
            return self.refuse(submit, &Refusal::not_found("Account"));
        };
        let piece = if submit.lane.account_id() == self.id {
            Piece::Shared(self.own_record(head))
        } else {
            let known = Known::new(self.id, &head.profile);
            match &found {
                Found::ByEmail(_) => Piece::Shared(known.unlisted()),
                Found::ById { is_listed, through, .. } if *is_listed || self.shares(through) => {
                    Piece::Contact(Arc::new(known))
                }
                // Members who are hidden are found by colleagues, and by who knows an address of theirs (accounts.md §9.7).
                Found::ById { organisation_id, .. }
                    if head.duty.is_hidden && *organisation_id != head.profile.organisation_id =>
                {
                    return self.refuse(submit, &Refusal::not_found("Account"));
                }
                Found::ById { .. } => Piece::Shared(contact::stranger(self.id, &head.profile)),
            }
        };
        let identifier = json!({ "account_id": self.id });
        self.desk.node.metrics.events_done.add(1);
        let request = submit.record(Ok(&identifier));
        let reply = event_reply(submit, 0, request, vec![piece]);
        self.write(&decision, Vec::new(), Departure { issued: Some(issued), ..Departure::reply(reply) }, ctx);
    }

    fn shares(&self, through: &BTreeSet<ConversationId>) -> bool {
        self.state.memberships.keys().any(|id| through.contains(id))
    }

    /// Says when it was last active, to somebody in whose list it is. Who keeps to himself says nothing.
    pub(super) fn show_activity(&mut self, asked: AskActivity) {
        let head = self.state.head.as_ref();
        let head = head.filter(|head| head.settings.is_full_privacy != Some(true) || head.duty.is_present);
        let stored = head.map(|head| head.activity_time).filter(|time| *time > 0);
        let noted = head.and_then(|_| self.desk.node.presence.activity(self.id));
        let is_known = asked.is_listed || self.shares(&asked.through);
        let AskActivity { lane, frame, token, .. } = asked;
        let items = match noted.max(stored).filter(|_| is_known) {
            Some(activity_time) => {
                let seen = record::complete(&Lastseen { account_id: self.id, activity_time });
                vec![Item::Part(lane, frame, vec![Piece::Shared(seen.into())])]
            }
            None => Vec::new(),
        };
        let reply = Reply::Order(Box::new(move |_| drop(token)));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    /// Its last session has gone: what memory knows of its activity becomes durable.
    pub(super) fn rest(&mut self, Rested { activity_time }: Rested, ctx: &mut Context<Self>) {
        let Some(head) = self.state.head.as_ref().filter(|head| activity_time > head.activity_time) else {
            return self.desk.node.presence.forget_activity(self.id, activity_time);
        };
        let decision = Decision {
            changes: vec![Change::Head(Head { activity_time, ..head.clone() })],
            ..Decision::default()
        };
        let (issued, _) = self.facts();
        let node = Arc::clone(&self.desk.node);
        let account_id = self.id;
        let kept = Reply::Order(Box::new(move |is_kept| {
            if is_kept {
                node.presence.forget_activity(account_id, activity_time);
            }
        }));
        self.change(&decision, kept, issued, ctx);
    }

    /// What everybody may know of some accounts, as it is stored.
    pub(super) async fn profiles(
        node: Arc<Node>,
        wanted: Vec<(AccountId, Option<String>)>,
    ) -> Result<Vec<Piece>, StoreFault> {
        let mut pieces = Vec::with_capacity(wanted.len());
        for (id, named) in wanted {
            let row = node.store.row(Aggregate::Account(id), RowKey::Head).await?;
            let head = row.map(|row| decode::<Head>(&row)).transpose()?;
            let of_address = named.map(|email| super::profile::Profile::of_address(&email));
            if let Some(profile) = head.map(|head| head.profile).or(of_address) {
                pieces.push(Piece::Contact(Arc::new(Known::new(id, &profile))));
            }
        }
        Ok(pieces)
    }
}
