//! A team's rows as bytes, and back.

use bytes::Bytes;
use rill_proto::id::TeamId;

use super::state::{Change, State};
use crate::conversation::rows::{decode, encode};
use crate::store::{Loaded, RowKey, StoreFault};

/// The rows that changes write.
#[must_use]
pub fn rows(changes: &[Change]) -> Vec<(RowKey, Bytes)> {
    let row = |change: &Change| match change {
        Change::Head(head) => (RowKey::Head, encode(head)),
        Change::Member(id, member) => (RowKey::Member(*id), encode(member)),
        Change::Place(id, place) => (RowKey::Membership(*id), encode(place)),
    };
    changes.iter().map(row).collect()
}

/// A team from its rows.
///
/// # Errors
/// A row cannot be read.
pub fn load(id: TeamId, loaded: &Loaded) -> Result<State, StoreFault> {
    let mut state = State::new(id);
    for (key, bytes) in &loaded.rows {
        let change = match key {
            RowKey::Head => Change::Head(decode(bytes)?),
            RowKey::Member(id) => Change::Member(*id, decode(bytes)?),
            RowKey::Membership(id) => Change::Place(*id, decode(bytes)?),
            RowKey::Run(_)
            | RowKey::Section(_)
            | RowKey::Slot(_)
            | RowKey::Token(_)
            | RowKey::Contact(_)
            | RowKey::Task(_)
            | RowKey::Text(_)
            | RowKey::Watcher(_)
            | RowKey::Notice(_)
            | RowKey::Place(_)
            | RowKey::Filed(_)
            | RowKey::Upload(_)
            | RowKey::Stored(_)
            | RowKey::Label(_)
            | RowKey::Employment(_)
            | RowKey::Team(_) => {
                // Nobody else's row lies here.
                return Err(StoreFault(format!("a team has no {key:?}")));
            }
        };
        state.fold(&change);
    }
    Ok(state)
}
