//! Who may use Background Sync: what the embedder's own policy says, or what was granted and denied
//! and is kept in the profile.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use base::StorageKey;
use base::channel::Callback;
use base::ids::IdSource;
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use storage::key::{KeyReader, KeyWriter};
use storage::{Batch, CommitError, Direction, KeyRange, ReadError, Record, Store, Tree};
use sync_traits::{
    PermissionChange, PermissionName, PermissionObserver, PermissionPolicy, PermissionState,
    PermissionStates, SyncExplanation, SyncKind, SyncManagerHandle, SyncQuestion,
};
use url::Url;

/// The version of the stored records.
const RECORD_VERSION: u16 = 1;

/// What a permission is for origins about which nothing else was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PermissionDefaults {
    /// `background-sync`. Granted by default, as in the browsers that have it.
    ///
    /// <https://wicg.github.io/background-sync/spec/#permission>
    pub background_sync: PermissionState,
    /// `periodic-background-sync`. Denied by default: who is never visited again still gets to run.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#permission>
    pub periodic_background_sync: PermissionState,
}

impl Default for PermissionDefaults {
    fn default() -> Self {
        Self {
            background_sync: PermissionState::Granted,
            periodic_background_sync: PermissionState::Denied,
        }
    }
}

impl PermissionDefaults {
    fn of(self, name: PermissionName) -> PermissionState {
        match name {
            PermissionName::BackgroundSync => self.background_sync,
            PermissionName::PeriodicBackgroundSync => self.periodic_background_sync,
        }
    }
}

/// What was decided about one permission of one origin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PermissionDecision {
    /// Whose permission.
    pub storage_key: StorageKey,
    /// Which one.
    pub name: PermissionName,
    /// Granted or denied.
    pub state: PermissionState,
}

/// Why a permission was not changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PermissionError {
    /// The embedder's own policy decides: see [`Builder::permission_policy`](crate::Builder::permission_policy).
    OwnPolicy,
    /// The decision could not be stored. What was granted is not; what was taken away stays so until
    /// the engine ends.
    Store(CommitError),
}

impl fmt::Display for PermissionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnPolicy => {
                formatter.write_str("permissions are decided by the embedder's own policy")
            }
            Self::Store(error) => {
                write!(formatter, "the permission could not be stored: {error}")
            }
        }
    }
}

impl std::error::Error for PermissionError {}

/// The permissions of a running engine. Clones are the same permissions.
///
/// Without a policy of the embedder's own, what is decided is kept in the profile. A decision that
/// takes a permission away holds at once; one that grants it, when it is on disk. Then the sync
/// manager is told, which drops what the origin has registered, and after that the pages and workers
/// of the origin. Decisions are carried out one after the other, so that what is granted again right
/// after it was denied is still dropped.
#[derive(Clone)]
pub struct Permissions(Arc<Inner>);

struct Inner {
    source: Source,
    sync: SyncManagerHandle,
    /// Bounded by the windows and workers that there are.
    observers: Mutex<BTreeMap<PermissionObserver, (StorageKey, Callback<PermissionChange>)>>,
    observer_ids: IdSource,
}

enum Source {
    Store(Decisions),
    Policy(Mutex<Box<dyn PermissionPolicy>>),
}

type PermissionKey = (StorageKey, PermissionName);

/// The decisions of a profile.
struct Decisions {
    store: Store,
    defaults: PermissionDefaults,
    /// Two for each origin about which somebody has decided. [`PermissionState::Prompt`] stands for
    /// the default.
    states: RwLock<BTreeMap<PermissionKey, PermissionState>>,
    queue: Mutex<Queue>,
}

/// What is to be done. Bounded by the one who decides, who is told when it is done.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Decision>,
    busy: bool,
}

struct Decision {
    key: PermissionKey,
    state: PermissionState,
    done: Callback<Result<(), PermissionError>>,
}

/// A decision as it is stored, under origin and name.
#[derive(Serialize, Deserialize)]
struct StoredDecision(PermissionState);

impl Permissions {
    /// The permissions that the profile holds.
    pub(crate) fn stored(
        store: Store,
        defaults: PermissionDefaults,
        sync: SyncManagerHandle,
    ) -> Result<Self, ReadError> {
        let mut states = BTreeMap::new();
        for entry in store.scan(Tree::Permissions, KeyRange::all(), Direction::Forward) {
            let (bytes, record) = entry?;
            match decode(&bytes, &record) {
                Some((key, state)) => {
                    states.insert(key, state);
                }
                None => store.quarantine(Tree::Permissions, &bytes, "it is not a permission")?,
            }
        }
        let source = Source::Store(Decisions {
            store,
            defaults,
            states: RwLock::new(states),
            queue: Mutex::default(),
        });
        Ok(Self::from_source(source, sync))
    }

    /// What a policy of the embedder's own says.
    pub(crate) fn policy(policy: Box<dyn PermissionPolicy>, sync: SyncManagerHandle) -> Self {
        Self::from_source(Source::Policy(Mutex::new(policy)), sync)
    }

    fn from_source(source: Source, sync: SyncManagerHandle) -> Self {
        Self(Arc::new(Inner {
            source,
            sync,
            observers: Mutex::default(),
            observer_ids: IdSource::default(),
        }))
    }

    /// Have the sync manager drop what an engine that was killed did not come to drop. To be called
    /// when the sync manager has started.
    pub(crate) fn enforce(&self) {
        let Source::Store(decisions) = &self.0.source else {
            return;
        };
        let keys: Vec<PermissionKey> = decisions.states.read().keys().cloned().collect();
        for (storage_key, name) in keys {
            if self.state(&storage_key, name) != PermissionState::Granted {
                // It has just started.
                let _ = self.0.sync.permission_changed(storage_key);
            }
        }
    }

    /// What a permission of an origin is now.
    pub fn state(&self, storage_key: &StorageKey, name: PermissionName) -> PermissionState {
        match &self.0.source {
            Source::Store(decisions) => decisions.state(&(storage_key.clone(), name)),
            Source::Policy(policy) => {
                let policy = policy.lock();
                let may = match name {
                    PermissionName::BackgroundSync => policy.may_sync(storage_key),
                    PermissionName::PeriodicBackgroundSync => {
                        policy.may_sync_periodically(storage_key)
                    }
                };
                if may {
                    PermissionState::Granted
                } else {
                    PermissionState::Denied
                }
            }
        }
    }

    /// Every decision that is not the default, by origin. None with a policy of the embedder's own.
    pub fn decisions(&self) -> Vec<PermissionDecision> {
        match &self.0.source {
            Source::Store(decisions) => {
                let states = decisions.states.read();
                listed(states.iter().map(|(key, state)| (key.clone(), *state)))
            }
            Source::Policy(_) => Vec::new(),
        }
    }

    /// Grant or deny a permission; [`PermissionState::Prompt`] takes a decision back, so that the
    /// default applies. `done` is called when it is on disk and the sync manager has taken notice,
    /// or it could not be stored; on any thread, and it may not wait.
    pub fn set(
        &self,
        storage_key: &StorageKey,
        name: PermissionName,
        state: PermissionState,
        done: Callback<Result<(), PermissionError>>,
    ) {
        let Source::Store(decisions) = &self.0.source else {
            done.call(Err(PermissionError::OwnPolicy));
            return;
        };
        let mut queue = decisions.queue.lock();
        queue.waiting.push_back(Decision {
            key: (storage_key.clone(), name),
            state,
            done,
        });
        drop(queue);
        self.next(decisions);
    }

    /// Say that the embedder's own policy may answer differently for an origin from now on.
    pub fn policy_changed(&self, storage_key: &StorageKey) {
        for name in PermissionName::ALL {
            self.announce(storage_key, name);
        }
    }

    /// Begin with the next decision, unless one is under way.
    fn next(&self, decisions: &Decisions) {
        let decision = {
            let mut queue = decisions.queue.lock();
            if queue.busy {
                return;
            }
            let Some(decision) = queue.waiting.pop_front() else {
                return;
            };
            queue.busy = true;
            decision
        };
        let mut batch = Batch::new();
        let key = to_bytes(&decision.key);
        let record = StoredDecision(decision.state);
        if let Err(error) = batch.put_record(Tree::Permissions, &key, RECORD_VERSION, &record) {
            // One byte can always be encoded.
            log::error!("{error}");
        }
        if !decisions.grants(&decision) {
            decisions.apply(&decision);
        }
        let permissions = self.clone();
        let stored = Callback::new(move |result| permissions.stored_decision(&decision, result));
        decisions.store.submit(batch, stored);
    }

    /// A decision is on disk, or is not.
    fn stored_decision(&self, decision: &Decision, result: Result<(), CommitError>) {
        let Source::Store(decisions) = &self.0.source else {
            return;
        };
        if result.is_ok() {
            decisions.apply(decision);
        }
        let (storage_key, name) = &decision.key;
        self.announce(storage_key, *name);
        let permissions = self.clone();
        let done = decision.done.clone();
        self.when_noticed(
            storage_key,
            Callback::new(move |()| {
                done.call(result.clone().map_err(PermissionError::Store));
                if let Source::Store(decisions) = &permissions.0.source {
                    decisions.queue.lock().busy = false;
                    permissions.next(decisions);
                }
            }),
        );
    }

    /// Tell the sync manager and the observers what a permission is.
    fn announce(&self, storage_key: &StorageKey, name: PermissionName) {
        // One that has shut down will ask when it starts.
        let _ = self.0.sync.permission_changed(storage_key.clone());
        let change = PermissionChange {
            storage_key: storage_key.clone(),
            name,
            state: self.state(storage_key, name),
        };
        for (observed, observer) in self.0.observers.lock().values() {
            if observed == storage_key {
                observer.call(change.clone());
            }
        }
    }

    /// Wait until the sync manager has handled what it was sent: it answers in order.
    fn when_noticed(&self, storage_key: &StorageKey, done: Callback<()>) {
        let Ok(scope) = Url::parse(&storage_key.to_string()) else {
            done.call(());
            return;
        };
        let question = SyncQuestion {
            kind: SyncKind::OneShot,
            storage_key: storage_key.clone(),
            scope,
            tag: "".into(),
        };
        let nothing = SyncExplanation {
            question: question.clone(),
            registration: None,
            held_by: Vec::new(),
            log: Vec::new(),
        };
        let noticed = Callback::new(move |_| done.call(())).exactly_once(move || nothing);
        // One that has shut down has nothing to notice; the answer comes all the same.
        let _ = self.0.sync.explain(question, noticed);
    }
}

impl PermissionStates for Permissions {
    fn state(&self, storage_key: &StorageKey, name: PermissionName) -> PermissionState {
        Self::state(self, storage_key, name)
    }

    fn observe(
        &self,
        storage_key: &StorageKey,
        observer: Callback<PermissionChange>,
    ) -> PermissionObserver {
        let id = PermissionObserver(self.0.observer_ids.next());
        let observed = (storage_key.clone(), observer);
        self.0.observers.lock().insert(id, observed);
        id
    }

    fn stop_observing(&self, observer: PermissionObserver) {
        let removed = self.0.observers.lock().remove(&observer);
        drop(removed);
    }
}

/// As the sync manager asks.
impl PermissionPolicy for Permissions {
    fn may_sync(&self, storage_key: &StorageKey) -> bool {
        self.state(storage_key, PermissionName::BackgroundSync) == PermissionState::Granted
    }

    fn may_sync_periodically(&self, storage_key: &StorageKey) -> bool {
        self.state(storage_key, PermissionName::PeriodicBackgroundSync) == PermissionState::Granted
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Permissions")
            .field("decisions", &self.decisions())
            .finish_non_exhaustive()
    }
}

impl Decisions {
    fn state(&self, key: &PermissionKey) -> PermissionState {
        match self.states.read().get(key) {
            None | Some(PermissionState::Prompt) => self.defaults.of(key.1),
            Some(state) => *state,
        }
    }

    /// Whether the permission is granted when this is carried out.
    fn grants(&self, decision: &Decision) -> bool {
        let state = match decision.state {
            PermissionState::Prompt => self.defaults.of(decision.key.1),
            state => state,
        };
        state == PermissionState::Granted
    }

    fn apply(&self, decision: &Decision) {
        let mut states = self.states.write();
        states.insert(decision.key.clone(), decision.state);
    }
}

/// The decisions that a profile holds, by origin, read with no engine running.
///
/// # Errors
///
/// When the profile cannot be read. Records that make no sense are left out.
pub fn stored_permissions(store: &Store) -> Result<Vec<PermissionDecision>, ReadError> {
    let mut states = Vec::new();
    for entry in store.scan(Tree::Permissions, KeyRange::all(), Direction::Forward) {
        let (bytes, record) = entry?;
        states.extend(decode(&bytes, &record));
    }
    Ok(listed(states.into_iter()))
}

fn listed(
    states: impl Iterator<Item = (PermissionKey, PermissionState)>,
) -> Vec<PermissionDecision> {
    states
        .filter(|(_, state)| *state != PermissionState::Prompt)
        .map(|((storage_key, name), state)| PermissionDecision {
            storage_key,
            name,
            state,
        })
        .collect()
}

fn to_bytes((storage_key, name): &PermissionKey) -> Vec<u8> {
    KeyWriter::new()
        .text(&storage_key.to_string())
        .text(name.as_str())
        .finish()
}

fn decode(bytes: &[u8], record: &Record) -> Option<(PermissionKey, PermissionState)> {
    let mut reader = KeyReader::new(bytes);
    let storage_key = StorageKey::try_from(reader.text()?).ok()?;
    let name = reader.text()?.parse().ok()?;
    if !reader.is_at_end() || record.version != RECORD_VERSION {
        return None;
    }
    let StoredDecision(state) = record.decode().ok()?;
    Some(((storage_key, name), state))
}

#[cfg(test)]
mod tests;
