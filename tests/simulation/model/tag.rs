//! What one registration's page and worker may expect.

use std::time::Duration;

use base::ids::EventId;
use base::time::{MonotonicTime, Timestamp, WallTime};
use sw_traits::EventOutcome;
use sync_manager::SyncPolicy;
use sync_traits::{DropReason, LogEntry, LogEvent, SyncKind, SyncRegistrationState};

use super::periodic::ago;

/// What is known of reasons to drop something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The origin was found to have no permission.
    pub(super) denied: bool,
    /// The service worker registration had gone.
    pub(super) unregistered: bool,
    /// The entry was found after a crash. It may be of a write that failed, and so tell again what
    /// another has told.
    pub(super) recovered: bool,
}

/// How far the event log has told of an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Attempt {
    /// The tag was registered since the last one was started.
    #[default]
    Registered,
    /// It was started, or what followed from its end has been told.
    Started,
    /// It has failed, and nothing was told after that.
    Failed,
}

/// What a page and a worker may expect of one registration.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default)]
pub(super) struct Tag {
    /// It is one-shot and was acknowledged, and neither was an event that was dispatched since
    /// fulfilled, nor was it reported as dropped.
    pub(super) open: bool,
    /// It is among the tags, as far as the event log has told.
    pub(super) present: bool,
    /// There is a reason for it to go.
    pub(super) leaving: bool,
    /// It was too old at some time.
    pub(super) expired: bool,
    /// Its record may have gone with its service worker, and nobody has said so yet.
    pub(super) maybe_gone: bool,
    /// A page has asked for it to go.
    pub(super) unregistered_by_page: bool,
    /// It has fired since that was last asked.
    pub(super) fired: bool,
    /// Where it stands among the tags.
    pub(super) order: u64,
    /// When it was last registered.
    pub(super) registered: WallTime,
    /// Events dispatched since it was last registered that a worker has had.
    pub(super) dispatches: u32,
    /// Events that were dispatched before the last acknowledgement.
    pub(super) older: Vec<EventId>,
    /// Connectivity has come since its last event ended.
    pub(super) gained: bool,
    /// When its last event ended that a worker had.
    pub(super) ended: Option<Timestamp>,
    /// The latest that the calendar has said since its last event ended, or since it was
    /// registered.
    pub(super) latest: WallTime,
    /// When it was registered, as early as it can have been.
    pub(super) anchor: Timestamp,
    /// The `minInterval` of a periodic one.
    pub(super) min_interval: Duration,
    /// The shortest that was refused because it could not be stored; it may be stored after all.
    pub(super) refused_interval: Option<Duration>,
    /// The next attempt of a periodic one is a retry.
    pub(super) retrying: bool,
    /// When the start of its last attempt was written.
    pub(super) started: WallTime,
    /// An attempt was started whose end has not been told. (A write that failed and is on the disk
    /// after a crash all the same tells it once more.)
    pub(super) under_way: bool,
    /// The engine was shut down before its end, so that it does not count, unless that could not be
    /// written.
    pub(super) taken_back: bool,
    /// A worker had its event when the engine ended.
    pub(super) cut_off: bool,
    /// When it ended if the engine's end was its end.
    interrupted: Option<Timestamp>,
    /// Before this it may not fire, unless connectivity comes.
    back_off: Option<(WallTime, MonotonicTime)>,
    /// The last entry of the event log about an attempt said that it is the last.
    last_chance: bool,
    attempt: Attempt,
    /// Attempts that have failed and count, since it was last registered.
    failures: u32,
    /// Nothing was told since it was registered.
    just_registered: bool,
    /// The last attempt that has ended counts.
    counted: bool,
    /// It was registered again while its event was being handled.
    reregistered: bool,
}

impl Tag {
    /// The sync manager does something at this time.
    pub(super) fn time_seen(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now.wall);
        // Once over it stays over, whatever becomes of the clock.
        self.back_off = self
            .back_off
            .filter(|(wall, monotonic)| now.wall < *wall && now.monotonic < *monotonic);
    }

    /// Its event has ended.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.ended = Some(now);
        self.latest = now.wall;
    }

    /// An event is dispatched now.
    pub(super) fn check_dispatch(&self, last_chance: bool) -> Result<(), String> {
        if self.last_chance == last_chance {
            Ok(())
        } else {
            Err("the log and the event do not agree about the last chance".to_owned())
        }
    }

    /// The start of an attempt is known now.
    fn check_back_off(&mut self, now: Timestamp, known: Known) -> Result<(), String> {
        match self.back_off.take() {
            Some((wall, monotonic))
                if now.wall < wall && now.monotonic < monotonic && !known.recovered =>
            {
                Err(format!(
                    "it fires {:?} before its back-off is over",
                    wall.saturating_since(now.wall)
                ))
            }
            _ => Ok(()),
        }
    }

    /// Connectivity comes.
    pub(super) fn gain(&mut self, policy: &SyncPolicy) {
        self.gained = true;
        if !policy.connectivity_ends_back_off {
            return;
        }
        let Some((wall, monotonic)) = self.back_off.take() else {
            return;
        };
        if self.counted
            && let Some(ended) = self.ended
        {
            let soonest = ended.saturating_add(policy.min_retry_delay);
            let due = (wall.min(soonest.wall), monotonic.min(soonest.monotonic));
            self.back_off = Some(due);
        }
    }

    /// The event log says something about it.
    pub(super) fn note(
        &mut self,
        now: Timestamp,
        entry: &LogEntry,
        policy: &SyncPolicy,
        known: Known,
    ) -> Result<(), String> {
        let failed = self.attempt == Attempt::Failed;
        self.attempt = self.next_attempt(&entry.event);
        self.just_registered &= matches!(entry.event, LogEvent::RetryScheduled { .. });
        match &entry.event {
            LogEvent::Registered => {
                let was_present = std::mem::replace(&mut self.present, true);
                self.order = entry.sequence;
                self.just_registered = true;
                self.ended = None;
                self.retrying = false;
                self.register(entry);
                // One whose record went with its service worker is new, whatever the log says.
                if was_present && !std::mem::take(&mut self.maybe_gone) && !known.recovered {
                    return Err("it is registered as new, and it was there".to_owned());
                }
            }
            LogEvent::Reregistered { found } => {
                self.register_again(entry, *found, policy);
                if !self.present {
                    return Err("it is registered again, and it was not there".to_owned());
                }
            }
            LogEvent::Held { .. } => {}
            LogEvent::Dispatched {
                attempt,
                last_chance,
            } => {
                self.last_chance = *last_chance;
                self.started = entry.time;
                self.under_way = true;
                self.taken_back = false;
                // Whatever came of the attempt during which it was registered again.
                if std::mem::take(&mut self.reregistered) {
                    self.failures = 0;
                }
                self.check_attempt(*attempt, *last_chance, entry, policy)?;
                self.check_back_off(now, known)?;
            }
            LogEvent::Finished {
                outcome, counted, ..
            } => {
                self.attempt_ended(*counted);
                self.retrying &= *outcome == EventOutcome::NoActiveWorker;
            }
            LogEvent::Interrupted { .. } => {
                self.attempt_ended(policy.count_interrupted_attempts);
                self.ended = self.interrupted.or(self.ended);
                self.retrying = false;
            }
            LogEvent::RetryScheduled { due } => {
                self.retrying = true;
                if failed && self.last_chance {
                    return Err("it is tried again after its last chance".to_owned());
                }
                self.wait(*due, entry, policy, known)?;
            }
            LogEvent::Completed => self.leave(entry.kind),
            LogEvent::Dropped { reason } => {
                let found = self.check_drop(*reason, failed, known);
                self.leave(SyncKind::OneShot);
                self.expired = false;
                self.open = false;
                found?;
            }
        }
        Ok(())
    }

    fn register(&mut self, entry: &LogEntry) {
        self.registered = entry.time;
        self.expired = false;
        self.leaving = false;
        self.renew();
    }

    fn register_again(
        &mut self,
        entry: &LogEntry,
        found: SyncRegistrationState,
        policy: &SyncPolicy,
    ) {
        self.registered = entry.time;
        self.expired = false;
        if is_firing(found) {
            self.reregistered = entry.kind == SyncKind::OneShot;
            self.dispatches = 0;
        } else if policy.reregistering_starts_anew && entry.kind == SyncKind::OneShot {
            self.renew();
        }
    }

    /// It gets all of its attempts.
    fn renew(&mut self) {
        self.reregistered = false;
        self.dispatches = 0;
        self.failures = 0;
        self.back_off = None;
    }

    /// It is in back-off, which begins when its event has ended, or when it was registered once too
    /// often.
    fn wait(
        &mut self,
        due: WallTime,
        entry: &LogEntry,
        policy: &SyncPolicy,
        known: Known,
    ) -> Result<(), String> {
        let ended = self.ended.unwrap_or_default();
        let exponent = self.failures.saturating_sub(1);
        let delay = match entry.kind {
            SyncKind::OneShot => policy.initial_delay * policy.delay_factor.pow(exponent),
            SyncKind::Periodic => policy.periodic.initial_delay,
        };
        let shortest = delay / 100 * (100 - policy.jitter_percent);
        let since = if self.just_registered {
            entry.time
        } else {
            ended.wall
        };
        self.back_off = Some((due, ended.monotonic.saturating_add(shortest)));
        if self.gained {
            self.gain(policy);
        }
        let found = due.saturating_since(since);
        if found < shortest && !known.recovered {
            return Err(format!("its back-off is only {found:?}"));
        }
        Ok(())
    }

    /// The end of an event counts for the registration for which it was dispatched.
    fn attempt_ended(&mut self, counted: bool) {
        self.counted = counted && !self.reregistered;
        if std::mem::take(&mut self.reregistered) {
            self.failures = 0;
        } else if self.under_way {
            self.failures += u32::from(counted);
        }
        self.under_way = false;
        self.back_off = None;
    }

    fn leave(&mut self, kind: SyncKind) {
        self.failures = 0;
        self.back_off = None;
        self.retrying = false;
        self.under_way = false;
        if kind == SyncKind::OneShot {
            self.present = false;
            self.leaving = false;
            self.maybe_gone = false;
        }
    }

    fn next_attempt(&self, event: &LogEvent) -> Attempt {
        match event {
            LogEvent::Registered | LogEvent::Reregistered { .. } => Attempt::Registered,
            LogEvent::Dispatched { .. } => Attempt::Started,
            _ if self.attempt == Attempt::Registered => Attempt::Registered,
            LogEvent::Finished { outcome, .. }
                if !matches!(
                    outcome,
                    EventOutcome::Fulfilled | EventOutcome::NoActiveWorker
                ) =>
            {
                Attempt::Failed
            }
            LogEvent::Interrupted { .. } => Attempt::Failed,
            _ => Attempt::Started,
        }
    }

    fn check_attempt(
        &self,
        attempt: u32,
        last_chance: bool,
        entry: &LogEntry,
        policy: &SyncPolicy,
    ) -> Result<(), String> {
        if entry.kind == SyncKind::Periodic {
            return if attempt > policy.periodic.max_attempts || last_chance {
                Err(format!("attempt {attempt}, last chance {last_chance}"))
            } else {
                Ok(())
            };
        }
        if attempt > policy.max_attempts || attempt != self.failures + 1 {
            return Err(format!(
                "it is attempt {attempt} after {} failures",
                self.failures
            ));
        }
        let delay = policy.initial_delay * policy.delay_factor.pow(attempt - 1);
        let longest = policy.event_time_limit + delay + delay / 100 * policy.jitter_percent;
        let is_too_late = policy.max_age != Duration::MAX
            && entry.time.saturating_add(longest) >= self.registered.saturating_add(policy.max_age);
        if last_chance == (attempt >= policy.max_attempts || is_too_late) {
            Ok(())
        } else {
            Err(format!("attempt {attempt}: last chance {last_chance}"))
        }
    }

    fn check_drop(&self, reason: DropReason, failed: bool, known: Known) -> Result<(), String> {
        let is_true = match reason {
            DropReason::AttemptsExhausted => failed && self.last_chance,
            DropReason::Expired => self.expired || (failed && self.last_chance),
            DropReason::PermissionRevoked => known.denied,
            DropReason::Unregistered => known.unregistered,
            DropReason::UnregisteredByPage => self.unregistered_by_page,
            DropReason::Unreadable => false,
        };
        if is_true {
            Ok(())
        } else {
            Err(format!("it is dropped because {reason}, which is not so"))
        }
    }

    /// The engine starts anew at this time: a back-off is counted from what the calendar says, and
    /// is never longer than it can be.
    pub(super) fn restart(&mut self, now: Timestamp, longest: Duration) {
        self.gained = false;
        self.latest = now.wall;
        self.older.clear();
        self.anchor = ago(self.anchor.wall, now);
        self.registered = self.registered.min(now.wall);
        // The attempt ended when the engine did, which is known no better.
        self.interrupted = Some(Timestamp {
            wall: self.started.min(now.wall),
            monotonic: now.monotonic,
        });
        self.ended = self.ended.map(|ended| ago(ended.wall, now));
        if let Some((wall, monotonic)) = &mut self.back_off {
            let left = wall.saturating_since(now.wall).min(longest);
            *wall = (*wall).min(now.wall.saturating_add(left));
            *monotonic = now.monotonic.saturating_add(left);
        }
    }
}

fn is_firing(state: SyncRegistrationState) -> bool {
    matches!(
        state,
        SyncRegistrationState::Firing | SyncRegistrationState::ReregisteredWhileFiring
    )
}
