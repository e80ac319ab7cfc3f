//! What must hold, kept outside of the engine: it sees what pages, workers and the event log see,
//! and says when something cannot be right.

mod periodic;
mod recovery;
mod tag;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::ids::{EventId, RequestId, WorkerId};
use base::time::{MonotonicTime, Timestamp};
use base::{DomString, StorageKey};
use network_traits::{LinkState, NetworkState, PortalState, Reachability};
use sw_traits::{EventOutcome, SwNotification};
use sync_manager::SyncPolicy;
use sync_traits::{Engagement, LogEntry, LogEvent, SyncClientEvent, SyncKind, SyncRequest};

use self::periodic::Turn;
use self::tag::Tag;
use crate::sites::{ScopeIndex, Sites};

/// Which registration.
pub(crate) type TagKey = (ScopeIndex, SyncKind, DomString);

/// What a client asked for.
#[derive(Clone, Debug)]
enum Asked {
    Register {
        key: TagKey,
        /// When it asked.
        at: Timestamp,
        min_interval: Duration,
    },
    Tags(ScopeIndex, SyncKind),
    Unregister,
}

/// What must hold.
#[derive(Debug)]
pub(crate) struct Model {
    policy: SyncPolicy,
    tags: BTreeMap<TagKey, Tag>,
    requests: BTreeMap<RequestId, Asked>,
    /// Events that the sync manager has dispatched and that have not ended.
    events: BTreeMap<EventId, TagKey>,
    /// Events that have ended, which the sync manager has not been told yet.
    ended: BTreeMap<EventId, TagKey>,
    /// Those of them that no worker has had.
    not_delivered: BTreeSet<EventId>,
    /// What was so when the dispatch of an event was confirmed: whether it might be dispatched.
    confirmed: BTreeMap<EventId, Result<(), String>>,
    /// The handlers that run.
    handlers: BTreeMap<TagKey, (WorkerId, EventId)>,
    /// Events in flight whose service worker registration has gone.
    orphans: BTreeSet<EventId>,
    /// What the sync manager was last told about the network.
    network: NetworkState,
    /// Since when the sync manager has known of a network.
    online_since: Option<MonotonicTime>,
    /// How many windows the sync manager knows of.
    windows: BTreeMap<StorageKey, usize>,
    /// Origins that were found not to have a permission at some time.
    denied: BTreeSet<(SyncKind, StorageKey)>,
    /// How much users have engaged with origins.
    engagements: BTreeMap<StorageKey, Vec<Engagement>>,
    /// The turns of periodic syncs: of origins, and of all of them.
    turns: BTreeMap<Option<StorageKey>, Turn>,
    /// When the store last could not write.
    store_failed: Option<Timestamp>,
    /// Scopes that were unregistered at some time.
    unregistered: BTreeSet<ScopeIndex>,
    origins: BTreeMap<ScopeIndex, StorageKey>,
    /// The numbers of the entries of the event log that have been looked at.
    log_seen: BTreeSet<u64>,
    /// The numbers of the entries of the event log that were durable.
    log_sequences: BTreeSet<u64>,
    /// No engine runs.
    recovering: bool,
    /// The first thing that was wrong.
    violation: Option<String>,
    pub(crate) summary: Summary,
}

/// What happened in a run, in numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Steps of a machine.
    pub steps: u64,
    /// Calls of `register()` that resolved.
    pub acknowledged: u64,
    /// Events that were dispatched.
    pub dispatched: u64,
    /// Events that were fulfilled.
    pub fulfilled: u64,
    /// Registrations that were dropped for a reason.
    pub dropped: u64,
    /// Crashes of the engine.
    pub crashes: u64,
    /// Probes of the network monitor.
    pub probes: u64,
}

impl Summary {
    /// Add up two runs.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            acknowledged: self.acknowledged + other.acknowledged,
            dispatched: self.dispatched + other.dispatched,
            fulfilled: self.fulfilled + other.fulfilled,
            dropped: self.dropped + other.dropped,
            crashes: self.crashes + other.crashes,
            probes: self.probes + other.probes,
        }
    }
}

impl Model {
    pub(crate) fn new(policy: SyncPolicy, sites: &Sites) -> Self {
        let scopes = sites.scopes.iter().enumerate();
        Self {
            policy,
            tags: BTreeMap::new(),
            requests: BTreeMap::new(),
            events: BTreeMap::new(),
            ended: BTreeMap::new(),
            not_delivered: BTreeSet::new(),
            confirmed: BTreeMap::new(),
            handlers: BTreeMap::new(),
            orphans: BTreeSet::new(),
            network: NetworkState::default(),
            online_since: None,
            windows: BTreeMap::new(),
            denied: BTreeSet::new(),
            engagements: BTreeMap::new(),
            turns: BTreeMap::new(),
            store_failed: None,
            unregistered: BTreeSet::new(),
            origins: scopes
                .map(|(index, scope)| (index, scope.storage_key.clone()))
                .collect(),
            log_seen: BTreeSet::new(),
            log_sequences: BTreeSet::new(),
            recovering: true,
            violation: None,
            summary: Summary::default(),
        }
    }

    /// What is wrong, if something is.
    pub(crate) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Something is wrong.
    pub(crate) fn violate(&mut self, what: impl Into<String>) {
        self.violation.get_or_insert_with(|| what.into());
    }

    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.violate(otherwise());
        }
    }

    fn tag(&mut self, key: &TagKey) -> &mut Tag {
        self.tags.entry(key.clone()).or_default()
    }

    /// A client asks the sync manager for something.
    pub(crate) fn requested(
        &mut self,
        at: Timestamp,
        request: RequestId,
        scope: ScopeIndex,
        body: &SyncRequest,
    ) {
        let asked = match body {
            SyncRequest::Register { tag } => Asked::Register {
                key: (scope, SyncKind::OneShot, tag.clone()),
                at,
                min_interval: Duration::ZERO,
            },
            SyncRequest::RegisterPeriodic { tag, min_interval } => Asked::Register {
                key: (scope, SyncKind::Periodic, tag.clone()),
                at,
                min_interval: *min_interval,
            },
            SyncRequest::Tags => Asked::Tags(scope, SyncKind::OneShot),
            SyncRequest::PeriodicTags => Asked::Tags(scope, SyncKind::Periodic),
            SyncRequest::UnregisterPeriodic { tag } => {
                let key = (scope, SyncKind::Periodic, tag.clone());
                let tag = self.tag(&key);
                tag.leaving = true;
                tag.unregistered_by_page = true;
                Asked::Unregister
            }
        };
        self.requests.insert(request, asked);
    }

    /// The sync manager answers a client.
    pub(crate) fn replied(&mut self, event: &SyncClientEvent) {
        let (SyncClientEvent::Registered { request, .. }
        | SyncClientEvent::Unregistered { request, .. }
        | SyncClientEvent::Tags { request, .. }) = event;
        let Some(asked) = self.requests.remove(request) else {
            self.violate(format!("{request} is answered, and nobody waits for it"));
            return;
        };
        match (asked, event) {
            (
                Asked::Register {
                    key, min_interval, ..
                },
                SyncClientEvent::Registered { result: Ok(()), .. },
            ) => {
                self.acknowledged(&key);
                self.tag(&key).min_interval = min_interval;
            }
            (
                Asked::Register {
                    key, min_interval, ..
                },
                SyncClientEvent::Registered { result: Err(_), .. },
            ) => {
                let goes = self.was_denied(key.0, key.1) || self.unregistered.contains(&key.0);
                let tag = self.tag(&key);
                tag.leaving |= goes;
                let refused = &mut tag.refused_interval;
                *refused = refused.iter().copied().chain([min_interval]).min();
            }
            (Asked::Tags(scope, kind), SyncClientEvent::Tags { result, .. }) => {
                let listed = result.clone().unwrap_or_default();
                self.listed(scope, kind, &listed);
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, key: &TagKey) {
        self.summary.acknowledged += 1;
        let of_tag = self.events.iter().filter(|(_, tag)| *tag == key);
        let older = of_tag.map(|(event, _)| *event).collect();
        let is_one_shot = key.1 == SyncKind::OneShot;
        let tag = self.tag(key);
        tag.open = is_one_shot;
        tag.older = older;
        let is_present = tag.present;
        // A periodic one may have been unregistered in the same breath.
        self.check(is_present || !is_one_shot, || {
            format!("{key:?} is acknowledged, and the event log does not know of it")
        });
    }

    /// A client is told which tags there are.
    fn listed(&mut self, scope: ScopeIndex, kind: SyncKind, listed: &[DomString]) {
        let mut present: Vec<(u64, &DomString, bool)> = self
            .tags
            .iter()
            .filter(|((of, of_kind, _), tag)| *of == scope && *of_kind == kind && tag.present)
            .map(|((_, _, name), tag)| (tag.order, name, tag.leaving))
            .collect();
        present.sort_unstable();
        let expected: Vec<&DomString> = present
            .iter()
            .filter(|(_, name, leaving)| !leaving || listed.contains(name))
            .map(|(_, name, _)| *name)
            .collect();
        if !expected.iter().copied().eq(listed) {
            let what = format!("getTags() at scope {scope}: {listed:?}, expected {expected:?}");
            self.violate(what);
        }
    }

    /// The network and the permission are looked at for the last time before a dispatch.
    pub(crate) fn confirming(
        &mut self,
        event: EventId,
        kind: SyncKind,
        storage_key: &StorageKey,
        (now, network, may_sync): (Timestamp, &NetworkState, bool),
    ) {
        self.network_seen(now, network);
        let verdict = if may_sync {
            self.check_conditions(now, kind, storage_key)
        } else {
            Err("without permission".to_owned())
        };
        self.confirmed.insert(event, verdict);
    }

    /// What holds back every event of an origin now.
    fn check_conditions(
        &self,
        now: Timestamp,
        kind: SyncKind,
        storage_key: &StorageKey,
    ) -> Result<(), String> {
        let network = &self.network;
        if !network.is_online_for(storage_key) {
            return Err(format!("while {:?}", network.link));
        }
        let reachability = network.reachability(storage_key);
        let is_unchecked = network.portal == PortalState::Unchecked
            && reachability == Reachability::Unknown
            && !storage_key.is_loopback();
        if is_unchecked && self.policy.heeds_reachability {
            return Err("before a portal has been looked for".to_owned());
        }
        let is_in_doubt = matches!(
            reachability,
            Reachability::Checking | Reachability::Unreachable
        );
        if is_in_doubt && self.policy.heeds_reachability {
            return Err(format!("while {reachability:?}"));
        }
        let is_settled = self
            .online_since
            .is_none_or(|since| now.monotonic >= since.saturating_add(self.policy.settling_delay));
        if !is_settled && !storage_key.is_loopback() {
            return Err("on a network that has just come".to_owned());
        }
        let windows = self.windows.get(storage_key).copied().unwrap_or_default();
        if self.policy.needs_window && windows == 0 {
            return Err("without a window".to_owned());
        }
        let engagement = self
            .engagements
            .get(storage_key)
            .and_then(|seen| seen.last());
        if kind == SyncKind::Periodic && engagement == Some(&Engagement::Suspended) {
            return Err("while suspended".to_owned());
        }
        Ok(())
    }

    /// The sync manager is told how much the user engages with an origin.
    pub(crate) fn engagement_seen(&mut self, storage_key: &StorageKey, engagement: Engagement) {
        let seen = self.engagements.entry(storage_key.clone()).or_default();
        if seen.last() != Some(&engagement) {
            seen.push(engagement);
        }
    }

    /// The sync manager is told of service workers or windows.
    pub(crate) fn notification_seen(&mut self, notification: &SwNotification) {
        if let SwNotification::WindowClients { storage_key, count } = notification {
            self.windows.insert(storage_key.clone(), *count);
        }
    }

    /// The sync manager is told that an origin may not sync.
    pub(crate) fn permission_denied(&mut self, kind: SyncKind, storage_key: &StorageKey) {
        self.denied.insert((kind, storage_key.clone()));
        for ((scope, of_kind, _), tag) in &mut self.tags {
            let is_meant = kind == SyncKind::OneShot || *of_kind == SyncKind::Periodic;
            if is_meant && self.origins.get(scope) == Some(storage_key) {
                tag.leaving = true;
            }
        }
    }

    /// The sync manager is told that a service worker registration has gone.
    pub(crate) fn unregistration_seen(&mut self, now: Timestamp, scope: ScopeIndex) {
        for ((of, _, _), tag) in &mut self.tags {
            tag.leaving |= *of == scope;
        }
        // Its events are over for whoever registers next.
        self.handlers.retain(|(of, _, _), _| *of != scope);
        let events = std::mem::take(&mut self.events);
        let (orphans, others) = events.into_iter().partition(|(_, key)| key.0 == scope);
        self.events = others;
        let orphans: BTreeMap<EventId, TagKey> = orphans;
        self.orphans.extend(orphans.keys());
        self.ended.extend(orphans);
        let ended = self.ended.iter().filter(|(_, key)| key.0 == scope);
        for event in ended.map(|(event, _)| *event).collect::<Vec<_>>() {
            self.end_seen(now, event);
        }
    }

    /// A service worker registration has gone, with its syncs.
    pub(crate) fn unregistered(&mut self, scope: ScopeIndex) {
        self.unregistered.insert(scope);
        for ((of, _, _), tag) in &mut self.tags {
            if *of == scope {
                tag.open = false;
                tag.maybe_gone = true;
            }
        }
    }

    /// The sync manager does something at this time.
    pub(crate) fn time_seen(&mut self, now: Timestamp) {
        let max_age = self.policy.max_age;
        for turn in self.turns.values_mut() {
            turn.latest = turn.latest.max(now.wall);
        }
        for ((_, kind, _), tag) in &mut self.tags {
            tag.time_seen(now);
            let can_expire = *kind == SyncKind::OneShot && max_age != Duration::MAX;
            if can_expire && tag.present && now.wall >= tag.registered.saturating_add(max_age) {
                tag.leaving = true;
                tag.expired = true;
            }
        }
    }

    /// The sync manager is told what the network is like.
    pub(crate) fn network_seen(&mut self, now: Timestamp, network: &NetworkState) {
        if *network == self.network {
            return;
        }
        let previous = std::mem::replace(&mut self.network, network.clone());
        let has_network =
            |state: &NetworkState| state.link == LinkState::Routable && !state.emulated_offline;
        if has_network(network) && !has_network(&previous) && previous.link != LinkState::Unknown {
            self.online_since = Some(now.monotonic);
        }
        for ((scope, _, _), tag) in &mut self.tags {
            let Some(origin) = self.origins.get(scope) else {
                continue;
            };
            if is_gained(origin, &previous, network) {
                tag.gain(&self.policy);
            }
        }
    }

    /// The sync manager dispatches an event.
    pub(crate) fn dispatched(
        &mut self,
        event: EventId,
        key: TagKey,
        last_chance: bool,
        time_limit: Duration,
    ) {
        self.summary.dispatched += 1;
        match self.confirmed.remove(&event) {
            Some(Ok(())) => {}
            Some(Err(why)) => self.violate(format!("{key:?} is dispatched {why}")),
            None => self.violate(format!("{key:?} is dispatched without a last look")),
        }
        if let Some((other, _)) = self.events.iter().find(|(_, tag)| **tag == key) {
            let what = format!("{key:?} is dispatched as {event} while {other} is in flight");
            self.violate(what);
        }
        let policy = &self.policy;
        let is_limit = match key.1 {
            SyncKind::OneShot if last_chance => time_limit == policy.last_chance_time_limit,
            SyncKind::OneShot => time_limit == policy.event_time_limit,
            SyncKind::Periodic => {
                let periodic = &policy.periodic;
                [periodic.event_time_limit, periodic.retry_time_limit].contains(&time_limit)
            }
        };
        self.check(is_limit, || {
            format!("{key:?} has a time limit of {time_limit:?}")
        });
        let policy = &self.policy;
        let most = policy.max_attempts + policy.max_uncounted_attempts;
        let tag = self.tags.entry(key.clone()).or_default();
        tag.older.retain(|other| *other != event);
        tag.dispatches += 1;
        tag.fired = true;
        let dispatches = tag.dispatches;
        let is_bounded = key.1 == SyncKind::OneShot && policy.count_interrupted_attempts;
        let found = tag.check_dispatch(last_chance);
        self.check(!is_bounded || dispatches <= most, || {
            format!("{key:?} is dispatched for the {dispatches}th time")
        });
        if let Err(why) = found {
            self.violate(format!("{key:?}: {why}"));
        }
        self.events.insert(event, key);
        // Events whose registration was removed are not counted by the manager.
        let limit = self.policy.max_concurrent_events;
        let in_flight = self.events.len();
        self.check(in_flight <= limit.saturating_add(self.tags.len()), || {
            format!("{in_flight} events are in flight")
        });
    }

    /// An event has ended, as the sync manager will be told.
    pub(crate) fn settled(&mut self, event: EventId, outcome: &EventOutcome) {
        let Some(key) = self.events.remove(&event) else {
            return;
        };
        self.ended.insert(event, key.clone());
        if *outcome == EventOutcome::TimedOut {
            // Its handler may go on, if something else keeps the worker; it is too late for that.
            self.handlers.remove(&key);
        }
        let tag = self.tag(&key);
        if tag.older.contains(&event) {
            tag.older.retain(|other| *other != event);
            return;
        }
        match outcome {
            EventOutcome::Fulfilled => {
                tag.open = false;
                self.summary.fulfilled += 1;
            }
            EventOutcome::NoActiveWorker => {
                tag.dispatches = tag.dispatches.saturating_sub(1);
                self.not_delivered.insert(event);
            }
            _ => {}
        }
    }

    /// The sync manager is about to be told that an event has ended.
    pub(crate) fn end_seen(&mut self, now: Timestamp, event: EventId) {
        let Some(key) = self.ended.remove(&event) else {
            return;
        };
        self.tag(&key).gained = false;
        if self.not_delivered.remove(&event) {
            return;
        }
        self.tag(&key).end(now);
        if key.1 == SyncKind::Periodic {
            for of in self.turns_of(key.0) {
                self.turns.entry(of).or_default().end(now);
            }
        }
    }

    /// A worker's handler begins.
    pub(crate) fn handler_began(&mut self, worker: WorkerId, event: EventId, key: TagKey) {
        if self.orphans.contains(&event) {
            return;
        }
        if let Some((other, _)) = self.handlers.get(&key) {
            let what = format!("{key:?} is handled by workers {other} and {worker} at a time");
            self.violate(what);
        }
        self.handlers.insert(key, (worker, event));
    }

    /// A worker's handler has ended.
    pub(crate) fn handler_over(&mut self, worker: WorkerId, event: EventId) {
        self.handlers
            .retain(|_, running| *running != (worker, event));
    }

    /// A worker has ended, and its handlers with it.
    pub(crate) fn worker_over(&mut self, worker: WorkerId) {
        self.handlers.retain(|_, (of, _)| *of != worker);
    }

    /// An entry of the event log is durable.
    pub(crate) fn logged(&mut self, now: Timestamp, scope: Option<ScopeIndex>, entry: &LogEntry) {
        if !self.log_seen.insert(entry.sequence) {
            return;
        }
        // Who only says why something is held back does not wait for the disk.
        if !matches!(entry.event, LogEvent::Held { .. }) {
            self.log_sequences.insert(entry.sequence);
        }
        let Some(scope) = scope else {
            self.violate(format!("an entry about a scope that nobody has: {entry:?}"));
            return;
        };
        let key = (scope, entry.kind, entry.tag.clone());
        let known = tag::Known {
            denied: self.was_denied(scope, entry.kind),
            unregistered: self.unregistered.contains(&scope),
            recovered: self.recovering,
        };
        if matches!(entry.event, LogEvent::Dropped { .. }) {
            self.summary.dropped += 1;
        }
        if entry.kind == SyncKind::Periodic
            && let Err(why) = self.periodic_logged(now, &key, entry)
        {
            self.violate(format!("{key:?}: {why}"));
        }
        let tag = self.tags.entry(key.clone()).or_default();
        if let Err(why) = tag.note(now, entry, &self.policy, known) {
            self.violate(format!("{key:?}: {why}"));
        }
    }

    fn was_denied(&self, scope: ScopeIndex, kind: SyncKind) -> bool {
        let Some(origin) = self.origins.get(&scope) else {
            return false;
        };
        let was_denied = |kind| self.denied.contains(&(kind, origin.clone()));
        was_denied(SyncKind::OneShot) || (kind == SyncKind::Periodic && was_denied(kind))
    }

    /// Everything has worked for some time: what was promised is kept.
    pub(crate) fn check_end(&mut self) {
        let mut wrong = Vec::new();
        for (key, tag) in &self.tags {
            if tag.open {
                wrong.push(format!("{key:?} was acknowledged and forgotten"));
            } else if tag.present {
                wrong.push(format!("{key:?} is still there"));
            }
        }
        for (request, asked) in &self.requests {
            wrong.push(format!("{request} has no answer: {asked:?}"));
        }
        if let Some(first) = wrong.into_iter().next() {
            self.violate(first);
        }
    }
}

/// Whether a change of the network brought connectivity for an origin.
fn is_gained(origin: &StorageKey, previous: &NetworkState, network: &NetworkState) -> bool {
    if !network.is_online_for(origin) {
        return false;
    }
    let was_known = previous.emulated_offline || previous.link != LinkState::Unknown;
    if !previous.is_online_for(origin) {
        return was_known;
    }
    let moved = previous.identity.is_some()
        && network.identity.is_some()
        && previous.identity != network.identity;
    let is_reached = |state: &NetworkState| state.reachability(origin) == Reachability::Reachable;
    moved || (is_reached(network) && !is_reached(previous))
}
