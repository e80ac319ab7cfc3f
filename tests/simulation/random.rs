//! The one source of chance of a run.

use std::time::Duration;

/// `SplitMix64`: the same seed gives the same run.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        // Seeds that lie side by side have nothing in common from here on.
        let start = random.next() ^ seed.rotate_left(32);
        Self(start)
    }

    /// A source of its own for one part of the world, so that what this part draws changes nothing
    /// for the others.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero to below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        usize::try_from(self.next() % bound).expect("it is below a usize")
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these; there is at least one.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of these, each as often as its weight says; one has a weight that is not zero.
    pub(crate) fn weighted<T: Copy>(&mut self, from: &[(usize, T)]) -> T {
        let total = from.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.below(total);
        for (weight, value) in from {
            if drawn < *weight {
                return *value;
            }
            drawn -= weight;
        }
        unreachable!("what is drawn is below the sum of the weights")
    }

    /// A duration between these two, both included, in whole milliseconds.
    pub(crate) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = longest.saturating_sub(shortest).as_millis();
        let offset = u128::from(self.next()) % (span + 1);
        shortest + Duration::from_millis(u64::try_from(offset).expect("no run is that long"))
    }

    /// A duration of up to this many milliseconds.
    pub(crate) fn up_to_millis(&mut self, millis: u64) -> Duration {
        self.between(Duration::ZERO, Duration::from_millis(millis))
    }
}
