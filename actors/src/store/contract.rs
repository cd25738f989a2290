//! What every store promises, as tests that any engine can be put through.
//!
//! Owned here: the promises of `store.rs`, one function each, and the list of them ([`contract_tests`]). Deliberately
//! not here: crashes and damage, which each engine has in its own way.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Aggregate, Append, AppendError, Direction, EffectId, Loaded, OutboxEntry, REQUEST_MEMORY_US, RowKey,
    Stamp, Store, UniqueKey,
};

/// A place where a store can be opened, closed (by dropping it) and opened again.
pub(crate) trait Place {
    /// The store under test.
    type Store: Store;

    /// Opens the store: empty the first time, later as it was left.
    fn open(&self) -> Arc<Self::Store>;
}

/// Makes a test of every promise; `$place` is an expression that makes a fresh [`Place`].
macro_rules! contract_tests {
    ($place:expr) => {
        $crate::store::contract::contract_tests!(
            $place;
            an_append_changes_all_of_its_rows_or_none,
            an_append_needs_the_version_that_it_expects,
            appends_that_wait_together_build_on_each_other,
            a_refused_append_leaves_its_neighbours_alone,
            callbacks_come_in_the_order_of_the_appends,
            of_two_writers_exactly_one_gets_each_version,
            a_key_has_one_holder,
            a_key_may_be_claimed_again_with_the_same_value,
            a_released_key_is_free,
            claims_see_each_other_before_they_are_durable,
            a_request_is_remembered_for_its_time_only,
            requests_are_forgotten_in_portions_and_others_kept,
            consequences_wait_until_they_are_settled,
            slots_are_read_in_both_directions_within_limits,
            loading_gives_all_rows_but_slots_in_key_order,
            what_does_not_exist_is_not_found,
            reopening_finds_everything,
            the_last_stamp_is_the_highest_one,
            the_secret_stays,
        );
    };
    ($place:expr; $($promise:ident),+ $(,)?) => {$(
        #[test]
        fn $promise() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on($crate::store::contract::$promise(&$place));
        }
    )+};
}
pub(crate) use contract_tests;

/// A conversation by a small number.
pub(crate) fn chat(number: u128) -> Aggregate {
    Aggregate::Conversation(ConversationId(Uuid::from_u128(number)))
}

/// An account by a small number.
pub(crate) fn account(number: u128) -> Aggregate {
    Aggregate::Account(AccountId(Uuid::from_u128(number)))
}

/// An append that changes nothing but the version.
pub(crate) fn step(aggregate: Aggregate, expected_version: u64) -> Append {
    Append {
        aggregate,
        expected_version,
        stamp: expected_version + 1,
        put: Vec::new(),
        remove: Vec::new(),
        claim: Vec::new(),
        release: Vec::new(),
        outbox: Vec::new(),
    }
}

/// An append with a head row.
pub(crate) fn head(aggregate: Aggregate, expected_version: u64, text: &'static str) -> Append {
    Append {
        put: vec![(RowKey::Head, Bytes::from(text))],
        ..step(aggregate, expected_version)
    }
}

fn claim(aggregate: Aggregate, expected_version: u64, key: &UniqueKey, value: &'static str) -> Append {
    Append {
        claim: vec![(key.clone(), Bytes::from(value))],
        ..step(aggregate, expected_version)
    }
}

fn email(address: &str) -> UniqueKey {
    UniqueKey::Email(address.into())
}

fn request(number: u128) -> UniqueKey {
    UniqueKey::Request(AccountId(Uuid::from_u128(1)), Uuid::from_u128(number))
}

/// Starts an append; the receiver hears what became of it.
pub(crate) fn start(store: &impl Store, append: Append) -> oneshot::Receiver<Result<(), AppendError>> {
    let (tell, told) = oneshot::channel();
    store.append(append, Box::new(move |result| drop(tell.send(result))));
    told
}

/// Appends and waits for the outcome.
pub(crate) async fn append(store: &impl Store, append: Append) -> Result<(), AppendError> {
    start(store, append).await.expect("every append is answered")
}

async fn row(store: &impl Store, aggregate: Aggregate, key: RowKey) -> Option<Bytes> {
    store.row(aggregate, key).await.unwrap()
}

async fn version(store: &impl Store, aggregate: Aggregate) -> u64 {
    store
        .load(aggregate)
        .await
        .unwrap()
        .map_or(0, |loaded| loaded.version)
}

fn moved(expected: u64, found: u64) -> Result<(), AppendError> {
    Err(AppendError::Moved { expected, found })
}

fn claimed(key: &UniqueKey, value: &'static str) -> Result<(), AppendError> {
    Err(AppendError::Claimed {
        key: key.clone(),
        value: Bytes::from(value),
    })
}

pub(crate) async fn an_append_changes_all_of_its_rows_or_none(place: &impl Place) {
    let store = place.open();
    let member = RowKey::Member(AccountId(Uuid::from_u128(2)));
    let mut first = head(chat(1), 0, "one");
    first.put.push((member, "m".into()));
    first.put.push((RowKey::Slot(1), "s".into()));
    append(&*store, first).await.unwrap();

    let mut refused = claim(chat(1), 1, &email("taken"), "other");
    refused.put = vec![(RowKey::Head, "two".into()), (RowKey::Slot(2), "s2".into())];
    refused.remove = vec![member];
    refused.outbox = vec![(account(1), "effect".into())];
    append(&*store, claim(account(9), 0, &email("taken"), "nine"))
        .await
        .unwrap();
    assert_eq!(
        append(&*store, refused.clone()).await,
        claimed(&email("taken"), "nine")
    );
    assert_eq!(row(&*store, chat(1), RowKey::Head).await.unwrap(), "one");
    assert_eq!(row(&*store, chat(1), member).await.unwrap(), "m");
    assert_eq!(row(&*store, chat(1), RowKey::Slot(2)).await, None);
    assert_eq!(store.outbox().await.unwrap(), []);
    assert_eq!(version(&*store, chat(1)).await, 1);

    refused.claim.clear();
    append(&*store, refused).await.unwrap();
    assert_eq!(row(&*store, chat(1), RowKey::Head).await.unwrap(), "two");
    assert_eq!(row(&*store, chat(1), member).await, None);
    assert_eq!(row(&*store, chat(1), RowKey::Slot(2)).await.unwrap(), "s2");
    assert_eq!(version(&*store, chat(1)).await, 2);
}

pub(crate) async fn an_append_needs_the_version_that_it_expects(place: &impl Place) {
    let store = place.open();
    assert_eq!(append(&*store, head(chat(1), 1, "x")).await, moved(1, 0));
    append(&*store, head(chat(1), 0, "a")).await.unwrap();
    assert_eq!(append(&*store, head(chat(1), 0, "b")).await, moved(0, 1));
    assert_eq!(append(&*store, head(chat(1), 2, "b")).await, moved(2, 1));
    assert_eq!(row(&*store, chat(1), RowKey::Head).await.unwrap(), "a");
    drop(store);
    let store = place.open();
    assert_eq!(append(&*store, head(chat(1), 0, "b")).await, moved(0, 1));
    append(&*store, head(chat(1), 1, "b")).await.unwrap();
    // An account with the same id is another aggregate.
    append(&*store, head(account(1), 0, "c")).await.unwrap();
}

pub(crate) async fn appends_that_wait_together_build_on_each_other(place: &impl Place) {
    let store = place.open();
    let mut told = Vec::new();
    for version in 0..300 {
        let mut append = head(chat(1), version, if version % 2 == 0 { "even" } else { "odd" });
        append
            .put
            .push((RowKey::Slot(version + 1), Bytes::from(version.to_string())));
        told.push(start(&*store, append));
    }
    for told in told {
        told.await.unwrap().unwrap();
    }
    let loaded = store.load(chat(1)).await.unwrap().unwrap();
    assert_eq!(
        loaded,
        Loaded {
            version: 300,
            rows: vec![(RowKey::Head, "odd".into())]
        }
    );
    assert_eq!(row(&*store, chat(1), RowKey::Slot(300)).await.unwrap(), "299");
}

pub(crate) async fn a_refused_append_leaves_its_neighbours_alone(place: &impl Place) {
    let store = place.open();
    append(&*store, claim(account(9), 0, &email("a"), "nine"))
        .await
        .unwrap();
    let told = [
        start(&*store, head(chat(1), 0, "one")),
        start(&*store, claim(chat(2), 0, &email("a"), "two")),
        start(&*store, head(chat(2), 1, "builds on what was refused")),
        start(&*store, head(chat(1), 7, "stale")),
        start(&*store, head(chat(1), 1, "two")),
        start(&*store, head(chat(3), 0, "three")),
    ];
    let mut results = Vec::new();
    for told in told {
        results.push(told.await.unwrap());
    }
    let expected = [
        Ok(()),
        claimed(&email("a"), "nine"),
        moved(1, 0),
        moved(7, 1),
        Ok(()),
        Ok(()),
    ];
    assert_eq!(results, expected);
    assert_eq!(row(&*store, chat(1), RowKey::Head).await.unwrap(), "two");
    assert_eq!(store.load(chat(2)).await.unwrap(), None);
    assert_eq!(version(&*store, chat(3)).await, 1);
}

pub(crate) async fn callbacks_come_in_the_order_of_the_appends(place: &impl Place) {
    let store = place.open();
    let heard = Arc::new(Mutex::new(Vec::new()));
    for number in 0..100u64 {
        let heard = heard.clone();
        // Every third is refused: refusals wait for their turn like the others.
        let expected = if number % 3 == 2 {
            1000
        } else {
            number - number / 3
        };
        let done =
            move |result: Result<(), AppendError>| heard.lock().unwrap().push((number, result.is_ok()));
        store.append(head(chat(1), expected, "x"), Box::new(done));
    }
    let last = append(&*store, head(chat(2), 0, "last")).await;
    assert_eq!(last, Ok(()));
    let expected: Vec<_> = (0..100).map(|number| (number, number % 3 != 2)).collect();
    assert_eq!(*heard.lock().unwrap(), expected);
}

pub(crate) async fn of_two_writers_exactly_one_gets_each_version(place: &impl Place) {
    const VERSIONS: u64 = 200;
    let store = place.open();
    let contend = |name: &'static str| {
        let store = store.clone();
        move || {
            let mut won = Vec::new();
            for version in 0..VERSIONS {
                let mut append = head(chat(1), version, name);
                append.put.push((RowKey::Slot(version + 1), name.into()));
                match start(&*store, append).blocking_recv().unwrap() {
                    Ok(()) => won.push(version + 1),
                    Err(AppendError::Moved { expected, found }) => assert!(found > expected),
                    Err(other) => panic!("{other}"),
                }
            }
            won
        }
    };
    let threads = [
        std::thread::spawn(contend("left")),
        std::thread::spawn(contend("right")),
    ];
    let [left, right] = threads.map(|thread| thread.join().unwrap());
    for slot in 1..=VERSIONS {
        assert!(
            left.contains(&slot) != right.contains(&slot),
            "version {slot} went to one of them"
        );
        let winner = if left.contains(&slot) { "left" } else { "right" };
        assert_eq!(row(&*store, chat(1), RowKey::Slot(slot)).await.unwrap(), winner);
    }
}

pub(crate) async fn a_key_has_one_holder(place: &impl Place) {
    let store = place.open();
    let token = UniqueKey::Token(Uuid::from_u128(5));
    for (number, key) in [email("a"), UniqueKey::Address("a".into()), token, request(5)]
        .into_iter()
        .enumerate()
    {
        let number = u128::try_from(number).unwrap() * 2;
        append(&*store, claim(account(number), 0, &key, "first"))
            .await
            .unwrap();
        assert_eq!(
            append(&*store, claim(account(number + 1), 0, &key, "second")).await,
            claimed(&key, "first")
        );
        assert_eq!(store.holder(key).await.unwrap().unwrap(), "first");
        assert_eq!(store.load(account(number + 1)).await.unwrap(), None);
    }
}

pub(crate) async fn a_key_may_be_claimed_again_with_the_same_value(place: &impl Place) {
    let store = place.open();
    append(&*store, claim(account(1), 0, &email("a"), "one"))
        .await
        .unwrap();
    append(&*store, claim(account(1), 1, &email("a"), "one"))
        .await
        .unwrap();
    // A request is an outcome: the second is a repetition, whatever it says.
    append(&*store, claim(chat(1), 0, &request(1), "done"))
        .await
        .unwrap();
    assert_eq!(
        append(&*store, claim(chat(1), 1, &request(1), "done")).await,
        claimed(&request(1), "done")
    );
    let mut twice = claim(chat(2), 0, &request(2), "a");
    twice.claim.push((request(2), "a".into()));
    assert_eq!(append(&*store, twice).await, claimed(&request(2), "a"));
    let mut contradiction = claim(chat(2), 0, &email("b"), "b");
    contradiction.claim.push((email("b"), "c".into()));
    assert_eq!(append(&*store, contradiction).await, claimed(&email("b"), "b"));
}

pub(crate) async fn a_released_key_is_free(place: &impl Place) {
    let store = place.open();
    append(&*store, claim(account(1), 0, &email("a"), "one"))
        .await
        .unwrap();
    let release = Append {
        release: vec![email("a"), email("never held")],
        ..step(account(1), 1)
    };
    append(&*store, release).await.unwrap();
    assert_eq!(store.holder(email("a")).await.unwrap(), None);
    append(&*store, claim(account(2), 0, &email("a"), "two"))
        .await
        .unwrap();
    // Letting go and claiming in one append changes the value.
    let mut renewed = claim(account(2), 1, &email("a"), "two, later");
    renewed.release = vec![email("a")];
    append(&*store, renewed).await.unwrap();
    assert_eq!(store.holder(email("a")).await.unwrap().unwrap(), "two, later");
}

pub(crate) async fn claims_see_each_other_before_they_are_durable(place: &impl Place) {
    let store = place.open();
    let told: Vec<_> = (0..50)
        .map(|number| start(&*store, claim(account(number), 0, &email("one"), "first")))
        .collect();
    let others: Vec<_> = (50..100)
        .map(|number| start(&*store, claim(account(number), 0, &email("one"), "second")))
        .collect();
    for told in told {
        assert_eq!(told.await.unwrap(), Ok(()));
    }
    for told in others {
        assert_eq!(told.await.unwrap(), claimed(&email("one"), "first"));
    }
    let release = Append {
        release: vec![email("one")],
        ..step(account(0), 1)
    };
    let released = start(&*store, release);
    let taken = start(&*store, claim(account(50), 0, &email("one"), "second"));
    assert_eq!((released.await.unwrap(), taken.await.unwrap()), (Ok(()), Ok(())));
}

pub(crate) async fn a_request_is_remembered_for_its_time_only(place: &impl Place) {
    let store = place.open();
    let at = |stamp: Stamp, version, value| Append {
        stamp,
        ..claim(chat(1), version, &request(1), value)
    };
    append(&*store, at(10, 0, "first")).await.unwrap();
    assert_eq!(
        append(&*store, at(9 + REQUEST_MEMORY_US, 1, "again")).await,
        claimed(&request(1), "first")
    );
    append(&*store, at(10 + REQUEST_MEMORY_US, 1, "anew"))
        .await
        .unwrap();
    assert_eq!(store.holder(request(1)).await.unwrap().unwrap(), "anew");
    drop(store);
    let store = place.open();
    let late = 9 + 2 * REQUEST_MEMORY_US;
    assert_eq!(
        append(&*store, at(late, 2, "again")).await,
        claimed(&request(1), "anew")
    );
}

pub(crate) async fn requests_are_forgotten_in_portions_and_others_kept(place: &impl Place) {
    let store = place.open();
    let mut version = 0;
    let mut told = Vec::new();
    // Two generations, far apart: while the second is claimed the first may be swept, never the other way round.
    for (generation, base) in [1, 1 + REQUEST_MEMORY_US].into_iter().enumerate() {
        for number in 0..1000 {
            let key = request(u128::try_from(generation).unwrap() * 10_000 + number);
            let stamp = base + version;
            told.push(start(
                &*store,
                Append {
                    stamp,
                    ..claim(chat(1), version, &key, "x")
                },
            ));
            version += 1;
        }
    }
    append(&*store, claim(account(1), 0, &email("kept"), "x"))
        .await
        .unwrap();
    for told in told {
        told.await.unwrap().unwrap();
    }
    for number in 0..1000 {
        assert_eq!(
            store.holder(request(10_000 + number)).await.unwrap().unwrap(),
            "x"
        );
    }
    assert_eq!(store.holder(email("kept")).await.unwrap().unwrap(), "x");
}

pub(crate) async fn consequences_wait_until_they_are_settled(place: &impl Place) {
    let store = place.open();
    let entry = |source, version, index, target, payload: &'static str| OutboxEntry {
        id: EffectId {
            source,
            version,
            index,
        },
        target,
        payload: payload.into(),
    };
    let first = Append {
        outbox: vec![(account(1), "a".into()), (account(2), "b".into())],
        ..step(chat(1), 0)
    };
    append(&*store, first).await.unwrap();
    for version in 1..300 {
        append_nothing(&*store, version).await;
    }
    append(
        &*store,
        Append {
            outbox: vec![(chat(2), "c".into())],
            ..step(chat(1), 300)
        },
    )
    .await
    .unwrap();
    let all = [
        entry(chat(1), 1, 0, account(1), "a"),
        entry(chat(1), 1, 1, account(2), "b"),
        entry(chat(1), 301, 0, chat(2), "c"),
    ];
    assert_eq!(store.outbox().await.unwrap(), all);
    drop(store);
    let store = place.open();
    assert_eq!(
        store.outbox().await.unwrap(),
        all,
        "at least once, also after a restart"
    );
    store.settle(all[1].id);
    store.settle(all[1].id);
    append(&*store, head(chat(5), 0, "behind the settling"))
        .await
        .unwrap();
    assert_eq!(store.outbox().await.unwrap(), [all[0].clone(), all[2].clone()]);
    drop(store);
    assert_eq!(
        place.open().outbox().await.unwrap(),
        [all[0].clone(), all[2].clone()]
    );
}

async fn append_nothing(store: &impl Store, version: u64) {
    append(store, step(chat(1), version)).await.unwrap();
}

pub(crate) async fn slots_are_read_in_both_directions_within_limits(place: &impl Place) {
    let store = place.open();
    let id = ConversationId(Uuid::from_u128(1));
    let put = |numbers: Vec<u64>| {
        numbers
            .into_iter()
            .map(|n| (RowKey::Slot(n), Bytes::from(n.to_string())))
            .collect()
    };
    append(
        &*store,
        Append {
            put: put((1..=300).collect()),
            ..step(chat(1), 0)
        },
    )
    .await
    .unwrap();
    append(
        &*store,
        Append {
            put: put(vec![1, 2]),
            ..step(chat(2), 0)
        },
    )
    .await
    .unwrap();
    append(
        &*store,
        Append {
            remove: vec![RowKey::Slot(256)],
            ..step(chat(1), 1)
        },
    )
    .await
    .unwrap();
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

pub(crate) async fn loading_gives_all_rows_but_slots_in_key_order(place: &impl Place) {
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
    ];
    let mut put: Vec<_> = rows.iter().rev().cloned().collect();
    put.insert(3, (RowKey::Slot(1), "slot".into()));
    append(
        &*store,
        Append {
            put,
            ..step(chat(1), 0)
        },
    )
    .await
    .unwrap();
    append(&*store, head(chat(2), 0, "another")).await.unwrap();
    append(&*store, head(account(1), 0, "another")).await.unwrap();
    assert!(rows.is_sorted());
    assert_eq!(
        store.load(chat(1)).await.unwrap().unwrap(),
        Loaded { version: 1, rows }
    );
    let remove_all = Append {
        remove: vec![RowKey::Head],
        ..step(account(1), 1)
    };
    append(&*store, remove_all).await.unwrap();
    assert_eq!(
        store.load(account(1)).await.unwrap().unwrap(),
        Loaded {
            version: 2,
            rows: vec![]
        }
    );
}

pub(crate) async fn what_does_not_exist_is_not_found(place: &impl Place) {
    let store = place.open();
    assert_eq!(store.load(chat(1)).await.unwrap(), None);
    assert_eq!(row(&*store, chat(1), RowKey::Head).await, None);
    let slots = store.slots(
        ConversationId(Uuid::from_u128(1)),
        0,
        u64::MAX,
        10,
        Direction::Ascending,
    );
    assert_eq!(slots.await.unwrap(), []);
    assert_eq!(store.holder(email("a")).await.unwrap(), None);
    assert_eq!(store.outbox().await.unwrap(), []);
    assert_eq!(store.last_stamp(), 0);
    let remove = Append {
        remove: vec![RowKey::Head, RowKey::Slot(1)],
        ..step(chat(1), 0)
    };
    append(&*store, remove).await.unwrap();
}

pub(crate) async fn reopening_finds_everything(place: &impl Place) {
    let store = place.open();
    let value = Bytes::from(vec![7; 100_000]);
    let put = vec![(RowKey::Head, value.clone()), (RowKey::Slot(1), value.clone())];
    let mut first = Append {
        put,
        ..claim(chat(1), 0, &email("a"), "one")
    };
    first.claim.push((request(1), "outcome".into()));
    let told = start(&*store, first);
    let queued: Vec<_> = (1..100)
        .map(|version| start(&*store, step(chat(1), version)))
        .collect();
    // What was handed over before the store was dropped is written as well.
    drop(store);
    assert_eq!(told.await.unwrap(), Ok(()));
    for told in queued {
        assert_eq!(told.await.unwrap(), Ok(()));
    }
    let store = place.open();
    let loaded = store.load(chat(1)).await.unwrap().unwrap();
    assert_eq!(
        loaded,
        Loaded {
            version: 100,
            rows: vec![(RowKey::Head, value.clone())]
        }
    );
    assert_eq!(row(&*store, chat(1), RowKey::Slot(1)).await.unwrap(), value);
    assert_eq!(store.holder(email("a")).await.unwrap().unwrap(), "one");
    assert_eq!(store.holder(request(1)).await.unwrap().unwrap(), "outcome");
}

pub(crate) async fn the_last_stamp_is_the_highest_one(place: &impl Place) {
    let store = place.open();
    let at = |stamp, aggregate, version| Append {
        stamp,
        ..step(aggregate, version)
    };
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
