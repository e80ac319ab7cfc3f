//! Explanations in words.

use std::fmt;

use base::time::WallTime;

use crate::types::{
    HoldReason, LogEvent, SyncExplanation, SyncRegistrationInfo, SyncRegistrationState,
};

impl HoldReason {
    /// What ends this hold, in words that follow "it fires when".
    pub fn release(&self) -> Release<'_> {
        Release(self)
    }
}

/// What ends a hold; see [`HoldReason::release`].
#[derive(Clone, Copy, Debug)]
pub struct Release<'a>(&'a HoldReason);

impl fmt::Display for Release<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HoldReason::NetworkUnknown => formatter
                .write_str("the system has said what the network is like, and there is one"),
            HoldReason::Offline => {
                formatter.write_str("a link comes up and the server can be reached")
            }
            HoldReason::OtherNetwork => {
                formatter.write_str("the machine is on the network on which it was registered")
            }
            HoldReason::CaptivePortal => {
                formatter.write_str("the login page of the network is out of the way")
            }
            HoldReason::Settling => formatter.write_str("the link has stayed up for long enough"),
            HoldReason::Checking => formatter.write_str("the server answers"),
            HoldReason::Unreachable => {
                formatter.write_str("the server answers, or has not been tried for a while")
            }
            HoldReason::NoActiveWorker => {
                formatter.write_str("its service worker registration has an active worker")
            }
            HoldReason::NoWindow => formatter.write_str("a page of the site is opened"),
            HoldReason::Suspended => formatter.write_str("the site is used more"),
            HoldReason::Storing => formatter.write_str("the write to disk has ended"),
            HoldReason::Queued => formatter.write_str("its turn comes"),
            HoldReason::BackOff { until } => write!(
                formatter,
                "the back-off is over, at {until}, or connectivity comes anew"
            ),
            HoldReason::NotDue { until } => {
                write!(formatter, "its interval is over, at {until}")
            }
            HoldReason::AcrossOrigins { until } => {
                write!(formatter, "sites may have a turn again, at {until}")
            }
        }
    }
}

impl SyncExplanation {
    /// Since when the registration has been held for this reason, as far as the log tells.
    fn held_since(&self, wanted: &HoldReason) -> Option<WallTime> {
        self.log.iter().rev().find_map(|entry| match &entry.event {
            LogEvent::Held { reason } if reason == wanted => Some(entry.time),
            _ => None,
        })
    }

    fn write_holds(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(" has not fired: ")?;
        for (index, reason) in self.held_by.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", and ")?;
            }
            write!(formatter, "{reason}")?;
            if let Some(since) = self.held_since(reason) {
                write!(formatter, " since {since}")?;
            }
        }
        let releases: Vec<String> = self
            .held_by
            .iter()
            .map(|reason| reason.release().to_string())
            .collect();
        write!(formatter, "; it fires when {}", releases.join(", and "))
    }

    fn write_present(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        registration: &SyncRegistrationInfo,
    ) -> fmt::Result {
        if !self.held_by.is_empty() {
            return self.write_holds(formatter);
        }
        match registration.state {
            SyncRegistrationState::Firing => {
                write!(
                    formatter,
                    " is being handled, attempt {}",
                    registration.attempts
                )
            }
            SyncRegistrationState::ReregisteredWhileFiring => {
                formatter.write_str(" is being handled, and fires again after that")
            }
            // Read from a profile in which nobody runs.
            state => write!(
                formatter,
                " is {state}; nothing is known to hold it back but that nobody runs"
            ),
        }
    }

    /// What became of a registration that is not there.
    fn write_gone(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.log.last() else {
            return formatter.write_str(
                " is not registered, and the event log does not remember that it ever was",
            );
        };
        let time = last.time;
        match &last.event {
            LogEvent::Completed => write!(formatter, " is done: it succeeded at {time}"),
            LogEvent::Dropped { reason } => {
                write!(formatter, " was dropped at {time}: {reason}")
            }
            // The removal of a service worker can be on disk before the log says so.
            _ => write!(
                formatter,
                " is not registered any more; the event log remembers it from {time}"
            ),
        }
    }
}

/// One sentence for people.
impl fmt::Display for SyncExplanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let question = &self.question;
        write!(
            formatter,
            "{} ({}) of {}",
            question.tag, question.kind, question.scope
        )?;
        match &self.registration {
            Some(registration) => self.write_present(formatter, registration),
            // It is being registered.
            None if !self.held_by.is_empty() => self.write_holds(formatter),
            None => self.write_gone(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{DomString, StorageKey};
    use url::Url;

    use super::*;
    use crate::types::{DropReason, LogEntry, SyncKind, SyncQuestion};

    fn explanation(held_by: Vec<HoldReason>, log: Vec<LogEvent>) -> SyncExplanation {
        let scope = Url::parse("https://example.org/").unwrap();
        let question = SyncQuestion {
            kind: SyncKind::OneShot,
            storage_key: StorageKey::from_url(&scope).unwrap(),
            scope,
            tag: DomString::from("outbox"),
        };
        let entry = |(sequence, event): (usize, LogEvent)| LogEntry {
            sequence: sequence as u64,
            time: WallTime::from_millis(1_800_000_000_000),
            kind: question.kind,
            storage_key: question.storage_key.clone(),
            scope: question.scope.clone(),
            tag: question.tag.clone(),
            event,
        };
        SyncExplanation {
            registration: None,
            held_by,
            log: log.into_iter().enumerate().map(entry).collect(),
            question,
        }
    }

    fn registration(state: SyncRegistrationState) -> SyncRegistrationInfo {
        let question = explanation(Vec::new(), Vec::new()).question;
        SyncRegistrationInfo {
            kind: question.kind,
            storage_key: question.storage_key,
            scope: question.scope,
            tag: question.tag,
            state,
            attempts: 2,
            registered: WallTime::default(),
            min_interval: None,
            due: None,
            held_by: None,
        }
    }

    #[test]
    fn what_is_held_is_told_with_every_reason_and_what_ends_it() {
        let until = WallTime::from_millis(1_800_000_300_000);
        let held_by = vec![HoldReason::Offline, HoldReason::BackOff { until }];
        let reason = HoldReason::Offline;
        let mut explanation = explanation(held_by, vec![LogEvent::Held { reason }]);
        explanation.registration = Some(registration(SyncRegistrationState::Waiting));
        assert_eq!(
            explanation.to_string(),
            "outbox (one-shot) of https://example.org/ has not fired: waiting for network since \
             2027-01-15 08:00:00 UTC, and in back-off after a failed attempt; it fires when a link \
             comes up and the server can be reached, and the back-off is over, at 2027-01-15 \
             08:05:00 UTC, or connectivity comes anew"
        );
    }

    #[test]
    fn what_fires_is_told_with_its_attempt() {
        let mut explanation = explanation(Vec::new(), Vec::new());
        explanation.registration = Some(registration(SyncRegistrationState::Firing));
        assert_eq!(
            explanation.to_string(),
            "outbox (one-shot) of https://example.org/ is being handled, attempt 2"
        );
    }

    #[test]
    fn what_is_gone_is_told_with_what_became_of_it() {
        let reason = DropReason::Expired;
        for (log, expected) in [
            (
                vec![LogEvent::Registered, LogEvent::Completed],
                "is done: it succeeded at 2027-01-15 08:00:00 UTC",
            ),
            (
                vec![LogEvent::Registered, LogEvent::Dropped { reason }],
                "was dropped at 2027-01-15 08:00:00 UTC: it is too old",
            ),
            (
                vec![LogEvent::Registered],
                "is not registered any more; the event log remembers it from 2027-01-15 08:00:00 \
                 UTC",
            ),
            (
                Vec::new(),
                "is not registered, and the event log does not remember that it ever was",
            ),
        ] {
            assert_eq!(
                explanation(Vec::new(), log).to_string(),
                format!("outbox (one-shot) of https://example.org/ {expected}")
            );
        }
    }
}
