//! `syncshell net`: what the network is like, and each change.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;

use anstyle::{AnsiColor, Style};
use base::StorageKey;
use base::channel::{Callback, Receiver, Sender, unbounded};
use base::time::Clock;
use net_monitor::{MonitorPolicy, NetworkMonitor, SystemSource};
use network_traits::{
    CaptivePortalCheck, CostHint, ExpectedAnswer, LinkState, NetworkState, PortalState,
    Reachability,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use url::Url;

use crate::NetArguments;
use crate::clock::SystemClock;
use crate::command::{Command, read_commands};
use crate::report::{Format, Printer, ShellEvent, date};

/// What the network is like at one moment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NetworkReport {
    /// What `navigator.onLine` says.
    pub online: bool,
    /// How far the links get: `unknown`, `none`, `no-address`, `no-route` or `routable`.
    pub link: String,
    /// Which network it is, as a hash; none when not routable, or not known yet.
    pub identity: Option<String>,
    /// What sending data costs: `unknown`, `unmetered` or `metered`.
    pub cost: String,
    /// Whether the network wants its users to log in first; none when that is not known.
    pub captive_portal: Option<bool>,
    /// The same in words.
    pub state: String,
}

impl NetworkReport {
    /// `checked_with` is the origin of the URL that a captive portal is looked for with.
    fn new(state: &NetworkState, checked_with: Option<&StorageKey>) -> Self {
        let link = match state.link {
            LinkState::Unknown => "unknown",
            LinkState::None => "none",
            LinkState::NoAddress => "no-address",
            LinkState::NoRoute => "no-route",
            LinkState::Routable => "routable",
        };
        let cost = match state.cost {
            CostHint::Unknown => "unknown",
            CostHint::Unmetered => "unmetered",
            CostHint::Metered => "metered",
        };
        Self {
            online: state.is_online(),
            link: link.to_owned(),
            identity: state
                .identity
                .map(|identity| format!("{:016x}", identity.0)),
            cost: cost.to_owned(),
            captive_portal: checked_with.and_then(|origin| captive_portal(state, origin)),
            state: words(state).to_owned(),
        }
    }

    pub(crate) fn style(&self) -> Style {
        let color = match (self.online, self.captive_portal) {
            (true, Some(true)) | (false, _) => AnsiColor::Yellow,
            (true, _) => AnsiColor::Green,
        };
        color.on_default()
    }
}

impl fmt::Display for NetworkReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.state)?;
        match (&self.identity, self.link.as_str()) {
            (Some(identity), _) => write!(formatter, "; network {identity}")?,
            (None, "routable") => formatter.write_str("; which network is not known yet")?,
            _ => {}
        }
        if self.captive_portal == Some(false) {
            formatter.write_str("; no log-in needed")?;
        }
        if self.cost == "metered" {
            formatter.write_str("; metered")?;
        }
        Ok(())
    }
}

/// The state in words.
pub(crate) fn words(state: &NetworkState) -> &'static str {
    match (state.emulated_offline, state.link) {
        (true, _) => "offline (emulated)",
        (_, LinkState::Unknown) => "not known yet",
        (_, LinkState::None) => "offline: no link but loopback",
        (_, LinkState::NoAddress) => "offline: a link, but no address",
        (_, LinkState::NoRoute) => "offline: an address, but no route",
        (_, LinkState::Routable) if state.portal == PortalState::Captive => {
            "online, but the network wants its users to log in first"
        }
        (_, LinkState::Routable) => "online",
    }
}

/// Look for a captive portal with this URL, as browsers do: it answers with status 204.
pub(crate) fn captive_portal_policy(url: &Url) -> MonitorPolicy {
    MonitorPolicy {
        captive_portal: Some(CaptivePortalCheck {
            url: url.clone(),
            expected: ExpectedAnswer::Status(204),
        }),
        ..MonitorPolicy::default()
    }
}

/// Whether there is a captive portal. The check comes before anything that is believed about its
/// origin.
fn captive_portal(state: &NetworkState, origin: &StorageKey) -> Option<bool> {
    if state.portal == PortalState::Captive {
        return Some(true);
    }
    (state.reachability(origin) == Reachability::Reachable).then_some(false)
}

/// Whether this is all that can be said of the network for now.
fn is_settled(state: &NetworkState, checked_with: Option<&StorageKey>) -> bool {
    let is_checked = |origin: &StorageKey| {
        let reachability = state.reachability(origin);
        state.portal == PortalState::Captive
            || matches!(
                reachability,
                Reachability::Reachable | Reachability::Unreachable
            )
    };
    match state.link {
        LinkState::Unknown => false,
        LinkState::Routable => checked_with.is_none_or(is_checked),
        _ => true,
    }
}

enum Input {
    Network(NetworkState),
    /// Not a command that there is.
    Unknown,
    Quit,
}

/// Tell what the network is like until it is time to end.
pub(crate) fn run(arguments: &NetArguments) -> Result<(), String> {
    let clock = Arc::new(SystemClock::new());
    let url = arguments.captive_portal_check.as_ref();
    let policy = url.map_or_else(MonitorPolicy::default, captive_portal_policy);
    // Bounded by how often the network changes, and by what a person types.
    let (sender, inputs) = unbounded();
    let monitor = NetworkMonitor::start(Box::new(SystemSource), Arc::clone(&clock) as _, policy)
        .map_err(|error| error.to_string())?;
    if let Some(error) = monitor.source_error() {
        return Err(error.to_string());
    }
    let network = monitor.handle();
    let checked_with = url.and_then(|url| StorageKey::from_url(url).ok());
    if let Some(origin) = &checked_with {
        // A captive portal is looked for only while somebody waits for a server.
        network.await_origin(origin.clone(), true);
    }
    network
        .subscribe(Callback::to_sender(&sender, Input::Network))
        .map_err(|error| error.to_string())?;

    listen(&sender)?;
    let teller = Teller {
        clock,
        printer: arguments.json.then(|| Printer::new(Format::Json)),
        once: arguments.once,
        checked_with,
    };
    // Output that nobody reads any more is a reason to end, not a failure.
    let _ = teller.tell_until_the_end(&inputs);
    Ok(())
}

/// Let signals and commands in, and the end of the output.
fn listen(sender: &Sender<Input>) -> Result<(), String> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| format!("cannot wait for signals: {error}"))?;
    let on_signal = sender.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            // After the end nobody waits for it.
            let _ = on_signal.send(Input::Quit);
        }
    });
    let on_closed = sender.clone();
    thread::spawn(move || {
        if is_closed(&io::stdout()) {
            let _ = on_closed.send(Input::Quit);
        }
    });
    let on_command = sender.clone();
    thread::spawn(move || {
        read_commands(io::stdin(), |command| {
            let _ = on_command.send(match command {
                Ok(Command::Quit) => Input::Quit,
                _ => Input::Unknown,
            });
        });
    });
    Ok(())
}

/// Waits until nobody reads any more. Writing would show it too, but the next change may never come.
fn is_closed(output: &io::Stdout) -> bool {
    loop {
        // With nothing asked for, only an error or a hang-up ends it.
        match poll(&mut [PollFd::new(output, PollFlags::empty())], None) {
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Tells people with date and time, and programs in JSON.
struct Teller {
    clock: Arc<SystemClock>,
    printer: Option<Printer>,
    once: bool,
    /// The origin of the URL that a captive portal is looked for with.
    checked_with: Option<StorageKey>,
}

impl Teller {
    fn tell_until_the_end(&self, inputs: &Receiver<Input>) -> io::Result<()> {
        let checked_with = self.checked_with.as_ref();
        let mut last = None;
        while let Ok(input) = inputs.recv() {
            match input {
                Input::Network(state) => {
                    let report = NetworkReport::new(&state, checked_with);
                    let is_wanted = !self.once || is_settled(&state, checked_with);
                    if is_wanted && last.replace(report.clone()).as_ref() != Some(&report) {
                        self.tell(&ShellEvent::NetworkState(report))?;
                        if self.once {
                            return Ok(());
                        }
                    }
                }
                Input::Unknown => self.tell(&ShellEvent::Error {
                    text: "the one command is: quit".to_owned(),
                })?,
                Input::Quit => return Ok(()),
            }
        }
        Ok(())
    }

    fn tell(&self, event: &ShellEvent) -> io::Result<()> {
        let now = self.clock.now();
        if let Some(printer) = &self.printer {
            return printer.print(now, event);
        }
        let mut output = anstream::stdout().lock();
        let dim = Style::new().dimmed();
        let (_, style, text) = event.words();
        writeln!(
            output,
            "{dim}{}{dim:#}  {style}{text}{style:#}",
            date(now.wall)
        )?;
        output.flush()
    }
}
