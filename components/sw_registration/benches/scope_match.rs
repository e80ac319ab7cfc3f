use std::collections::BTreeMap;
use std::hint::black_box;
use std::ops::Bound;

use base::StorageKey;
use base::ids::RegistrationId;
use bench_support::Bench;
use bench_support::criterion::{BenchmarkId, Criterion};
use url::Url;

use crate::scope_map::ScopeMap;
use crate::sites::Shape;

/// Finding the registration whose scope matches an address, in the component's map, by walking over
/// all scopes, and in a sorted map.
pub(crate) fn scope_match(bench: &mut Bench) {
    for shape in Shape::ALL {
        for count in bench.choose(vec![1, 1_000, 100_000, 1_000_000], vec![1, 1_000]) {
            bench.criterion(|criterion| measure(criterion, shape, count));
        }
    }
}

fn measure(criterion: &mut Criterion, shape: Shape, count: u64) {
    let addresses = shape.addresses(count);
    let mut group = criterion.benchmark_group(format!("scope match, {}", shape.name()));
    let mut run = |who: &str, find: &dyn Fn(&StorageKey, &Url) -> Option<RegistrationId>| {
        group.bench_function(BenchmarkId::new(who, count), |bencher| {
            let mut addresses = addresses.iter().cycle();
            bencher.iter(|| {
                let (storage_key, address) = addresses.next().unwrap();
                let found = find(storage_key, black_box(address));
                assert!(found.is_some());
                found
            });
        });
    };

    let scopes = (0..count).map(|number| shape.scope(number));
    let scopes: Vec<(StorageKey, Url)> = scopes
        .map(|scope| (StorageKey::from_url(&scope).unwrap(), scope))
        .collect();

    let mut map = ScopeMap::default();
    for (number, (storage_key, scope)) in (0..).zip(&scopes) {
        map.insert(storage_key, scope, RegistrationId(number));
    }
    run("scope map", &|storage_key, address| {
        map.longest_match(storage_key, address)
    });
    drop(map);

    run("linear walk", &|storage_key, address| {
        walk(&scopes, storage_key, address)
    });

    let mut sorted: Sorted = BTreeMap::new();
    for (number, (storage_key, scope)) in (0..).zip(scopes) {
        let origin = sorted.entry(storage_key).or_default();
        origin.insert(scope.into(), RegistrationId(number));
    }
    run("sorted map", &|storage_key, address| {
        search(&sorted, storage_key, address)
    });
}

fn walk(
    scopes: &[(StorageKey, Url)],
    storage_key: &StorageKey,
    address: &Url,
) -> Option<RegistrationId> {
    (0..)
        .zip(scopes)
        .filter(|(_, (origin, scope))| {
            origin == storage_key && address.as_str().starts_with(scope.as_str())
        })
        .max_by_key(|(_, (_, scope))| scope.as_str().len())
        .map(|(number, _)| RegistrationId(number))
}

fn up_to(end: &str) -> (Bound<&str>, Bound<&str>) {
    (Bound::Unbounded, Bound::Included(end))
}

type Sorted = BTreeMap<StorageKey, BTreeMap<String, RegistrationId>>;

/// The last scope that is not after the address is the one, or what it has in common with the
/// address holds all that can be.
fn search(sorted: &Sorted, storage_key: &StorageKey, address: &Url) -> Option<RegistrationId> {
    let scopes = sorted.get(storage_key)?;
    let mut wanted = address.as_str();
    loop {
        let (scope, registration) = scopes.range::<str, _>(up_to(wanted)).next_back()?;
        if wanted.starts_with(scope.as_str()) {
            return Some(*registration);
        }
        let mut pairs = wanted.char_indices().zip(scope.chars());
        let (end, _) = pairs.find_map(|((at, one), other)| (one != other).then_some((at, one)))?;
        wanted = &wanted[..end];
    }
}
