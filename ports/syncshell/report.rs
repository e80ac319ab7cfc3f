//! What the shell tells: lines for people, or JSON lines for programs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use base::time::Timestamp;
use serde::{Deserialize, Serialize};
use sw_traits::EventOutcome;
use sync_traits::{DropReason, LogEntry, LogEvent, SyncKind, SyncRegistrationInfo};

use crate::net::NetworkReport;
use crate::why::{Answer, min_interval_ms, reason_name};

/// Something that happened in the shell. The names and fields are what `--json` prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ShellEvent {
    /// The engine runs on a profile.
    EngineStarted {
        /// The profile folder; none for one in memory.
        profile: Option<String>,
        /// How many service worker registrations it holds.
        registrations: usize,
        /// How many sync registrations it holds.
        syncs: usize,
        /// What opening the profile had to repair, for people.
        repairs: Vec<String>,
    },
    /// The engine has shut down in order.
    EngineStopped {
        /// How many of the events before were failures; the exit status is 0 only without one.
        failures: usize,
    },
    /// The network changed.
    Network {
        /// What `navigator.onLine` says.
        online: bool,
        /// The state in words.
        state: String,
    },
    /// What the network is like now: what `net` tells.
    NetworkState(NetworkReport),
    /// Being offline is emulated for a service worker alone, or no more.
    RegistrationNetwork {
        /// The scope of its registration.
        scope: String,
        /// Whether it has the network that everybody has.
        online: bool,
    },
    /// A page and its scripts are loaded.
    PageLoaded {
        /// Its URL.
        url: String,
    },
    /// A page could not be loaded.
    PageFailed {
        /// Its URL.
        url: String,
        /// What was wrong.
        error: String,
    },
    /// A page is closed.
    PageClosed {
        /// Its URL.
        url: String,
    },
    /// A script wrote to its console.
    Console {
        /// `page` or `worker`.
        source: String,
        /// `log`, `info`, `warn`, `error`, `debug`.
        level: String,
        /// What it wrote.
        text: String,
    },
    /// A script has an error that nobody caught, or was stopped.
    ScriptError {
        /// `page` or `worker`.
        source: String,
        /// What was wrong, and where.
        text: String,
    },
    /// A script given by the command `eval` has ended.
    Evaluated {
        /// What it evaluated to, as text.
        result: Option<String>,
        /// The exception that it threw.
        error: Option<String>,
    },
    /// A sync registration's state changed.
    Sync {
        /// `one-shot` or `periodic`.
        kind: String,
        /// Its tag; a lone surrogate reads as U+FFFD.
        tag: String,
        /// The scope of its service worker registration.
        scope: String,
        /// What happened: `registered`, `reregistered`, `held`, `dispatched`, `finished`,
        /// `retry-scheduled`, `interrupted`, `completed`, `dropped`, `unregistered` (by the page);
        /// or its `status`, when asked.
        what: String,
        /// Whether it is a failure.
        failed: bool,
        /// The same in words.
        text: String,
        /// For a `status`: when it may fire next, in milliseconds since 1970, if time holds it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<i64>,
        /// For the `status` of a periodic one: the interval that the page asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_interval_ms: Option<u64>,
        /// For a `status`: what holds it back, as a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_by: Option<String>,
    },
    /// A permission was granted or denied; or its state, when asked.
    Permission {
        /// `background-sync` or `periodic-background-sync`.
        name: String,
        /// Whose.
        origin: String,
        /// `granted` or `denied`.
        state: String,
    },
    /// The clock was moved forward.
    ClockAdvanced {
        /// By how many milliseconds.
        by_ms: u64,
        /// What it shows now.
        now: String,
    },
    /// Why a tag has not fired, and what would make it fire.
    Explanation {
        /// The tag.
        tag: String,
        /// What is known about each registration of this tag, present or past.
        answers: Vec<Answer>,
        /// The same in words.
        text: String,
    },
    /// The engine cannot go on, or a command makes no sense.
    Error {
        /// What was wrong and what to do.
        text: String,
    },
}

impl ShellEvent {
    /// What an entry of the sync manager's log says.
    pub(crate) fn from_log(entry: &LogEntry) -> Self {
        let (what, failed, text) = describe(entry.kind, &entry.event);
        Self::Sync {
            kind: entry.kind.to_string(),
            tag: entry.tag.to_string_lossy(),
            scope: entry.scope.to_string(),
            what: what.to_owned(),
            failed,
            text,
            due: None,
            min_interval_ms: None,
            held_by: None,
        }
    }

    /// What a sync waits for.
    pub(crate) fn from_info(info: &SyncRegistrationInfo) -> Self {
        let held_by = info
            .held_by
            .as_ref()
            .map_or(String::new(), |reason| format!(": {reason}"));
        let min_interval_ms = min_interval_ms(info);
        let due = match (info.due.map(date), min_interval_ms) {
            (Some(due), None) => format!(" until {due} at the latest"),
            (due, Some(interval)) => {
                let interval = humantime::format_duration(Duration::from_millis(interval));
                let due = due.map_or(String::new(), |due| format!(", next at {due}"));
                format!("; at most every {interval}{due}")
            }
            (None, None) => String::new(),
        };
        Self::Sync {
            kind: info.kind.to_string(),
            tag: info.tag.to_string_lossy(),
            scope: info.scope.to_string(),
            what: "status".to_owned(),
            failed: false,
            text: format!("is {}{held_by}{due}", info.state),
            due: info.due.map(base::time::WallTime::as_millis),
            min_interval_ms,
            held_by: info.held_by.as_ref().map(|it| reason_name(it).to_owned()),
        }
    }

    /// Whether a run in which this happened ends with a failure.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::PageFailed { .. } | Self::ScriptError { .. } | Self::Error { .. } => true,
            Self::Evaluated { error, .. } => error.is_some(),
            Self::Sync { what, .. } => what == "dropped",
            _ => false,
        }
    }

    /// Who speaks, in which style, and what it says.
    pub(crate) fn words(&self) -> (&'static str, Style, String) {
        let plain = Style::new();
        let good = AnsiColor::Green.on_default();
        let bad = AnsiColor::Red.on_default().bold();
        match self {
            Self::EngineStarted {
                profile,
                registrations,
                syncs,
                repairs,
            } => {
                let place = profile.as_deref().unwrap_or("memory");
                let mut text = format!(
                    "profile {place}: {registrations} service worker registration(s), \
                     {syncs} sync(s) to do"
                );
                for repair in repairs {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "; {repair}");
                }
                ("engine", plain, text)
            }
            Self::EngineStopped { failures: 0 } => ("engine", plain, "shut down".to_owned()),
            Self::EngineStopped { failures } => (
                "engine",
                bad,
                format!("shut down after {failures} failure(s), see above"),
            ),
            Self::Network { online, state } => (
                "network",
                if *online {
                    good
                } else {
                    AnsiColor::Yellow.on_default()
                },
                state.clone(),
            ),
            Self::NetworkState(report) => ("network", report.style(), report.to_string()),
            Self::RegistrationNetwork { scope, online } => {
                let (style, what) = if *online {
                    (good, "no longer offline (emulated)")
                } else {
                    (AnsiColor::Yellow.on_default(), "offline (emulated)")
                };
                (
                    "network",
                    style,
                    format!("{what}: service worker of {scope}"),
                )
            }
            Self::PageLoaded { url } => ("page", plain, format!("loaded {url}")),
            Self::PageFailed { url, error } => ("page", bad, format!("cannot load {url}: {error}")),
            Self::PageClosed { url } => ("page", plain, format!("closed {url}")),
            Self::Console {
                source,
                level,
                text,
            } => console_words(source, level, text),
            Self::ScriptError { source, text } => (speaker(source), bad, text.clone()),
            Self::Evaluated { result, error } => match (result, error) {
                (_, Some(error)) => ("eval", bad, format!("threw {error}")),
                (Some(result), None) => ("eval", plain, result.clone()),
                (None, None) => ("eval", plain, "undefined".to_owned()),
            },
            Self::Permission {
                name,
                origin,
                state,
            } => ("allow", plain, format!("{name} is {state} for {origin}")),
            Self::ClockAdvanced { by_ms, now } => {
                let by = humantime::format_duration(Duration::from_millis(*by_ms));
                ("clock", plain, format!("{by} later: {now}"))
            }
            Self::Explanation { text, .. } => ("why", plain, text.clone()),
            Self::Sync {
                kind,
                tag,
                what,
                failed,
                text,
                ..
            } => {
                let style = match (what.as_str(), failed) {
                    ("dropped", _) => bad,
                    (_, true) => AnsiColor::Red.on_default(),
                    ("completed", _) => good.bold(),
                    ("dispatched" | "finished", _) => good,
                    _ => AnsiColor::Cyan.on_default(),
                };
                let who = if kind == "periodic" {
                    "periodic"
                } else {
                    "sync"
                };
                (who, style, format!("\"{}\" {text}", short(tag)))
            }
            Self::Error { text } => ("error", bad, text.clone()),
        }
    }
}

/// A tag on one line, and not all of a long one.
pub(crate) fn short(tag: &str) -> String {
    const LENGTH: usize = 60;
    let mut text: String = tag.chars().take(LENGTH).collect();
    if text.len() < tag.len() {
        text.push('…');
    }
    text.escape_debug().to_string()
}

fn speaker(source: &str) -> &'static str {
    if source == "worker" { "worker" } else { "page" }
}

fn console_words(source: &str, level: &str, text: &str) -> (&'static str, Style, String) {
    let style = match level {
        "error" => AnsiColor::Red.on_default(),
        "warn" => AnsiColor::Yellow.on_default(),
        _ => Style::new().dimmed(),
    };
    let level = match level {
        "log" => String::new(),
        level => format!("[{level}] "),
    };
    (speaker(source), style, format!("{level}{text}"))
}

fn describe(kind: SyncKind, event: &LogEvent) -> (&'static str, bool, String) {
    let event_type = match kind {
        SyncKind::OneShot => "sync",
        SyncKind::Periodic => "periodicsync",
    };
    match event {
        LogEvent::Registered => ("registered", false, "registered".to_owned()),
        LogEvent::Reregistered { found } => (
            "reregistered",
            false,
            format!("registered again while {found}"),
        ),
        LogEvent::Held { reason } => ("held", false, reason.to_string()),
        LogEvent::Dispatched {
            attempt,
            last_chance,
        } => {
            let last = if *last_chance {
                ", the last chance"
            } else {
                ""
            };
            (
                "dispatched",
                false,
                format!("{event_type} event dispatched, attempt {attempt}{last}"),
            )
        }
        LogEvent::Finished {
            outcome,
            duration,
            counted,
        } => {
            let failed = *outcome != EventOutcome::Fulfilled;
            let not_counted = if failed && !counted {
                ", not counted: the network was gone"
            } else {
                ""
            };
            let text = format!(
                "{event_type} event {} after {} ms{not_counted}",
                outcome_in_words(outcome),
                duration.as_millis()
            );
            ("finished", failed, text)
        }
        LogEvent::RetryScheduled { due } => (
            "retry-scheduled",
            false,
            format!("tried again at {} at the latest", date(*due)),
        ),
        LogEvent::Interrupted { attempt } => (
            "interrupted",
            true,
            format!("the engine ended during attempt {attempt}"),
        ),
        LogEvent::Completed => ("completed", false, "done".to_owned()),
        LogEvent::Dropped {
            reason: DropReason::UnregisteredByPage,
        } => ("unregistered", false, "unregistered by the page".to_owned()),
        LogEvent::Dropped { reason } => ("dropped", true, format!("dropped: {reason}")),
    }
}

fn outcome_in_words(outcome: &EventOutcome) -> String {
    match outcome {
        EventOutcome::Fulfilled => "fulfilled".to_owned(),
        EventOutcome::Rejected { reason } => format!("rejected ({reason})"),
        EventOutcome::TimedOut => "stopped at its time limit".to_owned(),
        EventOutcome::Crashed { reason } => format!("lost, the worker ended ({reason})"),
        EventOutcome::NotStarted { reason } => {
            format!("not delivered, the worker did not start ({reason})")
        }
        EventOutcome::NoActiveWorker => "not delivered, there is no active worker".to_owned(),
    }
}

/// A wall-clock time as ISO 8601, in UTC, to the second.
pub(crate) fn date(time: base::time::WallTime) -> String {
    /// The last second that can be written so.
    const LAST_MILLIS: u64 = 253_402_300_799_000;
    let millis = u64::try_from(time.as_millis()).unwrap_or(0);
    if millis > LAST_MILLIS {
        return "after the year 9999".to_owned();
    }
    let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// How lines are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// For people: the time since the start, who speaks, what it says; colours on a terminal.
    Text,
    /// For programs: one JSON object a line, with the wall-clock time in milliseconds.
    Json,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: i64,
    #[serde(flatten)]
    event: &'a ShellEvent,
}

/// Prints events on the standard output.
pub(crate) struct Printer {
    format: Format,
}

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Print one event. When nobody reads the output any more, printing fails.
    pub(crate) fn print(&self, now: Timestamp, event: &ShellEvent) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let mut output = io::stdout().lock();
                serde_json::to_writer(
                    &mut output,
                    &JsonLine {
                        time: now.wall.as_millis(),
                        event,
                    },
                )?;
                output.write_all(b"\n")?;
                output.flush()
            }
            Format::Text => {
                let (who, style, text) = event.words();
                print_line(now.monotonic.since_start().as_secs_f64(), who, style, &text)
            }
        }
    }
}

/// One line for people.
pub(crate) fn print_line(seconds: f64, who: &str, style: Style, text: &str) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    let dim = Style::new().dimmed();
    let text = printable(text);
    writeln!(
        output,
        "{dim}{seconds:8.3}{dim:#}  {who:<8} {style}{text}{style:#}"
    )?;
    output.flush()
}

/// The text without control characters, so that a site cannot write to the terminal as it likes;
/// further lines are indented.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut result, character| {
            match character {
                '\n' => result.push_str("\n                   "),
                '\t' => result.push('\t'),
                _ if character.is_control() => result.extend(character.escape_default()),
                _ => result.push(character),
            }
            result
        },
    )
}

#[cfg(test)]
mod tests {
    use base::time::WallTime;

    use super::*;

    #[test]
    fn json_lines_can_be_read_back() {
        let event = ShellEvent::Evaluated {
            result: Some("3".to_owned()),
            error: None,
        };
        let line = serde_json::to_string(&JsonLine {
            time: 5,
            event: &event,
        })
        .unwrap();
        assert_eq!(
            line,
            r#"{"time":5,"event":"evaluated","result":"3","error":null}"#
        );
        assert_eq!(serde_json::from_str::<ShellEvent>(&line).unwrap(), event);
    }

    #[test]
    fn a_site_cannot_write_control_characters() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("a\nb"), "a\n                   b");
    }

    #[test]
    fn a_tag_is_shown_on_one_line() {
        assert_eq!(short("a\nb"), "a\\nb");
        let shown = short(&"ü".repeat(10_000));
        assert_eq!(shown.chars().count(), 61);
    }

    #[test]
    fn dates_are_iso_8601() {
        assert_eq!(date(WallTime::from_millis(0)), "1970-01-01T00:00:00Z");
        assert_eq!(date(WallTime::from_millis(-5)), "1970-01-01T00:00:00Z");
        assert_eq!(
            date(WallTime::from_millis(253_402_300_799_000)),
            "9999-12-31T23:59:59Z"
        );
        assert_eq!(date(WallTime::from_millis(i64::MAX)), "after the year 9999");
    }
}
