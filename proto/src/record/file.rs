//! `file`: an attachment of a message (protocol.md §3.6). The same for every viewer.
//!
//! One of a private message has no conversation and no number; its message is named by `message_id` alone.

use serde::Serialize;

use crate::id::{AccountId, ConversationId, MessageId};

/// The whole record.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "file")]
pub struct File<'a> {
    /// Key: the conversation of its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The number of its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_nr: Option<u64>,
    /// The global id of its message.
    pub message_id: MessageId,
    /// Key: 22 characters, the `key` of the `file` element.
    pub attachment_id: &'a str,
    /// Who attached it.
    pub account_id: AccountId,
    /// Where it is to be had: a path that begins with a slash. Usable again as an attachment.
    pub file_url: &'a str,
    /// Its name.
    pub file_name: &'a str,
    /// Its media type, as the server found it.
    pub file_type: &'a str,
    /// In bytes.
    pub file_size: u64,
    /// Hexadecimal.
    pub file_sha256: &'a str,
    /// In pixels; `null` when it is no picture.
    pub width: Option<u32>,
    /// In pixels; `null` when it is no picture.
    pub height: Option<u32>,
    /// As EXIF counts, 1 to 8; `null` when nothing is said.
    pub orientation: Option<u8>,
    /// Whether the picture moves; `null` when it is no picture.
    pub is_animated: Option<bool>,
    /// Its smaller forms.
    #[serde(flatten)]
    pub thumbs: Thumbs<'a>,
    /// Unix seconds of its attaching.
    pub posted_time: i64,
    /// The sender of a mail; `null` for a member's own file.
    pub sender_name: Option<&'a str>,
    /// It is gone, its record stays.
    pub is_deleted: bool,
    /// It is a picture inside of a quote or a signature.
    pub is_hidden: bool,
    /// Who took it out of its message; "" while it is there, or when it went with a new version of the message.
    pub deleter_id: &'a str,
}

/// Paths of a picture's smaller forms, each left out when the picture is no larger than that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Thumbs<'a> {
    /// 50 pixels at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_url_50: Option<&'a str>,
    /// 100 pixels at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_url_100: Option<&'a str>,
    /// 575 pixels at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_url_575: Option<&'a str>,
    /// 700 pixels at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumb_url_700: Option<&'a str>,
}
