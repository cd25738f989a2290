//! What owners put into lanes of another node, as it crosses.
//!
//! Records are written once for all lanes of the node that they go to. Each lane is named with the sync in which it was to
//! hear: what belongs to an earlier one than is under way at its home is dropped there, since the later one tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::record::conv::View;
use serde::{Deserialize, Serialize};

use super::crossing::{shared, token};
use crate::account::board::Placements;
use crate::account::contact::{ContactBook, ContactRow};
use crate::conversation::Token;
use crate::conversation::audience::Template;
use crate::conversation::rules::Header;
use crate::hub::{CloseCode, Fanout, Item, Told};
use crate::piece::Piece;
use crate::presence::{Lane, LaneName};
use crate::store::Stamp;

/// A lane at its home.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct To {
    worker: u16,
    key: u64,
    sync: u32,
}

impl To {
    fn of(lane: &Lane) -> Self {
        Self { worker: lane.worker(), key: lane.key(), sync: lane.sync() }
    }

    fn told(told: &Told) -> Self {
        Self { worker: told.worker, key: told.key, sync: told.sync }
    }

    fn find(self, own: &DashMap<LaneName, Lane>) -> Option<Lane> {
        let name = LaneName { home: None, worker: self.worker, key: self.key };
        own.get(&name).map(|lane| lane.clone())
    }

    /// The lane, when this sync is the one that is under way there.
    fn hears(self, own: &DashMap<LaneName, Lane>) -> Option<Lane> {
        self.find(own).filter(|lane| lane.sync() == self.sync)
    }
}

/// A [`Template`] whose views are made already.
#[derive(Serialize, Deserialize)]
pub(super) enum Encoded {
    Same(Piece),
    PerViewer { shared: Bytes, standing: Option<ConversationId> },
}

/// An item that crosses.
#[derive(Serialize, Deserialize)]
pub(super) enum Parcel {
    Fanout { batch: Vec<Encoded>, lanes: Vec<(To, Option<View>)> },
    Pieces(To, Vec<Piece>),
    Answer { to: To, frame: u64, index: u16, told: u32, request: Bytes, pieces: Vec<Piece> },
    Part(To, u64, Vec<Piece>),
    Contacts(To, Vec<(AccountId, ContactRow)>),
    Placements(To, #[serde(with = "shared")] Arc<Placements>),
    Progress(To, f32, #[serde(with = "token")] Token),
    Live(To, u32, Stamp),
    Close(To, u16, String),
}

impl Parcel {
    pub(super) fn pack(item: Item) -> Self {
        match item {
            Item::Fanout(fanout) => {
                let batch = fanout.batch.iter().map(|template| match template {
                    Template::Same(piece) => Encoded::Same(piece.clone()),
                    Template::PerViewer { shared, standing, .. } => {
                        Encoded::PerViewer { shared: shared.clone(), standing: *standing }
                    }
                });
                let lanes = fanout.lanes.iter().map(|told| (To::told(told), told.view.clone()));
                Self::Fanout { batch: batch.collect(), lanes: lanes.collect() }
            }
            Item::Pieces(lane, pieces) => Self::Pieces(To::of(&lane), pieces),
            Item::Answer { lane, frame, index, told, request, pieces } => {
                Self::Answer { to: To::of(&lane), frame, index, told, request, pieces }
            }
            Item::Part(lane, frame, pieces) => Self::Part(To::of(&lane), frame, pieces),
            Item::Contacts(lane, book) => {
                let rows = book.rows().map(|(account_id, row)| (account_id, row.clone()));
                Self::Contacts(To::of(&lane), rows.collect())
            }
            Item::Placements(lane, places) => Self::Placements(To::of(&lane), places),
            Item::Progress(lane, progress, token) => Self::Progress(To::of(&lane), progress, token),
            Item::Live(lane, number, stamp) => Self::Live(To::of(&lane), number, stamp),
            Item::Close(lane, code, reason) => Self::Close(To::of(&lane), code as u16, reason),
        }
    }

    /// The items for this node's lanes. What is for lanes that are gone, or are told otherwise, is left out.
    pub(super) fn unpack(self, own: &DashMap<LaneName, Lane>) -> Vec<Item> {
        let item = match self {
            Self::Fanout { batch, lanes } => return unpack_fanout(batch, lanes, own),
            Self::Pieces(to, pieces) => to.hears(own).map(|lane| Item::Pieces(lane, pieces)),
            Self::Answer { to, frame, index, told, request, pieces } => to.find(own).map(|lane| {
                let told = if told == lane.sync() { told } else { 0 };
                Item::Answer { lane, frame, index, told, request, pieces }
            }),
            Self::Part(to, frame, pieces) => to.find(own).map(|lane| Item::Part(lane, frame, pieces)),
            Self::Contacts(to, rows) => {
                let book: ContactBook = rows.into_iter().collect();
                to.find(own).map(|lane| Item::Contacts(lane, Arc::new(book)))
            }
            Self::Placements(to, places) => to.find(own).map(|lane| Item::Placements(lane, places)),
            Self::Progress(to, progress, token) => {
                to.hears(own).map(|lane| Item::Progress(lane, progress, token))
            }
            Self::Live(to, number, stamp) => to.find(own).map(|lane| Item::Live(lane, number, stamp)),
            Self::Close(to, code, reason) => {
                let code = CloseCode::of(code).unwrap_or(CloseCode::Fault);
                to.find(own).map(|lane| Item::Close(lane, code, reason))
            }
        };
        item.into_iter().collect()
    }
}

fn unpack_fanout(
    batch: Vec<Encoded>,
    lanes: Vec<(To, Option<View>)>,
    own: &DashMap<LaneName, Lane>,
) -> Vec<Item> {
    let templates = batch.into_iter().map(|encoded| match encoded {
        Encoded::Same(piece) => Template::Same(piece),
        Encoded::PerViewer { shared, standing } => {
            Template::PerViewer { shared, header: Header::UPDATE, named: None, standing }
        }
    });
    let batch: Arc<[Template]> = templates.collect();
    let mut workers: BTreeMap<u16, Vec<Told>> = BTreeMap::new();
    for (to @ To { worker, key, sync }, view) in lanes {
        if to.hears(own).is_some() {
            workers.entry(worker).or_default().push(Told { worker, sync, key, view });
        }
    }
    let fanout = |lanes| Item::Fanout(Arc::new(Fanout { home: None, batch: Arc::clone(&batch), lanes }));
    workers.into_values().map(fanout).collect()
}
