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
    /// Members whose organisation's invitation is unanswered; only where it is managed.
    #[serde(default)]
    pub pending: BTreeSet<AccountId>,
    /// Those who were put out with this change together with what they could read (accounts.md §10.3).
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
        let present: BTreeSet<AccountId> = state.present().collect();
        let pending = present.iter().copied().filter(|id| state.members[id].is_pending);
        let pending = if head.organisation_id.is_some() { pending.collect() } else { BTreeSet::new() };
        Some(Self {
            team_id: state.id,
            team_name: head.name.clone(),
            pending,
            members: if head.is_deleted { BTreeSet::new() } else { present },
            kicked: BTreeSet::new(),
            organisation_id: head.organisation_id,
            is_deleted: head.is_deleted,
            version: head.version_nr,
        })
    }
}
