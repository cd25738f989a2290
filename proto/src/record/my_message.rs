//! `my_message`: a private task or a canned response (accounts.md §6 and §7.4). Only its owner ever gets it.
//!
//! Not here: the conversation tasks on his board; those are `message` records with `assigned_to_me_state`.

use serde::Serialize;

use crate::classificator::MyMessageState;
use crate::id::{AccountId, MessageId, SectionId};
use crate::record::weight::Weight;

/// All of it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "my_message")]
pub struct MyMessage<'a> {
    /// Key.
    pub message_id: MessageId,
    /// Its owner.
    pub account_id: AccountId,
    /// Message XML.
    pub message: &'a str,
    /// What it is.
    pub mk_message_state: MyMessageState,
    /// The section that a task stands in; `null` for a canned response.
    pub section_id: Option<SectionId>,
    /// Sections are shown by weight, descending; `null` for a canned response.
    pub task_weight: Option<Weight>,
    /// The name of a canned response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canned_name: Option<&'a str>,
    /// Unix seconds.
    pub posted_time: i64,
    /// Unix seconds of the last change of what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_time: Option<i64>,
    /// Unix seconds, with a fraction, since which it says what it says: canned responses are listed by it, newest first.
    pub store_time: f64,
}

/// One whose place or state changed together with many others': whoever holds it has the rest already.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "my_message")]
pub struct Moved {
    /// Key.
    pub message_id: MessageId,
    /// Its owner.
    pub account_id: AccountId,
    /// What it is.
    pub mk_message_state: MyMessageState,
    /// The section that it stands in.
    pub section_id: Option<SectionId>,
    /// Where in the section.
    pub task_weight: Option<Weight>,
}

/// One that is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "my_message")]
pub struct Deleted {
    /// Key.
    pub message_id: MessageId,
    /// Its owner.
    pub account_id: AccountId,
    /// Always "".
    pub message: &'static str,
    /// Always [`MyMessageState::Deleted`].
    pub mk_message_state: MyMessageState,
    /// Always `null`: it is off the board.
    pub section_id: (),
    /// Always `null`.
    pub task_weight: (),
}

impl Deleted {
    /// The record of what its owner deleted.
    #[must_use]
    pub fn new(message_id: MessageId, account_id: AccountId) -> Self {
        Self {
            message_id,
            account_id,
            message: "",
            mk_message_state: MyMessageState::Deleted,
            section_id: (),
            task_weight: (),
        }
    }
}
