//! What an organisation decides. Pure: no actor, no store, no clock, no randomness.

use bytes::Bytes;
use rill_proto::classificator::OrganisationStatus;
use rill_proto::event::ClientEvent;
use rill_proto::event::organisation::Event;
use rill_proto::id::{AccountId, OrganisationId};
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::record::{self, News};
use super::rows;
use super::state::{Change, Head, State};
use super::{Order, Organisation};
use crate::effect::Effect;
use crate::group::{self, Facts, Group, Judged};
use crate::node::Node;
use crate::outcomes::Outcome;
use crate::store::{Aggregate, Loaded, RowKey, Stamp, StoreFault};

mod answer;
mod changelog;
mod close;
mod draft;
mod flags;
mod found;
mod keeping;
mod staff;

/// What a rule decided.
pub(crate) type Decision = group::Decision<State>;

impl Group for State {
    type Id = OrganisationId;
    type Change = Change;
    type Order = Order;
    type News = News;

    fn new(id: OrganisationId) -> Self {
        Self::new(id)
    }

    fn aggregate(id: OrganisationId) -> Aggregate {
        Aggregate::Organisation(id)
    }

    fn is_nothing(&self) -> bool {
        self.head.is_none()
    }

    fn fold(&mut self, change: &Change) {
        self.fold(change);
    }

    fn rows(changes: &[Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>) {
        rows::rows(changes)
    }

    fn load(id: OrganisationId, loaded: &Loaded) -> Result<Self, StoreFault> {
        rows::load(id, loaded)
    }

    fn decide(&self, caller: AccountId, event: &ClientEvent, facts: &Facts) -> Judged<Decision> {
        match event {
            ClientEvent::Organisation(Event::Get(_)) => {
                existing(self)?;
                Ok(shown(self))
            }
            ClientEvent::Organisation(event) => Ok(flags::switch(self, caller, event, facts)?),
            ClientEvent::Account(_)
            | ClientEvent::Contact(_)
            | ClientEvent::Conv(_)
            | ClientEvent::Label(_)
            | ClientEvent::Message(_)
            | ClientEvent::MyMessage(_)
            | ClientEvent::MySection(_)
            | ClientEvent::Section(_)
            | ClientEvent::Task(_)
            | ClientEvent::Team(_) => Err(Refusal::not_supported(event.urn()).into()),
        }
    }

    fn order(&self, caller: AccountId, order: &Order, facts: &Facts) -> Judged<Decision> {
        match order {
            Order::Found { organisation_name } => Ok(found::found(self, caller, organisation_name, facts)?),
            Order::Sync => {
                existing(self)?;
                Ok(Decision { answer: whole(self, caller), ..Decision::default() })
            }
            Order::Configure(wanted) => staff::configure(self, caller, wanted, facts),
            Order::Admit { reminder_id } => {
                existing(self)?;
                let mut decision = answer::answered(self, (caller, *reminder_id), (true, false), facts);
                if !decision.is_durable() && !self.is_active(caller) {
                    return Err(Refusal::no_permission("Notification expired.").into());
                }
                decision.answer = vec![News::Header];
                Ok(decision)
            }
            Order::Changelog { version_nr } => changelog::page(self, caller, *version_nr, facts),
            Order::Billing => {
                administered(self, caller)?;
                Ok(Decision { answer: vec![News::Header, News::Billing], ..Decision::default() })
            }
            Order::Close => Ok(close::close(self, caller, facts)?),
        }
    }

    fn apply(&self, effect: &Effect, facts: &Facts) -> Judged<Decision> {
        match effect {
            Effect::Founded { by, organisation_name } => {
                Ok(found::found(self, *by, organisation_name, facts)?)
            }
            Effect::Answered { account_id, reminder_id, joins, is_by_letter } => {
                Ok(answer::answered(self, (*account_id, *reminder_id), (*joins, *is_by_letter), facts))
            }
            Effect::Managed { what, is_managed, entries, version } => {
                Ok(changelog::managed(self, *what, *is_managed, entries, *version, facts))
            }
            Effect::Ring { .. } => Ok(keeping::look(self, facts)),
            Effect::Joined { .. }
            | Effect::Dialog { .. }
            | Effect::Assigned { .. }
            | Effect::Sweep { .. }
            | Effect::Expire { .. }
            | Effect::Alias { .. }
            | Effect::Labelled { .. }
            | Effect::Attached { .. }
            | Effect::Stored { .. }
            | Effect::Fetch(_)
            | Effect::Profile { .. }
            | Effect::Named { .. }
            | Effect::Watched { .. }
            | Effect::Shown { .. }
            | Effect::Spread { .. }
            | Effect::Mail { .. }
            | Effect::Detached { .. }
            | Effect::Employed(_)
            | Effect::Enlisted { .. }
            | Effect::Retired { .. }
            | Effect::Staffed { .. }
            | Effect::Placed { .. }
            | Effect::Discharged { .. } => Ok(Decision::default()),
        }
    }

    fn repeat(&self, outcome: &Outcome) -> Decision {
        Decision { identifier: outcome.identifier.clone(), ..shown(self) }
    }

    fn is_remembered(event: &ClientEvent) -> bool {
        !matches!(event, ClientEvent::Organisation(Event::Get(_)))
    }

    fn audience(&self, news: &News) -> Vec<AccountId> {
        record::audience(self, news)
    }

    fn record(&self, viewer: AccountId, news: &News, _site: &str) -> Option<Bytes> {
        record::record(self, viewer, news)
    }

    fn since(&self, viewer: AccountId, horizon: Stamp) -> Vec<News> {
        record::since(self, viewer, horizon)
    }

    fn retire(node: &Node, id: OrganisationId, addr: &actix::Addr<Organisation>) {
        node.retire_organisation(id, addr);
    }

    fn crossing(order: group::Order<Order>) -> crate::border::order::Order {
        order.into()
    }
}

/// The header alone.
fn shown(state: &State) -> Decision {
    Decision {
        identifier: json!({ "organisation_id": state.id }),
        answer: vec![News::Header],
        ..Decision::default()
    }
}

/// Everything that somebody may see of it (accounts.md §9.1).
fn whole(state: &State, viewer: AccountId) -> Vec<News> {
    let mut news = vec![News::Header];
    if state.is_admin(viewer) {
        news.extend(record::members(state, 0, 0));
    }
    news
}

/// # Errors
/// 430 for one that does not exist.
fn existing(state: &State) -> Result<&Head, Refusal> {
    state.head.as_ref().ok_or_else(|| Refusal::not_found("Organisation"))
}

/// # Errors
/// 430 for one that does not exist, 431 for one that is closed, 403 for a caller who is no active admin of it.
fn administered(state: &State, caller: AccountId) -> Result<&Head, Refusal> {
    let head = existing(state)?;
    if head.status == OrganisationStatus::Closed {
        return Err(Refusal::no_permission("The organisation is closed."));
    }
    if !state.is_admin(caller) {
        return Err(Refusal::forbidden());
    }
    Ok(head)
}
