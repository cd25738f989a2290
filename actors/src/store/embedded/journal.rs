//! Looks through the engine's journals before the engine does, because the engine forgives too much and too little.
//!
//! Left to itself it takes a damaged byte for the end of the journal and drops every batch behind it; its checksum
//! leaves out a batch's sequence number, so that one wrong bit there lets old rows win over new ones; and it refuses a
//! last batch of which a power cut left the end but not the middle.
//!
//! Owned here: telling an unfinished last batch, which was never acknowledged and is cut off, from damage, which is an
//! error. That works because every batch is synced before the next one is begun: at most one can be unfinished.
//! Deliberately not here: what the rows say. The format is that of the engine's version 3.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::engine::EngineError;

/// The key of a row that every batch has: the sequence number that was to be given out next when the batch was made. It
/// is under the checksum, and puts the batch's own number, which is not, between two that are.
pub(super) const ORDER_KEY: &[u8] = b"order";

/// How far a batch's number can be from the one that was next when it was made. Flushes and merges in the background take
/// a few in between; nothing takes thousands.
const ORDER_SLACK: u64 = 1 << 20;

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;

/// What the engine writes at the very end of a batch.
const TRAILER: &[u8] = b"FJL\x03";

/// Checks the journals in an engine's folder and cuts off an unfinished last batch.
pub(super) fn inspect(folder: &Path) -> Result<(), EngineError> {
    let journals = journals(folder)?;
    let mut order = Order::default();
    for (place, path) in journals.iter().enumerate() {
        let is_newest = place + 1 == journals.len();
        // One journal is in memory at a time: 64 MB, and what came in while it was being replaced.
        let bytes = std::fs::read(path).map_err(EngineError::Io)?;
        let damaged = |at: usize, what: &str| {
            let name = path.file_name().unwrap_or_default().display();
            EngineError::Damaged(format!("journal {name}, byte {at}: {what}"))
        };
        let mut at = 0;
        while let Some(batch) = Batch::read(&bytes, at) {
            order.check(&batch).map_err(|what| damaged(at, what))?;
            at = batch.end;
        }
        if is_blank(&bytes[at..]) {
            continue;
        }
        if !is_newest {
            return Err(damaged(at, "a batch is unreadable, and there are newer journals"));
        }
        if (at + 1..bytes.len()).any(|later| Batch::read(&bytes, later).is_some()) {
            return Err(damaged(at, "a batch is unreadable, and later ones are sound"));
        }
        tracing::warn!(journal = %path.display(), at, "cut off a batch that was not finished");
        let file = OpenOptions::new().write(true).open(path).map_err(EngineError::Io)?;
        file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(EngineError::Io)?;
    }
    Ok(())
}

/// Whether bytes are as the engine made the journal: zeroes, up to 64 MB of them, so compared in large pieces.
fn is_blank(bytes: &[u8]) -> bool {
    static ZEROES: [u8; 64 * 1024] = [0; 64 * 1024];
    bytes.chunks(ZEROES.len()).all(|piece| *piece == ZEROES[..piece.len()])
}

/// The journals, oldest first.
fn journals(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(EngineError::Io)? {
        let path = entry.map_err(EngineError::Io)?.path();
        if path.extension().is_some_and(|end| end == "jnl") {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            let number = number.ok_or_else(|| EngineError::Damaged("a journal has no number".into()))?;
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// The sequence number of the batch before.
#[derive(Default)]
struct Order(Option<u64>);

impl Order {
    fn check(&mut self, batch: &Batch) -> Result<(), &'static str> {
        let Some(next) = batch.next else {
            return Err("a batch is not of this server");
        };
        if self.0.is_some_and(|before| before >= next) {
            return Err("the batch before has a wrong number");
        }
        if !(next..next.saturating_add(ORDER_SLACK)).contains(&batch.number) {
            return Err("a batch has a wrong number");
        }
        self.0 = Some(batch.number);
        Ok(())
    }
}

/// A complete batch with the right checksum.
struct Batch {
    /// Its sequence number, which the checksum does not cover.
    number: u64,
    /// What its row under [`ORDER_KEY`] says.
    next: Option<u64>,
    /// The place behind it.
    end: usize,
}

impl Batch {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let mut rest = Cursor { bytes, at };
        if rest.byte()? != TAG_START {
            return None;
        }
        let rows = rest.u32()?;
        let number = rest.u64()?;
        let mut next = None;
        let mut hash = Xxh3::new();
        for _ in 0..rows {
            let from = rest.at;
            let row = Row::read(&mut rest)?;
            hash.update(&bytes[from..rest.at]);
            if row.key == ORDER_KEY {
                next = row.value.try_into().ok().map(u64::from_be_bytes);
            }
        }
        let sound =
            rest.byte()? == TAG_END && rest.u64()? == hash.digest() && rest.take(TRAILER.len())? == TRAILER;
        sound.then_some(Self { number, next, end: rest.at })
    }
}

/// One row of a batch.
struct Row<'a> {
    key: &'a [u8],
    /// As it is on disk, so perhaps compressed.
    value: &'a [u8],
}

impl<'a> Row<'a> {
    fn read(rest: &mut Cursor<'a>) -> Option<Self> {
        if rest.byte()? != TAG_ITEM {
            return None;
        }
        let _kind_and_compression = rest.take(2)?;
        let _keyspace = rest.u64()?;
        let key_bytes = rest.u16()?;
        let _value_bytes = rest.u32()?;
        let stored_bytes = rest.u32()?;
        let key = rest.take(key_bytes.into())?;
        let value = rest.take(usize::try_from(stored_bytes).ok()?)?;
        Some(Self { key, value })
    }
}

/// Reads forward through bytes; `None` at their end.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
