//! When events are due: times fixed in advance, whatever the server does (open loop).
//!
//! Pure. Not here: who writes and what.

/// Events at random, independent times of a given mean rate (a Poisson stream), as those of many people are. The same seed gives the same
/// times.
#[derive(Debug)]
pub(super) struct Arrivals {
    state: u64,
    mean_us: f64,
    next_us: f64,
}

impl Arrivals {
    /// None at a rate of 0.
    pub(super) fn new(begin_us: u64, rate: f64, seed: u64) -> Option<Self> {
        if rate <= 0.0 {
            return None;
        }
        // Any odd number spreads the seeds; the state must not be 0.
        let state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut arrivals = Self { state, mean_us: 1e6 / rate, next_us: begin_us as f64 };
        arrivals.advance();
        Some(arrivals)
    }

    /// When the next event is due.
    pub(super) fn next_us(&self) -> u64 {
        self.next_us as u64
    }

    /// Takes the event that is due and gives a random number to choose its writer by.
    pub(super) fn take(&mut self) -> u64 {
        self.advance();
        self.random()
    }

    fn advance(&mut self) {
        // 53 bits, as many as fit, and never 0.
        let uniform = ((self.random() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.next_us += -uniform.ln() * self.mean_us;
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_the_rate_and_the_same_seed_gives_the_same_times() {
        let mut arrivals = Arrivals::new(1_000_000, 500.0, 3).unwrap();
        let mut again = Arrivals::new(1_000_000, 500.0, 3).unwrap();
        for _ in 0..10_000 {
            assert_eq!((arrivals.next_us(), arrivals.take()), (again.next_us(), again.take()));
        }
        let seconds = (arrivals.next_us() - 1_000_000) as f64 / 1e6;
        assert!((19.0..21.0).contains(&seconds), "10,000 events at 500 a second took {seconds} s");
        assert!(Arrivals::new(0, 0.0, 1).is_none());
    }
}
