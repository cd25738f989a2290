//! A store whose reads are counted, whichever engine it is.
//!
//! Not here: appends, which whoever makes them counts when they are durable.

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::id::ConversationId;

use super::{
    Aggregate, Append, Appended, Direction, EffectId, Epoch, Loaded, OutboxEntry, RowKey, Stamp, Store,
    StoreFuture, UniqueKey,
};
use crate::metrics::Metrics;

/// Hands everything on.
pub(crate) struct Counted {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(crate) fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }
}

impl Store for Counted {
    fn append(&self, append: Append, done: Appended) {
        self.store.append(append, done);
    }

    fn load(&self, aggregate: Aggregate) -> StoreFuture<Option<Loaded>> {
        self.metrics.store_reads.add(1);
        self.store.load(aggregate)
    }

    fn row(&self, aggregate: Aggregate, key: RowKey) -> StoreFuture<Option<Bytes>> {
        self.metrics.store_reads.add(1);
        self.store.row(aggregate, key)
    }

    fn slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> StoreFuture<Vec<(u64, Bytes)>> {
        self.metrics.store_reads.add(1);
        self.store.slots(conversation, from, to, limit, direction)
    }

    fn holder(&self, key: UniqueKey) -> StoreFuture<Option<Bytes>> {
        self.metrics.store_reads.add(1);
        self.store.holder(key)
    }

    fn outbox(&self) -> StoreFuture<Vec<OutboxEntry>> {
        self.store.outbox()
    }

    fn settle(&self, effect: EffectId) {
        self.store.settle(effect);
    }

    fn last_stamp(&self) -> Stamp {
        self.store.last_stamp()
    }

    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn open_epochs(&self) -> StoreFuture<Vec<Epoch>> {
        self.store.open_epochs()
    }

    fn fence(&self, epoch: Epoch) -> StoreFuture<()> {
        self.store.fence(epoch)
    }

    fn secret(&self) -> [u8; 32] {
        self.store.secret()
    }
}
