//! What a generator counts and measures, and how the parts of several generators become one.
//!
//! Not here: what is judged a violation ([`super::room`]).

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Latencies above ten minutes are all the same.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Examples of what went wrong that a report quotes: enough to begin looking, few enough to read.
pub const EXAMPLES_MAX: usize = 20;

/// Numbers that only rise during a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events sent.
    pub sent: u64,
    /// Events answered with status 200.
    pub answered: u64,
    /// Events answered otherwise.
    pub refused: u64,
    /// Events without an answer.
    pub unanswered: u64,
    /// Sessions that ended although the plan did not say so.
    pub disconnected: u64,
    /// Sessions that the server closed as the scenario expects it.
    pub let_go: u64,
    /// Slots of the flow that reached a session, each author's own among them.
    pub deliveries: u64,
    /// Records of any kind received.
    pub records: u64,
    /// Frames received.
    pub frames: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Slots that came again unchanged in a catch-up, which the protocol allows.
    pub repeats: u64,
    /// Slots that came again unchanged on a live connection, although nothing called for it.
    pub doubled: u64,
    /// One number with two contents, or one message under two numbers.
    pub conflicts: u64,
    /// Slots that a session was not sent although later ones came.
    pub gaps: u64,
    /// Slots that came after a later one.
    pub reorders: u64,
    /// Slots at the end of a conversation that a session was not sent, and answered events that are not where their answer says.
    pub lost: u64,
    /// Headers whose `unread_count` is not what the messages say.
    pub drifts: u64,
    /// Horizons lower than one before on the same connection.
    pub falls: u64,
    /// Gaps that a header showed instead of replaying them.
    pub shown_gaps: u64,
}

impl Counts {
    /// Broken promises.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.doubled + self.conflicts + self.gaps + self.reorders + self.lost + self.drifts + self.falls
    }

    /// Adds another part's numbers.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.sent, other.sent),
            (&mut self.answered, other.answered),
            (&mut self.refused, other.refused),
            (&mut self.unanswered, other.unanswered),
            (&mut self.disconnected, other.disconnected),
            (&mut self.let_go, other.let_go),
            (&mut self.deliveries, other.deliveries),
            (&mut self.records, other.records),
            (&mut self.frames, other.frames),
            (&mut self.bytes, other.bytes),
            (&mut self.repeats, other.repeats),
            (&mut self.doubled, other.doubled),
            (&mut self.conflicts, other.conflicts),
            (&mut self.gaps, other.gaps),
            (&mut self.reorders, other.reorders),
            (&mut self.lost, other.lost),
            (&mut self.drifts, other.drifts),
            (&mut self.falls, other.falls),
            (&mut self.shown_gaps, other.shown_gaps),
        ];
        for (sum, part) in pairs {
            *sum += part;
        }
    }
}

/// Durations in microseconds, three digits precise.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // Three digits: more precise than any two runs are alike.
        Self(Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are constants that fit"))
    }
}

impl Times {
    /// Books one duration.
    pub fn record(&mut self, us: u64) {
        self.0.saturating_record(us);
    }

    /// Adds another part's durations.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// How many were booked.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that so many of a hundred do not exceed, in microseconds; 0 when nothing was booked.
    #[must_use]
    pub fn percentile(&self, share: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_percentile(share) }
    }

    /// The longest, in microseconds.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }
}

/// As `[microseconds, how often]` pairs: readable, and exact to the histogram's precision.
impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_since_last_iteration())),
        )
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = Vec::<(u64, u64)>::deserialize(deserializer)?;
        let mut times = Self::default();
        for (us, count) in pairs {
            times.0.saturating_record_n(us, count);
        }
        Ok(times)
    }
}

/// What one generator, or all of them together, bring home.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Numbers of the whole run.
    pub counts: Counts,
    /// From an event's intended time to its answer, by kind of event.
    pub answers: BTreeMap<String, Times>,
    /// From an event's intended time to its arrival at each other session, by kind of event.
    pub deliveries: BTreeMap<String, Times>,
    /// From a message's intended time to its arrival at the last session of its conversation in the same generator.
    pub last_deliveries: Times,
    /// From the begin of a connection to the end of its sync.
    pub connects: Times,
    /// The same for those that were in sync before, from the begin of the new connection to the end of the catch-up.
    pub reconnects: Times,
    /// Sessions closed by the server, by code.
    pub closes: BTreeMap<u16, u64>,
    /// How late the generator sent.
    pub lateness: Times,
    /// How long one turn of the generator took: what has arrived waits for so long at most before its time is taken.
    pub turns: Times,
    /// How much of the measured time the busiest generator was at work, from 0 to 1.
    pub busy_share: f64,
    /// The first few of what went wrong, in words.
    pub examples: Vec<String>,
}

impl Tally {
    /// Adds another generator's part.
    pub fn merge(&mut self, other: Self) {
        self.counts.add(&other.counts);
        for (into, from) in [(&mut self.answers, other.answers), (&mut self.deliveries, other.deliveries)] {
            for (kind, times) in from {
                into.entry(kind).or_default().add(&times);
            }
        }
        self.last_deliveries.add(&other.last_deliveries);
        self.connects.add(&other.connects);
        self.reconnects.add(&other.reconnects);
        for (code, count) in other.closes {
            *self.closes.entry(code).or_default() += count;
        }
        self.lateness.add(&other.lateness);
        self.turns.add(&other.turns);
        self.busy_share = self.busy_share.max(other.busy_share);
        for example in other.examples {
            self.example(example);
        }
    }

    /// Keeps an example while there is room for it.
    pub fn example(&mut self, example: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }

    /// All answers, whatever the kind of event.
    #[must_use]
    pub fn all_answers(&self) -> Times {
        sum(&self.answers)
    }

    /// All deliveries, whatever the kind of event.
    #[must_use]
    pub fn all_deliveries(&self) -> Times {
        sum(&self.deliveries)
    }

    /// True when no promise was broken, every event was answered with success and every session lived.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Counts { refused, unanswered, disconnected, .. } = self.counts;
        self.counts.violations() + refused + unanswered + disconnected == 0
    }
}

fn sum(parts: &BTreeMap<String, Times>) -> Times {
    let mut all = Times::default();
    parts.values().for_each(|part| all.add(part));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_and_survive_json() {
        let mut first = Tally::default();
        first.counts.sent = 2;
        first.answers.entry("post".into()).or_default().record(1_000);
        first.example("one".into());
        let mut second = Tally::default();
        second.counts.sent = 3;
        second.counts.gaps = 1;
        second.answers.entry("post".into()).or_default().record(3_000);
        second.answers.entry("pen".into()).or_default().record(5);
        second.busy_share = 0.5;
        let text = serde_json::to_string(&second).unwrap();
        first.merge(serde_json::from_str(&text).unwrap());
        assert_eq!((first.counts.sent, first.counts.violations()), (5, 1));
        assert_eq!(first.answers["post"].count(), 2);
        assert_eq!(first.all_answers().count(), 3);
        assert!(first.answers["post"].max().abs_diff(3_000) <= 3);
        assert!((first.busy_share - 0.5).abs() < f64::EPSILON);
        assert!(!first.is_clean());
    }
}
