//! The way from a folder's store into PostgreSQL: all of it in one transaction, read back and compared before it counts.
//!
//! Whatever goes wrong leaves the tables as empty as they were. Not here: the files, which no store holds.

use std::fmt;

use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Error, Row};

use super::changes::{Change, Changes};
use super::connection::{Connection, describe, number};
use super::writer::signed;
use super::{OpenError, columns, connection, schema};
use crate::store::embedded::{Embedded, Entry};
use crate::store::{RowKey, Store, StoreFault, keys};

/// Bytes of values that are sent together: large enough that sending costs little, small enough for memory.
const PORTION_BYTES: usize = 4 * 1024 * 1024;

/// Entries that are sent or read together.
const PORTION_ENTRIES: usize = 10_000;

/// The tables, with all of their columns in the order of their keys, as they are read back.
const TABLES: [(&str, &str); 5] = [
    ("aggregates", "SELECT id, kind, version FROM rill_aggregate ORDER BY id, kind"),
    ("rows", "SELECT id, kind, key, value FROM rill_row ORDER BY id, kind, key"),
    ("slots", "SELECT id, kind, key, value FROM rill_slot ORDER BY id, kind, key"),
    ("keys", "SELECT key, stamp, value FROM rill_holder ORDER BY key"),
    (
        "consequences",
        "SELECT id, kind, version, place, target, target_kind, payload FROM rill_outbox
            ORDER BY id, kind, version, place",
    ),
];

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The tables cannot be made or reached.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the tables already.
    #[error("the store in PostgreSQL is not empty; it is left as it is")]
    Occupied,
    /// What is to be copied cannot be read, or the copy not written.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// PostgreSQL does not hold what was sent to it.
    #[error("the copy is not like the original, so it was undone: {table} are {copied}, not {original}")]
    Differs {
        /// Which table.
        table: &'static str,
        /// What was read back.
        copied: String,
        /// What was sent.
        original: String,
    },
    /// The system gives no thread or no memory for it.
    #[error("cannot copy: {0}")]
    System(std::io::Error),
}

impl From<Error> for CopyError {
    fn from(error: Error) -> Self {
        Self::Store(StoreFault(format!("PostgreSQL: {}", describe(&error))))
    }
}

/// What was copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    /// How many entries each table has.
    pub counts: [(&'static str, u64); TABLES.len()],
    /// SHA-256 over all of them, in hexadecimal digits.
    pub sha256: String,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, count) in self.counts {
            write!(f, "{count} {table}, ")?;
        }
        write!(f, "sha256 {}", self.sha256)
    }
}

/// Copies a folder's store into tables that are empty. Blocks for as long as it takes. Ends the epoch of a server that has these
/// tables open.
///
/// # Errors
/// The target is not empty, either of the two fails, or the copy differs; nothing is copied then.
pub fn copy(from: &Embedded, url: &str) -> Result<Copied, CopyError> {
    let config = connection::config(url)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CopyError::System)?;
    runtime.block_on(async {
        let (client, _task) = connection::connect(&config).await.map_err(OpenError::from)?;
        schema::migrate(&client, schema::STEPS).await
    })?;
    let connection = runtime.block_on(Connection::open(&config))?;
    let mut copy = Copy { runtime: &runtime, connection: &connection, portion: Portion::default() };
    copy.say("BEGIN")?;
    copy.say("SET LOCAL statement_timeout = 0")?;
    copy.occupy()?;
    let mut original = Fingerprints::default();
    from.entries(|entry| {
        original.add(&entry);
        copy.add(entry)
    })?;
    copy.send()?;
    let copied = copy.read_back()?;
    for ((table, _), (copied, original)) in TABLES.into_iter().zip(copied.tables.iter().zip(&original.tables))
    {
        let (copied, original) = (copied.to_string(), original.to_string());
        if copied != original {
            return Err(CopyError::Differs { table, copied, original });
        }
    }
    let meta = "UPDATE rill_meta SET secret = $1, last_stamp = $2";
    runtime.block_on(connection.run(meta, &[&&from.secret()[..], &signed(from.last_stamp())]))?;
    copy.say("COMMIT")?;
    Ok(original.sum())
}

/// Entries on their way into a table each.
#[derive(Default)]
struct Portion {
    changes: Changes,
    entries: usize,
    bytes: usize,
}

struct Copy<'a> {
    runtime: &'a Runtime,
    connection: &'a Connection,
    portion: Portion,
}

impl Copy<'_> {
    fn say(&self, word: &'static str) -> Result<(), CopyError> {
        Ok(self.runtime.block_on(self.connection.say(word))?)
    }

    /// Keeps everybody else out until the end, and looks that nobody has been there.
    fn occupy(&self) -> Result<(), CopyError> {
        let run = |sql: &str| self.runtime.block_on(self.connection.run(sql, &[]));
        // Openings wait for this row, and whoever has the store open loses it.
        run("UPDATE rill_meta SET epoch = epoch + 1")?;
        run("DELETE FROM rill_node")?;
        for (_, select) in TABLES {
            let first = format!("SELECT 1 FROM ({select}) AS entries LIMIT 1");
            if run(&first)? > 0 {
                return Err(CopyError::Occupied);
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Entry) -> Result<(), CopyError> {
        let Portion { changes, entries, bytes } = &mut self.portion;
        *entries += 1;
        match entry {
            Entry::Version(aggregate, version) => {
                changes.versions.insert(aggregate, Change { found: 0, now: version });
            }
            Entry::Row(aggregate, key, value) => {
                *bytes += value.len();
                changes.rows.insert((aggregate, key), Some(value));
            }
            Entry::Holder(key, stamp, value) => {
                *bytes += value.len();
                changes.holders.insert(key, Change { found: None, now: Some((stamp, value)) });
            }
            Entry::Outbox(entry) => {
                *bytes += entry.payload.len();
                changes.outbox.push((entry.id, entry.target, entry.payload));
            }
        }
        if *entries >= PORTION_ENTRIES || *bytes >= PORTION_BYTES { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), CopyError> {
        let portion = std::mem::take(&mut self.portion);
        let columns = columns::of(&portion.changes);
        for write in columns.writes() {
            self.runtime.block_on(self.connection.execute(&write))?;
        }
        Ok(())
    }

    /// The copy as it stands in the tables.
    fn read_back(&self) -> Result<Fingerprints, CopyError> {
        let mut found = Fingerprints::default();
        for (fingerprint, (table, select)) in found.tables.iter_mut().zip(TABLES) {
            let run = |sql: &str| self.runtime.block_on(self.connection.run(sql, &[]));
            run(&format!("DECLARE {table} NO SCROLL CURSOR FOR {select}"))?;
            loop {
                let fetch = format!("FETCH {PORTION_ENTRIES} FROM {table}");
                let rows = self.runtime.block_on(self.connection.fetch(&fetch))?;
                if rows.is_empty() {
                    break;
                }
                for row in &rows {
                    fingerprint.add_columns(row)?;
                }
            }
            run(&format!("CLOSE {table}"))?;
        }
        Ok(found)
    }
}

/// How many entries, and a digest over all of them.
#[derive(Clone, Default)]
struct Fingerprint {
    count: u64,
    hash: Sha256,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with sha256 {}", self.count, hex(&self.hash.clone().finalize()))
    }
}

impl Fingerprint {
    /// Each part with its length, so that no two different entries look alike.
    fn add(&mut self, parts: &[&[u8]]) {
        self.count += 1;
        for part in parts {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
    }

    fn add_columns(&mut self, row: &Row) -> Result<(), CopyError> {
        let mut parts: Vec<Vec<u8>> = Vec::with_capacity(row.len());
        for (place, column) in row.columns().iter().enumerate() {
            parts.push(match column.type_().name() {
                "uuid" => row.try_get::<_, uuid::Uuid>(place)?.as_bytes().to_vec(),
                "bytea" => row.try_get::<_, Vec<u8>>(place)?,
                "int2" => number(row.try_get::<_, i16>(place)?.into()).to_be_bytes().to_vec(),
                "int4" => number(row.try_get::<_, i32>(place)?.into()).to_be_bytes().to_vec(),
                _ => number(row.try_get(place)?).to_be_bytes().to_vec(),
            });
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        self.add(&parts);
        Ok(())
    }
}

/// One for each of the [`TABLES`].
#[derive(Default)]
struct Fingerprints {
    tables: [Fingerprint; TABLES.len()],
}

impl Fingerprints {
    fn add(&mut self, entry: &Entry) {
        let of = |number: u64| number.to_be_bytes();
        match entry {
            Entry::Version(aggregate, version) => {
                let (id, kind) = keys::owner(*aggregate);
                self.tables[0].add(&[id.as_bytes(), &of(kind.into()), &of(*version)]);
            }
            Entry::Row(aggregate, key, value) => self.add_row(keys::owner(*aggregate), *key, value),
            Entry::Holder(key, stamp, value) => self.tables[3].add(&[key, &of(*stamp), value]),
            Entry::Outbox(entry) => {
                let (id, kind) = keys::owner(entry.id.source);
                let (target, target_kind) = keys::owner(entry.target);
                self.tables[4].add(&[
                    id.as_bytes(),
                    &of(kind.into()),
                    &of(entry.id.version),
                    &of(entry.id.index.into()),
                    target.as_bytes(),
                    &of(target_kind.into()),
                    &entry.payload,
                ]);
            }
        }
    }

    fn add_row(&mut self, (id, kind): (uuid::Uuid, u8), key: RowKey, value: &[u8]) {
        let table = &mut self.tables[if key.is_loaded() { 1 } else { 2 }];
        table.add(&[id.as_bytes(), &u64::from(kind).to_be_bytes(), &keys::within(key), value]);
    }

    fn sum(&self) -> Copied {
        let mut counts = TABLES.map(|(table, _)| (table, 0));
        let mut all = Sha256::new();
        for ((_, count), table) in counts.iter_mut().zip(&self.tables) {
            *count = table.count;
            all.update(table.hash.clone().finalize());
        }
        Copied { counts, sha256: hex(&all.finalize()) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
