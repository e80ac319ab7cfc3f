use std::time::Duration;

/// The source of randomness of one manager: the same seed gives the same run. It is `SplitMix64`,
/// which is plenty to spread retries and no good for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A duration between these two, both included, in whole milliseconds.
    pub(crate) fn between(&mut self, (shortest, longest): (Duration, Duration)) -> Duration {
        let span = longest.saturating_sub(shortest).as_millis();
        let offset = u128::from(self.next()) % (span + 1);
        shortest.saturating_add(Duration::from_millis(
            u64::try_from(offset).unwrap_or(u64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_in_their_range_and_differ() {
        let range = (Duration::from_secs(270), Duration::from_secs(330));
        let mut jitter = Jitter::new(1);
        let drawn: Vec<_> = (0..100).map(|_| jitter.between(range)).collect();
        assert!(
            drawn
                .iter()
                .all(|delay| (range.0..=range.1).contains(delay))
        );
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
        let mut again = Jitter::new(1);
        assert_eq!(
            drawn[0],
            again.between(range),
            "the same seed gives the same delays"
        );
    }
}
