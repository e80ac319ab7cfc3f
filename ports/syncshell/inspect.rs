//! `syncshell inspect`: what a profile holds, read with no engine running.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use engine::PermissionDecision;
use serde::Serialize;
use storage::{Store, StoreConfig};
use sw_traits::RegistrationSnapshot;
use sync_traits::{LogEntry, SyncRegistrationInfo};

use crate::report::{Format, ShellEvent, date, printable, short};
use crate::why::{min_interval_ms, reason_name};

#[derive(Serialize)]
struct Contents {
    registrations: Vec<Registration>,
    syncs: Vec<Sync>,
    permissions: Vec<Permission>,
    log: Vec<Entry>,
    /// How many records cannot be read and are in quarantine.
    quarantined: usize,
}

/// A service worker registration.
#[derive(Serialize)]
struct Registration {
    scope: String,
    script: Option<String>,
    scripts: usize,
    script_bytes: u64,
    last_update_check: Option<String>,
}

/// A sync registration.
#[derive(Serialize)]
struct Sync {
    kind: String,
    tag: String,
    scope: String,
    state: String,
    attempts: u32,
    registered: String,
    min_interval_ms: Option<u64>,
    due: Option<String>,
    held_by: Option<String>,
}

/// A permission that was granted or denied.
#[derive(Serialize)]
struct Permission {
    name: String,
    origin: String,
    state: String,
}

/// An entry of the event log.
#[derive(Serialize)]
struct Entry {
    time: String,
    #[serde(flatten)]
    event: ShellEvent,
}

pub(crate) fn run(profile: &Path, format: Format) -> Result<(), String> {
    if !profile.is_dir() {
        return Err(format!(
            "there is no profile {}: it is no folder",
            profile.display()
        ));
    }
    let (store, report) =
        Store::open(StoreConfig::folder(profile)).map_err(|error| error.to_string())?;
    let contents = read(&store);
    store.close();
    let contents = contents?;
    match format {
        Format::Json => serde_json::to_string(&contents)
            .map_err(io::Error::from)
            .and_then(|json| writeln!(io::stdout(), "{json}")),
        Format::Text => print(&contents),
    }
    .map_err(|error| format!("cannot write the output: {error}"))?;
    match report.lost_commits {
        0 => Ok(()),
        lost => Err(format!(
            "{}: the last {lost} change(s) are lost, because files of the profile were damaged",
            profile.display()
        )),
    }
}

fn read(store: &Store) -> Result<Contents, String> {
    let unreadable = |error: &dyn Display| format!("the profile cannot be read: {error}");
    let registrations =
        sw_registration::read::registrations(store).map_err(|error| unreadable(&error))?;
    let syncs = sync_manager::read::registrations(store).map_err(|error| unreadable(&error))?;
    let permissions = engine::stored_permissions(store).map_err(|error| unreadable(&error))?;
    let log = sync_manager::read::log(store).map_err(|error| unreadable(&error))?;
    Ok(Contents {
        registrations: registrations.into_iter().map(Registration::from).collect(),
        syncs: syncs.into_iter().map(Sync::from).collect(),
        permissions: permissions.into_iter().map(Permission::from).collect(),
        log: log.iter().map(Entry::from).collect(),
        quarantined: store.quarantined().count(),
    })
}

impl From<RegistrationSnapshot> for Registration {
    fn from(snapshot: RegistrationSnapshot) -> Self {
        let RegistrationSnapshot {
            registration,
            last_update_check,
            scripts,
            ..
        } = snapshot;
        let worker = registration
            .active
            .or(registration.waiting)
            .or(registration.installing);
        Self {
            scope: registration.scope.to_string(),
            script: worker.map(|worker| worker.script_url.to_string()),
            scripts: scripts.0,
            script_bytes: scripts.1,
            last_update_check: last_update_check.map(date),
        }
    }
}

impl From<SyncRegistrationInfo> for Sync {
    fn from(info: SyncRegistrationInfo) -> Self {
        Self {
            kind: info.kind.to_string(),
            min_interval_ms: min_interval_ms(&info),
            held_by: info.held_by.as_ref().map(|it| reason_name(it).to_owned()),
            tag: info.tag.to_string_lossy(),
            scope: info.scope.to_string(),
            state: info.state.to_string(),
            attempts: info.attempts,
            registered: date(info.registered),
            due: info.due.map(date),
        }
    }
}

impl From<PermissionDecision> for Permission {
    fn from(decision: PermissionDecision) -> Self {
        Self {
            name: decision.name.to_string(),
            origin: decision.storage_key.to_string(),
            state: decision.state.to_string(),
        }
    }
}

impl From<&LogEntry> for Entry {
    fn from(entry: &LogEntry) -> Self {
        Self {
            time: date(entry.time),
            event: ShellEvent::from_log(entry),
        }
    }
}

fn print(contents: &Contents) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    let bold = Style::new().bold();
    writeln!(output, "{bold}Service worker registrations{bold:#}")?;
    for registration in &contents.registrations {
        let script = registration.script.as_deref().unwrap_or("no worker");
        writeln!(
            output,
            "  {}  {script}  ({} script(s), {} bytes)",
            registration.scope, registration.scripts, registration.script_bytes
        )?;
    }
    print_if_none(&mut output, contents.registrations.is_empty())?;

    writeln!(output, "\n{bold}Syncs{bold:#}")?;
    for sync in &contents.syncs {
        write!(
            output,
            "  \"{}\"  {}  {}, {}, registered {}, {} attempt(s)",
            short(&sync.tag),
            sync.scope,
            sync.kind,
            sync.state,
            sync.registered,
            sync.attempts
        )?;
        match (&sync.due, sync.min_interval_ms) {
            (Some(due), None) => writeln!(output, ", tried again at {due}")?,
            (due, Some(interval)) => {
                let interval = humantime::format_duration(Duration::from_millis(interval));
                write!(output, ", at most every {interval}")?;
                match due {
                    Some(due) => writeln!(output, ", next at {due}")?,
                    None => writeln!(output)?,
                }
            }
            (None, None) => writeln!(output)?,
        }
    }
    print_if_none(&mut output, contents.syncs.is_empty())?;

    writeln!(output, "\n{bold}Permissions{bold:#}")?;
    for permission in &contents.permissions {
        writeln!(
            output,
            "  {}  {} is {}",
            permission.origin, permission.name, permission.state
        )?;
    }
    print_if_none(&mut output, contents.permissions.is_empty())?;

    writeln!(output, "\n{bold}Event log{bold:#}")?;
    for entry in &contents.log {
        let (_, style, text) = entry.event.words();
        writeln!(
            output,
            "  {}  {style}{}{style:#}",
            entry.time,
            printable(&text)
        )?;
    }
    print_if_none(&mut output, contents.log.is_empty())?;

    if contents.quarantined > 0 {
        writeln!(
            output,
            "\n{} record(s) cannot be read and are kept aside",
            contents.quarantined
        )?;
    }
    Ok(())
}

fn print_if_none(output: &mut impl Write, none: bool) -> io::Result<()> {
    if none {
        writeln!(output, "  none")
    } else {
        Ok(())
    }
}
