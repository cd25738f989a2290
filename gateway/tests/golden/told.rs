//! What somebody was told, in a few words a record.
//!
//! Records of the same key come to one, as a client merges them: how many there are on the way may depend on how far the way
//! is. Not here: comparing, which looks at every field.

use std::collections::BTreeMap;

use rill_loadtest::record::{Record, flag, kind, number, text};
use serde_json::Value;

use crate::names::Names;

/// Where a frame lets the client's window end; it depends on when a newcomer was greeted.
const EDGES: [&str; 2] = ["fw_message_nr", "bw_message_nr"];

/// What the records come to, in words; `nothing` when there are none.
pub(crate) fn told(records: &[Record], names: &Names) -> String {
    let mut words: Vec<String> = merged(records).iter().map(|record| word(record, names)).collect();
    words.sort_by_key(|word| (rank(word), word.clone()));
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// One record for each key, with the fields that came last.
pub(crate) fn merged(records: &[Record]) -> Vec<Record> {
    let mut by_key: BTreeMap<String, Record> = BTreeMap::new();
    for record in records {
        let parts = key(kind(record)).iter().map(|key| record.get(*key));
        let key = format!("{} {:?}", kind(record), parts.collect::<Vec<Option<&Value>>>());
        by_key.entry(key).or_default().extend(record.clone());
    }
    let mut merged: Vec<Record> = by_key.into_values().collect();
    merged.iter_mut().for_each(|record| record.retain(|key, _| !EDGES.contains(&key.as_str())));
    merged
}

/// The fields of a kind's key (protocol.md §3.1).
pub(crate) fn key(kind: &str) -> &'static [&'static str] {
    match kind {
        "activity" => &["conversation_id", "account_id"],
        "contact" | "lastseen" => &["account_id"],
        "conv" | "org_conv" => &["conversation_id"],
        "message" | "lock" => &["conversation_id", "message_nr"],
        "file" => &["conversation_id", "attachment_id"],
        "preview" => &["conversation_id", "message_nr", "attached_url"],
        "upload" => &["conversation_id", "upload_id", "request_id"],
        "section" | "my_section" => &["section_id"],
        "label" => &["label_id"],
        "team" => &["team_id"],
        "org_header" => &["organisation_id"],
        "org_member" => &["organisation_id", "account_id"],
        "org_changelog" => &["organisation_id", "version_nr"],
        "reminder" => &["reminder_id"],
        "my_message" => &["message_id"],
        other => panic!("nobody said what the key of {other} is"),
    }
}

/// Headers first, then what happened, then who it was about; numbers in their order.
fn rank(word: &str) -> (usize, u64) {
    const ORDER: [&str; 5] = ["conv", "message", "lock", "activity", "contact"];
    let mut parts = word.split(' ');
    let kind = parts.next().unwrap_or_default();
    let number = parts.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    (ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len()), number)
}

fn word(record: &Record, names: &Names) -> String {
    let whom = |key: &str| {
        let general = names.general(record);
        general[key].as_str().unwrap_or("nobody").to_owned()
    };
    let number = |key: &str| number(record, key).unwrap_or(0);
    let mut word = match kind(record) {
        "conv" => {
            let keys = match (flag(record, "is_init"), record.contains_key("members")) {
                (true, _) => "N",
                (false, true) => "F",
                (false, false) => "U",
            };
            let flags = ["is_reset", "is_deleted"].into_iter().filter(|key| flag(record, key));
            flags.fold(format!("conv {keys}"), |word, flag| format!("{word} {flag}"))
        }
        "message" => {
            let kind = text(record, "mk_message_type");
            let kind = if kind == "text" { String::new() } else { format!(" {kind}") };
            let flow = if record.contains_key("flow_message_nr") {
                format!(" in {}", number("flow_message_nr"))
            } else {
                String::new()
            };
            format!("message {}{flow}{kind}", number("message_nr"))
        }
        "activity" | "contact" | "lastseen" => format!("{} {}", kind(record), whom("account_id")),
        "lock" => format!("lock {} {}", number("message_nr"), whom("lock_account_id")),
        "section" | "my_section" => format!("{} `{}`", kind(record), text(record, "name")),
        "label" => format!("label `{}`", text(record, "label")),
        other => other.to_owned(),
    };
    let of = whom("conversation_id");
    if !["$c", "nobody"].contains(&of.as_str()) {
        word = format!("{word} of {of}");
    }
    word
}
