//! What pages and policies do about periodic syncs, for the tests.

use std::time::Duration;

use base::DomString;
use base::StorageKey;
use base::exception::DomException;
use base::ids::RequestId;
use base::time::Timestamp;
use sync_manager::SyncKey;
use sync_traits::{Engagement, SyncKind};

use crate::support::{HOUR, SITE, World, origin, url};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

impl World {
    fn periodic_key(scope: &str, tag: impl Into<DomString>) -> SyncKey {
        SyncKey {
            storage_key: origin(scope),
            scope: url(scope),
            kind: SyncKind::Periodic,
            tag: tag.into(),
        }
    }

    pub(crate) fn ask_periodic(
        &mut self,
        scope: &str,
        tag: impl Into<DomString>,
        min_interval: Duration,
    ) -> RequestId {
        let requester = self.requester();
        let key = Self::periodic_key(scope, tag);
        let denied = self.denied_permission(key.kind, &key.storage_key);
        let engagement = self.engagement_of(&key.storage_key);
        self.manager.handle_register_periodic(
            self.now,
            requester,
            key,
            min_interval,
            denied,
            engagement,
        );
        self.drain();
        requester.request
    }

    pub(crate) fn ask_unregister(&mut self, scope: &str, tag: impl Into<DomString>) -> RequestId {
        let requester = self.requester();
        let key = Self::periodic_key(scope, tag);
        self.manager
            .handle_unregister_periodic(self.now, requester, key);
        self.drain();
        requester.request
    }

    pub(crate) fn register_periodic_at(
        &mut self,
        scope: &str,
        tag: impl Into<DomString>,
        min_interval: Duration,
    ) -> Result<(), DomException> {
        let request = self.ask_periodic(scope, tag, min_interval);
        self.answer(request).expect("register() is answered")
    }

    pub(crate) fn register_periodic(&mut self, tag: impl Into<DomString>, min_interval: Duration) {
        self.register_periodic_at(SITE, tag, min_interval)
            .expect("register() resolves");
    }

    pub(crate) fn unregister_periodic(&mut self, tag: impl Into<DomString>) {
        let request = self.ask_unregister(SITE, tag);
        let answer = self.answer(request).expect("unregister() is answered");
        answer.expect("unregister() resolves");
    }

    pub(crate) fn periodic_tags(&mut self) -> Vec<String> {
        self.tags_of(SyncKind::Periodic, SITE)
            .iter()
            .map(DomString::to_string)
            .collect()
    }

    pub(crate) fn set_periodic_permission(&mut self, scope: &str, may_sync: bool) {
        let storage_key = origin(scope);
        if may_sync {
            self.periodic_denied.remove(&storage_key);
        } else {
            self.periodic_denied.insert(storage_key.clone());
        }
        self.report_permission(&storage_key);
    }

    pub(crate) fn set_engagement(&mut self, scope: &str, engagement: Engagement) {
        let storage_key = origin(scope);
        self.engagement.insert(storage_key.clone(), engagement);
        self.manager
            .handle_engagement(self.now, &storage_key, engagement);
        self.drain();
    }

    fn engagement_of(&self, storage_key: &StorageKey) -> Engagement {
        self.engagement
            .get(storage_key)
            .copied()
            .unwrap_or_default()
    }
}

pub(crate) fn just_before(duration: Duration) -> Duration {
    duration.saturating_sub(SECOND)
}

pub(crate) fn nothing() -> Vec<String> {
    Vec::new()
}

/// A world in which the tags were registered for the site, each with an interval shorter than the
/// floor.
pub(crate) fn world_with(tags: &[&str]) -> World {
    let mut world = World::online();
    for tag in tags {
        world.register_periodic(*tag, HOUR);
    }
    world
}

pub(crate) fn register_at(world: &mut World, site: &str, tag: &str) {
    world.open_site(site);
    world.register_periodic_at(site, tag, HOUR).unwrap();
}

/// Time passes until something fires; how long that takes.
pub(crate) fn pass_until_firing(world: &mut World) -> Duration {
    let start: Timestamp = world.now;
    for _ in 0..10_000 {
        if !world.firing().is_empty() {
            return world.now.monotonic.saturating_since(start.monotonic);
        }
        world.pass(SECOND * 10);
    }
    panic!("nothing fires");
}
