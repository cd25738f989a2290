//! The comparison of two pictures of one account: a client that lived through it all and one that has just synchronised hold the same.
//!
//! Not here: loading what one of them has not fetched yet ([`Picture::complete`]).

use super::Picture;
use crate::record::Record;
use serde_json::Value;
use std::collections::BTreeMap;

/// Pushed live and never replayed (websocket.md, promise 6).
const EPHEMERAL: [&str; 3] = ["is_writing", "activity_time", "lock_account_id"];

/// Describe the answer in which a record travelled, not the state.
const OF_THE_ANSWER: [&str; 14] = [
    "fw_message_nr",
    "bw_message_nr",
    "is_init",
    "is_full",
    "is_tiny",
    "is_reset",
    "mk_init_mode",
    "flow_message_nr",
    "pin_cursor",
    "pin_sync_state",
    "file_cursor",
    "file_sync_state",
    "sync_cursor",
    "sync_state",
];

/// The fields that make up a record's key; a record that holds nothing else says nothing.
const OF_THE_KEY: [&str; 5] = ["mk_rec_type", "conversation_id", "account_id", "message_nr", "profile_id"];

impl Picture {
    /// What the two pictures do not agree on, a line for each field. Empty when they are the same.
    ///
    /// A missing key and a reset value (null, false, 0, an empty text or list) are the same to a client, and lists of ids are sets
    /// (protocol.md §3.1).
    #[must_use]
    pub fn difference(&self, other: &Picture) -> Vec<String> {
        let (here, there) = (comparable(self), comparable(other));
        let mut lines = Vec::new();
        for (key, record) in &here {
            match there.get(key) {
                Some(counterpart) => compare(key, record, counterpart, &mut lines),
                None => lines.push(format!("{key}: only in the first picture")),
            }
        }
        let only_there = there.keys().filter(|key| !here.contains_key(*key));
        lines.extend(only_there.map(|key| format!("{key}: only in the second picture")));
        lines
    }
}

fn comparable(picture: &Picture) -> BTreeMap<String, Record> {
    let records = picture.records.iter().map(|((kind, key), record)| (format!("{kind} {key}"), record));
    let messages = picture.messages.iter().map(|((of, nr), record)| (format!("message {of}/{nr}"), record));
    let stripped = records.chain(messages).map(|(key, record)| (key, strip(record)));
    stripped.filter(|(_, record)| record.keys().any(|key| !OF_THE_KEY.contains(&key.as_str()))).collect()
}

/// The record without what is ephemeral, what describes the answer, and what says no more than a missing key.
fn strip(record: &Record) -> Record {
    let is_state = |key: &str| !EPHEMERAL.contains(&key) && !OF_THE_ANSWER.contains(&key);
    let kept = record.iter().filter(|(key, value)| is_state(key) && !is_reset_value(value));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_reset_value(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}

fn compare(key: &str, here: &Record, there: &Record, lines: &mut Vec<String>) {
    for (field, value) in here {
        let counterpart = there.get(field).unwrap_or(&Value::Null);
        if !is_same(value, counterpart) {
            lines
                .push(format!("{key}: {field} is {value} in the first picture, {counterpart} in the second"));
        }
    }
    for (field, value) in there.iter().filter(|(field, _)| !here.contains_key(*field)) {
        lines.push(format!("{key}: {field} is null in the first picture, {value} in the second"));
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // 5 and 5.0 are one number to a JavaScript client.
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => sorted(a) == sorted(b),
        _ => a == b,
    }
}

fn sorted(items: &[Value]) -> Vec<String> {
    let mut items: Vec<String> = items.iter().map(Value::to_string).collect();
    items.sort();
    items
}
