//! A consistent copy of the whole store in one file, made while the server runs, and the way back.
//!
//! Owned here: the file's format. It is a header (magic, schema number), an entry per key of the engine (keyspace,
//! lengths, bytes), an end mark with the number of entries, and a SHA-256 of all that. Deliberately not here: when
//! backups are made and where they are kept.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fjall::Readable;
use sha2::{Digest, Sha256};

use super::engine::{Engine, Space};
use super::journal::ORDER_KEY;
use super::pending::Pending;
use super::{ENGINE, Embedded, OpenError, make, migration, occupy, sync_folder};
use crate::store::StoreFault;

/// The first bytes of a backup; the last of them is the format's version.
const MAGIC: [u8; 8] = *b"RILLBAK\x01";

/// Where a keyspace's number would stand, at the end.
const END: u8 = 0xFF;

/// Bytes of values that a restore commits together: large enough that syncing costs nothing, small enough for memory.
const RESTORE_BYTES: usize = 8 * 1024 * 1024;

/// The most bytes that one key or value can have in a sound file: what the engine takes as a value.
const PART_BYTES_MAX: u32 = u32::MAX - 1;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or its folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The backup.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no backup, or not all of it is what was written.
    #[error("{} is no sound backup: {reason}", path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What does not fit.
        reason: &'static str,
    },
    /// A newer binary wrote the backup.
    #[error("the backup has schema {found}, this binary knows schemas up to {known}")]
    Newer {
        /// The backup's schema.
        found: u64,
        /// The newest schema that this binary knows.
        known: u64,
    },
    /// There is a store in the folder already.
    #[error("{} holds a store already", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The new store could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new store could not be written.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Embedded {
    /// Writes a copy of the store, as it is at this moment, to a file; appends go on meanwhile. The file appears under
    /// its name only when it is complete and on disk; one that was there before is replaced. Blocks for as long as it
    /// takes to read everything: not for a thread that serves.
    pub fn backup(&self, to: &Path) -> Result<(), BackupError> {
        self.shared.check()?;
        let unwritable = |source| BackupError::Unwritable { path: to.to_owned(), source };
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let written = write(&self.shared.engine, &unfinished).map_err(|error| match error {
            WriteError::File(source) => unwritable(source),
            WriteError::Store(fault) => fault.into(),
        });
        if let Err(error) = written {
            // What is wrong has an error already; a remnant that cannot be removed adds nothing to it.
            drop(std::fs::remove_file(&unfinished));
            return Err(error);
        }
        std::fs::rename(&unfinished, to).map_err(unwritable)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder).map_err(unwritable)
    }
}

enum WriteError {
    File(io::Error),
    Store(StoreFault),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<fjall::Error> for WriteError {
    fn from(error: fjall::Error) -> Self {
        Self::Store(super::engine::fault(error))
    }
}

fn write(engine: &Engine, path: &Path) -> Result<(), WriteError> {
    let snapshot = engine.snapshot();
    let schema = migration::schema(engine).map_err(WriteError::Store)?.unwrap_or_default();
    let mut out = Hashing { inner: BufWriter::new(File::create(path)?), hash: Sha256::new() };
    out.write_all(&MAGIC)?;
    out.write_all(&schema.to_be_bytes())?;
    let mut entries = 0u64;
    for space in Space::ALL {
        for entry in snapshot.iter(engine.space(space)) {
            let (key, value) = entry.into_inner()?;
            // Of use to this very engine only.
            if &key[..] == ORDER_KEY {
                continue;
            }
            out.write_all(&[space.number()])?;
            write_part(&mut out, &key)?;
            write_part(&mut out, &value)?;
            entries += 1;
        }
    }
    out.write_all(&[END])?;
    out.write_all(&entries.to_be_bytes())?;
    let Hashing { mut inner, hash } = out;
    inner.write_all(&hash.finalize())?;
    let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(())
}

fn write_part(out: &mut impl Write, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(part)
}

/// Makes a store from a backup in a missing or empty folder. The file is read twice: nothing is made from one that is
/// damaged. A backup of an older schema is migrated when the store is opened.
pub fn restore(from: &Path, into: &Path) -> Result<(), RestoreError> {
    let schema = read(from, |_, _, _| Ok(()))?;
    let known = migration::newest(migration::STEPS);
    if schema > known {
        return Err(RestoreError::Newer { found: schema, known });
    }
    let lock = occupy(into)?;
    if into.join(ENGINE).exists() {
        return Err(RestoreError::Occupied { path: into.to_owned() });
    }
    make(into, |engine| {
        let mut pending = Pending::default();
        let mut bytes = 0;
        read(from, |space, key, value| {
            bytes += key.len() + value.len();
            pending.put(space, key, value);
            if bytes >= RESTORE_BYTES {
                bytes = 0;
                std::mem::take(&mut pending).commit(engine)?;
            }
            Ok(())
        })?;
        pending.commit(engine)?;
        Ok::<_, RestoreError>(())
    })?;
    drop(lock);
    Ok(())
}

/// Reads a backup, checks it, and hands each entry on. Answers with its schema.
fn read(
    path: &Path,
    mut entry: impl FnMut(Space, Vec<u8>, Bytes) -> Result<(), StoreFault>,
) -> Result<u64, RestoreError> {
    let damaged = |reason| RestoreError::Damaged { path: path.to_owned(), reason };
    // A file that ends early is damaged; any other error is the system's.
    let unreadable = |source: io::Error| {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            damaged("it ends early")
        } else {
            RestoreError::Unreadable { path: path.to_owned(), source }
        }
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut file = Hashing { inner: BufReader::new(file), hash: Sha256::new() };
    if file.array().map_err(unreadable)? != MAGIC {
        return Err(damaged("it does not begin like one"));
    }
    let schema = u64::from_be_bytes(file.array().map_err(unreadable)?);
    let mut entries = 0u64;
    loop {
        let [space] = file.array().map_err(unreadable)?;
        if space == END {
            break;
        }
        let space =
            Space::ALL.get(usize::from(space)).copied().ok_or_else(|| damaged("it names no keyspace"))?;
        let key = file.part().map_err(unreadable)?;
        let value = file.part().map_err(unreadable)?;
        if key.is_empty() || key.len() > usize::from(u16::MAX) {
            return Err(damaged("a key has an impossible length"));
        }
        entry(space, key, value.into())?;
        entries += 1;
    }
    if u64::from_be_bytes(file.array().map_err(unreadable)?) != entries {
        return Err(damaged("entries are missing"));
    }
    let Hashing { inner: mut rest, hash } = file;
    let mut expected = [0; 32];
    rest.read_exact(&mut expected).map_err(unreadable)?;
    if hash.finalize()[..] != expected {
        return Err(damaged("its checksum does not match"));
    }
    if rest.read(&mut [0]).map_err(unreadable)? != 0 {
        return Err(damaged("something follows its end"));
    }
    Ok(schema)
}

/// Hashes what passes through.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Hashing<T> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    /// A length and as many bytes. Memory is taken as they arrive, so a mangled length costs none.
    fn part(&mut self) -> io::Result<Vec<u8>> {
        let length = u32::from_be_bytes(self.array()?);
        if length > PART_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = Vec::new();
        self.inner.by_ref().take(length.into()).read_to_end(&mut bytes)?;
        if bytes.len() != length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::*;
    use crate::store::contract::{account, append, chat, head, start, step};
    use crate::store::{Append, Direction, RowKey, Store, UniqueKey};

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn filled(folder: &TempDir) -> std::sync::Arc<Embedded> {
        let store = Embedded::open(folder.path()).unwrap();
        let full = Append {
            put: vec![(RowKey::Head, "head".into()), (RowKey::Slot(1), vec![3; 9000].into())],
            claim: vec![(UniqueKey::Email("a@b".into()), "one".into())],
            outbox: vec![(account(1), "effect".into())],
            ..step(chat(1), 0)
        };
        block_on(append(&*store, full)).unwrap();
        store
    }

    #[test]
    fn a_restored_store_is_the_one_that_was_backed_up() {
        let (one, two, file) = (folder(), folder(), folder());
        let file = file.path().join("copy");
        let store = filled(&one);
        std::fs::write(&file, "an older backup").unwrap();
        store.backup(&file).unwrap();
        block_on(append(&*store, head(chat(1), 1, "later than the backup"))).unwrap();
        restore(&file, &two.path().join("new")).unwrap();
        let restored = Embedded::open(&two.path().join("new")).unwrap();
        assert_eq!(restored.secret(), store.secret());
        assert_eq!(restored.last_stamp(), 1);
        let loaded = block_on(restored.load(chat(1))).unwrap().unwrap();
        assert_eq!((loaded.version, loaded.rows), (1, vec![(RowKey::Head, "head".into())]));
        assert_eq!(block_on(restored.row(chat(1), RowKey::Slot(1))).unwrap().unwrap(), vec![3; 9000]);
        assert_eq!(block_on(restored.holder(UniqueKey::Email("a@b".into()))).unwrap().unwrap(), "one");
        assert_eq!(block_on(restored.outbox()).unwrap(), block_on(store.outbox()).unwrap());
        block_on(append(&*restored, head(chat(1), 1, "goes on"))).unwrap();
        assert_eq!(
            std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
            1,
            "nothing unfinished is left"
        );
    }

    #[test]
    fn a_backup_made_while_appends_run_is_of_one_moment() {
        let (one, two, file) = (folder(), folder(), folder());
        let file = file.path().join("copy");
        let store = filled(&one);
        // Each append writes the same number into a head, a slot and the version: a torn copy would disagree.
        let numbered = |number: u64| {
            let value = Bytes::from(number.to_string());
            Append {
                put: vec![(RowKey::Head, value.clone()), (RowKey::Slot(number), value)],
                ..step(chat(2), number - 1)
            }
        };
        let appender = {
            let store = store.clone();
            std::thread::spawn(move || {
                let told: Vec<_> = (1..5000).map(|number| start(&*store, numbered(number))).collect();
                told.into_iter().for_each(|told| told.blocking_recv().unwrap().unwrap());
            })
        };
        while block_on(store.load(chat(2))).unwrap().is_none() {
            std::thread::yield_now();
        }
        store.backup(&file).unwrap();
        appender.join().unwrap();
        restore(&file, two.path()).unwrap();
        let restored = Embedded::open(two.path()).unwrap();
        let loaded = block_on(restored.load(chat(2))).unwrap().unwrap();
        assert_eq!(loaded.rows, [(RowKey::Head, loaded.version.to_string().into())]);
        let id = ConversationId(Uuid::from_u128(2));
        let last = block_on(restored.slots(id, 0, u64::MAX, 1, Direction::Descending)).unwrap();
        assert_eq!(last[0].0, loaded.version);
    }

    #[test]
    fn no_damaged_byte_goes_unnoticed_and_nothing_is_made_of_a_damaged_file() {
        let (one, file, into) = (folder(), folder(), folder());
        let file = file.path().join("copy");
        filled(&one).backup(&file).unwrap();
        let sound = std::fs::read(&file).unwrap();
        let into = into.path().join("never");
        let refuse = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            let result = restore(&file, &into);
            assert!(
                matches!(result, Err(RestoreError::Damaged { .. } | RestoreError::Newer { .. })),
                "{result:?}"
            );
            assert!(!into.exists());
        };
        for place in (0..sound.len()).step_by(7) {
            let mut bytes = sound.clone();
            bytes[place] ^= 1 << (place % 8);
            refuse(&bytes);
            refuse(&sound[..place]);
        }
        refuse(&[&sound[..], &[0]].concat());
    }

    #[test]
    fn a_newer_backup_is_refused() {
        let (file, into) = (folder(), folder());
        let file = file.path().join("copy");
        let mut bytes = [&MAGIC[..], &99u64.to_be_bytes(), &[END], &0u64.to_be_bytes()].concat();
        let hash = Sha256::digest(&bytes);
        bytes.extend_from_slice(&hash);
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(restore(&file, into.path()), Err(RestoreError::Newer { found: 99, known: 1 })));
    }

    #[test]
    fn a_store_or_a_foreign_folder_is_never_overwritten() {
        let (one, file, foreign) = (folder(), folder(), folder());
        let file = file.path().join("copy");
        let store = filled(&one);
        store.backup(&file).unwrap();
        assert!(matches!(restore(&file, one.path()), Err(RestoreError::Open(OpenError::InUse { .. }))));
        drop(store);
        assert!(matches!(restore(&file, one.path()), Err(RestoreError::Occupied { .. })));
        std::fs::write(foreign.path().join("other"), "").unwrap();
        assert!(matches!(restore(&file, foreign.path()), Err(RestoreError::Open(OpenError::Foreign { .. }))));
        assert!(matches!(
            restore(&foreign.path().join("none"), one.path()),
            Err(RestoreError::Unreadable { .. })
        ));
    }
}
