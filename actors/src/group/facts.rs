//! Fetching what a group's rule lacks.

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, RequestId, TeamId};

use super::{Facts, Need};
use crate::account::profile::Profile;
use crate::account::state::Head;
use crate::conversation::rows::decode;
use crate::conversation::state::Member;
use crate::node::Node;
use crate::organisation::sight::{self as organisation, Sight as OrganisationSight};
use crate::outcomes::Outcome;
use crate::store::{Aggregate, RowKey, StoreFault, UniqueKey};
use crate::team::sight::{self as team, Sight as TeamSight};

/// A fact that was fetched.
pub(super) enum Fact {
    Profiles(Vec<(AccountId, Option<Profile>)>),
    Organisation(OrganisationId, Option<OrganisationSight>),
    Team(TeamId, Option<TeamSight>),
    Presence((AccountId, ConversationId), bool),
    Rows(Vec<(RowKey, Option<Bytes>)>),
    Outcome(Option<Outcome>),
}

/// Who asks for a fact.
pub(super) struct Asking {
    pub(super) node: Arc<Node>,
    pub(super) aggregate: Aggregate,
    /// Of the request, where it is about one: whose, and which.
    pub(super) request: Option<(AccountId, RequestId)>,
}

/// Fetches a fact.
pub(super) async fn fetch(asking: Asking, need: Need) -> Result<Fact, StoreFault> {
    let store = &*asking.node.store;
    match need {
        Need::Profiles(wanted) => {
            let mut found = Vec::with_capacity(wanted.len());
            for account_id in wanted {
                let row = store.row(Aggregate::Account(account_id), RowKey::Head).await?;
                let head = row.map(|row| decode::<Head>(&row)).transpose()?;
                found.push((account_id, head.map(|head| head.profile)));
            }
            Ok(Fact::Profiles(found))
        }
        Need::Organisation(id) => Ok(Fact::Organisation(id, organisation::sight(store, id).await?)),
        Need::Team(id) => Ok(Fact::Team(id, team::sight(store, id).await?)),
        Need::Presence(account_id, id) => {
            let row = store.row(Aggregate::Conversation(id), RowKey::Member(account_id)).await?;
            let member: Option<Member> = row.map(|row| decode(&row)).transpose()?;
            Ok(Fact::Presence((account_id, id), member.is_some_and(|member| member.is_present())))
        }
        Need::Rows(wanted) => {
            let mut found = Vec::with_capacity(wanted.len());
            for key in wanted {
                found.push((key, store.row(asking.aggregate, key).await?));
            }
            Ok(Fact::Rows(found))
        }
        Need::Outcome => {
            let key = asking.request.map(|(caller, id)| UniqueKey::Request(caller, id.0));
            let row = match key {
                Some(key) => store.holder(key).await?,
                None => None,
            };
            Ok(Fact::Outcome(row.map(|row| decode(&row)).transpose()?))
        }
    }
}

/// Puts a fact where the rules look for it.
pub(super) fn know(facts: &mut Facts, fact: Fact) {
    match fact {
        Fact::Profiles(found) => facts.profiles.extend(found),
        Fact::Organisation(id, found) => {
            facts.organisations.insert(id, found);
        }
        Fact::Team(id, found) => {
            facts.teams.insert(id, found);
        }
        Fact::Presence(who, is_in) => {
            facts.presences.insert(who, is_in);
        }
        Fact::Rows(found) => facts.rows.extend(found),
        Fact::Outcome(outcome) => facts.outcome = Some(outcome),
    }
}
