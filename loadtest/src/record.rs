//! A record as a client sees it: JSON keys and values, read leniently.
//!
//! Not here: typed records. The harness has to notice what a server sends wrongly, so it does not parse it into the server's own types.

use serde_json::{Map, Value};

/// One record (`mk_rec_type` and the rest), or a request record.
pub type Record = Map<String, Value>;

/// The text under `key`, or an empty one.
#[must_use]
pub fn text<'a>(record: &'a Record, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The non-negative number under `key`.
#[must_use]
pub fn number(record: &Record, key: &str) -> Option<u64> {
    record.get(key).and_then(Value::as_u64)
}

/// The flag under `key`; missing and null are false.
#[must_use]
pub fn flag(record: &Record, key: &str) -> bool {
    record.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// `mk_rec_type`.
#[must_use]
pub fn kind(record: &Record) -> &str {
    text(record, "mk_rec_type")
}

/// The slot that a message record takes in the flow: `flow_message_nr`, or its own number (conversations.md §1.1).
#[must_use]
pub fn flow_nr(message: &Record) -> Option<u64> {
    number(message, "flow_message_nr").or_else(|| number(message, "message_nr"))
}

/// The objects of the list under `key` of a JSON object.
#[must_use]
pub fn list(body: &Value, key: &str) -> Vec<Record> {
    let items = body.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|item| item.as_object().cloned()).collect()
}
