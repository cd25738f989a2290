//! Random choices that a printed seed repeats. Not here: what is chosen.

/// The setting that repeats an earlier run.
const SEED: &str = "RILL_TEST_SEED";

/// A small generator (splitmix64): its quality is ample for choosing what to do next.
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator whose seed is printed, or given by the environment.
    pub(crate) fn printed(test: &str) -> Self {
        let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
        println!("{test}: {SEED}={seed}");
        Self::seeded(seed)
    }

    /// A generator of a seed that somebody else prints.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for one of several threads.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `bound`, which is left out.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = self.next() % bound.max(1) as u64;
        usize::try_from(drawn).expect("it is below a usize")
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
