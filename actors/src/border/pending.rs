//! Events of sessions here that went to other nodes, or wait for a view: until they are answered they may be sent again.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rill_proto::refusal::Refusal;

use super::order::Order;
use crate::hub::Item;
use crate::presence::{Lane, LaneName};
use crate::session::Submit;

/// How long an event may go unanswered by other nodes: twice what putting a dead node out and taking over takes. Its session
/// is told that it may be tried again.
const WAIT: Duration = Duration::from_secs(10);

/// One event of one frame of one session.
type Place = (LaneName, u64, u16);

#[derive(Default)]
struct Kept {
    last: u64,
    /// In the order in which they came.
    events: BTreeMap<u64, (Submit, Instant)>,
    by_place: HashMap<Place, u64>,
}

/// Those that nobody has answered yet. Bounded by what the sessions have under way.
#[derive(Default)]
pub(super) struct Pending {
    kept: Mutex<Kept>,
    count: AtomicUsize,
}

fn place(submit: &Submit) -> Place {
    (submit.lane.name(), submit.frame, submit.index)
}

impl Pending {
    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut kept);
        self.count.store(kept.events.len(), Ordering::Release);
        changed
    }

    /// Keeps the event that a message is about, where its session is here. One that has been kept keeps its place.
    pub(super) fn keep(&self, order: &Order) {
        let Some(submit) = order.event().filter(|submit| submit.lane.home().is_none()) else { return };
        self.with(|kept| {
            if !kept.by_place.contains_key(&place(submit)) {
                kept.last += 1;
                kept.by_place.insert(place(submit), kept.last);
                kept.events.insert(kept.last, (submit.clone(), Instant::now()));
            }
        });
    }

    /// An event has been answered. False when it had been already, or was none of these.
    pub(super) fn answered(&self, lane: &Lane, frame: u64, index: u16) -> bool {
        // Answers of events that never left this node come by here as well.
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        self.with(|kept| {
            let number = kept.by_place.remove(&(lane.name(), frame, index));
            number.and_then(|number| kept.events.remove(&number)).is_some()
        })
    }

    /// Those behind the one with this number, in their order. They are kept.
    pub(super) fn after(&self, number: u64) -> Vec<(u64, Submit)> {
        self.with(|kept| {
            let gone = |submit: &Submit| !submit.lane.is_alive();
            let Kept { events, by_place, .. } = kept;
            events.retain(|_, (submit, _)| {
                if gone(submit) {
                    by_place.remove(&place(submit));
                }
                !gone(submit)
            });
            events.range(number + 1..).map(|(number, (submit, _))| (*number, submit.clone())).collect()
        })
    }

    /// Those of one lane, in their order. They are kept.
    pub(super) fn of(&self, lane: &Lane) -> Vec<Submit> {
        self.with(|kept| {
            kept.events
                .values()
                .filter(|(submit, _)| submit.lane == *lane)
                .map(|(submit, _)| submit.clone())
                .collect()
        })
    }

    /// Answers for those that have waited for too long; for all of them where none is to come any more.
    pub(super) fn expired(&self, is_over: bool) -> Vec<Item> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        self.with(|kept| {
            let mut faults = Vec::new();
            let Kept { events, by_place, .. } = kept;
            events.retain(|_, (submit, since)| {
                let stays = !is_over && since.elapsed() < WAIT;
                if !stays {
                    by_place.remove(&place(submit));
                    faults.push(submit.answer(Err(&Refusal::unavailable())));
                }
                stays
            });
            faults
        })
    }
}
