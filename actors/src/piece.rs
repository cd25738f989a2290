//! What lies in a lane until its session's frame is made: records, each complete but for what the viewer adds.
//!
//! Owned here: how a piece is completed. Not here: who may see it (`conversation::audience`, the account), and which keys
//! a record has (`rill_proto::record`).

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::classificator::MySectionType;
use rill_proto::id::{AccountId, MessageId};
use rill_proto::record::conv::View;
use rill_proto::record::message::{AssignedToMe, close_for_assignee};
use rill_proto::record::weight::Weight;
use rill_proto::record::{FOR_PROFILE_BYTES, close_for_profile};

use crate::account::board::Placements;
use crate::account::contact::{ContactBook, Known};
use crate::border::crossing::shared;
use serde::{Deserialize, Serialize};

/// One record. Cloning shares the bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Piece {
    /// The same for every viewer: a whole JSON object.
    Shared(Bytes),
    /// A message: an open object that lacks `profile_id`, and its place where it stands on the viewer's own board.
    Message(MessageId, Bytes),
    /// An account; the viewer's contact list completes it.
    Contact(#[serde(with = "shared")] Arc<Known>),
    /// A conversation's header.
    Conv {
        /// The open object that all present members share.
        shared: Bytes,
        /// The viewer's fields.
        #[serde(with = "shared")]
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
    /// Where conversations' tasks stand on his own board, once that is known to the lane.
    pub placements: Option<&'a Placements>,
}

impl Piece {
    /// Appends the record in the viewer's form: one JSON object.
    pub fn write(&self, viewer: &Viewer<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Shared(record) => out.extend_from_slice(record),
            Self::Message(message_id, open) => {
                out.extend_from_slice(open);
                match viewer.placements.and_then(|placements| placements.get(message_id)) {
                    None => close_for_profile(viewer.account_id, out),
                    Some(place) => {
                        let place = place.map(|place| AssignedToMe {
                            mk_section_type: MySectionType::MyTask,
                            section_id: place.section_id,
                            task_weight: Weight(place.weight.get()),
                        });
                        close_for_assignee(viewer.account_id, place.as_ref(), out);
                    }
                }
            }
            Self::Contact(known) => {
                // Nobody is in his own list.
                let book = viewer.contacts.filter(|_| known.account_id != viewer.account_id);
                known.write(book, out);
            }
            Self::Conv { shared, view } => write_header(shared, view, viewer, out),
        }
    }

    /// About how many bytes [`Piece::write`] appends: for the bound of a lane and the size of a frame's buffer.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        match self {
            Self::Shared(record) => record.len(),
            Self::Message(_, open) => open.len() + FOR_PROFILE_BYTES,
            Self::Contact(known) => known.size_hint(),
            Self::Conv { shared, view } => shared.len() + view.size_hint(),
        }
    }
}

/// Appends a conversation's header: what all present members share, and the viewer's fields.
pub(crate) fn write_header(shared: &[u8], view: &View, viewer: &Viewer<'_>, out: &mut Vec<u8>) {
    let contacts = viewer.contacts;
    out.extend_from_slice(shared);
    view.write(|account_id| contacts.and_then(|book| book.private_name(account_id)), out);
}
