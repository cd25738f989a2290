//! Stamps and the watermark: which changes have certainly been handed to every live session of this node.
//!
//! A stamp is issued before a rule decides and is *open* until its change has been put into the inboxes of all hubs (or
//! has turned out to change nothing). The watermark is the highest stamp below which nothing is open. A hub that reads
//! the watermark first and empties its inbox second may tell its lanes that watermark as their `event_horizon`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::Stamp;

/// The node's stamps. One instance per node, shared by everybody.
#[derive(Debug)]
pub struct Watermark {
    open: Mutex<Open>,
    current: AtomicU64,
}

#[derive(Debug)]
struct Open {
    last: Stamp,
    /// Issued stamps in order, each with whether it is done; the front one is never done.
    stamps: VecDeque<(Stamp, bool)>,
}

/// A stamp that was issued. Dropping the last clone of it says that everything with this stamp has been handed over.
#[derive(Clone, Debug)]
pub struct Issued(Arc<Hold>);

/// What all clones of one stamp hold.
#[derive(Debug)]
struct Hold {
    stamp: Stamp,
    watermark: Arc<Watermark>,
}

impl Watermark {
    /// Continues after the highest stamp that the store has seen.
    #[must_use]
    pub fn new(last: Stamp) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::new(Open { last, stamps: VecDeque::new() }),
            current: AtomicU64::new(last),
        })
    }

    /// The next stamp: the wall clock in microseconds, or one more than the last stamp where the clock stands or went back.
    #[must_use]
    pub fn issue(self: &Arc<Self>, now_us: u64) -> Issued {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = now_us.max(open.last + 1);
        open.last = stamp;
        open.stamps.push_back((stamp, false));
        Issued(Arc::new(Hold { stamp, watermark: Arc::clone(self) }))
    }

    /// Everything with a stamp up to this has been handed to the hubs.
    #[must_use]
    pub fn current(&self) -> Stamp {
        self.current.load(Ordering::Acquire)
    }

    /// How far the watermark is behind the newest stamp, in microseconds: how long the oldest change that is still under
    /// way has taken so far, or 0.
    #[must_use]
    pub fn lag_us(&self) -> u64 {
        let last = self.open.lock().unwrap_or_else(PoisonError::into_inner).last;
        last.saturating_sub(self.current())
    }

    /// Somebody else has issued this stamp, or has told it: all that are issued here from now on are higher.
    ///
    /// What was stamped so far stays what holds the watermark back; it does not rise by this alone.
    pub fn observe(&self, stamp: Stamp) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last = open.last.max(stamp);
    }

    /// The clock goes on: where nothing is open the watermark follows it, so that a node with nothing to do does not hold
    /// back how far everybody may be told to be.
    pub fn tick(&self, now_us: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last = open.last.max(now_us);
        if open.stamps.is_empty() {
            self.current.store(open.last, Ordering::Release);
        }
    }

    fn done(&self, stamp: Stamp) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(at) = open.stamps.binary_search_by_key(&stamp, |(issued, _)| *issued) {
            open.stamps[at].1 = true;
        }
        while open.stamps.front().is_some_and(|(_, done)| *done) {
            open.stamps.pop_front();
        }
        let current = open.stamps.front().map_or(open.last, |(first, _)| first - 1);
        self.current.store(current, Ordering::Release);
    }
}

impl Issued {
    /// The stamp.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.0.stamp
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.watermark.done(self.stamp);
    }
}

#[cfg(test)]
mod tests {
    use super::Watermark;

    #[test]
    fn stamps_rise_even_when_the_clock_goes_back() {
        let watermark = Watermark::new(100);
        assert_eq!(watermark.issue(50).stamp(), 101);
        assert_eq!(watermark.issue(200).stamp(), 200);
        assert_eq!(watermark.issue(200).stamp(), 201);
    }

    #[test]
    fn stamps_are_above_all_that_was_heard_of() {
        let watermark = Watermark::new(100);
        watermark.observe(500);
        watermark.observe(300);
        assert_eq!(watermark.current(), 100, "nothing was handed over");
        assert_eq!(watermark.issue(200).stamp(), 501);
        assert_eq!(watermark.current(), 501, "and that was dropped at once");
    }

    #[test]
    fn with_nothing_open_the_watermark_follows_the_clock() {
        let watermark = Watermark::new(0);
        watermark.tick(50);
        assert_eq!(watermark.current(), 50);
        let open = watermark.issue(60);
        watermark.tick(70);
        assert_eq!(watermark.current(), 50, "a change is under way");
        drop(open);
        assert_eq!(watermark.current(), 70, "the clock had reached that while it was");
        assert_eq!(watermark.issue(65).stamp(), 71, "and nothing is stamped at or below it any more");
        watermark.observe(200);
        watermark.tick(100);
        assert_eq!(watermark.current(), 200);
    }

    #[test]
    fn the_watermark_stays_below_every_open_stamp() {
        let watermark = Watermark::new(0);
        let first = watermark.issue(10);
        let second = watermark.issue(20);
        assert_eq!(watermark.current(), 0, "nothing has been handed over");
        drop(second);
        assert_eq!(watermark.current(), 9, "the first is still open");
        drop(first);
        assert_eq!(watermark.current(), 20);
    }
}
