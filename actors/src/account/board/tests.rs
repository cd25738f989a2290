//! The board's memory: what stands where, and what is remembered of what is gone. Not here: the rules.

use super::*;

const ALICE: AccountId = AccountId(Uuid::from_u128(1));

fn task(weight: Option<Weight>, section_id: SectionId, stamp: Stamp) -> Task {
    let what = What::Private { is_done: false, store_time: stamp };
    Task { what, place: weight.map(|weight| Place { section_id, weight }), from: None, bytes: 0, stamp }
}

fn id(nr: u128) -> MessageId {
    MessageId(Uuid::from_u128(nr))
}

#[test]
fn two_tasks_may_change_places_in_one_decision() {
    let mut board = Board::new(ALICE);
    let section_id = board.default_id();
    let (low, high) = (Weight::FIRST, Weight::above(Some(Weight::FIRST)));
    board.fold_task(id(1), Some(&task(Some(low), section_id, 1)));
    board.fold_task(id(2), Some(&task(Some(high), section_id, 2)));
    board.fold_task(id(1), Some(&task(Some(high), section_id, 3)));
    board.fold_task(id(2), Some(&task(Some(low), section_id, 3)));
    let standing: Vec<_> = board.tasks_of(section_id, None).collect();
    assert_eq!(standing, [(high, id(1)), (low, id(2))]);
    assert_eq!(board.top_of(section_id), Some(high));
}

#[test]
fn only_so_many_that_are_gone_are_remembered() {
    let mut board = Board::new(ALICE);
    let gone = |stamp| Task { what: What::Deleted, place: None, from: None, bytes: 0, stamp };
    for nr in 0..GONE_MAX as u64 {
        board.fold_task(id(u128::from(nr)), Some(&gone(nr + 1)));
    }
    assert_eq!(board.forgettable_tasks(0).count(), 0);
    assert_eq!(board.forgettable_tasks(2).collect::<Vec<_>>(), [id(0), id(1)], "the oldest go first");
    board.fold_task(id(0), None);
    assert_eq!(board.forgettable_tasks(1).count(), 0);
}

#[test]
fn a_thousand_tasks_take_a_few_hundred_bytes_each() {
    assert!(size_of::<Task>() + size_of::<Place>() + size_of::<MessageId>() * 3 <= 256);
}
