//! Handlers that register their tag anew as soon as its event has ended. Each time the record is
//! gone by then, so how often in a row that happened is remembered here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::time::MonotonicTime;

use crate::record::SyncKey;

/// How many tags are remembered. Those whose event ended last tell more than the others.
const MAX_TAGS: usize = 1_000;

/// The tags whose event ended a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Refires {
    tags: HashMap<Arc<SyncKey>, Ending>,
    /// The same tags by the number of their ending.
    in_order: BTreeMap<u64, Arc<SyncKey>>,
    last_number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ending {
    at: MonotonicTime,
    refires: u32,
    /// Counts up from ending to ending.
    number: u64,
}

impl Refires {
    /// The event of a tag has ended and its registration is gone. It had fired again at once this
    /// many times in a row.
    pub(crate) fn note(&mut self, key: Arc<SyncKey>, at: MonotonicTime, refires: u32) {
        self.forget(&key);
        if self.tags.len() >= MAX_TAGS
            && let Some((_, oldest)) = self.in_order.pop_first()
        {
            self.tags.remove(&oldest);
        }
        self.last_number += 1;
        let number = self.last_number;
        self.in_order.insert(number, Arc::clone(&key));
        let ending = Ending {
            at,
            refires,
            number,
        };
        self.tags.insert(key, ending);
    }

    /// A tag is registered that was not there: which time in a row is it that this happens at most
    /// `window` after the end of its event?
    pub(crate) fn take(&mut self, key: &SyncKey, now: MonotonicTime, window: Duration) -> u32 {
        self.forget(key)
            .filter(|ending| now <= ending.at.saturating_add(window))
            .map_or(0, |ending| ending.refires.saturating_add(1))
    }

    fn forget(&mut self, key: &SyncKey) -> Option<Ending> {
        let ending = self.tags.remove(key)?;
        self.in_order.remove(&ending.number);
        Some(ending)
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
        let key = |number: usize| {
            Arc::new(SyncKey {
                storage_key: StorageKey::from_url(&scope).unwrap(),
                scope: scope.clone(),
                kind: sync_traits::SyncKind::OneShot,
                tag: DomString::from(number.to_string().as_str()),
            })
        };
        let window = Duration::from_secs(1);
        let at = |number: usize| {
            MonotonicTime::from_start(Duration::from_micros(u64::try_from(number).unwrap()))
        };
        let mut refires = Refires::default();
        for number in 0..2 * MAX_TAGS {
            refires.note(key(number), at(number), 2);
        }
        // One that ends again is one of those that ended last.
        refires.note(key(MAX_TAGS), at(2 * MAX_TAGS), 1);
        refires.note(key(2 * MAX_TAGS), at(2 * MAX_TAGS), 2);
        assert_eq!(refires.tags.len(), MAX_TAGS);
        assert_eq!(refires.in_order.len(), MAX_TAGS);
        let now = at(2 * MAX_TAGS);
        assert_eq!(refires.take(&key(0), now, window), 0);
        assert_eq!(refires.take(&key(MAX_TAGS), now, window), 2);
        assert_eq!(refires.take(&key(MAX_TAGS + 1), now, window), 0);
        assert_eq!(refires.take(&key(2 * MAX_TAGS - 1), now, window), 3);
    }
}
