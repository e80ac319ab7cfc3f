//! Runs tests in an installed Chromium, with a fresh profile and process for each.
//!
//! | Command of a test | How Chromium does it |
//! |---|---|
//! | `set_permission` | `Browser.setPermission`, again after a restart |
//! | `set_network_conditions` | the link of the browser's own [`network`] goes down; where the system permits none, `Network.emulateNetworkConditions` in the page and its service workers |
//! | the same for one scope | `Network.emulateNetworkConditions` in its service worker |
//! | `stop_service_worker` | `ServiceWorker.stopWorker` |
//! | `restart` | the browser is killed and started again on its profile |
//! | `advance_time` | libfaketime moves the [`clock`]; where it is not installed, the test hears that it is unsupported |
//! | `get_sync_log` | not at all |
//!
//! - [`devtools`]: the protocol;
//! - [`profile`], [`network`]: what it has of its own;
//! - [`session`]: a browser that runs a test, and what it knows of its [`workers`].

mod clock;
mod devtools;
mod network;
mod profile;
mod session;
#[cfg(test)]
mod tests;
mod workers;

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use wpt_server::{Addresses, Certificates};

use super::process::{ProcessGroup, ProcessGroups, ending};
use super::result::{Status, SubtestResult, TestResult};
use super::supervisor::Job;
use crate::clock::SystemClock;
use clock::{Clock, MovedClock};
use devtools::DevTools;
use network::Network;
pub(crate) use network::prepare as prepare_networks;
use session::{Ended, Session};

/// What Chromium's program is called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// How often a test may restart its browser.
const MOST_RESTARTS: usize = 20;

/// How many subtests of a file may each end the page's process.
const MOST_CRASHES: usize = 10;

/// How often a browser may be stuck before it runs a subtest.
const MOST_STUCK: usize = 2;

/// What came of a run in a fresh profile.
enum Outcome {
    Result(TestResult),
    /// The test moves the clock, so it needs a browser whose clock can be moved.
    NeedsClock,
}

/// An installed Chromium.
pub(crate) struct Chromium {
    binary: PathBuf,
    pub(crate) version: String,
    groups: ProcessGroups,
    /// The servers' key, to which browsers connect whoever certifies it.
    key_fingerprint: String,
    /// The servers' ports, when each browser gets a network of its own.
    ports: Option<Vec<u16>>,
    /// What moves the clocks of browsers.
    clock_library: Option<PathBuf>,
}

impl Chromium {
    /// The program that is named, or else one that is on the path.
    pub(crate) fn find(
        binary: Option<&Path>,
        groups: ProcessGroups,
        addresses: &Addresses,
        certificates: &Certificates,
        own_networks: bool,
    ) -> Result<Self, String> {
        let (binary, version) = find_program(binary)?;
        let ports = addresses.http.iter().chain(&addresses.https).copied();
        Ok(Self {
            binary,
            version,
            groups,
            key_fingerprint: certificates.key_fingerprint().to_owned(),
            ports: own_networks.then(|| ports.collect()),
            clock_library: clock::find_library(),
        })
    }

    /// Whether tests can move the clock.
    pub(crate) fn moves_clocks(&self) -> bool {
        self.clock_library.is_some()
    }

    /// Run one test in a fresh profile.
    pub(crate) fn run(&self, job: &Job) -> TestResult {
        let clock = SystemClock::new();
        let mut result = self.run_all_subtests(job);
        result.duration = clock.elapsed();
        result
    }

    /// A subtest that ends the page's process is left out the next time, so that the others run.
    fn run_all_subtests(&self, job: &Job) -> TestResult {
        let mut crashed: Vec<SubtestResult> = Vec::new();
        let mut moves_clock = false;
        let mut stuck = 0;
        loop {
            let left_out: Vec<&str> = crashed.iter().map(|it| it.name.as_str()).collect();
            let outcome = self.run_in_fresh_profile(job, &left_out, moves_clock);
            let mut result = match outcome {
                Ok(Outcome::Result(result)) => result,
                Ok(Outcome::NeedsClock) => {
                    moves_clock = true;
                    continue;
                }
                Err(error) => TestResult::error(error),
            };
            // Programs do not always start with libfaketime: threads wait for each other.
            let is_stuck = result.status == Status::Timeout && result.subtests.is_empty();
            if is_stuck && stuck < MOST_STUCK {
                stuck += 1;
                continue;
            }
            if let Some(last) = result.subtests.last()
                && last.status == Status::Crash
                && crashed.len() < MOST_CRASHES
                && !left_out.contains(&last.name.as_str())
            {
                crashed.push(last.clone());
                continue;
            }
            if let Some(first) = crashed.first() {
                result.status = Status::Crash;
                result.message.clone_from(&first.message);
                for subtest in crashed {
                    if !result.subtests.iter().any(|it| it.name == subtest.name) {
                        result.subtests.push(subtest);
                    }
                }
            }
            return result;
        }
    }

    fn run_in_fresh_profile(
        &self,
        job: &Job,
        left_out: &[&str],
        moves_clock: bool,
    ) -> Result<Outcome, String> {
        let network = self.ports.as_deref().map(Network::new).transpose()?;
        let folder = tempfile::Builder::new()
            .prefix("syncshell-wpt-")
            .tempdir()
            .map_err(|error| format!("no folder for the profile: {error}"))?;
        let profile = folder.path().join("profile");
        profile::make(&profile, &job.url)?;
        let mut clock = match &self.clock_library {
            Some(library) if moves_clock => {
                Clock::Moved(MovedClock::new(library.clone(), folder.path())?)
            }
            Some(_) => Clock::Movable,
            None => Clock::Fixed,
        };
        let mut url = job.url.clone();
        let mut permissions = Vec::new();
        for _ in 0..MOST_RESTARTS {
            if let Some(network) = &network {
                network.set_link(true)?;
            }
            let job = Job { url, ..job.clone() };
            let mut command = self.command(&profile, network.is_some());
            // What a browser that is killed leaves goes with the folder.
            command.env("TMPDIR", folder.path());
            if let Clock::Moved(clock) = &clock {
                clock.put_into(&mut command);
            }
            let (mut group, devtools) = self.start(command, network.as_ref())?;
            let process = group.child.id();
            let mut session = Session::new(devtools, &job, network.as_ref(), &mut clock);
            session.open(left_out, permissions)?;
            let ended = session.serve();
            let status = group.end();
            MovedClock::clean_up(process);
            match ended? {
                Ended::Result(result) => return Ok(Outcome::Result(result)),
                Ended::NeedsClock => return Ok(Outcome::NeedsClock),
                Ended::Restart(next) => url = next,
                Ended::Disconnected => {
                    let result = session.crash(ending(status.as_ref()));
                    return Ok(Outcome::Result(result));
                }
            }
            permissions = session.permissions;
        }
        Err("the test restarts the browser too often".to_owned())
    }

    fn start(
        &self,
        mut command: Command,
        network: Option<&Network>,
    ) -> Result<(ProcessGroup, DevTools), String> {
        let pipe = || io::pipe().map_err(|error| format!("no pipe: {error}"));
        let (commands, output) = pipe()?;
        let (input, answers) = pipe()?;
        // The browser reads from 3 and writes to 4.
        let mappings: [(OwnedFd, i32); 2] = [(commands.into(), 3), (answers.into(), 4)];
        let mappings = mappings.map(|(parent_fd, child_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
        command
            .fd_mappings(mappings.into())
            .map_err(|error| error.to_string())?;
        let groups = self.groups.clone();
        // The browser's ends of the pipes close with the command.
        let start = move || groups.start(&mut { command });
        let group = match network {
            Some(network) => network.run(start)?,
            None => start()?,
        };
        Ok((group, DevTools::new(input, output)))
    }

    fn command(&self, profile: &Path, has_own_network: bool) -> Command {
        let servers = if has_own_network {
            network::SERVERS
        } else {
            std::net::Ipv4Addr::LOCALHOST
        };
        let mut command = Command::new(&self.binary);
        command
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--host-resolver-rules=MAP *.test {servers}"))
            .arg(format!(
                "--ignore-certificate-errors-spki-list={}",
                self.key_fingerprint
            ))
            .args([
                "--headless=new",
                "--no-sandbox",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-breakpad",
                "--disable-component-update",
                "--disable-background-networking",
                // Tests open windows without a user who has clicked.
                "--disable-popup-blocking",
                "--remote-debugging-pipe",
                "about:blank",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// The program and its version.
fn find_program(binary: Option<&Path>) -> Result<(PathBuf, String), String> {
    let version = |program: &Path| -> Option<String> {
        let output = Command::new(program).arg("--version").output().ok()?;
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        text.split_whitespace().find(is_version).map(str::to_owned)
    };
    if let Some(binary) = binary {
        let version = version(binary)
            .ok_or_else(|| format!("{} is not a Chromium that runs here", binary.display()))?;
        return Ok((binary.to_owned(), version));
    }
    let found = NAMES.iter().map(PathBuf::from).find_map(|program| {
        let version = version(&program)?;
        Some((program, version))
    });
    found.ok_or_else(|| {
        format!(
            "no Chromium is installed: none of {} is on the path; name its program with --binary",
            NAMES.join(", ")
        )
    })
}
