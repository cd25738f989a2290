//! Promises about appends: atomic, in order, each version once.

use std::sync::{Arc, Mutex, mpsc};

use bytes::Bytes;
use rill_proto::id::AccountId;
use uuid::Uuid;

use super::{Place, account, append, chat, claim, claimed, email, head, moved, row, start, version};
use crate::store::{AppendError, Loaded, RowKey, Store};

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
    append(&*store, claim(account(9), 0, &email("taken"), "nine")).await.unwrap();
    assert_eq!(append(&*store, refused.clone()).await, claimed(&email("taken"), "nine"));
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
        append.put.push((RowKey::Slot(version + 1), Bytes::from(version.to_string())));
        told.push(start(&*store, append));
    }
    for told in told {
        told.await.unwrap().unwrap();
    }
    let loaded = store.load(chat(1)).await.unwrap().unwrap();
    assert_eq!(loaded, Loaded { version: 300, rows: vec![(RowKey::Head, "odd".into())] });
    assert_eq!(row(&*store, chat(1), RowKey::Slot(300)).await.unwrap(), "299");
}

pub(crate) async fn a_refused_append_leaves_its_neighbours_alone(place: &impl Place) {
    let store = place.open();
    append(&*store, claim(account(9), 0, &email("a"), "nine")).await.unwrap();
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
    let expected = [Ok(()), claimed(&email("a"), "nine"), moved(1, 0), moved(7, 1), Ok(()), Ok(())];
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
        let expected = if number % 3 == 2 { 1000 } else { number - number / 3 };
        let done =
            move |result: Result<(), AppendError>| heard.lock().unwrap().push((number, result.is_ok()));
        store.append(head(chat(1), expected, "x"), Box::new(done));
    }
    let last = append(&*store, head(chat(1), 67, "last")).await;
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
    let threads = [std::thread::spawn(contend("left")), std::thread::spawn(contend("right"))];
    let [left, right] = threads.map(|thread| thread.join().unwrap());
    for slot in 1..=VERSIONS {
        assert!(left.contains(&slot) != right.contains(&slot), "version {slot} went to one of them");
        let winner = if left.contains(&slot) { "left" } else { "right" };
        assert_eq!(row(&*store, chat(1), RowKey::Slot(slot)).await.unwrap(), winner);
    }
}

pub(crate) async fn a_callback_that_panics_or_drops_the_store_stops_nothing(place: &impl Place) {
    let store = place.open();
    store.append(head(chat(1), 0, "a"), Box::new(|_| panic!("a bug of the caller")));
    append(&*store, head(chat(1), 1, "b")).await.unwrap();
    let last = store.clone();
    let (tell, told) = mpsc::channel();
    let drops_it = move |_| {
        while Arc::strong_count(&last) > 1 {
            std::thread::yield_now();
        }
        drop(last);
        tell.send(()).unwrap();
    };
    store.append(head(chat(1), 2, "c"), Box::new(drops_it));
    drop(store);
    told.recv().unwrap();
}
