//! Everything that the store holds, one entry after the other, for a copy in another engine.
//!
//! Not here: the engine's own copies, which know its bytes (`backup`).

use bytes::Bytes;
use fjall::Readable;

use super::engine::{Space, fault};
use super::{Embedded, keys};
use crate::store::{Aggregate, OutboxEntry, RowKey, Stamp, StoreFault};

/// An entry of the store.
pub(in crate::store) enum Entry {
    /// An aggregate is at a version.
    Version(Aggregate, u64),
    /// A row of an aggregate.
    Row(Aggregate, RowKey, Bytes),
    /// A unique key, as bytes, is held since a stamp.
    Holder(Vec<u8>, Stamp, Bytes),
    /// A consequence waits.
    Outbox(OutboxEntry),
}

impl Embedded {
    /// Hands on every entry as it is at this moment: versions and rows in the order of their keys, then the rows that are
    /// not loaded, the holders, the outbox. Stops at the first error.
    pub(in crate::store) fn entries<E: From<StoreFault>>(
        &self,
        mut visit: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        self.shared.check()?;
        let engine = &self.shared.engine;
        let snapshot = engine.snapshot();
        for space in [Space::Rows, Space::Slots, Space::Uniques, Space::Outbox] {
            for entry in snapshot.iter(engine.space(space)) {
                let (key, value) = entry.into_inner().map_err(fault)?;
                visit(parse(space, &key, &value)?)?;
            }
        }
        Ok(())
    }
}

fn parse(space: Space, key: &[u8], value: &[u8]) -> Result<Entry, StoreFault> {
    match space {
        Space::Rows if keys::is_version(key) => {
            Ok(Entry::Version(keys::parse_owner(key)?, keys::parse_number(value)?))
        }
        Space::Rows | Space::Slots => {
            let value = Bytes::copy_from_slice(value);
            Ok(Entry::Row(keys::parse_owner(key)?, keys::parse_row(key)?, value))
        }
        Space::Uniques => {
            let (stamp, value) = keys::parse_holder(value)?;
            Ok(Entry::Holder(key.to_vec(), stamp, value))
        }
        Space::Outbox => Ok(Entry::Outbox(keys::parse_outbox(key, value)?)),
        Space::Meta | Space::RequestTimes => Err(StoreFault("of use to the engine only".into())),
    }
}
