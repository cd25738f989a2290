//! The frames of the load, written and read without a JSON tree: the harness must not be slower than what it measures.
//!
//! Not here: the meaning of the numbers ([`super::ledger`]).

use serde::Deserialize;
use serde_json::Value;

/// The part of a server frame that the load looks at.
#[derive(Debug, Deserialize)]
pub(super) struct FrameIn {
    #[serde(default)]
    pub(super) requests: Vec<RequestIn>,
    #[serde(default)]
    pub(super) stream: Vec<RecordIn>,
}

/// A request record.
#[derive(Debug, Deserialize)]
pub(super) struct RequestIn {
    pub(super) client_req_id: uuid::Uuid,
    pub(super) status_code: u16,
    #[serde(default)]
    pub(super) identifier: Identifier,
    #[serde(default)]
    pub(super) error_id: String,
}

/// What the event made.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Identifier {
    #[serde(default)]
    pub(super) conversation_id: String,
    #[serde(default)]
    pub(super) message_nr: u64,
}

/// Any record; only messages have all of this.
#[derive(Debug, Deserialize)]
pub(super) struct RecordIn {
    pub(super) mk_rec_type: String,
    pub(super) conversation_id: Option<String>,
    pub(super) message_nr: Option<u64>,
    pub(super) flow_message_nr: Option<u64>,
    pub(super) message: Option<String>,
}

/// The text of one message: which run, which message of it, and when it was meant to be sent, in microseconds of the run's clock. Letters
/// and digits only, so that no markup rule of the server changes it.
pub(super) fn message_text(run: &str, sequence: usize, intended_us: u64) -> String {
    format!("load {run} {sequence} {intended_us} end")
}

/// Reads [`message_text`] back out of a message's markup: the sequence and the intended time.
pub(super) fn read_text(run: &str, message: &str) -> Option<(u32, u64)> {
    let (_, rest) = message.split_once("load ")?;
    let mut words = rest.strip_prefix(run)?.strip_prefix(' ')?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// A client frame with one event.
pub(super) fn event(client_req_id: uuid::Uuid, urn: &str, params: &Value) -> String {
    format!(
        r#"{{"stream":[{{"client_req_id":"{client_req_id}","mk_event_type":"urn:fleep:client:{urn}","params":{params}}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_is_read_back_from_its_markup() {
        let text = format!("<msg><p>{}</p></msg>", message_text("r1", 7, 1234));
        assert_eq!(read_text("r1", &text), Some((7, 1234)));
        assert_eq!(read_text("r2", &text), None);
        assert_eq!(read_text("r1", "<msg><p>hello</p></msg>"), None);
    }

    #[test]
    fn a_frame_is_json_and_an_answer_is_read() {
        let id = uuid::Uuid::new_v4();
        let frame: Value =
            serde_json::from_str(&event(id, "message:add_plain", &json!({"message": "a\"b"}))).unwrap();
        assert_eq!(frame["stream"][0]["params"]["message"], "a\"b");
        let answer = json!({"requests": [{"mk_rec_type": "request", "client_req_id": id, "status_code": 200,
            "identifier": {"conversation_id": "c", "message_nr": 2}}], "stream": [{"mk_rec_type": "contact", "account_id": "a"}]});
        let frame: FrameIn = serde_json::from_str(&answer.to_string()).unwrap();
        assert_eq!(frame.requests[0].identifier.message_nr, 2);
    }
}
