//! The teams of a conversation as a decision leaves them; those that come or go are told (accounts.md §8.2).

use rill_proto::id::{AccountId, TeamId};

use super::Draft;
use crate::conversation::rules::changelog;
use crate::effect::Effect;
use crate::store::Aggregate;
use crate::team::roster::Roster;

impl Draft<'_> {
    /// A team that is in it by now.
    pub(in crate::conversation::rules) fn team(&self, id: TeamId) -> Option<&Roster> {
        match self.teams.get(&id) {
            Some(roster) => roster.as_ref(),
            None => self.state.teams.get(&id),
        }
    }

    /// Knows a team as it is now, or (`None`) has it no longer.
    pub(in crate::conversation::rules) fn put_team(&mut self, id: TeamId, roster: Option<Roster>) {
        let is_in = self.head.teams.contains(&id);
        match (&roster, is_in) {
            (Some(_), false) => self.head.teams.push(id),
            (None, true) => self.head.teams.retain(|known| *known != id),
            (Some(_), true) | (None, false) => {}
        }
        self.teams.insert(id, roster);
    }

    /// Whether somebody is in a team that is in it by now, but for one.
    pub(in crate::conversation::rules) fn is_in_team_beside(&self, id: AccountId, beside: TeamId) -> bool {
        let mut others = self.head.teams.iter().filter(|team| **team != beside);
        others.any(|team| self.team(*team).is_some_and(|roster| roster.members.contains(&id)))
    }

    /// Teams that are in it now and were not, or the other way round, are told.
    pub(super) fn placed(&self) -> Vec<(Aggregate, Effect)> {
        let before = self.state.head.as_ref().map_or(&[][..], |head| &head.teams);
        let changed = self.teams.iter().filter(|(id, roster)| before.contains(id) != roster.is_some());
        let placed = changed.map(|(id, roster)| {
            let placed = Effect::Placed {
                conversation_id: self.state.conversation_id,
                is_there: roster.is_some(),
                by: self.caller,
                topic: changelog::name(&self.head.topic, self.everybody().map(|(_, member)| member)),
                roster_version: roster.as_ref().map_or(0, |roster| roster.version),
                version: self.facts.stamp,
            };
            (Aggregate::Team(*id), placed)
        });
        placed.collect()
    }
}
