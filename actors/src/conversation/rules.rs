//! What every rule is given and what it answers with. One function per event lies in `rules/<noun>.rs`.
//!
//! Pure: no actor, no store, no clock, no randomness. A rule that lacks a fact says which ([`Stop::Needs`]); the owner
//! fetches it and asks again, and asking again changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rill_proto::classificator::InitMode;
use rill_proto::event::ClientEvent;
use rill_proto::id::{
    AccountId, ConversationId, LabelId, MessageId, OrganisationId, RequestId, SectionId, TeamId,
};
use rill_proto::record::message::is_shared;
use rill_proto::refusal::Refusal;
use serde_json::Value;
use uuid::Uuid;

use crate::account::label::Settable;
use crate::account::profile::Profile;
use crate::conversation::state::{Change, Member, Message, Slot, State};
use crate::effect::Effect;
use crate::file::{File, Found};
use crate::organisation::sight::Terms;
use crate::outcomes::Outcome;
use crate::store::{Aggregate, Direction, Stamp};
use crate::team::sight::Sight;
use crate::weight::Weight;

mod alert;
mod attach;
mod autojoin;
pub(in crate::conversation) mod board;
mod body;
mod changelog;
mod conv;
mod copy;
mod create;
pub mod dialog;
mod discharge;
mod disclosure;
mod draft;
pub mod effect;
mod expire;
mod files;
mod flag;
mod flow;
mod fork;
mod label;
mod managed;
mod marks;
mod membership;
mod mention;
mod message;
mod pin;
mod presence;
pub mod profile;
mod reaction;
mod revision;
mod section;
mod setting;
mod shelf;
mod standing;
pub mod sync;
mod task;
mod team;
mod topic;
pub mod visit;

#[cfg(test)]
mod mangled;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod traces;

/// Decides an event that names this conversation.
///
/// # Errors
/// [`Stop::Refused`] with what the request record says, or [`Stop::Needs`] with what the owner must fetch first.
pub fn decide(state: &State, caller: AccountId, event: &ClientEvent, facts: &Facts) -> Judged<Decision> {
    match event {
        ClientEvent::Conv(event) => conv::decide(state, caller, event, facts),
        ClientEvent::Message(event) => message::decide(state, caller, event, facts),
        ClientEvent::Section(event) => section::decide(state, caller, event, facts),
        // These have other owners and never come here.
        ClientEvent::Account(_)
        | ClientEvent::Contact(_)
        | ClientEvent::Label(_)
        | ClientEvent::MyMessage(_)
        | ClientEvent::MySection(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Task(_)
        | ClientEvent::Team(_) => Err(Refusal::not_supported(event.urn()).into()),
    }
}

/// Why a rule did not come to a decision.
pub type Stop = crate::judged::Stop<Need>;

/// What a rule answers with.
pub type Judged<T> = crate::judged::Judged<T, Need>;

/// A fact that is not in the state. A rule demands together what it knows to lack together, so that adding many members
/// does not take as many rounds.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Need {
    /// Single slots.
    Slots(Vec<u64>),
    /// A stretch of slots.
    Stretch(Stretch),
    /// What everybody may know of some accounts.
    Profiles(Vec<AccountId>),
    /// A message of another conversation, as the account sees it there.
    Foreign(Foreign),
    /// Another conversation as it is stored, without its slots.
    Conversation(ConversationId),
    /// What an earlier event with the same `client_req_id` came to.
    Outcome(AccountId, RequestId),
    /// What urls name for an account: its uploads, and files of other conversations.
    Files(AccountId, Vec<String>),
    /// Labels that an account may put on conversations.
    Labels(AccountId, Vec<LabelId>),
    /// Teams as they are.
    Teams(Vec<TeamId>),
    /// What is to be known of an organisation.
    Organisation(OrganisationId),
}

/// A message of another conversation in the eyes of an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Foreign {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_nr: u64,
    /// Who looks at it.
    pub viewer: AccountId,
}

/// What was found of a [`Foreign`].
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Elsewhere {
    /// The viewer's row there; `None` when he never was a member, or there is no such conversation.
    pub member: Option<Member>,
    /// The message, whether he sees it or not.
    pub message: Option<Message>,
}

/// Slots `from..=to`, at most `limit`, read in a direction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Stretch {
    /// Lowest slot.
    pub from: u64,
    /// Highest slot.
    pub to: u64,
    /// At most so many.
    pub limit: usize,
    /// True reads from the top downwards.
    pub descending: bool,
}

impl Stretch {
    /// The direction as the store names it.
    #[must_use]
    pub fn direction(&self) -> Direction {
        if self.descending { Direction::Descending } else { Direction::Ascending }
    }
}

/// What the owner gives to a rule besides the state.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Unix seconds.
    pub now: i64,
    /// The stamp that this change will carry.
    pub stamp: Stamp,
    /// The id of what an event makes beside messages; the same for every repeat of it.
    pub fresh: Uuid,
    /// Who holds an editing lock that has not expired, by message number.
    pub locks: BTreeMap<u64, AccountId>,
    /// Whose writing pen is on and has not expired.
    pub pens: BTreeSet<AccountId>,
    /// Slots that were fetched; `None` when there is no such slot.
    pub slots: HashMap<u64, Option<Slot>>,
    /// Stretches that were fetched, in their order of reading.
    pub stretches: BTreeMap<Stretch, Vec<(u64, Slot)>>,
    /// Profiles that were fetched; `None` when there is no such account.
    pub profiles: HashMap<AccountId, Option<Profile>>,
    /// Messages of other conversations that were fetched.
    pub foreign: BTreeMap<Foreign, Elsewhere>,
    /// Other conversations that were fetched.
    pub conversations: BTreeMap<ConversationId, State>,
    /// Files that were looked up by their urls; `None` for an url that names none.
    pub files: HashMap<String, Option<Found>>,
    /// The caller's labels that were looked up; `None` where he has none of that id, or may not set it.
    pub labels: HashMap<LabelId, Option<Settable>>,
    /// Teams that were fetched; `None` when there is no such team.
    pub teams: HashMap<TeamId, Option<Sight>>,
    /// Organisations that were fetched; `None` when there is no such one.
    pub organisations: HashMap<OrganisationId, Option<Terms>>,
    /// The first outcome of the same `client_req_id`, once it was looked up; no rule asks for it.
    pub outcome: Option<Option<Outcome>>,
}

impl Facts {
    /// A slot, from the newest ones in memory or from what was fetched.
    ///
    /// # Errors
    /// [`Stop::Needs`] when the owner must fetch it.
    pub fn slot<'a>(&'a self, state: &'a State, nr: u64) -> Judged<Option<&'a Slot>> {
        self.known(state, nr).ok_or_else(|| Stop::Needs(Need::Slots(vec![nr])))
    }

    /// Makes sure that [`Facts::slot`] can answer for all of these.
    ///
    /// # Errors
    /// [`Stop::Needs`] with all that are missing.
    pub fn have_slots(&self, state: &State, wanted: impl IntoIterator<Item = u64>) -> Judged<()> {
        let missing: BTreeSet<u64> =
            wanted.into_iter().filter(|nr| self.known(state, *nr).is_none()).collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Needs(Need::Slots(missing.into_iter().collect()))) }
    }

    /// `Some(None)` when it is known that there is no such slot.
    fn known<'a>(&'a self, state: &'a State, nr: u64) -> Option<Option<&'a Slot>> {
        if let Ok(at) = state.recent.binary_search_by_key(&nr, |(recent, _)| *recent) {
            return Some(Some(&state.recent[at].1));
        }
        if nr == 0 || state.head.as_ref().is_none_or(|head| nr > head.last_message_nr) {
            return Some(None);
        }
        self.slots.get(&nr).map(Option::as_ref)
    }

    /// A stretch of slots, from memory where the newest ones cover as much of it as is wanted.
    ///
    /// # Errors
    /// [`Stop::Needs`] when the owner must fetch it.
    pub fn stretch(&self, state: &State, wanted: Stretch) -> Judged<Vec<(u64, Slot)>> {
        let begin = state.recent.partition_point(|(nr, _)| *nr < wanted.from);
        let end = state.recent.partition_point(|(nr, _)| *nr <= wanted.to).max(begin);
        let held = state.recent.range(begin..end);
        let covered = state.recent.front().is_none_or(|(first, _)| *first <= wanted.from);
        if wanted.descending && (covered || held.len() >= wanted.limit) {
            return Ok(held.rev().take(wanted.limit).cloned().collect());
        }
        if covered {
            return Ok(held.take(wanted.limit).cloned().collect());
        }
        self.stretches.get(&wanted).cloned().ok_or(Stop::Needs(Need::Stretch(wanted)))
    }

    /// What everybody may know of some accounts, in the given order; `None` where there is no such account.
    ///
    /// # Errors
    /// [`Stop::Needs`] with all that are missing.
    pub fn profiles(&self, wanted: &[AccountId]) -> Judged<Vec<(AccountId, Option<&Profile>)>> {
        let missing = || wanted.iter().copied().filter(|id| !self.profiles.contains_key(id)).collect();
        let known: Option<Vec<_>> =
            wanted.iter().map(|id| self.profiles.get(id).map(|profile| (*id, profile.as_ref()))).collect();
        known.ok_or_else(|| Stop::Needs(Need::Profiles(missing())))
    }

    /// Teams, in the given order.
    ///
    /// # Errors
    /// `not_found` when one of them does not exist, or is gone. [`Stop::Needs`] with all that are missing.
    pub fn teams(&self, wanted: &[TeamId]) -> Judged<Vec<&Sight>> {
        let missing: Vec<TeamId> = wanted.iter().copied().filter(|id| !self.teams.contains_key(id)).collect();
        if !missing.is_empty() {
            return Err(Stop::Needs(Need::Teams(missing)));
        }
        let found = wanted.iter().map(|id| self.teams.get(id).and_then(Option::as_ref));
        let found: Option<Vec<&Sight>> =
            found.map(|team| team.filter(|team| !team.roster.is_deleted)).collect();
        Ok(found.ok_or_else(|| Refusal::not_found("Team"))?)
    }

    /// What is to be known of an organisation; `None` when there is none.
    ///
    /// # Errors
    /// [`Stop::Needs`] when the owner must fetch it.
    pub fn organisation(&self, id: OrganisationId) -> Judged<Option<&Terms>> {
        self.organisations.get(&id).map(Option::as_ref).ok_or(Stop::Needs(Need::Organisation(id)))
    }
}

/// What a rule decided: new rows, consequences, and who is told what.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    /// New row values in the order in which they are folded; empty when nothing durable changes.
    pub changes: Vec<Change>,
    /// Consequences for other aggregates.
    pub effects: Vec<(Aggregate, Effect)>,
    /// What happens to pens, locks and activations.
    pub soft: Vec<Soft>,
    /// `identifier` of the request record.
    pub identifier: Value,
    /// What the session that asked is answered with, in order.
    pub answer: Vec<News>,
    /// What other sessions are told, in order.
    pub news: Vec<(Reach, News)>,
}

impl Decision {
    /// What the conversation is called, where it takes a team in.
    #[must_use]
    pub fn takes_team(&self) -> Option<&str> {
        self.effects.iter().find_map(|(_, effect)| {
            let Effect::Placed { topic, is_there: true, .. } = effect else { return None };
            Some(topic.as_str())
        })
    }
}

/// Something to tell; it becomes one record in each viewer's own form. A viewer who does not see a message is not sent it;
/// his client finds that a slot is missing and syncs forward over it.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// The viewer's `conv` record.
    Header(Header),
    /// A message, as a flow item when the slot is given.
    Message {
        /// Its content.
        message: Box<Message>,
        /// `flow_message_nr`: the slot of the revision that this tells of.
        flow: Option<u64>,
    },
    /// A message that was open to every member as long as it was on a board, for those who do not see it in the flow: to them
    /// it is gone, whatever it still says to the others.
    Withdrawn {
        /// What it is now.
        message: Box<Message>,
        /// The slot that took it off the board.
        flow: u64,
    },
    /// A file of a message. Wherever a message goes its files follow it; no rule need say so.
    File(Box<Shown>),
    /// The viewer's header, in the answer that brings a batch of the file drawer.
    Drawer(DrawerEdge),
    /// What others may see of a member: pen, read mark, join.
    Activity(AccountId),
    /// A member's `contact` record.
    Contact(AccountId),
    /// A label that the viewer put on it.
    Label(Bytes),
    /// A section of the board.
    Section(SectionId),
    /// A section, in the answer that brings a part of its tasks.
    Tasks {
        /// The section.
        section_id: SectionId,
        /// The weight below which there are more; `None` when these were the last.
        rest: Option<Weight>,
    },
    /// The viewer's header, in the answer that brings a part of the pins.
    Pins {
        /// The weight below which there are more; `None` when these were the last.
        rest: Option<Weight>,
    },
    /// An editing lock, taken or (`None`) free.
    Lock {
        /// The message.
        message_nr: u64,
        /// Who edits it.
        holder: Option<AccountId>,
    },
}

/// Where the file drawer goes on, in the form of the event that asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrawerEdge {
    /// Below this message; `None` when that was all.
    Cursor(Option<u64>),
    /// The same, and the newest message whose files the client holds now.
    State {
        /// The newest.
        newest: u64,
        /// As the cursor.
        rest: Option<u64>,
    },
}

/// A file, and what is needed to say who sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// Its message's number.
    pub message_nr: u64,
    /// Its message's global id.
    pub message_id: MessageId,
    /// Its message lies on a board, open to every present member.
    pub is_shared: bool,
    /// The slot of the revision that told of it, where one did.
    pub flow: Option<u64>,
    /// The file.
    pub file: File,
}

impl Shown {
    /// A file of a message.
    #[must_use]
    pub fn of(message: &Message, flow: Option<u64>, file: File) -> Self {
        Self {
            message_nr: message.message_nr,
            message_id: message.message_id,
            is_shared: is_shared(message.state),
            flow,
            file,
        }
    }
}

/// Which form of the `conv` record, and what it says beside the state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The key set (conversations.md §5.1).
    pub keys: Keys,
    /// `fw_message_nr`, where this answer says one.
    pub fw: Option<u64>,
    /// `bw_message_nr`, where this answer says one.
    pub bw: Option<u64>,
    /// The viewer's membership was cut off or begun anew.
    pub is_reset: bool,
}

impl Header {
    /// How things stand, and nothing else.
    pub const UPDATE: Self = Self { keys: Keys::Update, fw: None, bw: None, is_reset: false };
}

/// The key sets U, F and N.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// U: counters and own view.
    Update,
    /// F: U and the facts.
    Full,
    /// N: F and what a fresh client needs.
    Init(InitMode),
}

/// Whom a piece of news reaches, among those who are online.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// The other sessions of the account that asked.
    Own,
    /// All sessions of the other members who were present before as well: a newcomer (his `init_stamp` is that of this
    /// decision) is told by the visit that [`Effect::Joined`] makes, contacts and window first.
    Others,
    /// All sessions of one account, member or not.
    Account(AccountId),
    /// All sessions of those who have left and have it in their lists: of what they know nothing stands still but what happens
    /// here, so that they hear of the people whom they met.
    Left,
    /// Sessions of other members that activated the conversation (conversations.md §8).
    Activated,
}

/// What is remembered in memory only (websocket.md, promise 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Soft {
    /// The session that asked hears pens and locks for ten minutes.
    Activate,
    /// The account writes, for thirty seconds.
    Pen(AccountId),
    /// The account does not write.
    PenOff(AccountId),
    /// The account edits a message, for thirty seconds.
    Lock(u64, AccountId),
    /// Nobody edits the message.
    Unlock(u64),
}
