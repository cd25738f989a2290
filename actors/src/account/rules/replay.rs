//! The way through which the tests of an account's rules go: decide with whatever facts are asked for, fold, and compare
//! with a reload.

use std::collections::BTreeMap;

use bytes::Bytes;
use rill_proto::classificator::AccountStatus;
use rill_proto::event::ClientEvent;
use rill_proto::field::Text;
use rill_proto::id::{AccountId, MessageId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::{CheckedPassword, Decision, Facts, Need, News, Stop, Task, decide};
use crate::account::board;
use crate::account::board::record::Texts;
use crate::account::profile::Profile;
use crate::account::rows::{load, rows};
use crate::account::state::{Change, Head, State, Token};
use crate::conversation::rows::decode;
use crate::effect::Effect;
use crate::file::Reference;
use crate::store::{Aggregate, Loaded, RowKey, Stamp};

pub(in crate::account) const ALICE: AccountId = AccountId(Uuid::from_u128(1));
pub(in crate::account) const BOB: AccountId = AccountId(Uuid::from_u128(2));
pub(in crate::account) const CAROL: AccountId = AccountId(Uuid::from_u128(3));
pub(in crate::account) const NOBODY: AccountId = AccountId(Uuid::from_u128(9));
/// The session that asks.
pub(in crate::account) const HERE: Uuid = Uuid::from_u128(0x70);
/// Another session of the same account.
pub(in crate::account) const ELSEWHERE: Uuid = Uuid::from_u128(0x71);

/// A registered account.
pub(in crate::account) fn known(id: AccountId, name: &str) -> State {
    let mut state = State::new(id);
    let profile = Profile {
        display_name: name.to_owned(),
        status: AccountStatus::Active,
        ..Profile::of_address(&format!("{name}@example.com"))
    };
    state.fold(&Change::Head(Head { password_hash: Some("old".to_owned()), ..Head::of(profile, 1) }));
    for token in [HERE, ELSEWHERE] {
        let ticket = Uuid::from_u128(7);
        state.fold(&Change::Token(token, Some(Token { ticket, opened_time: 1, device: None })));
    }
    state
}

pub(in crate::account) fn facts() -> Facts {
    let tasks_max = crate::account::board::TASKS_MAX;
    Facts { now: 1_000, stamp: 1_000, token: HERE, invites: true, tasks_max, ..Facts::default() }
}

/// What the letters of a change follow from.
pub(in crate::account) fn secret_of(stamp: Stamp) -> Uuid {
    Uuid::from_u128(u128::from(stamp) << 64)
}

/// An account, its store, and what is known elsewhere.
pub(in crate::account) struct Replay {
    pub(in crate::account) state: State,
    rows: BTreeMap<RowKey, Bytes>,
    pub(in crate::account) profiles: BTreeMap<AccountId, Profile>,
    pub(in crate::account) companions: Vec<AccountId>,
    pub(in crate::account) devices: BTreeMap<Uuid, super::DeviceHolder>,
    pub(in crate::account) stamp: Stamp,
    pub(in crate::account) now: i64,
}

impl Replay {
    /// Alice, who knows of Bob and Carol.
    pub(in crate::account) fn alice() -> Self {
        let mut replay = Self::of(known(ALICE, "alice"));
        let mut changes = vec![Change::Head(replay.head().clone())];
        changes.extend(
            replay.state.tokens.iter().map(|(name, token)| Change::Token(*name, Some(token.clone()))),
        );
        replay.keep(&changes);
        replay
    }

    /// An account that has no rows yet.
    pub(in crate::account) fn of(state: State) -> Self {
        let of = |id, name| (id, known(id, name).head.expect("it is known").profile);
        Self {
            state,
            rows: BTreeMap::new(),
            profiles: [of(ALICE, "alice"), of(BOB, "bob"), of(CAROL, "carol")].into(),
            companions: Vec::new(),
            devices: BTreeMap::new(),
            stamp: 1_000,
            now: 1_000,
        }
    }

    pub(in crate::account) fn head(&self) -> &Head {
        self.state.head.as_ref().expect("it is known")
    }

    /// Asks for an event and carries the decision out.
    pub(in crate::account) fn ask(&mut self, event: impl Into<ClientEvent>) -> Result<Decision, Refusal> {
        let event = event.into();
        let Task::Decided(decision) = self.judge(|state, facts| decide(state, &event, facts))? else {
            panic!("{} is for others to decide", event.urn());
        };
        self.carry_out(&decision);
        Ok(decision)
    }

    /// What another owner's effect does.
    pub(in crate::account) fn apply(&mut self, effect: &Effect) -> Decision {
        let decision =
            self.judge(|state, facts| super::apply(state, effect, facts)).expect("it is not refused");
        self.carry_out(&decision);
        decision
    }

    pub(in crate::account) fn judge<T>(
        &mut self,
        rule: impl Fn(&State, &Facts) -> super::Judged<T>,
    ) -> Result<T, Refusal> {
        self.stamp += 1;
        let secret = secret_of(self.stamp);
        let fresh = Uuid::from_u128(u128::from(self.stamp));
        let mut facts = Facts { now: self.now, stamp: self.stamp, secret, fresh, ..facts() };
        loop {
            match rule(&self.state, &facts) {
                Ok(judged) => return Ok(judged),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(need)) => self.know(&mut facts, need),
            }
        }
    }

    fn know(&self, facts: &mut Facts, need: Need) {
        match need {
            Need::Profiles(wanted) => {
                let found = wanted.into_iter().map(|id| (id, self.profiles.get(&id).cloned()));
                facts.profiles.extend(found);
            }
            Need::Accounts(emails) => {
                let of = |email: &str| self.profiles.iter().find(|(_, profile)| profile.email == email);
                let id = |email: &str| of(email).map_or(NOBODY, |(id, _)| *id);
                facts.accounts.extend(emails.into_iter().map(|email| (email.clone(), id(&email))));
            }
            Need::Companions => facts.companions = Some(self.companions.iter().copied().collect()),
            Need::DeviceHolder(name) => {
                facts.devices.insert(name, self.devices.get(&name).copied());
            }
            Need::AddressHolder(address) => {
                let of = |profile: &Profile| profile.fleep_address.as_deref() == Some(&*address);
                let holder = self.profiles.iter().find(|(_, profile)| of(profile)).map(|(id, _)| *id);
                facts.addresses.insert(address, holder);
            }
            Need::Password { given, hash, wanted } => {
                let is_right = hash.is_none_or(|hash| hash == *given);
                let hash = if is_right { wanted.to_string() } else { String::new() };
                facts.password = Some(CheckedPassword { is_right, hash });
            }
            Need::Texts(wanted) => {
                assert!(wanted.iter().any(|id| !facts.texts.contains_key(id)), "asks for what it has");
                facts.texts.extend(self.texts(&wanted));
            }
            Need::Files(urls) => {
                let found = |url: &String| match Reference::parse(url) {
                    Some(Reference::Upload(id)) => self.state.uploads.get(&id)?.found(id),
                    _ => None,
                };
                facts.files.extend(urls.iter().map(|url| (url.clone(), found(url))));
            }
            Need::Outcome => facts.outcome = Some(None),
        }
    }

    pub(in crate::account) fn carry_out(&mut self, decision: &Decision) {
        for change in &decision.changes {
            self.state.fold(change);
        }
        self.keep(&decision.changes);
        let rows = self.rows.iter().map(|(key, row)| (*key, row.clone())).collect();
        let loaded = load(self.state.account_id, &Loaded { version: 1, rows }).expect("it was written");
        assert_eq!(loaded, self.state, "what is folded is what is loaded");
        self.check_texts();
    }

    /// What some private tasks and canned responses say.
    pub(in crate::account) fn texts(&self, wanted: &[MessageId]) -> Texts {
        let row = |id: &MessageId| &self.rows[&RowKey::Text(*id)];
        wanted.iter().map(|id| (*id, decode(row(id)).expect("it was written"))).collect()
    }

    /// Whatever says something has its text, and nothing else has one.
    fn check_texts(&self) {
        let named = self.rows.keys().filter_map(|key| {
            let RowKey::Task(id) = key else { return None };
            Some((*id, self.state.board.task(*id)?.store_time()?))
        });
        let kept = self.rows.iter().filter_map(|(key, row)| {
            let RowKey::Text(id) = key else { return None };
            let text: board::Text = decode(row).expect("it was written");
            Some((*id, text.store_time))
        });
        assert!(named.eq(kept), "texts and tasks do not match");
    }

    fn keep(&mut self, changes: &[Change]) {
        let (put, remove) = rows(changes);
        for key in remove {
            self.rows.remove(&key);
        }
        self.rows.extend(put);
    }
}

/// What is told, in short: `own`, `bob`.
pub(in crate::account) fn lines(news: &[News]) -> Vec<&str> {
    let line = |news: &'_ News| match news {
        News::Own => "own",
        News::Contact(id, _) => name(*id),
        News::Reminder(_) => "reminder",
        News::TeamLabel(_) => "team label",
        News::Label(_) => "label",
    };
    news.iter().map(line).collect()
}

/// The effects in short: `bob watched`.
pub(in crate::account) fn effects(decision: &Decision) -> Vec<String> {
    let short = decision.effects.iter().map(|(target, effect)| {
        let target = match target {
            Aggregate::Account(id) => name(*id),
            Aggregate::Conversation(_) | Aggregate::Organisation(_) | Aggregate::Team(_) => "conversation",
        };
        match effect {
            Effect::Profile { profile, .. } => format!("{target} profile {}", profile.version),
            Effect::Named { contact, .. } => format!("{target} named {}", contact.map_or("*", name)),
            Effect::Watched { by, version, email } => {
                format!("{target} watched by {} {version} {}", name(*by), email.as_deref().unwrap_or("-"))
            }
            Effect::Shown { account_id, version } => {
                format!("{target} shown {} {version}", name(*account_id))
            }
            Effect::Spread { .. } => format!("{target} spread"),
            Effect::Mail { letter } => format!("mail to {}", letter.to),
            Effect::Detached { .. } => format!("{target} detached"),
            Effect::Alias { .. } => format!("{target} alias"),
            Effect::Fetch(wanted) => format!("{target} fetches {}", wanted.name),
            Effect::Labelled { label_id, .. } => format!("{target} labelled {}", label_id.0),
            Effect::Joined { .. }
            | Effect::Dialog { .. }
            | Effect::Assigned { .. }
            | Effect::Stored { .. }
            | Effect::Sweep { .. }
            | Effect::Expire { .. }
            | Effect::Ring { .. }
            | Effect::Attached { .. }
            | Effect::Employed(_)
            | Effect::Enlisted { .. }
            | Effect::Retired { .. }
            | Effect::Staffed { .. }
            | Effect::Placed { .. }
            | Effect::Founded { .. }
            | Effect::Answered { .. }
            | Effect::Managed { .. }
            | Effect::Discharged { .. } => panic!("an account says nothing of this here"),
        }
    });
    short.collect()
}

fn name(id: AccountId) -> &'static str {
    match id {
        ALICE => "alice",
        BOB => "bob",
        CAROL => "carol",
        NOBODY => "nobody",
        _ => "?",
    }
}

pub(in crate::account) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("it is short enough")
}
