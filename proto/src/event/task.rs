//! The events on the places of tasks on the caller's own board (accounts.md §7).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::id::{MessageId, SectionId};

events! {
    "task", owner [Caller];

    /// Archive a task on the caller's board, be it private or a conversation's.
    "archive" Archive {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message? message? contact? file?",
        others: "own sessions: the same", refused: "430 not_found: not on the own board",
    }

    /// Move a task on the caller's board, be it private or a conversation's.
    "set_position" SetPosition {
        message_id: MessageId,
        section_id: SectionId,
        /// The message after which to put the task; null puts it first.
        prev_message_id: Option<MessageId>,
    } => {
        by: Account, identifier: "message_id", answer: "my_message? message? contact? file?",
        others: "own sessions: the same",
        refused: "430 not_found: not on the own board, no such section; 400 invalid_call: no such task to stand behind",
    }

    /// Put an archived task back on the caller's board, be it private or a conversation's.
    "unarchive" Unarchive {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message? message? contact? file?",
        others: "own sessions: the same", refused: "430 not_found: not on the own board",
    }
}
