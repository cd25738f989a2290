//! The way through which every rule test goes: decide as the owner does, fold, and compare with a reload.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::classificator::{AccountStatus, ConvType, InitMode, MessageState};
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::{AccountId, ConversationId, LabelId, OrganisationId, SectionId, TeamId};
use rill_proto::refusal::Refusal;
use serde_json::Value;
use uuid::Uuid;

use crate::account::label::Settable;
use crate::account::profile::Profile;
use crate::conversation::board::Place;
use crate::conversation::counters::{Counters, counters};
use crate::conversation::drawer::Filed;
use crate::conversation::rules::{
    Decision, DrawerEdge, Elsewhere, Facts, Foreign, Header, Judged, Need, News, Reach, Soft, Stop, decide,
    dialog, effect, profile, sync, visit,
};
use crate::conversation::state::{
    Change, Head, Member, Message, RECENT_SLOTS_MAX, Run, Section, Slot, State,
};
use crate::effect::Effect;
use crate::file::{Content, Digest, Found, Reference};
use crate::organisation::sight::Terms;
use crate::store::{Aggregate, Stamp};
use crate::team::roster::Roster;
use crate::team::sight::Sight;

mod boards;
mod events;
mod teams;

pub(super) use boards::*;
pub(super) use events::*;
pub(super) use teams::*;

/// More rounds of fetching than any rule of these tests may take.
const ROUNDS_MAX: usize = 200;

pub(super) const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(0xc));

pub(super) const fn account(nr: u128) -> AccountId {
    AccountId(Uuid::from_u128(nr))
}

pub(super) const ALICE: AccountId = account(1);
pub(super) const BOB: AccountId = account(2);
pub(super) const CHARLIE: AccountId = account(3);
pub(super) const DON: AccountId = account(4);
pub(super) const JIL: AccountId = account(5);
pub(super) const NAMES: [(AccountId, &str); 5] =
    [(ALICE, "alice"), (BOB, "bob"), (CHARLIE, "charlie"), (DON, "don"), (JIL, "jil")];
/// Exists, but its owner closed it.
pub(super) const CLOSED: AccountId = account(8);
pub(super) const ACME: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));
/// Does not exist.
pub(super) const NOBODY: AccountId = account(9);

/// What the store would hold.
#[derive(Default)]
struct Rows {
    head: Option<Head>,
    members: BTreeMap<AccountId, Member>,
    runs: BTreeMap<u64, Run>,
    sections: BTreeMap<SectionId, Section>,
    places: BTreeMap<u64, Place>,
    slots: BTreeMap<u64, Slot>,
    filed: BTreeMap<u64, Filed>,
    teams: BTreeMap<TeamId, Roster>,
}

/// A conversation, its store, and the clock.
pub(super) struct Replay {
    pub(super) state: State,
    rows: Rows,
    pub(super) profiles: BTreeMap<AccountId, Profile>,
    pub(super) locks: BTreeMap<u64, AccountId>,
    /// What lies in other conversations.
    pub(super) foreign: BTreeMap<Foreign, Elsewhere>,
    /// Other conversations.
    pub(super) conversations: BTreeMap<ConversationId, State>,
    /// Teams as they are, whether they are here or not.
    pub(super) teams: BTreeMap<TeamId, Sight>,
    pub(super) organisations: BTreeMap<OrganisationId, Terms>,
    /// How many slots an event may take; one, if a test does not say otherwise.
    pub(super) slots_max: u64,
    uploads: BTreeMap<(AccountId, String), Found>,
    labels: BTreeMap<(AccountId, LabelId), Settable>,
    pub(super) now: i64,
    pub(super) stamp: Stamp,
}

pub(super) fn profile_of(name: &str, status: AccountStatus) -> Profile {
    Profile {
        version: 1,
        display_name: name[..1].to_uppercase() + &name[1..],
        email: format!("{name}@example.com"),
        fleep_address: Some(name.to_owned()),
        status,
        organisation_id: None,
        organisation_name: None,
        is_org_admin: None,
        invited_into: [].into(),
        phone_nr: None,
        status_emoji: None,
        status_message: None,
        alias_of: None,
        is_private: false,
        avatar: None,
    }
}

impl Replay {
    /// A conversation that does not exist yet.
    pub(super) fn nothing() -> Self {
        let active = NAMES.map(|(id, name)| (id, profile_of(name, AccountStatus::Active)));
        let closed = (CLOSED, profile_of("closed", AccountStatus::Closed));
        Self {
            state: State::new(CONVERSATION),
            rows: Rows::default(),
            profiles: active.into_iter().chain([closed]).collect(),
            locks: BTreeMap::new(),
            foreign: BTreeMap::new(),
            conversations: BTreeMap::new(),
            teams: BTreeMap::new(),
            organisations: BTreeMap::new(),
            slots_max: 1,
            uploads: BTreeMap::new(),
            labels: BTreeMap::new(),
            now: 1_000,
            stamp: 1_000_000,
        }
    }

    /// Created by Alice without a topic.
    pub(super) fn with(others: &[AccountId]) -> Self {
        let mut replay = Self::nothing();
        replay.ask(ALICE, create("", others)).unwrap();
        replay
    }

    /// Begun as a managed one by Alice, who is of Acme.
    pub(super) fn managed(others: &[AccountId]) -> Self {
        let mut replay = Self::nothing();
        let alice = replay.profiles.get_mut(&ALICE).unwrap();
        (alice.organisation_id, alice.organisation_name) = (Some(ACME), Some("Acme".to_owned()));
        let founding = conv::Create { is_managed: true, ..founding("Plans", others) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        replay
    }

    /// Asks for an event and carries the decision out.
    pub(super) fn ask(&mut self, caller: AccountId, event: ClientEvent) -> Result<Decision, Refusal> {
        self.carry_out(|state, facts| decide(state, caller, &event, facts))
    }

    /// What the answer would be; nothing is carried out, so the state may have been bent by hand.
    pub(super) fn judge_only(&self, caller: AccountId, event: ClientEvent) -> Result<Decision, Refusal> {
        self.judge(|state, facts| decide(state, caller, &event, facts))
    }

    pub(super) fn open_dialog(
        &mut self,
        caller: AccountId,
        other: AccountId,
        kind: Option<ConvType>,
    ) -> Result<Option<Decision>, Refusal> {
        let mut found = true;
        let decision = self.carry_out(|state, facts| {
            let decision = dialog::open_dialog(state, caller, other, kind, facts)?;
            found = decision.is_some();
            Ok(decision.unwrap_or_default())
        })?;
        Ok(found.then_some(decision))
    }

    pub(super) fn profile_changed(&mut self, account_id: AccountId, new: &Profile) -> Decision {
        self.carry_out(|state, facts| profile::profile_changed(state, account_id, new, facts)).unwrap()
    }

    pub(super) fn named(&mut self, viewer: AccountId, contact: Option<AccountId>) -> Decision {
        self.carry_out(|state, facts| Ok(profile::named(state, viewer, contact, facts))).unwrap()
    }

    /// Gives somebody a label.
    pub(super) fn label(&mut self, owner: AccountId, label_id: LabelId, name: &str) {
        let settable = Settable { name: name.to_owned(), record: name.to_owned().into() };
        self.labels.insert((owner, label_id), settable);
    }

    /// Carries out what another owner's effect decides.
    pub(super) fn apply(&mut self, said: &Effect) -> Decision {
        self.carry_out(|state, facts| effect::apply(state, said, facts)).unwrap()
    }

    pub(super) fn labelled(&mut self, viewer: AccountId, label_id: LabelId, name: Option<&str>) -> Decision {
        let labelled = Effect::Labelled { viewer, label_id, name: name.map(str::to_owned) };
        self.apply(&labelled)
    }

    pub(super) fn ring(&mut self, viewer: AccountId, at: i64) -> Decision {
        let ring = Effect::Ring { viewer, at };
        self.apply(&ring)
    }

    pub(super) fn catch_up(&self, viewer: AccountId, horizon: Stamp) -> Vec<News> {
        self.judge(|state, facts| visit::catch_up(state, viewer, horizon, facts)).unwrap()
    }

    pub(super) fn conv_sync(&self, viewer: AccountId, mode: InitMode) -> Result<Vec<News>, Refusal> {
        self.judge(|state, facts| sync::conv_sync(state, viewer, mode, facts)).map(|decision| decision.answer)
    }

    /// Asks as an owner does: with nothing fetched, then again with whatever the rule said that it lacks.
    fn judge<T>(&self, mut rule: impl FnMut(&State, &Facts) -> Judged<T>) -> Result<T, Refusal> {
        let mut facts = Facts {
            now: self.now,
            stamp: self.stamp,
            locks: self.locks.clone(),
            pens: BTreeSet::new(),
            ..Facts::default()
        };
        for _ in 0..ROUNDS_MAX {
            match rule(&self.state, &facts) {
                Ok(judged) => return Ok(judged),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(need)) => self.fetch(need, &mut facts),
            }
        }
        panic!("the rule is never content");
    }

    fn fetch(&self, need: Need, facts: &mut Facts) {
        match need {
            Need::Slots(wanted) => {
                assert!(
                    wanted.iter().any(|nr| !facts.slots.contains_key(nr)),
                    "asks for what it has: {wanted:?}"
                );
                facts.slots.extend(wanted.into_iter().map(|nr| (nr, self.rows.slots.get(&nr).cloned())));
            }
            Need::Stretch(wanted) => {
                let within =
                    self.rows.slots.range(wanted.from..=wanted.to).map(|(nr, slot)| (*nr, slot.clone()));
                let slots = if wanted.descending {
                    within.rev().take(wanted.limit).collect()
                } else {
                    within.take(wanted.limit).collect()
                };
                assert!(facts.stretches.insert(wanted, slots).is_none(), "asks for what it has: {wanted:?}");
            }
            Need::Foreign(wanted) => {
                let found = self.foreign.get(&wanted).cloned().unwrap_or_default();
                assert!(facts.foreign.insert(wanted, found).is_none(), "asks for what it has: {wanted:?}");
            }
            Need::Conversation(there) => {
                let found = self.conversations.get(&there).cloned().unwrap_or_else(|| State::new(there));
                assert!(facts.conversations.insert(there, found).is_none(), "asks for what it has: {there}");
            }
            Need::Outcome(..) => panic!("no rule asks for what came of an event"),
            Need::Files(caller, urls) => {
                let found = |url: &String| self.uploads.get(&(caller, url.clone())).cloned();
                facts.files.extend(urls.iter().map(|url| (url.clone(), found(url))));
            }
            Need::Labels(caller, wanted) => {
                let found = |id: &LabelId| self.labels.get(&(caller, *id)).cloned();
                facts.labels.extend(wanted.iter().map(|id| (*id, found(id))));
            }
            Need::Teams(wanted) => {
                facts.teams.extend(wanted.into_iter().map(|id| (id, self.teams.get(&id).cloned())));
            }
            Need::Organisation(id) => {
                drop(facts.organisations.insert(id, self.organisations.get(&id).cloned()))
            }
            Need::Profiles(wanted) => {
                facts.profiles.extend(wanted.into_iter().map(|id| (id, self.profiles.get(&id).cloned())));
            }
        }
    }

    fn carry_out(
        &mut self,
        rule: impl FnMut(&State, &Facts) -> Judged<Decision>,
    ) -> Result<Decision, Refusal> {
        self.now += 1;
        self.stamp += 1_000;
        let decision = self.judge(rule)?;
        let before = self.state.head.as_ref().map_or(0, |head| head.last_message_nr);
        for change in &decision.changes {
            self.state.fold(change);
            self.write(change);
        }
        if let (Some(head), false) = (&self.state.head, decision.changes.is_empty()) {
            assert_eq!(head.stamp, self.stamp, "whatever changes, the head says when");
            assert!(head.last_message_nr <= before + self.slots_max, "more slots than the test says");
        }
        for soft in &decision.soft {
            match *soft {
                Soft::Lock(nr, holder) => drop(self.locks.insert(nr, holder)),
                Soft::Unlock(nr) => drop(self.locks.remove(&nr)),
                Soft::Activate | Soft::Pen(_) | Soft::PenOff(_) => {}
            }
        }
        self.check();
        Ok(decision)
    }

    /// Rows pass through their stored form, so that what is not stored is not found again.
    fn write(&mut self, change: &Change) {
        fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(row: &T) -> T {
            serde_json::from_slice(&serde_json::to_vec(row).unwrap()).unwrap()
        }
        match change {
            Change::Head(head) => self.rows.head = Some(stored(head)),
            Change::Member(id, member) => drop(self.rows.members.insert(*id, stored(member))),
            Change::Run(run) => drop(self.rows.runs.insert(run.inbox_nr, *run)),
            Change::Slot(nr, slot) => drop(self.rows.slots.insert(*nr, stored(slot))),
            Change::Filed(nr, filed) => drop(self.rows.filed.insert(*nr, stored(filed))),
            Change::Section(id, section) => drop(self.rows.sections.insert(*id, stored(section))),
            Change::Place(nr, Some(place)) => drop(self.rows.places.insert(*nr, stored(place))),
            Change::Place(nr, None) => drop(self.rows.places.remove(nr)),
            Change::Team(id, Some(roster)) => drop(self.rows.teams.insert(*id, stored(roster))),
            Change::Team(id, None) => drop(self.rows.teams.remove(id)),
        }
    }

    /// Fold equals reload, and slots are 1, 2, 3, … with rising stamps.
    fn check(&self) {
        let mut reloaded = State::new(CONVERSATION);
        reloaded.head.clone_from(&self.rows.head);
        for (id, member) in &self.rows.members {
            reloaded.fold(&Change::Member(*id, member.clone()));
        }
        reloaded.runs = self.rows.runs.values().copied().collect();
        reloaded.sections.clone_from(&self.rows.sections);
        reloaded.teams.clone_from(&self.rows.teams);
        self.rows.filed.iter().for_each(|(nr, filed)| reloaded.drawer.put(*nr, *filed));
        for (nr, place) in &self.rows.places {
            reloaded.board.put(*nr, Some(place));
        }
        let surplus = self.rows.slots.len().saturating_sub(RECENT_SLOTS_MAX);
        reloaded.recent =
            self.rows.slots.iter().skip(surplus).map(|(nr, slot)| (*nr, slot.clone())).collect();
        assert_eq!(self.state, reloaded);
        let teams = self.state.head.as_ref().map_or(&[][..], |head| &head.teams);
        assert!(
            teams.len() == self.state.teams.len() && teams.iter().all(|id| self.state.teams.contains_key(id))
        );
        let last = self.state.head.as_ref().map_or(0, |head| head.last_message_nr);
        assert!(self.rows.slots.keys().copied().eq(1..=last), "a gap among the slots");
        assert!(self.rows.slots.values().is_sorted_by_key(Slot::stamp));
        for message in self.messages() {
            let place = self.rows.places.get(&message.message_nr);
            let wanted = match message.state {
                MessageState::Pinned => matches!(place, Some(Place::Pin { .. })),
                MessageState::Todo => matches!(place, Some(Place::Task(task)) if !task.is_done),
                MessageState::Done => matches!(place, Some(Place::Task(task)) if task.is_done),
                MessageState::Plain
                | MessageState::Unpinned
                | MessageState::Deleted
                | MessageState::System => place.is_none(),
            };
            assert!(wanted, "{} is {:?} and stands at {place:?}", message.message_nr, message.state);
        }
    }

    pub(super) fn head(&self) -> &Head {
        self.state.head.as_ref().unwrap()
    }

    pub(super) fn counters(&self, account_id: AccountId) -> Counters {
        counters(&self.state, account_id).unwrap()
    }

    pub(super) fn message(&self, nr: u64) -> &Message {
        match &self.rows.slots[&nr] {
            Slot::Message(message) => message,
            Slot::Revision { of, .. } => panic!("{nr} revises {of}"),
        }
    }

    /// All visible messages.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.rows.slots.values().filter_map(|slot| match slot {
            Slot::Message(message) => Some(&**message),
            Slot::Revision { .. } => None,
        })
    }

    pub(super) fn body(&self, nr: u64) -> Value {
        serde_json::from_str(&self.message(nr).message).unwrap()
    }

    /// Present members in join order.
    pub(super) fn present(&self) -> Vec<AccountId> {
        let present = self.state.members.iter().filter(|(_, member)| member.is_present());
        let mut present: Vec<_> = present.map(|(id, member)| (member.place, *id)).collect();
        present.sort_unstable();
        present.into_iter().map(|(_, id)| id).collect()
    }

    /// An upload of somebody's, a hundred bytes long, and the url to attach it by.
    pub(super) fn upload(&mut self, owner: AccountId, name: &str) -> String {
        let id = Uuid::new_v5(&owner.0, name.as_bytes());
        let content =
            Content { sha256: Digest([1; 32]), size: 100, file_type: "text/plain".into(), picture: None };
        let url = Reference::Upload(id).url(name);
        let found = Found { name: name.to_owned(), content, upload_id: Some(id) };
        self.uploads.insert((owner, url.clone()), found);
        url
    }

    pub(super) fn post(&mut self, author: AccountId, text: &str) -> u64 {
        let decision = self.ask(author, add_plain(text)).unwrap();
        decision.identifier["message_nr"].as_u64().unwrap()
    }
}

/// A piece of news in one short line, for comparing whole answers.
pub(super) fn line(news: &News) -> String {
    let name = |id: &AccountId| NAMES.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name);
    match news {
        News::Header(Header { keys, fw, bw, is_reset }) => {
            let edge =
                |word: &str, edge: &Option<u64>| edge.map_or(String::new(), |nr| format!(" {word} {nr}"));
            let reset = if *is_reset { " reset" } else { "" };
            format!("conv {keys:?}{}{}{reset}", edge("fw", fw), edge("bw", bw))
        }
        News::Message { message, flow } => {
            let flow = flow.map_or(String::new(), |flow| format!(" flow {flow}"));
            format!("message {}{flow}", message.message_nr)
        }
        News::File(shown) => format!("file {} {}", shown.message_nr, shown.file.name),
        News::Drawer(edge) => {
            let at = |nr: &Option<u64>| nr.map_or("-".to_owned(), |nr| nr.to_string());
            match edge {
                DrawerEdge::Cursor(rest) => format!("drawer cursor {}", at(rest)),
                DrawerEdge::State { newest, rest } => format!("drawer state {newest} {}", at(rest)),
            }
        }
        News::Activity(id) => format!("activity {}", name(id)),
        News::Contact(id) => format!("contact {}", name(id)),
        News::Withdrawn { message, flow } => format!("withdrawn {} flow {flow}", message.message_nr),
        News::Label(_) => "label".to_owned(),
        News::Section(_) => "section".to_owned(),
        News::Tasks { rest, .. } => format!("tasks{}", if rest.is_some() { " …" } else { "" }),
        News::Pins { rest } => format!("pins{}", if rest.is_some() { " …" } else { "" }),
        News::Lock { message_nr, holder } => {
            format!("lock {message_nr} {}", holder.as_ref().map_or("free", |id| name(id)))
        }
    }
}

pub(super) fn lines<'a>(news: impl IntoIterator<Item = &'a News>) -> Vec<String> {
    news.into_iter().map(line).collect()
}

/// What one reach is told.
pub(super) fn told(decision: &Decision, reach: Reach) -> Vec<String> {
    lines(decision.news.iter().filter(|(to, _)| *to == reach).map(|(_, news)| news))
}

/// The effects in short: `bob joined`, `bob dialog alice true`.
pub(super) fn effects(decision: &Decision) -> Vec<String> {
    let name = |id: &AccountId| NAMES.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name);
    let short = decision.effects.iter().map(|(target, effect)| {
        let target = match target {
            Aggregate::Account(target) => target,
            Aggregate::Conversation(_) | Aggregate::Organisation(_) | Aggregate::Team(_) => &NOBODY,
        };
        match effect {
            Effect::Ring { viewer, at } => format!("itself rings for {} at {at}", name(viewer)),
            Effect::Sweep { what, .. } => format!("itself sweeps on {what:?}"),
            Effect::Expire { above, .. } => format!("itself drops files above {above}"),
            Effect::Joined { by, .. } => format!("{} joined by {}", name(target), name(by)),
            Effect::Dialog { with, is_dialog, .. } => {
                format!("{} dialog {} {is_dialog}", name(target), name(with))
            }
            Effect::Stored { bytes, .. } => format!("{} stored {bytes}", name(target)),
            Effect::Fetch(wanted) => format!("{} fetches {}", name(target), wanted.name),
            Effect::Managed { is_managed, entries, .. } => {
                let types: Vec<&str> = entries.iter().map(|entry| entry.event_type.as_str()).collect();
                format!("organisation manages {is_managed}: {}", types.join(", "))
            }
            Effect::Attached { uploads } => format!("{} attached {}", name(target), uploads.len()),
            Effect::Assigned { message_nr, state, .. } => {
                format!("{} task {message_nr} {state:?}", name(target))
            }
            Effect::Placed { is_there, roster_version, .. } => {
                format!("team placed {is_there}, as of {roster_version}")
            }
            Effect::Profile { .. }
            | Effect::Labelled { .. }
            | Effect::Named { .. }
            | Effect::Watched { .. }
            | Effect::Shown { .. }
            | Effect::Spread { .. }
            | Effect::Mail { .. }
            | Effect::Alias { .. }
            | Effect::Detached { .. }
            | Effect::Employed(_)
            | Effect::Enlisted { .. }
            | Effect::Retired { .. }
            | Effect::Staffed { .. }
            | Effect::Founded { .. }
            | Effect::Answered { .. }
            | Effect::Discharged { .. } => panic!("a conversation says nothing of this here"),
        }
    });
    short.collect()
}
