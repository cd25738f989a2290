//! Where something is in a list that is shown by weight, descending (conversations.md §10).
//!
//! Not here: which weight it gets.

use serde::{Serialize, Serializer};

/// The largest whole number up to which a double is exact: 2^53.
const EXACT_WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A weight on the wire: a whole one is written without a fraction, as clients have always seen them.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Weight(pub f64);

impl Serialize for Weight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT_WHOLE_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}
