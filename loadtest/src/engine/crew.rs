//! A crew: the generators of one process, this one or another, as their conductor sees them.
//!
//! Owns: their threads, and the link to those of another process. Not here: what they are told when ([`super::conductor`]).

mod far;
mod letter;

use super::generator::Generator;
use super::shared::{Founding, Harvest, Order, Shared, Snapshot};
use super::tally::Times;
use crate::failure::Failure;
pub(super) use far::Far;
pub use far::{Gathering, join};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use uuid::Uuid;

/// The generators of one process.
pub(super) trait Crew {
    /// Tells all of them.
    fn order(&mut self, order: &Order);

    /// What they have done so far.
    fn snapshot(&self) -> Snapshot;

    /// What deliveries took since the last call.
    fn take_recent(&mut self) -> Times;

    /// What their sessions lack; none until all have looked since they were told to cease.
    fn lag(&self) -> Option<u64>;

    /// Conversations that have their ids since the last call.
    fn take_announced(&mut self) -> Vec<(u32, Uuid)>;

    /// Tells the ids of conversations that others created.
    fn learn(&mut self, announced: &[(u32, Uuid)]);

    /// The highest slots that they know of since they were told to cease.
    fn tops(&self) -> Vec<(Uuid, u32)>;

    /// Tells the highest slots that others know of.
    fn raise_tops(&mut self, tops: &[(Uuid, u32)]);

    /// Whether one of them has ended before it was told to.
    fn has_ended(&self) -> bool;

    /// Waits for what they bring home; they must have been told to stop.
    fn harvest(&mut self) -> Result<Vec<Harvest>, Failure>;
}

/// The generators of this process.
#[derive(Debug)]
pub(super) struct Near {
    shared: Arc<Shared>,
    orders: Vec<Sender<Order>>,
    threads: Vec<JoinHandle<Result<Harvest, Failure>>>,
}

impl Near {
    /// Starts the generators with these numbers.
    pub(super) fn raise(founding: Founding, numbers: Range<usize>) -> Result<Self, Failure> {
        let shared = Arc::new(Shared::new(founding));
        let mut crew = Self { shared, orders: Vec::new(), threads: Vec::new() };
        for number in numbers {
            let all = crew.shared.generators as usize;
            let share = share(crew.shared.scenario.online(), all, number);
            let (order, ordered) = channel();
            let generator = Generator::new(Arc::clone(&crew.shared), number as u32, share, ordered)?;
            crew.orders.push(order);
            crew.threads.push(std::thread::spawn(move || generator.run()));
        }
        Ok(crew)
    }
}

impl Crew for Near {
    fn order(&mut self, order: &Order) {
        if matches!(order, Order::Cease) {
            self.shared.forget_lags();
        }
        for to in &self.orders {
            // A generator that is gone tells why when it is joined.
            let _ = to.send(order.clone());
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.shared.progress.snapshot()
    }

    fn take_recent(&mut self) -> Times {
        self.shared.take_recent()
    }

    fn lag(&self) -> Option<u64> {
        self.shared.lag(self.orders.len())
    }

    fn take_announced(&mut self) -> Vec<(u32, Uuid)> {
        self.shared.take_announced()
    }

    fn learn(&mut self, announced: &[(u32, Uuid)]) {
        for (conversation, id) in announced {
            self.shared.learn(*conversation, *id);
        }
    }

    fn tops(&self) -> Vec<(Uuid, u32)> {
        self.shared.tops()
    }

    fn raise_tops(&mut self, tops: &[(Uuid, u32)]) {
        self.shared.raise_tops(tops.iter().copied());
    }

    fn has_ended(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    fn harvest(&mut self) -> Result<Vec<Harvest>, Failure> {
        let threads = std::mem::take(&mut self.threads);
        let panicked = |_| Failure::Broken("a generator's thread panicked".into());
        threads.into_iter().map(|thread| thread.join().map_err(panicked)?).collect()
    }
}

/// The sessions of one generator: neighbours, so that most conversations lie within one.
fn share(sessions: usize, generators: usize, number: usize) -> Range<usize> {
    sessions * number / generators..sessions * (number + 1) / generators
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_neighbours_and_cover_all() {
        let shares: Vec<_> = (0..3).map(|number| share(10, 3, number)).collect();
        assert_eq!(shares, [0..3, 3..6, 6..10]);
        assert_eq!(share(1, 2, 0).len() + share(1, 2, 1).len(), 1);
    }
}
