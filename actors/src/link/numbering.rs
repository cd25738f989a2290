//! Frames from node to node are numbered, so that one that was lost is missed. Pure.
//!
//! Each pair of nodes has its own row of numbers in each direction, from 1. Whatever carries the frames may lose them and
//! may end at any moment; it does not reorder what it does carry.

use std::collections::BTreeMap;

use crate::store::Epoch;

/// The numbers of the frames that leave.
#[derive(Clone, Debug, Default)]
pub struct Sent(BTreeMap<Epoch, u64>);

impl Sent {
    /// The number of the next frame to a node.
    pub fn next(&mut self, to: Epoch) -> u64 {
        let last = self.0.entry(to).or_default();
        *last += 1;
        *last
    }

    /// A node is no more.
    pub fn forget(&mut self, to: Epoch) {
        self.0.remove(&to);
    }
}

/// What a frame's number says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The one that was due.
    InOrder,
    /// Frames before it were lost: what they told must be read from the store.
    AfterGap,
    /// It has been here already.
    Again,
}

/// The numbers of the frames that came.
#[derive(Clone, Debug, Default)]
pub struct Received(BTreeMap<Epoch, u64>);

impl Received {
    /// A frame came from a node.
    ///
    /// The first frame ever of a node tells whether there was one before it: whoever comes to know a node late has missed
    /// what it sent until then.
    pub fn arrived(&mut self, from: Epoch, number: u64) -> Arrival {
        let last = self.0.entry(from).or_default();
        if number <= *last {
            return Arrival::Again;
        }
        let arrival = if number == *last + 1 { Arrival::InOrder } else { Arrival::AfterGap };
        *last = number;
        arrival
    }

    /// A node is no more.
    pub fn forget(&mut self, from: Epoch) {
        self.0.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_its_own_row_of_numbers() {
        let mut sent = Sent::default();
        assert_eq!([sent.next(7), sent.next(7), sent.next(8)], [1, 2, 1]);
    }

    #[test]
    fn a_lost_frame_is_missed_once_and_a_repeated_one_is_known() {
        let mut received = Received::default();
        let arrivals = [1, 2, 4, 5, 5, 3].map(|number| received.arrived(7, number));
        use Arrival::{AfterGap, Again, InOrder};
        assert_eq!(arrivals, [InOrder, InOrder, AfterGap, InOrder, Again, Again]);
    }

    #[test]
    fn whoever_begins_late_has_a_gap() {
        assert_eq!(Received::default().arrived(7, 40), Arrival::AfterGap);
    }
}
