//! What waits in a lane: records, and the marks between them.
//!
//! Not here: the order in which they leave ([`super::lane`]).

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::id::ConversationId;
use rill_proto::record::conv::View;

use super::Fanout;
use crate::conversation::Token;
use crate::conversation::audience::Template;
use crate::piece::Piece;
use crate::store::Stamp;

/// One entry of the queue.
pub(super) enum Queued {
    Piece(Piece),
    /// Records that others are told of as well. What completes them lies with that of the other lanes, at a place.
    Shared(Arc<Fanout>, usize),
    /// The same once it has to wait: with what completes it for this lane alone.
    Kept(Arc<[Template]>, Option<Box<View>>),
    /// What follows, up to the next `End`, belongs to one answer.
    Begin,
    End(Vec<Bytes>),
    /// So much of the sync lies before this.
    Progress(f32, Token),
    /// The sync with this number is complete.
    Live(u32, Stamp),
}

impl Queued {
    /// What completes its records for this lane.
    pub(super) fn view(&self) -> Option<&View> {
        match self {
            Self::Shared(fanout, place) => fanout.lanes.get(*place)?.view.as_ref(),
            Self::Kept(_, view) => view.as_deref(),
            Self::Piece(_) | Self::Begin | Self::End(_) | Self::Progress(..) | Self::Live(..) => None,
        }
    }

    /// The conversation of whose standing it tells, besides what else it has.
    pub(super) fn standing(&self) -> Option<ConversationId> {
        self.view()?;
        match self {
            Self::Shared(fanout, _) => fanout.batch.iter().find_map(Template::standing),
            Self::Kept(batch, _) => batch.iter().find_map(Template::standing),
            Self::Piece(_) | Self::Begin | Self::End(_) | Self::Progress(..) | Self::Live(..) => None,
        }
    }

    /// A later entry says what its header says.
    pub(super) fn skip_header(&mut self) {
        match self {
            Self::Shared(fanout, _) => *self = Self::Kept(Arc::clone(&fanout.batch), None),
            Self::Kept(_, view) => *view = None,
            Self::Piece(_) | Self::Begin | Self::End(_) | Self::Progress(..) | Self::Live(..) => {}
        }
    }
}
