//! How long to wait before the next try to connect.
//!
//! Owns the growth, the jitter, and the reading of what a close frame asks for. Pure: the caller brings the random
//! number. The jitter keeps the clients of a restarted node from coming back in one instant.

use std::time::Duration;

/// The first wait; it doubles with each failure.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait by our own choice: a person who sees "reconnecting" should not have to wait longer.
const LONGEST: Duration = Duration::from_secs(30);

/// No server can send this client away for longer than this, not even with a number that has gone wrong.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// The failures since the last time that the link was live.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The link is live.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next try, given what the server asked for and a random number from 0 to 1.
    pub(crate) fn next_wait(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        // 2^6 times the first wait is above the longest one already.
        let grown = (FIRST * 2_u32.pow(self.failures.min(6))).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        match asked {
            // Never earlier than asked. A node that drains asks for no wait, but that holds for the first try only.
            Some(asked) if self.failures == 1 || asked > Duration::ZERO => {
                asked.min(LONGEST_ASKED) + FIRST.mul_f64(random)
            }
            _ => grown.mul_f64(0.5 + random / 2.0),
        }
    }
}

/// The wait that a close asks for: 1012 means now unless its reason has a number of milliseconds, 1013 names one.
pub(crate) fn asked_wait(code: u16, reason: &str) -> Option<Duration> {
    if code != 1012 && code != 1013 {
        return None;
    }
    let digits = reason.split(|character: char| !character.is_ascii_digit()).find(|part| !part.is_empty());
    match digits {
        Some(digits) => Some(Duration::from_millis(digits.parse().unwrap_or(u64::MAX))),
        None => (code == 1012).then_some(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_starts_again_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.next_wait(None, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next_wait(None, 0.0), Duration::from_millis(250));
    }

    #[test]
    fn a_close_names_the_wait() {
        assert_eq!(asked_wait(1013, "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(asked_wait(1013, "overloaded, retry in 250 ms"), Some(Duration::from_millis(250)));
        assert_eq!(asked_wait(1013, "soon"), None);
        assert_eq!(asked_wait(1012, "draining"), Some(Duration::ZERO));
        assert_eq!(asked_wait(1011, "1500"), None);
        assert_eq!(asked_wait(1013, "99999999999999999999999"), Some(Duration::from_millis(u64::MAX)));
    }

    #[test]
    fn an_asked_wait_is_kept_and_a_wild_one_is_cut() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_millis(1500);
        assert_eq!(backoff.next_wait(Some(asked), 0.0), asked);
        assert_eq!(backoff.next_wait(Some(Duration::MAX), 1.0), LONGEST_ASKED + FIRST);
    }

    #[test]
    fn a_node_that_drains_again_and_again_is_not_hammered() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_wait(Some(Duration::ZERO), 0.0), Duration::ZERO);
        assert_eq!(backoff.next_wait(Some(Duration::ZERO), 0.0), Duration::from_millis(500));
    }
}
