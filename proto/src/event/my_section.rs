//! The events on the sections of the caller's own task board (accounts.md §7).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::MySectionType;
use crate::field::{Cursor, Limit, Text};
use crate::id::SectionId;

events! {
    "my_section", owner [Caller];

    /// Add a section to the caller's task board.
    "task:add" TaskAdd {
        section_name: Text<1024>,
        prev_section_id: Option<SectionId>,
        mk_section_type: MySectionType = "urn:fleep:my_section:mk_section_type:my_task",
    } => {
        by: Account, identifier: "section_id", answer: "my_section", others: "own sessions: the same",
        refused: "430 not_found: no such section to stand behind; 400 invalid_call: no name, behind the archive; 431 business_logic: too many",
    }

    /// Archive all tasks of a section.
    "task:archive_all" TaskArchiveAll {
        section_id: SectionId,
    } => {
        by: Account, identifier: "section_id", answer: "my_message? my_section message? contact? file?",
        others: "own sessions: the same",
        refused: "430 not_found: no such section; 400 invalid_call: the archive",
    }

    /// Archive the done tasks of a section.
    "task:archive_done" TaskArchiveDone {
        section_id: SectionId,
    } => {
        by: Account, identifier: "section_id", answer: "my_message? my_section message? contact? file?",
        others: "own sessions: the same",
        refused: "430 not_found: no such section; 400 invalid_call: the archive",
    }

    /// Delete a section of the caller's task board.
    "task:delete" TaskDelete {
        section_id: SectionId,
    } => {
        by: Account, identifier: "section_id", answer: "my_section my_message? message? contact? file?",
        others: "own sessions: the same",
        refused: "430 not_found: no such section; 400 invalid_call: a built-in section",
    }

    /// Rename a section of the caller's task board.
    "task:rename" TaskRename {
        section_id: SectionId,
        section_name: Text<1024>,
    } => {
        by: Account, identifier: "section_id", answer: "my_section", others: "own sessions: the same",
        refused: "430 not_found: no such section; 400 invalid_call: no name, the archive",
    }

    /// Move a section on the caller's task board; null puts it first.
    "task:set_position" TaskSetPosition {
        section_id: SectionId,
        prev_section_id: Option<SectionId>,
    } => {
        by: Account, identifier: "section_id", answer: "my_section", others: "own sessions: the same",
        refused: "430 not_found: no such section; 400 invalid_call: the archive, behind the archive or itself",
    }

    /// Fetch the next batch of a section of the caller's task board.
    "task:sync" TaskSync {
        section_id: SectionId,
        sync_cursor: Cursor<TaskCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Account, identifier: "section_id", answer: "my_message? my_section message? contact? file?",
        refused: "430 not_found: no such section; 400 invalid_call: the cursor of another section",
    }
}

params! {
    /// Where [`TaskSync`] goes on.
    TaskCursor {
        section_id: SectionId,
        task_weight: Option<f64>,
    }
}
