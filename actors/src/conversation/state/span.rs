//! Stretches of the flow: what a member sees of it, and what belongs to an organisation.

use serde::{Deserialize, Serialize};

/// How many stretches of management a conversation remembers apart. More than any is turned round in earnest; each is compared
/// with what a member saw when he is kicked.
pub const PERIODS_MAX: usize = 64;

/// A stretch of slots that a member sees, both ends inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Span {
    /// The message that brought him in, or the start of a disclosure.
    pub begin: u64,
    /// His leave or kick message, or the end of a disclosure.
    pub end: u64,
    /// It was opened to him by others, who were in then as he was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_disclosed: bool,
}

/// A stretch that was written while an organisation managed the conversation, both ends inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Managed {
    /// The message that says so.
    pub begin: u64,
    /// The last slot before that which says that it is over.
    #[serde(default)]
    pub end: Option<u64>,
}

impl Span {
    /// A membership, or what of one is meant.
    #[must_use]
    pub fn of_membership(begin: u64, end: u64) -> Self {
        Self { begin, end, is_disclosed: false }
    }

    /// Whether a slot lies in it.
    #[must_use]
    pub fn has(&self, nr: u64) -> bool {
        (self.begin..=self.end).contains(&nr)
    }

    /// The same stretches in their order, none touching another.
    #[must_use]
    pub fn joined(mut spans: Vec<Self>) -> Vec<Self> {
        spans.sort_unstable_by_key(|span| span.begin);
        spans.dedup_by(|next, kept| {
            let touches = next.begin <= kept.end + 1;
            if touches {
                kept.end = kept.end.max(next.end);
            }
            touches
        });
        spans
    }

    /// What is left of stretches without one.
    #[must_use]
    pub fn without(spans: Vec<Self>, hole: Self) -> Vec<Self> {
        let rest = |span: Self| {
            if hole.end < span.begin || hole.begin > span.end {
                return [Some(span), None];
            }
            let below = Self { end: hole.begin.saturating_sub(1), ..span };
            let above = Self { begin: hole.end.saturating_add(1), ..span };
            [below, above].map(|part| Some(part).filter(|part| part.begin <= part.end))
        };
        spans.into_iter().flat_map(rest).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    fn spans(bounds: &[(u64, u64)]) -> Vec<Span> {
        bounds.iter().map(|(begin, end)| Span::of_membership(*begin, *end)).collect()
    }

    #[test]
    fn what_touches_is_one() {
        assert_eq!(Span::joined(spans(&[(5, 6), (1, 2), (3, 3), (8, 9), (6, 7)])), spans(&[(1, 3), (5, 9)]));
    }

    #[test]
    fn a_hole_leaves_what_lies_beside_it() {
        let hole = Span::of_membership(3, 6);
        let left = Span::without(spans(&[(1, 2), (2, 4), (3, 6), (5, 9), (7, 8)]), hole);
        assert_eq!(left, spans(&[(1, 2), (2, 2), (7, 9), (7, 8)]));
        assert_eq!(Span::without(spans(&[(1, 9)]), hole), spans(&[(1, 2), (7, 9)]));
    }
}
