use std::time::Duration;

/// The source of randomness of one monitor: the same seed gives the same run. It is `SplitMix64`,
/// which is plenty to spread retries and no good for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A duration between these two, both included, in whole milliseconds.
    pub(crate) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        let span = longest.saturating_sub(shortest).as_millis();
        let offset = u128::from(self.next()) % (span + 1);
        shortest.saturating_add(Duration::from_millis(
            u64::try_from(offset).unwrap_or(u64::MAX),
        ))
    }
}
