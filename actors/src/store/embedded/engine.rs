//! The one place that opens `fjall`: which keyspaces there are, what memory they may take, what its errors mean.
//!
//! Deliberately not here: what is written into them (`writer`), and the folder around the engine (`embedded.rs`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Snapshot};

use super::journal;
use crate::store::StoreFault;

/// Memory for blocks read from disk where nobody says otherwise. A conversation's tail is a handful of blocks of 4 KiB:
/// room for thousands, and for the filters of a store of a few gigabytes.
pub(super) const BLOCK_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Recent writes of one busy keyspace in memory. Smaller means more and smaller files to merge, larger a longer start
/// after a crash; four of them can wait for the disk at worst.
const BUSY_MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;

/// So many flushed memtables are merged at once into what is stored. Whoever is busy writes the same few rows again and again, which lie
/// all over the keyspace: little is left of a memtable, and merging it means rewriting the whole first level. The engine slows writers
/// down from 20 on.
const FLUSHES_MERGED: u8 = 12;

/// One file of a level; as many of them as flushes are merged make the first level, which is rewritten then.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// The same as of a busy one for keyspaces that see little.
const QUIET_MEMTABLE_BYTES: u64 = 8 * 1024 * 1024;

/// Journals on disk before the engine flushes what they are kept for. All of them are replayed when it starts, at some
/// 30 MB a second: this bounds a start after a busy time to about four.
const JOURNALS_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Threads that flush and merge: one can flush while the other is in a long merge.
const BACKGROUND_THREADS: usize = 2;

/// A keyspace of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Space {
    /// Schema number, secret, last stamp.
    Meta,
    /// Versions and all rows but slots.
    Rows,
    /// Slots, apart so that loading an aggregate does not read through its messages.
    Slots,
    /// Holders of unique keys.
    Uniques,
    /// Remembered requests by the time of their claim.
    RequestTimes,
    /// Unsettled consequences.
    Outbox,
}

impl Space {
    /// All of them, in the order of [`Space::number`].
    pub(super) const ALL: [Self; 6] =
        [Self::Meta, Self::Rows, Self::Slots, Self::Uniques, Self::RequestTimes, Self::Outbox];

    /// Its place in [`Space::ALL`], and its byte in a backup.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Rows => 1,
            Self::Slots => 2,
            Self::Uniques => 3,
            Self::RequestTimes => 4,
            Self::Outbox => 5,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Rows => "rows",
            Self::Slots => "slots",
            Self::Uniques => "uniques",
            Self::RequestTimes => "request_times",
            Self::Outbox => "outbox",
        }
    }

    fn options(self) -> KeyspaceCreateOptions {
        let memtable_bytes = match self {
            Self::Rows | Self::Slots | Self::Uniques => BUSY_MEMTABLE_BYTES,
            Self::Meta | Self::RequestTimes | Self::Outbox => QUIET_MEMTABLE_BYTES,
        };
        let merging = Leveled::default().with_l0_threshold(FLUSHES_MERGED).with_table_target_size(FILE_BYTES);
        KeyspaceCreateOptions::default()
            .max_memtable_size(memtable_bytes)
            .compaction_strategy(Arc::new(merging))
    }
}

/// Why the engine would not start.
#[derive(Debug)]
pub(super) enum EngineError {
    /// The file system said no.
    Io(std::io::Error),
    /// Another process has it open.
    InUse,
    /// Its files contradict each other, or are of a version that it does not know.
    Damaged(String),
}

impl From<fjall::Error> for EngineError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the engine's list is open-ended")]
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => Self::Io(error),
            fjall::Error::Locked => Self::InUse,
            // Whatever else it says, it could not make sense of its files.
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// The engine with all keyspaces open.
pub(super) struct Engine {
    database: Database,
    spaces: [Keyspace; Space::ALL.len()],
}

impl Engine {
    /// Opens the engine in `folder`, or makes it there. Says as well which keyspaces existed before.
    ///
    /// The engine asserts where its files are damaged: a panic on the way is an error like the others.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<(Self, Vec<Space>), EngineError> {
        calm(|| {
            let database = Database::builder(folder)
                .cache_size(cache_bytes)
                .max_journaling_size(JOURNALS_BYTES_MAX)
                .worker_threads(BACKGROUND_THREADS)
                .open()?;
            let found =
                Space::ALL.into_iter().filter(|space| database.keyspace_exists(space.name())).collect();
            let open = |space: Space| database.keyspace(space.name(), || space.options());
            let spaces = [
                open(Space::Meta)?,
                open(Space::Rows)?,
                open(Space::Slots)?,
                open(Space::Uniques)?,
                open(Space::RequestTimes)?,
                open(Space::Outbox)?,
            ];
            Ok((Self { database, spaces }, found))
        })
        .unwrap_or_else(|panic| Err(EngineError::Damaged(panic)))
    }

    /// A keyspace's handle.
    pub(super) fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[usize::from(space.number())]
    }

    /// Everything as it is now, unmoved by later writes.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.database.snapshot()
    }

    /// The newest value of a key.
    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<fjall::Slice>, StoreFault> {
        self.space(space).get(key).map_err(fault)
    }

    /// A batch to fill for [`Engine::commit`].
    pub(super) fn batch(&self, rows: usize) -> OwnedWriteBatch {
        OwnedWriteBatch::with_capacity(self.database.clone(), rows + 1)
    }

    /// Writes a batch atomically; it is on disk afterwards. One batch at a time: the journal's inspection depends on it.
    ///
    /// `SyncData` is enough: the journal is written before the memory tables see anything, `fdatasync` also writes the
    /// metadata that is needed to find the data again (size, extents), and the engine syncs the folder when it makes a
    /// journal.
    pub(super) fn commit(&self, mut batch: OwnedWriteBatch) -> Result<(), StoreFault> {
        let next = self.database.seqno().to_be_bytes();
        batch.insert(self.space(Space::Meta), journal::ORDER_KEY, next);
        match calm(|| batch.durability(Some(PersistMode::SyncData)).commit()) {
            Ok(result) => result.map_err(fault),
            Err(panic) => Err(StoreFault(panic)),
        }
    }
}

/// What an engine's error is to a caller of the store.
pub(super) fn fault(error: fjall::Error) -> StoreFault {
    StoreFault(error.to_string())
}

/// Runs code of the engine; a panic in there comes back as its message.
pub(super) fn calm<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}
