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
    }

    /// Archive all tasks of a section.
    "task:archive_all" TaskArchiveAll {
        section_id: SectionId,
    }

    /// Archive the done tasks of a section.
    "task:archive_done" TaskArchiveDone {
        section_id: SectionId,
    }

    /// Delete a section of the caller's task board.
    "task:delete" TaskDelete {
        section_id: SectionId,
    }

    /// Rename a section of the caller's task board.
    "task:rename" TaskRename {
        section_id: SectionId,
        section_name: Text<1024>,
    }

    /// Move a section on the caller's task board; null puts it first.
    "task:set_position" TaskSetPosition {
        section_id: SectionId,
        prev_section_id: Option<SectionId>,
    }

    /// Fetch the next batch of a section of the caller's task board.
    "task:sync" TaskSync {
        section_id: SectionId,
        sync_cursor: Cursor<TaskCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    }
}

params! {
    /// Where [`TaskSync`] goes on.
    TaskCursor {
        section_id: SectionId,
        task_weight: Option<f64>,
    }
}
