//! The events on the sections of a conversation's task board (conversations.md §10).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::field::{Cursor, Limit, Text};
use crate::id::{ConversationId, SectionId};

events! {
    "section", owner [Conversation conversation_id];

    /// Add a section to the conversation's task board.
    "task:add" TaskAdd {
        conversation_id: ConversationId,
        section_name: Text<1024>,
        prev_section_id: Option<SectionId>,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section",
        others: "members: the same",
        refused: "430 not_found: no such section to stand behind; 400 invalid_call: no name",
    }

    /// Archive all tasks of a section.
    "task:archive_all" TaskArchiveAll {
        conversation_id: ConversationId,
        section_id: SectionId,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section conv(U)? message?",
        others: "members: the same",
        refused: "430 not_found: no such section; 400 invalid_call: the archive",
    }

    /// Archive the done tasks of a section.
    "task:archive_done" TaskArchiveDone {
        conversation_id: ConversationId,
        section_id: SectionId,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section conv(U)? message?",
        others: "members: the same",
        refused: "430 not_found: no such section; 400 invalid_call: the archive",
    }

    /// Delete a section of the conversation's task board; its tasks move to the default one.
    "task:delete" TaskDelete {
        conversation_id: ConversationId,
        section_id: SectionId,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section conv(U)? message?",
        others: "members: the same",
        refused: "430 not_found: no such section; 400 invalid_call: a built-in section",
    }

    /// Rename a section of the conversation's task board.
    "task:rename" TaskRename {
        conversation_id: ConversationId,
        section_id: SectionId,
        section_name: Text<1024>,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section",
        others: "members: the same",
        refused: "430 not_found: no such section; 400 invalid_call: no name, the archive",
    }

    /// Move a section on the conversation's task board; null puts it first.
    "task:set_position" TaskSetPosition {
        conversation_id: ConversationId,
        section_id: SectionId,
        prev_section_id: Option<SectionId>,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "section",
        others: "members: the same",
        refused: "430 not_found: no such section; 400 invalid_call: a built-in section",
    }

    /// Fetch the next batch of a section of the conversation's task board.
    "task:sync" TaskSync {
        conversation_id: ConversationId,
        section_id: SectionId,
        sync_cursor: Cursor<TaskCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Member, identifier: "conversation_id section_id", answer: "contact? section message? file?",
        refused: "430 not_found: no such section",
    }
}

params! {
    /// Where [`TaskSync`] goes on.
    TaskCursor {
        conversation_id: ConversationId,
        section_id: SectionId,
        task_weight: Option<f64>,
    }
}
