//! The store of a cluster, and of a node that trusts a database server more than a folder: PostgreSQL 15 or newer.
//!
//! Owned here: opening, the epoch of the opening, and what readers and writers share. One thread of its own carries all
//! connections: nobody who calls is ever blocked. Not here: the tables (`schema`), the statements (`connection`), reading
//! (`readers`), writing (`queue`, `changes`, `writer`), the way here from a folder (`copy`).
//!
//! A server that serves alone ends the epochs of all others when it opens the store: of two on the same tables the later
//! one serves, and the earlier one can write nothing any more and hears of it. The nodes of a cluster join instead, and
//! end each other's epochs by name when one of them is taken for dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use rill_proto::id::ConversationId;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use tokio_postgres::{Client, Config};

use self::connection::{Query, number};
use self::queue::{Queue, Work};
use self::readers::Readers;
use self::writer::{LANES, signed};
use super::thread::Thread;
use super::{
    Aggregate, Append, Appended, Direction, EffectId, Epoch, Loaded, OutboxEntry, RowKey, Stamp, Store,
    StoreFault, StoreFuture, UniqueKey, claims, keys,
};

mod changes;
mod columns;
mod connection;
mod copy;
mod queue;
mod readers;
mod schema;
mod writer;

pub use self::copy::{Copied, CopyError, copy};

#[cfg(test)]
mod tests;

/// How long appends and reads wait for a PostgreSQL that is away: a restart is nothing that anybody hears of. After that
/// their callers are told a fault that is safe to retry.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a node looks whether its epoch goes on. For so long at most an opening that writes nothing serves on after
/// another has taken over.
const EPOCH_LOOK: Duration = Duration::from_secs(1);

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The setting does not say where the database is.
    #[error("the store's URL cannot be used: {0}")]
    Url(String),
    /// The database cannot be reached, or does not do what it is told.
    #[error("the store in PostgreSQL cannot be opened: {0}")]
    Database(String),
    /// A newer binary wrote the store.
    #[error("the store has schema {found}, this binary knows schemas up to {known}")]
    Newer {
        /// The store's schema.
        found: u64,
        /// The newest schema that this binary knows.
        known: u64,
    },
}

impl From<tokio_postgres::Error> for OpenError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(connection::describe(&error))
    }
}

/// What an opening does to the others.
#[derive(Clone, Copy)]
enum Others {
    End,
    GoOn,
}

/// What the connections of one opening share.
struct Shared {
    config: Config,
    readers: Readers,
    queue: Queue,
    /// How long orders wait for a database that is away.
    patience: Duration,
    /// The highest stamp that is known to be durable.
    last_stamp: AtomicU64,
    epoch: Epoch,
    secret: [u8; 32],
    /// Whether the epoch is over.
    over: watch::Sender<bool>,
    runtime: Handle,
}

impl Shared {
    /// The epoch was found to be over.
    fn end(&self) {
        if !self.over.send_replace(true) {
            tracing::error!(
                epoch = self.epoch,
                "another server has taken the store over; this one writes nothing any more"
            );
        }
    }
}

/// A store in PostgreSQL. Dropping it writes what waits, then closes its connections.
///
/// A connection that is lost is made again. While PostgreSQL is away, appends and reads wait for some seconds, then answer
/// with faults; everything goes on by itself once it is back.
pub struct Postgres {
    shared: Arc<Shared>,
    _thread: Thread,
}

impl Postgres {
    /// Opens the store in the database that a URL names, as in `postgres://user:password@host/database`, and ends the
    /// epochs of all other openings. Makes the tables where there are none. Blocks.
    ///
    /// # Errors
    /// The URL is none, the database cannot be used, or a newer binary has been there.
    pub fn open(url: &str) -> Result<Arc<Self>, OpenError> {
        Self::open_with(url, schema::STEPS, Others::End, PATIENCE)
    }

    /// The same beside the other openings, which go on: for a node of a cluster. Whatever two of them change at once is
    /// changed by one, and refused to the other as moved or claimed.
    ///
    /// # Errors
    /// As of [`Postgres::open`].
    pub fn join(url: &str) -> Result<Arc<Self>, OpenError> {
        Self::open_with(url, schema::STEPS, Others::GoOn, PATIENCE)
    }

    fn open_with(
        url: &str,
        steps: &'static [&'static str],
        others: Others,
        patience: Duration,
    ) -> Result<Arc<Self>, OpenError> {
        let config = connection::config(url)?;
        let (tell, told) = mpsc::sync_channel(1);
        let unstarted = |error: std::io::Error| OpenError::Database(error.to_string());
        let run = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(unstarted(error)))),
            };
            runtime.block_on(async {
                match begin(config, steps, others, patience).await {
                    Ok(shared) => {
                        let watch = tokio::spawn(watch(Arc::clone(&shared)));
                        // Whoever opens waits for this.
                        drop(tell.send(Ok(Arc::clone(&shared))));
                        writer::run(&shared).await;
                        watch.abort();
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        };
        let thread = Thread::start("store-postgres", run).map_err(unstarted)?;
        let opened =
            told.recv().unwrap_or_else(|_| Err(OpenError::Database("its thread panicked".to_owned())));
        Ok(Arc::new(Self { shared: opened?, _thread: thread }))
    }

    /// Waits until another opening has taken the store over.
    pub async fn superseded(&self) {
        let mut over = self.shared.over.subscribe();
        // The sender lives as long as this.
        drop(over.wait_for(|over| *over).await);
    }

    fn answer<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, StoreFault>> + Send + 'static,
    ) -> StoreFuture<T> {
        let task = self.shared.runtime.spawn(read);
        Box::pin(async { task.await.unwrap_or_else(|_| Err(StoreFault("the store was closed".into()))) })
    }
}

/// Brings the tables to today's schema and takes an epoch.
async fn begin(
    config: Config,
    steps: &[&str],
    others: Others,
    patience: Duration,
) -> Result<Arc<Shared>, OpenError> {
    let (client, _task) = connection::connect(&config).await?;
    schema::migrate(&client, steps).await?;
    let (epoch, last_stamp, secret) = take_epoch(&client, others).await?;
    tracing::info!(epoch, "opened the store in PostgreSQL");
    Ok(Arc::new(Shared {
        readers: Readers::new(config.clone(), patience),
        patience,
        config,
        queue: Queue::default(),
        last_stamp: AtomicU64::new(last_stamp),
        epoch,
        secret,
        over: watch::Sender::new(false),
        runtime: Handle::current(),
    }))
}

/// The next epoch, with a row for each writer. Where the others end, what they are writing is waited for.
async fn take_epoch(client: &Client, others: Others) -> Result<(Epoch, Stamp, [u8; 32]), OpenError> {
    for _ in 0..schema::ATTEMPTS_MAX {
        match take_epoch_once(client, others).await {
            Ok((epoch, last_stamp, secret)) => {
                let secret = <[u8; 32]>::try_from(&secret[..]);
                let secret = secret.map_err(|_| OpenError::Database("its secret is damaged".to_owned()))?;
                return Ok((epoch, last_stamp, secret));
            }
            Err(error) => {
                // A connection that is gone cannot be rolled back, and needs not be.
                drop(client.batch_execute("ROLLBACK").await);
                if !schema::is_race(&error) {
                    return Err(error.into());
                }
            }
        }
    }
    Err(OpenError::Database("others hold it for too long".to_owned()))
}

async fn take_epoch_once(
    client: &Client,
    others: Others,
) -> Result<(Epoch, Stamp, Vec<u8>), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    let next =
        client.query_one("UPDATE rill_meta SET epoch = epoch + 1 RETURNING epoch, secret", &[]).await?;
    let epoch: i64 = next.get(0);
    let secret: Vec<u8> = next.get(1);
    let stamps = match others {
        Others::End => client.query("DELETE FROM rill_node RETURNING stamp", &[]).await?,
        Others::GoOn => client.query("SELECT stamp FROM rill_node", &[]).await?,
    };
    let highest = stamps.iter().map(|row| row.get::<_, i64>(0)).max().unwrap_or_default();
    let keep = "UPDATE rill_meta SET last_stamp = GREATEST(last_stamp, $1) RETURNING last_stamp";
    let last_stamp = client.query_one(keep, &[&highest]).await?;
    for lane in 0..LANES {
        let insert = "INSERT INTO rill_node (epoch, lane, stamp, batch) VALUES ($1, $2, 0, 0)";
        client.execute(insert, &[&epoch, &lane]).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok((number(epoch), number(last_stamp.get(0)), secret))
}

/// Looks from time to time whether the epoch goes on.
async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(EPOCH_LOOK).await;
        // What cannot be asked is asked again the next time.
        if let Ok(rows) = shared.readers.ask(Query::IsOn, &[&signed(shared.epoch)]).await
            && rows.is_empty()
        {
            shared.end();
        }
    }
}

impl Store for Postgres {
    fn append(&self, append: Append, done: Appended) {
        self.shared.queue.push(Work::Append(append, done));
    }

    fn load(&self, aggregate: Aggregate) -> StoreFuture<Option<Loaded>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move { shared.readers.load(aggregate).await })
    }

    fn row(&self, aggregate: Aggregate, key: RowKey) -> StoreFuture<Option<Bytes>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move { shared.readers.row(aggregate, key).await })
    }

    fn slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> StoreFuture<Vec<(u64, Bytes)>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move { shared.readers.slots(conversation, from, to, limit, direction).await })
    }

    fn holder(&self, key: UniqueKey) -> StoreFuture<Option<Bytes>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move {
            let held = shared.readers.holder(&keys::unique(&key)?).await?;
            let now = shared.last_stamp.load(Ordering::Acquire);
            Ok(held.filter(|(claimed, _)| !claims::is_forgotten(&key, *claimed, now)).map(|(_, value)| value))
        })
    }

    fn outbox(&self) -> StoreFuture<Vec<OutboxEntry>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move { shared.readers.outbox().await })
    }

    fn settle(&self, effect: EffectId) {
        self.shared.queue.push(Work::Settle(effect));
    }

    fn last_stamp(&self) -> Stamp {
        self.shared.last_stamp.load(Ordering::Acquire)
    }

    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    fn open_epochs(&self) -> StoreFuture<Vec<Epoch>> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move {
            let rows = shared.readers.ask(Query::OpenEpochs, &[]).await?;
            Ok(rows.iter().map(|row| number(row.get(0))).collect())
        })
    }

    fn fence(&self, epoch: Epoch) -> StoreFuture<()> {
        let shared = Arc::clone(&self.shared);
        self.answer(async move {
            let rows = shared.readers.ask(Query::Fence, &[&signed(epoch)]).await?;
            let stamps = rows.iter().map(|row| number(row.get(0)));
            shared.last_stamp.fetch_max(stamps.max().unwrap_or(0), Ordering::AcqRel);
            if epoch == shared.epoch {
                // Wanted here, so nothing to complain of.
                shared.over.send_replace(true);
            }
            Ok(())
        })
    }

    fn secret(&self) -> [u8; 32] {
        self.shared.secret
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("epoch", &self.shared.epoch).finish_non_exhaustive()
    }
}
