//! Promises about epochs: each opening has its own, and what has ended writes nothing.

use super::{Place, append, chat, email, head, row, start, version};
use crate::store::{Append, AppendError, RowKey, Store};

pub(crate) async fn each_opening_has_an_epoch_above_those_before(place: &impl Place) {
    let mut last = 0;
    for _ in 0..3 {
        let store = place.open();
        assert!(store.epoch() > last, "{} is above {last}", store.epoch());
        last = store.epoch();
    }
}

pub(crate) async fn what_is_handed_over_after_the_epoch_has_ended_is_fenced(place: &impl Place) {
    let store = place.open();
    let fenced = Err(AppendError::Fenced { epoch: store.epoch() });
    append(&*store, head(chat(1), 0, "before")).await.unwrap();
    let under_way: Vec<_> = (0..50).map(|number| start(&*store, head(chat(2), number, "x"))).collect();
    store.fence(store.epoch()).await.unwrap();
    // From here on nothing changes any more.
    let standing = version(&*store, chat(2)).await;
    let claiming = Append { claim: vec![(email("a"), "one".into())], ..head(chat(3), 0, "after") };
    let refused = [head(chat(1), 1, "after"), claiming, head(chat(2), standing, "after")];
    for append in refused.map(|append| start(&*store, append)) {
        assert_eq!(append.await.unwrap(), fenced);
    }
    let mut durable = 0;
    for told in under_way {
        match told.await.unwrap() {
            Ok(()) => durable += 1,
            Err(AppendError::Fenced { .. } | AppendError::Moved { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(durable, standing, "what was not refused before the end is there, and no more");
    assert_eq!(row(&*store, chat(1), RowKey::Head).await.unwrap(), "before");
    assert_eq!(store.holder(email("a")).await.unwrap(), None);
    store.fence(store.epoch()).await.unwrap();
    drop(store);
    let store = place.open();
    append(&*store, head(chat(1), 1, "a new epoch")).await.unwrap();
    assert_eq!(version(&*store, chat(2)).await, standing);
}

pub(crate) async fn ending_the_epoch_of_another_opening_leaves_this_one_alone(place: &impl Place) {
    let earlier = place.open().epoch();
    let store = place.open();
    append(&*store, head(chat(1), 0, "one")).await.unwrap();
    store.fence(earlier).await.unwrap();
    store.fence(u64::MAX).await.unwrap();
    append(&*store, head(chat(1), 1, "two")).await.unwrap();
}

pub(crate) async fn an_opening_is_among_the_open_ones_until_it_ends(place: &impl Place) {
    let earlier = place.open();
    assert_eq!(earlier.open_epochs().await.unwrap(), [earlier.epoch()]);
    earlier.fence(earlier.epoch()).await.unwrap();
    assert!(earlier.open_epochs().await.unwrap().is_empty());
    drop(earlier);
    let store = place.open();
    assert_eq!(store.open_epochs().await.unwrap(), [store.epoch()]);
}
