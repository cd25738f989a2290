//! What a team decides. Pure: no actor, no store, no clock, no randomness.

use bytes::Bytes;
use rill_proto::event::{ClientEvent, team::Event};
use rill_proto::id::{AccountId, TeamId};
use rill_proto::refusal::Refusal;

use super::record::{self, News};
use super::rows;
use super::state::{Change, Head, Place, State};
use super::{Order, Team};
use crate::effect::Effect;
use crate::group::{self, Facts, Group, Judged};
use crate::node::Node;
use crate::outcomes::Outcome;
use crate::store::{Aggregate, Loaded, RowKey, Stamp, StoreFault};

mod configure;
mod create;
mod draft;
mod show;
mod told;

/// What a rule decided.
pub(crate) type Decision = group::Decision<State>;

impl Group for State {
    type Id = TeamId;
    type Change = Change;
    type Order = Order;
    type News = News;

    fn new(id: TeamId) -> Self {
        Self::new(id)
    }

    fn aggregate(id: TeamId) -> Aggregate {
        Aggregate::Team(id)
    }

    fn is_nothing(&self) -> bool {
        self.head.is_none()
    }

    fn fold(&mut self, change: &Change) {
        self.fold(change);
    }

    fn rows(changes: &[Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>) {
        (rows::rows(changes), Vec::new())
    }

    fn load(id: TeamId, loaded: &Loaded) -> Result<Self, StoreFault> {
        rows::load(id, loaded)
    }

    fn decide(&self, caller: AccountId, event: &ClientEvent, facts: &Facts) -> Judged<Decision> {
        match event {
            ClientEvent::Team(Event::Get(event)) => show::get(self, caller, event.conversation_id, facts),
            ClientEvent::Account(_)
            | ClientEvent::Contact(_)
            | ClientEvent::Conv(_)
            | ClientEvent::Label(_)
            | ClientEvent::Message(_)
            | ClientEvent::MyMessage(_)
            | ClientEvent::MySection(_)
            | ClientEvent::Organisation(_)
            | ClientEvent::Section(_)
            | ClientEvent::Task(_) => Err(Refusal::not_supported(event.urn()).into()),
        }
    }

    fn order(&self, caller: AccountId, order: &Order, facts: &Facts) -> Judged<Decision> {
        match order {
            Order::Sync { conversation_id } => show::get(self, caller, *conversation_id, facts),
            Order::Survey { organisation_id } => show::survey(self, caller, *organisation_id, facts),
            Order::Create(wanted) => create::create(self, caller, wanted, facts),
            Order::Configure(wanted) => configure::configure(self, caller, wanted, facts),
            Order::Autojoin => configure::autojoin(self, caller, facts),
        }
    }

    fn apply(&self, effect: &Effect, facts: &Facts) -> Judged<Decision> {
        match effect {
            Effect::Placed { conversation_id, is_there, by, topic, roster_version, version } => {
                let place = Place { is_there: *is_there, topic: topic.clone(), version: *version };
                Ok(told::placed(self, *conversation_id, place, (*by, *roster_version), facts))
            }
            Effect::Discharged { organisation_id, by, fate, .. } => {
                Ok(told::discharged(self, *organisation_id, *by, *fate, facts))
            }
            Effect::Retired { account_id } => Ok(told::retired(self, *account_id, facts)),
            Effect::Joined { .. }
            | Effect::Dialog { .. }
            | Effect::Assigned { .. }
            | Effect::Expire { .. }
            | Effect::Sweep { .. }
            | Effect::Ring { .. }
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
            | Effect::Staffed { .. }
            | Effect::Founded { .. }
            | Effect::Answered { .. }
            | Effect::Managed { .. } => Ok(Decision::default()),
        }
    }

    fn repeat(&self, outcome: &Outcome) -> Decision {
        Decision { identifier: outcome.identifier.clone(), answer: vec![News::Whole], ..Decision::default() }
    }

    fn is_remembered(_event: &ClientEvent) -> bool {
        false
    }

    fn audience(&self, news: &News) -> Vec<AccountId> {
        record::audience(self, *news)
    }

    fn record(&self, viewer: AccountId, news: &News, site: &str) -> Option<Bytes> {
        record::record(self, viewer, *news, site)
    }

    fn since(&self, viewer: AccountId, horizon: Stamp) -> Vec<News> {
        record::since(self, viewer, horizon)
    }

    fn retire(node: &Node, id: TeamId, addr: &actix::Addr<Team>) {
        node.retire_team(id, addr);
    }

    fn crossing(order: group::Order<Order>) -> crate::border::order::Order {
        order.into()
    }
}

/// # Errors
/// 430 for one that does not exist, or is gone.
fn existing(state: &State) -> Result<&Head, Refusal> {
    state.head.as_ref().filter(|head| !head.is_deleted).ok_or_else(|| Refusal::not_found("Team"))
}
