//! Copies and what is made of them.

use bytes::Bytes;
use rill_proto::id::ConversationId;
use tempfile::TempDir;
use uuid::Uuid;

use super::reading::restore;
use super::*;
use crate::blobs::Folder;
use crate::store::contract::{account, append, chat, head, start, step};
use crate::store::{Append, Direction, RowKey, Store, UniqueKey};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn blobs(folder: &TempDir) -> Folder {
    Folder::open(folder.path()).unwrap()
}

/// The bytes of a file, and a row that names them.
fn bring(blobs: &Folder, bytes: &[u8]) -> (file::Digest, Bytes) {
    let mut incoming = blobs.begin().unwrap();
    incoming.write(bytes).unwrap();
    let sha256 = incoming.keep().unwrap().sha256;
    (sha256, serde_json::to_vec(&serde_json::json!({ "content": { "sha256": sha256 } })).unwrap().into())
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
    store.backup(&file, &blobs(&one)).unwrap();
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
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn the_files_that_rows_name_come_back_and_no_others() {
    let (one, two, file) = (folder(), folder(), folder());
    let file = file.path().join("copy");
    let (store, here) = (filled(&one), blobs(&one));
    let large = vec![7; 3 * READ_BYTES + 1];
    let (of_slot, slot) = bring(&here, &large);
    let (of_head, row) = bring(&here, b"");
    let (unnamed, _) = bring(&here, b"nobody's");
    let missing = serde_json::json!({ "sha256": file::Digest([9; 32]) }).to_string();
    let put = vec![(RowKey::Head, row), (RowKey::Slot(1), slot), (RowKey::Slot(2), Bytes::from(missing))];
    block_on(append(&*store, Append { put, ..step(chat(3), 0) })).unwrap();
    let named = HashSet::from([of_slot, of_head, file::Digest([9; 32])]);
    assert_eq!(store.named_files().unwrap(), named);
    assert_eq!(store.backup(&file, &here).unwrap(), Copied { files: 2, missing: 1 });
    restore(&file, two.path()).unwrap();
    let there = blobs(&two);
    let mut all = there.all().unwrap();
    all.sort_unstable();
    let mut expected = vec![of_slot, of_head];
    expected.sort_unstable();
    assert_eq!(all, expected);
    let mut opened = there.open(of_slot).unwrap().unwrap();
    assert_eq!(opened.read_at(0, large.len() + 1).unwrap(), large);
    assert!(there.open(unnamed).unwrap().is_none());
    assert_eq!(Embedded::open(two.path()).unwrap().named_files().unwrap(), named);
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
    store.backup(&file, &blobs(&one)).unwrap();
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
    let (store, here) = (filled(&one), blobs(&one));
    let put = vec![(RowKey::Head, bring(&here, b"a file").1)];
    block_on(append(&*store, Append { put, ..step(chat(3), 0) })).unwrap();
    store.backup(&file, &here).unwrap();
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
fn a_backup_from_before_files_were_in_it_is_read() {
    let (file, into) = (folder(), folder());
    let file = file.path().join("copy");
    let entry = [&[Space::Meta.number()][..], &1u32.to_be_bytes(), b"k", &1u32.to_be_bytes(), b"v"].concat();
    let head = [&MAGIC_WITHOUT_FILES[..], &1u64.to_be_bytes()].concat();
    let mut bytes = [&head[..], &entry, &[END], &1u64.to_be_bytes()].concat();
    bytes.extend_from_slice(&Sha256::digest(&bytes).clone());
    std::fs::write(&file, &bytes).unwrap();
    restore(&file, into.path()).unwrap();
    assert_eq!(blobs(&into).all().unwrap(), []);
}

#[test]
fn a_newer_backup_is_refused() {
    let (file, into) = (folder(), folder());
    let file = file.path().join("copy");
    let mut bytes = [&MAGIC[..], &99u64.to_be_bytes(), &[END], &0u64.to_be_bytes()].concat();
    let hash = Sha256::digest(&bytes);
    bytes.extend_from_slice(&hash);
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(restore(&file, into.path()), Err(RestoreError::Newer { found: 99, known: 2 })));
}

#[test]
fn a_store_or_a_foreign_folder_is_never_overwritten() {
    let (one, file, foreign) = (folder(), folder(), folder());
    let file = file.path().join("copy");
    let store = filled(&one);
    store.backup(&file, &blobs(&one)).unwrap();
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
