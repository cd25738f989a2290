//! The weights by which boards are ordered: sections on a board, tasks in a section, pins (conversations.md §10,
//! accounts.md §7). Lists are shown by weight, descending.
//!
//! Pure numbers. Not here: which list an item stands in.

use serde::{Deserialize, Serialize};

/// Where an item stands in its list. Ordered as a number; a weight is never a NaN.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(f64);

/// The least room between two neighbours that is still halved: 2^-4, so that a weight has at most five digits behind the
/// point, fifteen in all, and comes back as it was from any reader of JSON. Two items that stand a step apart take twenty-one
/// others between them before the list is numbered anew.
const ROOM_MIN: f64 = 0.0625;

impl Weight {
    /// The first item of an empty list: 2^32, as clients have always seen it.
    pub const FIRST: Self = Self(4_294_967_296.0);

    /// What stands below everything: the archive among the sections of a board.
    pub const LAST: Self = Self(0.0);

    /// Below every weight.
    pub const LOWEST: Self = Self(f64::NEG_INFINITY);

    /// Above every weight.
    pub const HIGHEST: Self = Self(f64::INFINITY);

    /// From one end of a list to its next item: 2^16.
    pub const STEP: f64 = 65_536.0;

    /// The number as records carry it.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// A number that a client gave; `None` for what is no number.
    #[must_use]
    pub fn given(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// Above the highest of a list.
    #[must_use]
    pub fn above(highest: Option<Self>) -> Self {
        highest.map_or(Self::FIRST, |highest| Self(highest.0 + Self::STEP))
    }

    /// Right behind an item, before the one that follows it; `None` when there is no room.
    #[must_use]
    pub fn behind(item: Self, next: Option<Self>) -> Option<Self> {
        match next {
            None => Some(Self(item.0 - Self::STEP)),
            Some(next) if item.0 - next.0 < ROOM_MIN => None,
            Some(next) => Some(Self(next.0 + (item.0 - next.0) / 2.0)),
        }
    }

    /// New weights for a list of so many items, from its first to its last; the last has [`Weight::FIRST`].
    pub fn anew(count: usize) -> impl Iterator<Item = Self> {
        #[expect(clippy::cast_precision_loss, reason = "no list has 2^52 items")]
        (0..count).rev().map(|place| Self(Self::FIRST.0 + Self::STEP * place as f64))
    }
}

impl PartialEq for Weight {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Weight {}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Weight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_stands_at_two_to_the_32_and_each_new_one_a_step_above() {
        let mut highest = None;
        for expected in [4_294_967_296.0, 4_295_032_832.0, 4_295_098_368.0, 4_295_163_904.0] {
            let weight = Weight::above(highest);
            assert_eq!(weight.get(), expected);
            highest = Some(weight);
        }
    }

    #[test]
    fn behind_an_item_is_halfway_to_the_next_or_a_step_below_the_last() {
        let (item, next) = (Weight(4_295_163_904.0), Weight(4_295_098_368.0));
        assert_eq!(Weight::behind(item, Some(next)), Some(Weight(4_295_131_136.0)));
        assert_eq!(Weight::behind(Weight::FIRST, None), Some(Weight(4_294_901_760.0)));
    }

    #[test]
    fn twenty_one_items_fit_into_a_step_and_each_weight_survives_as_json() {
        let (item, mut next) = (Weight::above(Some(Weight::FIRST)), Weight::FIRST);
        for _ in 0..21 {
            next = Weight::behind(item, Some(next)).unwrap();
            let text = serde_json::to_string(&next).unwrap();
            assert_eq!(serde_json::from_str::<Weight>(&text).unwrap(), next, "{text}");
        }
        assert_eq!(Weight::behind(item, Some(next)), None);
    }

    #[test]
    fn a_list_that_is_numbered_anew_has_room_everywhere() {
        let weights: Vec<f64> = Weight::anew(3).map(Weight::get).collect();
        assert_eq!(weights, [4_295_098_368.0, 4_295_032_832.0, 4_294_967_296.0]);
    }
}
