//! Answers that are not 200, on every HTTP path and before every upgrade: `{"error_id", "error_message"}`
//! (protocol.md §2.2).
//!
//! Not here: refusals of single events, which travel in request records.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, ResponseError};
use rill_actors::node::Unreachable;
use rill_actors::store::StoreFault;
use rill_proto::envelope::BadFrame;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

/// A call that is not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(Refusal);

impl Refused {
    fn new(status: u16, error_id: &'static str, text: impl Into<String>) -> Self {
        Self(Refusal { status, error_id, error_message: text.into() })
    }

    /// 400: the body is not what the call needs.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(400, "bad_request", text)
    }

    /// 401: no token, or one that is worth nothing, or a ticket that does not belong to it.
    pub(crate) fn expired_token() -> Self {
        Self::new(401, "unauthorized", "Expired token, please relogin")
    }

    /// 401: the provisioning call without its user and password.
    pub(crate) fn not_provisioner() -> Self {
        Self::new(401, "unauthorized", "User or password of the provisioning call is wrong.")
    }

    /// 403: a web page from elsewhere.
    pub(crate) fn foreign_origin() -> Self {
        Self::new(403, "forbidden_origin", "This origin may not open a socket here.")
    }

    /// 403: only the provisioning call registers accounts.
    pub(crate) fn registration_closed() -> Self {
        Self::new(403, "registration_closed", "Registration is closed.")
    }

    /// 404: no such call.
    pub(crate) fn unknown_method(path: &str) -> Self {
        let path: String = path.chars().take(rill_proto::limits::ECHO_CHARS_MAX).collect();
        Self::new(404, "unknown_method", format!("There is no '{path}' here."))
    }

    /// 405: the call exists, with another verb.
    pub(crate) fn wrong_verb() -> Self {
        Self::new(405, "method_not_allowed", "This call has another verb.")
    }

    /// 413: the body is above the limit.
    pub(crate) fn too_large() -> Self {
        Self::new(
            413,
            "too_large",
            format!("A body has at most {} bytes.", rill_proto::limits::FRAME_BYTES_MAX),
        )
    }

    /// 408: the client stopped sending in the middle of a body.
    pub(crate) fn too_slow() -> Self {
        Self::new(408, "too_slow", "The rest of the body did not come in time.")
    }

    /// 413: the file is above the limit.
    pub(crate) fn file_too_large(bytes_max: u64) -> Self {
        Self::new(413, "too_large", format!("A file has at most {bytes_max} bytes."))
    }

    /// 426: a socket without the request for one.
    pub(crate) fn upgrade_required() -> Self {
        Self::new(426, "upgrade_required", "This is a WebSocket; ask for an upgrade.")
    }

    /// 431: e-mail address and password do not go together; which of them is wrong is not told.
    pub(crate) fn wrong_login() -> Self {
        Self::new(431, "business_logic", "Incorrect email or password.")
    }

    /// 430: there is no such thing, or the caller may not know of it.
    pub(crate) fn not_found(what: &str) -> Self {
        Refusal::not_found(what).into()
    }

    /// Whether it is that there is no such thing, or that the caller may not know of it.
    pub(crate) fn is_not_found(&self) -> bool {
        self.0.error_id == "not_found"
    }

    /// 431: a value that the caller can correct.
    pub(crate) fn invalid_value(text: impl Into<String>) -> Self {
        Self::new(431, "business_logic", text)
    }

    /// 507: the files of the account take as much as they may.
    pub(crate) fn quota_full() -> Self {
        Self(Refusal::quota_full())
    }

    /// 404: there is no such file, or it is not for the caller; which of the two is not told.
    pub(crate) fn no_file() -> Self {
        Self::new(404, "not_found", "File not found.")
    }

    /// 503: not now.
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::new(503, "unavailable", text)
    }

    /// 500: something that must not be; logged here under the id that the answer carries.
    pub(crate) fn fault(what: &str, error: impl std::fmt::Display) -> Self {
        let correlation_id = Uuid::new_v4();
        tracing::error!(%correlation_id, %error, "{what}");
        Self(Refusal::fault(correlation_id))
    }

    /// A refusal with any status, as a request record had it.
    pub(crate) fn relayed(status: u16, error_id: &str, text: &str) -> (StatusCode, serde_json::Value) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, json!({ "error_id": error_id, "error_message": text }))
    }

    /// The body.
    pub(crate) fn body(&self) -> String {
        json!({ "error_id": self.0.error_id, "error_message": self.0.error_message }).to_string()
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).insert_header(ContentType::json()).body(self.body())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}

impl From<BadFrame> for Refused {
    fn from(bad: BadFrame) -> Self {
        Self::bad_request(bad.to_string())
    }
}

impl From<StoreFault> for Refused {
    fn from(fault: StoreFault) -> Self {
        // Away for a while, as a rule: whoever tries again is served when it is back.
        tracing::error!(%fault, "the store cannot be read");
        Self(Refusal::unavailable())
    }
}

impl From<Unreachable> for Refused {
    fn from(_: Unreachable) -> Self {
        Self(Refusal::unavailable())
    }
}
