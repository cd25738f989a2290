//! The answers that are not 200: a client's problem (a refusal) or, in the last two, the environment's (a fault).
//!
//! Every status, `error_id` and fixed text stands here once. Not here: which rule refuses what.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Why an event was not carried out, in the words of a request record.
#[derive(Clone, PartialEq, Eq, Debug, Error, Serialize)]
#[error("{status} {error_id}: {error_message}")]
pub struct Refusal {
    /// `status_code` of the request record.
    pub status: u16,
    /// The symbolic reason, for programs.
    pub error_id: &'static str,
    /// The reason for people; clients show it.
    pub error_message: String,
}

/// Every symbolic reason.
const ERROR_IDS: [&str; 15] = [
    "business_logic",
    "forbidden",
    "has_left",
    "internal",
    "invalid_call",
    "invalid_copy",
    "invalid_edit",
    "message_locked",
    "not_found",
    "not_member",
    "not_possible",
    "not_supported",
    "quota_full",
    "rate_limited",
    "unavailable",
];

/// A refusal that was written elsewhere.
#[derive(Deserialize)]
struct Written {
    status: u16,
    error_id: String,
    error_message: String,
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { status, error_id, error_message } = Written::deserialize(from)?;
        // The empty one stands for a reason that only another version has.
        let error_id = ERROR_IDS.into_iter().find(|known| *known == error_id).unwrap_or("");
        Ok(Self { status, error_id, error_message })
    }
}

impl Refusal {
    fn new(status: u16, error_id: &'static str, error_message: impl Into<String>) -> Self {
        Self { status, error_id, error_message: error_message.into() }
    }

    /// 400: a param is missing, of the wrong type or outside its limits. `param` is the path below `params`.
    pub fn invalid_call(param: &str, what: impl Display) -> Self {
        Self::malformed(&format!("params.{param}"), what)
    }

    /// 400: the event as such is wrong; `path` is the place within it.
    pub(crate) fn malformed(path: &str, what: impl Display) -> Self {
        Self::new(400, "invalid_call", format!("{path}: {what}"))
    }

    /// 400: the params are well formed, yet the object's present state does not allow the call.
    pub fn invalid_state(text: impl Into<String>) -> Self {
        Self::new(400, "invalid_call", text)
    }

    /// 400: no such event.
    pub fn unknown_event(urn: &str) -> Self {
        Self::malformed("mk_event_type", format_args!("'{}' is not an event", crate::field::echo(urn)))
    }

    /// 430: there is no such thing, or the caller may not know of it. `what` begins the sentence: `"Message"`.
    pub fn not_found(what: &str) -> Self {
        Self::new(430, "not_found", format!("{what} not found."))
    }

    /// 431: the caller never was a member, or there is no such conversation; which of the two is not told.
    pub fn not_member() -> Self {
        Self::new(431, "not_member", "Member or conversation not found!")
    }

    /// 431: the caller was a member and is none now.
    pub fn has_left() -> Self {
        Self::new(431, "has_left", "Member has left the conversation")
    }

    /// 431: somebody else's plain message.
    pub fn invalid_edit() -> Self {
        Self::new(431, "invalid_edit", "Only the author can edit this message.")
    }

    /// 431: somebody else holds the message's edit lock.
    pub fn message_locked() -> Self {
        Self::new(431, "message_locked", "Message is being edited by another member.")
    }

    /// 431: a deleted message has nothing to copy.
    pub fn invalid_copy() -> Self {
        Self::new(431, "invalid_copy", "Deleted messages cannot be copied.")
    }

    /// 431: the caller lacks the right; `text` says which.
    pub fn no_permission(text: impl Into<String>) -> Self {
        Self::new(431, "business_logic", text)
    }

    /// 430: an account that belongs to an organisation is closed by nobody else.
    pub fn closed_by_admins() -> Self {
        Self::new(430, "not_possible", "Org members can be closed only by org admins")
    }

    /// 403: the caller lacks the role in an organisation.
    pub fn forbidden() -> Self {
        Self::new(403, "forbidden", "Only for admins of the organisation.")
    }

    /// 429: too much in too short a time.
    pub fn rate_limited() -> Self {
        Self::new(429, "rate_limited", "Too many events in a short time; try again later.")
    }

    /// 507: the files of the account take as much as they may.
    pub fn quota_full() -> Self {
        Self::new(507, "quota_full", "Storage quota is full.")
    }

    /// 501: a known event that this server does not carry out.
    pub fn not_supported(urn: &str) -> Self {
        Self::new(501, "not_supported", format!("{urn} is not supported by this server."))
    }

    /// 500: an internal fault, which the log holds under the same correlation id.
    pub fn fault(correlation_id: impl Display) -> Self {
        Self::new(500, "internal", format!("Internal error, correlation id {correlation_id}."))
    }

    /// 503: the server cannot carry the event out now. A retry with the same `client_req_id` is safe.
    pub fn unavailable() -> Self {
        Self::new(503, "unavailable", "Temporarily unavailable; retry with the same client_req_id.")
    }
}
