//! How fast a session may send: a bucket of events.

use std::time::Instant;

/// A person sends a handful of events in a second; a bot that relays a busy room some hundreds. What a session may send
/// on and on.
pub const EVENTS_PER_SECOND_MAX: f64 = 2_000.0;

/// What a session may send at once, after having been quiet: a client that comes back with a day's work.
pub const EVENTS_BURST_MAX: f64 = 10_000.0;

/// How many events are refused, as the warning, before the session is closed.
const WARNINGS_MAX: f64 = 1_000.0;

/// What is to be done with an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Carry it out.
    Fine,
    /// Refuse it: this is the warning.
    Warned,
    /// The warning was not heeded: close.
    Enough,
}

/// A session's bucket. Below zero it counts the warnings.
pub(super) struct Rate {
    left: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: EVENTS_BURST_MAX, at: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> Verdict {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * EVENTS_PER_SECOND_MAX;
        self.at = now;
        self.left = (self.left + gained).min(EVENTS_BURST_MAX);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Verdict::Fine;
        }
        self.left -= 1.0;
        if self.left < -WARNINGS_MAX { Verdict::Enough } else { Verdict::Warned }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{EVENTS_BURST_MAX, Rate, Verdict};

    #[test]
    fn a_burst_passes_then_warns_then_ends() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let mut count = 0.0;
        while rate.take(now) == Verdict::Fine {
            count += 1.0;
        }
        assert!((count - EVENTS_BURST_MAX).abs() < 1.0);
        assert!((0..2_000).any(|_| rate.take(now) == Verdict::Enough));
    }

    #[test]
    fn a_pause_makes_good() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        while rate.take(now) == Verdict::Fine {}
        assert_eq!(rate.take(now + Duration::from_secs(1)), Verdict::Fine);
    }
}
