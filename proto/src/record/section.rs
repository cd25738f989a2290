//! `section`: a section of a conversation's task board (protocol.md §3.9).
//!
//! Not here: the sections of an account's own board.

use serde::Serialize;

use crate::classificator::SectionSubtype;
use crate::id::{ConversationId, SectionId};
use crate::record::weight::Weight;

/// The same for every viewer.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "section")]
pub struct Section<'a> {
    /// Key: the conversation.
    pub conversation_id: ConversationId,
    /// Key: the section.
    pub section_id: SectionId,
    /// Its name.
    pub name: &'a str,
    /// Boards are shown by weight, descending.
    pub weight: Weight,
    /// It is gone.
    pub is_deleted: bool,
    /// Whose board it is on.
    pub mk_section_type: BoardOfConversation,
    /// Which one it is.
    pub mk_section_subtype: SectionSubtype,
    /// JSON text from which its tasks go on; `null` when there are no more.
    pub sync_cursor: Option<&'a str>,
    /// Always `null`.
    pub sync_state: (),
}

/// `mk_section_type` of every section of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum BoardOfConversation {
    /// The conversation's board.
    #[serde(rename = "urn:fleep:section:mk_section_type:task")]
    Task,
}

/// Where the tasks of a section go on: what `sync_cursor` holds as text.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Cursor {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The section.
    pub section_id: SectionId,
    /// The last one sent.
    pub task_weight: Weight,
}
