//! What a decision makes others keep: teams are told where they are, and the organisation that manages the conversation what
//! became of it (accounts.md §8.2, §9.5).

use std::collections::BTreeSet;

use rill_proto::id::{AccountId, TeamId};
use rill_proto::record::conv::default_topic;
use serde_json::{Value, json};

use super::Draft;
use crate::effect::{Charge, Effect};
use crate::organisation::changelog::Entry;
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

    /// What the organisation that manages it, or did, writes down of it; nobody does where none is.
    pub(in crate::conversation::rules) fn log(&mut self, event_type: &str, mut data: Value) {
        data["conversation_id"] = json!(self.state.conversation_id);
        data["topic"] = json!(self.called());
        self.entries.push(Entry::of(self.caller, event_type, data, self.facts.now));
    }

    /// The topic; where there is none, what stands for it to the one who acts.
    fn called(&self) -> String {
        if !self.head.topic.is_empty() {
            return self.head.topic.clone();
        }
        let others = self.present().into_iter().filter(|id| *id != self.caller);
        let others: Vec<AccountId> = others.collect();
        let names = others.iter().filter_map(|id| self.member(*id));
        default_topic(&names.map(|member| member.profile.display_name.as_str()).collect::<Vec<_>>())
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
                topic: self.called(),
                roster_version: roster.as_ref().map_or(0, |roster| roster.version),
                version: self.facts.stamp,
            };
            (Aggregate::Team(*id), placed)
        });
        placed.collect()
    }

    /// The organisation that manages it, or did, is told whether it does, and what it is to write down.
    pub(super) fn charged(&self) -> Vec<(Aggregate, Effect)> {
        let before = self.state.head.as_ref().and_then(|head| head.settings.organisation_id);
        let after = self.head.settings.organisation_id;
        if before == after && self.entries.is_empty() {
            return Vec::new();
        }
        let concerned: BTreeSet<_> = before.into_iter().chain(after).collect();
        let told = concerned.into_iter().map(|id| {
            let managed = Effect::Managed {
                what: Charge::Conversation(self.state.conversation_id),
                is_managed: after == Some(id),
                // What it is put under, or set free from, is one organisation.
                entries: self.entries.clone(),
                version: self.facts.stamp,
            };
            (Aggregate::Organisation(id), managed)
        });
        told.collect()
    }
}
