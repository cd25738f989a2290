//! A conversation's rows as bytes, and back: JSON, so that a row can be read by a person and grow by a field.

use bytes::Bytes;
use rill_proto::id::{ConversationId, SectionId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::state::{Change, Run, Slot, State};
use crate::store::{Loaded, RowKey, StoreFault};

/// The rows that a decision writes, and those that it removes. A row that was changed twice is written once, as it is last.
#[must_use]
pub fn rows(changes: &[Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>) {
    let mut rows: Vec<(RowKey, Option<Bytes>)> = Vec::with_capacity(changes.len());
    for change in changes {
        let (key, bytes) = row(change);
        match rows.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = bytes,
            None => rows.push((key, bytes)),
        }
    }
    let remove = rows.iter().filter(|(_, bytes)| bytes.is_none()).map(|(key, _)| *key).collect();
    let put = rows.into_iter().filter_map(|(key, bytes)| Some((key, bytes?))).collect();
    (put, remove)
}

fn row(change: &Change) -> (RowKey, Option<Bytes>) {
    let (key, bytes) = match change {
        Change::Head(head) => (RowKey::Head, encode(head)),
        Change::Member(account_id, member) => (RowKey::Member(*account_id), encode(member)),
        Change::Run(run) => (RowKey::Run(run.inbox_nr), encode(&run.message_nr)),
        Change::Slot(nr, slot) => (RowKey::Slot(*nr), encode(slot)),
        Change::Filed(nr, filed) => (RowKey::Filed(*nr), encode(filed)),
        Change::Section(section_id, section) => (RowKey::Section(section_id.0), encode(section)),
        Change::Place(nr, place) => return (RowKey::Place(*nr), place.as_ref().map(encode)),
        Change::Team(id, roster) => return (RowKey::Team(*id), roster.as_ref().map(encode)),
    };
    (key, Some(bytes))
}

/// A row as bytes.
pub(crate) fn encode<T: Serialize>(row: &T) -> Bytes {
    serde_json::to_vec(row).expect("rows have no maps with other keys than text").into()
}

/// A row from its bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreFault> {
    serde_json::from_slice(bytes).map_err(|error| StoreFault(format!("a row cannot be read: {error}")))
}

/// A conversation from its rows: all but the slots, and the newest slots, which may come in any order.
///
/// # Errors
/// A row cannot be read.
pub fn load(id: ConversationId, loaded: &Loaded, recent: &[(u64, Bytes)]) -> Result<State, StoreFault> {
    let mut state = State::new(id);
    for (key, bytes) in &loaded.rows {
        let change = match key {
            RowKey::Head => Change::Head(decode(bytes)?),
            RowKey::Member(account_id) => Change::Member(*account_id, decode(bytes)?),
            RowKey::Run(inbox_nr) => Change::Run(Run { inbox_nr: *inbox_nr, message_nr: decode(bytes)? }),
            RowKey::Filed(nr) => Change::Filed(*nr, decode(bytes)?),
            RowKey::Section(section_id) => Change::Section(SectionId(*section_id), decode(bytes)?),
            RowKey::Place(nr) => Change::Place(*nr, Some(decode(bytes)?)),
            RowKey::Team(id) => Change::Team(*id, Some(decode(bytes)?)),
            RowKey::Slot(_)
            | RowKey::Token(_)
            | RowKey::Contact(_)
            | RowKey::Membership(_)
            | RowKey::Task(_)
            | RowKey::Text(_)
            | RowKey::Watcher(_)
            | RowKey::Notice(_)
            | RowKey::Upload(_)
            | RowKey::Stored(_)
            | RowKey::Label(_)
            | RowKey::Employment(_) => continue,
        };
        state.fold(&change);
    }
    let mut slots: Vec<(u64, Slot)> = Vec::with_capacity(recent.len());
    for (nr, bytes) in recent {
        slots.push((*nr, decode(bytes)?));
    }
    slots.sort_unstable_by_key(|(nr, _)| *nr);
    state.recent = slots.into();
    Ok(state)
}
