//! The embedded store against the contract, and what only it has: its folder, its schema, its failures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::store::contract::{Place, append, chat, contract_tests, head, start, step};
use crate::store::{AppendError, REQUEST_MEMORY_US};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Place for Folder {
    type Store = Embedded;

    fn open(&self) -> Arc<Embedded> {
        Embedded::open(self.path()).unwrap()
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

mod contract {
    use super::Folder;

    super::contract_tests!(Folder::new());
}

#[test]
fn a_missing_folder_is_made() {
    let folder = Folder::new();
    let dir = folder.path().join("a/b");
    drop(Embedded::open(&dir).unwrap());
    drop(Embedded::open(&dir).unwrap());
}

#[test]
fn a_second_opening_is_refused_while_the_first_lasts() {
    let folder = Folder::new();
    let store = folder.open();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::InUse { .. })));
    drop(store);
    folder.open();
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("thesis.txt"), "precious").unwrap();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::Foreign { .. })));
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["thesis.txt"]);
}

#[test]
fn a_file_instead_of_a_folder_is_unusable() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Embedded::open(&file), Err(OpenError::Unusable { .. })));
}

#[test]
fn a_creation_that_was_interrupted_starts_over() {
    let folder = Folder::new();
    drop(folder.open());
    std::fs::rename(folder.path().join(ENGINE), folder.path().join(ENGINE_NEW)).unwrap();
    std::fs::remove_file(folder.path().join(ENGINE_NEW).join("version")).unwrap();
    let store = folder.open();
    block_on(append(&*store, head(chat(1), 0, "works"))).unwrap();
}

#[test]
fn an_engine_without_its_version_file_is_damaged_not_empty() {
    let folder = Folder::new();
    drop(folder.open());
    std::fs::remove_file(folder.path().join(ENGINE).join("version")).unwrap();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::Damaged { .. })));
}

fn put_marks(engine: &Engine, pending: &mut Pending) -> Result<(), StoreFault> {
    assert!(pending.get(engine, Space::Meta, b"mark")?.is_none(), "a step runs once");
    pending.put(Space::Meta, b"mark".to_vec(), Bytes::from("two"));
    Ok(())
}

fn rename_marks(engine: &Engine, pending: &mut Pending) -> Result<(), StoreFault> {
    assert_eq!(pending.get(engine, Space::Meta, b"mark")?.unwrap(), "two");
    pending.remove(Space::Meta, b"mark".to_vec());
    pending.put(Space::Meta, b"badge".to_vec(), Bytes::from("three"));
    Ok(())
}

fn fail(_: &Engine, pending: &mut Pending) -> Result<(), StoreFault> {
    pending.put(Space::Meta, b"badge".to_vec(), Bytes::from("half done"));
    Err(StoreFault("cannot".into()))
}

fn badge(store: &Embedded) -> Option<Bytes> {
    store.shared.engine.get(Space::Meta, b"badge").unwrap().map(|value| Bytes::copy_from_slice(&value))
}

#[test]
fn an_older_schema_is_brought_forward_step_by_step_and_a_newer_one_refused() {
    let folder = Folder::new();
    let store = Embedded::open_with(folder.path(), &[], BLOCK_CACHE_BYTES).unwrap();
    block_on(append(&*store, head(chat(1), 0, "kept"))).unwrap();
    drop(store);
    drop(Embedded::open_with(folder.path(), &[put_marks], BLOCK_CACHE_BYTES).unwrap());
    let store = Embedded::open_with(folder.path(), &[put_marks, rename_marks], BLOCK_CACHE_BYTES).unwrap();
    assert_eq!(badge(&store).unwrap(), "three");
    assert_eq!(block_on(store.row(chat(1), RowKey::Head)).unwrap().unwrap(), "kept");
    drop(store);
    let old_binary = Embedded::open_with(folder.path(), &[put_marks], BLOCK_CACHE_BYTES);
    assert!(matches!(old_binary, Err(OpenError::Newer { found: 3, known: 2 })));
    let store = Embedded::open_with(folder.path(), &[put_marks, rename_marks], BLOCK_CACHE_BYTES).unwrap();
    assert_eq!(badge(&store).unwrap(), "three");
}

#[test]
fn both_steps_run_at_once_from_the_oldest_schema() {
    let folder = Folder::new();
    drop(Embedded::open_with(folder.path(), &[], BLOCK_CACHE_BYTES).unwrap());
    let store = Embedded::open_with(folder.path(), &[put_marks, rename_marks], BLOCK_CACHE_BYTES).unwrap();
    assert_eq!(badge(&store).unwrap(), "three");
}

#[test]
fn a_step_that_fails_changes_nothing() {
    let folder = Folder::new();
    drop(Embedded::open_with(folder.path(), &[], BLOCK_CACHE_BYTES).unwrap());
    let failed = Embedded::open_with(folder.path(), &[put_marks, fail], BLOCK_CACHE_BYTES);
    assert!(matches!(failed, Err(OpenError::Migration { schema: 3, .. })));
    let store = Embedded::open_with(folder.path(), &[put_marks], BLOCK_CACHE_BYTES).unwrap();
    assert_eq!(badge(&store), None);
}

#[test]
fn after_a_failed_commit_everything_is_refused_until_reopened() {
    let folder = Folder::new();
    let store = folder.open();
    block_on(append(&*store, head(chat(1), 0, "before"))).unwrap();
    store.shared.break_commit.store(true, Ordering::Relaxed);
    let told = [head(chat(1), 1, "a"), step(chat(1), 9), head(chat(2), 0, "b")].map(|a| start(&*store, a));
    for told in told {
        assert!(matches!(block_on(told).unwrap(), Err(AppendError::Fault(_))));
    }
    store.shared.break_commit.store(false, Ordering::Relaxed);
    assert!(matches!(block_on(append(&*store, head(chat(3), 0, "c"))), Err(AppendError::Fault(_))));
    assert!(block_on(store.load(chat(1))).is_err());
    assert!(block_on(store.outbox()).is_err());
    drop(store);
    let store = folder.open();
    assert_eq!(block_on(store.row(chat(1), RowKey::Head)).unwrap().unwrap(), "before");
    block_on(append(&*store, head(chat(1), 1, "after"))).unwrap();
}

fn claim(number: u64, stamp: Stamp) -> Append {
    let request = uuid::Uuid::from_u128(u128::from(number));
    let key = UniqueKey::Request(rill_proto::id::AccountId(uuid::Uuid::nil()), request);
    Append { stamp, claim: vec![(key, Bytes::new())], ..step(chat(1), number) }
}

#[test]
fn requests_of_a_batch_share_a_row_and_are_swept_one_by_one() {
    let folder = Folder::new();
    let store = folder.open();
    let count = |space| store.shared.engine.space(space).len().unwrap();
    // The writer is busy with a batch of its own while these come, so that they are few batches.
    let told: Vec<_> = (0..300).map(|number| start(&*store, claim(number, 1 + number))).collect();
    told.into_iter().for_each(|told| block_on(told).unwrap().unwrap());
    assert_eq!(count(Space::Uniques), 300);
    assert!(count(Space::RequestTimes) < 300, "{} rows", count(Space::RequestTimes));
    // The first three hundred are too old when these have been claimed.
    for number in 300..900 {
        block_on(append(&*store, claim(number, 300 + REQUEST_MEMORY_US))).unwrap();
    }
    let kept = UniqueKey::Request(rill_proto::id::AccountId(uuid::Uuid::nil()), uuid::Uuid::from_u128(0));
    assert_eq!(block_on(store.holder(kept)).unwrap(), None);
    assert_eq!((count(Space::Uniques), count(Space::RequestTimes)), (600, 600));
}

#[test]
fn swept_requests_leave_nothing_behind() {
    let folder = Folder::new();
    let store = folder.open();
    // One by one, so that there are as many batches as appends.
    for number in 0..300 {
        block_on(append(&*store, claim(number, 1 + number))).unwrap();
    }
    for number in 300..900 {
        block_on(append(&*store, claim(number, 1000 + REQUEST_MEMORY_US + number))).unwrap();
    }
    let count = |space| store.shared.engine.space(space).len().unwrap();
    assert_eq!(count(Space::Uniques), 600);
    assert_eq!(count(Space::RequestTimes), 600);
}
