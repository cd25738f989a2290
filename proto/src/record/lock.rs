//! `lock`: who edits a message at the moment (protocol.md §3.5, conversations.md §8).

use serde::Serialize;

use crate::id::{AccountId, ConversationId};

/// The same for every viewer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "lock")]
pub struct Lock {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: the message.
    pub message_nr: u64,
    /// Who edits it; `null` when nobody does, so that clients which merge keys forget the former holder.
    pub lock_account_id: Option<AccountId>,
}
