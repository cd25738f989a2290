//! A team as its conversations know it: who is in it, told whenever that changes (accounts.md §8.2).

use std::collections::BTreeSet;

use rill_proto::id::{AccountId, OrganisationId, TeamId};
use serde::{Deserialize, Serialize};

use super::state::State;

/// What a conversation keeps of a team that it has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Roster {
    /// The team.
    pub team_id: TeamId,
    /// Its name.
    pub team_name: String,
    /// Everybody in it; nobody when it is deleted.
    pub members: BTreeSet<AccountId>,
    /// Those who were put out together with what they could read (accounts.md §10.3), and did not come back: whoever was told of
    /// a later change first must know as well.
    #[serde(default)]
    pub kicked: BTreeSet<AccountId>,
    /// The organisation that manages it.
    #[serde(default)]
    pub organisation_id: Option<OrganisationId>,
    /// The team is gone, and its conversations have it no longer.
    #[serde(default)]
    pub is_deleted: bool,
    /// Rises with every change of the team: an older one says nothing new.
    pub version: u64,
}

impl Roster {
    /// As the team is; `None` when it does not exist.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        let head = state.head.as_ref()?;
        let kicked = state.members.iter().filter(|(_, member)| member.is_kicked && !member.is_present);
        Some(Self {
            team_id: state.id,
            team_name: head.name.clone(),
            members: if head.is_deleted { BTreeSet::new() } else { state.present().collect() },
            kicked: kicked.map(|(id, _)| *id).collect(),
            organisation_id: head.organisation_id,
            is_deleted: head.is_deleted,
            version: head.version_nr,
        })
    }
}
