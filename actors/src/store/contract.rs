//! What every store promises, as tests that any engine can be put through.
//!
//! Owned here: the promises of `store.rs`, one function each, and the list of them ([`contract_tests`]). Deliberately
//! not here: crashes and damage, which each engine has in its own way.

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Aggregate, Append, AppendError, RowKey, Store, UniqueKey};

pub(crate) mod appends;
pub(crate) mod claims;
pub(crate) mod epochs;
pub(crate) mod rows;

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
            appends::an_append_changes_all_of_its_rows_or_none,
            appends::an_append_needs_the_version_that_it_expects,
            appends::appends_that_wait_together_build_on_each_other,
            appends::a_refused_append_leaves_its_neighbours_alone,
            appends::callbacks_come_in_the_order_of_the_appends,
            appends::of_two_writers_exactly_one_gets_each_version,
            appends::a_callback_that_panics_or_drops_the_store_stops_nothing,
            claims::a_key_has_one_holder,
            claims::a_key_may_be_claimed_again_with_the_same_value,
            claims::a_released_key_is_free,
            claims::claims_see_each_other_before_they_are_durable,
            claims::a_request_is_remembered_for_its_time_only,
            claims::requests_are_forgotten_in_portions_and_others_kept,
            claims::an_overlong_key_is_refused_and_stops_nothing,
            epochs::each_opening_has_an_epoch_above_those_before,
            epochs::what_is_handed_over_after_the_epoch_has_ended_is_fenced,
            epochs::an_opening_is_among_the_open_ones_until_it_ends,
            epochs::ending_the_epoch_of_another_opening_leaves_this_one_alone,
            rows::consequences_wait_until_they_are_settled,
            rows::slots_are_read_in_both_directions_within_limits,
            rows::loading_gives_all_rows_but_slots_and_texts_in_key_order,
            rows::what_does_not_exist_is_not_found,
            rows::reopening_finds_everything,
            rows::the_last_stamp_is_the_highest_one,
            rows::the_secret_stays,
        );
    };
    ($place:expr; $($topic:ident::$promise:ident),+ $(,)?) => {$(
        #[test]
        fn $promise() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on($crate::store::contract::$topic::$promise(&$place));
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
    Append { put: vec![(RowKey::Head, Bytes::from(text))], ..step(aggregate, expected_version) }
}

fn claim(aggregate: Aggregate, expected_version: u64, key: &UniqueKey, value: &'static str) -> Append {
    Append { claim: vec![(key.clone(), Bytes::from(value))], ..step(aggregate, expected_version) }
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
    store.load(aggregate).await.unwrap().map_or(0, |loaded| loaded.version)
}

fn moved(expected: u64, found: u64) -> Result<(), AppendError> {
    Err(AppendError::Moved { expected, found })
}

fn claimed(key: &UniqueKey, value: &'static str) -> Result<(), AppendError> {
    Err(AppendError::Claimed { key: key.clone(), value: Bytes::from(value) })
}
