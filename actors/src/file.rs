//! Files: what is known of one, and the paths by which it is named (protocol.md §3.6, §5.7, §6.6).
//!
//! A file's bytes lie in [`Blobs`](crate::blobs::Blobs) under their SHA-256; whoever holds a [`File`] or an [`Upload`]
//! in a row of his refers to them. Pure: not here is reading rows (`gather`) and who may see which (`conversation`).

use std::fmt::{self, Write};
use std::str::FromStr;

use rill_proto::compact;
use rill_proto::id::{AccountId, ConversationId, MessageId};
use rill_proto::record::{self, file};
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod body;
pub mod fetch;
mod gather;
mod kind;
mod named;
mod picture;
#[cfg(test)]
mod tests;

pub use gather::{Served, find, gather};
pub use kind::{is_shown_inline, kind_of};
pub use named::digests;
pub use picture::{HEAD_BYTES, inspect};

/// How many files one message may have: more than anybody looks through, and a message's row stays small.
pub const FILES_MAX: usize = 100;

/// How many entries for files one message may have, those of files that are gone included: their records stay, so that
/// every client learns of it.
pub const FILES_EVER_MAX: usize = 200;

/// The longest name of a file, in characters: what file systems take.
pub const NAME_CHARS_MAX: usize = 255;

/// The SHA-256 of a file's bytes; its text is hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let digits = text.as_bytes();
        let is_lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 64 || !digits.iter().all(is_lower) {
            return Err(NoDigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NoDigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NoDigest)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The bytes of a file, and what they show of themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Where the bytes lie.
    pub sha256: Digest,
    /// How many.
    pub size: u64,
    /// The media type.
    pub file_type: String,
    /// What a picture is like; `None` for anything else.
    #[serde(default)]
    pub picture: Option<Picture>,
}

/// What the head of a picture says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Picture {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// It moves.
    #[serde(default)]
    pub is_animated: bool,
    /// As EXIF counts, 1 to 8.
    #[serde(default)]
    pub orientation: Option<u8>,
}

/// An attachment of a message. It stays in the message's row when it is gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct File {
    /// Its own id; no other attachment has it, also not of the same bytes.
    pub attachment_id: Uuid,
    /// Who attached it.
    pub account_id: AccountId,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Content,
    /// Unix seconds of its attaching.
    pub posted_time: i64,
    /// It is gone.
    #[serde(default)]
    pub is_deleted: bool,
    /// Who took it out of its message, when that is to be shown.
    #[serde(default)]
    pub deleter_id: Option<AccountId>,
}

/// The message that a file is attached to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// A message of a conversation.
    Conversation {
        /// The conversation.
        conversation_id: ConversationId,
        /// The message's number there.
        message_nr: u64,
        /// The message's global id.
        message_id: MessageId,
    },
    /// A private task or a canned response.
    Private {
        /// Its id.
        message_id: MessageId,
    },
}

impl File {
    /// As a whole `file` record.
    #[must_use]
    pub fn record(&self, host: Host) -> Vec<u8> {
        let (conversation_id, message_nr, message_id) = match host {
            Host::Conversation { conversation_id, message_nr, message_id } => {
                (Some(conversation_id), Some(message_nr), message_id)
            }
            Host::Private { message_id } => (None, None, message_id),
        };
        let picture = self.content.picture;
        record::complete(&file::File {
            conversation_id,
            message_nr,
            message_id,
            attachment_id: &self.key(),
            account_id: self.account_id,
            file_url: &self.url(host),
            file_name: &self.name,
            file_type: &self.content.file_type,
            file_size: self.content.size,
            file_sha256: &self.content.sha256.to_string(),
            width: picture.map(|picture| picture.width),
            height: picture.map(|picture| picture.height),
            orientation: picture.and_then(|picture| picture.orientation),
            is_animated: picture.map(|picture| picture.is_animated),
            thumbs: file::Thumbs::default(),
            posted_time: self.posted_time,
            sender_name: None,
            is_deleted: self.is_deleted,
            is_hidden: false,
            deleter_id: &self.deleter_id.map_or_else(String::new, |id| id.to_string()),
        })
    }

    /// `attachment_id`, and the `key` of the `file` element.
    #[must_use]
    pub fn key(&self) -> String {
        compact::write(self.attachment_id)
    }

    /// `file_url`.
    #[must_use]
    pub fn url(&self, host: Host) -> String {
        let reference = match host {
            Host::Conversation { conversation_id, message_nr, .. } => {
                Reference::Attached { conversation_id, message_nr, attachment_id: self.attachment_id }
            }
            Host::Private { message_id } => {
                Reference::Private { message_id, attachment_id: self.attachment_id }
            }
        };
        reference.url(&self.name)
    }

    /// Gone; `deleter_id` says who took it out by itself, and nobody when it went with other content.
    pub fn delete(&mut self, deleter_id: Option<AccountId>) {
        if !self.is_deleted {
            self.is_deleted = true;
            self.deleter_id = deleter_id;
        }
    }
}

/// How much the files take that are still there.
#[must_use]
pub fn bytes_of(files: &[File]) -> u64 {
    files.iter().filter(|file| !file.is_deleted).map(|file| file.content.size).sum()
}

/// What one of our own paths names. The name at its end is for people and says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference {
    /// An upload of the caller's that is not attached yet, or that he attaches once more.
    Upload(Uuid),
    /// A file of a message.
    Attached {
        /// The conversation.
        conversation_id: ConversationId,
        /// The message.
        message_nr: u64,
        /// Which of its files.
        attachment_id: Uuid,
    },
    /// A file of a private message of the caller's.
    Private {
        /// The message.
        message_id: MessageId,
        /// Which of its files.
        attachment_id: Uuid,
    },
}

impl Reference {
    /// The path.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let mut url = match self {
            Self::Upload(id) => format!("/upload/{}/", compact::write(*id)),
            Self::Attached { conversation_id, message_nr, attachment_id } => {
                let (conversation, key) = (compact::write(conversation_id.0), compact::write(*attachment_id));
                format!("/file/{conversation}/{message_nr}/{key}/")
            }
            Self::Private { message_id, attachment_id } => {
                let (message, key) = (compact::write(message_id.0), compact::write(*attachment_id));
                format!("/file/private/{message}/{key}/")
            }
        };
        push_encoded(&mut url, name);
        url
    }

    /// What a path names; `None` for a path that is none of ours.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.splitn(5, '/');
        match (parts.next()?, parts.next()?, parts.next()?, parts.next(), parts.next()) {
            ("upload", id, _, None, None) => Some(Self::Upload(compact::read(id)?)),
            ("file", "private", message, Some(key), Some(_)) => {
                let message_id = MessageId(compact::read(message)?);
                Some(Self::Private { message_id, attachment_id: compact::read(key)? })
            }
            ("file", conversation, nr, Some(key), Some(_)) => Some(Self::Attached {
                conversation_id: ConversationId(compact::read(conversation)?),
                message_nr: nr.parse().ok()?,
                attachment_id: compact::read(key)?,
            }),
            _ => None,
        }
    }
}

/// Appends a name as one part of a path (RFC 3986 §3.3, unreserved characters as they are).
fn push_encoded(out: &mut String, name: &str) {
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing into memory cannot fail");
        }
    }
}

/// A name that can be shown and stored: the last part of a path, without control characters, not too long.
#[must_use]
pub fn clean_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let name = kept.trim();
    // Two dots alone would be a step up in somebody's folder.
    if name.is_empty() || name.chars().all(|c| c == '.') { "file".to_owned() } else { name.to_owned() }
}

/// A file that somebody may attach: what one of his urls names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Content,
    /// The upload, when it is one.
    pub upload_id: Option<Uuid>,
}

/// The files of a message after a change, and the uploads that it made use of.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Attached {
    /// Those that are there first, in the order of the urls; then those that are gone.
    pub files: Vec<File>,
    /// Uploads that are attached now.
    pub uploads: Vec<Uuid>,
}

/// Who attaches what to which message.
#[derive(Clone, Copy, Debug)]
pub struct Attaching<'a> {
    /// The message.
    pub host: Host,
    /// The files that it has had so far, those that are gone included.
    pub earlier: &'a [File],
    /// Who.
    pub caller: AccountId,
    /// Unix seconds.
    pub now: i64,
}

impl Attaching<'_> {
    /// Which of its own files that are there a url of this message names: it is kept as it is.
    #[must_use]
    pub fn own(&self, url: &str) -> Option<&File> {
        let attachment_id = match (Reference::parse(url)?, self.host) {
            (
                Reference::Attached { conversation_id, message_nr, attachment_id },
                Host::Conversation { conversation_id: here, message_nr: nr, .. },
            ) if conversation_id == here && message_nr == nr => attachment_id,
            (Reference::Private { message_id, attachment_id }, Host::Private { message_id: here })
                if message_id == here =>
            {
                attachment_id
            }
            _ => return None,
        };
        self.earlier.iter().find(|file| file.attachment_id == attachment_id && !file.is_deleted)
    }

    /// The files of the message when these urls replace all of them. `found` answers for urls of other places.
    ///
    /// # Errors
    /// 400, naming `attachment_urls`, for too many; 430 for one that names nothing that the caller may see.
    pub fn replace(
        &self,
        urls: &[String],
        found: impl Fn(&str) -> Option<Found>,
    ) -> Result<Attached, Refusal> {
        let mut attached = Attached::default();
        let mut fresh = 0;
        for (at, url) in urls.iter().enumerate() {
            if urls[..at].contains(url) {
                continue;
            }
            if let Some(kept) = self.own(url) {
                if !attached.files.contains(kept) {
                    attached.files.push(kept.clone());
                }
                continue;
            }
            let found = found(url).ok_or_else(|| Refusal::not_found("File"))?;
            attached.uploads.extend(found.upload_id);
            let place = self.earlier.len() + fresh;
            fresh += 1;
            attached.files.push(File {
                attachment_id: self.attachment_id(place),
                account_id: self.caller,
                name: found.name,
                content: found.content,
                posted_time: self.now,
                is_deleted: false,
                deleter_id: None,
            });
        }
        let is_kept =
            |file: &File| attached.files.iter().any(|kept| kept.attachment_id == file.attachment_id);
        let mut gone: Vec<File> = self.earlier.iter().filter(|file| !is_kept(file)).cloned().collect();
        for file in &mut gone {
            file.delete(None);
            // A whole new list shows no traces of the one before.
            file.deleter_id = None;
        }
        attached.files.append(&mut gone);
        if attached.files.len() > FILES_EVER_MAX {
            let what = format!("a message has at most {FILES_EVER_MAX} files in all of its versions");
            return Err(Refusal::invalid_call("attachment_urls", what));
        }
        Ok(attached)
    }

    /// A file of another message, as one of this message.
    #[must_use]
    pub fn copy(&self, place: usize, of: &File) -> File {
        File {
            attachment_id: self.attachment_id(place),
            account_id: self.caller,
            name: of.name.clone(),
            content: of.content.clone(),
            posted_time: self.now,
            is_deleted: false,
            deleter_id: None,
        }
    }

    /// Ids follow from the message and the place, so that rules need no randomness.
    fn attachment_id(&self, place: usize) -> Uuid {
        let message_id = match self.host {
            Host::Conversation { message_id, .. } | Host::Private { message_id } => message_id,
        };
        Uuid::new_v5(&message_id.0, format!("file:{place}").as_bytes())
    }
}

/// Checks a list of urls as far as that needs no looking up.
///
/// # Errors
/// 400, naming `attachment_urls`.
pub fn check_urls(urls: &[String]) -> Result<(), Refusal> {
    if urls.len() > FILES_MAX {
        let what = format!("{} files, at most {FILES_MAX} are allowed", urls.len());
        return Err(Refusal::invalid_call("attachment_urls", what));
    }
    match urls.iter().position(|url| Reference::parse(url).is_none()) {
        Some(at) => {
            let what = "neither an upload_url nor a file_url of this server";
            Err(Refusal::invalid_call(&format!("attachment_urls[{at}]"), what))
        }
        None => Ok(()),
    }
}

/// A file that an account has brought here and may attach; a row of the account's. One that the server fetches is here
/// before it has been fetched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// Its name.
    pub name: String,
    /// Its bytes; `None` while they are being fetched, and when that failed.
    #[serde(default)]
    pub content: Option<Content>,
    /// What is known of it as one that the server fetches; `None` for one that the client sent.
    #[serde(default)]
    pub external: Option<External>,
    /// It is attached to a message, which counts its bytes from then on.
    #[serde(default)]
    pub is_attached: bool,
    /// Unix seconds of its coming.
    pub time: i64,
    /// When it last changed.
    pub stamp: crate::store::Stamp,
}

/// What a client said of a file that the server fetches.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct External {
    /// The conversation that it is for.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// What the client calls it.
    #[serde(default)]
    pub upload_id: Option<String>,
    /// Why it could not be fetched.
    #[serde(default)]
    pub error: Option<String>,
}

impl Upload {
    /// As something to attach; `None` when there are no bytes of it.
    #[must_use]
    pub fn found(&self, upload_id: Uuid) -> Option<Found> {
        let content = self.content.clone()?;
        Some(Found { name: self.name.clone(), content, upload_id: Some(upload_id) })
    }
}
