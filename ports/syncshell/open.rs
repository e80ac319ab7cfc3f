//! `syncshell open`: run a site, or what a profile holds.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base::channel::{Callback, Receiver, Sender, unbounded};
use base::time::Clock;
use engine::{Builder, Engine};
use net::NetConfig;
use net_monitor::NetlinkSource;
use network_traits::{EmulationSessionId, LinkState, NetworkState};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use script::{
    ScriptLimits, ScriptReport, ScriptSource, ServiceWorkerThreads, Services, WindowHandle,
    WindowOptions,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use storage::Location;
use sync_traits::{LogEntry, LogEvent, SyncRegistrationInfo};
use url::Url;

use crate::OpenArguments;
use crate::clock::SystemClock;
use crate::command::{Command, UnknownCommand, read_commands};
use crate::report::{Format, Printer, ShellEvent};

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
    /// The page is as far as `--offline` waits for.
    ReadyForOffline,
    Remaining(Vec<SyncRegistrationInfo>),
    Signal,
}

struct Shell {
    engine: Engine,
    services: Services,
    clock: Arc<dyn Clock>,
    printer: Printer,
    sender: Sender<Input>,
    windows: Vec<WindowHandle>,
    /// The network is to be cut when the page is ready.
    offline_when_ready: bool,
    exit_when_done: bool,
    /// Pages that are neither loaded nor failed yet.
    loading: usize,
    last_network: Option<(bool, String)>,
    failed: bool,
}

pub(crate) fn run(arguments: OpenArguments) -> ExitCode {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let format = if arguments.json {
        Format::Json
    } else {
        Format::Text
    };
    let printer = Printer::new(format);
    // Bounded by what one site and one person at a terminal produce while a line is printed.
    let (sender, receiver) = unbounded();
    match Shell::start(&arguments, Arc::clone(&clock), sender) {
        Ok(shell) => shell.run(arguments.url, &receiver),
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
        clock: Arc<dyn Clock>,
        sender: Sender<Input>,
    ) -> Result<Self, String> {
        let profile = arguments
            .profile
            .clone()
            .map_or(Location::Memory, Location::Folder);
        let mut builder = Builder::new(Arc::clone(&clock))
            .profile(profile)
            .network_source(Box::new(NetlinkSource));
        if let Some(file) = &arguments.trust_certificate {
            let extra_root_certificates = read_certificates(file)?;
            builder = builder.net_config(NetConfig {
                extra_root_certificates,
                ..NetConfig::default()
            });
        }
        if arguments.offline && arguments.url.is_none() {
            builder = builder.emulate_offline(OFFLINE_SESSION);
        }
        let report = Callback::to_sender(&sender, Input::Script);
        let limits = ScriptLimits {
            task_time_limit: arguments.script_time_limit,
            ..ScriptLimits::default()
        };
        let mut services = None;
        let engine = builder
            .observe_log(Callback::to_sender(&sender, Input::Log))
            .start(|handles| {
                let bundle = Services {
                    service_workers: handles.service_workers.clone(),
                    sync: handles.sync.clone(),
                    net: handles.net.clone(),
                    indexed_db: handles.indexed_db.clone(),
                    network: handles.network.clone(),
                    clock: Arc::clone(&clock),
                    report,
                    limits,
                };
                services = Some(bundle.clone());
                Box::new(ServiceWorkerThreads::new(bundle))
            })
            .map_err(|error| error.to_string())?;
        let services = services.ok_or("the engine asked for no worker host")?;
        let shell = Self {
            engine,
            services,
            clock,
            printer: Printer::new(if arguments.json {
                Format::Json
            } else {
                Format::Text
            }),
            sender,
            windows: Vec::new(),
            offline_when_ready: arguments.offline && arguments.url.is_some(),
            exit_when_done: arguments.exit_when_done,
            loading: 0,
            last_network: None,
            failed: false,
        };
        shell.listen()?;
        Ok(shell)
    }

    /// Let signals, commands and the network in.
    fn listen(&self) -> Result<(), String> {
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            for _ in signals.forever() {
                if sender.send(Input::Signal).is_err() {
                    return;
                }
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

    fn run(mut self, url: Option<Url>, receiver: &Receiver<Input>) -> ExitCode {
        let run = self.serve(url, receiver);
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
                self.failed |= event.is_failure();
                told = told.and_then(|()| self.printer.print(self.clock.now(), &event));
            }
        }
        // Output that nobody reads any more is a reason to end, not a failure.
        let _ = told.and_then(|()| {
            self.printer
                .print(self.clock.now(), &ShellEvent::EngineStopped)
        });
        if self.failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    /// Until it is time to end, or nobody reads what is told.
    fn serve(&mut self, url: Option<Url>, receiver: &Receiver<Input>) -> io::Result<()> {
        let summary = self.engine.summary();
        self.tell(&ShellEvent::EngineStarted {
            profile: summary.profile.map(|folder| folder.display().to_string()),
            registrations: summary.registrations,
            syncs: summary.syncs,
            repairs: summary.repairs,
        })?;
        match url {
            Some(url) => self.open(url),
            None => self.ask_what_remains(),
        }
        while let Ok(input) = receiver.recv() {
            if !self.take(input)? {
                break;
            }
        }
        Ok(())
    }

    /// Take one input. False when it is time to end.
    fn take(&mut self, input: Input) -> io::Result<bool> {
        match input {
            Input::Signal | Input::Command(Ok(Command::Quit)) => return Ok(false),
            Input::Command(Ok(command)) => self.obey(command)?,
            Input::Command(Err(error)) => {
                self.tell(&ShellEvent::Error {
                    text: error.to_string(),
                })?;
            }
            Input::Script(report) => return self.take_report(report),
            Input::Network(state) => self.take_network(&state)?,
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
            Input::ReadyForOffline => self.emulate_offline(true),
            Input::Log(entry) => {
                self.tell(&ShellEvent::from_log(&entry))?;
                if matches!(entry.event, LogEvent::Completed | LogEvent::Dropped { .. }) {
                    self.ask_what_remains();
                }
            }
            Input::Remaining(syncs) => {
                return Ok(!(self.exit_when_done && self.loading == 0 && syncs.is_empty()));
            }
        }
        Ok(true)
    }

    fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Offline => self.emulate_offline(true),
            Command::Online => self.emulate_offline(false),
            Command::Evaluate(script) => {
                let Some(window) = self.windows.last() else {
                    return self.tell(&ShellEvent::Evaluated {
                        result: None,
                        error: Some("there is no page; open one with: open URL".to_owned()),
                    });
                };
                window.evaluate(script, Callback::to_sender(&self.sender, Input::Evaluated));
            }
            Command::Open(text) => match crate::page_url(&text) {
                Ok(url) => self.open(url),
                Err(text) => return self.tell(&ShellEvent::Error { text }),
            },
            Command::Close => {
                for window in self.windows.drain(..) {
                    window.close();
                }
            }
            Command::Quit => {}
        }
        Ok(())
    }

    /// Take what a script or page reports. False when the shell's only page cannot be shown.
    fn take_report(&mut self, report: ScriptReport) -> io::Result<bool> {
        let event = script_event(report);
        self.tell(&event)?;
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

    fn take_network(&mut self, state: &NetworkState) -> io::Result<()> {
        let words = match (state.emulated_offline, state.link) {
            (true, _) => "offline (emulated)",
            (_, LinkState::Unknown) => "not known yet",
            (_, LinkState::None) => "offline: no link but loopback",
            (_, LinkState::NoAddress) => "offline: a link, but no address",
            (_, LinkState::NoRoute) => "offline: an address, but no route",
            (_, LinkState::Routable) => "online",
        };
        let network = (state.is_online(), words.to_owned());
        if self.last_network.as_ref() == Some(&network) {
            return Ok(());
        }
        self.last_network = Some(network.clone());
        self.tell(&ShellEvent::Network {
            online: network.0,
            state: network.1,
        })
    }

    fn open(&mut self, url: Url) {
        self.loading += 1;
        self.windows
            .push(script::open(self.services.clone(), WindowOptions::new(url)));
    }

    fn emulate_offline(&self, offline: bool) {
        self.services
            .network
            .emulate_offline(OFFLINE_SESSION, offline, Callback::ignore());
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
        self.failed |= event.is_failure();
        self.printer.print(self.clock.now(), event)
    }
}

/// The certificates of a PEM file, in DER form.
fn read_certificates(file: &Path) -> Result<Vec<Vec<u8>>, String> {
    let unusable = |reason: &dyn fmt::Display| {
        format!(
            "cannot use the certificates in {}: {reason}",
            file.display()
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(&error))?;
    if certificates.is_empty() {
        return Err(unusable(&"there is none"));
    }
    Ok(certificates
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
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
