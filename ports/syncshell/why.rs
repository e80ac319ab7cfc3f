//! Why a tag has not fired, and what would make it fire.

use std::fmt::Write;
use std::time::Duration;

use base::time::WallTime;
use network_traits::NetworkState;
use serde::{Deserialize, Serialize};
use sync_traits::{HoldReason, LogEntry, PermissionName, SyncExplanation, SyncRegistrationInfo};
use url::Url;

use crate::report::{ShellEvent, date, short};

/// What is known about one registration of the tag that was asked about.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Answer {
    /// `one-shot` or `periodic`.
    pub kind: String,
    /// The origin of the site.
    pub origin: String,
    /// The scope of its service worker registration.
    pub scope: String,
    /// Its state; nothing when there is no such registration any more.
    pub state: Option<String>,
    /// How many attempts were started that count.
    pub attempts: Option<u32>,
    /// The interval of a periodic one, in milliseconds, as the page asked for it.
    pub min_interval_ms: Option<u64>,
    /// When it may fire next, if time holds it back.
    pub due: Option<String>,
    /// Everything that holds it back, what matters first.
    pub held_by: Vec<Hold>,
    /// What has happened to it, oldest first.
    pub log: Vec<PastEvent>,
}

/// One thing that holds a registration back.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Hold {
    /// A name for programs.
    pub reason: String,
    /// The same in words.
    pub text: String,
    /// What would release it.
    pub release: String,
}

/// What happened to a registration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PastEvent {
    /// When.
    pub time: String,
    /// As in an event of the shell.
    pub what: String,
    /// The same in words.
    pub text: String,
}

/// What somebody knows who answers.
pub(crate) struct Situation<'a> {
    pub(crate) now: WallTime,
    pub(crate) network: &'a NetworkState,
}

impl Answer {
    pub(crate) fn new(explanation: &SyncExplanation, situation: &Situation<'_>) -> Self {
        let SyncExplanation {
            question,
            registration,
            held_by,
            log,
        } = explanation;
        let cut_off = (!situation.network.emulated_offline
            && situation
                .network
                .is_emulated_offline_for(&question.storage_key, &question.scope))
        .then_some(&question.scope);
        let hold = |reason| Hold::new(reason, cut_off, situation);
        Self {
            kind: question.kind.to_string(),
            origin: question.storage_key.to_string(),
            scope: question.scope.to_string(),
            state: registration.as_ref().map(|info| info.state.to_string()),
            attempts: registration.as_ref().map(|info| info.attempts),
            min_interval_ms: registration.as_ref().and_then(min_interval_ms),
            due: registration.as_ref().and_then(|info| info.due).map(date),
            held_by: held_by.iter().map(hold).collect(),
            log: log.iter().map(PastEvent::from).collect(),
        }
    }

    /// In words, on several lines.
    pub(crate) fn describe(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{} sync of {}", self.kind, self.scope);
        match &self.state {
            Some(state) => {
                let _ = write!(text, ": is {state}");
            }
            None => text.push_str(": there is none any more"),
        }
        if let Some(interval) = self.min_interval_ms {
            let interval = humantime::format_duration(Duration::from_millis(interval));
            let _ = write!(text, ", at most every {interval}");
        }
        for hold in &self.held_by {
            let _ = write!(text, "\n  held back: {}", hold.text);
            let _ = write!(text, "\n  it fires when: {}", hold.release);
        }
        for event in &self.log {
            let _ = write!(text, "\n  {}  {}", event.time, event.text);
        }
    }
}

/// The interval that a page asked for.
pub(crate) fn min_interval_ms(info: &SyncRegistrationInfo) -> Option<u64> {
    let interval = info.min_interval?;
    Some(u64::try_from(interval.as_millis()).unwrap_or(u64::MAX))
}

impl From<&LogEntry> for PastEvent {
    fn from(entry: &LogEntry) -> Self {
        let (what, text) = match ShellEvent::from_log(entry) {
            ShellEvent::Sync { what, text, .. } => (what, text),
            other => (String::new(), other.words().2),
        };
        Self {
            time: date(entry.time),
            what,
            text,
        }
    }
}

impl Hold {
    /// `cut_off` is the scope of the registration, if it is the one that is emulated to be offline.
    fn new(reason: &HoldReason, cut_off: Option<&Url>, situation: &Situation<'_>) -> Self {
        let text = match reason {
            HoldReason::Offline if cut_off.is_some() => {
                format!("{reason}, which is emulated to be down for this service worker")
            }
            HoldReason::Offline if situation.network.emulated_offline => {
                format!("{reason}, which is emulated to be down")
            }
            reason => match reason.until() {
                Some(until) => format!("{reason}, until {}", date(until)),
                None => reason.to_string(),
            },
        };
        Self {
            reason: reason_name(reason).to_owned(),
            text,
            release: release(reason, cut_off, situation),
        }
    }
}

/// What releases a registration that is held for this reason, and with which command.
fn release(reason: &HoldReason, cut_off: Option<&Url>, situation: &Situation<'_>) -> String {
    if let (HoldReason::Offline, Some(scope)) = (reason, cut_off) {
        return format!("the emulation of its being offline ends (the command: online {scope})");
    }
    let hint = match reason {
        HoldReason::Offline if situation.network.emulated_offline => {
            return "the emulation of being offline ends (the command: online)".to_owned();
        }
        HoldReason::NoWindow | HoldReason::NoActiveWorker => "open URL".to_owned(),
        reason => match reason.until() {
            Some(until) => {
                let left = until.saturating_since(situation.now).as_secs() + 1;
                let left = humantime::format_duration(Duration::from_secs(left));
                format!("advance {left}")
            }
            None => return reason.release().to_string(),
        },
    };
    format!("{} (the command: {hint})", reason.release())
}

/// The reason as programs are told.
pub(crate) fn reason_name(reason: &HoldReason) -> &'static str {
    match reason {
        HoldReason::NetworkUnknown => "network-unknown",
        HoldReason::Offline => "offline",
        HoldReason::OtherNetwork => "other-network",
        HoldReason::BackOff { .. } => "back-off",
        HoldReason::Queued => "queued",
        HoldReason::NoActiveWorker => "no-active-worker",
        HoldReason::Storing => "storing",
        HoldReason::Checking => "checking",
        HoldReason::Unreachable => "unreachable",
        HoldReason::NotDue { .. } => "not-due",
        HoldReason::AcrossOrigins { .. } => "across-origins",
        HoldReason::Suspended => "suspended",
        HoldReason::NoWindow => "no-window",
        HoldReason::Settling => "settling",
        HoldReason::CaptivePortal => "captive-portal",
    }
}

/// The whole answer in words. `denied` are the permissions that a site lacks.
pub(crate) fn describe(
    tag: &str,
    answers: &[Answer],
    denied: &[(PermissionName, String)],
) -> String {
    let mut text = format!("\"{}\"", short(tag));
    if answers.is_empty() {
        text.push_str(
            ": no sync with this tag is registered, and none was as far as the event log goes back",
        );
    }
    for answer in answers {
        answer.describe(&mut text);
    }
    for (name, origin) in denied {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{origin} has not the permission {name}: what it registers is rejected with \
             NotAllowedError (the command: grant {name} {origin})"
        );
    }
    text
}
