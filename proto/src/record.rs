//! What we send: one kind of record a file, named by its `mk_rec_type` (protocol.md §3).
//!
//! Owned here: the exact keys of each record, which of them may be missing and which are `null` when empty. Deliberately
//! not here: where the values come from, who may see them, and the frames that carry records (`envelope`).
//!
//! A record that differs from viewer to viewer has two parts. The *shared* part is serialized once per change as an
//! [`open`] JSON object, without its closing brace; the *viewer* part goes on from there with `,"key":value…}` and is
//! written straight into the buffer of the frame. Both together are one object in which no key comes twice.

use serde::Serialize;

use crate::id::AccountId;
use crate::record::write::Fields;

pub mod activity;
pub mod contact;
pub mod conv;
pub mod file;
pub mod label;
pub mod lastseen;
pub mod lock;
pub mod message;
pub mod my_message;
pub mod my_section;
pub mod organisation;
pub mod poke;
pub mod request;
pub mod section;
pub mod team;
pub mod upload;
pub mod weight;
mod write;

/// Bytes that [`close_for_profile`] adds to an open record.
pub const FOR_PROFILE_BYTES: usize = r#","profile_id":"00000000-0000-0000-0000-000000000000"}"#.len();

/// A record as a whole JSON object.
#[must_use]
pub fn complete<R: Serialize>(record: &R) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have text keys and their values always serialize")
}

/// The shared part of a record: a JSON object without its closing brace, for a viewer part to complete.
#[must_use]
pub fn open<R: Serialize>(record: &R) -> Vec<u8> {
    let mut bytes = complete(record);
    let brace = bytes.pop();
    debug_assert_eq!(brace, Some(b'}'), "a record is a JSON object");
    bytes
}

/// Completes an open record whose only viewer field is `profile_id`: a message that is not on the viewer's own board.
pub fn close_for_profile(profile_id: AccountId, out: &mut Vec<u8>) {
    let mut fields = Fields::new(out);
    fields.id("profile_id", profile_id.0);
    fields.close();
}
