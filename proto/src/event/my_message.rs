//! The events on the caller's private tasks and canned responses (accounts.md §6 and §7).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::field::Text;
use crate::id::MessageId;

events! {
    "my_message", owner [Caller];

    /// Add a canned response.
    "add_canned" AddCanned {
        canned_name: Text<1024>,
        message: Text<1024> = "",
        attachment_urls: Option<Vec<String>>,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: a file; 400 invalid_call: no name, no content; 431 business_logic: the name is taken",
    }

    /// Add a private task to the caller's board.
    "add_todo" AddTodo {
        message: Text<307_200> = "",
        attachment_urls: Option<Vec<String>>,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: a file; 400 invalid_call: no content; 431 business_logic: the board is full",
    }

    /// Archive a private task.
    "archive" Archive {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a canned response or a deleted task",
    }

    /// Delete a private task or a canned response.
    "delete" Delete {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message",
    }

    /// Replace a private task's text and files; params that are missing or null are removed.
    "edit" Edit {
        message_id: MessageId,
        message: Text<307_200>,
        attachment_urls: Option<Vec<String>>,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message, a file; 400 invalid_call: a canned response, a deleted task, no content",
    }

    /// Replace a private task's files.
    "edit_attachments" EditAttachments {
        message_id: MessageId,
        attachment_urls: Option<Vec<String>>,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message, a file; 400 invalid_call: a canned response, a deleted task",
    }

    /// Replace a private task's text.
    "edit_body" EditBody {
        message_id: MessageId,
        message: Text<307_200>,
    } => {
        by: Account, identifier: "message_id", answer: "my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message, a file; 400 invalid_call: a canned response, a deleted task, no content",
    }

    /// Replace a canned response's name, text and files.
    "edit_canned" EditCanned {
        canned_name: Text<1024>,
        message: Text<1024> = "",
        message_id: MessageId,
        attachment_urls: Option<Vec<String>>,
    } => {
        by: Account, identifier: "message_id", answer: "contact? my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message, a file; 400 invalid_call: no name, no content, no canned response; 431 business_logic: the name is taken",
    }

    /// Turn a private task to done.
    "set_done" SetDone {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a canned response or a deleted task",
    }

    /// Turn a private task back to to-do.
    "set_todo" SetTodo {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a canned response or a deleted task",
    }

    /// Put an archived private task back on the board.
    "unarchive" Unarchive {
        message_id: MessageId,
    } => {
        by: Account, identifier: "message_id", answer: "my_message file?", others: "own sessions: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a canned response or a deleted task",
    }
}
