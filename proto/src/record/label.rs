//! `label`: a label of the viewer's own (protocol.md §3.10, conversations.md §11).

use serde::Serialize;

use crate::classificator::{LabelStatus, LabelSubtype, LabelType};
use crate::id::{LabelId, TeamId};

/// Labels belong to one account; nobody else sees them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "label")]
pub struct Label<'a> {
    /// Key.
    pub label_id: LabelId,
    /// Its name; missing on a removed label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// Its place among the account's labels.
    pub index: i32,
    /// Whose making it is.
    pub mk_label_type: LabelType,
    /// Which one it is.
    pub mk_label_subtype: LabelSubtype,
    /// In use or gone.
    pub mk_label_status: LabelStatus,
    /// Shown on the left pane.
    pub is_on_left_pane: bool,
    /// Its conversations are listed under Recent.
    pub is_in_recent: bool,
    /// Its conversations are listed under Muted.
    pub is_in_muted: bool,
    /// The team, on team labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<TeamId>,
    /// JSON text from which its conversations go on, `{}` at the end; in sync answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_cursor: Option<&'a str>,
    /// 0; in sync answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_inbox_time: Option<i64>,
}
