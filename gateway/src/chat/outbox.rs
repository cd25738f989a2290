//! The events that wait for their answer.
//!
//! Owns the promise that an event asked for once has its effect once: it is sent again under the same `client_req_id`
//! after a lost connection or a fault, until it is answered. Pure: the connection brings the time and the socket.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rill_proto::id::RequestId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{number, text, uuid};

/// A person does not have this many events under way; a server that answers nothing must not cost memory without end.
pub(crate) const UNANSWERED_MAX: usize = 256;

/// Events of one frame. Small, so that a resend after a long outage is not taken for a flood.
const FRAME_EVENTS_MAX: usize = 16;

/// Bytes of params in one frame: the server's limit for a frame is 1 MiB, and the largest message alone comes near it.
const FRAME_BYTES_MAX: usize = 256 * 1024;

/// A fault that lasts for this many tries (together about a minute) is told to the person instead.
const TRIES_MAX: u32 = 6;

/// The first wait after a fault; it doubles with each try.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// One event on its way to the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outgoing {
    /// `client_req_id`: what makes a resend harmless.
    pub(crate) id: RequestId,
    /// The URN without its `urn:fleep:client:` part.
    pub(crate) event: &'static str,
    /// `params`.
    pub(crate) params: Value,
}

impl Outgoing {
    /// An event with a fresh id.
    pub(crate) fn new(event: &'static str, params: Value) -> Self {
        Self { id: RequestId(Uuid::new_v4()), event, params }
    }

    /// Whether it says something about this moment only, so that a late resend would be untrue.
    fn is_fleeting(&self) -> bool {
        matches!(
            self.event,
            "conv:set_writing" | "conv:end_writing" | "conv:activate" | "message:set_editing"
        )
    }
}

/// What a request record means for the event it answers.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// It is settled, for good or for bad.
    Settled,
    /// A fault: it will be sent again, and the person need not know.
    Again,
}

struct Waiting {
    outgoing: Outgoing,
    sent: bool,
    tries: u32,
    not_before: Option<Instant>,
}

/// The unanswered events, in the order in which they were asked for.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
}

impl Outbox {
    /// Takes an event in; `Err` gives it back when too many wait already.
    pub(crate) fn push(&mut self, outgoing: Outgoing) -> Result<(), Outgoing> {
        if self.waiting.len() >= UNANSWERED_MAX {
            return Err(outgoing);
        }
        self.waiting.push_back(Waiting { outgoing, sent: false, tries: 0, not_before: None });
        Ok(())
    }

    /// The next frame to send, or `None` when all that may go now has gone.
    pub(crate) fn next_frame(&mut self, now: Instant) -> Option<String> {
        let mut stream = Vec::new();
        let mut bytes = 0;
        for entry in &mut self.waiting {
            if entry.sent {
                continue;
            }
            // What comes later waits as well: two messages of one person must not change places.
            if entry.not_before.is_some_and(|at| at > now) {
                break;
            }
            let size = entry.outgoing.params.to_string().len();
            if !stream.is_empty() && (stream.len() >= FRAME_EVENTS_MAX || bytes + size > FRAME_BYTES_MAX) {
                break;
            }
            bytes += size;
            entry.sent = true;
            stream.push(json!({
                "client_req_id": entry.outgoing.id,
                "mk_event_type": format!("urn:fleep:client:{}", entry.outgoing.event),
                "params": entry.outgoing.params,
            }));
        }
        (!stream.is_empty()).then(|| json!({ "stream": stream }).to_string())
    }

    /// Files a request record away.
    pub(crate) fn answered(&mut self, request: &Value, now: Instant) -> Answer {
        let id = uuid(request, "client_req_id");
        let Some(place) = self.waiting.iter().position(|entry| Some(entry.outgoing.id.0) == id) else {
            return Answer::Settled;
        };
        let entry = &mut self.waiting[place];
        if is_fault(request) && !entry.outgoing.is_fleeting() && entry.tries < TRIES_MAX {
            entry.not_before = Some(now + RETRY_FIRST * 2_u32.pow(entry.tries));
            entry.tries += 1;
            entry.sent = false;
            return Answer::Again;
        }
        self.waiting.remove(place);
        Answer::Settled
    }

    /// The connection is gone: everything unanswered goes again on the next one, except what was about the moment.
    /// Returns the ids that were dropped.
    pub(crate) fn connection_lost(&mut self) -> Vec<RequestId> {
        let mut dropped = Vec::new();
        self.waiting.retain_mut(|entry| {
            entry.sent = false;
            entry.not_before = None;
            if entry.outgoing.is_fleeting() {
                dropped.push(entry.outgoing.id);
            }
            !entry.outgoing.is_fleeting()
        });
        dropped
    }

    /// The server closed because a frame was too large (1009): the largest event of those sent would close it again.
    pub(crate) fn give_up_largest(&mut self) -> Option<Outgoing> {
        let sent = self.waiting.iter().enumerate().filter(|(_, entry)| entry.sent);
        let (place, _) = sent.max_by_key(|(_, entry)| entry.outgoing.params.to_string().len())?;
        self.waiting.remove(place).map(|entry| entry.outgoing)
    }
}

/// 5xx is the environment's trouble and 429 the hurry of others; both pass.
fn is_fault(request: &Value) -> bool {
    let status = number(request, "status_code").unwrap_or(200);
    let overloaded = status == 429 || text(request, "error_id") == Some("overloaded");
    status >= 500 || overloaded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(frame: Option<String>) -> Vec<String> {
        let frame: Value =
            serde_json::from_str(&frame.unwrap_or_else(|| "{\"stream\":[]}".to_owned())).unwrap();
        let stream = frame["stream"].as_array().unwrap();
        stream.iter().map(|event| event["client_req_id"].as_str().unwrap().to_owned()).collect()
    }

    fn post(outbox: &mut Outbox, text: &str) -> String {
        let outgoing = Outgoing::new("message:add_plain", json!({ "message": text }));
        let id = outgoing.id.to_string();
        outbox.push(outgoing).unwrap();
        id
    }

    #[test]
    fn an_unanswered_event_goes_again_under_its_id_and_an_answered_one_does_not() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let (one, two) = (post(&mut outbox, "1"), post(&mut outbox, "2"));
        assert_eq!(ids(outbox.next_frame(now)), [one.clone(), two.clone()]);
        assert_eq!(outbox.next_frame(now), None);
        let answer = json!({ "client_req_id": one, "status_code": 200 });
        assert_eq!(outbox.answered(&answer, now), Answer::Settled);
        assert_eq!(outbox.connection_lost(), []);
        assert_eq!(ids(outbox.next_frame(now)), [two]);
    }

    #[test]
    fn a_pen_is_not_replayed_late() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let pen = Outgoing::new("conv:set_writing", json!({}));
        outbox.push(pen.clone()).unwrap();
        assert_eq!(outbox.connection_lost(), [pen.id]);
        assert_eq!(outbox.next_frame(now), None);
    }

    #[test]
    fn a_fault_is_tried_again_after_a_while_and_keeps_the_order() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let one = post(&mut outbox, "1");
        let _ = outbox.next_frame(now);
        let fault = json!({ "client_req_id": one, "status_code": 503 });
        assert_eq!(outbox.answered(&fault, now), Answer::Again);
        let two = post(&mut outbox, "2");
        assert_eq!(outbox.next_frame(now), None);
        assert_eq!(ids(outbox.next_frame(now + RETRY_FIRST)), [one.clone(), two]);
        for _ in 1..TRIES_MAX {
            assert_eq!(outbox.answered(&fault, now), Answer::Again);
        }
        assert_eq!(outbox.answered(&fault, now), Answer::Settled);
    }

    #[test]
    fn a_refusal_settles_the_event() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        let one = post(&mut outbox, "1");
        let refusal = json!({ "client_req_id": one, "status_code": 431 });
        assert_eq!(outbox.answered(&refusal, now), Answer::Settled);
        assert_eq!(outbox.next_frame(now), None);
    }

    #[test]
    fn frames_and_the_outbox_are_bounded() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for _ in 0..UNANSWERED_MAX {
            post(&mut outbox, "x");
        }
        assert!(outbox.push(Outgoing::new("message:add_plain", json!({}))).is_err());
        assert_eq!(ids(outbox.next_frame(now)).len(), FRAME_EVENTS_MAX);
        let mut outbox = Outbox::default();
        let big = "x".repeat(FRAME_BYTES_MAX);
        let (first, second) = (post(&mut outbox, &big), post(&mut outbox, "small"));
        assert_eq!(ids(outbox.next_frame(now)), std::slice::from_ref(&first));
        assert_eq!(ids(outbox.next_frame(now)), [second]);
        assert_eq!(outbox.give_up_largest().map(|event| event.id.to_string()), Some(first));
    }
}
