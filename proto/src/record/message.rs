//! `message`: a message as it stands now, or as an item of the flow (protocol.md §3.3, conversations.md §1 and §9).
//!
//! Shared but for `profile_id`, with which [`close_for_profile`](super::close_for_profile) completes it, and for the place
//! of a task on its assignee's own board ([`close_for_assignee`]).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::classificator::{MessageState, MessageType, MySectionType};
use crate::id::{AccountId, ConversationId, MessageId, SectionId};
use crate::record::weight::Weight;
use crate::record::write::Fields;

/// A field that is left out of messages that never had it, and `null` in one that has lost it: clients merge by key, so that
/// nothing else takes it back.
pub type Lost<T> = Option<Option<T>>;

/// Everything that is the same for all viewers.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "message")]
pub struct Shared<'a> {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: its number, which no revision changes.
    pub message_nr: u64,
    /// Its global id.
    pub message_id: MessageId,
    /// Its author.
    pub account_id: AccountId,
    /// Message XML, the JSON text of a system message, or "".
    pub message: &'a str,
    /// Which kind it is.
    pub mk_message_type: MessageType,
    /// What it is now.
    pub mk_message_state: MessageState,
    /// [`tags`] of its state.
    pub tags: &'a [&'a str],
    /// Unix seconds.
    pub posted_time: i64,
    /// The previous visible message, 0 for the first; revisions do not count.
    pub prev_message_nr: u64,
    /// Its inbox number; 0 or negative for a system message.
    pub inbox_nr: i64,
    /// The slot of the revision that this record tells of; only when it travels as a flow item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_message_nr: Option<u64>,
    /// A message that this one points to; an unpinned one points to itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ref_message_nr: Lost<u64>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_message_nr: Option<u64>,
    /// Unix seconds of the last revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_time: Option<i64>,
    /// Who made the last revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit_account_id: Option<AccountId>,
    /// Its subject; an empty one takes an earlier one back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// Members whom it mentions; an empty list takes earlier ones back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention_ids: Option<&'a [AccountId]>,
    /// `true` when its links have no previews: they were off at its posting, or were dropped later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_url_preview_disabled: Option<bool>,
    /// Where it is on the pinboard; tasks have it as well, with the value of `task_weight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_weight: Lost<Weight>,
    /// Who pinned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_account_id: Lost<AccountId>,
    /// The section that the task is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_id: Lost<SectionId>,
    /// Where it is in its section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_weight: Lost<Weight>,
    /// Who made it a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasked_account_id: Lost<AccountId>,
    /// The task is archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_archived: Option<bool>,
    /// Who is to do the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_ids: Option<&'a [AccountId]>,
    /// Who said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigner_id: Lost<AccountId>,
    /// Who reacted how; an empty map takes earlier reactions back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<&'a BTreeMap<String, Vec<AccountId>>>,
    /// Somebody marked it as spam.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_spam: Option<bool>,
    /// Who edits it at the moment; `null` when nobody does.
    pub lock_account_id: Option<AccountId>,
}

/// `assigned_to_me_state`: where a conversation's task stands on its viewer's own board (accounts.md §7.3).
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AssignedToMe {
    /// There is one kind.
    pub mk_section_type: MySectionType,
    /// The section of his board.
    pub section_id: SectionId,
    /// Where in that section.
    pub task_weight: Weight,
}

/// Completes an open message for an account on whose own board it stands, or stood (`None`: clients merge by key, so the
/// place is taken back with a `null`).
pub fn close_for_assignee(profile_id: AccountId, place: Option<&AssignedToMe>, out: &mut Vec<u8>) {
    let mut fields = Fields::new(out);
    fields.value("assigned_to_me_state", &place);
    fields.id("profile_id", profile_id.0);
    fields.close();
}

/// A task whose place on its assignee's board changed together with many others'; [`close_for_assignee`] completes it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "message")]
pub struct Moved {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: its number.
    pub message_nr: u64,
    /// Its global id.
    pub message_id: MessageId,
    /// Who edits it at the moment. A message record without this key would say that nobody does.
    pub lock_account_id: Option<AccountId>,
}

/// `tags` by state (conversations.md §9.1); `is_archived` is the flag of a task.
#[must_use]
pub fn tags(state: MessageState, is_archived: bool) -> &'static [&'static str] {
    match state {
        MessageState::Plain | MessageState::System => &[],
        MessageState::Pinned => &["is_shared", "pin"],
        MessageState::Unpinned => &["is_archived", "is_shared", "unpin"],
        MessageState::Todo if is_archived => &["is_shared", "is_task", "is_todo", "is_archived"],
        MessageState::Todo => &["is_shared", "is_task", "is_todo"],
        MessageState::Done if is_archived => &["is_shared", "is_task", "is_done", "is_archived"],
        MessageState::Done => &["is_shared", "is_task", "is_done"],
        // Twice, as clients have always received it.
        MessageState::Deleted => &["is_deleted", "is_deleted"],
    }
}

/// Whether messages in this state are open to every present member, whatever part of the flow he sees
/// (conversations.md §4.3).
#[must_use]
pub fn is_shared(state: MessageState) -> bool {
    match state {
        MessageState::Pinned | MessageState::Todo | MessageState::Done => true,
        MessageState::Plain | MessageState::System | MessageState::Deleted | MessageState::Unpinned => false,
    }
}
