//! When events are due: times fixed in advance, whatever the server does (open loop). And the dice that everything else is chosen by.
//!
//! Pure. Not here: who writes and what.

/// Random numbers, the same for the same seed (xorshift; nothing secret depends on them).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Any odd number spreads the seeds; the state must not be 0.
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// From 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        // 53 bits, as many as fit.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A key that masks a frame.
    pub(super) fn key(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }
}

/// Events at random, independent times of a given mean rate (a Poisson stream), as those of many people are. The same seed gives the same
/// times.
#[derive(Debug)]
pub(super) struct Arrivals {
    dice: Dice,
    mean_us: f64,
    next_us: f64,
}

impl Arrivals {
    /// None at a rate of 0.
    pub(super) fn new(begin_us: u64, rate: f64, seed: u64) -> Option<Self> {
        if rate <= 0.0 {
            return None;
        }
        let mut arrivals = Self { dice: Dice::new(seed), mean_us: 1e6 / rate, next_us: begin_us as f64 };
        arrivals.take();
        Some(arrivals)
    }

    /// When the next event is due.
    pub(super) fn next_us(&self) -> u64 {
        self.next_us as u64
    }

    /// Takes the event that is due.
    pub(super) fn take(&mut self) {
        self.next_us += -(1.0 - self.dice.share()).ln() * self.mean_us;
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
            assert_eq!(arrivals.next_us(), again.next_us());
            arrivals.take();
            again.take();
        }
        let seconds = (arrivals.next_us() - 1_000_000) as f64 / 1e6;
        assert!((19.0..21.0).contains(&seconds), "10,000 events at 500 a second took {seconds} s");
        assert!(Arrivals::new(0, 0.0, 1).is_none());
    }
}
