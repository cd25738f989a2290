//! What a scenario needs of a client, whichever transport carries it.
//!
//! Not here: the transports ([`crate::socket`], [`crate::poll`]) and the client's cache ([`crate::picture`]).

use crate::failure::Failure;
use crate::picture::Picture;
use crate::record::{self, Record};
use crate::user::User;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long an answer is waited for: long enough for a busy two-core machine that also builds, short enough that a hanging test ends.
pub const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// What every URN of a client event begins with.
pub const URN_PREFIX: &str = "urn:fleep:client:";

/// One event to be submitted.
#[derive(Debug, Clone)]
pub struct Event {
    /// What makes a retry safe.
    pub client_req_id: Uuid,
    /// The full URN.
    pub urn: String,
    /// Its parameters.
    pub params: Value,
}

impl Event {
    /// An event with a fresh `client_req_id`. A name that is no URN (`conv:create`) gets the common prefix.
    #[must_use]
    pub fn new(urn: &str, params: Value) -> Self {
        Self::with_id(Uuid::new_v4(), urn, params)
    }

    /// An event with the `client_req_id` of an earlier one, to be played again.
    #[must_use]
    pub fn with_id(client_req_id: Uuid, urn: &str, params: Value) -> Self {
        let urn = if urn.starts_with("urn:") { urn.to_owned() } else { format!("{URN_PREFIX}{urn}") };
        Self { client_req_id, urn, params }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"client_req_id": self.client_req_id, "mk_event_type": self.urn, "params": self.params})
    }
}

/// The outcome of one event: its request record, and the records that its whole client frame changed.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The request record (protocol.md §1.5.3).
    pub request: Record,
    /// The records that came with the answer, in order.
    pub stream: Vec<Record>,
}

impl Answer {
    /// 200 = done; 0 when the record has none.
    #[must_use]
    pub fn status_code(&self) -> u64 {
        record::number(&self.request, "status_code").unwrap_or(0)
    }

    /// True when the event took effect.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.status_code() == 200
    }

    /// The symbolic reason of a refusal, or an empty text.
    #[must_use]
    pub fn error_id(&self) -> &str {
        record::text(&self.request, "error_id")
    }

    /// The `client_req_id` that came back.
    #[must_use]
    pub fn client_req_id(&self) -> &str {
        record::text(&self.request, "client_req_id")
    }

    /// A text of the `identifier` object.
    #[must_use]
    pub fn identifier(&self, key: &str) -> &str {
        self.request.get("identifier").and_then(|id| id.get(key)).and_then(Value::as_str).unwrap_or("")
    }

    /// The conversation of the `identifier`.
    #[must_use]
    pub fn conversation_id(&self) -> &str {
        self.identifier("conversation_id")
    }

    /// The message number of the `identifier`.
    #[must_use]
    pub fn message_nr(&self) -> Option<u64> {
        self.request.get("identifier")?.get("message_nr")?.as_u64()
    }

    /// The records of one kind among those that came with the answer.
    pub fn records<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> + 'a {
        self.stream.iter().filter(move |record| record::kind(record) == kind)
    }

    /// Itself, or the refusal as a failure.
    pub fn done(self) -> Result<Self, Failure> {
        if self.is_done() {
            return Ok(self);
        }
        let urn = record::text(&self.request, "mk_event_type").to_owned();
        let request = Value::Object(self.request.clone()).to_string();
        Err(Failure::Refused { urn, status_code: self.status_code(), request })
    }
}

/// A client that is logged in, synchronised and keeps a picture; the same on either transport.
pub trait Session {
    /// Whose session it is.
    fn user(&self) -> &User;

    /// What it has been sent so far.
    fn picture(&self) -> &Picture;

    /// Submits events as one client frame and waits for their answers, which come in the events' order. Everything that arrives
    /// meanwhile is applied to the picture.
    fn request_events(&mut self, events: &[Event]) -> Result<Vec<Answer>, Failure>;

    /// Waits up to `wait` for something to arrive and applies it. Nothing in time is no failure: the list is empty then.
    fn receive(&mut self, wait: Duration) -> Result<Vec<Record>, Failure>;

    /// Takes in what the server has for this session by now, so that the picture can be judged: over a WebSocket everything before
    /// the pong of a ping, by long poll until a poll brings nothing.
    fn settle(&mut self) -> Result<(), Failure>;

    /// Submits one event and waits for its answer.
    fn request(&mut self, urn: &str, params: Value) -> Result<Answer, Failure> {
        let mut answers = self.request_events(&[Event::new(urn, params)])?;
        answers.pop().ok_or_else(|| Failure::Broken(format!("no request record for {urn}")))
    }

    /// Receives until the picture satisfies `condition`; `what` names the fact in the time-out.
    fn wait_for(
        &mut self,
        what: &str,
        within: Duration,
        condition: &mut dyn FnMut(&Picture) -> bool,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        while !condition(self.picture()) {
            let Some(left) = within.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                return Err(Failure::timed_out(what, within));
            };
            self.receive(left)?;
        }
        Ok(())
    }
}
