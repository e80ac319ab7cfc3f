//! `syncshell open`: run a site, or what a profile holds.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Receiver, Sender, bounded, unbounded};
use base::time::Clock;
use engine::{Builder, Engine};
use net::NetConfig;
use net_monitor::SystemSource;
use network_traits::{EmulationSessionId, NetworkState};
use script::{
    ScriptLimits, ScriptReport, ScriptSource, ServiceWorkerWindows, Services, WindowHandle,
    WindowOptions,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use storage::Location;
use sync_traits::{HoldReason, LogEntry, LogEvent, SyncKind, SyncRegistrationInfo};
use url::Url;

use crate::OpenArguments;
use crate::clock::MovableClock;
use crate::command::{Command, UnknownCommand, read_commands};
use crate::embedding;
use crate::net::captive_portal_policy;
use crate::report::{Format, Printer, ShellEvent};

mod obey;

/// The shell's one session of emulated offline.
const OFFLINE_SESSION: EmulationSessionId = EmulationSessionId(1);

/// How long the pages get to end before the engine shuts down without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whatever reaches the shell, in the order in which it does.
enum Input {
    Script(ScriptReport),
    Log(LogEntry),
    Network(NetworkState),
    Command(Result<Command, UnknownCommand>),
    Evaluated(Result<String, String>),
    /// A service worker opens a window.
    Open(Box<WindowOptions>),
    /// The page is as far as `--offline` waits for.
    ReadyForOffline,
    Remaining(Vec<SyncRegistrationInfo>),
    /// What is to be told of every sync.
    Status(Vec<SyncRegistrationInfo>),
    /// Look whether it is time to end.
    Wake,
}

/// How many console messages may wait to be printed; more are counted and dropped.
const WAITING_CONSOLE_MESSAGES: usize = 1000;

/// How many bytes of one console message are printed.
const CONSOLE_MESSAGE_SIZE: usize = 64 << 10;

/// What the threads around the shell know of it.
#[derive(Default)]
struct Shared {
    /// A signal came: it is time to end, whatever waits to be told.
    quit: AtomicBool,
    console_messages: AtomicUsize,
    dropped_console_messages: AtomicUsize,
}

/// Passes reports on, but no more console messages than are printed.
fn report_to(sender: &Sender<Input>, shared: &Arc<Shared>) -> Callback<ScriptReport> {
    let sender = sender.clone();
    let shared = Arc::clone(shared);
    Callback::new(move |mut report| {
        if let ScriptReport::Console { message, .. } = &mut report {
            if shared.console_messages.fetch_add(1, Ordering::Relaxed) >= WAITING_CONSOLE_MESSAGES {
                shared.console_messages.fetch_sub(1, Ordering::Relaxed);
                shared
                    .dropped_console_messages
                    .fetch_add(1, Ordering::Relaxed);
                return;
            }
            shorten(&mut message.text);
        }
        // After the shell's end nobody reads reports.
        let _ = sender.send(Input::Script(report));
    })
}

fn shorten(text: &mut String) {
    if text.len() > CONSOLE_MESSAGE_SIZE {
        let length = text.len();
        let end = (0..=CONSOLE_MESSAGE_SIZE)
            .rev()
            .find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        // Writing to a string cannot fail.
        let _ = write!(text, "... ({length} bytes)");
    }
}

struct Shell {
    engine: Engine,
    services: Services,
    clock: Arc<MovableClock>,
    printer: Printer,
    sender: Sender<Input>,
    shared: Arc<Shared>,
    windows: Vec<WindowHandle>,
    /// The network is to be cut when the page is ready.
    offline_when_ready: bool,
    exit_when_done: bool,
    /// A page was opened, and no sync has been seen since.
    waiting_for_sync: bool,
    /// Pages that are neither loaded nor failed yet.
    loading: usize,
    last_network: Option<(bool, String)>,
    network: NetworkState,
    /// The origin of the newest page.
    site: Option<StorageKey>,
    failures: usize,
}

fn format_of(arguments: &OpenArguments) -> Format {
    if arguments.json {
        Format::Json
    } else {
        Format::Text
    }
}

pub(crate) fn run(arguments: OpenArguments) -> ExitCode {
    let clock = Arc::new(MovableClock::new());
    clock.advance(arguments.advance.unwrap_or_default());
    let printer = Printer::new(format_of(&arguments));
    // Of what a site can produce without end, only so much is let in: see `report_to`.
    let (sender, receiver) = unbounded();
    match Shell::start(&arguments, Arc::clone(&clock), sender) {
        Ok(shell) => shell.run(arguments, &receiver),
        Err(text) => {
            // When nobody reads the output, the exit status still tells.
            let _ = printer.print(clock.now(), &ShellEvent::Error { text });
            ExitCode::FAILURE
        }
    }
}

impl Shell {
    fn start(
        arguments: &OpenArguments,
        clock: Arc<MovableClock>,
        sender: Sender<Input>,
    ) -> Result<Self, String> {
        let profile = arguments
            .profile
            .clone()
            .map_or(Location::Memory, Location::Folder);
        let movable: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let mut builder = Builder::new(Arc::clone(&movable))
            .profile(profile)
            .network_source(Box::new(SystemSource));
        if let Some(url) = &arguments.captive_portal_check {
            builder = builder.monitor_policy(captive_portal_policy(url));
        }
        if let Some(file) = &arguments.trust_certificate {
            let extra_root_certificates = embedding::read_certificates(file)?;
            builder = builder.net_config(NetConfig {
                extra_root_certificates,
                ..NetConfig::default()
            });
        }
        if arguments.offline && arguments.url.is_none() {
            builder = builder.emulate_offline(OFFLINE_SESSION);
        }
        let shared = Arc::new(Shared::default());
        let report = report_to(&sender, &shared);
        let limits = ScriptLimits {
            task_time_limit: arguments.script_time_limit,
            ..ScriptLimits::default()
        };
        let builder = builder.observe_log(Callback::to_sender(&sender, Input::Log));
        let opener = Callback::to_sender(&sender, |options| Input::Open(Box::new(options)));
        let windows = |windows: ServiceWorkerWindows| {
            if arguments.user_activation {
                windows.with_user_activation(opener)
            } else {
                windows
            }
        };
        let (engine, services) = embedding::start(builder, movable, report, limits, windows)?;
        let shell = Self {
            engine,
            services,
            clock,
            printer: Printer::new(format_of(arguments)),
            sender,
            shared,
            windows: Vec::new(),
            offline_when_ready: arguments.offline && arguments.url.is_some(),
            exit_when_done: arguments.exit_when_done,
            waiting_for_sync: arguments.url.is_some(),
            loading: 0,
            last_network: None,
            network: NetworkState::default(),
            site: arguments
                .url
                .as_ref()
                .and_then(|url| StorageKey::from_url(url).ok()),
            failures: 0,
        };
        shell.listen()?;
        Ok(shell)
    }

    /// Let signals, commands and the network in.
    fn listen(&self) -> Result<(), String> {
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
        let sender = self.sender.clone();
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for signal in signals.forever() {
                if shared.quit.swap(true, Ordering::Relaxed) {
                    // Who asks twice does not want to wait.
                    let _ = signal_hook::low_level::emulate_default_handler(signal);
                }
                let _ = sender.send(Input::Wake);
            }
        });
        let sender = self.sender.clone();
        thread::spawn(move || {
            read_commands(io::stdin(), |command| {
                // After the shell's end nobody takes commands.
                let _ = sender.send(Input::Command(command));
            });
        });
        self.services
            .network
            .subscribe(Callback::to_sender(&self.sender, Input::Network))
            .map_err(|error| format!("cannot follow the network: {error}"))?;
        Ok(())
    }

    fn run(mut self, arguments: OpenArguments, receiver: &Receiver<Input>) -> ExitCode {
        let run = self.serve(arguments, receiver);
        for window in &self.windows {
            window.close();
        }
        for window in self.windows.drain(..) {
            window.join(PATIENCE);
        }
        self.engine.shut_down();
        // What the end of the pages and workers still had to tell.
        let rest: Vec<Input> = std::iter::from_fn(|| receiver.try_recv()).collect();
        let mut told = run;
        for input in rest {
            if let Input::Script(report) = input {
                let event = script_event(report);
                self.failures += usize::from(event.is_failure());
                told = told.and_then(|()| self.printer.print(self.clock.now(), &event));
            }
        }
        let stopped = ShellEvent::EngineStopped {
            failures: self.failures,
        };
        // Output that nobody reads any more is a reason to end, not a failure.
        let _ = told.and_then(|()| self.printer.print(self.clock.now(), &stopped));
        if self.failures > 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    /// Until it is time to end, or nobody reads what is told.
    fn serve(&mut self, arguments: OpenArguments, receiver: &Receiver<Input>) -> io::Result<()> {
        let summary = self.engine.summary();
        self.tell(&ShellEvent::EngineStarted {
            profile: summary.profile.map(|folder| folder.display().to_string()),
            registrations: summary.registrations,
            syncs: summary.syncs,
            repairs: summary.repairs,
        })?;
        self.tell_permissions()?;
        self.ask_for_status();
        for decision in arguments.deny.into_iter().chain(arguments.grant) {
            self.decide(decision)?;
        }
        match arguments.url {
            Some(url) => self.open(WindowOptions::new(url)),
            None => self.ask_what_remains(),
        }
        while let Ok(input) = receiver.recv() {
            if self.shared.quit.load(Ordering::Relaxed) || !self.take(input)? {
                break;
            }
        }
        Ok(())
    }

    /// Take one input. False when it is time to end.
    fn take(&mut self, input: Input) -> io::Result<bool> {
        match input {
            Input::Wake => {}
            Input::Command(Ok(Command::Quit)) => return Ok(false),
            Input::Command(Ok(command)) => self.obey(command)?,
            Input::Command(Err(error)) => {
                self.tell(&ShellEvent::Error {
                    text: error.to_string(),
                })?;
            }
            Input::Script(report) => return self.take_report(report),
            Input::Network(state) => self.take_network(state)?,
            Input::Evaluated(result) => {
                self.tell(&match result {
                    Ok(result) => ShellEvent::Evaluated {
                        result: Some(result),
                        error: None,
                    },
                    Err(error) => ShellEvent::Evaluated {
                        result: None,
                        error: Some(error),
                    },
                })?;
            }
            Input::Open(options) => self.open(*options),
            Input::ReadyForOffline => self.emulate_offline(true),
            Input::Log(entry) => {
                self.waiting_for_sync = false;
                self.tell(&ShellEvent::from_log(&entry))?;
                if may_be_done(&entry) {
                    self.ask_what_remains();
                }
            }
            Input::Remaining(syncs) => {
                let done =
                    !syncs.iter().any(is_left_to_do) && self.loading == 0 && !self.waiting_for_sync;
                return Ok(!(self.exit_when_done && done));
            }
            Input::Status(syncs) => {
                for sync in &syncs {
                    self.tell(&ShellEvent::from_info(sync))?;
                }
            }
        }
        Ok(true)
    }

    /// Take what a script or page reports. False when the shell's only page cannot be shown.
    fn take_report(&mut self, report: ScriptReport) -> io::Result<bool> {
        if matches!(report, ScriptReport::Console { .. }) {
            self.shared.console_messages.fetch_sub(1, Ordering::Relaxed);
        }
        let event = script_event(report);
        self.tell(&event)?;
        let dropped = self
            .shared
            .dropped_console_messages
            .swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.tell(&ShellEvent::Console {
                source: "page".to_owned(),
                level: "warn".to_owned(),
                text: format!("{dropped} more console message(s) came too fast to be shown"),
            })?;
        }
        match event {
            ShellEvent::PageLoaded { .. } => {
                self.loading = self.loading.saturating_sub(1);
                if std::mem::take(&mut self.offline_when_ready) {
                    self.cut_network_when_ready();
                }
                self.ask_what_remains();
            }
            ShellEvent::PageFailed { .. } => {
                self.loading = self.loading.saturating_sub(1);
                return Ok(self.windows.len() > 1);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Cut the network when the service worker that the page registered, if any, is active.
    fn cut_network_when_ready(&self) {
        let Some(window) = self.windows.last() else {
            return;
        };
        let script = "(async () => { \
             if (await navigator.serviceWorker?.getRegistration()) \
             await navigator.serviceWorker.ready; })()";
        let ready = Callback::to_sender(&self.sender, |_| Input::ReadyForOffline);
        window.evaluate(script.to_owned(), ready);
    }

    fn take_network(&mut self, state: NetworkState) -> io::Result<()> {
        let network = (state.is_online(), crate::net::words(&state).to_owned());
        self.tell_offline_registrations(&state)?;
        self.network = state;
        if self.last_network.as_ref() == Some(&network) {
            return Ok(());
        }
        self.last_network = Some(network.clone());
        self.tell(&ShellEvent::Network {
            online: network.0,
            state: network.1,
        })
    }

    /// Tell for which service workers being offline is emulated now, or no more.
    fn tell_offline_registrations(&mut self, now: &NetworkState) -> io::Result<()> {
        let scopes = |state: &NetworkState| -> BTreeSet<Url> {
            state
                .offline_registrations
                .values()
                .flatten()
                .cloned()
                .collect()
        };
        let (before, now) = (scopes(&self.network), scopes(now));
        for scope in before.symmetric_difference(&now) {
            self.tell(&ShellEvent::RegistrationNetwork {
                scope: scope.to_string(),
                online: before.contains(scope),
            })?;
        }
        Ok(())
    }

    fn open(&mut self, options: WindowOptions) {
        self.loading += 1;
        self.site = StorageKey::from_url(options.url()).ok();
        self.windows
            .push(script::open(self.services.clone(), options));
    }

    /// Cut the network, or end that. What follows finds it so.
    fn emulate_offline(&self, offline: bool) {
        let (sender, done) = bounded(1);
        self.services.network.emulate_offline(
            OFFLINE_SESSION,
            offline,
            Callback::to_sender(&sender, |()| ()),
        );
        drop(sender);
        // A monitor that has ended says so by hanging up.
        let _ = done.recv();
    }

    fn ask_for_status(&self) {
        let status = Callback::to_sender(&self.sender, Input::Status);
        // The sync manager is there as long as the engine is.
        let _ = self.services.sync.snapshot(status);
    }

    fn ask_what_remains(&self) {
        if self.exit_when_done {
            // The sync manager is there as long as the engine is.
            let _ = self
                .services
                .sync
                .snapshot(Callback::to_sender(&self.sender, Input::Remaining));
        }
    }

    fn tell(&mut self, event: &ShellEvent) -> io::Result<()> {
        self.failures += usize::from(event.is_failure());
        self.printer.print(self.clock.now(), event)
    }
}

/// Whether nothing may be left to do after this.
fn may_be_done(entry: &LogEntry) -> bool {
    match entry.event {
        LogEvent::Completed | LogEvent::Dropped { .. } => true,
        // A periodic one never ends, it only waits.
        LogEvent::Held { .. } => entry.kind == SyncKind::Periodic,
        _ => false,
    }
}

/// Whether a registration waits for something else than its time.
fn is_left_to_do(info: &SyncRegistrationInfo) -> bool {
    let only_waits = matches!(
        info.held_by,
        Some(HoldReason::NotDue { .. } | HoldReason::AcrossOrigins { .. } | HoldReason::Suspended)
    );
    info.kind == SyncKind::OneShot || !only_waits
}

fn script_event(report: ScriptReport) -> ShellEvent {
    match report {
        ScriptReport::PageLoaded { url } => ShellEvent::PageLoaded {
            url: url.to_string(),
        },
        ScriptReport::PageFailed { url, error } => ShellEvent::PageFailed {
            url: url.to_string(),
            error,
        },
        ScriptReport::PageClosed { url } => ShellEvent::PageClosed {
            url: url.to_string(),
        },
        ScriptReport::Console { source, message } => ShellEvent::Console {
            source: source_name(&source),
            level: message.level.to_string(),
            text: message.text,
        },
        ScriptReport::ScriptError { source, text } => ShellEvent::ScriptError {
            source: source_name(&source),
            text,
        },
    }
}

fn source_name(source: &ScriptSource) -> String {
    match source {
        ScriptSource::Page { .. } => "page",
        ScriptSource::Worker { .. } => "worker",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_console_message_is_shortened_between_characters() {
        let mut text = "ü".repeat(CONSOLE_MESSAGE_SIZE);
        shorten(&mut text);
        assert!(
            text.ends_with("ü... (131072 bytes)"),
            "{}",
            &text[text.len() - 40..]
        );
        let mut text = "short".to_owned();
        shorten(&mut text);
        assert_eq!(text, "short");
    }
}
