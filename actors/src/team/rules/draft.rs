//! A change of a team in the making: each kind of change raises its version, is told to its conversations, and is written down
//! by the organisation that manages it (accounts.md §8.1, §9.5).

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use serde_json::{Value, json};

use super::Decision;
use crate::effect::{Charge, Effect};
use crate::group::Facts;
use crate::organisation::changelog::Entry;
use crate::organisation::sight::Sight;
use crate::store::Aggregate;
use crate::team::record::News;
use crate::team::roster::Roster;
use crate::team::state::{Change, Head, Member, Place, State};

/// See the module.
pub(super) struct Draft<'a> {
    /// The team as it is after the changes so far.
    pub(super) state: State,
    before: &'a State,
    pub(super) facts: &'a Facts,
    caller: AccountId,
    /// Those whose row changes.
    touched: BTreeSet<AccountId>,
    places: BTreeSet<ConversationId>,
    entries: Vec<Entry>,
    /// The organisation that is told: the one that manages it, or did.
    told: Option<OrganisationId>,
    /// Its conversations need not know.
    pub(super) is_quiet: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(before: &'a State, caller: AccountId, head: Head, facts: &'a Facts) -> Self {
        let told = head.organisation_id;
        let state = State { head: Some(head), ..before.clone() };
        Self {
            state,
            before,
            facts,
            caller,
            touched: BTreeSet::new(),
            places: BTreeSet::new(),
            entries: Vec::new(),
            told,
            is_quiet: false,
        }
    }

    pub(super) fn head(&self) -> &Head {
        self.state.head.as_ref().expect("a draft has a head from its beginning on")
    }

    pub(super) fn head_mut(&mut self) -> &mut Head {
        self.state.head.as_mut().expect("a draft has a head from its beginning on")
    }

    /// Whose it is from now on.
    pub(super) fn manage(&mut self, organisation_id: Option<OrganisationId>) {
        self.told = organisation_id.or(self.told);
        let managed_time = organisation_id.map(|_| self.facts.now);
        let head = self.head_mut();
        head.organisation_id = organisation_id;
        head.managed_time = managed_time;
        head.is_org_wide &= organisation_id.is_some();
    }

    pub(super) fn put(&mut self, id: AccountId, member: Member) {
        let member = Member { stamp: self.facts.stamp, ..member };
        self.state.members.insert(id, member);
        self.touched.insert(id);
    }

    pub(super) fn place(&mut self, id: ConversationId, place: Place) {
        self.state.conversations.insert(id, place);
        self.places.insert(id);
    }

    /// One kind of change; where an organisation manages the team, it writes it down.
    pub(super) fn log(&mut self, event_type: &str, mut data: Value) {
        self.head_mut().version_nr += 1;
        if self.told.is_some() {
            data["team_id"] = json!(self.state.id);
            data["team_name"] = json!(self.head().name);
            self.entries.push(Entry::of(self.caller, event_type, data, self.facts.now));
        }
    }

    /// Takes people in; who is in already is passed over.
    pub(super) fn add(&mut self, wanted: &[AccountId], organisation: Option<&Sight>) -> Vec<AccountId> {
        let new: Vec<AccountId> = wanted.iter().copied().filter(|id| !self.state.is_present(*id)).collect();
        for id in &new {
            let is_pending = organisation.is_some_and(|organisation| organisation.is_pending(*id));
            let is_admin = self.state.members.get(id).is_some_and(|member| member.is_admin);
            self.put(*id, Member { is_present: true, is_admin, is_pending, ..Member::default() });
        }
        new
    }

    /// Puts people out; who is not in is passed over.
    pub(super) fn remove(&mut self, wanted: &[AccountId]) -> Vec<AccountId> {
        let gone: Vec<AccountId> = wanted.iter().copied().filter(|id| self.state.is_present(*id)).collect();
        for id in &gone {
            self.put(*id, Member::default());
        }
        gone
    }

    /// Puts people out together with what they could read in its conversations.
    pub(super) fn kick(&mut self, wanted: &[AccountId]) -> Vec<AccountId> {
        let gone = self.remove(wanted);
        for id in &gone {
            self.put(*id, Member { is_kicked: true, ..Member::default() });
        }
        gone
    }

    /// The decision: its members are told, whoever came or went, its conversations, and the organisation.
    pub(super) fn finish(mut self) -> Decision {
        let stamp = self.facts.stamp;
        self.head_mut().stamp = stamp;
        let head = self.head().clone();
        let mut decision = Decision {
            identifier: json!({ "team_id": self.state.id }),
            answer: vec![News::Whole, News::Label],
            news: vec![News::Whole],
            ..Decision::default()
        };
        let is_renamed = self.before.head.as_ref().is_some_and(|before| before.name != head.name);
        let mut told: BTreeMap<AccountId, bool> = BTreeMap::new();
        for (id, member) in &self.state.members {
            let was_in = self.before.is_present(*id);
            let is_other =
                was_in != member.is_present || (member.is_present && (is_renamed || head.is_deleted));
            if is_other {
                told.insert(*id, member.is_present && !head.is_deleted);
            }
            decision.news.extend((was_in && !member.is_present).then_some(News::Gone(*id)));
        }
        for (id, is_member) in told {
            let team_name = head.name.clone();
            let enlisted = Effect::Enlisted { team_id: self.state.id, team_name, is_member, version: stamp };
            decision.effects.push((Aggregate::Account(id), enlisted));
        }
        if !self.is_quiet {
            decision.effects.extend(self.staffed());
        }
        if let Some(organisation_id) = self.told {
            let managed = Effect::Managed {
                what: Charge::Team(self.state.id),
                is_managed: head.organisation_id == Some(organisation_id) && !head.is_deleted,
                entries: std::mem::take(&mut self.entries),
                version: stamp,
            };
            decision.effects.push((Aggregate::Organisation(organisation_id), managed));
        }
        decision.changes.push(Change::Head(head));
        let members = self.touched.iter().map(|id| Change::Member(*id, self.state.members[id]));
        decision.changes.extend(members);
        let places = self.places.iter().map(|id| Change::Place(*id, self.state.conversations[id].clone()));
        decision.changes.extend(places);
        decision
    }

    /// What its conversations are told.
    fn staffed(&self) -> Vec<(Aggregate, Effect)> {
        let Some(roster) = Roster::of(&self.state) else { return Vec::new() };
        let there = self.state.conversations.iter().filter(|(_, place)| place.is_there);
        let told = there.map(|(id, _)| {
            (Aggregate::Conversation(*id), Effect::Staffed { roster: roster.clone(), by: self.caller })
        });
        told.collect()
    }
}
