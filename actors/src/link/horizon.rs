//! How far sessions of this node may be told to be.
//!
//! The own watermark, but never above the *ceiling*: the lowest that the others announced under the view that stands. Read
//! for every pass of every hub, so it is a few atomic loads. Not here: when the ceiling may rise (`membership`).
//!
//! Whoever reads loads the watermark first and the ceiling second; whoever freezes stores the ceiling first and loads the
//! watermark second, which he then announces. So nobody was told more than the freezing node announces afterwards, whichever
//! of them was faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::store::Stamp;
use crate::watermark::Watermark;

/// The bound of what is told.
#[derive(Debug)]
pub(super) struct Horizon {
    own: Arc<Watermark>,
    ceiling: AtomicU64,
    /// Nothing above it is told any more by a node that leaves.
    end: AtomicU64,
    /// The highest that anybody was told: it never goes back.
    told: AtomicU64,
}

impl Horizon {
    /// Nobody may be told anything yet.
    pub(super) fn new(own: Arc<Watermark>) -> Self {
        Self { own, ceiling: AtomicU64::new(0), end: AtomicU64::new(Stamp::MAX), told: AtomicU64::new(0) }
    }

    /// Everything with a stamp up to this has been handed to the hubs of this node, whoever made it.
    pub(super) fn current(&self) -> Stamp {
        let own = self.own.current();
        fence(Ordering::SeqCst);
        let reached = own.min(self.ceiling.load(Ordering::Acquire)).min(self.end.load(Ordering::Acquire));
        if reached <= self.told.load(Ordering::Acquire) {
            return self.told.load(Ordering::Acquire);
        }
        self.told.fetch_max(reached, Ordering::AcqRel).max(reached)
    }

    /// The own watermark.
    pub(super) fn own(&self) -> Stamp {
        self.own.current()
    }

    /// The others have announced this, and everything up to it has been handed over.
    pub(super) fn raise(&self, lowest: Stamp) {
        self.ceiling.fetch_max(lowest, Ordering::AcqRel);
    }

    /// Nobody is told more than somebody may have been told already. The watermark is announced after this only.
    pub(super) fn freeze(&self) {
        let reached = self.own.current().min(self.ceiling.load(Ordering::Acquire));
        self.ceiling.store(reached, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// As [`Horizon::freeze`], for good.
    pub(super) fn end(&self) {
        let reached = self.own.current().min(self.ceiling.load(Ordering::Acquire));
        self.end.fetch_min(reached, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_lower_of_the_watermark_and_what_the_others_announced() {
        let own = Watermark::new(200);
        let horizon = Horizon::new(Arc::clone(&own));
        assert_eq!(horizon.current(), 0, "no view stands");
        horizon.raise(100);
        assert_eq!(horizon.current(), 100);
        horizon.raise(90);
        assert_eq!(horizon.current(), 100, "it never goes back");
        horizon.raise(900);
        assert_eq!(horizon.current(), 200);
        own.tick(300);
        assert_eq!(horizon.current(), 300);
    }

    #[test]
    fn a_frozen_one_stands_whatever_the_watermark_does() {
        let own = Watermark::new(200);
        let horizon = Horizon::new(Arc::clone(&own));
        horizon.raise(900);
        assert_eq!(horizon.current(), 200);
        horizon.freeze();
        own.tick(500);
        assert_eq!(horizon.current(), 200);
        horizon.raise(400);
        assert_eq!(horizon.current(), 400, "a new view stands");
        horizon.end();
        horizon.raise(500);
        assert_eq!(horizon.current(), 400, "none does any more");
    }
}
