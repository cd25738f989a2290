//! The events on a label of the caller (conversations.md §11).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::InitMode;
use crate::field::{Cursor, Limit, Timestamp};
use crate::id::{ConversationId, LabelId};

events! {
    "label", owner [Caller];

    /// Fetch the next batch of a label's conversations, newest first.
    "sync_conversations" SyncConversations {
        label_id: LabelId,
        mk_init_mode: InitMode = "ic_tiny",
        sync_cursor: Cursor<ConversationsCursor> = "NULL",
        limit: Limit<30>,
    } => {
        by: Account, identifier: "label_id",
        answer: "label contact? conv(N)? message? section? activity? file?",
        refused: "430 not_found: no such label",
    }
}

params! {
    /// Where [`SyncConversations`] goes on.
    ConversationsCursor {
        acv_conv_id: ConversationId,
        acv_inbox_time: Timestamp,
    }
}
