//! The boards of a conversation: which messages are pins or tasks, in which list, and where in it (conversations.md §10).
//!
//! Pure. Kept in memory as a whole, so that who is next to whom is never asked of the store. Not here: who may move what
//! (`rules`), what is written in the messages (their slots), the sections' names (`state`).

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::id::{AccountId, SectionId};
use serde::{Deserialize, Serialize};

use crate::weight::Weight;

/// How many pins and tasks a conversation has, archived ones included. Each is a row that every load reads and some 200 bytes of
/// memory while the conversation is active.
pub const PLACES_MAX: usize = 20_000;

/// How many assignments its tasks have together: whoever goes is told of each of his in the append that lets him go.
pub const ASSIGNMENTS_MAX: usize = 20_000;

/// The room that each item gets where a crowded stretch of a list is spread out: what twelve halvings use up.
const ROOM_SPREAD: f64 = 256.0;

/// A list that is shown by weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum List {
    /// The pinboard.
    Pins,
    /// A section of the task board.
    Tasks(SectionId),
}

/// Where a message is on the boards; one row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the pinboard.
    Pin {
        /// Where on it.
        weight: Weight,
    },
    /// In a section of the task board.
    Task(Task),
}

/// A task's place, and what concerns its assignees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The section.
    pub section_id: SectionId,
    /// Where in it.
    pub weight: Weight,
    /// The slot by which it came into this section.
    pub since: u64,
    /// It is done.
    #[serde(default)]
    pub is_done: bool,
    /// Who is to do it, some of whom may have left.
    #[serde(default)]
    pub assignee_ids: Vec<AccountId>,
}

impl Place {
    /// The list that it is in.
    #[must_use]
    pub fn list(&self) -> List {
        match self {
            Self::Pin { .. } => List::Pins,
            Self::Task(task) => List::Tasks(task.section_id),
        }
    }

    /// Where in the list.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Self::Pin { weight } => *weight,
            Self::Task(task) => task.weight,
        }
    }

    /// The same with another weight.
    #[must_use]
    pub fn weighing(&self, weight: Weight) -> Self {
        match self {
            Self::Pin { .. } => Self::Pin { weight },
            Self::Task(task) => Self::Task(Task { weight, ..task.clone() }),
        }
    }

    /// The task, if it is one.
    #[must_use]
    pub fn task(&self) -> Option<&Task> {
        match self {
            Self::Pin { .. } => None,
            Self::Task(task) => Some(task),
        }
    }

    fn assignments(&self) -> usize {
        self.task().map_or(0, |task| task.assignee_ids.len())
    }
}

/// All places, by message and by list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Board {
    places: BTreeMap<u64, Place>,
    lists: BTreeMap<List, BTreeSet<(Weight, u64)>>,
    assignments: usize,
}

impl Board {
    /// Puts a message somewhere, or takes it off.
    pub fn put(&mut self, message_nr: u64, place: Option<&Place>) {
        if let Some(before) = self.places.remove(&message_nr) {
            self.assignments -= before.assignments();
            if let Some(list) = self.lists.get_mut(&before.list()) {
                list.remove(&(before.weight(), message_nr));
                if list.is_empty() {
                    self.lists.remove(&before.list());
                }
            }
        }
        if let Some(place) = place {
            self.assignments += place.assignments();
            self.lists.entry(place.list()).or_default().insert((place.weight(), message_nr));
            self.places.insert(message_nr, place.clone());
        }
    }

    /// Where a message is.
    #[must_use]
    pub fn get(&self, message_nr: u64) -> Option<&Place> {
        self.places.get(&message_nr)
    }

    /// How many places are taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Nothing is on any board.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many assignments there are.
    #[must_use]
    pub fn assignments(&self) -> usize {
        self.assignments
    }

    /// The lists that have anything in them.
    pub fn lists(&self) -> impl Iterator<Item = List> {
        self.lists.keys().copied()
    }

    /// A list from its first item down: weight and message.
    pub fn descending(&self, list: List) -> impl Iterator<Item = (Weight, u64)> {
        self.lists.get(&list).into_iter().flatten().rev().copied()
    }

    /// What follows below a weight, from there down.
    pub fn below(&self, list: List, weight: Weight) -> impl Iterator<Item = (Weight, u64)> {
        self.lists.get(&list).into_iter().flat_map(move |list| list.range(..(weight, 0)).rev().copied())
    }

    /// The highest weight of a list.
    #[must_use]
    pub fn top(&self, list: List) -> Option<Weight> {
        self.descending(list).next().map(|(weight, _)| weight)
    }

    /// The tasks that are assigned to an account.
    pub fn tasks_of(&self, account_id: AccountId) -> impl Iterator<Item = (u64, &Task)> {
        let tasks = self.places.iter().filter_map(|(nr, place)| place.task().map(|task| (*nr, task)));
        tasks.filter(move |(_, task)| task.assignee_ids.contains(&account_id))
    }
}

/// Where an item of an ordered list goes, and which of the others make room for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move<K> {
    /// Its weight.
    pub weight: Weight,
    /// New weights of others; hardly ever any.
    pub others: Vec<(K, Weight)>,
}

/// Puts an item behind another (`None`: before all) in a list that does not hold it, given from its first item down. `None` when
/// the other is not in the list.
///
/// Where there is no room left, the smallest stretch round the place is spread out that leaves all in it room again: a list of
/// thousands is not told anew for one move.
#[must_use]
pub fn put_behind<K: Copy + PartialEq>(list: &[(Weight, K)], behind: Option<K>) -> Option<Move<K>> {
    let Some(behind) = behind else {
        return Some(Move {
            weight: Weight::above(list.first().map(|(weight, _)| *weight)),
            others: Vec::new(),
        });
    };
    let at = list.iter().position(|(_, key)| *key == behind)?;
    let next = list.get(at + 1).map(|(weight, _)| *weight);
    if let Some(weight) = Weight::behind(list[at].0, next) {
        return Some(Move { weight, others: Vec::new() });
    }
    let mut reach = 1;
    loop {
        let (from, to) = ((at + 1).saturating_sub(reach), (at + 1 + reach).min(list.len()));
        let upper = from.checked_sub(1).map(|above| list[above].0);
        let lower = list.get(to).map(|(weight, _)| *weight);
        if let Some(weights) = spread(upper, lower, to - from + 1) {
            let mine = at + 1 - from;
            let mut rest = weights.clone();
            rest.remove(mine);
            let keys = list[from..to].iter().map(|(_, key)| *key);
            return Some(Move { weight: weights[mine], others: keys.zip(rest).collect() });
        }
        reach *= 2;
    }
}

/// So many weights between two, descending; an open end gives as much room as is wanted. `None` when there is too little.
fn spread(upper: Option<Weight>, lower: Option<Weight>, count: usize) -> Option<Vec<Weight>> {
    #[expect(clippy::cast_precision_loss, reason = "no list has 2^52 items")]
    let parts = (count + 1) as f64;
    let (start, room) = match (upper, lower) {
        (Some(upper), Some(lower)) => (upper.get(), ((upper.get() - lower.get()) / parts).floor()),
        (Some(upper), None) => (upper.get(), Weight::STEP),
        (None, Some(lower)) => (lower.get() + Weight::STEP * parts, Weight::STEP),
        (None, None) => return Some(Weight::anew(count).collect()),
    };
    if room < ROOM_SPREAD {
        return None;
    }
    let mut weights = Vec::with_capacity(count);
    let mut weight = start;
    for _ in 0..count {
        weight -= room;
        weights.push(Weight::given(weight)?);
    }
    Some(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: f64 = 4_295_163_904.0;

    fn list(weights: &[f64]) -> Vec<(Weight, usize)> {
        weights.iter().enumerate().map(|(key, weight)| (Weight::given(*weight).unwrap(), key)).collect()
    }

    fn weight_behind(weights: &[f64], behind: Option<usize>) -> f64 {
        let found = put_behind(&list(weights), behind).unwrap();
        assert!(found.others.is_empty());
        found.weight.get()
    }

    #[test]
    fn a_place_is_on_top_in_between_or_below_all() {
        assert_eq!(weight_behind(&[], None), 4_294_967_296.0);
        let weights = [TOP, 4_295_098_368.0];
        assert_eq!(weight_behind(&weights, None), 4_295_229_440.0);
        assert_eq!(weight_behind(&weights, Some(0)), 4_295_131_136.0);
        assert_eq!(weight_behind(&weights, Some(1)), 4_295_032_832.0);
        assert_eq!(put_behind(&list(&weights), Some(2)), None);
    }

    #[test]
    fn a_crowded_stretch_is_spread_and_the_order_stays() {
        let mut items = list(&[TOP, 4_295_098_368.0, 4_295_032_832.0]);
        let mut told = 0;
        for key in 10..300 {
            let found = put_behind(&items, Some(0)).unwrap();
            told = told.max(found.others.len());
            for (moved, weight) in found.others {
                items.iter_mut().find(|(_, key)| *key == moved).unwrap().0 = weight;
            }
            items.insert(1, (found.weight, key));
            assert!(items.is_sorted_by(|one, other| one.0 > other.0), "{items:?}");
            let expected: Vec<usize> = [0].into_iter().chain((10..=key).rev()).chain([1, 2]).collect();
            assert_eq!(items.iter().map(|(_, key)| *key).collect::<Vec<_>>(), expected);
        }
        assert!((1..100).contains(&told), "{told}");
    }

    #[test]
    fn an_end_of_the_list_gives_way() {
        let near = [TOP, TOP - 0.0625, TOP - 0.09375];
        let found = put_behind(&list(&near), Some(1)).unwrap();
        assert!(!found.others.is_empty());
        let mut after: Vec<f64> = found.others.iter().map(|(_, weight)| weight.get()).collect();
        after.push(found.weight.get());
        let lowest = after.iter().copied().fold(f64::MAX, f64::min);
        assert!(lowest < TOP - ROOM_SPREAD, "{after:?}");
    }

    #[test]
    fn the_board_knows_lists_and_assignments_as_they_are_put() {
        let (section_id, account_id) = (SectionId(uuid::Uuid::nil()), AccountId(uuid::Uuid::nil()));
        let mut board = Board::default();
        let task = Task {
            section_id,
            weight: Weight::FIRST,
            since: 2,
            is_done: false,
            assignee_ids: vec![account_id],
        };
        board.put(2, Some(&Place::Task(task)));
        board.put(3, Some(&Place::Pin { weight: Weight::FIRST }));
        assert_eq!(board.lists().collect::<Vec<_>>(), [List::Pins, List::Tasks(section_id)]);
        assert_eq!((board.len(), board.assignments()), (2, 1));
        assert_eq!(board.tasks_of(account_id).map(|(nr, _)| nr).collect::<Vec<_>>(), [2]);
        board.put(2, Some(&Place::Pin { weight: Weight::above(board.top(List::Pins)) }));
        assert_eq!(board.descending(List::Pins).map(|(_, nr)| nr).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(board.assignments(), 0);
        board.put(2, None);
        board.put(3, None);
        assert_eq!(board, Board::default());
    }
}
