//! The exact key sets of the `conv` record (conversations.md §5.1), and the short words for its numbers.

use crate::complaint::Complaint;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A key set that a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// U.
    Update,
    /// F.
    Full,
    /// N, in whichever mode the record names.
    Init,
}

impl Shape {
    /// The shape of a word, if it is one.
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word {
            "U" => Some(Self::Update),
            "F" => Some(Self::Full),
            "N" => Some(Self::Init),
            _ => None,
        }
    }

    /// Complains about a key that is missing or should not be there.
    pub(crate) fn check(self, record: &Map<String, Value>) -> Result<(), Complaint> {
        let mut wanted: BTreeSet<&str> = words(UPDATE).collect();
        if self != Self::Update {
            wanted.extend(words(FULL));
        }
        if self == Self::Init {
            wanted.extend(words(INIT));
            let mode = record.get("mk_init_mode").and_then(Value::as_str);
            if mode != Some("ic_header") {
                wanted.extend(words(EDGES));
            }
            if mode == Some("ic_full") {
                wanted.extend(words(PINS));
            }
        }
        let optional: BTreeSet<&str> = words(WHEN_SET).chain(words(EDGES)).collect();
        let missing: Vec<&&str> = wanted
            .iter()
            .filter(|key| !record.contains_key(**key) && !words(NULLED).any(|nulled| nulled == **key))
            .collect();
        let strange: Vec<&String> = record
            .keys()
            .filter(|key| !wanted.contains(key.as_str()) && !optional.contains(key.as_str()))
            .collect();
        if missing.is_empty() && strange.is_empty() {
            return Ok(());
        }
        let shown = Value::Object(record.clone());
        Err(Complaint::new(
            format!("the key set {self:?}"),
            format!("without {missing:?}, with {strange:?} in {shown}"),
        ))
    }
}

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split_whitespace()
}

const UPDATE: &str = "conversation_id export_files export_progress has_done_notifications has_pinboard has_task_archive has_taskboard \
    inbox_message_nr inbox_time is_automute is_list is_mark_unread is_muted join_message_nr label_ids last_inbox_nr last_message_nr \
    last_message_time mk_alert_level mk_rec_type passive pending profile_id read_inbox_nr read_message_nr send_message_nr \
    show_message_nr snooze_interval snooze_time teams unread_count";

const FULL: &str = "admins can_post creator_id default_members guests has_email_subject is_managed is_premium leavers members \
    mk_conv_type organisation_id topic topic_message_nr";

const INIT: &str = "autojoin_url begin_message_nr cmail is_full is_init is_tiny mk_init_mode";

/// Also in sync answers and wherever an answer skips slots, whatever the key set.
const EDGES: &str = "bw_message_nr fw_message_nr";

const PINS: &str = "pin_cursor pin_sync_state";

const WHEN_SET: &str = "default_topic labels hide_message_nr my_message_nr is_reset is_deleted is_autojoin is_disclose \
    is_url_preview_disabled is_admin_write_only no_notifications default_call_room delete_message_nr disclose_message_nr assignees \
    file_cursor file_sync_state";

/// In the set, yet left out while it is null.
const NULLED: &str = "is_mark_unread";

/// The words of a `header` line, and the fields that they stand for.
pub(crate) const WORDS: &[(&str, &str)] = &[
    ("join", "join_message_nr"),
    ("begin", "begin_message_nr"),
    ("send", "send_message_nr"),
    ("read", "read_message_nr"),
    ("read_inbox", "read_inbox_nr"),
    ("show", "show_message_nr"),
    ("inbox", "inbox_message_nr"),
    ("last", "last_message_nr"),
    ("last_inbox", "last_inbox_nr"),
    ("unread", "unread_count"),
    ("mark_unread", "is_mark_unread"),
    ("fw", "fw_message_nr"),
    ("bw", "bw_message_nr"),
    ("topic_nr", "topic_message_nr"),
    ("my", "my_message_nr"),
    ("topic", "topic"),
    ("default_topic", "default_topic"),
    ("members", "members"),
    ("leavers", "leavers"),
    ("can_post", "can_post"),
    ("type", "mk_conv_type"),
    ("call_room", "default_call_room"),
    ("managed", "is_managed"),
    ("admins", "admins"),
    ("pending", "pending"),
    ("muted", "is_muted"),
    ("labels", "labels"),
];
