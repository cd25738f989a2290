//! The store of a single node: an engine in a folder of its own, one writer thread, no other process.
//!
//! Owned here: the folder (marker, lock, creation), opening, and the reads. Deliberately not here: the writing
//! (`writer`, `admission`), copies of the whole store (`backup`, `entries`).
//!
//! The folder holds `rill-store`, which marks it as ours and carries the lock, and `engine`. A new engine is made under
//! another name and renamed when it is complete, so a half-made one is never taken for a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use fjall::Readable;
use rill_proto::id::ConversationId;
use tokio::sync::oneshot;

use self::engine::{BLOCK_CACHE_BYTES, Engine, EngineError, Space, fault};
use self::migration::Step;
use self::pending::Pending;
use self::writer::{Order, Shared};
use super::thread::Thread;
use super::{
    Aggregate, Append, Appended, Direction, EffectId, Epoch, Loaded, OutboxEntry, RANGE_ROWS_MAX, RowKey,
    Stamp, Store, StoreFault, StoreFuture, UniqueKey, claims, keys,
};

pub use self::backup::{BackupError, Copied, RestoreError, restore};
pub(super) use self::entries::Entry;

mod admission;
mod backup;
mod engine;
mod entries;
mod journal;
mod migration;
mod pending;
mod writer;

#[cfg(test)]
mod tests;

/// Marks a folder as ours, and carries the lock against a second process.
const MARKER: &str = "rill-store";

/// The engine's folder.
const ENGINE: &str = "engine";

/// The engine's folder while it is being made.
const ENGINE_NEW: &str = "engine.new";

/// Where the secret stands in the meta keyspace.
const SECRET_KEY: &[u8] = b"secret";

/// Where the epoch of the last opening stands in the meta keyspace.
const EPOCH_KEY: &[u8] = b"epoch";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds something that is no store of ours; it is left alone.
    #[error("{} is not empty and not a store of this server", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has the store open, or this one has.
    #[error("the store in {} is in use already", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer binary wrote the store.
    #[error("the store has schema {found}, this binary knows schemas up to {known}")]
    Newer {
        /// The store's schema.
        found: u64,
        /// The newest schema that this binary knows.
        known: u64,
    },
    /// A migration failed; the store is still of the schema before it.
    #[error("migrating the store to schema {schema}: {reason}")]
    Migration {
        /// The schema that the step leads to.
        schema: u64,
        /// What went wrong.
        reason: StoreFault,
    },
    /// The store's files contradict each other, or a part of what was acknowledged is unreadable. The way out is a backup.
    #[error("the store in {} is damaged: {reason}", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

/// A store in a folder. Dropping it writes what waits, then closes it.
///
/// Reads answer at once, on the calling thread, and block it for the length of a disk read when neither the memory
/// tables nor the block cache have the rows. After a failed write the engine's state is unknown: everything is refused
/// until the store is opened again.
pub struct Embedded {
    shared: Arc<Shared>,
    secret: [u8; 32],
    _writer: Thread,
    /// Held until everything else is gone.
    _lock: Arc<File>,
}

impl Embedded {
    /// Opens the store in a folder; makes one when the folder is missing or empty. Blocks: recovery after a crash reads
    /// the engine's journals.
    pub fn open(dir: &Path) -> Result<Arc<Self>, OpenError> {
        Self::open_caching(dir, BLOCK_CACHE_BYTES)
    }

    /// The same, with so much memory for blocks read from disk: it fills up as the store is read and is not given back.
    pub fn open_caching(dir: &Path, cache_bytes: u64) -> Result<Arc<Self>, OpenError> {
        Self::open_with(dir, migration::STEPS, cache_bytes)
    }

    fn open_with(dir: &Path, steps: &[Step], cache_bytes: u64) -> Result<Arc<Self>, OpenError> {
        let lock = Arc::new(occupy(dir)?);
        let unusable = |source| OpenError::Unusable { path: dir.to_owned(), source };
        if !dir.join(ENGINE).try_exists().map_err(unusable)? {
            create(dir, steps)?;
        }
        let engine = open_existing(dir, steps, cache_bytes)?;
        let damaged = |fault: StoreFault| OpenError::Damaged { path: dir.to_owned(), reason: fault.0 };
        let last_stamp = engine.get(Space::Meta, admission::LAST_STAMP_KEY).map_err(damaged)?;
        let last_stamp = last_stamp.map_or(Ok(0), |value| keys::parse_number(&value)).map_err(damaged)?;
        let epoch = begin_epoch(&engine).map_err(damaged)?;
        let secret = engine.get(Space::Meta, SECRET_KEY).map_err(damaged)?;
        let secret = secret.and_then(|value| <[u8; 32]>::try_from(&value[..]).ok());
        let secret = secret.ok_or_else(|| damaged(StoreFault("its secret is missing".into())))?;
        let shared = Arc::new(Shared::new(engine, last_stamp, epoch));
        let writer = {
            let (shared, lock) = (shared.clone(), lock.clone());
            let write = move || {
                writer::run(&shared);
                drop(shared);
                drop(lock);
            };
            Thread::start("store-writer", write).map_err(unusable)?
        };
        Ok(Arc::new(Self { shared, secret, _writer: writer, _lock: lock }))
    }

    fn read_loaded(&self, aggregate: Aggregate) -> Result<Option<Loaded>, StoreFault> {
        self.shared.check()?;
        let engine = &self.shared.engine;
        let snapshot = engine.snapshot();
        let mut loaded: Option<Loaded> = None;
        for entry in snapshot.prefix(engine.space(Space::Rows), keys::aggregate(aggregate)) {
            let (key, value) = entry.into_inner().map_err(fault)?;
            if keys::is_version(&key) {
                loaded = Some(Loaded { version: keys::parse_number(&value)?, rows: Vec::new() });
            } else {
                let row = (keys::parse_row(&key)?, Bytes::copy_from_slice(&value));
                let loaded = loaded.as_mut().ok_or_else(|| StoreFault("rows without a version".into()))?;
                loaded.rows.push(row);
            }
        }
        Ok(loaded)
    }

    fn read_row(&self, aggregate: Aggregate, key: RowKey) -> Result<Option<Bytes>, StoreFault> {
        self.shared.check()?;
        let value = self.shared.engine.get(admission::space_of(key), &keys::row(aggregate, key))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn read_slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> Result<Vec<(u64, Bytes)>, StoreFault> {
        self.shared.check()?;
        if from > to {
            return Ok(Vec::new());
        }
        let owner = Aggregate::Conversation(conversation);
        let range = keys::row(owner, RowKey::Slot(from))..=keys::row(owner, RowKey::Slot(to));
        let engine = &self.shared.engine;
        let entries = engine.snapshot().range(engine.space(Space::Slots), range);
        let read = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner().map_err(fault)?;
            Ok((keys::parse_slot(&key)?, Bytes::copy_from_slice(&value)))
        };
        let limit = limit.min(RANGE_ROWS_MAX);
        match direction {
            Direction::Ascending => entries.take(limit).map(read).collect(),
            Direction::Descending => entries.rev().take(limit).map(read).collect(),
        }
    }

    fn read_holder(&self, key: &UniqueKey) -> Result<Option<Bytes>, StoreFault> {
        self.shared.check()?;
        let Some(value) = self.shared.engine.get(Space::Uniques, &keys::unique(key)?)? else {
            return Ok(None);
        };
        let (claimed, value) = keys::parse_holder(&value)?;
        Ok((!claims::is_forgotten(key, claimed, self.last_stamp())).then_some(value))
    }

    fn read_outbox(&self) -> Result<Vec<OutboxEntry>, StoreFault> {
        self.shared.check()?;
        let engine = &self.shared.engine;
        let entries = engine.snapshot().iter(engine.space(Space::Outbox));
        let read = |entry: fjall::Guard| {
            let (key, value) = entry.into_inner().map_err(fault)?;
            keys::parse_outbox(&key, &value)
        };
        entries.map(read).collect()
    }
}

impl Store for Embedded {
    fn append(&self, append: Append, done: Appended) {
        self.shared.queue.push(Order::Append(append, done));
    }

    fn load(&self, aggregate: Aggregate) -> StoreFuture<Option<Loaded>> {
        ready(self.read_loaded(aggregate))
    }

    fn row(&self, aggregate: Aggregate, key: RowKey) -> StoreFuture<Option<Bytes>> {
        ready(self.read_row(aggregate, key))
    }

    fn slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> StoreFuture<Vec<(u64, Bytes)>> {
        ready(self.read_slots(conversation, from, to, limit, direction))
    }

    fn holder(&self, key: UniqueKey) -> StoreFuture<Option<Bytes>> {
        ready(self.read_holder(&key))
    }

    fn outbox(&self) -> StoreFuture<Vec<OutboxEntry>> {
        ready(self.read_outbox())
    }

    fn settle(&self, effect: EffectId) {
        self.shared.queue.push(Order::Settle(effect));
    }

    fn last_stamp(&self) -> Stamp {
        self.shared.last_stamp.load(Ordering::Acquire)
    }

    fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    fn open_epochs(&self) -> StoreFuture<Vec<Epoch>> {
        let own = (!self.shared.is_fenced()).then_some(self.shared.epoch);
        ready(self.shared.check().map(|()| own.into_iter().collect()))
    }

    fn fence(&self, epoch: Epoch) -> StoreFuture<()> {
        let (tell, told) = oneshot::channel();
        self.shared.queue.push(Order::Fence(epoch, tell));
        Box::pin(async { told.await.map_err(|_| StoreFault("the store was closed".into())) })
    }

    fn secret(&self) -> [u8; 32] {
        self.secret
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("last_stamp", &self.last_stamp()).finish_non_exhaustive()
    }
}

fn ready<T: Send + 'static>(result: Result<T, StoreFault>) -> StoreFuture<T> {
    Box::pin(std::future::ready(result))
}

/// Makes sure that the folder is there, is ours, and is used by nobody else. The lock lasts as long as the file.
fn occupy(dir: &Path) -> Result<File, OpenError> {
    let unusable = |source| OpenError::Unusable { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(unusable)?;
    let marker = dir.join(MARKER);
    if !marker.try_exists().map_err(unusable)? && std::fs::read_dir(dir).map_err(unusable)?.next().is_some() {
        return Err(OpenError::Foreign { path: dir.to_owned() });
    }
    let unusable = |source| OpenError::Unusable { path: marker.clone(), source };
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&marker);
    let file = open.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    file.sync_all().and_then(|()| sync_folder(dir)).map_err(unusable)?;
    Ok(file)
}

/// Makes a store's engine under another name, then gives it its own.
fn create(dir: &Path, steps: &[Step]) -> Result<(), OpenError> {
    let mut secret = [0; 32];
    let unusable = |source| OpenError::Unusable { path: dir.to_owned(), source };
    getrandom::fill(&mut secret).map_err(|error| unusable(io::Error::other(error)))?;
    make(dir, |engine| {
        let mut pending = Pending::default();
        pending.put(Space::Meta, SECRET_KEY.to_vec(), Bytes::copy_from_slice(&secret));
        pending.put(Space::Meta, migration::SCHEMA_KEY.to_vec(), keys::number(migration::newest(steps)));
        pending.commit(engine).map_err(|fault| unusable(io::Error::other(fault)))
    })
}

/// Makes a new engine in `dir`, lets `fill` write into it, and gives it its name when all is on disk.
fn make<E: From<OpenError>>(dir: &Path, fill: impl FnOnce(&Engine) -> Result<(), E>) -> Result<(), E> {
    let unusable = |source| OpenError::Unusable { path: dir.to_owned(), source };
    let unfinished = dir.join(ENGINE_NEW);
    match std::fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error).into()),
        Ok(()) | Err(_) => {}
    }
    let (engine, _) = Engine::open(&unfinished, BLOCK_CACHE_BYTES).map_err(|error| open_error(dir, error))?;
    fill(&engine)?;
    drop(engine);
    std::fs::rename(&unfinished, dir.join(ENGINE)).and_then(|()| sync_folder(dir)).map_err(unusable)?;
    Ok(())
}

/// Opens a complete engine, checks that it is one, and brings it to today's schema.
fn open_existing(dir: &Path, steps: &[Step], cache_bytes: u64) -> Result<Engine, OpenError> {
    let damaged = |reason: String| OpenError::Damaged { path: dir.to_owned(), reason };
    let folder = dir.join(ENGINE);
    // Without its marker the engine would take the folder for an empty one.
    if !folder.join("version").is_file() {
        return Err(damaged("the engine's version file is missing".into()));
    }
    journal::inspect(&folder).map_err(|error| open_error(dir, error))?;
    let (engine, found) = Engine::open(&folder, cache_bytes).map_err(|error| open_error(dir, error))?;
    let schema = migration::schema(&engine).map_err(|fault| damaged(fault.0))?;
    let schema = schema.ok_or_else(|| damaged("its schema number is missing".into()))?;
    if schema == migration::newest(steps)
        && let Some(missing) = Space::ALL.into_iter().find(|space| !found.contains(space))
    {
        return Err(damaged(format!("its keyspace {missing:?} is missing")));
    }
    migration::migrate(&engine, schema, steps)?;
    Ok(engine)
}

/// Begins the epoch of this opening.
fn begin_epoch(engine: &Engine) -> Result<Epoch, StoreFault> {
    let last = engine.get(Space::Meta, EPOCH_KEY)?;
    let epoch = last.map_or(Ok(0), |value| keys::parse_number(&value))? + 1;
    let mut pending = Pending::default();
    pending.put(Space::Meta, EPOCH_KEY.to_vec(), keys::number(epoch));
    pending.commit(engine)?;
    Ok(epoch)
}

fn open_error(dir: &Path, error: EngineError) -> OpenError {
    let path = dir.to_owned();
    match error {
        EngineError::Io(source) => OpenError::Unusable { path, source },
        EngineError::InUse => OpenError::InUse { path },
        EngineError::Damaged(reason) => OpenError::Damaged { path, reason },
    }
}

/// Makes renames and new files in a folder durable.
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
