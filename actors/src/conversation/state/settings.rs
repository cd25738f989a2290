//! What the members of a conversation have set: the facts of its header that stand still for who has left.

use rill_proto::classificator::ConvType;
use rill_proto::id::{AccountId, OrganisationId};
use serde::{Deserialize, Serialize};

/// What is set. A switch that nobody ever touched is `None`: records leave it out, and say `false` of one that was switched off
/// again, since clients keep what they are not told otherwise (conversations.md §5.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Which kind of conversation it is.
    #[serde(default)]
    pub mk_conv_type: ConvType,
    /// Anybody with the link may join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_autojoin: Option<bool>,
    /// Newcomers see the earlier history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_disclose: Option<bool>,
    /// No link previews are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_url_preview_disabled: Option<bool>,
    /// Completing a task posts a system message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_done_notifications: bool,
    /// Only admins may post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin_write_only: Option<bool>,
    /// Where its members call each other; empty when that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_call_room: Option<String>,
    /// An organisation manages it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// Who may change a managed conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admins: Vec<AccountId>,
}
