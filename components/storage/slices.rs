//! How many changes go to sled before they are made durable.
//!
//! What matters is how much log sled writes for them, and that is known only afterwards: a change
//! may be written alone, or with its page, and sled moves other pages on the way. So each slice
//! goes by what those before it took.

/// How much log a slice is to take: an eighth of one of sled's segments.
const LOG: usize = 64 << 10;
/// How long the changes of a slice are together, unless there is only one.
const BYTES: usize = 32 << 10;
/// How many changes are in a slice.
const FEWEST: usize = 4;
const MOST: usize = 128;

/// What is known of the log that changes take.
pub(crate) struct Slices {
    /// How many changes the next slice has at most.
    changes: usize,
}

impl Default for Slices {
    fn default() -> Self {
        Self { changes: FEWEST }
    }
}

/// A slice that is being filled.
pub(crate) struct Slice {
    limit: usize,
    changes: usize,
    bytes: usize,
}

impl Slices {
    pub(crate) fn begin(&self) -> Slice {
        Slice {
            limit: self.changes,
            changes: 0,
            bytes: 0,
        }
    }

    /// A slice took so many bytes of log.
    pub(crate) fn measured(&mut self, slice: &Slice, log: usize) {
        // sled counts only what it had not written before it was asked to.
        let log = log.max(slice.bytes).max(1);
        let fitting = slice.changes.saturating_mul(LOG) / log;
        self.changes = fitting.min(2 * self.changes).clamp(FEWEST, MOST);
    }
}

impl Slice {
    /// Take a change of this length, if there is room for it.
    pub(crate) fn takes(&mut self, bytes: usize) -> bool {
        let fits = self.changes < self.limit && self.bytes.saturating_add(bytes) <= BYTES;
        if fits || self.changes == 0 {
            self.changes += 1;
            self.bytes = self.bytes.saturating_add(bytes);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(slices: &Slices, length: usize) -> Slice {
        let mut slice = slices.begin();
        while slice.takes(length) {}
        slice
    }

    #[test]
    fn a_slice_is_as_long_as_the_log_that_the_last_took_allows() {
        let mut slices = Slices::default();
        assert_eq!(fill(&slices, 100).changes, FEWEST);
        for _ in 0..10 {
            let slice = fill(&slices, 100);
            slices.measured(&slice, 800 * slice.changes);
        }
        assert_eq!(fill(&slices, 100).changes, 81);
        let slice = fill(&slices, 100);
        slices.measured(&slice, 400 << 10);
        assert_eq!(fill(&slices, 100).changes, 12);
        let slice = fill(&slices, 100);
        slices.measured(&slice, 10 << 20);
        assert_eq!(fill(&slices, 100).changes, FEWEST);
    }

    #[test]
    fn a_slice_is_bounded_by_the_length_of_its_changes_and_takes_one_at_least() {
        let mut slices = Slices::default();
        for _ in 0..10 {
            let slice = fill(&slices, 100);
            slices.measured(&slice, 0);
        }
        assert_eq!(fill(&slices, 100).changes, MOST);
        assert_eq!(fill(&slices, 4097).changes, 7);
        assert_eq!(fill(&slices, 1 << 20).changes, 1);
    }
}
