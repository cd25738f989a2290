//! `request`: the outcome of one client event (protocol.md §1.5.3).

use serde::Serialize;
use serde_json::Value;

use crate::id::ConversationId;

/// Sent to the session that asked; for the older HTTP calls also through the poll, behind the changes that it made.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "request")]
pub struct Request<'a> {
    /// Key, as the client gave it, even where it is no id; missing when he gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_req_id: Option<&'a str>,
    /// The event's name, as the client gave it; missing on the echo of an older HTTP call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mk_event_type: Option<&'a str>,
    /// 200, or why not; missing on the echo of an older HTTP call, which is sent for what succeeded only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The refusal's symbolic name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_id: Option<&'a str>,
    /// The refusal in words that a client may show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<&'a str>,
    /// The object that the event changed, by its key (conversations.md §5.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<&'a Value>,
    /// JSON text from which a list that has no record of its own goes on; `null` when there is no more of it. Missing
    /// on the outcome of anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_cursor: Option<&'a Value>,
    /// The conversation, on the echo of an older HTTP call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The message that was made or changed, on the echo of an older HTTP call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_message_nr: Option<u64>,
}
