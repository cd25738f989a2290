//! What is left of an embedded store when its process is killed, or its newest journal is damaged.
//!
//! The rule of both: what the store serves afterwards was really written, in full and in order; what was acknowledged
//! before a kill is all there; and damage that the store notices is an error, never a panic.

#![allow(clippy::unwrap_used, reason = "all of this file is a test")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use rill_actors::store::embedded::Embedded;
use rill_actors::store::{Aggregate, Append, Direction, OutboxEntry, RowKey, Store, UniqueKey};
use rill_proto::id::{AccountId, ConversationId};
use uuid::Uuid;

/// Tells the child test where to write; without it that test has nothing to do.
const CHILD_FOLDER: &str = "RILL_TEST_CRASH_FOLDER";

/// Conversations that the child writes to, in turn.
const CHATS: u64 = 5;

/// Appends that the child keeps under way.
const IN_FLIGHT: usize = 40;

/// Kills in a row, over the same folder.
const ROUNDS: u64 = 8;

fn chat(number: u64) -> ConversationId {
    ConversationId(Uuid::from_u128(number.into()))
}

fn request(conversation: u64, version: u64) -> UniqueKey {
    let id = Uuid::from_u128(u128::from(conversation) << 64 | u128::from(version));
    UniqueKey::Request(AccountId(Uuid::nil()), id)
}

/// What the append that makes a version writes: everything in it can be told from the two numbers.
fn value(conversation: u64, version: u64) -> Bytes {
    let length = (version * 37 % 900) as usize;
    let mut text = format!("{conversation}/{version} ").into_bytes();
    text.resize(text.len() + length, b'a' + (version % 26) as u8);
    text.into()
}

fn numbered(conversation: u64, version: u64) -> Append {
    let value = value(conversation, version);
    Append {
        aggregate: Aggregate::Conversation(chat(conversation)),
        expected_version: version - 1,
        stamp: version,
        put: vec![(RowKey::Head, value.clone()), (RowKey::Slot(version), value.clone())],
        remove: vec![RowKey::Run(version - 1)],
        claim: vec![(request(conversation, version), value)],
        release: Vec::new(),
        outbox: if version.is_multiple_of(10) {
            vec![(Aggregate::Account(AccountId(Uuid::nil())), "x".into())]
        } else {
            Vec::new()
        },
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Checks that a conversation is exactly its first appends, and answers how many.
fn check(store: &Embedded, conversation: u64, outbox: &[OutboxEntry]) -> u64 {
    let aggregate = Aggregate::Conversation(chat(conversation));
    let version = match block_on(store.load(aggregate)).unwrap() {
        None => 0,
        Some(loaded) => {
            assert_eq!(loaded.rows, [(RowKey::Head, value(conversation, loaded.version))]);
            loaded.version
        }
    };
    let mut seen = 0;
    while seen <= version {
        let slots = block_on(store.slots(chat(conversation), seen + 1, u64::MAX, 1000, Direction::Ascending))
            .unwrap();
        if slots.is_empty() {
            break;
        }
        for (number, bytes) in slots {
            seen += 1;
            assert_eq!((number, bytes), (seen, value(conversation, seen)));
            assert_eq!(
                block_on(store.holder(request(conversation, seen))).unwrap().unwrap(),
                value(conversation, seen)
            );
        }
    }
    assert_eq!(seen, version, "every version has its slot, and no later one is there");
    assert_eq!(block_on(store.holder(request(conversation, version + 1))).unwrap(), None);
    let effects = outbox.iter().filter(|entry| entry.id.source == aggregate).map(|entry| entry.id.version);
    assert!(effects.eq((1..=version).filter(|version| version.is_multiple_of(10))));
    assert!(store.last_stamp() >= version);
    version
}

fn check_all(store: &Embedded) -> Vec<u64> {
    let outbox = block_on(store.outbox()).unwrap();
    (0..CHATS).map(|conversation| check(store, conversation, &outbox)).collect()
}

/// The child: appends until it is killed and tells of each append that the store acknowledged. Run by itself it does
/// nothing.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let store = Embedded::open(Path::new(&folder)).unwrap();
    let mut versions = check_all(&store);
    let (tell, told) = mpsc::sync_channel(IN_FLIGHT);
    let (again, free) = mpsc::channel();
    (0..IN_FLIGHT).for_each(|_| again.send(()).unwrap());
    std::thread::spawn(move || {
        let mut out = std::io::stdout();
        for (conversation, version) in told {
            writeln!(out, "\nacknowledged {conversation} {version}").unwrap();
            out.flush().unwrap();
            again.send(()).unwrap();
        }
    });
    for conversation in (0..CHATS).cycle() {
        free.recv().unwrap();
        versions[conversation as usize] += 1;
        let version = versions[conversation as usize];
        let tell = tell.clone();
        let done = move |result: Result<(), _>| {
            result.unwrap();
            tell.send((conversation, version)).unwrap();
        };
        store.append(numbered(conversation, version), Box::new(done));
    }
}

/// A small generator, so that a failing run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = [0; CHATS as usize];
    let mut dice = Dice(1);
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The moment is a number of acknowledgements, so that each round has some, plus a bit of time.
        let enough = 1 + dice.roll(1500);
        let mut heard = 0;
        let mut hear = |line: &str| {
            let Some(rest) = line.strip_prefix("acknowledged ") else {
                return false;
            };
            // The last line may be cut off by the kill.
            let Some((conversation, version)) = rest.split_once(' ') else {
                return false;
            };
            let (Ok(conversation), Ok(version)) = (conversation.parse::<usize>(), version.parse::<u64>())
            else {
                return false;
            };
            let known: &mut u64 = &mut acknowledged[conversation];
            *known = version.max(*known);
            true
        };
        while heard < enough {
            let line = lines.next().expect("the child runs until it is killed").unwrap();
            heard += u64::from(hear(&line));
        }
        std::thread::sleep(Duration::from_micros(dice.roll(3000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        // A version cut off in its last digits reads as a smaller one, which does no harm.
        for line in &rest {
            hear(line);
        }

        let store = Embedded::open(folder.path()).unwrap();
        let found = check_all(&store);
        for (found, acknowledged) in found.iter().zip(acknowledged) {
            assert!(
                *found >= acknowledged,
                "round {round}: {acknowledged} were acknowledged, {found} are there"
            );
        }
    }
}

/// Fills a store with some hundred appends in at least sixty batches, and answers the version of each conversation.
fn written(folder: &Path) -> Vec<u64> {
    let store = Embedded::open(folder).unwrap();
    for version in 1..=60 {
        let (tell, told) = mpsc::channel();
        for conversation in 0..CHATS {
            let tell = tell.clone();
            let done = move |result: Result<(), _>| tell.send(result).unwrap();
            store.append(numbered(conversation, version), Box::new(done));
        }
        drop(tell);
        assert_eq!(told.iter().map(Result::unwrap).count(), CHATS as usize);
    }
    vec![60; CHATS as usize]
}

fn newest_journal(folder: &Path) -> PathBuf {
    let journals = std::fs::read_dir(folder.join("engine")).unwrap().map(|entry| entry.unwrap().path());
    journals.filter(|path| path.extension().is_some_and(|end| end == "jnl")).max().unwrap()
}

/// The journal's bytes up to the zeroes that it was made with.
fn journal_bytes(journal: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.path().extension().is_none_or(|end| end != "jnl") {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens a copy of a store whose journal has other bytes. What it serves must be a prefix of what was written.
fn open_damaged(origin: &Path, journal: &[u8]) -> Option<Vec<u64>> {
    let folder = tempfile::tempdir().unwrap();
    copy(origin, folder.path());
    let name = newest_journal(origin).file_name().unwrap().to_owned();
    std::fs::write(folder.path().join("engine").join(name), journal).unwrap();
    match Embedded::open(folder.path()) {
        Ok(store) => Some(check_all(&store)),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// Where batches begin in a journal, and where the last one ends.
fn bounds(journal: &[u8]) -> Vec<usize> {
    const TRAILER: &[u8] = b"FJL\x03";
    let windows = journal.windows(TRAILER.len()).enumerate();
    let ends = windows.filter(|(_, window)| *window == TRAILER).map(|(place, _)| place + TRAILER.len());
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn a_truncated_journal_gives_a_prefix() {
    let origin = tempfile::tempdir().unwrap();
    let all = written(origin.path());
    let bytes = journal_bytes(&newest_journal(origin.path()));
    assert_eq!(open_damaged(origin.path(), &bytes), Some(all.clone()));
    let mut dice = Dice(2);
    for _ in 0..30 {
        let end = dice.roll(bytes.len() as u64) as usize;
        // Cut off, or with the rest never written.
        let mut journal = bytes[..end].to_vec();
        if dice.roll(2) == 0 {
            journal.resize(bytes.len(), 0);
        }
        // Only the first batch, with schema and secret, is one that a store cannot do without.
        if end < bounds(&bytes)[1] {
            assert_eq!(open_damaged(origin.path(), &journal), None);
        } else {
            let found = open_damaged(origin.path(), &journal).expect("a cut is no damage");
            assert!(found.iter().zip(&all).all(|(found, all)| found <= all));
        }
    }
}

#[test]
fn a_last_batch_of_which_only_parts_reached_the_disk_is_cut_off() {
    let origin = tempfile::tempdir().unwrap();
    let all = written(origin.path());
    let bytes = journal_bytes(&newest_journal(origin.path()));
    let bounds = bounds(&bytes);
    let (start, end) = (bounds[bounds.len() - 2], bounds[bounds.len() - 1]);
    assert_eq!(end, bytes.len());
    let mut dice = Dice(5);
    for _ in 0..20 {
        let hole = start + dice.roll((end - start) as u64) as usize;
        let mut journal = bytes.clone();
        journal[hole..(hole + 300).min(end)].fill(0);
        if journal == bytes {
            continue;
        }
        let found =
            open_damaged(origin.path(), &journal).expect("a batch that was not finished is no damage");
        let missing: u64 = all.iter().zip(found).map(|(all, found)| all - found).sum();
        assert!((1..=CHATS).contains(&missing), "{missing} appends were in the last batch");
    }
}

/// Damage before the last batch must not pass for the journal's end: what was acknowledged behind it would be lost in
/// silence.
#[test]
fn a_flipped_bit_is_an_error() {
    let origin = tempfile::tempdir().unwrap();
    written(origin.path());
    let bytes = journal_bytes(&newest_journal(origin.path()));
    let bounds = bounds(&bytes);
    let last = bounds[bounds.len() - 2];
    let mut dice = Dice(3);
    for _ in 0..60 {
        let (place, bit) = (dice.roll(bytes.len() as u64) as usize, dice.roll(8));
        let mut journal = bytes.clone();
        journal[place] ^= 1 << bit;
        let found = open_damaged(origin.path(), &journal);
        assert!(found.is_none() || place >= last, "bit {bit} of byte {place}");
    }
}

/// The engine's own checksum leaves out the head of a batch: its number of rows and its place in the order of writes.
#[test]
fn a_flipped_bit_in_the_head_of_a_batch_is_an_error_or_changes_nothing() {
    const HEAD_BYTES: usize = 13;
    let origin = tempfile::tempdir().unwrap();
    let all = written(origin.path());
    let bytes = journal_bytes(&newest_journal(origin.path()));
    let bounds = bounds(&bytes);
    let heads = &bounds[..bounds.len() - 1];
    let mut dice = Dice(4);
    for bit in 0..HEAD_BYTES * 8 {
        let head = heads[dice.roll(heads.len() as u64) as usize];
        let mut journal = bytes.clone();
        journal[head + bit / 8] ^= 1 << (bit % 8);
        let found = open_damaged(origin.path(), &journal);
        let is_last = head == heads[heads.len() - 1];
        assert!(found.is_none() || found.as_ref() == Some(&all) || is_last, "{found:?}");
    }
}
