//! The way back: a store and its files from a backup.
//!
//! Not here: writing one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{END, FILE, Hashing, MAGIC, MAGIC_WITHOUT_FILES, READ_BYTES, RestoreError};
use crate::blobs::{Blobs, Folder, Incoming};
use crate::store::StoreFault;
use crate::store::embedded::engine::{Engine, Space};
use crate::store::embedded::pending::Pending;
use crate::store::embedded::{ENGINE, OpenError, make, migration, occupy};

/// Bytes of values that a restore commits together: large enough that syncing costs nothing, small enough for memory.
const RESTORE_BYTES: usize = 8 * 1024 * 1024;

/// The most bytes that one key or value can have in a sound file: what the engine takes as a value.
const PART_BYTES_MAX: u32 = u32::MAX - 1;

/// Makes a store and its files from a backup in a missing or empty folder. The file is read twice: nothing is made from one
/// that is damaged. A backup of an older schema is migrated when the store is opened.
pub fn restore(from: &Path, into: &Path) -> Result<(), RestoreError> {
    let schema = read(from, |_| Ok(()))?;
    let known = migration::newest(migration::STEPS);
    if schema > known {
        return Err(RestoreError::Newer { found: schema, known });
    }
    let lock = occupy(into)?;
    if into.join(ENGINE).exists() {
        return Err(RestoreError::Occupied { path: into.to_owned() });
    }
    let blobs = Folder::open(into)
        .map_err(|source| RestoreError::Open(OpenError::Unusable { path: into.to_owned(), source }))?;
    make(into, |engine| {
        let mut filling =
            Filling { engine, blobs: &blobs, pending: Pending::default(), bytes: 0, file: None };
        read(from, |part| filling.take(part))?;
        filling.pending.commit(engine)?;
        Ok::<_, RestoreError>(())
    })?;
    drop(lock);
    Ok(())
}

/// A store and its files while they are made.
struct Filling<'a> {
    engine: &'a Engine,
    blobs: &'a dyn Blobs,
    pending: Pending,
    bytes: usize,
    file: Option<Box<dyn Incoming>>,
}

impl Filling<'_> {
    fn take(&mut self, part: Part<'_>) -> Result<(), StoreFault> {
        let unwritable = |error: io::Error| StoreFault(format!("a file cannot be written: {error}"));
        match part {
            Part::Entry(space, key, value) => {
                self.bytes += key.len() + value.len();
                self.pending.put(space, key, value);
                if self.bytes >= RESTORE_BYTES {
                    self.bytes = 0;
                    std::mem::take(&mut self.pending).commit(self.engine)?;
                }
            }
            Part::Begin => self.file = Some(self.blobs.begin().map_err(unwritable)?),
            Part::Bytes(bytes) => {
                if let Some(file) = &mut self.file {
                    file.write(bytes).map_err(unwritable)?;
                }
            }
            // It is kept under the digest of its bytes, whatever the backup says.
            Part::End => {
                self.file.take().map(Incoming::keep).transpose().map_err(unwritable)?;
            }
        }
        Ok(())
    }
}

/// A piece of a backup.
enum Part<'a> {
    /// A key of the engine.
    Entry(Space, Vec<u8>, Bytes),
    /// A file begins.
    Begin,
    /// Some of its bytes.
    Bytes(&'a [u8]),
    /// That was all of it.
    End,
}

/// Reads a backup, checks it, and hands each piece on. Answers with its schema.
fn read(path: &Path, mut take: impl FnMut(Part<'_>) -> Result<(), StoreFault>) -> Result<u64, RestoreError> {
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
    let magic: [u8; 8] = file.array().map_err(unreadable)?;
    if magic != MAGIC && magic != MAGIC_WITHOUT_FILES {
        return Err(damaged("it does not begin like one"));
    }
    let schema = u64::from_be_bytes(file.array().map_err(unreadable)?);
    let mut entries = 0u64;
    loop {
        match file.array().map_err(unreadable)? {
            [END] => break,
            [FILE] if magic == MAGIC => {
                let _sha256: [u8; 32] = file.array().map_err(unreadable)?;
                let size = u64::from_be_bytes(file.array().map_err(unreadable)?);
                take(Part::Begin)?;
                let mut left = size;
                while left > 0 {
                    let bytes = file.some(left).map_err(unreadable)?;
                    left -= bytes.len() as u64;
                    take(Part::Bytes(&bytes))?;
                }
                take(Part::End)?;
            }
            [space] => {
                let space = Space::ALL.get(usize::from(space)).copied();
                let space = space.ok_or_else(|| damaged("it names no keyspace"))?;
                let key = file.part().map_err(unreadable)?;
                let value = file.part().map_err(unreadable)?;
                if key.is_empty() || key.len() > usize::from(u16::MAX) {
                    return Err(damaged("a key has an impossible length"));
                }
                take(Part::Entry(space, key, value.into()))?;
            }
        }
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

impl<T: Read> Hashing<T> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    /// Some of the next bytes, at least one; no more than so many.
    fn some(&mut self, left: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.inner.by_ref().take(left.min(READ_BYTES as u64)).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hash.update(&bytes);
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
