use std::time::Duration;

use hdrhistogram::Histogram;

/// How long each of many operations took.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        // Three digits are far more than a machine repeats.
        Self(Histogram::new(3).unwrap())
    }
}

impl Latencies {
    /// One operation took this long.
    pub fn record(&mut self, duration: Duration) {
        self.record_many(duration, 1);
    }

    /// Several operations together took this long, and each of them waited for the end.
    pub fn record_many(&mut self, duration: Duration, count: u64) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.record_n(nanos, count).unwrap();
    }

    /// The time in nanoseconds within which this share of the operations ended.
    #[expect(clippy::cast_precision_loss, reason = "three digits are kept")]
    pub fn quantile(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64
    }

    /// How many operations there were.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}
