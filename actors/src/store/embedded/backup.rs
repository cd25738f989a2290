//! A consistent copy of the whole store and of the files that its rows name, in one file, made while the server runs, and
//! the way back.
//!
//! Owned here: the file's format. It is a header (magic, schema number), an entry per key of the engine (keyspace,
//! lengths, bytes), an entry per file (mark, digest, length, bytes), an end mark with the number of entries, and a SHA-256
//! of all that. Deliberately not here: when backups are made and where they are kept.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fjall::Readable;
use sha2::{Digest, Sha256};

use super::engine::{Engine, Space};
use super::journal::ORDER_KEY;
use super::{Embedded, OpenError, migration, sync_folder};
use crate::blobs::Blobs;
use crate::file::{self, digests};
use crate::store::StoreFault;

mod reading;
#[cfg(test)]
mod tests;

pub use self::reading::restore;

/// The first bytes of a backup; the last of them is the format's version.
const MAGIC: [u8; 8] = *b"RILLBAK\x02";

/// The first bytes of one that has no files in it.
const MAGIC_WITHOUT_FILES: [u8; 8] = *b"RILLBAK\x01";

/// Where a keyspace's number would stand, before a file.
const FILE: u8 = 0xFE;

/// How much of a file is in memory at a time.
const READ_BYTES: usize = 256 * 1024;

/// Where a keyspace's number would stand, at the end.
const END: u8 = 0xFF;

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

/// What a backup has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copied {
    /// How many files.
    pub files: u64,
    /// How many it lacks that rows name, because their bytes are not there.
    pub missing: u64,
}

impl Embedded {
    /// Writes a copy of the store and its files, as they are at this moment, to a file; appends go on meanwhile. The file
    /// appears under its name only when it is complete and on disk; one that was there before is replaced. Blocks for as
    /// long as it takes to read everything: not for a thread that serves.
    pub fn backup(&self, to: &Path, blobs: &dyn Blobs) -> Result<Copied, BackupError> {
        self.shared.check()?;
        let unwritable = |source| BackupError::Unwritable { path: to.to_owned(), source };
        let mut unfinished = to.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let written = write(&self.shared.engine, blobs, &unfinished).map_err(|error| match error {
            WriteError::File(source) => unwritable(source),
            WriteError::Store(fault) => fault.into(),
        });
        let copied = match written {
            Ok(copied) => copied,
            Err(error) => {
                // What is wrong has an error already; a remnant that cannot be removed adds nothing to it.
                drop(std::fs::remove_file(&unfinished));
                return Err(error);
            }
        };
        std::fs::rename(&unfinished, to).map_err(unwritable)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder).map_err(unwritable)?;
        Ok(copied)
    }

    /// Which files' bytes the rows name. Blocks, as a backup does.
    pub fn named_files(&self) -> Result<HashSet<file::Digest>, StoreFault> {
        self.shared.check()?;
        let engine = &self.shared.engine;
        let snapshot = engine.snapshot();
        let mut named = HashSet::new();
        for space in [Space::Rows, Space::Slots] {
            for entry in snapshot.iter(engine.space(space)) {
                let (_, value) = entry.into_inner().map_err(super::engine::fault)?;
                digests(&value, &mut named);
            }
        }
        Ok(named)
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

fn write(engine: &Engine, blobs: &dyn Blobs, path: &Path) -> Result<Copied, WriteError> {
    // Before the snapshot: whatever a row of it names is there, and stays until it is copied.
    let _hold = blobs.hold();
    let snapshot = engine.snapshot();
    let schema = migration::schema(engine).map_err(WriteError::Store)?.unwrap_or_default();
    let mut out = Hashing { inner: BufWriter::new(File::create(path)?), hash: Sha256::new() };
    out.write_all(&MAGIC)?;
    out.write_all(&schema.to_be_bytes())?;
    let (mut entries, mut named) = (0u64, HashSet::new());
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
            if matches!(space, Space::Rows | Space::Slots) {
                digests(&value, &mut named);
            }
        }
    }
    let copied = write_files(&mut out, blobs, named)?;
    entries += copied.files;
    out.write_all(&[END])?;
    out.write_all(&entries.to_be_bytes())?;
    let Hashing { mut inner, hash } = out;
    inner.write_all(&hash.finalize())?;
    let file = inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(copied)
}

fn write_files(out: &mut impl Write, blobs: &dyn Blobs, named: HashSet<file::Digest>) -> io::Result<Copied> {
    let mut copied = Copied::default();
    let mut named: Vec<file::Digest> = named.into_iter().collect();
    named.sort_unstable();
    for sha256 in named {
        let Some(mut opened) = blobs.open(sha256)? else {
            copied.missing += 1;
            continue;
        };
        let size = opened.size();
        out.write_all(&[FILE])?;
        out.write_all(&sha256.0)?;
        out.write_all(&size.to_be_bytes())?;
        let mut at = 0;
        while at < size {
            let bytes = opened.read_at(at, READ_BYTES)?;
            if bytes.is_empty() {
                return Err(io::Error::other(format!("{sha256} became shorter")));
            }
            out.write_all(&bytes)?;
            at += bytes.len() as u64;
        }
        copied.files += 1;
    }
    Ok(copied)
}

fn write_part(out: &mut impl Write, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(part)
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
