//! The shared workers of an engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use base::StorageKey;
use base::channel::Callback;
use base::ids::{ClientId, IdSource, MessagePortId};
use net::CredentialsMode;
use parking_lot::Mutex;
use sw_traits::WorkerType;

use super::global_scope::{self, Launch, WorkerNotice};
use super::thread::WorkerThread;
use crate::bindings::DomString;

/// Which shared worker it is: whose, the URL of its script, and its name.
type Key = (StorageKey, String, DomString);

/// <https://html.spec.whatwg.org/multipage/workers.html#shared-worker-manager>
#[derive(Clone, Default)]
pub(crate) struct SharedWorkers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    workers: Mutex<BTreeMap<Key, SharedWorker>>,
    numbers: IdSource,
}

struct SharedWorker {
    /// Tells it from one of the same key that comes after it.
    number: u64,
    thread: WorkerThread,
    worker_type: WorkerType,
    credentials: CredentialsMode,
    /// Who is connected, and where it hears of the worker.
    owners: Vec<(ClientId, Callback<WorkerNotice>)>,
}

impl SharedWorkers {
    /// Connects to a shared worker, which is started if it does not run.
    ///
    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-sharedworker>
    pub(super) fn connect(&self, storage_key: StorageKey, launch: Launch, port: MessagePortId) {
        let key = (storage_key, launch.url.to_string(), launch.name.clone());
        let owner = (launch.creator, launch.notices.clone());
        let (worker_type, credentials) = (launch.worker_type, launch.credentials);
        let mut workers = self.0.workers.lock();
        if let Some(worker) = workers.get_mut(&key) {
            // Step 11.5: it has to be the same in every respect.
            if (worker.worker_type, worker.credentials) != (worker_type, credentials) {
                let reason =
                    "The shared worker was started with another type or other credentials.";
                owner.1.call(WorkerNotice::Failed(reason.to_owned()));
                owner.1.call(WorkerNotice::Ended);
                return;
            }
            worker.owners.push(owner);
            connect_to(&worker.thread, port);
            return;
        }
        let number = self.0.numbers.next();
        match self.spawn(&key, number, launch) {
            Ok(thread) => {
                connect_to(&thread, port);
                let worker = SharedWorker {
                    number,
                    thread,
                    worker_type,
                    credentials,
                    owners: vec![owner],
                };
                workers.insert(key, worker);
            }
            Err(error) => {
                let reason = format!("There is no thread for the worker: {error}.");
                owner.1.call(WorkerNotice::Failed(reason));
                owner.1.call(WorkerNotice::Ended);
            }
        }
    }

    fn spawn(&self, key: &Key, number: u64, launch: Launch) -> std::io::Result<WorkerThread> {
        let services = launch.services.clone();
        let (shared, key) = (Arc::downgrade(&self.0), key.clone());
        let launch = Launch {
            notices: Callback::new(move |notice| hear(&shared, &key, number, &notice)),
            ..launch
        };
        WorkerThread::spawn(
            "shared worker".to_owned(),
            &services,
            move |controls, ending| global_scope::run(&launch, controls, ending),
        )
    }

    /// A client goes away. Returns the threads of the workers that nobody else is connected to,
    /// which are told to end.
    pub(super) fn leave(&self, owner: ClientId) -> Vec<WorkerThread> {
        let mut workers = self.0.workers.lock();
        for worker in workers.values_mut() {
            worker.owners.retain(|(client, _)| *client != owner);
        }
        let (left, kept) = std::mem::take(&mut *workers)
            .into_iter()
            .partition(|(_, worker)| worker.owners.is_empty());
        *workers = kept;
        let left: BTreeMap<Key, SharedWorker> = left;
        left.into_values()
            .map(|mut worker| {
                worker.thread.terminate();
                worker.thread
            })
            .collect()
    }
}

fn connect_to(thread: &WorkerThread, port: MessagePortId) {
    thread
        .controls
        .queue(move |realm| global_scope::fire_connect(realm, port));
}

/// Tells all who are connected.
fn hear(shared: &Weak<Shared>, key: &Key, number: u64, notice: &WorkerNotice) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let mut workers = shared.workers.lock();
    let Some(worker) = workers.get(key).filter(|worker| worker.number == number) else {
        return;
    };
    for (_, notices) in &worker.owners {
        notices.call(notice.clone());
    }
    // From now on another one is started.
    if matches!(notice, WorkerNotice::Ended) {
        let ended = workers.remove(key);
        drop(workers);
        drop(ended);
    }
}
