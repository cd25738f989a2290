//! Blobs as files in a folder of the data folder: `files/ab/abcd…`, and `files/incoming` for what is not complete.
//!
//! A blob is written under another name, synced, renamed, and its folder synced: a name that is a digest always has all
//! of its bytes. What a crash leaves in `incoming` is dropped at the next start.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Blobs, Hold, Incoming, Kept, Opened};
use crate::file::{Digest, HEAD_BYTES};

/// Below the data folder.
const FOLDER: &str = "files";

/// Where bytes lie until all of them are there.
const INCOMING: &str = "incoming";

/// How long bytes that nobody refers to are kept: much longer than it takes until the row is written that refers to them.
const UNREFERRED_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// See the file's head.
pub struct Folder {
    place: Arc<Place>,
    kept_for: Duration,
}

struct Place {
    root: PathBuf,
    /// Where bytes lie until all of them are there.
    incoming: PathBuf,
    /// Keeping and dropping a blob are one thing at a time. Holds what nobody referred to at the last collection.
    suspects: Mutex<HashSet<Digest>>,
    /// Given out to those for whose time nothing is dropped.
    hold: Hold,
}

impl Folder {
    /// The folder below a data folder; made when it is missing.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(data: &Path) -> io::Result<Self> {
        Self::keeping(data, UNREFERRED_KEPT)
    }

    /// A folder that several nodes share. What is not complete lies apart for each of them.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open_shared(root: &Path) -> io::Result<Self> {
        let incoming = root.join(INCOMING);
        fs::create_dir_all(&incoming)?;
        for left in fs::read_dir(&incoming)? {
            let left = left?;
            let age = left.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age > UNREFERRED_KEPT {
                // Another node may have been faster.
                let _gone = fs::remove_dir_all(left.path());
            }
        }
        Self::at(root.to_owned(), incoming.join(Uuid::new_v4().to_string()), UNREFERRED_KEPT)
    }

    fn keeping(data: &Path, kept_for: Duration) -> io::Result<Self> {
        let root = data.join(FOLDER);
        let incoming = root.join(INCOMING);
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Self::at(root, incoming, kept_for)
    }

    fn at(root: PathBuf, incoming: PathBuf, kept_for: Duration) -> io::Result<Self> {
        fs::create_dir_all(&incoming)?;
        sync(&root)?;
        let place = Place { root, incoming, suspects: Mutex::default(), hold: Hold::default() };
        Ok(Self { place: Arc::new(place), kept_for })
    }
}

impl Place {
    fn shelf(&self, sha256: Digest) -> PathBuf {
        self.root.join(format!("{:02x}", sha256.0[0]))
    }

    fn path(&self, sha256: Digest) -> PathBuf {
        self.shelf(sha256).join(sha256.to_string())
    }

    /// Gives complete and synced bytes their name.
    fn put(&self, from: &Path, sha256: Digest) -> io::Result<()> {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        suspects.remove(&sha256);
        let (shelf, path) = (self.shelf(sha256), self.path(sha256));
        if path.try_exists()? {
            // The same bytes came again: they are as young as if they had come for the first time.
            return File::options().append(true).open(&path)?.set_modified(SystemTime::now());
        }
        match fs::create_dir(&shelf) {
            Ok(()) => sync(&self.root)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        fs::rename(from, &path)?;
        sync(&shelf)
    }

    fn shelves(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.root)?.map(|entry| Ok(entry?.path()));
        let paths: io::Result<Vec<PathBuf>> = entries.collect();
        let is_shelf = |path: &PathBuf| path.is_dir() && !path.ends_with(INCOMING);
        Ok(paths?.into_iter().filter(is_shelf).collect())
    }

    fn all(&self) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for shelf in self.shelves()? {
            for entry in fs::read_dir(shelf)? {
                let name = entry?.file_name();
                digests.extend(name.to_str().and_then(|name| name.parse::<Digest>().ok()));
            }
        }
        Ok(digests)
    }
}

impl Blobs for Folder {
    fn begin(&self) -> io::Result<Box<dyn Incoming>> {
        // Another node may have taken an idle one's for what a crash has left.
        fs::create_dir_all(&self.place.incoming)?;
        let path = self.place.incoming.join(Uuid::new_v4().to_string());
        let file = File::create_new(&path)?;
        let place = Arc::clone(&self.place);
        Ok(Box::new(Arriving { place, path, file, hash: Sha256::new(), size: 0, head: Vec::new() }))
    }

    fn open(&self, sha256: Digest) -> io::Result<Option<Box<dyn Opened>>> {
        match File::open(self.place.path(sha256)) {
            Ok(file) => {
                let size = file.metadata()?.len();
                Ok(Some(Box::new(Reading { file, size })))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn collect(&self, referred: &HashSet<Digest>) -> io::Result<usize> {
        let now = SystemTime::now();
        let (mut suspects, mut dropped) = (HashSet::new(), 0);
        for sha256 in self.place.all()?.into_iter().filter(|sha256| !referred.contains(sha256)) {
            let known = self.place.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            if self.place.hold.is_shared() {
                return Ok(dropped);
            }
            let path = self.place.path(sha256);
            let age = now.duration_since(fs::metadata(&path)?.modified()?).unwrap_or_default();
            if known.contains(&sha256) && age >= self.kept_for {
                fs::remove_file(&path)?;
                dropped += 1;
            } else {
                suspects.insert(sha256);
            }
        }
        *self.place.suspects.lock().unwrap_or_else(PoisonError::into_inner) = suspects;
        Ok(dropped)
    }

    fn hold(&self) -> Hold {
        // Whoever drops something holds this: it has been dropped before, or it stays.
        let _dropping = self.place.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.hold.clone()
    }

    fn all(&self) -> io::Result<Vec<Digest>> {
        self.place.all()
    }
}

/// Bytes on their way in.
struct Arriving {
    place: Arc<Place>,
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
}

impl Incoming for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }

    fn keep(self: Box<Self>) -> io::Result<Kept> {
        self.file.sync_all()?;
        let sha256 = Digest(self.hash.clone().finalize().into());
        self.place.put(&self.path, sha256)?;
        Ok(Kept { sha256, size: self.size, head: Bytes::copy_from_slice(&self.head) })
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // It has its name already, or the next start drops what is left.
        drop(fs::remove_file(&self.path));
    }
}

struct Reading {
    file: File,
    size: u64,
}

impl Opened for Reading {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(len);
        (&self.file).take(len as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Makes renames and new files in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bring(blobs: &Folder, pieces: &[&[u8]]) -> Kept {
        let mut incoming = blobs.begin().unwrap();
        pieces.iter().for_each(|piece| incoming.write(piece).unwrap());
        incoming.keep().unwrap()
    }

    fn incoming(data: &Path) -> usize {
        fs::read_dir(data.join(FOLDER).join(INCOMING)).unwrap().count()
    }

    #[test]
    fn bytes_come_back_by_their_digest_from_any_place_on() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Folder::open(data.path()).unwrap();
        let kept = bring(&blobs, &[b"hello ", b"world"]);
        assert_eq!(kept.sha256, Digest(Sha256::digest(b"hello world").into()));
        assert_eq!((kept.size, &kept.head[..]), (11, &b"hello world"[..]));
        let reopened = Folder::open(data.path()).unwrap();
        let mut opened = reopened.open(kept.sha256).unwrap().unwrap();
        assert_eq!(opened.size(), 11);
        for (offset, len, expected) in [(0, 5, "hello"), (6, 100, "world"), (11, 1, ""), (99, 1, "")] {
            assert_eq!(opened.read_at(offset, len).unwrap(), expected);
        }
        assert!(reopened.open(Digest([0; 32])).unwrap().is_none());
        assert_eq!(reopened.all().unwrap(), [kept.sha256]);
    }

    #[test]
    fn the_same_bytes_lie_there_once_and_nothing_is_left_on_the_way() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Folder::open(data.path()).unwrap();
        let one = bring(&blobs, &[b"same"]);
        assert_eq!(bring(&blobs, &[b"sa", b"me"]), one);
        assert_eq!(blobs.all().unwrap().len(), 1);
        let mut broken_off = blobs.begin().unwrap();
        broken_off.write(b"half").unwrap();
        assert_eq!(incoming(data.path()), 1);
        drop(broken_off);
        assert_eq!(incoming(data.path()), 0);
        std::mem::forget(blobs.begin().unwrap());
        assert_eq!(incoming(data.path()), 1, "as after a crash");
        Folder::open(data.path()).unwrap();
        assert_eq!(incoming(data.path()), 0);
    }

    #[test]
    fn only_the_head_is_held_in_memory() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Folder::open(data.path()).unwrap();
        let piece = vec![7; HEAD_BYTES - 1];
        let kept = bring(&blobs, &[&piece, &piece]);
        assert_eq!((kept.head.len(), kept.size), (HEAD_BYTES, 2 * piece.len() as u64));
    }

    #[test]
    fn what_nobody_refers_to_goes_at_the_second_look_and_not_while_it_is_young() {
        let data = tempfile::tempdir().unwrap();
        let eager = Folder::keeping(data.path(), Duration::ZERO).unwrap();
        let (one, other) = (bring(&eager, &[b"one"]), bring(&eager, &[b"other"]));
        let referred = HashSet::from([one.sha256]);
        assert_eq!(eager.collect(&referred).unwrap(), 0, "somebody may be about to refer to it");
        bring(&eager, &[b"other"]);
        assert_eq!(eager.collect(&referred).unwrap(), 0, "it came again meanwhile");
        assert_eq!(eager.collect(&referred).unwrap(), 1);
        assert_eq!(eager.all().unwrap(), [one.sha256]);
        assert!(eager.open(other.sha256).unwrap().is_none());
        bring(&eager, &[b"other"]);
        let hold = eager.hold();
        (0..3).for_each(|_| assert_eq!(eager.collect(&referred).unwrap(), 0, "a copy is being made"));
        drop(hold);
        assert_eq!(eager.collect(&referred).unwrap(), 0);
        assert_eq!(eager.collect(&referred).unwrap(), 1);
        let patient = Folder::open(data.path()).unwrap();
        for _ in 0..3 {
            assert_eq!(patient.collect(&HashSet::new()).unwrap(), 0);
        }
    }
}
