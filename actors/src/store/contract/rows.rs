//! Promises about what is read: rows, slots, the outbox, and all of it again after reopening.

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId, MessageId};
use uuid::Uuid;

use super::{Place, account, append, chat, claim, email, head, moved, request, row, start, step};
use crate::store::{Append, Direction, EffectId, Loaded, OutboxEntry, RowKey, Store};

pub(crate) async fn consequences_wait_until_they_are_settled(place: &impl Place) {
    let store = place.open();
    let entry = |source, version, index, target, payload: &'static str| OutboxEntry {
        id: EffectId { source, version, index },
        target,
        payload: payload.into(),
    };
    let first =
        Append { outbox: vec![(account(1), "a".into()), (account(2), "b".into())], ..step(chat(1), 0) };
    append(&*store, first).await.unwrap();
    for version in 1..300 {
        append_nothing(&*store, version).await;
    }
    append(&*store, Append { outbox: vec![(chat(2), "c".into())], ..step(chat(1), 300) }).await.unwrap();
    let all = [
        entry(chat(1), 1, 0, account(1), "a"),
        entry(chat(1), 1, 1, account(2), "b"),
        entry(chat(1), 301, 0, chat(2), "c"),
    ];
    assert_eq!(store.outbox().await.unwrap(), all);
    drop(store);
    let store = place.open();
    assert_eq!(store.outbox().await.unwrap(), all, "at least once, also after a restart");
    store.settle(all[1].id);
    store.settle(all[1].id);
    append(&*store, head(chat(5), 0, "behind the settling")).await.unwrap();
    assert_eq!(store.outbox().await.unwrap(), [all[0].clone(), all[2].clone()]);
    drop(store);
    assert_eq!(place.open().outbox().await.unwrap(), [all[0].clone(), all[2].clone()]);
}

async fn append_nothing(store: &impl Store, version: u64) {
    append(store, step(chat(1), version)).await.unwrap();
}

pub(crate) async fn slots_are_read_in_both_directions_within_limits(place: &impl Place) {
    let store = place.open();
    let id = ConversationId(Uuid::from_u128(1));
    let put = |numbers: Vec<u64>| {
        numbers.into_iter().map(|n| (RowKey::Slot(n), Bytes::from(n.to_string()))).collect()
    };
    append(&*store, Append { put: put((1..=300).collect()), ..step(chat(1), 0) }).await.unwrap();
    append(&*store, Append { put: put(vec![1, 2]), ..step(chat(2), 0) }).await.unwrap();
    append(&*store, Append { remove: vec![RowKey::Slot(256)], ..step(chat(1), 1) }).await.unwrap();
    let read = async |from, to, limit, direction| {
        let slots = store.slots(id, from, to, limit, direction).await.unwrap();
        assert!(slots.iter().all(|(number, value)| value == &number.to_string()));
        slots.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    let (up, down) = (Direction::Ascending, Direction::Descending);
    assert_eq!(read(254, 258, 10, up).await, [254, 255, 257, 258]);
    assert_eq!(read(254, 258, 10, down).await, [258, 257, 255, 254]);
    assert_eq!(read(254, 258, 2, up).await, [254, 255]);
    assert_eq!(read(254, 258, 2, down).await, [258, 257]);
    assert_eq!(read(0, u64::MAX, usize::MAX, up).await.len(), 299);
    assert_eq!(read(0, u64::MAX, 1, down).await, [300]);
    assert_eq!(read(5, 5, 10, up).await, [5]);
    assert!(read(6, 5, 10, up).await.is_empty());
    assert!(read(1, 5, 0, down).await.is_empty());
    assert!(read(301, u64::MAX, 10, up).await.is_empty());
}

pub(crate) async fn loading_gives_all_rows_but_slots_and_texts_in_key_order(place: &impl Place) {
    let store = place.open();
    let id = Uuid::from_u128;
    let rows = vec![
        (RowKey::Head, Bytes::from("h")),
        (RowKey::Member(AccountId(id(1))), "m1".into()),
        (RowKey::Member(AccountId(id(1 << 90))), "m2".into()),
        (RowKey::Run(9), "r1".into()),
        (RowKey::Run(400), "r2".into()),
        (RowKey::Section(id(3)), "s".into()),
        (RowKey::Token(id(4)), "t".into()),
        (RowKey::Contact(AccountId(id(5))), "".into()),
        (RowKey::Membership(ConversationId(id(6))), "c".into()),
        (RowKey::Task(MessageId(id(7))), "p".into()),
        (RowKey::Watcher(AccountId(id(8))), "w".into()),
        (RowKey::Notice(id(9)), "n".into()),
    ];
    let mut put: Vec<_> = rows.iter().rev().cloned().collect();
    put.insert(3, (RowKey::Slot(1), "slot".into()));
    put.insert(5, (RowKey::Text(MessageId(id(7))), "text".into()));
    append(&*store, Append { put, ..step(chat(1), 0) }).await.unwrap();
    append(&*store, head(chat(2), 0, "another")).await.unwrap();
    append(&*store, head(account(1), 0, "another")).await.unwrap();
    assert!(rows.is_sorted());
    assert_eq!(store.load(chat(1)).await.unwrap().unwrap(), Loaded { version: 1, rows });
    assert_eq!(row(&*store, chat(1), RowKey::Text(MessageId(id(7)))).await.unwrap(), "text");
    let remove_all = Append { remove: vec![RowKey::Head], ..step(account(1), 1) };
    append(&*store, remove_all).await.unwrap();
    assert_eq!(store.load(account(1)).await.unwrap().unwrap(), Loaded { version: 2, rows: vec![] });
}

pub(crate) async fn what_does_not_exist_is_not_found(place: &impl Place) {
    let store = place.open();
    assert_eq!(store.load(chat(1)).await.unwrap(), None);
    assert_eq!(row(&*store, chat(1), RowKey::Head).await, None);
    let slots = store.slots(ConversationId(Uuid::from_u128(1)), 0, u64::MAX, 10, Direction::Ascending);
    assert_eq!(slots.await.unwrap(), []);
    assert_eq!(store.holder(email("a")).await.unwrap(), None);
    assert_eq!(store.outbox().await.unwrap(), []);
    assert_eq!(store.last_stamp(), 0);
    let remove = Append { remove: vec![RowKey::Head, RowKey::Slot(1)], ..step(chat(1), 0) };
    append(&*store, remove).await.unwrap();
}

pub(crate) async fn reopening_finds_everything(place: &impl Place) {
    let store = place.open();
    let value = Bytes::from(vec![7; 100_000]);
    let put = vec![(RowKey::Head, value.clone()), (RowKey::Slot(1), value.clone())];
    let mut first = Append { put, ..claim(chat(1), 0, &email("a"), "one") };
    first.claim.push((request(1), "outcome".into()));
    let told = start(&*store, first);
    let queued: Vec<_> = (1..100).map(|version| start(&*store, step(chat(1), version))).collect();
    // What was handed over before the store was dropped is written as well.
    drop(store);
    assert_eq!(told.await.unwrap(), Ok(()));
    for told in queued {
        assert_eq!(told.await.unwrap(), Ok(()));
    }
    let store = place.open();
    let loaded = store.load(chat(1)).await.unwrap().unwrap();
    assert_eq!(loaded, Loaded { version: 100, rows: vec![(RowKey::Head, value.clone())] });
    assert_eq!(row(&*store, chat(1), RowKey::Slot(1)).await.unwrap(), value);
    assert_eq!(store.holder(email("a")).await.unwrap().unwrap(), "one");
    assert_eq!(store.holder(request(1)).await.unwrap().unwrap(), "outcome");
}

pub(crate) async fn the_last_stamp_is_the_highest_one(place: &impl Place) {
    let store = place.open();
    let at = |stamp, aggregate, version| Append { stamp, ..step(aggregate, version) };
    append(&*store, at(500, chat(1), 0)).await.unwrap();
    append(&*store, at(400, chat(2), 0)).await.unwrap();
    assert_eq!(store.last_stamp(), 500);
    assert_eq!(append(&*store, at(900, chat(1), 0)).await, moved(0, 1));
    assert_eq!(store.last_stamp(), 500, "what was refused leaves no stamp");
    drop(store);
    let store = place.open();
    assert_eq!(store.last_stamp(), 500);
    append(&*store, at(501, chat(1), 1)).await.unwrap();
    assert_eq!(store.last_stamp(), 501);
}

pub(crate) async fn the_secret_stays(place: &impl Place) {
    let secret = place.open().secret();
    assert_ne!(secret, [0; 32]);
    assert_eq!(place.open().secret(), secret);
}
