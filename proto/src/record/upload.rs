//! `upload`: a file that the server fetches for an account (protocol.md §3.8). For the account's own sessions only.

use serde::Serialize;
use uuid::Uuid;

use crate::classificator::UploadStatus;
use crate::id::ConversationId;

/// The whole record.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "upload")]
pub struct Upload<'a> {
    /// Key: the conversation that it was fetched for, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Key: what the client called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<&'a str>,
    /// Key where the client gave no name: what the server calls it.
    pub request_id: Uuid,
    /// How far it is.
    pub status: UploadStatus,
    /// 0 to 100 while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// The name of the file.
    pub name: &'a str,
    /// What was fetched.
    #[serde(flatten)]
    pub file: Option<Fetched<'a>>,
    /// Why it could not be fetched, in words for people; "" otherwise.
    pub error: &'a str,
}

/// What a successful upload says beside its name.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Fetched<'a> {
    /// What `attachment_urls` take.
    pub upload_url: &'a str,
    /// In bytes.
    pub size: u64,
    /// Its media type, as the server found it.
    pub file_type: &'a str,
    /// Hexadecimal.
    pub file_sha256: &'a str,
    /// In pixels; `null` when it is no picture.
    pub width: Option<u32>,
    /// In pixels; `null` when it is no picture.
    pub height: Option<u32>,
    /// Whether the picture moves; `null` when it is no picture.
    pub is_animated: Option<bool>,
}
