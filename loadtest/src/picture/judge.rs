//! What a picture convicts the server of.
//!
//! Not here: how the picture came to be ([`super::Picture`]).

use super::boards;
use super::flow::Flow;
use crate::record::{Record, flag, number, text};
use std::collections::BTreeMap;
use std::fmt;

/// One broken promise. Numbers are slots or message numbers of the named conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Slots were skipped, or never came although the header counts them.
    Gap {
        /// Where.
        conversation_id: String,
        /// The first slot that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// A slot came after a later one.
    Reordered {
        /// Where.
        conversation_id: String,
        /// The late slot.
        slot: u64,
    },
    /// One number was given to two different contents.
    Doubled {
        /// Where.
        conversation_id: String,
        /// The message.
        message_nr: u64,
        /// True when both came in the same slot; false when a later slot changed what no revision may change.
        is_same_slot: bool,
    },
    /// A visible message is not held although its neighbours are, seen by `prev_message_nr` or by the header.
    Missing {
        /// Where.
        conversation_id: String,
        /// The message.
        message_nr: u64,
    },
    /// The horizon of a frame was lower than that of an earlier frame.
    HorizonFell {
        /// The earlier one.
        from: i64,
        /// The later one.
        to: i64,
    },
    /// `unread_count` is not the number of inbox messages above `read_message_nr`.
    Unread {
        /// Where.
        conversation_id: String,
        /// What the header says.
        said: u64,
        /// What the messages say.
        counted: u64,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { conversation_id, from, to } => {
                write!(f, "{conversation_id}: gap from {from} to {to}")
            }
            Self::Reordered { conversation_id, slot } => {
                write!(f, "{conversation_id}: slot {slot} came after a later one")
            }
            Self::Doubled { conversation_id, message_nr, is_same_slot: true } => {
                write!(f, "{conversation_id}: message {message_nr} came twice with different content")
            }
            Self::Doubled { conversation_id, message_nr, is_same_slot: false } => {
                write!(f, "{conversation_id}: message {message_nr} came again as another message")
            }
            Self::Missing { conversation_id, message_nr } => {
                write!(f, "{conversation_id}: message {message_nr} is missing")
            }
            Self::HorizonFell { from, to } => write!(f, "the horizon fell from {from} to {to}"),
            Self::Unread { conversation_id, said, counted } => {
                write!(f, "{conversation_id}: unread_count {said}, but {counted} unread messages are held")
            }
        }
    }
}

/// Judges one conversation at rest: nothing may be under way any more.
pub(super) fn conversation(
    conv: &Record,
    flow: &Flow,
    messages: &BTreeMap<u64, &Record>,
    violations: &mut Vec<Violation>,
) {
    let conversation_id = text(conv, "conversation_id").to_owned();
    let last = number(conv, "last_message_nr").unwrap_or(0);
    if let Some(edge) = flow.edge()
        && edge < last
    {
        violations.push(Violation::Gap {
            conversation_id: conversation_id.clone(),
            from: edge + 1,
            to: last,
        });
    }
    violations.extend(flow.unseen().map(|(from, to)| Violation::Gap {
        conversation_id: conversation_id.clone(),
        from,
        to,
    }));
    // Who was removed may have lost what he held; his header is frozen and says nothing about it.
    let is_member = conv.get("can_post").is_none() || flag(conv, "can_post");
    let (Some(backward), true, true) = (flow.backward(), flow.is_whole_forward(), is_member) else {
        return;
    };
    let open_from = number(conv, "delete_message_nr").map_or(backward, |deleted| backward.max(deleted + 1));
    let mut wanted: Vec<u64> = number(conv, "show_message_nr").into_iter().collect();
    let begin = number(conv, "begin_message_nr").unwrap_or(0);
    let neighbours = messages.iter().filter(|(nr, message)| {
        // A board shows what was written while the viewer was away, and nothing of what lies around it.
        !(begins_a_membership(message) || (**nr < begin && boards::was_shared(message)))
    });
    let neighbours = neighbours.map(|(_, message)| message);
    wanted.extend(neighbours.filter_map(|message| number(message, "prev_message_nr")));
    for message_nr in wanted {
        if message_nr >= open_from && message_nr > 0 && !messages.contains_key(&message_nr) {
            violations.push(Violation::Missing { conversation_id: conversation_id.clone(), message_nr });
        }
    }
    unread(conv, &conversation_id, open_from, messages, violations);
}

fn unread(
    conv: &Record,
    conversation_id: &str,
    open_from: u64,
    messages: &BTreeMap<u64, &Record>,
    violations: &mut Vec<Violation>,
) {
    let (Some(said), Some(read)) = (number(conv, "unread_count"), number(conv, "read_message_nr")) else {
        return;
    };
    let join = number(conv, "join_message_nr").unwrap_or(1);
    let begin = number(conv, "begin_message_nr").unwrap_or(join);
    // The server counts by inbox numbers, also those written while the member was away; he cannot recount those.
    let was_away = begin > join && read + 1 < begin;
    if was_away || (open_from > read + 1 && open_from > join) {
        return;
    }
    let is_inbox = |message: &&&Record| message.get("inbox_nr").and_then(serde_json::Value::as_i64) > Some(0);
    let counted = messages.range(read + 1..).map(|(_, message)| message).filter(is_inbox).count() as u64;
    if counted != said {
        violations.push(Violation::Unread { conversation_id: conversation_id.to_owned(), said, counted });
    }
}

/// Before a message that brings people in, the viewer may have been away, and what lies before one that kicks them was taken from
/// them: its predecessor need not be visible to him.
fn begins_a_membership(message: &Record) -> bool {
    let kind = text(message, "mk_message_type");
    kind.starts_with("add") || kind.starts_with("join") || kind == "autojoin" || kind == "kickV2"
}
