//! Why a step of a client did not succeed, always with the name of what was waited for.
//!
//! Not here: refusals of single events, which are ordinary answers ([`crate::session::Answer`]) until a caller insists on success.

use std::time::Duration;

/// What went wrong between this client and the server.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The named fact did not come about in time.
    #[error("no {what} within {} ms", after.as_millis())]
    TimedOut {
        /// What was waited for, in words that make sense after "no".
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The server closed the WebSocket. 1006 stands for a connection that ended without a close frame.
    #[error("the connection was closed with {code} {reason:?}")]
    Closed {
        /// The close code (websocket.md, Closing).
        code: u16,
        /// The reason that came with it.
        reason: String,
    },
    /// An HTTP call, or the WebSocket's upgrade, was answered with another status than wanted.
    #[error("{path} was answered with HTTP {status}: {body}")]
    Http {
        /// The path that was asked for.
        path: String,
        /// The status line's number.
        status: u16,
        /// The body, as text.
        body: String,
    },
    /// An event that had to succeed was refused.
    #[error("{urn} was refused with {status_code}: {request}")]
    Refused {
        /// The event.
        urn: String,
        /// The status of its request record.
        status_code: u64,
        /// The whole request record as JSON.
        request: String,
    },
    /// The server sent what the protocol documents do not allow.
    #[error("the server broke the protocol: {0}")]
    Broken(String),
    /// The load was asked for something impossible.
    #[error("the plan cannot be carried out: {0}")]
    Plan(String),
    /// The connection could not be made or broke.
    #[error("input/output: {0}")]
    Io(String),
    /// The child process under test did not do what it should.
    #[error("the server process {0}")]
    Process(String),
}

impl Failure {
    /// A time-out that names what was waited for.
    pub fn timed_out(what: impl Into<String>, after: Duration) -> Self {
        Self::TimedOut { what: what.into(), after }
    }

    /// The close code, when this is a close.
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        if let Self::Closed { code, .. } = self { Some(*code) } else { None }
    }

    /// True when nothing but the time ran out.
    #[must_use]
    pub fn is_time_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
