//! The frames of the load, written and read without a JSON tree: the harness must not be slower than what it measures.
//!
//! Not here: the meaning of the numbers ([`super::room`]).

use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

/// The part of a server frame that the load looks at.
#[derive(Debug, Deserialize)]
pub(super) struct FrameIn<'a> {
    #[serde(borrow, default)]
    pub(super) requests: Vec<RequestIn<'a>>,
    #[serde(borrow, default)]
    pub(super) stream: Vec<RecordIn<'a>>,
    #[serde(default)]
    pub(super) event_horizon: Option<i64>,
    #[serde(default)]
    pub(super) sync_progress: Option<f32>,
}

/// A request record.
#[derive(Debug, Deserialize)]
pub(super) struct RequestIn<'a> {
    pub(super) client_req_id: Uuid,
    pub(super) status_code: u16,
    #[serde(default)]
    pub(super) identifier: Identifier,
    #[serde(borrow, default)]
    pub(super) error_id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) error_message: Cow<'a, str>,
}

/// What the event made.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Identifier {
    #[serde(default)]
    pub(super) conversation_id: Option<Uuid>,
    #[serde(default)]
    pub(super) message_nr: Option<u64>,
}

/// Any record; none has all of this.
#[derive(Debug, Deserialize)]
pub(super) struct RecordIn<'a> {
    #[serde(borrow)]
    pub(super) mk_rec_type: Cow<'a, str>,
    pub(super) conversation_id: Option<Uuid>,
    pub(super) message_nr: Option<u64>,
    pub(super) flow_message_nr: Option<u64>,
    pub(super) inbox_nr: Option<i64>,
    #[serde(borrow, default)]
    pub(super) message: Cow<'a, str>,
    pub(super) account_id: Option<Uuid>,
    pub(super) is_writing: Option<bool>,
    pub(super) lock_account_id: Option<Uuid>,
    pub(super) last_message_nr: Option<u64>,
    pub(super) read_message_nr: Option<u64>,
    pub(super) fw_message_nr: Option<u64>,
    pub(super) bw_message_nr: Option<u64>,
    pub(super) unread_count: Option<u64>,
}

/// Which event put a text there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Post,
    Edit,
    Task,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Post, Self::Edit, Self::Task];

    /// The word that a text begins with.
    fn word(self) -> &'static str {
        match self {
            Self::Post => "load",
            Self::Edit => "edit",
            Self::Task => "task",
        }
    }
}

/// What a message of the load says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) mark: Mark,
    /// Which event of the run put this text there.
    pub(super) sequence: u32,
    /// When it was meant to be sent, in microseconds of the run's clock.
    pub(super) intended_us: u64,
}

/// The text of one message: which run, which event of it, and when it was meant to be sent. Letters and digits only, so that no markup rule
/// of the server changes it; filled up to `bytes`.
pub(super) fn message_text(run: &str, told: Told, bytes: usize) -> String {
    let mut text = format!("{} {run} {} {} ", told.mark.word(), told.sequence, told.intended_us);
    let end = "end";
    // Words of ten letters, as far as they fit.
    while text.len() + end.len() + 11 <= bytes {
        text.push_str("fillerfill ");
    }
    text.push_str(end);
    text
}

/// Reads [`message_text`] back out of a message's markup.
pub(super) fn read_text(run: &str, message: &str) -> Option<Told> {
    let (before, rest) = message.split_once(run)?;
    let before = before.strip_suffix(' ')?;
    let mark = Mark::ALL.into_iter().find(|mark| before.ends_with(mark.word()))?;
    let mut words = rest.strip_prefix(' ')?.split(' ');
    Some(Told { mark, sequence: words.next()?.parse().ok()?, intended_us: words.next()?.parse().ok()? })
}

/// The `client_req_id` of an event of the run: its sequence can be read back, and no other run has it.
pub(super) fn request_id(run_key: u64, sequence: u32) -> Uuid {
    Uuid::from_u128(u128::from(run_key) << 64 | u128::from(sequence))
}

/// The sequence of an event, if it is one of the run.
pub(super) fn sequence_of(run_key: u64, id: Uuid) -> Option<u32> {
    let bits = id.as_u128();
    if (bits >> 64) as u64 != run_key {
        return None;
    }
    u32::try_from(bits as u64).ok()
}

/// A client frame with one event. `params` is a JSON object.
pub(super) fn event(client_req_id: Uuid, urn: &str, params: &str) -> String {
    format!(
        r#"{{"stream":[{{"client_req_id":"{client_req_id}","mk_event_type":"urn:fleep:client:{urn}","params":{params}}}]}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_text_is_read_back_from_its_markup_and_has_its_length() {
        let told = Told { mark: Mark::Edit, sequence: 7, intended_us: 1234 };
        let text = format!("<msg><p>{}</p></msg>", message_text("r1", told, 0));
        assert_eq!(read_text("r1", &text), Some(told));
        assert_eq!(read_text("r2", &text), None);
        assert_eq!(read_text("r1", "<msg><p>hello</p></msg>"), None);
        let long = message_text("r1", told, 400);
        assert!((390..=400).contains(&long.len()), "{}", long.len());
        assert_eq!(read_text("r1", &long), Some(told));
    }

    #[test]
    fn a_frame_is_json_and_its_answer_is_recognised() {
        let id = request_id(5, 9);
        let frame: Value =
            serde_json::from_str(&event(id, "message:add_plain", r#"{"message":"a"}"#)).unwrap();
        assert_eq!(frame["stream"][0]["params"]["message"], "a");
        let conversation_id = Uuid::new_v4();
        let answer = json!({"requests": [{"mk_rec_type": "request", "client_req_id": id, "status_code": 200,
            "identifier": {"conversation_id": conversation_id, "message_nr": 2}}],
            "stream": [{"mk_rec_type": "contact", "account_id": Uuid::new_v4(), "lock_account_id": null}]});
        let text = answer.to_string();
        let frame: FrameIn<'_> = serde_json::from_str(&text).unwrap();
        let request = &frame.requests[0];
        assert_eq!(request.identifier.message_nr, Some(2));
        assert_eq!(request.identifier.conversation_id, Some(conversation_id));
        assert_eq!(sequence_of(5, request.client_req_id), Some(9));
        assert_eq!(sequence_of(6, request.client_req_id), None);
    }
}
