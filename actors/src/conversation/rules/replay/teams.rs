//! Teams and organisations of the rules' tests.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::classificator::OrganisationFlag;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, OrganisationId, TeamId};
use serde_json::json;
use uuid::Uuid;

use super::{Decision, Replay, event};
use crate::effect::Effect;
use crate::organisation::sight::Terms;
use crate::team::roster::Roster;
use crate::team::sight::Sight;

pub(in crate::conversation::rules) const CORE: TeamId = TeamId(Uuid::from_u128(0x7E));
pub(in crate::conversation::rules) const CREW: TeamId = TeamId(Uuid::from_u128(0x7F));
pub(in crate::conversation::rules) const ACME: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));

pub(in crate::conversation::rules) fn add_team(id: TeamId) -> ClientEvent {
    event("conv:add_team", json!({ "team_id": id }))
}

pub(in crate::conversation::rules) fn remove_team(id: TeamId) -> ClientEvent {
    event("conv:remove_team", json!({ "team_id": id }))
}

impl Replay {
    /// There is a free team with these people; what it is called is its id.
    pub(in crate::conversation::rules) fn team(&mut self, id: TeamId, members: &[AccountId]) {
        let version = self.teams.get(&id).map_or(1, |known| known.roster.version + 1);
        let roster = Roster {
            team_id: id,
            team_name: if id == CORE { "Core" } else { "Crew" }.to_owned(),
            members: members.iter().copied().collect(),
            kicked: BTreeSet::new(),
            organisation_id: self.teams.get(&id).and_then(|known| known.roster.organisation_id),
            is_deleted: false,
            version,
        };
        let sight = Sight {
            roster,
            admins: BTreeSet::new(),
            is_autojoin: false,
            conversations: BTreeMap::new(),
            promised: BTreeSet::new(),
        };
        self.teams.insert(id, sight);
    }

    /// Acme manages the team.
    pub(in crate::conversation::rules) fn managed_team(&mut self, id: TeamId, members: &[AccountId]) {
        self.team(id, members);
        self.teams.get_mut(&id).unwrap().roster.organisation_id = Some(ACME);
    }

    /// Somebody works for Acme.
    pub(in crate::conversation::rules) fn employ(&mut self, id: AccountId, is_org_admin: bool) {
        let profile = self.profiles.get_mut(&id).unwrap();
        profile.organisation_id = Some(ACME);
        profile.organisation_name = Some("Acme".to_owned());
        profile.is_org_admin = Some(is_org_admin);
        self.acme([].into());
    }

    /// There is Acme, with these settings.
    pub(in crate::conversation::rules) fn acme(&mut self, flags: BTreeSet<OrganisationFlag>) {
        let terms = Terms { name: "Acme".to_owned(), is_open: true, flags };
        self.organisations.insert(ACME, terms);
    }

    /// The team tells the conversation what it is now.
    pub(in crate::conversation::rules) fn staffed(&mut self, by: AccountId, id: TeamId) -> Decision {
        let roster = self.teams[&id].roster.clone();
        self.apply(&Effect::Staffed { roster, by })
    }
}
