//! What an input makes of a periodic registration's record: see [`crate::transition`].

use std::time::Duration;

use base::time::Timestamp;
use network_traits::NetworkIdentity;
use sw_traits::EventOutcome;
use sync_traits::{DropReason, LogEvent};

use super::record::PeriodicState;
use crate::policy::SyncPolicy;
use crate::record::{RecordState, SyncRecord};
use crate::transition::{Change, End, Ended, public_state};

impl Change {
    /// The tag is registered, `sequence` being the number of a new registration.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-register>
    pub(crate) fn register_periodic(
        &mut self,
        sequence: u64,
        now: Timestamp,
        network: Option<NetworkIdentity>,
        min_interval: Duration,
    ) {
        // Step 9: there is no registration with this tag yet.
        let Some(record) = &mut self.record else {
            let periodic = PeriodicState {
                min_interval,
                anchor: now,
            };
            self.record = Some(SyncRecord {
                sequence,
                state: RecordState::Pending,
                attempts: 0,
                uncounted_attempts: 0,
                immediate_refires: 0,
                registered: now.wall,
                network,
                registration: None,
                periodic: Some(Box::new(periodic)),
            });
            self.log.push(LogEvent::Registered);
            return;
        };
        // Step 10: there is one. Its anchor stays.
        let found = public_state(record.state);
        self.log.push(LogEvent::Reregistered { found });
        record.registered = now.wall;
        record.network = network;
        let Some(periodic) = &mut record.periodic else {
            return;
        };
        if periodic.min_interval != min_interval {
            periodic.min_interval = min_interval;
        } else if let RecordState::Firing { reregistered, .. } = &mut record.state {
            *reregistered = true;
        }
    }

    /// The page unregisters the tag. Gives whether it was there.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#dom-periodicsyncmanager-unregister>
    pub(crate) fn unregister_periodic(&mut self) -> bool {
        let exists = self.record.is_some();
        if exists {
            self.remove(DropReason::UnregisteredByPage);
        }
        exists
    }

    /// An attempt has ended.
    ///
    /// <https://wicg.github.io/periodic-background-sync/#fire-a-periodicsync-event>
    pub(crate) fn end_periodic(&mut self, ended: &Ended, policy: &SyncPolicy) {
        let Some(record) = &mut self.record else {
            return;
        };
        let RecordState::Firing { reregistered, .. } = record.state else {
            return;
        };
        let exhausted = record.attempts >= policy.periodic.max_attempts;
        match &ended.how {
            End::NotDelivered { outcome } => {
                self.take_back(outcome.as_ref());
            }
            // What the worker has begun goes on after the next start, whatever the floors say.
            End::TakenBack => {
                record.uncounted_attempts = record.uncounted_attempts.saturating_add(1);
                self.take_back(None);
            }
            End::Interrupted => {
                self.log.push(LogEvent::Interrupted {
                    attempt: record.attempts,
                });
                if reregistered || exhausted {
                    self.begin_interval(ended.at);
                } else {
                    self.retry(ended, true, policy);
                }
            }
            End::Handled {
                outcome,
                duration,
                without_network,
                ..
            } => {
                let fulfilled = *outcome == EventOutcome::Fulfilled;
                let counted = self.note_handled(outcome, *duration, *without_network, policy);
                if fulfilled {
                    self.log.push(LogEvent::Completed);
                }
                if fulfilled || reregistered || (counted && exhausted) {
                    self.begin_interval(ended.at);
                } else {
                    self.retry(ended, counted, policy);
                }
            }
        }
    }

    /// The next interval begins at the end of the last attempt of this one.
    fn begin_interval(&mut self, at: Timestamp) {
        self.due = None;
        let Some(record) = &mut self.record else {
            return;
        };
        record.state = RecordState::Pending;
        record.attempts = 0;
        record.uncounted_attempts = 0;
        if let Some(periodic) = &mut record.periodic {
            periodic.anchor = at;
        }
    }
}
