//! What must hold when the engine starts on what an earlier one has left behind.

use std::collections::BTreeSet;

use base::time::Timestamp;
use network_traits::NetworkState;

use super::{Asked, Model, TagKey};
use crate::sites::ScopeIndex;

impl Model {
    /// The engine has ended, with everything that only it knew. `taken_back`: in order, so that
    /// the events in flight do not count. `shutting_down`: it had begun to, so they may not.
    pub(crate) fn engine_ended(&mut self, taken_back: bool, shutting_down: bool) {
        let ended = std::mem::take(&mut self.ended);
        let events = std::mem::take(&mut self.events);
        for tag in self.tags.values_mut() {
            tag.cut_off = false;
        }
        for key in events.into_values().chain(ended.into_values()) {
            let tag = self.tag(&key);
            tag.cut_off = true;
            if taken_back || shutting_down {
                tag.dispatches = tag.dispatches.saturating_sub(1);
            }
            tag.retrying |= taken_back;
        }
        for tag in self.tags.values_mut() {
            let refused = tag.refused_interval.take();
            tag.min_interval =
                refused.map_or(tag.min_interval, |refused| refused.min(tag.min_interval));
            // What a crash interrupts may be as if it had not been started.
            let is_undone = taken_back || !self.policy.count_interrupted_attempts;
            tag.taken_back = is_undone && tag.under_way;
            tag.retrying |= tag.taken_back && !taken_back;
        }
        for asked in std::mem::take(&mut self.requests).into_values() {
            // It may have come to that before the end.
            if let Asked::Register {
                key, min_interval, ..
            } = asked
            {
                let tag = self.tag(&key);
                tag.min_interval = tag.min_interval.min(min_interval);
            }
        }
        self.not_delivered.clear();
        self.recovering = true;
        self.windows.clear();
        self.online_since = None;
        self.confirmed.clear();
        self.handlers.clear();
        self.orphans.clear();
        self.network = NetworkState::default();
    }

    /// These are the numbers of all entries of the event log; none that was durable is missing.
    pub(crate) fn check_log(&mut self, found: &BTreeSet<u64>) {
        if let Some(lost) = self.log_sequences.difference(found).next() {
            let what = format!("entry {lost} of the event log was durable, and is lost");
            self.violate(what);
        }
        // The number of an entry that was not durable is given to another one.
        self.log_seen.clone_from(found);
    }

    /// The sync manager of a new engine hears which scopes have service workers. What it holds for
    /// others, and what an earlier service worker of the same scope has left behind, it removes.
    pub(crate) fn stored_workers_seen(&mut self, scopes: &BTreeSet<ScopeIndex>) {
        for ((scope, _, _), tag) in &mut self.tags {
            tag.leaving |= !scopes.contains(scope) || tag.maybe_gone;
        }
    }

    /// A new engine finds these registrations in its store, and these scopes of service workers.
    /// The event log has been looked at.
    pub(crate) fn recovered(
        &mut self,
        now: Timestamp,
        found: &BTreeSet<TagKey>,
        scopes: &BTreeSet<ScopeIndex>,
    ) {
        let policy = &self.policy;
        let longest = policy.initial_delay * policy.delay_factor.pow(policy.max_attempts - 1) / 100
            * (100 + policy.jitter_percent);
        let mut wrong = Vec::new();
        self.recovering = false;
        self.restart_turns(now);
        for key in found {
            if !self.tags.get(key).is_some_and(|tag| tag.present) {
                wrong.push(format!("{key:?} is in the store, and was never registered"));
            }
        }
        for (key, tag) in &mut self.tags {
            tag.restart(now, longest);
            let (scope, _, _) = key;
            if !scopes.contains(scope) {
                tag.open = false;
                tag.maybe_gone = true;
                self.unregistered.insert(*scope);
            }
            if tag.present && !found.contains(key) {
                if tag.maybe_gone {
                    tag.present = false;
                    tag.maybe_gone = false;
                } else {
                    wrong.push(format!("{key:?} was registered, and is not in the store"));
                }
            }
        }
        if let Some(first) = wrong.into_iter().next() {
            self.violate(first);
        }
    }
}
