//! An account's rows as bytes, and back.

use bytes::Bytes;
use rill_proto::id::{AccountId, SectionId};

use super::state::{Change, State};
use crate::conversation::rows::{decode, encode};
use crate::store::{Loaded, RowKey, StoreFault};

/// The rows that changes write, and those that they remove.
#[must_use]
pub fn rows(changes: &[Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>) {
    let (mut put, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Head(head) => put.push((RowKey::Head, encode(head))),
            Change::Token(name, Some(token)) => put.push((RowKey::Token(*name), encode(token))),
            Change::Token(name, None) => remove.push(RowKey::Token(*name)),
            Change::Contact(id, row) => put.push((RowKey::Contact(*id), encode(row))),
            Change::Membership(id, membership) => put.push((RowKey::Membership(*id), encode(membership))),
            Change::MySection(id, Some(section)) => put.push((RowKey::Section(id.0), encode(section))),
            Change::MySection(id, None) => remove.push(RowKey::Section(id.0)),
            Change::Task(id, Some(task)) => put.push((RowKey::Task(*id), encode(task))),
            Change::Task(id, None) => remove.push(RowKey::Task(*id)),
            Change::Text(id, Some(text)) => put.push((RowKey::Text(*id), encode(text))),
            Change::Text(id, None) => remove.push(RowKey::Text(*id)),
            Change::Watcher(id) => put.push((RowKey::Watcher(*id), Bytes::new())),
            Change::Notice(name, Some(notice)) => put.push((RowKey::Notice(*name), encode(notice))),
            Change::Notice(name, None) => remove.push(RowKey::Notice(*name)),
            Change::Upload(id, Some(upload)) => put.push((RowKey::Upload(*id), encode(upload))),
            Change::Stored(id, stored) => put.push((RowKey::Stored(*id), encode(stored))),
            Change::Upload(id, None) => remove.push(RowKey::Upload(*id)),
            Change::Label(id, Some(label)) => put.push((RowKey::Label(*id), encode(label))),
            Change::Label(id, None) => remove.push(RowKey::Label(*id)),
        }
    }
    (put, remove)
}

/// An account from its rows.
///
/// # Errors
/// A row cannot be read.
pub fn load(id: AccountId, loaded: &Loaded) -> Result<State, StoreFault> {
    let mut state = State::new(id);
    for (key, bytes) in &loaded.rows {
        let change = match key {
            RowKey::Head => Change::Head(decode(bytes)?),
            RowKey::Token(name) => Change::Token(*name, Some(decode(bytes)?)),
            RowKey::Contact(id) => Change::Contact(*id, decode(bytes)?),
            RowKey::Membership(id) => Change::Membership(*id, decode(bytes)?),
            RowKey::Watcher(id) => Change::Watcher(*id),
            RowKey::Notice(name) => Change::Notice(*name, Some(decode(bytes)?)),
            RowKey::Stored(id) => Change::Stored(*id, decode(bytes)?),
            RowKey::Upload(id) => Change::Upload(*id, Some(decode(bytes)?)),
            RowKey::Section(id) => Change::MySection(SectionId(*id), Some(decode(bytes)?)),
            RowKey::Task(id) => Change::Task(*id, Some(decode(bytes)?)),
            RowKey::Label(id) => Change::Label(*id, Some(decode(bytes)?)),
            RowKey::Member(_)
            | RowKey::Run(_)
            | RowKey::Slot(_)
            | RowKey::Place(_)
            | RowKey::Text(_)
            | RowKey::Filed(_) => {
                continue;
            }
        };
        state.fold(&change);
    }
    Ok(state)
}
