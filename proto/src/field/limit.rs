//! The batch size of a sync, which is never refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::{Kind, Param};
use crate::limits::BATCH_RANGE;

/// A batch size within [`BATCH_RANGE`]. A number outside is moved to its nearer end; anything that is not a number is `DEFAULT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit<const DEFAULT: i64>(i64);

impl<const DEFAULT: i64> Limit<DEFAULT> {
    /// Moves a number into the range.
    pub fn new(limit: i64) -> Self {
        Self(limit.clamp(*BATCH_RANGE.start(), *BATCH_RANGE.end()))
    }

    /// The batch size.
    pub fn get(self) -> usize {
        usize::try_from(self.0).expect("the range holds only positive numbers")
    }
}

impl<const DEFAULT: i64> Default for Limit<DEFAULT> {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl<const DEFAULT: i64> Param for Limit<DEFAULT> {
    const KIND: Kind = Kind::BigInt;
    const IGNORE: bool = true;
    // A number cannot be turned into text at compile time; these are the three that the catalogue has.
    const DEFAULT: Option<&'static str> = Some(match DEFAULT {
        20 => "20",
        30 => "30",
        100 => "100",
        _ => panic!("a default that the catalogue does not have"),
    });

    fn from_default(_: &str) -> Option<Self> {
        Some(Self::default())
    }
}

impl<'de, const DEFAULT: i64> Deserialize<'de> for Limit<DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

struct LimitVisitor<const DEFAULT: i64>;

impl<'de, const DEFAULT: i64> Visitor<'de> for LimitVisitor<DEFAULT> {
    type Value = Limit<DEFAULT>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything, best a number from 1 to 100")
    }

    fn visit_i64<E: Error>(self, limit: i64) -> Result<Self::Value, E> {
        Ok(Limit::new(limit))
    }

    fn visit_u64<E: Error>(self, limit: u64) -> Result<Self::Value, E> {
        Ok(Limit::new(i64::try_from(limit).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E: Error>(self, limit: f64) -> Result<Self::Value, E> {
        Ok(Limit::new(limit as i64))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Limit::default())
    }

    fn visit_str<E: Error>(self, limit: &str) -> Result<Self::Value, E> {
        Ok(limit.parse().map_or_else(|_| Limit::default(), Limit::new))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Limit::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Limit::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Limit::default())
    }
}

impl<const DEFAULT: i64> Serialize for Limit<DEFAULT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}
