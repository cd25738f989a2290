//! A change of an organisation in the making: every step that is logged raises its version (accounts.md §9.1).

use std::collections::BTreeMap;

use rill_proto::classificator::StaffStatus;
use rill_proto::id::AccountId;
use serde_json::{Value, json};

use super::Decision;
use crate::account::employment::Employment;
use crate::effect::{Effect, Fate};
use crate::group::Facts;
use crate::organisation::changelog::Entry;
use crate::organisation::record::News;
use crate::organisation::state::{Change, Head, Member, State};
use crate::store::Aggregate;

/// See the module.
pub(super) struct Draft<'a> {
    pub(super) state: &'a State,
    pub(super) facts: &'a Facts,
    pub(super) caller: AccountId,
    pub(super) head: Head,
    /// Those whose place changes.
    members: BTreeMap<AccountId, Member>,
    changes: Vec<Change>,
    pub(super) effects: Vec<(Aggregate, Effect)>,
    /// Everybody is told what he is to it: its name or what it binds them to is another one.
    pub(super) concerns_all: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State, caller: AccountId, head: &Head, facts: &'a Facts) -> Self {
        Self {
            state,
            facts,
            caller,
            head: head.clone(),
            members: BTreeMap::new(),
            changes: Vec::new(),
            effects: Vec::new(),
            concerns_all: false,
        }
    }

    /// Somebody's place by now.
    pub(super) fn member(&self, id: AccountId) -> Option<&Member> {
        self.members.get(&id).or_else(|| self.state.members.get(&id))
    }

    /// Everybody's place by now.
    pub(super) fn members(&self) -> BTreeMap<AccountId, &Member> {
        let mut members: BTreeMap<AccountId, &Member> =
            self.state.members.iter().map(|(id, member)| (*id, member)).collect();
        members.extend(self.members.iter().map(|(id, member)| (*id, member)));
        members
    }

    /// Gives somebody a place.
    pub(super) fn put(&mut self, id: AccountId, member: Member) {
        self.members.insert(id, Member { stamp: self.facts.stamp, ..member });
    }

    /// A change that nobody writes down.
    pub(super) fn step(&mut self) {
        self.head.version_nr += 1;
    }

    /// A change of the caller's.
    pub(super) fn log(&mut self, event_type: &str, data: Value) {
        self.enter(Entry::of(self.caller, event_type, data, self.facts.now));
    }

    /// A change that somebody else has written down.
    pub(super) fn enter(&mut self, entry: Entry) {
        self.step();
        self.changes.push(Change::Entry(self.head.version_nr, entry));
    }

    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// What somebody is to it.
    fn employment(&self, id: AccountId, member: &Member) -> (Aggregate, Effect) {
        let employment = Employment {
            organisation_id: self.state.id,
            organisation_name: self.head.name.clone(),
            status: member.status,
            is_admin: member.is_admin,
            inviter_id: member.inviter_id,
            reminder_id: member.reminder_id,
            invited_time: member.invited.last().copied().unwrap_or_default(),
            flags: self.head.flags.clone(),
            version: self.facts.stamp,
        };
        (Aggregate::Account(id), Effect::Employed(employment))
    }

    /// Tells everything that it manages what became of somebody, or of itself.
    pub(super) fn discharge(&mut self, fate: Fate) {
        let teams = self.state.teams.iter().filter(|(_, charge)| charge.is_managed);
        let teams = teams.map(|(id, _)| Aggregate::Team(*id));
        let conversations = self.state.conversations.iter().filter(|(_, charge)| charge.is_managed);
        let conversations = conversations.map(|(id, _)| Aggregate::Conversation(*id));
        // Who comes is the teams' business alone.
        let conversations = conversations.filter(|_| !matches!(fate, Fate::Invited(_)));
        let told = teams.chain(conversations).map(|target| {
            let effect = Effect::Discharged {
                organisation_id: self.state.id,
                organisation_name: self.head.name.clone(),
                by: self.caller,
                fate,
            };
            (target, effect)
        });
        self.effects.extend(told);
    }

    /// The decision: whoever may know is told, and whoever's place changed.
    pub(super) fn finish(mut self) -> Decision {
        self.head.stamp = self.facts.stamp;
        let told: Vec<AccountId> = if self.concerns_all {
            let is_in = |member: &Member| {
                matches!(member.status, StaffStatus::Active | StaffStatus::Pending | StaffStatus::Suspended)
            };
            let members = self.members();
            let changed = |id: &AccountId| self.members.contains_key(id);
            members.iter().filter(|(id, member)| is_in(member) || changed(id)).map(|(id, _)| *id).collect()
        } else {
            self.members.keys().copied().collect()
        };
        let employed: Vec<_> = told
            .iter()
            .filter_map(|id| self.member(*id).map(|member| self.employment(*id, member)))
            .collect();
        let mut effects = employed;
        effects.append(&mut self.effects);
        let mut changes = vec![Change::Head(self.head)];
        changes.append(&mut self.changes);
        let mut news = vec![News::Header];
        for (id, member) in self.members {
            news.push(News::Member(id));
            changes.push(Change::Member(id, member));
        }
        Decision {
            changes,
            effects,
            identifier: json!({ "organisation_id": self.state.id }),
            answer: vec![News::Header],
            news,
        }
    }
}
