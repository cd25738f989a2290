//! What an account decides. Pure: no actor, no store, no clock, no randomness.

use rill_proto::classificator::AccountStatus;
use rill_proto::event::{ClientEvent, account, contact};
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::contact::{ContactRow, Registration};
use super::login::Login;
use super::profile::Profile;
use super::state::{Change, Head, Membership, State, Token};
use super::upload;
use crate::effect::Effect;
use crate::store::{Aggregate, Stamp};

/// The rank of somebody who brought the owner of a list into a conversation (accounts.md §5.3).
const RANK_BROUGHT_IN: u8 = 1;

/// What is given to a rule besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// Unix seconds.
    pub now: i64,
    /// The stamp that this change will carry.
    pub stamp: Stamp,
    /// The id of what the event makes, if it makes something; the same for every repeat of it.
    pub fresh: Uuid,
    /// How many bytes of files the account may have.
    pub storage_quota: u64,
}

/// What a rule decided.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    /// New row values; empty when nothing durable changes.
    pub changes: Vec<Change>,
    /// Consequences for conversations.
    pub effects: Vec<(Aggregate, Effect)>,
    /// `identifier` of the request record.
    pub identifier: Value,
    /// The own `contact` record goes to all of the account's sessions, and into the answer.
    pub tells_own: bool,
}

/// What the account's owner must do about an event.
#[derive(Clone, PartialEq, Debug)]
pub enum Task {
    /// It is decided.
    Decided(Decision),
    /// The other account shows itself.
    IntroduceByEmail(String),
    /// The other account shows itself.
    IntroduceById(AccountId),
    /// The dialog with the other one is opened.
    OpenDialog(AccountId, Option<rill_proto::classificator::DialogType>),
    /// These conversations are asked for their part.
    Gather(Vec<ConversationId>, rill_proto::classificator::InitMode),
}

/// How many conversations one `account:sync_conversations` may name: a page of a list, several times over.
pub const SYNC_CONVERSATIONS_MAX: usize = 500;

/// Decides an event of the account itself.
///
/// # Errors
/// What the request record says.
pub fn decide(state: &State, event: &ClientEvent, given: Given) -> Result<Task, Refusal> {
    match event {
        ClientEvent::Account(account::Event::SetName(event)) => {
            set_name(state, &event.name, given).map(Task::Decided)
        }
        ClientEvent::Account(account::Event::SyncConversations(event)) => {
            let mut ids = event.conversation_ids.clone();
            if ids.len() > SYNC_CONVERSATIONS_MAX {
                let what = format!("{} ids, at most {SYNC_CONVERSATIONS_MAX} are allowed", ids.len());
                return Err(Refusal::invalid_call("params.conversation_ids", what));
            }
            let mut seen = std::collections::BTreeSet::new();
            ids.retain(|id| state.memberships.contains_key(id) && seen.insert(*id));
            Ok(Task::Gather(ids, event.mk_init_mode))
        }
        ClientEvent::Contact(contact::Event::Get(event)) => Ok(Task::IntroduceById(event.account_id)),
        ClientEvent::Contact(contact::Event::LookupByEmail(event)) => {
            email(&event.email).map(Task::IntroduceByEmail)
        }
        ClientEvent::Contact(contact::Event::GetDialog(event)) => {
            Ok(Task::OpenDialog(event.account_id, event.mk_conv_type))
        }
        ClientEvent::Account(_)
        | ClientEvent::Contact(_)
        | ClientEvent::Conv(_)
        | ClientEvent::Label(_)
        | ClientEvent::Message(_)
        | ClientEvent::MyMessage(_)
        | ClientEvent::MySection(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Section(_)
        | ClientEvent::Task(_)
        | ClientEvent::Team(_) => Err(Refusal::not_supported(event.urn())),
    }
}

/// Whether a text can be an e-mail address; in lower case, as it is kept.
///
/// # Errors
/// 400, naming `params.email`.
pub fn email(text: &str) -> Result<String, Refusal> {
    /// The bound of SMTP (RFC 5321 §4.5.3.1.3).
    const EMAIL_CHARS_MAX: usize = 254;
    let email = text.trim().to_lowercase();
    let parts = email.split_once('@');
    let is_fine = email.chars().count() <= EMAIL_CHARS_MAX
        && parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && !email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    if is_fine {
        Ok(email)
    } else {
        Err(Refusal::invalid_call("params.email", "this is no e-mail address: name@host is needed"))
    }
}

fn set_name(state: &State, name: &str, given: Given) -> Result<Decision, Refusal> {
    let head = state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))?;
    let name = name.trim();
    if name.is_empty() {
        return Err(Refusal::invalid_call("params.name", "a name is needed, blanks alone are none"));
    }
    let identifier = json!({ "account_id": state.account_id });
    if head.profile.display_name == name {
        return Ok(Decision { identifier, tells_own: true, ..Decision::default() });
    }
    let mut head = head.clone();
    head.profile.display_name = name.to_owned();
    head.profile.version += 1;
    head.stamp = given.stamp;
    let effects =
        state.memberships.keys().map(|id| profile_effect(state.account_id, *id, &head.profile)).collect();
    Ok(Decision { changes: vec![Change::Head(head)], effects, identifier, tells_own: true })
}

fn profile_effect(account_id: AccountId, id: ConversationId, profile: &Profile) -> (Aggregate, Effect) {
    (Aggregate::Conversation(id), Effect::Profile { account_id, profile: profile.clone() })
}

/// Somebody looked an address up that nobody has registered: the account is known by it from now on.
#[must_use]
pub fn become_known(state: &State, email: &str, given: Given) -> Decision {
    if state.head.is_some() {
        return Decision::default();
    }
    let profile = Profile {
        version: 1,
        display_name: email.to_owned(),
        email: email.to_owned(),
        fleep_address: None,
        status: AccountStatus::New,
        organisation_id: None,
        phone_nr: None,
    };
    let registration = Registration { fleep_autogen: None, activated_time: 0, has_password: false };
    let head = Head { profile, password_hash: None, registration, stamp: given.stamp };
    Decision { changes: vec![Change::Head(head)], ..Decision::default() }
}

/// What somebody registers with.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Lower case.
    pub email: &'a str,
    /// As argon2 writes it.
    pub password_hash: &'a str,
    /// Not empty.
    pub display_name: &'a str,
    /// Lower case.
    pub fleep_address: Option<&'a str>,
}

/// The account becomes active. One that was known by its address keeps its id and its memberships.
///
/// # Errors
/// 431 when it is active already.
pub fn register(state: &State, entry: Entry<'_>, given: Given) -> Result<Decision, Refusal> {
    let known = state.head.as_ref();
    if known.is_some_and(|head| head.profile.status != AccountStatus::New) {
        return Err(Refusal::no_permission("Account already active"));
    }
    let profile = Profile {
        version: known.map_or(1, |head| head.profile.version + 1),
        display_name: entry.display_name.to_owned(),
        email: entry.email.to_owned(),
        fleep_address: entry.fleep_address.map(str::to_owned),
        status: AccountStatus::Active,
        organisation_id: None,
        phone_nr: known.and_then(|head| head.profile.phone_nr.clone()),
    };
    let effects =
        state.memberships.keys().map(|id| profile_effect(state.account_id, *id, &profile)).collect();
    let registration = Registration { fleep_autogen: None, activated_time: given.now, has_password: true };
    let password_hash = Some(entry.password_hash.to_owned());
    let head = Head { profile, password_hash, registration, stamp: given.stamp };
    Ok(Decision { changes: vec![Change::Head(head)], effects, ..Decision::default() })
}

/// A login session begins.
///
/// # Errors
/// 431 when the account is not active.
pub fn open_session(state: &State, login: &Login, given: Given) -> Result<Decision, Refusal> {
    if state.head.as_ref().is_none_or(|head| head.profile.status != AccountStatus::Active) {
        return Err(Refusal::no_permission("Incorrect email or password."));
    }
    let token = Token { ticket: login.ticket, opened_time: given.now };
    Ok(Decision { changes: vec![Change::Token(login.token, Some(token))], ..Decision::default() })
}

/// A login session ends.
#[must_use]
pub fn close_session(state: &State, token: Uuid) -> Decision {
    let known = state.tokens.contains_key(&token);
    Decision {
        changes: known.then_some(Change::Token(token, None)).into_iter().collect(),
        ..Decision::default()
    }
}

/// What another owner's effect means here.
#[must_use]
pub fn apply(state: &State, effect: &Effect, given: Given) -> Decision {
    match effect {
        Effect::Joined { conversation_id, by, profile_version, version } => {
            let known = state.memberships.get(conversation_id);
            if known.is_some_and(|known| known.version >= *version) {
                return Decision::default();
            }
            let membership = Membership { by: *by, version: *version, stamp: given.stamp };
            let mut changes = vec![Change::Membership(*conversation_id, membership)];
            if *by != state.account_id {
                changes.extend(ranked(state, *by, given));
            }
            let profile = state.head.as_ref().map(|head| &head.profile);
            let stale = profile.filter(|profile| profile.version > *profile_version);
            let effects = stale.map(|profile| profile_effect(state.account_id, *conversation_id, profile));
            Decision { changes, effects: effects.into_iter().collect(), ..Decision::default() }
        }
        Effect::Dialog { conversation_id, with, is_dialog, .. } => {
            let mut row = state.contacts.row(*with).cloned().unwrap_or_default();
            let dialog_id = match (*is_dialog, row.dialog_id) {
                (true, _) => Some(*conversation_id),
                (false, Some(known)) if known == *conversation_id => None,
                (false, known) => known,
            };
            if dialog_id == row.dialog_id {
                return Decision::default();
            }
            row.dialog_id = dialog_id;
            row.stamp = given.stamp;
            Decision { changes: vec![Change::Contact(*with, row)], ..Decision::default() }
        }
        // Nor is there a board yet that an assigned task could lie on.
        Effect::Attached { uploads } => upload::attached(state, uploads, given),
        Effect::Profile { .. } | Effect::Assigned { .. } | Effect::Sweep { .. } => Decision::default(),
    }
}

fn ranked(state: &State, by: AccountId, given: Given) -> Option<Change> {
    let row = state.contacts.row(by).cloned().unwrap_or_default();
    let ranks = row.sort_rank < RANK_BROUGHT_IN && !row.is_hidden;
    let row = ContactRow { sort_rank: RANK_BROUGHT_IN, stamp: given.stamp, ..row };
    ranks.then_some(Change::Contact(by, row))
}
