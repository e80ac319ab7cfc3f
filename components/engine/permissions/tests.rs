//! Decisions, and who is told of them.

use base::channel::{Received, Receiver, bounded, unbounded};
use std::time::Duration;
use storage::StoreConfig;
use sync_traits::SyncManagerMessage;

use super::*;

const PERIODIC: PermissionName = PermissionName::PeriodicBackgroundSync;

fn key(host: &str) -> StorageKey {
    StorageKey::from_url(&Url::parse(&format!("https://{host}/")).unwrap()).unwrap()
}

/// Permissions, and the test in place of the sync manager.
struct World {
    store: Store,
    permissions: Permissions,
    sync: Receiver<SyncManagerMessage>,
}

impl World {
    fn new() -> Self {
        Self::on(Store::open(StoreConfig::memory()).unwrap().0)
    }

    fn on(store: Store) -> Self {
        let (sender, sync) = unbounded();
        let handle = SyncManagerHandle::new(sender);
        let defaults = PermissionDefaults::default();
        let permissions = Permissions::stored(store.clone(), defaults, handle).unwrap();
        Self {
            store,
            permissions,
            sync,
        }
    }

    fn next(&self) -> SyncManagerMessage {
        match self.sync.recv_timeout(Some(Duration::from_secs(30))) {
            Received::Message(message) => message,
            other => panic!("the sync manager is told nothing: {other:?}"),
        }
    }

    fn set(&self, host: &str, state: PermissionState) -> Receiver<Result<(), PermissionError>> {
        let (sender, done) = bounded(1);
        let done_to = Callback::to_sender(&sender, |result| result);
        self.permissions.set(&key(host), PERIODIC, state, done_to);
        done
    }

    /// What the sync manager does when it is told.
    fn notice(&self, host: &str) {
        let SyncManagerMessage::PermissionChanged { storage_key } = self.next() else {
            panic!("no change is told");
        };
        assert_eq!(storage_key, key(host));
        self.answer();
    }

    fn answer(&self) {
        let SyncManagerMessage::Explain { question, done } = self.next() else {
            panic!("nothing is asked");
        };
        done.call(SyncExplanation {
            question,
            registration: None,
            held_by: Vec::new(),
            log: Vec::new(),
        });
    }

    fn state(&self, host: &str) -> PermissionState {
        self.permissions.state(&key(host), PERIODIC)
    }
}

#[test]
fn a_decision_is_for_one_origin_and_name_and_outlives_the_engine() {
    let world = World::new();
    let done = world.set("a.test", PermissionState::Granted);
    world.notice("a.test");
    assert_eq!(done.recv(), Ok(Ok(())));
    let later = World::on(world.store.clone());
    for world in [&world, &later] {
        assert_eq!(world.state("a.test"), PermissionState::Granted);
        assert_eq!(world.state("b.test"), PermissionState::Denied);
        let one_shot = PermissionName::BackgroundSync;
        let state = world.permissions.state(&key("a.test"), one_shot);
        assert_eq!(state, PermissionState::Granted, "as long as nobody decides");
        let listed = [PermissionDecision {
            storage_key: key("a.test"),
            name: PERIODIC,
            state: PermissionState::Granted,
        }];
        assert_eq!(world.permissions.decisions(), listed);
        assert_eq!(stored_permissions(&world.store).unwrap(), listed);
    }

    let done = world.set("a.test", PermissionState::Prompt);
    world.notice("a.test");
    assert_eq!(done.recv(), Ok(Ok(())));
    assert_eq!(world.state("a.test"), PermissionState::Denied);
    assert_eq!(world.permissions.decisions(), []);
}

#[test]
fn what_is_granted_right_after_it_was_denied_waits_until_the_denial_was_noticed() {
    let world = World::new();
    let granted = world.set("a.test", PermissionState::Granted);
    world.notice("a.test");
    assert_eq!(granted.recv(), Ok(Ok(())));

    let denied = world.set("a.test", PermissionState::Denied);
    let granted = world.set("a.test", PermissionState::Granted);
    assert_eq!(world.state("a.test"), PermissionState::Denied, "at once");
    let told = world.next();
    assert!(matches!(told, SyncManagerMessage::PermissionChanged { .. }));
    assert_eq!(world.state("a.test"), PermissionState::Denied);
    assert_eq!(denied.try_recv(), None);
    world.answer();
    assert_eq!(denied.recv(), Ok(Ok(())));
    world.notice("a.test");
    assert_eq!(granted.recv(), Ok(Ok(())));
    assert_eq!(world.state("a.test"), PermissionState::Granted);
}

#[test]
fn after_a_restart_the_sync_manager_is_told_of_what_is_denied() {
    let world = World::new();
    for (host, state) in [
        ("granted.test", PermissionState::Granted),
        ("denied.test", PermissionState::Denied),
        ("taken-back.test", PermissionState::Prompt),
    ] {
        let done = world.set(host, state);
        world.notice(host);
        assert_eq!(done.recv(), Ok(Ok(())));
    }
    let later = World::on(world.store.clone());
    later.permissions.enforce();
    let told: Vec<_> = std::iter::from_fn(|| later.sync.try_recv())
        .map(|message| match message {
            SyncManagerMessage::PermissionChanged { storage_key } => storage_key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [key("denied.test"), key("taken-back.test")]);
}

#[test]
fn what_cannot_be_stored_is_not_granted_but_denied_all_the_same() {
    let world = World::new();
    let done = world.set("a.test", PermissionState::Granted);
    world.notice("a.test");
    assert_eq!(done.recv(), Ok(Ok(())));
    world.store.close();
    let failed = Err(PermissionError::Store(CommitError::Closed));

    let done = world.set("b.test", PermissionState::Granted);
    world.notice("b.test");
    assert_eq!(done.recv(), Ok(failed.clone()));
    assert_eq!(world.state("b.test"), PermissionState::Denied);

    let done = world.set("a.test", PermissionState::Denied);
    world.notice("a.test");
    assert_eq!(done.recv(), Ok(failed));
    assert_eq!(world.state("a.test"), PermissionState::Denied);
}

#[test]
fn without_a_sync_manager_there_is_an_answer_all_the_same() {
    let World {
        permissions, sync, ..
    } = World::new();
    drop(sync);
    let (sender, done) = bounded(1);
    let done_to = Callback::to_sender(&sender, |result| result);
    permissions.set(&key("a.test"), PERIODIC, PermissionState::Granted, done_to);
    assert_eq!(done.recv(), Ok(Ok(())));
}

#[test]
fn observers_hear_of_their_own_origin() {
    let world = World::new();
    let (sender, changes) = unbounded();
    let observer = Callback::to_sender(&sender, |change: PermissionChange| change.state);
    let id = world.permissions.observe(&key("a.test"), observer);
    let set = |host: &str, state| {
        let done = world.set(host, state);
        world.notice(host);
        assert_eq!(done.recv(), Ok(Ok(())));
    };
    set("b.test", PermissionState::Granted);
    set("a.test", PermissionState::Granted);
    assert_eq!(changes.try_recv(), Some(PermissionState::Granted));
    set("a.test", PermissionState::Denied);
    assert_eq!(changes.try_recv(), Some(PermissionState::Denied));
    world.permissions.stop_observing(id);
    set("a.test", PermissionState::Granted);
    assert_eq!(changes.try_recv(), None);
}

#[test]
fn a_policy_of_the_embedders_own_decides_alone() {
    struct OnlyOne;
    impl PermissionPolicy for OnlyOne {
        fn may_sync(&self, storage_key: &StorageKey) -> bool {
            *storage_key == key("a.test")
        }
    }
    let (sender, sync) = unbounded();
    let permissions = Permissions::policy(Box::new(OnlyOne), SyncManagerHandle::new(sender));
    let name = PermissionName::BackgroundSync;
    let state = |host: &str| permissions.state(&key(host), name);
    assert_eq!(state("a.test"), PermissionState::Granted);
    assert_eq!(state("b.test"), PermissionState::Denied);
    let (sender, done) = bounded(1);
    let done_to = Callback::to_sender(&sender, |result| result);
    permissions.set(&key("b.test"), name, PermissionState::Granted, done_to);
    assert_eq!(done.recv(), Ok(Err(PermissionError::OwnPolicy)));
    assert!(sync.try_recv().is_none());

    permissions.policy_changed(&key("a.test"));
    assert!(matches!(
        sync.try_recv(),
        Some(SyncManagerMessage::PermissionChanged { .. })
    ));
}
