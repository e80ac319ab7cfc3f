//! What an input makes of one registration's record. Pure: what comes out is written first, and
//! takes effect when it is on disk.

use std::time::Duration;

use base::time::{MonotonicTime, Timestamp};
use network_traits::NetworkIdentity;
use sw_traits::EventOutcome;
use sync_traits::{DropReason, LogEvent, SyncRegistrationState};

use crate::policy::SyncPolicy;
use crate::record::{RecordState, SyncRecord};

/// An attempt that has ended and whose end is not on disk yet.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) how: End,
    /// When it ended.
    pub(crate) at: Timestamp,
    /// The delays that follow if it is tried again, jitter included: one for each attempt that
    /// counts, so that writing the end twice gives the same due time.
    pub(crate) retry_delay: RetryDelay,
    /// How many of those that wait to register the tag came before the end.
    pub(crate) early_requesters: usize,
}

impl Ended {
    /// The end of an attempt that did not get as far as the service worker, or is treated as if it
    /// had not.
    pub(crate) fn not_delivered(at: Timestamp, early_requesters: usize) -> Self {
        Self {
            how: End::NotDelivered { outcome: None },
            at,
            retry_delay: RetryDelay::default(),
            early_requesters,
        }
    }
}

/// The delay before the next attempt, drawn when an attempt ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RetryDelay {
    /// After an attempt that counts.
    pub(crate) counted: Duration,
    /// After one that does not, and before a re-fire that has to wait.
    pub(crate) initial: Duration,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The service worker had the event.
    Handled {
        outcome: EventOutcome,
        duration: Duration,
        last_chance: bool,
        /// The network was gone, or the origin could not be reached.
        without_network: bool,
    },
    /// The service worker never got the event: what had to hold at the moment of dispatch did not
    /// hold, or there was no active worker (then with that outcome).
    NotDelivered { outcome: Option<EventOutcome> },
    /// The engine crashed first.
    Interrupted,
}

/// What a registration becomes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// The new record; nothing when it is removed.
    pub(crate) record: Option<SyncRecord>,
    /// For one that is waiting: when the back-off is over by the clock that nobody can set.
    pub(crate) due: Option<MonotonicTime>,
    /// What the event log says about it.
    pub(crate) log: Vec<LogEvent>,
}

impl Change {
    pub(crate) fn of(record: Option<SyncRecord>) -> Self {
        Self {
            record,
            ..Self::default()
        }
    }

    /// The registration is removed without success.
    pub(crate) fn remove(&mut self, reason: DropReason) {
        self.record = None;
        self.due = None;
        self.log.push(LogEvent::Dropped { reason });
    }

    /// The tag is registered, `sequence` being the number of a new registration.
    ///
    /// <https://wicg.github.io/background-sync/spec/#dom-syncmanager-register>
    pub(crate) fn register(
        &mut self,
        sequence: u64,
        now: Timestamp,
        network: Option<NetworkIdentity>,
    ) {
        // Step 9: there is no registration with this tag yet.
        let Some(record) = &mut self.record else {
            self.record = Some(SyncRecord {
                sequence,
                state: RecordState::Pending,
                attempts: 0,
                uncounted_attempts: 0,
                immediate_refires: 0,
                registered: now.wall,
                network,
            });
            self.log.push(LogEvent::Registered);
            return;
        };
        // Step 8: there is one.
        let found = public_state(record.state);
        self.log.push(LogEvent::Reregistered { found });
        record.registered = now.wall;
        record.network = network;
        if let RecordState::Firing { reregistered, .. } = &mut record.state {
            *reregistered = true;
            return;
        }
        // Whoever is told that the tag is registered gets all of its attempts, not what an older
        // registration has left of them.
        record.state = RecordState::Pending;
        record.attempts = 0;
        record.uncounted_attempts = 0;
        record.immediate_refires = 0;
        self.due = None;
    }

    /// The tag was registered anew just after its event had ended, for the `refires`-th time in a
    /// row. Gives whether it has to wait for `delay`.
    pub(crate) fn follow_up(
        &mut self,
        refires: u32,
        now: Timestamp,
        delay: Duration,
        policy: &SyncPolicy,
    ) -> bool {
        if let Some(record) = &mut self.record {
            record.immediate_refires = refires;
        }
        let too_often = refires > policy.max_immediate_refires;
        if too_often {
            self.wait(now, delay);
        }
        too_often
    }

    /// An attempt is started.
    ///
    /// <https://wicg.github.io/background-sync/spec/#fire-a-sync-event>
    pub(crate) fn start(&mut self, now: Timestamp, policy: &SyncPolicy) -> bool {
        let Some(record) = &mut self.record else {
            return false;
        };
        record.attempts = record.attempts.saturating_add(1);
        // Step 4: the state becomes firing.
        record.state = RecordState::Firing {
            started: now.wall,
            reregistered: false,
        };
        self.due = None;
        let last_chance = is_last_chance(record, now, policy);
        self.log.push(LogEvent::Dispatched {
            attempt: record.attempts,
            last_chance,
        });
        last_chance
    }

    /// An attempt has ended.
    pub(crate) fn end(&mut self, ended: &Ended, policy: &SyncPolicy) {
        let Some(record) = &mut self.record else {
            return;
        };
        let RecordState::Firing { reregistered, .. } = record.state else {
            return;
        };
        match &ended.how {
            End::NotDelivered { outcome } => {
                if let Some(outcome) = outcome {
                    self.log.push(LogEvent::Finished {
                        outcome: outcome.clone(),
                        duration: Duration::ZERO,
                        counted: false,
                    });
                }
                record.attempts = record.attempts.saturating_sub(1);
                record.state = RecordState::Pending;
                if reregistered {
                    record.attempts = 0;
                    record.uncounted_attempts = 0;
                }
            }
            End::Interrupted => {
                self.log.push(LogEvent::Interrupted {
                    attempt: record.attempts,
                });
                if reregistered {
                    self.refire(ended, policy);
                } else if record.attempts >= policy.max_attempts {
                    self.remove(DropReason::AttemptsExhausted);
                } else {
                    self.wait(ended.at, ended.retry_delay.counted);
                }
            }
            End::Handled {
                outcome,
                duration,
                last_chance,
                without_network,
            } => {
                let fulfilled = *outcome == EventOutcome::Fulfilled;
                let counted = *last_chance
                    || !*without_network
                    || !may_be_for_want_of_network(outcome)
                    || record.uncounted_attempts >= policy.max_uncounted_attempts;
                self.log.push(LogEvent::Finished {
                    outcome: outcome.clone(),
                    duration: *duration,
                    counted,
                });
                if reregistered {
                    self.refire(ended, policy);
                } else if fulfilled {
                    self.record = None;
                    self.log.push(LogEvent::Completed);
                } else if *last_chance {
                    let exhausted = record.attempts >= policy.max_attempts;
                    let reason = if exhausted {
                        DropReason::AttemptsExhausted
                    } else {
                        DropReason::Expired
                    };
                    self.remove(reason);
                } else if counted {
                    self.wait(ended.at, ended.retry_delay.counted);
                } else {
                    record.attempts = record.attempts.saturating_sub(1);
                    record.uncounted_attempts += 1;
                    self.wait(ended.at, ended.retry_delay.initial);
                }
            }
        }
    }

    /// The event of a registration that was registered again meanwhile has ended.
    fn refire(&mut self, ended: &Ended, policy: &SyncPolicy) {
        let Some(record) = &mut self.record else {
            return;
        };
        record.attempts = 0;
        record.uncounted_attempts = 0;
        if record.immediate_refires < policy.max_immediate_refires {
            record.immediate_refires += 1;
            record.state = RecordState::Pending;
        } else {
            self.wait(ended.at, ended.retry_delay.initial);
        }
    }

    /// The registration is in back-off from `since` on.
    fn wait(&mut self, since: Timestamp, delay: Duration) {
        let Some(record) = &mut self.record else {
            return;
        };
        let due = since.wall.saturating_add(delay);
        record.immediate_refires = 0;
        record.state = RecordState::Waiting { due };
        self.due = Some(since.monotonic.saturating_add(delay));
        self.log.push(LogEvent::RetryScheduled { due });
    }
}

/// Whether a failure of the attempt that starts now drops the registration: it is the last one
/// that counts, or, if the worker takes its time and the delay is long, the next one could only
/// start when the registration is too old. What the page was told is kept: a last chance that
/// fails for want of network is over too.
fn is_last_chance(record: &SyncRecord, now: Timestamp, policy: &SyncPolicy) -> bool {
    let (_, longest) = policy.jitter_range(policy.retry_delay(record.attempts));
    let next = policy.event_time_limit.saturating_add(longest);
    let expiry = record.registered.saturating_add(policy.max_age);
    record.attempts >= policy.max_attempts || now.wall.saturating_add(next) >= expiry
}

/// Whether a missing network can be the cause of an outcome. A worker that crashes, or whose
/// stored script does not run, does so with or without network.
fn may_be_for_want_of_network(outcome: &EventOutcome) -> bool {
    matches!(
        outcome,
        EventOutcome::Rejected { .. } | EventOutcome::TimedOut
    )
}

/// The state as the spec names it.
pub(crate) fn public_state(state: RecordState) -> SyncRegistrationState {
    match state {
        RecordState::Pending => SyncRegistrationState::Pending,
        RecordState::Waiting { .. } => SyncRegistrationState::Waiting,
        RecordState::Firing {
            reregistered: false,
            ..
        } => SyncRegistrationState::Firing,
        RecordState::Firing {
            reregistered: true, ..
        } => SyncRegistrationState::ReregisteredWhileFiring,
    }
}
