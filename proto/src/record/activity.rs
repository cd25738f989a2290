//! `activity`: what the other members may see of a member (protocol.md §3.5, conversations.md §8).

use serde::Serialize;

use crate::id::{AccountId, ConversationId};

/// The same for every viewer, and never sent to the member himself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "activity")]
pub struct Activity {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: the member.
    pub account_id: AccountId,
    /// Lowest number from which history is open to him.
    pub join_message_nr: u64,
    /// His read horizon; missing until he has read something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_message_nr: Option<u64>,
    /// His pen is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_writing: Option<bool>,
    /// Unix seconds at which he last posted or read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_time: Option<i64>,
}
