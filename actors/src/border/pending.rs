//! Events of sessions here, wherever their owners are: until they are answered they may be sent again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rill_proto::refusal::Refusal;

use crate::hub::Item;
use crate::presence::{Lane, LaneName};
use crate::session::Submit;

/// How long an event may go unanswered: twice what putting a dead node out and taking over takes. Its session
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
}

fn place(submit: &Submit) -> Place {
    (submit.lane.name(), submit.frame, submit.index)
}

impl Pending {
    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an event. One that has been kept keeps its place.
    pub(super) fn keep(&self, submit: &Submit) {
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

    /// Answers for those that have waited for too long; for all of them where none is to come any more. They are kept until these
    /// have been let in.
    pub(super) fn expired(&self, is_over: bool) -> Vec<Item> {
        self.with(|kept| {
            let expired = kept.events.values().filter(|(_, since)| is_over || since.elapsed() >= WAIT);
            expired.map(|(submit, _)| submit.answer(Err(&Refusal::unavailable()))).collect()
        })
    }
}
