//! What the next commit will write, and what the store looks like with it already in place.
//!
//! One value per key: within a batch the engine gives all writes the same sequence number, so a key must be in there
//! once. Deliberately not here: who may write what (`admission`).

use std::collections::HashMap;

use bytes::Bytes;

use super::engine::{Engine, Space};
use crate::store::StoreFault;

/// Changes of a keyspace for which room is kept from one commit to the next: as many as a busy batch has. Room that is given back after each
/// batch has to be cleared by the system for the next, which was a quarter of the writer's work.
const KEPT_MAX: usize = 8 * 1024;

/// Writes that wait for their commit.
#[derive(Default)]
pub(super) struct Pending {
    /// By keyspace and key; `None` is a removal.
    changes: [HashMap<Vec<u8>, Option<Bytes>>; Space::ALL.len()],
}

impl Pending {
    /// Inserts or replaces.
    pub(super) fn put(&mut self, space: Space, key: Vec<u8>, value: Bytes) {
        self.changes[usize::from(space.number())].insert(key, Some(value));
    }

    /// Removes what the store or an earlier [`Pending::put`] has.
    pub(super) fn remove(&mut self, space: Space, key: Vec<u8>) {
        self.changes[usize::from(space.number())].insert(key, None);
    }

    /// A value as it will be after the commit.
    pub(super) fn get(&self, engine: &Engine, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreFault> {
        match self.changes[usize::from(space.number())].get(key) {
            Some(change) => Ok(change.clone()),
            None => Ok(engine.get(space, key)?.map(|value| Bytes::copy_from_slice(&value))),
        }
    }

    /// Writes everything atomically and durably, and is empty afterwards, whatever comes of it.
    pub(super) fn commit(&mut self, engine: &Engine) -> Result<(), StoreFault> {
        let rows = self.changes.iter().map(HashMap::len).sum();
        if rows == 0 {
            return Ok(());
        }
        let mut batch = engine.batch(rows);
        for (space, changes) in Space::ALL.into_iter().zip(&mut self.changes) {
            for (key, change) in changes.drain() {
                match change {
                    Some(value) => batch.insert(engine.space(space), key, &value[..]),
                    None => batch.remove(engine.space(space), key),
                }
            }
            changes.shrink_to(KEPT_MAX);
        }
        engine.commit(batch)
    }
}
