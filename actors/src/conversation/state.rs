//! A conversation as its owner holds it: the rows, the numbers derived from them, and `fold`, the only way in which
//! they change.
//!
//! Not here: who may do what (`rules`), who gets to see it (`audience`), the actor that owns it (`conversation`).
//! The meaning of every counter is in conversations.md §1 and §2.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rill_proto::classificator::{AlertLevel, MessageState};
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, SectionId, TeamId};
use serde::{Deserialize, Serialize};

use crate::account::profile::Profile;
use crate::conversation::board::{Board, Place};
use crate::conversation::drawer::{Drawer, Filed};
use crate::file::File;
use crate::store::Stamp;
use crate::team::roster::Roster;
use crate::weight::Weight;

mod boards;
mod member;
mod settings;
mod span;

pub use boards::{Boards, Extras};
pub use rill_proto::classificator::MessageType as MessageKind;
pub use settings::Settings;
pub use span::{Managed, PERIODS_MAX, Span};

/// How many of the newest slots an active conversation keeps in memory: enough for every reconnect within seconds and
/// for the window of an initial sync, small enough that ten thousand active conversations fit.
pub const RECENT_SLOTS_MAX: usize = 64;

/// How many of the messages that mention a member his row remembers: more than anybody edits away in a row, few enough
/// that the row stays short.
pub const MENTIONS_MAX: usize = 8;

/// The conversation's own facts; one row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Who created it.
    pub creator_id: AccountId,
    /// Its topic; empty when unset.
    pub topic: String,
    /// The slot in which the current topic was last stated.
    pub topic_message_nr: u64,
    /// What its members have set.
    #[serde(flatten)]
    pub settings: Settings,
    /// Stretches of the flow that were written while an organisation managed it, ascending; the last one is open as long as one
    /// does. At most [`PERIODS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed: Vec<Managed>,
    /// It was begun as a managed one, and its admins may delete it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deletable: bool,
    /// Teams whose members are members, in the order in which they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamId>,
    /// The newest slot, revisions included.
    pub last_message_nr: u64,
    /// The newest visible message.
    pub show_message_nr: u64,
    /// How many inbox messages there are.
    pub last_inbox_nr: u64,
    /// Post time of the newest visible message, unix seconds.
    pub last_message_time: i64,
    /// Post time of the newest inbox message, unix seconds; 0 when there is none.
    pub last_inbox_time: i64,
    /// The newest inbox message; 0 when there is none.
    pub inbox_message_nr: u64,
    /// When a fact of the full header (key set F) last changed.
    pub facts_stamp: Stamp,
    /// When anything of the conversation last changed.
    pub stamp: Stamp,
}

/// What a member is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// May post and hears everything.
    Active,
    /// May post, is notified of mentions only.
    Passive,
    /// Left or was removed; sees what he saw.
    Left,
    /// Was kicked from a managed conversation; its managed history is closed to him.
    Kicked,
}

/// At what an ex-member's view stands still.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// His leave or kick message: `last_message_nr` and `show_message_nr` for ever.
    pub message_nr: u64,
    /// The inbox counter then.
    pub last_inbox_nr: u64,
    /// Post time of the newest inbox message then, 0 when there was none.
    pub last_inbox_time: i64,
    /// Post time of the leave or kick message.
    pub time: i64,
    /// The topic then.
    #[serde(default)]
    pub topic: String,
    /// The slot that stated it.
    #[serde(default)]
    pub topic_message_nr: u64,
    /// What was set then.
    #[serde(default)]
    pub settings: Settings,
    /// What was on the boards then.
    #[serde(default)]
    pub boards: Boards,
}

/// One person's row: his membership, his marks and his own view.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// What everybody may know of him, as of his last change.
    pub profile: Profile,
    /// What he is at the moment.
    pub standing: Standing,
    /// He is in it through its teams alone: when none of them has him any more, he goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_by_team: bool,
    /// Order of joining; lists of members are sent in it.
    pub place: u32,
    /// Lowest number from which history is open to him.
    pub join_message_nr: u64,
    /// The message that started his current run.
    pub begin_message_nr: u64,
    /// His last change of membership.
    pub send_message_nr: u64,
    /// His read horizon.
    pub read_message_nr: u64,
    /// The inbox number at his read horizon.
    pub read_inbox_nr: u64,
    /// Whether others have been told of a read horizon of his (conversations.md §8: left out until he has read something).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_read: bool,
    /// The read horizon that the others know, while his own lies behind it: they are not told that he moved it back (§2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_read_nr: Option<u64>,
    /// Post time of the message that brought him in, unix seconds.
    pub join_time: i64,
    /// Absent until he first reads or acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_mark_unread: Option<bool>,
    /// Newest live message that mentions him; 0 when that is gone, absent when there never was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_message_nr: Option<u64>,
    /// The newest live messages that mention him, ascending: what `my_message_nr` falls back to. At most
    /// [`MENTIONS_MAX`]; when all of them are gone it says 0, however many older ones there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<u64>,
    /// Archived up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_message_nr: Option<u64>,
    /// Deleted from his own list up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_message_nr: Option<u64>,
    /// The inbox counter there: what he deleted is not unread.
    #[serde(default)]
    pub delete_inbox_nr: u64,
    /// Gone from his own list since, until something new is written or he is brought in again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// He wants neither push nor mail; absent until he first says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_notifications: Option<bool>,
    /// Earlier runs and disclosures. The current run begins at `begin_message_nr` and is open while he is a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<Span>,
    /// What was taken from him when he was kicked, ascending and apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Span>,
    /// Set while he is not a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// How he is alerted.
    #[serde(default)]
    pub alert_level: AlertLevel,
    /// Seconds; negative values as in conversations.md §6.4.
    #[serde(default)]
    pub snooze_interval: i64,
    /// Unix seconds at which a timed snooze ends; 0 for none.
    #[serde(default)]
    pub snooze_time: i64,
    /// His labels on this conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_ids: Vec<LabelId>,
    /// What they are called, in the same order; absent until he first sets some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_names: Option<Vec<String>>,
    /// When his client last had to start afresh: joined, rejoined, disclosed to, removed.
    pub init_stamp: Stamp,
    /// When that which the other members see of him (join, read mark) last changed.
    pub shown_stamp: Stamp,
    /// When his profile last changed here.
    pub profile_stamp: Stamp,
    /// When his own view last changed by anything that is not a slot.
    pub stamp: Stamp,
}

/// A message as it stands now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its number: the slot that it took when it was posted.
    pub message_nr: u64,
    /// Its global id.
    pub message_id: MessageId,
    /// Its author.
    pub account_id: AccountId,
    /// `mk_message_type`: `text`, `create`, `add`, …
    pub kind: MessageKind,
    /// `mk_message_state`.
    pub state: MessageState,
    /// Message XML, or the JSON text of a system message, or "".
    pub message: String,
    /// Unix seconds.
    pub posted_time: i64,
    /// Unix seconds of the last revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_time: Option<i64>,
    /// Who made the last revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit_account_id: Option<AccountId>,
    /// The previous visible message; 0 for the first.
    pub prev_message_nr: u64,
    /// The slot of its last revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_message_nr: Option<u64>,
    /// A message that this one points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ref_message_nr: Option<u64>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_message_nr: Option<u64>,
    /// Its inbox number; negative for a system message: minus the inbox counter at its posting.
    pub inbox_nr: i64,
    /// Its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Members whom it mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_ids: Vec<AccountId>,
    /// Previews were off when it was posted, or were dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_url_preview_disabled: bool,
    /// What most messages never have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<Box<Extras>>,
    /// Its files, those that are gone included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// When it was posted. Revisions leave it alone, so that the stamps of slots rise with their numbers.
    pub stamp: Stamp,
}

/// A slot of the flow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Slot {
    /// A message was posted in this slot; the row holds what it is now.
    #[serde(rename = "m")]
    Message(Box<Message>),
    /// An earlier message was revised in this slot.
    #[serde(rename = "r")]
    Revision {
        /// The number of the message.
        of: u64,
        /// When.
        stamp: Stamp,
    },
}

impl Slot {
    /// When the slot was taken; rises with the number of the slot.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        match self {
            Self::Message(message) => message.stamp,
            Self::Revision { stamp, .. } => *stamp,
        }
    }
}

/// A run of inbox messages with consecutive slots: the message with inbox number `inbox_nr + k` is `message_nr + k`,
/// until the next run begins. They make both directions of the mapping a binary search, in memory that grows with the
/// breaks and not with the messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Inbox number of its first message.
    pub inbox_nr: u64,
    /// Slot of its first message.
    pub message_nr: u64,
}

/// A section of the task board.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Which one it is.
    pub subtype: SectionSubtype,
    /// Boards are shown by weight, descending.
    pub weight: Weight,
    /// It is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
    /// When it last changed.
    pub stamp: Stamp,
}

/// `mk_section_subtype`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SectionSubtype {
    /// "To Do"; every conversation has one.
    Default,
    /// "Archived"; every conversation has one.
    Archived,
    /// Made by a member.
    User,
}

/// One new row value. A decision is a list of them; the store writes them, `fold` puts them in.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a decision has a handful of them, and moves each once")]
pub enum Change {
    /// The head.
    Head(Head),
    /// A member.
    Member(AccountId, Member),
    /// A run that begins.
    Run(Run),
    /// A slot, new or with a message's new content.
    Slot(u64, Slot),
    /// A section.
    Section(SectionId, Section),
    /// A message's place on a board; `None` takes it off.
    Place(u64, Option<Place>),
    /// What a message has of files.
    Filed(u64, Filed),
    /// What is known of a team; `None` when it is not in it any more.
    Team(TeamId, Option<Roster>),
}

/// Everything that an active conversation holds in memory. `None` of it before the first `create`.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its id.
    pub conversation_id: ConversationId,
    /// Its own facts; `None` while it does not exist.
    pub head: Option<Head>,
    /// Everybody who is or was a member.
    pub members: BTreeMap<AccountId, Member>,
    /// Runs of inbox messages, ascending.
    pub runs: Vec<Run>,
    /// Sections of the task board.
    pub sections: BTreeMap<SectionId, Section>,
    /// Pins and tasks.
    pub board: Board,
    /// The newest slots, ascending and without a hole up to `last_message_nr`; at most [`RECENT_SLOTS_MAX`].
    pub recent: VecDeque<(u64, Slot)>,
    /// Which messages have files.
    pub drawer: Drawer,
    /// Those of the members from whose lists it is gone.
    pub deleted: BTreeSet<AccountId>,
    /// Those of the members who are passive: every header names them, and looking for them among ten thousand members would cost as
    /// much as telling a thousand sessions.
    pub passive: BTreeSet<AccountId>,
    /// The teams that are in it, as they were last told of.
    pub teams: BTreeMap<TeamId, Roster>,
}

impl State {
    /// A conversation that does not exist yet.
    #[must_use]
    pub fn new(conversation_id: ConversationId) -> Self {
        Self {
            conversation_id,
            head: None,
            members: BTreeMap::new(),
            runs: Vec::new(),
            sections: BTreeMap::new(),
            board: Board::default(),
            recent: VecDeque::new(),
            drawer: Drawer::default(),
            deleted: BTreeSet::new(),
            passive: BTreeSet::new(),
            teams: BTreeMap::new(),
        }
    }

    /// Puts one change in. The only way in which the state changes: live, on load and in tests.
    pub fn fold(&mut self, change: &Change) {
        match change {
            Change::Head(head) => self.head = Some(head.clone()),
            Change::Member(account_id, member) => {
                self.members.insert(*account_id, member.clone());
                note(&mut self.deleted, *account_id, member.is_deleted);
                note(&mut self.passive, *account_id, member.standing == Standing::Passive);
            }
            Change::Run(run) => self.runs.push(*run),
            Change::Section(section_id, section) => {
                self.sections.insert(*section_id, section.clone());
            }
            Change::Place(nr, place) => self.board.put(*nr, place.as_ref()),
            Change::Slot(nr, slot) => self.fold_slot(*nr, slot),
            Change::Filed(nr, filed) => self.drawer.put(*nr, *filed),
            Change::Team(id, Some(roster)) => drop(self.teams.insert(*id, roster.clone())),
            Change::Team(id, None) => drop(self.teams.remove(id)),
        }
    }

    fn fold_slot(&mut self, nr: u64, slot: &Slot) {
        match self.recent.binary_search_by_key(&nr, |(recent, _)| *recent) {
            Ok(at) => self.recent[at].1 = slot.clone(),
            // Only the next slot keeps the window without a hole; new content of an older message stays in the store.
            Err(at) if at == self.recent.len() => {
                self.recent.push_back((nr, slot.clone()));
                if self.recent.len() > RECENT_SLOTS_MAX {
                    self.recent.pop_front();
                }
            }
            Err(_) => {}
        }
    }

    /// Whoever is in a managed conversation and has not answered the organisation's invitation, in the order of joining.
    #[must_use]
    pub fn pending(&self) -> Vec<AccountId> {
        // Most conversations are managed by nobody, and every header asks.
        if self.head.as_ref().is_none_or(|head| head.settings.organisation_id.is_none()) {
            return Vec::new();
        }
        let asked = self.members.iter().filter(|(id, member)| self.waits_for(**id, member));
        let mut pending: Vec<(u32, AccountId)> = asked.map(|(id, member)| (member.place, *id)).collect();
        pending.sort_unstable();
        pending.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether somebody is pending with such a row.
    #[must_use]
    pub fn waits_for(&self, id: AccountId, member: &Member) -> bool {
        let organisation_id = self.head.as_ref().and_then(|head| head.settings.organisation_id);
        let is_asked = organisation_id.is_some_and(|of| member.profile.invited_into.contains(&of));
        is_asked && self.may_wait_for(id, member)
    }

    /// Whether somebody with such a row would be, if he were asked: he is in himself, or through a managed team (accounts.md §8.1).
    #[must_use]
    pub fn may_wait_for(&self, id: AccountId, member: &Member) -> bool {
        let mut managed = self.teams.values().filter(|team| team.organisation_id.is_some());
        member.is_present() && (!member.is_by_team || managed.any(|team| team.members.contains(&id)))
    }

    /// How many inbox messages lie at or below a slot.
    #[must_use]
    pub fn inbox_at(&self, message_nr: u64) -> u64 {
        let after = self.runs.partition_point(|run| run.message_nr <= message_nr);
        let Some(run) = after.checked_sub(1).map(|at| self.runs[at]) else {
            return 0;
        };
        let end = match self.runs.get(after) {
            Some(next) => next.inbox_nr - 1,
            None => self.head.as_ref().map_or(0, |head| head.last_inbox_nr),
        };
        (run.inbox_nr + (message_nr - run.message_nr)).min(end)
    }

    /// The slot of the message with an inbox number from 1 to the newest; `None` outside of them.
    #[must_use]
    pub fn message_of_inbox(&self, inbox_nr: u64) -> Option<u64> {
        let newest = self.head.as_ref()?.last_inbox_nr;
        if inbox_nr == 0 || inbox_nr > newest {
            return None;
        }
        let at = self.runs.partition_point(|run| run.inbox_nr <= inbox_nr).checked_sub(1)?;
        let run = self.runs[at];
        Some(run.message_nr + (inbox_nr - run.inbox_nr))
    }

    /// The run that begins when the next inbox message takes `message_nr`, if it does not prolong the newest one.
    #[must_use]
    pub fn run_for(&self, inbox_nr: u64, message_nr: u64) -> Option<Run> {
        let prolongs =
            self.runs.last().is_some_and(|run| run.message_nr + (inbox_nr - run.inbox_nr) == message_nr);
        (!prolongs).then_some(Run { inbox_nr, message_nr })
    }
}

/// Keeps a set of the members of whom something is true.
fn note(those: &mut BTreeSet<AccountId>, account_id: AccountId, is_one: bool) {
    if is_one {
        those.insert(account_id);
    } else {
        those.remove(&account_id);
    }
}
