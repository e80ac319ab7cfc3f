//! Handlers that register their tag anew as soon as its event has ended. Each time the record is
//! gone by then, so how often in a row that happened is remembered here.

use std::collections::BTreeMap;
use std::time::Duration;

use base::time::MonotonicTime;

use crate::record::SyncKey;

/// How many tags are remembered. Those whose event ended last tell more than the others.
const MAX_TAGS: usize = 1_000;

/// The tags whose event ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Refires {
    tags: BTreeMap<SyncKey, Ending>,
}

#[derive(Clone, Copy, Debug)]
struct Ending {
    at: MonotonicTime,
    refires: u32,
}

impl Refires {
    /// The event of a tag has ended and its registration is gone. It had fired again at once this
    /// many times in a row.
    pub(crate) fn note(&mut self, key: SyncKey, at: MonotonicTime, refires: u32, window: Duration) {
        if self.tags.len() >= MAX_TAGS {
            self.tags
                .retain(|_, ending| ending.at.saturating_add(window) >= at);
        }
        if self.tags.len() >= MAX_TAGS
            && let Some(oldest) = self.tags.iter().min_by_key(|(_, ending)| ending.at)
        {
            let oldest = oldest.0.clone();
            self.tags.remove(&oldest);
        }
        self.tags.insert(key, Ending { at, refires });
    }

    /// A tag is registered that was not there: which time in a row is it that this happens at most
    /// `window` after the end of its event?
    pub(crate) fn take(&mut self, key: &SyncKey, now: MonotonicTime, window: Duration) -> u32 {
        let ending = self.tags.remove(key);
        ending
            .filter(|ending| now <= ending.at.saturating_add(window))
            .map_or(0, |ending| ending.refires.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use base::{DomString, StorageKey};
    use url::Url;

    use super::*;

    #[test]
    fn only_so_many_tags_are_remembered() {
        let scope = Url::parse("https://example.org/").unwrap();
        let key = |number: usize| SyncKey {
            storage_key: StorageKey::from_url(&scope).unwrap(),
            scope: scope.clone(),
            tag: DomString::from(number.to_string().as_str()),
        };
        let window = Duration::from_secs(1);
        let at = |number: usize| {
            MonotonicTime::from_start(Duration::from_micros(u64::try_from(number).unwrap()))
        };
        let mut refires = Refires::default();
        for number in 0..2 * MAX_TAGS {
            refires.note(key(number), at(number), 2, window);
        }
        assert_eq!(refires.tags.len(), MAX_TAGS);
        let now = at(2 * MAX_TAGS);
        assert_eq!(refires.take(&key(0), now, window), 0);
        assert_eq!(refires.take(&key(2 * MAX_TAGS - 1), now, window), 3);
    }
}
