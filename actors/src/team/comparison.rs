//! A team beside an organisation: who is in one and not in the other (accounts.md §8.5), read from rows as they are stored.

use rill_proto::classificator::StaffStatus;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};

use super::sight::{Sight, sight};
use crate::organisation::sight::{Sight as Organisation, sight as organisation};
use crate::store::{Store, StoreFault};

/// What is not the same. Whoever has not answered the organisation's invitation counts as in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// In the team alone.
    pub outside: Vec<AccountId>,
    /// In the organisation alone.
    pub missing: Vec<AccountId>,
    /// The conversations that have the team.
    pub conversations: Vec<ConversationId>,
}

/// Compares; `None` when there is no such team, or it is none of the organisation's and the caller is not in it.
///
/// # Errors
/// The store cannot be read.
pub async fn compare(
    store: &dyn Store,
    team_id: TeamId,
    organisation_id: OrganisationId,
    caller: AccountId,
) -> Result<Option<Difference>, StoreFault> {
    let (Some(team), Some(organisation)) =
        (sight(store, team_id).await?, organisation(store, organisation_id).await?)
    else {
        return Ok(None);
    };
    let is_its = team.roster.organisation_id == Some(organisation_id);
    let is_free = team.roster.organisation_id.is_none() && team.is_member(caller);
    let is_meant = !team.roster.is_deleted && (is_its || is_free);
    Ok(is_meant.then(|| Difference::between(&team, &organisation)))
}

impl Difference {
    fn between(team: &Sight, organisation: &Organisation) -> Self {
        let is_in = |status: StaffStatus| {
            matches!(status, StaffStatus::Active | StaffStatus::Pending | StaffStatus::Suspended)
        };
        let is_of_it =
            |id: &AccountId| organisation.members.get(id).is_some_and(|(status, _)| is_in(*status));
        let members = &team.roster.members;
        let staff = organisation.members.keys().filter(|id| is_of_it(id));
        Self {
            outside: members.iter().filter(|id| !is_of_it(id)).copied().collect(),
            missing: staff.filter(|id| !members.contains(id)).copied().collect(),
            conversations: team
                .conversations
                .iter()
                .filter(|(_, is_there)| **is_there)
                .map(|(id, _)| *id)
                .collect(),
        }
    }
}
