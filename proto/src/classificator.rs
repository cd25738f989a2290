//! The closed sets of words that params choose from and records carry.
//!
//! Not here: the words of record kinds that nothing writes yet.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::field::{Kind, Param};

/// The bound that the catalogue puts on a word of a closed set, in characters.
const WORD_CHARS_MAX: usize = 1024;

/// A word of a closed set.
trait Word: Copy {
    const WORDS: &'static [&'static str];
    fn from_wire(word: &str) -> Option<Self>;
}

struct WordVisitor<T>(std::marker::PhantomData<T>);

impl<T: Word> Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", T::WORDS.join(", "))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<T, E> {
        T::from_wire(word).ok_or_else(|| E::invalid_value(Unexpected::Str(word), &self))
    }
}

macro_rules! words {
    ($($(#[$doc:meta])+ $name:ident { $($(#[$word_doc:meta])+ $word:ident = $wire:literal,)+ })+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$word_doc])+ $word,)+
        }

        impl $name {
            /// The word as the wire has it.
            pub const fn wire(self) -> &'static str {
                match self {
                    $(Self::$word => $wire,)+
                }
            }
        }

        impl Word for $name {
            const WORDS: &'static [&'static str] = &[$($wire),+];

            fn from_wire(word: &str) -> Option<Self> {
                match word {
                    $($wire => Some(Self::$word),)+
                    _ => None,
                }
            }
        }

        impl Param for $name {
            const KIND: Kind = Kind::Text;
            const MAX_LEN: Option<usize> = Some(WORD_CHARS_MAX);
            const OPTIONS: &'static [&'static str] = Self::WORDS;

            fn from_default(text: &str) -> Option<Self> {
                Self::from_wire(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(WordVisitor(std::marker::PhantomData))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.wire())
            }
        }
    )+};
}

words! {
    /// How a conversation deals with mail.
    ConvType {
        /// An announcement list.
        List = "cct_list",
        /// Members cannot take part by mail.
        NoMail = "cct_no_mail",
        /// Members can take part by mail.
        Default = "cct_default",
    }

    /// How a one-to-one conversation deals with mail; the subset of [`ConvType`] that a dialog may have.
    DialogType {
        /// The other can take part by mail.
        Default = "cct_default",
        /// The other cannot take part by mail.
        NoMail = "cct_no_mail",
    }

    /// How a member is alerted to new messages of a conversation.
    AlertLevel {
        /// Muted until unmuted.
        Never = "never",
        /// Alerted to every message.
        Default = "default",
        /// Muted until read.
        UntilRead = "until_read",
        /// A passive member: alerted to mentions only.
        Passive = "passive",
    }

    /// How much of a conversation a sync brings.
    InitMode {
        /// Header, a window of messages, sections, pins, files, contacts.
        Full = "ic_full",
        /// The header only.
        Header = "ic_header",
        /// The header and the message that the conversation list shows.
        Tiny = "ic_tiny",
    }

    /// How often unread messages are mailed.
    EmailInterval {
        /// At most once an hour.
        Hourly = "hourly",
        /// Not at all.
        Never = "never",
        /// At most once a day.
        Daily = "daily",
    }

    /// Which new messages are pushed to a device.
    PushNewMessage {
        /// The first unread one of a conversation.
        First = "first",
        /// Every one.
        All = "all",
    }

    /// The kind of device that a push token belongs to.
    DeviceType {
        /// An Android device.
        Android = "android",
        /// An iOS device.
        Ios = "ios",
    }

    /// A setting of an organisation that is on or off.
    OrganisationFlag {
        /// Members cannot log in with a password.
        EnforceNoPassword = "enforce_no_password",
        /// Members are not found by the global search of people.
        HideMembers = "hide_members",
        /// Files of managed conversations are deleted after a time.
        DeleteFiles = "delete_files",
        /// Members cannot hide their presence.
        EnforcePresence = "enforce_presence",
        /// Members create managed conversations by default.
        CreatePremiumConversations = "create_premium_conversations",
        /// A banner in conversations that have members from outside.
        ShowOutsideMembersBanner = "show_outside_members_banner",
        /// A banner in conversations that are not managed.
        ShowNotManagedBanner = "show_not_managed_banner",
    }

    /// The kind of a section of an account's own task board.
    MySectionType {
        /// A section of tasks, the only kind there is.
        MyTask = "urn:fleep:my_section:mk_section_type:my_task",
    }
}

/// `mk_message_type` of the messages that the server writes so far (protocol.md §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    /// A person's text.
    Text,
    /// The conversation was created.
    Create,
    /// Members were added.
    Add,
    /// Members were removed.
    Kick,
    /// The author left.
    Leave,
    /// The topic was set.
    Topic,
    /// Somebody who was known by an e-mail address registered.
    Signin,
    /// A task was done, where that is told.
    TaskCompleted,
    /// From now on the conversation is told when a task is done.
    EnableDoneNotifs,
    /// It no longer is.
    DisableDoneNotifs,
    /// From now on anybody with the link may join.
    Share,
    /// Nobody may any more.
    Unshare,
    /// The author joined by the link.
    Autojoin,
    /// From now on the earlier history is open to whoever joins.
    Show,
    /// It no longer is.
    Unshow,
    /// Earlier messages were opened to members.
    #[serde(rename = "discloseV2")]
    DiscloseV2,
    /// Members were removed together with their access to what they could read.
    #[serde(rename = "kickV2")]
    KickV2,
    /// Members were added with a team.
    #[serde(rename = "add_teamV2")]
    AddTeamV2,
    /// Members were removed with a team.
    KickTeam,
    /// From now on an organisation manages the conversation.
    Manage,
    /// None does any more.
    Unmanage,
    /// An admin deleted the conversation with its content.
    #[serde(rename = "deleteV1")]
    DeleteV1,
    /// From now on links get previews.
    UrlPreviews,
    /// They no longer do.
    NoUrlPreviews,
    /// The author is passive from now on.
    #[serde(rename = "passiveV1")]
    PassiveV1,
    /// The author is not passive any more.
    #[serde(rename = "joinV1")]
    JoinV1,
}

impl MessageType {
    /// Whether it alerts everybody, and takes an inbox number (conversations.md §1.3).
    #[must_use]
    pub fn is_inbox(self) -> bool {
        matches!(self, Self::Text | Self::DeleteV1)
    }

    /// Whether the full header says something new with it (conversations.md §5.1).
    #[must_use]
    pub fn changes_facts(self) -> bool {
        !matches!(self, Self::Text | Self::TaskCompleted | Self::PassiveV1 | Self::JoinV1)
    }
}

/// `mk_section_subtype` (protocol.md §4.13).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum SectionSubtype {
    /// "To Do".
    #[serde(rename = "urn:fleep:section:mk_section_subtype:default")]
    Default,
    /// "Archived".
    #[serde(rename = "urn:fleep:section:mk_section_subtype:archived")]
    Archived,
    /// Made by a member.
    #[serde(rename = "urn:fleep:section:mk_section_subtype:user")]
    User,
}

/// `mk_section_subtype` of an account's own board (accounts.md §7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum MySectionSubtype {
    /// "To Do"; every account has one.
    #[serde(rename = "urn:fleep:my_section:mk_section_subtype:default")]
    Default,
    /// "Archived"; every account has one.
    #[serde(rename = "urn:fleep:my_section:mk_section_subtype:archived")]
    Archived,
    /// Made by the owner.
    #[serde(rename = "urn:fleep:my_section:mk_section_subtype:user")]
    User,
}

/// `mk_message_state` of private tasks and canned responses (accounts.md §7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum MyMessageState {
    /// An open task.
    #[serde(rename = "urn:fleep:my_message:mk_message_state:todo")]
    Todo,
    /// A completed task.
    #[serde(rename = "urn:fleep:my_message:mk_message_state:done")]
    Done,
    /// A canned response; on no board.
    #[serde(rename = "urn:fleep:my_message:mk_message_state:canned")]
    Canned,
    /// Gone for good.
    #[serde(rename = "urn:fleep:my_message:mk_message_state:deleted")]
    Deleted,
}

/// `mk_label_type` (protocol.md §4.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum LabelType {
    /// Made by the account's owner.
    #[serde(rename = "user_label")]
    User,
    /// Every account has it; it cannot be renamed or removed.
    #[serde(rename = "system_label")]
    System,
}

/// `mk_label_status` (protocol.md §4.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelStatus {
    /// In use.
    Active,
    /// Gone; clients drop it.
    Removed,
}

/// `mk_label_subtype` (protocol.md §4.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSubtype {
    /// Set by the owner with a star.
    Starred,
    /// Conversations that are neither muted nor archived.
    Recent,
    /// Muted conversations.
    Muted,
    /// Conversations with something unread.
    Unread,
    /// Topicless conversations of two.
    #[serde(rename = "1:1 conversations")]
    OneToOne,
    /// Conversations with e-mail-only members.
    Email,
    /// Set by the owner; mutes.
    Spam,
    /// Conversations that the owner put away.
    Archived,
    /// Conversations of a team.
    TeamLabel,
    /// Named by the owner.
    User,
}

impl From<DialogType> for ConvType {
    fn from(dialog: DialogType) -> Self {
        match dialog {
            DialogType::Default => Self::Default,
            DialogType::NoMail => Self::NoMail,
        }
    }
}

impl PushNewMessage {
    /// A word of the wire; `None` for what is none.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::from_wire(word)
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that declares the words derives no default")]
impl Default for ConvType {
    fn default() -> Self {
        Self::Default
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that declares the words derives no default")]
impl Default for AlertLevel {
    fn default() -> Self {
        Self::Default
    }
}

/// `mk_account_status` (protocol.md §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Known by its e-mail address only, never registered.
    New,
    /// Registered.
    Active,
    /// A secondary address of another account.
    Alias,
    /// Its owner closed it.
    Closed,
    /// Blocked.
    Banned,
}

/// `mk_message_state` (protocol.md §4.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum MessageState {
    /// A person's message on no board.
    #[serde(rename = "urn:fleep:message:mk_message_state:plain")]
    Plain,
    /// The server wrote it.
    #[serde(rename = "urn:fleep:message:mk_message_state:system")]
    System,
    /// Its content is gone for good.
    #[serde(rename = "urn:fleep:message:mk_message_state:deleted")]
    Deleted,
    /// On the pinboard.
    #[serde(rename = "urn:fleep:message:mk_message_state:pinned")]
    Pinned,
    /// Was on the pinboard.
    #[serde(rename = "urn:fleep:message:mk_message_state:unpinned")]
    Unpinned,
    /// An open task.
    #[serde(rename = "urn:fleep:message:mk_message_state:todo")]
    Todo,
    /// A completed task.
    #[serde(rename = "urn:fleep:message:mk_message_state:done")]
    Done,
}

/// `status` of an upload (protocol.md §4.14).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// The server is fetching it, or is about to.
    Pending,
    /// It can be attached.
    Success,
    /// It could not be fetched; `error` says why.
    Failure,
}

/// `status` of an organisation (protocol.md §4.12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum OrganisationStatus {
    /// At work.
    #[serde(rename = "bos_new")]
    New,
    /// Its admins closed it.
    #[serde(rename = "bos_closed")]
    Closed,
}

/// `mk_member_status` of an organisation's member (protocol.md §4.12).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum StaffStatus {
    /// Invited, and has not answered.
    #[serde(rename = "bms_pending")]
    Pending,
    /// In it.
    #[serde(rename = "bms_active")]
    Active,
    /// In it, and locked out for a while.
    #[serde(rename = "bms_suspended")]
    Suspended,
    /// Its admins closed his account.
    #[serde(rename = "bms_closed")]
    Closed,
    /// Was in it, or was asked to be.
    #[serde(rename = "bms_removed")]
    Removed,
    /// Did not want to.
    #[serde(rename = "bms_declined")]
    Declined,
}
