//! The connections that are read over, and the reads.
//!
//! Each carries many reads at once, so nobody waits for a free one; several share the work among the database's processes.
//! A read that was cut off is asked again, until its time is over. Not here: anything that writes rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rill_proto::id::ConversationId;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Row};

use super::connection::{Connection, Query, fault, number};
use crate::store::{
    Aggregate, Direction, EffectId, Loaded, OutboxEntry, RANGE_ROWS_MAX, RowKey, Stamp, StoreFault, keys,
};

/// Connections that are read over: as many of the database's processes work for one node's reads at once.
const READERS: usize = 4;

/// The pause before a read that was cut off is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The reading connections; each is made when it is wanted.
pub(super) struct Readers {
    config: Config,
    /// How long a read may take, reconnecting included.
    patience: Duration,
    connections: [Mutex<Option<Arc<Connection>>>; READERS],
    next: AtomicUsize,
}

impl Readers {
    /// No connection yet.
    pub(super) fn new(config: Config, patience: Duration) -> Self {
        Self { config, patience, connections: Default::default(), next: AtomicUsize::new(0) }
    }

    /// Asks over one of the connections, and again over another while it is the connection that fails.
    pub(super) async fn ask(
        &self,
        query: Query,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreFault> {
        let deadline = Instant::now() + self.patience;
        loop {
            let asked = timeout_at(deadline, self.ask_once(query, params)).await;
            let failed = match asked {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(failed)) => failed,
                Err(_) => {
                    return Err(StoreFault(format!("PostgreSQL answers nothing within {:?}", self.patience)));
                }
            };
            if !failed.is_lost || Instant::now() + AGAIN_AFTER >= deadline {
                return Err(failed.fault);
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn ask_once(&self, query: Query, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failed> {
        let place = &self.connections[self.next.fetch_add(1, Ordering::Relaxed) % READERS];
        let connection = {
            let mut place = place.lock().await;
            match place.as_ref().filter(|connection| !connection.is_closed()) {
                Some(connection) => Arc::clone(connection),
                None => {
                    *place = None;
                    let opened = Connection::open(&self.config).await;
                    let opened = Arc::new(opened.map_err(|fault| Failed { fault, is_lost: true })?);
                    *place = Some(Arc::clone(&opened));
                    opened
                }
            }
        };
        let asked = connection.query(query, params).await;
        asked.map_err(|error| Failed {
            fault: fault(&error),
            is_lost: connection.is_closed() || is_ending(&error),
        })
    }

    /// Reads an aggregate at one moment.
    pub(super) async fn load(&self, aggregate: Aggregate) -> Result<Option<Loaded>, StoreFault> {
        let (id, kind) = keys::owner(aggregate);
        let rows = self.ask(Query::Load, &[&id, &i16::from(kind)]).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut loaded = Loaded { version: number(first.get(0)), rows: Vec::with_capacity(rows.len()) };
        for row in &rows {
            if let Some(key) = row.get::<_, Option<&[u8]>>(1) {
                loaded.rows.push((keys::parse_within(key)?, value(row, 2)));
            }
        }
        Ok(Some(loaded))
    }

    /// Reads one row.
    pub(super) async fn row(&self, aggregate: Aggregate, key: RowKey) -> Result<Option<Bytes>, StoreFault> {
        let (id, kind) = keys::owner(aggregate);
        let query = if key.is_loaded() { Query::Row } else { Query::Slot };
        let rows = self.ask(query, &[&id, &i16::from(kind), &keys::within(key)]).await?;
        Ok(rows.first().map(|row| value(row, 0)))
    }

    /// Reads a range of slots.
    pub(super) async fn slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(u64, Bytes)>, StoreFault> {
        let (id, kind) = keys::owner(Aggregate::Conversation(conversation));
        let (from, to) = (keys::within(RowKey::Slot(from)), keys::within(RowKey::Slot(to)));
        let limit = limit.min(RANGE_ROWS_MAX) as i64;
        let query = match direction {
            Direction::Ascending => Query::Ascending,
            Direction::Descending => Query::Descending,
        };
        let rows = self.ask(query, &[&id, &i16::from(kind), &from, &to, &limit]).await?;
        let slot = |row: &Row| {
            let RowKey::Slot(number) = keys::parse_within(row.get(0))? else {
                return Err(keys::unreadable("slot key", row.get(0)));
            };
            Ok((number, value(row, 1)))
        };
        rows.iter().map(slot).collect()
    }

    /// Who holds a key, and since when.
    pub(super) async fn holder(&self, unique: &[u8]) -> Result<Option<(Stamp, Bytes)>, StoreFault> {
        let rows = self.ask(Query::Holders, &[&[unique].as_slice()]).await?;
        Ok(rows.first().map(|row| (number(row.get(1)), value(row, 2))))
    }

    /// Every unsettled consequence.
    pub(super) async fn outbox(&self) -> Result<Vec<OutboxEntry>, StoreFault> {
        self.ask(Query::Outbox, &[]).await?.iter().map(entry).collect()
    }
}

struct Failed {
    fault: StoreFault,
    /// Over another connection it may succeed.
    is_lost: bool,
}

/// Whether the server is stopping, or not ready yet: it says so before it closes the connection.
fn is_ending(error: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    error.code().is_some_and(|code| {
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code)
    })
}

fn value(row: &Row, column: usize) -> Bytes {
    Bytes::copy_from_slice(row.get(column))
}

fn entry(row: &Row) -> Result<OutboxEntry, StoreFault> {
    let owner = |id: usize, kind: usize| {
        let kind = u8::try_from(row.get::<_, i16>(kind)).ok();
        let aggregate = kind.and_then(|kind| keys::owned(row.get(id), kind));
        aggregate.ok_or_else(|| StoreFault("a consequence names an aggregate of an unknown kind".into()))
    };
    let index = u16::try_from(row.get::<_, i32>(3)).map_err(|_| StoreFault("an impossible place".into()))?;
    Ok(OutboxEntry {
        id: EffectId { source: owner(0, 1)?, version: number(row.get(2)), index },
        target: owner(4, 5)?,
        payload: value(row, 6),
    })
}
