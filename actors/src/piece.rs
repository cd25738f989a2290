//! What lies in a lane until its session's frame is made: records, each complete but for what the viewer adds.
//!
//! Owned here: how a piece is completed. Not here: who may see it (`conversation::audience`, the account), and which keys
//! a record has (`rill_proto::record`).

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::id::AccountId;
use rill_proto::record::conv::View;
use rill_proto::record::{FOR_PROFILE_BYTES, close_for_profile};

use crate::account::contact::{ContactBook, Known};

/// One record. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub enum Piece {
    /// The same for every viewer: a whole JSON object.
    Shared(Bytes),
    /// An open object that only lacks `profile_id`.
    ForProfile(Bytes),
    /// An account; the viewer's contact list completes it.
    Contact(Arc<Known>),
    /// A conversation's header.
    Conv {
        /// The open object that all present members share.
        shared: Bytes,
        /// The viewer's fields.
        view: Arc<View>,
    },
}

/// For whom a piece is completed.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// Who looks.
    pub account_id: AccountId,
    /// His private contact rows, once they are known to the lane; until then he is shown the public names and nothing of
    /// his list.
    pub contacts: Option<&'a ContactBook>,
}

impl Piece {
    /// Appends the record in the viewer's form: one JSON object.
    pub fn write(&self, viewer: &Viewer<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Shared(record) => out.extend_from_slice(record),
            Self::ForProfile(open) => {
                out.extend_from_slice(open);
                close_for_profile(viewer.account_id, out);
            }
            Self::Contact(known) => {
                // Nobody is in his own list.
                let book = viewer.contacts.filter(|_| known.account_id != viewer.account_id);
                known.write(book, out);
            }
            Self::Conv { shared, view } => {
                let contacts = viewer.contacts;
                out.extend_from_slice(shared);
                view.write(|account_id| contacts.and_then(|book| book.private_name(account_id)), out);
            }
        }
    }

    /// About how many bytes [`Piece::write`] appends: for the bound of a lane and the size of a frame's buffer.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        match self {
            Self::Shared(record) => record.len(),
            Self::ForProfile(open) => open.len() + FOR_PROFILE_BYTES,
            Self::Contact(known) => known.size_hint(),
            Self::Conv { shared, view } => shared.len() + view.size_hint(),
        }
    }
}
