//! The way through which the tests of a group's rules go: decide with whatever facts are asked for, fold, and compare with a
//! reload; and whoever was told everything has what a visit from his horizon tells him.

use std::collections::BTreeMap;

use bytes::Bytes;
use rill_proto::classificator::AccountStatus;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::{Decision, Facts, Group, Judged, Need, Stop};
use crate::account::profile::Profile;
use crate::effect::Effect;
use crate::organisation::sight::Sight as OrganisationSight;
use crate::store::{Loaded, RowKey, Stamp};
use crate::team::sight::Sight as TeamSight;

/// For how long files are kept.
pub(crate) const FILES_KEPT_S: i64 = 900;
pub(crate) const ALICE: AccountId = AccountId(Uuid::from_u128(1));
pub(crate) const BOB: AccountId = AccountId(Uuid::from_u128(2));
pub(crate) const CAROL: AccountId = AccountId(Uuid::from_u128(3));
pub(crate) const NOBODY: AccountId = AccountId(Uuid::from_u128(9));

/// What records name as the server's address.
const SITE: &str = "https://rill.example";

/// A registered account's.
pub(crate) fn profile(name: &str) -> Profile {
    Profile {
        display_name: name.to_owned(),
        status: AccountStatus::Active,
        ..Profile::of_address(&format!("{name}@example.com"))
    }
}

/// A group, its store, and what is known elsewhere.
pub(crate) struct Replay<G: Group> {
    pub(crate) state: G,
    id: G::Id,
    rows: BTreeMap<RowKey, Bytes>,
    pub(crate) profiles: BTreeMap<AccountId, Profile>,
    pub(crate) organisations: BTreeMap<OrganisationId, OrganisationSight>,
    pub(crate) teams: BTreeMap<TeamId, TeamSight>,
    /// Who is in which conversation.
    pub(crate) presences: Vec<(AccountId, ConversationId)>,
    pub(crate) stamp: Stamp,
    pub(crate) now: i64,
}

impl<G: Group> Replay<G> {
    /// One that does not exist yet, and three people.
    pub(crate) fn new(id: G::Id) -> Self {
        let people = [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")];
        Self {
            state: G::new(id),
            id,
            rows: BTreeMap::new(),
            profiles: people.into_iter().map(|(id, name)| (id, profile(name))).collect(),
            organisations: BTreeMap::new(),
            teams: BTreeMap::new(),
            presences: Vec::new(),
            stamp: 1_000,
            now: 1_000,
        }
    }

    /// Asks for an event and carries the decision out.
    pub(crate) fn ask(
        &mut self,
        caller: AccountId,
        event: impl Into<ClientEvent>,
    ) -> Result<Decision<G>, Refusal> {
        let event = event.into();
        self.carry_out(|state, facts| state.decide(caller, &event, facts))
    }

    /// Gives the order of an HTTP call.
    pub(crate) fn order(&mut self, caller: AccountId, order: G::Order) -> Result<Decision<G>, Refusal> {
        self.carry_out(|state, facts| state.order(caller, &order, facts))
    }

    /// What another owner's effect does; applied again, it does nothing more.
    pub(crate) fn apply(&mut self, effect: &Effect) -> Decision<G> {
        let decision = self.carry_out(|state, facts| state.apply(effect, facts));
        decision.unwrap_or_default()
    }

    /// The records by which somebody is told of some news.
    pub(crate) fn told(&self, viewer: AccountId, news: &[G::News]) -> Vec<serde_json::Value> {
        let records = news.iter().filter_map(|news| self.state.record(viewer, news, SITE));
        records.map(|record| serde_json::from_slice(&record).expect("it is JSON")).collect()
    }

    fn carry_out(
        &mut self,
        rule: impl Fn(&G, &Facts) -> Judged<Decision<G>>,
    ) -> Result<Decision<G>, Refusal> {
        self.stamp += 1;
        let fresh = Uuid::from_u128(u128::from(self.stamp));
        let mut facts =
            Facts { now: self.now, stamp: self.stamp, fresh, files_kept_s: FILES_KEPT_S, ..Facts::default() };
        let decision = loop {
            match rule(&self.state, &facts) {
                Ok(decision) => break decision,
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(need)) => self.know(&mut facts, need),
            }
        };
        for change in &decision.changes {
            self.state.fold(change);
        }
        let (put, remove) = G::rows(&decision.changes);
        remove.iter().for_each(|key| drop(self.rows.remove(key)));
        self.rows.extend(put);
        let held = self.rows.iter().filter(|(key, _)| !matches!(key, RowKey::Slot(_)));
        let rows = held.map(|(key, row)| (*key, row.clone())).collect();
        let loaded = G::load(self.id, &Loaded { version: 1, rows }).expect("it was written");
        assert_eq!(loaded, self.state, "what is folded is what is loaded");
        self.check_catch_up(&decision);
        Ok(decision)
    }

    /// Whoever is told of a change at once would be told of it after a reconnect as well.
    fn check_catch_up(&self, decision: &Decision<G>) {
        for news in &decision.news {
            for viewer in self.state.audience(news) {
                let Some(record) = self.state.record(viewer, news, SITE) else { continue };
                let later = self.state.since(viewer, self.stamp - 1);
                let mut later = later.iter().filter_map(|news| self.state.record(viewer, news, SITE));
                assert!(later.any(|later| later == record), "{news:?} is not told again to {viewer}");
            }
        }
    }

    fn know(&self, facts: &mut Facts, need: Need) {
        match need {
            Need::Profiles(wanted) => {
                facts.profiles.extend(wanted.into_iter().map(|id| (id, self.profiles.get(&id).cloned())));
            }
            Need::Organisation(id) => {
                facts.organisations.insert(id, self.organisations.get(&id).cloned());
            }
            Need::Team(id) => {
                facts.teams.insert(id, self.teams.get(&id).cloned());
            }
            Need::Presence(account_id, id) => {
                facts.presences.insert((account_id, id), self.presences.contains(&(account_id, id)));
            }
            Need::Rows(wanted) => {
                facts.rows.extend(wanted.into_iter().map(|key| (key, self.rows.get(&key).cloned())));
            }
            Need::Outcome => facts.outcome = Some(None),
        }
    }
}
