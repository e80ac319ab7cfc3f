//! What an input makes of one registration's record. Pure: what comes out is written first, and
//! takes effect when it is on disk.

use std::time::Duration;

use base::time::{MonotonicTime, Timestamp};
use network_traits::NetworkIdentity;
use sw_traits::EventOutcome;
use sync_traits::{DropReason, LogEvent, SyncRegistrationState};

use crate::policy::SyncPolicy;
use crate::record::{RecordState, SyncRecord};
use crate::schedule::Due;

/// An attempt that has ended and whose end is not on disk yet.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) how: End,
    /// When it ended.
    pub(crate) at: Timestamp,
    /// The delays that follow if it is tried again, jitter included: one for each attempt that
    /// counts, so that writing the end twice gives the same due time.
    pub(crate) retry_delay: RetryDelay,
    /// How much of what is asked for with the tag was asked for before the end.
    pub(crate) early_asked: usize,
}

impl Ended {
    /// The end of an attempt that did not get as far as the service worker, or is treated as if it
    /// had not.
    pub(crate) fn not_delivered(at: Timestamp, early_asked: usize) -> Self {
        Self {
            how: End::NotDelivered { outcome: None },
            at,
            retry_delay: RetryDelay::default(),
            early_asked,
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
    /// The engine was shut down while the service worker had the event.
    TakenBack,
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
    /// For one that is waiting after an attempt that counted: before what connectivity does not end
    /// the back-off.
    pub(crate) not_before: Option<Due>,
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
        policy: &SyncPolicy,
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
                registration: None,
                periodic: None,
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
        if !policy.reregistering_starts_anew {
            return;
        }
        // Whoever is told that the tag is registered gets all of its attempts, not what an older
        // registration has left of them.
        record.attempts = 0;
        record.uncounted_attempts = 0;
        // But a delay that keeps it from firing without end would be none if that ended it.
        if record.immediate_refires <= policy.max_immediate_refires {
            record.state = RecordState::Pending;
            record.immediate_refires = 0;
            self.due = None;
        }
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
            self.wait_to_refire(now, delay, policy);
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
        if record.immediate_refires > policy.max_immediate_refires {
            // The delay is over.
            record.immediate_refires = 0;
        }
        // Step 4: the state becomes firing.
        record.state = RecordState::Firing {
            started: now.wall,
            reregistered: false,
        };
        self.due = None;
        let last_chance = record.periodic.is_none() && is_last_chance(record, now, policy);
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
                self.take_back(outcome.as_ref());
                self.renew_attempts(reregistered);
            }
            End::TakenBack => {
                self.take_back(None);
                self.renew_attempts(reregistered);
            }
            End::Interrupted => {
                self.log.push(LogEvent::Interrupted {
                    attempt: record.attempts,
                });
                let exhausted = record.attempts >= policy.max_attempts;
                // It was started at the time that is taken for its end.
                let last_chance = is_last_chance(record, ended.at, policy);
                if reregistered {
                    self.refire(ended, policy);
                } else if last_chance {
                    self.drop_after_last_chance(exhausted);
                } else {
                    self.retry(ended, true, policy);
                }
            }
            End::Handled {
                outcome,
                duration,
                last_chance,
                without_network,
            } => {
                let fulfilled = *outcome == EventOutcome::Fulfilled;
                let exhausted = record.attempts >= policy.max_attempts;
                let excusable = *without_network && !*last_chance;
                let counted = self.note_handled(outcome, *duration, excusable, policy);
                if reregistered {
                    self.refire(ended, policy);
                } else if fulfilled {
                    self.record = None;
                    self.log.push(LogEvent::Completed);
                } else if *last_chance {
                    self.drop_after_last_chance(exhausted);
                } else {
                    self.retry(ended, counted, policy);
                }
            }
        }
    }

    /// The page was told that this attempt is the last, and it failed.
    fn drop_after_last_chance(&mut self, exhausted: bool) {
        self.remove(if exhausted {
            DropReason::AttemptsExhausted
        } else {
            DropReason::Expired
        });
    }

    /// The service worker has had the event: the event log tells how that ended. Gives whether the
    /// attempt counts, which it may not when that can be `excusable` by a missing network.
    pub(crate) fn note_handled(
        &mut self,
        outcome: &EventOutcome,
        duration: Duration,
        excusable: bool,
        policy: &SyncPolicy,
    ) -> bool {
        let record = self.record.as_ref();
        let uncounted = record.map_or(0, |record| record.uncounted_attempts);
        let counted = !excusable
            || !may_be_for_want_of_network(outcome)
            || uncounted >= policy.max_uncounted_attempts;
        self.log.push(LogEvent::Finished {
            outcome: outcome.clone(),
            duration,
            counted,
        });
        counted
    }

    /// There will be another attempt after a back-off. Connectivity ends it, but where each
    /// attempt costs one of a few, not so often that a link that comes and goes uses them up.
    pub(crate) fn retry(&mut self, ended: &Ended, counted: bool, policy: &SyncPolicy) {
        if counted {
            self.wait(ended.at, ended.retry_delay.counted);
            let not_before = ended.at.saturating_add(policy.min_retry_delay);
            self.not_before = Some(Due::of(not_before));
            return;
        }
        if let Some(record) = &mut self.record {
            record.attempts = record.attempts.saturating_sub(1);
            record.uncounted_attempts = record.uncounted_attempts.saturating_add(1);
        }
        self.wait(ended.at, ended.retry_delay.initial);
    }

    /// An attempt is as if it had not been started.
    pub(crate) fn take_back(&mut self, outcome: Option<&EventOutcome>) {
        let Some(record) = &mut self.record else {
            return;
        };
        record.attempts = record.attempts.saturating_sub(1);
        record.state = RecordState::Pending;
        if let Some(outcome) = outcome {
            self.log.push(LogEvent::Finished {
                outcome: outcome.clone(),
                duration: Duration::ZERO,
                counted: false,
            });
        }
    }

    /// The registration gets all its attempts, if it was registered again.
    fn renew_attempts(&mut self, reregistered: bool) {
        if let Some(record) = self.record.as_mut().filter(|_| reregistered) {
            record.attempts = 0;
            record.uncounted_attempts = 0;
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
            self.wait_to_refire(ended.at, ended.retry_delay.initial, policy);
        }
    }

    /// The registration fired too often at once: it waits, whoever registers it again meanwhile.
    fn wait_to_refire(&mut self, since: Timestamp, delay: Duration, policy: &SyncPolicy) {
        self.wait(since, delay);
        if let Some(record) = &mut self.record {
            record.immediate_refires = policy.max_immediate_refires.saturating_add(1);
        }
    }

    /// The registration is in back-off from `since` on.
    pub(crate) fn wait(&mut self, since: Timestamp, delay: Duration) {
        let Some(record) = &mut self.record else {
            return;
        };
        let due = since.wall.saturating_add(delay);
        record.immediate_refires = 0;
        record.state = RecordState::Waiting { due };
        self.due = Some(since.monotonic.saturating_add(delay));
        self.not_before = None;
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
    let expiry = policy.expiry(record.registered);
    record.attempts >= policy.max_attempts
        || expiry.is_some_and(|expiry| now.wall.saturating_add(next) >= expiry)
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
