//! Promises about unique keys: one holder each, and a memory of requests that ends.

use uuid::Uuid;

use super::{Place, account, append, chat, claim, claimed, email, head, request, start, step};
use crate::store::{Append, AppendError, REQUEST_MEMORY_US, Stamp, Store, UniqueKey};

pub(crate) async fn a_key_has_one_holder(place: &impl Place) {
    let store = place.open();
    let token = UniqueKey::Token(Uuid::from_u128(5));
    for (number, key) in
        [email("a"), UniqueKey::Address("a".into()), token, request(5)].into_iter().enumerate()
    {
        let number = u128::try_from(number).unwrap() * 2;
        append(&*store, claim(account(number), 0, &key, "first")).await.unwrap();
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
    append(&*store, claim(account(1), 0, &email("a"), "one")).await.unwrap();
    append(&*store, claim(account(1), 1, &email("a"), "one")).await.unwrap();
    // A request is an outcome: the second is a repetition, whatever it says.
    append(&*store, claim(chat(1), 0, &request(1), "done")).await.unwrap();
    assert_eq!(append(&*store, claim(chat(1), 1, &request(1), "done")).await, claimed(&request(1), "done"));
    let mut twice = claim(chat(2), 0, &request(2), "a");
    twice.claim.push((request(2), "a".into()));
    assert_eq!(append(&*store, twice).await, claimed(&request(2), "a"));
    let mut contradiction = claim(chat(2), 0, &email("b"), "b");
    contradiction.claim.push((email("b"), "c".into()));
    assert_eq!(append(&*store, contradiction).await, claimed(&email("b"), "b"));
}

pub(crate) async fn a_released_key_is_free(place: &impl Place) {
    let store = place.open();
    append(&*store, claim(account(1), 0, &email("a"), "one")).await.unwrap();
    let release = Append { release: vec![email("a"), email("never held")], ..step(account(1), 1) };
    append(&*store, release).await.unwrap();
    assert_eq!(store.holder(email("a")).await.unwrap(), None);
    append(&*store, claim(account(2), 0, &email("a"), "two")).await.unwrap();
    // Letting go and claiming in one append changes the value.
    let mut renewed = claim(account(2), 1, &email("a"), "two, later");
    renewed.release = vec![email("a")];
    append(&*store, renewed).await.unwrap();
    assert_eq!(store.holder(email("a")).await.unwrap().unwrap(), "two, later");
}

pub(crate) async fn claims_see_each_other_before_they_are_durable(place: &impl Place) {
    let store = place.open();
    let told: Vec<_> =
        (0..50).map(|number| start(&*store, claim(account(number), 0, &email("one"), "first"))).collect();
    let others: Vec<_> =
        (50..100).map(|number| start(&*store, claim(account(number), 0, &email("one"), "second"))).collect();
    for told in told {
        assert_eq!(told.await.unwrap(), Ok(()));
    }
    for told in others {
        assert_eq!(told.await.unwrap(), claimed(&email("one"), "first"));
    }
    let release = Append { release: vec![email("one")], ..step(account(0), 1) };
    let released = start(&*store, release);
    let taken = start(&*store, claim(account(50), 0, &email("one"), "second"));
    assert_eq!((released.await.unwrap(), taken.await.unwrap()), (Ok(()), Ok(())));
}

pub(crate) async fn a_request_is_remembered_for_its_time_only(place: &impl Place) {
    let store = place.open();
    let at = |stamp: Stamp, version, value| Append { stamp, ..claim(chat(1), version, &request(1), value) };
    append(&*store, at(10, 0, "first")).await.unwrap();
    assert_eq!(append(&*store, at(9 + REQUEST_MEMORY_US, 1, "again")).await, claimed(&request(1), "first"));
    append(&*store, at(10 + REQUEST_MEMORY_US, 1, "anew")).await.unwrap();
    assert_eq!(store.holder(request(1)).await.unwrap().unwrap(), "anew");
    drop(store);
    let store = place.open();
    let late = 9 + 2 * REQUEST_MEMORY_US;
    assert_eq!(append(&*store, at(late, 2, "again")).await, claimed(&request(1), "anew"));
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
            told.push(start(&*store, Append { stamp, ..claim(chat(1), version, &key, "x") }));
            version += 1;
        }
    }
    append(&*store, claim(account(1), 0, &email("kept"), "x")).await.unwrap();
    for told in told {
        told.await.unwrap().unwrap();
    }
    for number in 0..1000 {
        assert_eq!(store.holder(request(10_000 + number)).await.unwrap().unwrap(), "x");
    }
    assert_eq!(store.holder(email("kept")).await.unwrap().unwrap(), "x");
}

pub(crate) async fn an_overlong_key_is_refused_and_stops_nothing(place: &impl Place) {
    let store = place.open();
    let long = email(&"a".repeat(100_000));
    let refused = append(&*store, claim(chat(1), 0, &long, "x")).await;
    assert!(matches!(refused, Err(AppendError::Fault(_))));
    append(&*store, head(chat(1), 0, "b")).await.unwrap();
}
