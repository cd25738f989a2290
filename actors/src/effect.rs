//! Consequences that one aggregate has for another: what an outbox entry says.
//!
//! Carried at least once, applied once. An effect says what is so, not what to add, so that applying it again changes
//! nothing.

use actix::Message;
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, OrganisationId, SectionId, TeamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::employment::Employment;
use crate::account::profile::Profile;
use crate::file::fetch::Wanted;
use crate::letter::Letter;
use crate::organisation::changelog::Entry;
use crate::store::{OutboxEntry, Stamp};
use crate::team::roster::Roster;

/// What a conversation tells an account, or an account a conversation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// To an account: it is (again) a member of the conversation, or sees more or less of it than before.
    Joined {
        /// The conversation.
        conversation_id: ConversationId,
        /// Who brought the account in; itself when it created the conversation.
        by: AccountId,
        /// Version of the account's profile that the conversation holds.
        profile_version: u64,
        /// The stamp of the change: an older effect than one that was applied says nothing new.
        version: u64,
    },
    /// To an account: whether the conversation is its dialog with another account (two members, no topic).
    Dialog {
        /// The conversation.
        conversation_id: ConversationId,
        /// The other one.
        with: AccountId,
        /// It is, or it is no longer.
        is_dialog: bool,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: u64,
    },
    /// To an account: what a task that is or was assigned to it in a conversation is now (accounts.md §7.3). Told at every
    /// change that concerns the account's own board, and for every task of its when it leaves or comes back.
    Assigned {
        /// The conversation.
        conversation_id: ConversationId,
        /// The task, by its number there.
        message_nr: u64,
        /// The task, as `task:*` names it.
        message_id: MessageId,
        /// What it is now.
        state: Assignment,
        /// The account does not hear the conversation, which it has taken out of its list: it must tell its sessions of the task
        /// itself, whatever of it changed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_unheard: bool,
        /// The stamp of the change, as in [`Effect::Joined`], but of this one task.
        version: Stamp,
    },
    /// To a conversation, from itself: tasks that an event on a section moves, as long as there are more than one decision takes.
    Sweep {
        /// The section that they leave.
        section_id: SectionId,
        /// Which ones, and where to.
        what: Sweep,
        /// Those that came into the section by a later slot are not meant.
        until: u64,
        /// Who asked for it.
        by: AccountId,
    },
    /// To a conversation, from the organisation that manages it, or from itself as long as there are more than one decision takes:
    /// files are kept for a time only.
    Expire {
        /// The organisation.
        organisation_id: OrganisationId,
        /// What was attached earlier goes; unix seconds.
        before: i64,
        /// Messages up to this one have been looked at.
        above: u64,
    },
    /// To an organisation, from itself: it is time to look at what it manages. To a conversation, from itself: a snooze ends. Carried when its time has come, also after a restart, and there is one at
    /// a time for a member: a later one takes its place.
    Ring {
        /// Whose snooze it is; nobody's where an organisation looks.
        viewer: AccountId,
        /// Unix seconds.
        at: i64,
    },
    /// To an account: its uploads are attached to a message now, which counts their bytes.
    Attached {
        /// Which of its uploads.
        uploads: Vec<Uuid>,
    },
    /// To an account: how many bytes of files it has in the conversation now.
    Stored {
        /// The conversation.
        conversation_id: ConversationId,
        /// All that it sees of it.
        bytes: u64,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: Stamp,
    },
    /// To an account: the server is to fetch a file for it. Settled with the outcome.
    Fetch(Wanted),
    /// To a conversation: a member's profile changed.
    Profile {
        /// The member.
        account_id: AccountId,
        /// What it is now; its version tells old from new.
        profile: Profile,
    },
    /// To a conversation: a member calls somebody else by another name, so that what he is shown in place of a missing topic
    /// may read otherwise.
    Named {
        /// The member.
        viewer: AccountId,
        /// Whom he calls so; `None` for several.
        contact: Option<AccountId>,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: Stamp,
    },
    /// To a conversation: a label that a member may have put on it is called otherwise, or is gone.
    Labelled {
        /// The member.
        viewer: AccountId,
        /// The label.
        label_id: LabelId,
        /// Its name; `None` when it is gone.
        name: Option<String>,
    },
    /// To an account: another one has it in its contact list.
    Watched {
        /// The owner of the list.
        by: AccountId,
        /// The version of the profile that he has seen.
        version: u64,
        /// The address that he named, where nobody was known by it.
        email: Option<String>,
    },
    /// To an account: the profile of somebody in its contact list changed.
    Shown {
        /// The contact.
        account_id: AccountId,
        /// The version of his profile.
        version: u64,
    },
    /// To an account, from itself: there are more who must be told than one append tells.
    Spread {
        /// What they are told.
        news: Spreading,
        /// The last one who was.
        after: Spot,
    },
    /// To an account, from itself: a letter that it sends.
    Mail {
        /// The letter.
        letter: Letter,
    },
    /// To an account: what becomes of an address that is, or was to be, another one of somebody's.
    Alias {
        /// What.
        news: Aliasing,
    },
    /// To an account: a device of one of its sessions is another session's now.
    Detached {
        /// The name of the session's token.
        token: Uuid,
        /// The name of the device.
        device: Uuid,
    },
    /// To an account: what it is to an organisation now.
    Employed(Employment),
    /// To an account: whether it is in a team now (accounts.md §8.1).
    Enlisted {
        /// The team.
        team_id: TeamId,
        /// Its name, which the account's label has.
        team_name: String,
        /// It is, or it is no longer.
        is_member: bool,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: Stamp,
    },
    /// To a team: an account that is in it is closed.
    Retired {
        /// The account.
        account_id: AccountId,
    },
    /// To a conversation: what one of its teams is now (accounts.md §8.2). Who is new in it joins; who was here through it alone
    /// and is not in it any more leaves.
    Staffed {
        /// The team.
        roster: Roster,
        /// Who changed it.
        by: AccountId,
    },
    /// To a team: a conversation has it now, or no longer.
    Placed {
        /// The conversation.
        conversation_id: ConversationId,
        /// It has it, or it has it no longer.
        is_there: bool,
        /// Who did it.
        by: AccountId,
        /// What the changelog calls the conversation.
        topic: String,
        /// The version of the roster that the conversation has.
        roster_version: u64,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: Stamp,
    },
    /// To an organisation: somebody makes it. Its founder has it as his already.
    Founded {
        /// The founder.
        by: AccountId,
        /// Its name.
        organisation_name: String,
    },
    /// To an organisation: somebody answers its invitation, or is in it no more by his own doing.
    Answered {
        /// Who answers.
        account_id: AccountId,
        /// To which invitation.
        reminder_id: Uuid,
        /// He is in it now; otherwise he did not want to.
        joins: bool,
        /// He followed a letter that was sent to an address which nobody had registered.
        is_by_letter: bool,
    },
    /// To an organisation: whether it manages a conversation or a team, and what its changelog is to say of it (accounts.md §9.5).
    Managed {
        /// What it is about.
        what: Charge,
        /// It manages it, or does no longer.
        is_managed: bool,
        /// New entries.
        entries: Vec<Entry>,
        /// The stamp of the change: an older one than was applied says nothing new.
        version: Stamp,
    },
    /// To a conversation or a team that an organisation manages: what became of somebody in it, or of the organisation. A team
    /// is told of newcomers as well.
    Discharged {
        /// The organisation.
        organisation_id: OrganisationId,
        /// Its name.
        organisation_name: String,
        /// Who did it.
        by: AccountId,
        /// What became of whom.
        fate: Fate,
    },
}

/// What an organisation manages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// A conversation.
    Conversation(ConversationId),
    /// A team.
    Team(TeamId),
}

/// What became of a member of an organisation, or of the organisation, to what it manages (accounts.md §9.2, §9.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// He was invited: org-wide teams take him in.
    Invited(AccountId),
    /// He has answered the invitation, or it was withdrawn.
    Settled(AccountId),
    /// He is out of it: he stays a member, and is an admin no more.
    Removed(AccountId),
    /// He is out of it: he is removed, and what he could read since it was managed is taken from him (accounts.md §10.3).
    Kicked(AccountId),
    /// The organisation is closed: it manages nothing any more.
    Closed,
}

/// What an account and the account of another address of its tell each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aliasing {
    /// To the address: it is the owner's.
    Taken {
        /// Whose.
        owner: AccountId,
        /// The address, for an account that does not exist yet.
        email: String,
    },
    /// To the address: it is not its owner's any more.
    GivenUp {
        /// Who gave it up.
        owner: AccountId,
    },
    /// To the address: it and its owner's first one have changed places.
    Readdressed {
        /// The owner.
        owner: AccountId,
        /// What it is now.
        email: String,
    },
    /// To the owner: the address had become somebody else's.
    Lost {
        /// The account of the address.
        account_id: AccountId,
    },
}

/// What an account tells everybody who must know, in portions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spreading {
    /// Its own profile changed.
    Profile,
    /// Which organisations wait for its answer changed: nobody outside of what they manage need know.
    Invitations,
    /// It calls somebody, or (`None`) several, by another name.
    Name(Option<AccountId>),
    /// One of its labels has another name, or is gone.
    Label(LabelId),
}

/// A place in the order in which an account tells others: conversations first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spot {
    /// A conversation that it can see.
    Conversation(ConversationId),
    /// An account that has it in its list.
    Watcher(AccountId),
}

/// Which tasks leave a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// All of them, for the archive.
    ArchiveAll,
    /// Those that are done, for the archive.
    ArchiveDone,
    /// All of them, for the default section: theirs is deleted.
    Vacate,
}

/// What an assigned task is to its assignee.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Assigned, and to be done.
    Todo,
    /// Assigned, and done.
    Done,
    /// Assigned, and archived on the conversation's board.
    ArchivedInConversation,
    /// Not assigned to the account any more, no task any more, or the account is out of the conversation.
    Gone,
}

/// Brings an outbox entry to its target's owner.
#[derive(Message, Clone, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Apply(pub OutboxEntry);
