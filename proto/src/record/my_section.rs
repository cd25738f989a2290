//! `my_section`: a section of an account's own task board (accounts.md §7.1). Only its owner ever gets it.
//!
//! Not here: the sections of a conversation's board.

use serde::Serialize;

use crate::classificator::{MySectionSubtype, MySectionType};
use crate::id::{AccountId, SectionId};
use crate::record::weight::Weight;

/// A section. It has no conversation; its id alone is the key.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "my_section")]
pub struct MySection<'a> {
    /// Key.
    pub section_id: SectionId,
    /// Its owner.
    pub account_id: AccountId,
    /// Its name.
    pub name: &'a str,
    /// There is one kind.
    pub mk_section_type: MySectionType,
    /// Which one it is.
    pub mk_section_subtype: MySectionSubtype,
    /// Boards are shown by weight, descending.
    pub weight: Weight,
    /// It is gone.
    pub is_deleted: bool,
    /// JSON text from which its tasks go on; `null` when there are no more.
    pub sync_cursor: Option<&'a str>,
    /// Always `null`.
    pub sync_state: (),
}
