//! `section`: a section of a conversation's task board (protocol.md §3.9).
//!
//! Not here: the sections of an account's own board.

use serde::{Serialize, Serializer};

use crate::classificator::SectionSubtype;
use crate::id::{ConversationId, SectionId};

/// The largest whole number up to which a double is exact: 2^53.
const EXACT_WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

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
    #[serde(serialize_with = "weight")]
    pub weight: f64,
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

/// Whole weights are written without a fraction, as clients have always seen them.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn weight<S: Serializer>(weight: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if weight.fract() == 0.0 && weight.abs() <= EXACT_WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return serializer.serialize_i64(*weight as i64);
    }
    serializer.serialize_f64(*weight)
}
