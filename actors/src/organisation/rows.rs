//! An organisation's rows as bytes, and back.

use bytes::Bytes;
use rill_proto::id::OrganisationId;

use super::state::{Change, State};
use crate::conversation::rows::{decode, encode};
use crate::store::{Loaded, RowKey, StoreFault};

/// The rows that changes write, and those that they remove.
#[must_use]
pub fn rows(changes: &[Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>) {
    let row = |change: &Change| match change {
        Change::Head(head) => (RowKey::Head, encode(head)),
        Change::Member(id, member) => (RowKey::Member(*id), encode(member)),
        Change::Entry(version_nr, entry) => (RowKey::Slot(*version_nr), encode(entry)),
        Change::Team(id, charge) => (RowKey::Team(*id), encode(charge)),
        Change::Conversation(id, charge) => (RowKey::Membership(*id), encode(charge)),
    };
    (changes.iter().map(row).collect(), Vec::new())
}

/// An organisation from its rows.
///
/// # Errors
/// A row cannot be read.
pub fn load(id: OrganisationId, loaded: &Loaded) -> Result<State, StoreFault> {
    let mut state = State::new(id);
    for (key, bytes) in &loaded.rows {
        let change = match key {
            RowKey::Head => Change::Head(decode(bytes)?),
            RowKey::Member(id) => Change::Member(*id, decode(bytes)?),
            RowKey::Team(id) => Change::Team(*id, decode(bytes)?),
            RowKey::Membership(id) => Change::Conversation(*id, decode(bytes)?),
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
            | RowKey::Employment(_) => {
                // Nobody else's row lies here.
                return Err(StoreFault(format!("an organisation has no {key:?}")));
            }
        };
        state.fold(&change);
    }
    Ok(state)
}
