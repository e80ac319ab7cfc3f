use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::StorageKey;
use base::ids::RegistrationId;
use url::Url;

/// The registration map: which registration an origin has for a scope.
///
/// Scopes are looked up by hash, and so is the origin. To find the longest scope that is a prefix of
/// a URL, the prefixes of the URL are looked up, the longest first, but only those of a length that
/// some scope of the origin has. So a match costs at most one look-up per byte of the URL, in
/// practice one for each depth at which the site has scopes, however many registrations there are.
///
/// <https://w3c.github.io/ServiceWorker/#dfn-scope-to-registration-map>
#[derive(Debug, Default)]
pub(crate) struct ScopeMap {
    origins: HashMap<StorageKey, OriginScopes>,
}

#[derive(Debug, Default)]
struct OriginScopes {
    by_scope: HashMap<String, RegistrationId>,
    /// How many scopes have this length.
    lengths: BTreeMap<usize, usize>,
    registrations: BTreeSet<RegistrationId>,
}

impl ScopeMap {
    /// <https://w3c.github.io/ServiceWorker/#set-registration-algorithm>
    pub(crate) fn insert(
        &mut self,
        storage_key: &StorageKey,
        scope: &Url,
        registration: RegistrationId,
    ) {
        self.remove(storage_key, scope);
        let origin = self.origins.entry(storage_key.clone()).or_default();
        let scope = scope.as_str().to_owned();
        *origin.lengths.entry(scope.len()).or_default() += 1;
        origin.registrations.insert(registration);
        origin.by_scope.insert(scope, registration);
    }

    pub(crate) fn remove(&mut self, storage_key: &StorageKey, scope: &Url) {
        let Some(origin) = self.origins.get_mut(storage_key) else {
            return;
        };
        let Some(registration) = origin.by_scope.remove(scope.as_str()) else {
            return;
        };
        origin.registrations.remove(&registration);
        let length = scope.as_str().len();
        if let Some(count) = origin.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                origin.lengths.remove(&length);
            }
        }
        if origin.by_scope.is_empty() {
            self.origins.remove(storage_key);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#get-registration-algorithm>
    pub(crate) fn registration(
        &self,
        storage_key: &StorageKey,
        scope: &Url,
    ) -> Option<RegistrationId> {
        self.origins
            .get(storage_key)?
            .by_scope
            .get(scope.as_str())
            .copied()
    }

    /// <https://w3c.github.io/ServiceWorker/#scope-match-algorithm>
    pub(crate) fn longest_match(
        &self,
        storage_key: &StorageKey,
        url: &Url,
    ) -> Option<RegistrationId> {
        let origin = self.origins.get(storage_key)?;
        let url = url.as_str();
        origin
            .lengths
            .range(..=url.len())
            .rev()
            .filter_map(|(&length, _)| url.get(..length))
            .find_map(|prefix| origin.by_scope.get(prefix).copied())
    }

    /// The registrations of an origin, in the order in which they were made.
    pub(crate) fn registrations(
        &self,
        storage_key: &StorageKey,
    ) -> impl Iterator<Item = RegistrationId> {
        self.origins
            .get(storage_key)
            .into_iter()
            .flat_map(|origin| origin.registrations.iter().copied())
    }

    pub(crate) fn count(&self, storage_key: &StorageKey) -> usize {
        self.origins
            .get(storage_key)
            .map_or(0, |origin| origin.by_scope.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    fn map(scopes: &[&str]) -> ScopeMap {
        let mut map = ScopeMap::default();
        for (number, scope) in (1..).zip(scopes) {
            let scope = url(scope);
            let key = StorageKey::from_url(&scope).unwrap();
            map.insert(&key, &scope, RegistrationId(number));
        }
        map
    }

    fn matching(map: &ScopeMap, address: &str) -> Option<u64> {
        let address = url(address);
        let key = StorageKey::from_url(&address).unwrap();
        map.longest_match(&key, &address).map(|id| id.0)
    }

    #[test]
    fn the_longest_scope_wins() {
        let map = map(&["https://a.test/", "https://a.test/x/", "https://a.test/x/y"]);
        assert_eq!(matching(&map, "https://a.test/"), Some(1));
        assert_eq!(matching(&map, "https://a.test/x"), Some(1));
        assert_eq!(matching(&map, "https://a.test/x/"), Some(2));
        assert_eq!(matching(&map, "https://a.test/x/z?y"), Some(2));
        assert_eq!(
            matching(&map, "https://a.test/x/yes"),
            Some(3),
            "prefixes, not folders"
        );
        assert_eq!(matching(&map, "https://b.test/x/yes"), None);
    }

    #[test]
    fn what_is_removed_matches_no_more() {
        let mut map = map(&["https://a.test/", "https://a.test/x", "https://a.test/y"]);
        let key = StorageKey::from_url(&url("https://a.test/")).unwrap();
        map.remove(&key, &url("https://a.test/x"));
        map.remove(&key, &url("https://a.test/never-there"));
        assert_eq!(matching(&map, "https://a.test/x"), Some(1));
        assert_eq!(matching(&map, "https://a.test/y"), Some(3));
        assert_eq!(
            map.registrations(&key).collect::<Vec<_>>(),
            [1, 3].map(RegistrationId)
        );
        assert_eq!(map.count(&key), 2);
    }

    #[test]
    fn a_query_of_the_scope_is_part_of_it() {
        let map = map(&["https://a.test/x?q=1"]);
        assert_eq!(matching(&map, "https://a.test/x?q=12"), Some(1));
        assert_eq!(matching(&map, "https://a.test/x?q=2"), None);
        assert_eq!(matching(&map, "https://a.test/x"), None);
    }
}
