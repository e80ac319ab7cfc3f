use std::time::Duration;

use base::time::{MonotonicTime, Timestamp};
use network_traits::{CaptivePortalCheck, PortalState, ProbeId, ProbeOutcome};

use super::Settings;

/// What is known of a captive portal on the current network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Nothing, so nothing that seems to come from a server is believed.
    Unverified,
    /// There was none, or nobody answered and so there is no sign of one. To be verified again when
    /// something is probed after this time.
    Open { until: MonotonicTime },
    /// There is one. To be checked again at this time, as long as something waits.
    Captive { retry_at: MonotonicTime },
}

/// The look for a captive portal.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) check: CaptivePortalCheck,
    verdict: Verdict,
    /// The check that is under way, and when it has failed.
    running: Option<(ProbeId, MonotonicTime)>,
    failures: u32,
    last_ended: MonotonicTime,
}

impl Portal {
    pub(super) fn new(check: CaptivePortalCheck) -> Self {
        Self {
            check,
            verdict: Verdict::Unverified,
            running: None,
            failures: 0,
            last_ended: MonotonicTime::default(),
        }
    }

    /// The network is another one. Answers which check to cancel.
    pub(super) fn forget(&mut self) -> Option<ProbeId> {
        self.verdict = Verdict::Unverified;
        self.failures = 0;
        self.cancel()
    }

    /// Nobody waits for the check. Answers which one to cancel.
    pub(super) fn cancel(&mut self) -> Option<ProbeId> {
        self.running.take().map(|(id, _)| id)
    }

    /// As it is published. That a verdict is to be verified again does not undo it.
    pub(super) fn state(&self) -> PortalState {
        match self.verdict {
            Verdict::Unverified => PortalState::Unchecked,
            Verdict::Open { .. } => PortalState::Open,
            Verdict::Captive { .. } => PortalState::Captive,
        }
    }

    pub(super) fn is_captive(&self) -> bool {
        matches!(self.verdict, Verdict::Captive { .. })
    }

    /// Whether what servers seem to show is believed.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.verdict, Verdict::Open { until } if now.monotonic < until)
    }

    pub(super) fn runs(&self, id: ProbeId) -> bool {
        self.running.is_some_and(|(running, _)| running == id)
    }

    /// Whether a check is to start now, if something waits for it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.running.is_none()
            && match self.verdict {
                Verdict::Unverified => true,
                Verdict::Open { until } => until <= now.monotonic,
                Verdict::Captive { retry_at } => retry_at <= now.monotonic,
            }
    }

    pub(super) fn started(&mut self, id: ProbeId, until: MonotonicTime) {
        self.running = Some((id, until));
    }

    /// When something is to be done, if something waits for it.
    pub(super) fn due_at(&self) -> Option<MonotonicTime> {
        match (self.running, self.verdict) {
            (Some((_, until)), _) => Some(until),
            (None, Verdict::Captive { retry_at }) => Some(retry_at),
            (None, _) => None,
        }
    }

    /// The check that has taken too long.
    pub(super) fn overdue(&self, now: Timestamp) -> Option<ProbeId> {
        self.running
            .filter(|(_, until)| *until <= now.monotonic)
            .map(|(id, _)| id)
    }

    /// The check has ended.
    pub(super) fn ended(&mut self, now: Timestamp, outcome: ProbeOutcome, settings: &mut Settings) {
        self.running = None;
        self.last_ended = now.monotonic;
        if outcome == ProbeOutcome::Reached {
            self.failures = 0;
            let until = now
                .monotonic
                .saturating_add(settings.evidence.reachable_for);
            self.verdict = Verdict::Open { until };
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let again = now
            .monotonic
            .saturating_add(settings.retry_delay(self.failures));
        self.verdict = match outcome {
            ProbeOutcome::Altered => Verdict::Captive { retry_at: again },
            // The check's own server may be down; the probes of the origins then tell.
            _ => Verdict::Open { until: again },
        };
    }

    /// There is a sign that the portal has been passed. Signs that come fast count once.
    pub(super) fn hurry(&mut self, now: Timestamp, distance: Duration) {
        if let Verdict::Captive { retry_at } = &mut self.verdict
            && self.last_ended.saturating_add(distance) <= now.monotonic
        {
            *retry_at = now.monotonic;
        }
    }

    /// The back-off starts anew.
    pub(super) fn retry_now(&mut self, now: Timestamp) {
        self.failures = 0;
        if let Verdict::Captive { retry_at } = &mut self.verdict {
            *retry_at = now.monotonic;
        }
    }
}
