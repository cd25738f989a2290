//! What an account decides. Pure: no actor, no store, no clock, no randomness. One function per event lies in
//! `rules/<topic>.rs`.
//!
//! A rule that lacks a fact says which ([`Stop::Needs`]); the owner fetches it and asks again.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use rill_proto::classificator::{DialogType, InitMode};
use rill_proto::event::{self, ClientEvent, account, contact};
use rill_proto::field::Text;
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, OrganisationId, SectionId, TeamId};
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::board::record::{Texts, Told};
use super::listing::Listing;
use super::profile::Profile;
use super::state::{Change, Membership, State};
use super::{fetch, upload};
use crate::effect::Effect;
use crate::file::Found;
use crate::outcomes::Outcome;
use crate::store::{Aggregate, Stamp, UniqueKey};

pub mod alias;
mod board;
#[cfg(test)]
mod board_replay;
mod canned;
pub mod employment;
pub mod label;
pub mod letters;
mod my_message;
mod my_section;
mod people;
pub mod registration;
#[cfg(test)]
pub(in crate::account) mod replay;
pub(in crate::account) mod settings;
pub mod spread;
mod task;

/// Why a rule did not come to a decision.
pub type Stop = crate::judged::Stop<Need>;

/// What a rule answers with.
pub type Judged<T> = crate::judged::Judged<T, Need>;

/// A fact that is not in the state.
#[derive(Clone, PartialEq, Debug)]
pub enum Need {
    /// What everybody may know of some accounts.
    Profiles(Vec<AccountId>),
    /// Which accounts some addresses belong to, or would belong to.
    Accounts(Vec<String>),
    /// Everybody with whom a conversation is shared.
    Companions,
    /// Which session has a device, by the device's name.
    DeviceHolder(Uuid),
    /// Which account has a Fleep address.
    AddressHolder(String),
    /// Whether a password belongs to a hash, and the hash of another one.
    Password {
        /// The password that is to be right.
        given: Text<1024>,
        /// What it should belong to; `None` when there is no password yet, and any is right.
        hash: Option<String>,
        /// The one that is to be hashed.
        wanted: Text<128>,
    },
    /// What some private tasks and canned responses say.
    Texts(Vec<MessageId>),
    /// What some urls name.
    Files(Vec<String>),
    /// What came of an earlier event with the same `client_req_id`.
    Outcome,
}

/// What is given to a rule besides the state, fetched or not.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Unix seconds.
    pub now: i64,
    /// The stamp that this change will carry.
    pub stamp: Stamp,
    /// The id of what the event makes, if it makes something; the same for every repeat of it.
    pub fresh: Uuid,
    /// How many bytes of files the account may have.
    pub storage_quota: u64,
    /// How many tasks may stand on its own board.
    pub tasks_max: usize,
    /// The name of the login session that asks.
    pub token: Uuid,
    /// What only the installation knows: from it follows what a letter of this change lets its reader do.
    pub secret: Uuid,
    /// Whoever is known by an address only may register, and so is invited.
    pub invites: bool,
    /// Profiles that were fetched; `None` when there is no such account.
    pub profiles: HashMap<AccountId, Option<Profile>>,
    /// Accounts of addresses that were looked up.
    pub accounts: HashMap<String, AccountId>,
    /// Everybody with whom a conversation is shared, once it was fetched.
    pub companions: Option<BTreeSet<AccountId>>,
    /// Who has a device, once it was looked up.
    pub devices: HashMap<Uuid, Option<DeviceHolder>>,
    /// Who has a Fleep address, once it was looked up.
    pub addresses: HashMap<String, Option<AccountId>>,
    /// A password that was checked.
    pub password: Option<CheckedPassword>,
    /// Texts of private tasks and canned responses that were read.
    pub texts: Texts,
    /// Files that were looked up by their urls; `None` for an url that names none.
    pub files: HashMap<String, Option<Found>>,
    /// The first outcome of the same `client_req_id`, once it was looked up.
    pub outcome: Option<Option<Outcome>>,
}

/// A password that was checked, and the hash of the one that replaces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedPassword {
    /// It belongs to the hash.
    pub is_right: bool,
    /// As argon2 writes it; empty when the other one is wrong.
    pub hash: String,
}

/// Which login session has a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceHolder {
    /// The account.
    pub account_id: AccountId,
    /// The name of the session's token.
    pub token: Uuid,
}

impl Facts {
    fn profile(&self, account_id: AccountId) -> Judged<Option<&Profile>> {
        let known = self.profiles.get(&account_id).map(Option::as_ref);
        known.ok_or_else(|| Stop::Needs(Need::Profiles(vec![account_id])))
    }

    fn have_profiles(&self, wanted: &[AccountId]) -> Judged<()> {
        let missing = wanted.iter().copied().filter(|id| !self.profiles.contains_key(id));
        let missing: Vec<AccountId> = missing.collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Needs(Need::Profiles(missing))) }
    }

    fn account(&self, email: &str) -> Judged<AccountId> {
        let known = self.accounts.get(email).copied();
        known.ok_or_else(|| Stop::Needs(Need::Accounts(vec![email.to_owned()])))
    }

    fn have_accounts(&self, emails: &[String]) -> Judged<()> {
        let missing: Vec<String> =
            emails.iter().filter(|email| !self.accounts.contains_key(*email)).cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Needs(Need::Accounts(missing))) }
    }

    fn companions(&self) -> Judged<&BTreeSet<AccountId>> {
        self.companions.as_ref().ok_or(Stop::Needs(Need::Companions))
    }

    fn device_holder(&self, name: Uuid) -> Judged<Option<DeviceHolder>> {
        self.devices.get(&name).copied().ok_or(Stop::Needs(Need::DeviceHolder(name)))
    }

    fn address_holder(&self, address: &str) -> Judged<Option<AccountId>> {
        let known = self.addresses.get(address).copied();
        known.ok_or_else(|| Stop::Needs(Need::AddressHolder(address.to_owned())))
    }

    fn password(
        &self,
        given: &Text<1024>,
        wanted: &Text<128>,
        hash: Option<&str>,
    ) -> Judged<&CheckedPassword> {
        self.password.as_ref().ok_or_else(|| {
            let hash = hash.map(str::to_owned);
            Stop::Needs(Need::Password { given: given.clone(), hash, wanted: wanted.clone() })
        })
    }
}

/// Login sessions that end, and why.
#[derive(Clone, PartialEq, Debug)]
pub struct Ends {
    /// The names of their tokens.
    pub tokens: Vec<Uuid>,
    /// Told where the connection is closed.
    pub reason: &'static str,
}

/// What a rule decided.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    /// New row values; empty when nothing durable changes.
    pub changes: Vec<Change>,
    /// Unique keys that the account takes.
    pub claim: Vec<(UniqueKey, Bytes)>,
    /// Unique keys that it gives up, before it takes any.
    pub release: Vec<UniqueKey>,
    /// Consequences for others.
    pub effects: Vec<(Aggregate, Effect)>,
    /// Login sessions that end.
    pub ends: Option<Ends>,
    /// `identifier` of the request record.
    pub identifier: Value,
    /// Where the list goes on of which the answer is a page: JSON text, or null at its end.
    pub sync_cursor: Option<Value>,
    /// What the session that asked is answered with, in order.
    pub answer: Vec<News>,
    /// What the account's other sessions are told, in order.
    pub news: Vec<News>,
    /// What of the own board is told behind that: in the answer, and to the other sessions when anything changes.
    pub board: Vec<Told>,
}

impl Decision {
    /// Whether there is anything to make durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !(self.changes.is_empty()
            && self.effects.is_empty()
            && self.claim.is_empty()
            && self.release.is_empty())
    }

    fn claim_email(&mut self, email: &str, id: AccountId) {
        self.claim.push((UniqueKey::Email(email.to_owned()), Bytes::copy_from_slice(id.0.as_bytes())));
    }

    fn claim_address(&mut self, address: &str, id: AccountId) {
        self.claim.push((UniqueKey::Address(address.to_owned()), Bytes::copy_from_slice(id.0.as_bytes())));
    }

    fn claim_device(&mut self, name: Uuid, account_id: AccountId, token: Uuid) {
        let holder = crate::conversation::rows::encode(&DeviceHolder { account_id, token });
        self.claim.push((UniqueKey::Device(name), holder));
    }
}

/// Something to tell the account's own sessions.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// The own `contact` record.
    Own,
    /// Somebody's `contact` record, as the own list has him.
    Contact(AccountId, Box<Profile>),
    /// The `reminder` of an organisation's invitation.
    Reminder(OrganisationId),
    /// The `label` of a team.
    TeamLabel(TeamId),
    /// A label's record.
    Label(LabelId),
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
    /// The dialog with the other one is opened, after this was made durable.
    OpenDialog(AccountId, Option<DialogType>, Option<Decision>),
    /// These conversations are asked for their part.
    Gather(Vec<ConversationId>, InitMode),
    /// A page of a label's conversations, each of which is asked for its part in turn.
    List(Listing),
    /// These accounts are asked when they were last active.
    AskActivity(Vec<AccountId>),
}

/// How many conversations one `account:sync_conversations` may name: a page of a list, several times over.
pub const SYNC_CONVERSATIONS_MAX: usize = 500;

/// Decides an event of the account itself.
///
/// # Errors
/// What the request record says, or what must be fetched first.
pub fn decide(state: &State, event: &ClientEvent, facts: &Facts) -> Judged<Task> {
    match event {
        ClientEvent::Account(event) => decide_account(state, event, facts),
        ClientEvent::Contact(event) => decide_contact(state, event, facts),
        ClientEvent::MyMessage(event) => {
            let decision = my_message::decide(state, event, facts)?;
            Ok(Task::Decided(upload::counted(state, decision, facts)))
        }
        ClientEvent::MySection(event) => Ok(Task::Decided(my_section::decide(&state.board, event, facts)?)),
        ClientEvent::Task(event) => Ok(Task::Decided(task::decide(&state.board, event, facts)?)),
        ClientEvent::Label(event::label::Event::SyncConversations(event)) => {
            Ok(Task::List(label::list(state, event)?))
        }
        ClientEvent::Conv(_)
        | ClientEvent::Message(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Section(_)
        | ClientEvent::Team(_) => Err(Refusal::not_supported(event.urn()).into()),
    }
}

fn decide_account(state: &State, event: &account::Event, facts: &Facts) -> Judged<Task> {
    use account::Event;
    match event {
        Event::SyncConversations(event) => {
            let mut ids = event.conversation_ids.clone();
            people::few_enough("conversation_ids", ids.len(), SYNC_CONVERSATIONS_MAX)?;
            let mut seen = BTreeSet::new();
            ids.retain(|id| state.memberships.contains_key(id) && seen.insert(*id));
            Ok(Task::Gather(ids, event.mk_init_mode))
        }
        Event::ChangePassword(event) => registration::change_password(state, event, facts).map(Task::Decided),
        Event::AddFlag(_)
        | Event::RemoveFlag(_)
        | Event::ChangeSettings(_)
        | Event::SetDeviceToken(_)
        | Event::SetEmailInterval(_)
        | Event::SetMkPushNewMessage(_)
        | Event::SetName(_)
        | Event::SetPhone(_)
        | Event::SetSleepInterval(_)
        | Event::UpdateStatusMessage(_) => settings::set(state, event, facts).map(Task::Decided),
        Event::Delete(_) => letters::delete(state, facts).map(Task::Decided),
        Event::UploadExternal(event) => Ok(Task::Decided(fetch::order(state, event, facts)?)),
    }
}

fn decide_contact(state: &State, event: &contact::Event, facts: &Facts) -> Judged<Task> {
    use contact::Event;
    let decision = match event {
        Event::Get(event) => return Ok(Task::IntroduceById(event.account_id)),
        Event::LookupByEmail(event) => return Ok(Task::IntroduceByEmail(email(&event.email)?)),
        Event::GetDialog(event) => {
            let unhidden = people::unhidden(state, event.account_id, facts)?;
            return Ok(Task::OpenDialog(event.account_id, event.mk_conv_type, unhidden));
        }
        Event::SyncActivity(event) => {
            let wanted: BTreeSet<AccountId> = event.account_ids.iter().copied().collect();
            people::few_enough("account_ids", wanted.len(), people::ACCOUNTS_PER_CALL_MAX)?;
            return Ok(Task::AskActivity(wanted.into_iter().collect()));
        }
        Event::Add(event) => people::add(state, event, facts),
        Event::Hide(event) => people::hide(state, event, facts),
        Event::HideContacts(event) => people::hide_contacts(state, event, facts),
        Event::Import(event) => people::import(state, event, facts),
        Event::SetName(event) => people::set_name(state, event, facts),
        Event::SetPhone(event) => people::set_phone(state, event, facts),
        Event::Sync(event) => people::sync(state, event, facts),
        Event::SyncCanned(event) => Ok(canned::sync(state, event)),
    };
    decision.map(Task::Decided)
}

/// Whether an event may change something, so that it must not do so twice.
#[must_use]
pub fn is_remembered(event: &ClientEvent) -> bool {
    match event {
        ClientEvent::Account(event) => !matches!(event, account::Event::SyncConversations(_)),
        ClientEvent::Contact(event) => match event {
            contact::Event::Add(_)
            | contact::Event::Hide(_)
            | contact::Event::HideContacts(_)
            | contact::Event::Import(_)
            | contact::Event::SetName(_)
            | contact::Event::SetPhone(_) => true,
            contact::Event::Get(_)
            | contact::Event::GetDialog(_)
            | contact::Event::LookupByEmail(_)
            | contact::Event::Sync(_)
            | contact::Event::SyncActivity(_)
            | contact::Event::SyncCanned(_) => false,
        },
        ClientEvent::MyMessage(_) | ClientEvent::Task(_) => true,
        ClientEvent::MySection(event) => !matches!(event, event::my_section::Event::TaskSync(_)),
        ClientEvent::Conv(_)
        | ClientEvent::Label(_)
        | ClientEvent::Message(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Section(_)
        | ClientEvent::Team(_) => false,
    }
}

/// What a repeat is answered with: the first outcome, and what it names as it is now.
///
/// # Errors
/// What must be fetched first.
pub fn repeat(state: &State, outcome: &Outcome, facts: &Facts) -> Judged<Decision> {
    let identifier = outcome.identifier.clone();
    let id = |key| identifier.get(key).and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
    let named = id("account_id");
    let message = id("message_id").map(|id| Told::Task(MessageId(id)));
    let section = id("section_id").map(|id| Told::section(SectionId(id)));
    let board = message.into_iter().chain(section).collect();
    let answer = match named.map(AccountId) {
        Some(id) if id == state.account_id => vec![News::Own],
        Some(id) => {
            let email = || state.contacts.row(id).and_then(|row| row.email.as_deref());
            let profile = facts.profile(id)?.cloned().or_else(|| email().map(Profile::of_address));
            profile.map(|profile| News::Contact(id, Box::new(profile))).into_iter().collect()
        }
        None => Vec::new(),
    };
    Ok(Decision { answer, board, identifier, ..Decision::default() })
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
        Err(Refusal::invalid_call("email", "this is no e-mail address: name@host is needed"))
    }
}

/// What another owner's effect means here.
///
/// # Errors
/// What must be fetched first.
pub fn apply(state: &State, effect: &Effect, facts: &Facts) -> Judged<Decision> {
    match effect {
        Effect::Joined { conversation_id, by, profile_version, version } => {
            joined(state, *conversation_id, *by, (*profile_version, *version), facts)
        }
        Effect::Dialog { conversation_id, with, is_dialog, .. } => {
            Ok(people::dialog(state, *with, *conversation_id, *is_dialog, facts))
        }
        Effect::Watched { by, version, email } => watched(state, *by, *version, email.as_deref(), facts),
        Effect::Shown { account_id, version } => Ok(people::shown(state, *account_id, *version, facts)),
        Effect::Spread { news, after } => Ok(spread::go_on(state, *news, *after, facts)),
        Effect::Detached { token, device } => Ok(settings::detached(state, *token, *device)),
        Effect::Alias { news } => alias::hear(state, news, facts),
        Effect::Attached { uploads } => Ok(upload::attached(state, uploads, facts)),
        Effect::Assigned {
            conversation_id,
            message_nr,
            message_id,
            state: assignment,
            is_unheard,
            version,
        } => {
            let said = task::Assigned {
                conversation_id: *conversation_id,
                message_nr: *message_nr,
                message_id: *message_id,
                state: *assignment,
                is_unheard: *is_unheard,
                version: *version,
            };
            Ok(task::assigned(&state.board, said, facts))
        }
        Effect::Stored { conversation_id, bytes, version } => {
            Ok(upload::stored(state, *conversation_id, *bytes, *version, facts))
        }
        // Its owner sees to a file that is to be fetched; a letter is the post's.
        Effect::Fetch(_) | Effect::Mail { .. } => Ok(Decision::default()),
        Effect::Employed(said) => employment::employed(state, said, facts),
        Effect::Enlisted { team_id, team_name, is_member, version } => {
            Ok(employment::enlisted(state, *team_id, (team_name, *is_member, *version), facts))
        }
        // These are for others.
        Effect::Profile { .. }
        | Effect::Ring { .. }
        | Effect::Labelled { .. }
        | Effect::Named { .. }
        | Effect::Sweep { .. }
        | Effect::Expire { .. }
        | Effect::Retired { .. }
        | Effect::Staffed { .. }
        | Effect::Placed { .. }
        | Effect::Founded { .. }
        | Effect::Answered { .. }
        | Effect::Managed { .. }
        | Effect::Discharged { .. } => Ok(Decision::default()),
    }
}

/// The account became a member. `versions` are that of the profile that the conversation has, and that of the change.
fn joined(
    state: &State,
    conversation_id: ConversationId,
    by: AccountId,
    versions: (u64, u64),
    facts: &Facts,
) -> Judged<Decision> {
    let (profile_version, version) = versions;
    let known = state.memberships.get(&conversation_id);
    if known.is_some_and(|known| known.version >= version) {
        return Ok(Decision::default());
    }
    let mut decision = Decision::default();
    if by != state.account_id {
        decision = people::brought_in(state, by, facts);
        if facts.invites && letters::may_invite(state, facts) {
            let name = facts.profile(by)?.map(|profile| profile.display_name.as_str());
            let invitation = letters::invite(state, name.unwrap_or_default(), facts);
            decision.changes.extend(invitation.changes);
            decision.effects.extend(invitation.effects);
        }
    }
    let membership = Membership { by, version, stamp: facts.stamp };
    decision.changes.insert(0, Change::Membership(conversation_id, membership));
    let profile = state.head.as_ref().map(|head| &head.profile);
    if let Some(profile) = profile.filter(|profile| profile.version > profile_version) {
        let effect = Effect::Profile { account_id: state.account_id, profile: profile.clone() };
        decision.effects.push((Aggregate::Conversation(conversation_id), effect));
    }
    Ok(decision)
}

/// Another account has this one in its list, and has seen a version of its profile.
fn watched(
    state: &State,
    by: AccountId,
    version: u64,
    email: Option<&str>,
    facts: &Facts,
) -> Judged<Decision> {
    let mut decision = Decision::default();
    if let Some(email) = email.filter(|_| state.head.is_none()) {
        if facts.account(email)? != state.account_id {
            // Somebody else has got the address meanwhile.
            return Ok(decision);
        }
        decision = registration::become_known(state, email, facts);
    }
    if !state.watchers.contains(&by) {
        decision.changes.push(Change::Watcher(by));
    }
    let now = state.head.as_ref().map_or(0, |head| head.profile.version);
    if now > version {
        let shown = Effect::Shown { account_id: state.account_id, version: now };
        decision.effects.push((Aggregate::Account(by), shown));
    }
    Ok(decision)
}
