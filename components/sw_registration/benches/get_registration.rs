use std::collections::HashMap;
use std::time::{Duration, Instant};

use base::StorageKey;
use base::ids::{ClientId, RequestId};
use base::time::{Timestamp, WallTime};
use bench_support::Bench;
use bench_support::criterion::{BenchmarkId, Criterion};
use storage::key::KeyWriter;
use storage::{Batch, Store, StoreConfig, Tree};
use sw_registration::{Output, SwPolicy, SwRegistrations, read};
use sw_traits::{
    ClientDescription, ClientKind, ServiceWorkerState, SwAnswer, SwClientEvent, SwRequest,
    UpdateViaCache, WorkerType,
};
use url::Url;

use crate::sites::Shape;

/// `getRegistration()`, from the request of a page to the answer, without the thread.
pub(crate) fn get_registration(bench: &mut Bench) {
    for shape in Shape::ALL {
        for count in bench.choose(vec![1, 1_000, 100_000, 1_000_000], vec![1, 1_000]) {
            bench.criterion(|criterion| measure(criterion, shape, count));
        }
    }
}

fn measure(criterion: &mut Criterion, shape: Shape, count: u64) {
    let mut machine = machine(shape, count);
    let addresses = shape.addresses(count);
    let mut clients = HashMap::new();
    for (storage_key, address) in &addresses {
        clients
            .entry(storage_key.clone())
            .or_insert_with(|| attach(&mut machine, storage_key, address));
    }
    let requests: Vec<(ClientId, Url)> = addresses
        .into_iter()
        .map(|(storage_key, address)| (clients[&storage_key], address))
        .collect();

    let now = Timestamp::default();
    let mut group = criterion.benchmark_group(format!("getRegistration, {}", shape.name()));
    group.bench_function(BenchmarkId::new("sw_registration", count), |bencher| {
        let mut requests = requests.iter().cycle();
        bencher.iter_custom(|times| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..times {
                let (client, url) = requests.next().unwrap().clone();
                let request = SwRequest::GetRegistration { url };
                let start = Instant::now();
                machine.handle_request(now, client, RequestId(1), request);
                let answer = machine.poll_output();
                elapsed += start.elapsed();
                assert!(is_registration(answer.as_ref()));
                while machine.poll_output().is_some() {}
            }
            elapsed
        });
    });
}

fn is_registration(output: Option<&Output>) -> bool {
    let Some(Output::ToClient { event, .. }) = output else {
        return false;
    };
    matches!(
        event,
        SwClientEvent::Answer {
            result: Ok(SwAnswer::Registration(Some(_))),
            ..
        }
    )
}

fn attach(machine: &mut SwRegistrations, storage_key: &StorageKey, address: &Url) -> ClientId {
    let id = ClientId::random();
    let (storage_key, address) = (storage_key.clone(), address.clone());
    let client = ClientDescription::new(id, storage_key, address, ClientKind::Window);
    machine.handle_attach_client(Timestamp::default(), client);
    while machine.poll_output().is_some() {}
    id
}

/// A state machine that has found so many registrations in its store. Their records are made here:
/// to register a million takes minutes.
fn machine(shape: Shape, count: u64) -> SwRegistrations {
    let (store, _) = Store::open(StoreConfig::memory()).unwrap();
    for start in (0..count).step_by(1_000) {
        let mut batch = Batch::new();
        for number in start..(start + 1_000).min(count) {
            put(&mut batch, &shape.scope(number), number);
        }
        store.commit(batch).unwrap();
    }
    let policy = SwPolicy {
        update_after_navigation: None,
        ..SwPolicy::default()
    };
    let stored = read::recover(&store).unwrap();
    assert_eq!(stored.len() as u64, count);
    let mut machine = SwRegistrations::new(policy, Timestamp::default(), stored);
    while machine.poll_output().is_some() {}
    machine
}

/// A registration with an active worker, in the component's format.
fn put(batch: &mut Batch, scope: &Url, number: u64) {
    let worker = (
        1_u64,
        scope.join("worker.js").unwrap(),
        WorkerType::Classic,
        ServiceWorkerState::Activated,
        ["install", "sync"].map(str::to_owned).to_vec(),
        (1_usize, 1_000_u64),
    );
    let no_worker = None::<()>;
    let checked = Some(WallTime::from_millis(0));
    let record = (
        number,
        UpdateViaCache::Imports,
        checked,
        no_worker,
        Some(worker),
    );
    let key = KeyWriter::new()
        .text(&StorageKey::from_url(scope).unwrap().to_string())
        .text(scope.as_str())
        .finish();
    batch
        .put_record(Tree::ServiceWorkers, &key, 1, &record)
        .unwrap();
}
