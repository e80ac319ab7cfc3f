use base::time::{MonotonicTime, Timestamp};
use network_traits::{ProbeId, Reachability};

use super::Settings;

/// What is known of an origin, and what is done to find out more.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The newest thing that a fetch or a probe has shown on this network.
    pub(super) evidence: Option<Evidence>,
    /// Only of an origin that something waits for.
    pub(super) stage: Option<Stage>,
}

/// How far the probing of an awaited origin has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// It cannot be reached for a reason that is known: there is no network, or it is emulated that
    /// there is none.
    Held,
    /// It is not in doubt until this time, or has just been probed in vain.
    Waiting(MonotonicTime),
    /// It waits for its turn.
    Queued,
    /// It is being probed, and has failed when it has not ended at this time.
    Running(ProbeId, MonotonicTime),
}

/// The newest thing that a fetch or a probe has shown about an origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// Reachable or unreachable.
    pub(super) reachability: Reachability,
    pub(super) at: MonotonicTime,
    /// Failures in a row. That a probe succeeds is not the end of the row, that a fetch does is:
    /// where connections can be made and break at once, fetches must not come in rapid succession.
    failures: u32,
    /// When an origin that is unreachable is to be probed again.
    retry_at: MonotonicTime,
}

impl Origin {
    /// There is nothing left to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.evidence.is_none() && self.stage.is_none()
    }

    pub(super) fn is_unreachable(&self) -> bool {
        self.evidence
            .is_some_and(|evidence| evidence.reachability == Reachability::Unreachable)
    }

    /// Whether who waits for it waits for a first answer.
    pub(super) fn is_being_checked(&self) -> bool {
        matches!(self.stage, Some(Stage::Queued | Stage::Running(..))) && !self.is_unreachable()
    }

    /// A fetch or a probe has reached it.
    pub(super) fn reached(&mut self, now: Timestamp, by_fetch: bool) {
        let failures = match self.evidence {
            Some(evidence) if evidence.reachability == Reachability::Unreachable => {
                evidence.failures
            }
            _ => 0,
        };
        self.evidence = Some(Evidence {
            reachability: Reachability::Reachable,
            at: now.monotonic,
            failures: if by_fetch { 0 } else { failures },
            retry_at: now.monotonic,
        });
    }

    /// A fetch or a probe could not reach it.
    pub(super) fn failed(&mut self, now: Timestamp, settings: &mut Settings) {
        let reachable_for = settings.evidence.reachable_for;
        let before = self
            .evidence
            .filter(|evidence| {
                evidence.reachability == Reachability::Unreachable
                    || now.monotonic < evidence.at.saturating_add(reachable_for)
            })
            .map_or(0, |evidence| evidence.failures);
        let failures = before.saturating_add(1);
        self.evidence = Some(Evidence {
            reachability: Reachability::Unreachable,
            at: now.monotonic,
            failures,
            retry_at: now.monotonic.saturating_add(settings.retry_delay(failures)),
        });
    }

    /// Another fetch could not reach it either, which changes nothing about when it is probed.
    pub(super) fn failed_again(&mut self, now: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            evidence.at = now.monotonic;
        }
    }

    /// The back-off starts anew.
    pub(super) fn retry_now(&mut self, now: Timestamp) {
        if let Some(evidence) = &mut self.evidence {
            evidence.failures = 0;
            evidence.retry_at = now.monotonic;
        }
    }

    /// From when on it is in doubt, and so to be probed if something waits for it.
    pub(super) fn in_doubt_at(&self, now: Timestamp, settings: &Settings) -> MonotonicTime {
        match self.evidence {
            None => now.monotonic,
            Some(evidence) if evidence.reachability == Reachability::Unreachable => {
                evidence.retry_at
            }
            Some(evidence) => evidence.at.saturating_add(settings.evidence.reachable_for),
        }
    }

    /// When what is known of it is forgotten, if nothing waits for it.
    pub(super) fn forgotten_at(&self, settings: &Settings) -> Option<MonotonicTime> {
        (self.stage.is_none() && self.is_unreachable()).then(|| {
            let at = self.evidence.map(|evidence| evidence.at);
            at.unwrap_or_default()
                .saturating_add(settings.evidence.unreachable_for)
        })
    }
}
