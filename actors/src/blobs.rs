//! Where the bytes of files lie: under their SHA-256, the same bytes once.
//!
//! Owned here: what such a place promises. Not here: any of them (`folder`), names and types (`file`), and who may have
//! which file. Methods block for as long as the disk takes: they are not for a thread that serves.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::file::Digest;

mod folder;

pub use folder::Folder;

/// A place for the bytes of files.
pub trait Blobs: Send + Sync + 'static {
    /// Begins to take bytes in whose end and digest are not known yet.
    ///
    /// # Errors
    /// The place takes nothing.
    fn begin(&self) -> io::Result<Box<dyn Incoming>>;

    /// Opens bytes for reading; `None` when there are none of this digest.
    ///
    /// # Errors
    /// The place cannot be read.
    fn open(&self, sha256: Digest) -> io::Result<Option<Box<dyn Opened>>>;

    /// Drops what nobody refers to: bytes that are not among the digests now, were not at the call before this one, and
    /// did not come in within the last day. Answers with how many files went.
    ///
    /// # Errors
    /// The place cannot be read.
    fn collect(&self, referred: &HashSet<Digest>) -> io::Result<usize>;

    /// Nothing is dropped for as long as the answer lives: what rows name now is being copied.
    fn hold(&self) -> Hold;

    /// Every digest of which there are bytes.
    ///
    /// # Errors
    /// The place cannot be read.
    fn all(&self) -> io::Result<Vec<Digest>>;
}

/// Keeps a place from dropping anything, until it is dropped itself.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<()>);

impl Hold {
    /// Whether somebody has a copy of this one.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// Bytes on their way in. Dropping it leaves nothing behind.
pub trait Incoming: Send {
    /// Takes some more.
    ///
    /// # Errors
    /// The place takes nothing more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// That was all: when this answers, no crash loses them.
    ///
    /// # Errors
    /// They could not be made durable; nothing is kept.
    fn keep(self: Box<Self>) -> io::Result<Kept>;
}

/// Bytes that are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Under which digest.
    pub sha256: Digest,
    /// How many.
    pub size: u64,
    /// How they begin: at most [`HEAD_BYTES`](crate::file::HEAD_BYTES).
    pub head: Bytes,
}

/// Bytes that can be read.
pub trait Opened: Send {
    /// How many there are.
    fn size(&self) -> u64;

    /// Reads from a place on, at most `len` bytes; fewer only at the end.
    ///
    /// # Errors
    /// The place cannot be read.
    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes>;
}
