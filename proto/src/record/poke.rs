//! `poke`: a marker that comes back behind everything that was in flight (protocol.md §3.5).

use serde::Serialize;

use crate::id::{AccountId, ConversationId};

/// The same for every viewer; nothing is stored of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "poke")]
pub struct Poke {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: the number that the caller gave.
    pub message_nr: u64,
    /// Who asked for it.
    pub account_id: AccountId,
}
