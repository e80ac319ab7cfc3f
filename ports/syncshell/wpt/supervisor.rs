//! Runs a test in a process of its own, so that a crash or a hang is a result.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::channel::{Received, Receiver, Sender, unbounded};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use url::Url;

use super::process::{ProcessGroup, ProcessGroups, ending};
use super::result::{Status, TestResult};
use crate::clock::SystemClock;

/// How long an engine gets beyond a test's own time limit: to start, and to report that the time is
/// up.
const GRACE: Duration = Duration::from_secs(10);

/// How many lines of what an engine says are kept.
const KEPT_LINES: usize = 40;

/// How many characters of each are kept.
const LONGEST_LINE: usize = 300;

/// How often a test may restart its engine.
const MOST_RESTARTS: usize = 20;

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) url: Url,
    /// It passes when it has loaded.
    pub(crate) only_loads: bool,
    pub(crate) time_limit: Duration,
}

/// What an engine's process tells on its standard output, one a line.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineMessage {
    /// Something for a developer.
    Log(String),
    /// The test asks to kill the engine, start another on its profile, and open this page.
    Restart {
        url: Url,
        /// How far the clock has been moved, in milliseconds.
        advanced: u64,
    },
    /// The end.
    Result(TestResult),
}

/// What the supervisor hears of a process.
enum Heard {
    Message(Box<EngineMessage>),
    Log(String),
    /// It has closed its output.
    End,
}

/// Runs tests in processes of this program.
pub(crate) struct Supervisor {
    program: PathBuf,
    /// PEM file with the authorities that are trusted in addition.
    certificate: Option<PathBuf>,
    groups: ProcessGroups,
}

impl Supervisor {
    pub(crate) fn new(certificate: Option<PathBuf>, groups: ProcessGroups) -> Result<Self, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("cannot find the program itself: {error}"))?;
        Ok(Self {
            program,
            certificate,
            groups,
        })
    }

    /// Run one test in a fresh profile.
    pub(crate) fn run(&self, job: &Job) -> TestResult {
        let clock = SystemClock::new();
        let mut log = VecDeque::new();
        let mut result = match tempfile::Builder::new().prefix("syncshell-wpt-").tempdir() {
            Ok(profile) => self.run_in(&profile, job, &clock, &mut log),
            Err(error) => TestResult::error(format!("no folder for the profile: {error}")),
        };
        result.log = log.into();
        result.duration = clock.elapsed();
        result
    }

    fn run_in(
        &self,
        profile: &TempDir,
        job: &Job,
        clock: &SystemClock,
        log: &mut VecDeque<String>,
    ) -> TestResult {
        let mut url = job.url.clone();
        let mut advanced = 0;
        for _ in 0..MOST_RESTARTS {
            let job = Job { url, ..job.clone() };
            let mut process = match Process::start(self, profile.path(), &job, advanced) {
                Ok(process) => process,
                Err(error) => return TestResult::error(error),
            };
            let deadline = clock.elapsed() + job.time_limit + GRACE;
            let told = process.listen(clock, deadline, log);
            let status = process.end(log);
            match told {
                Some(EngineMessage::Result(result)) => return result,
                Some(EngineMessage::Restart {
                    url: next,
                    advanced: moved,
                }) => (url, advanced) = (next, moved),
                Some(EngineMessage::Log(_)) | None if clock.elapsed() >= deadline => {
                    let message = "nothing came when the time was up; the engine was killed";
                    return TestResult::new(Status::Timeout, Some(message.to_owned()));
                }
                Some(EngineMessage::Log(_)) | None => {
                    let message = Some(ending(status.as_ref()));
                    return TestResult::new(Status::Crash, message);
                }
            }
        }
        TestResult::error("the test restarts the engine too often")
    }
}

/// An engine's process.
struct Process {
    group: ProcessGroup,
    heard: Receiver<Heard>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    fn start(
        supervisor: &Supervisor,
        profile: &Path,
        job: &Job,
        advanced: u64,
    ) -> Result<Self, String> {
        let mut command = Command::new(&supervisor.program);
        command
            .arg("wpt-engine")
            .arg(job.url.as_str())
            .arg("--profile")
            .arg(profile)
            .arg("--time-limit")
            .arg(job.time_limit.as_secs_f64().to_string())
            .arg("--advanced")
            .arg(advanced.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if job.only_loads {
            command.arg("--crash-test");
        }
        if let Some(certificate) = &supervisor.certificate {
            command.arg("--trust-certificate").arg(certificate);
        }
        let mut group = supervisor.groups.start(&mut command)?;
        let (sender, heard) = unbounded();
        let mut readers = Vec::new();
        if let Some(output) = group.child.stdout.take() {
            readers.push(read_lines(output, sender.clone(), true));
        }
        if let Some(output) = group.child.stderr.take() {
            readers.push(read_lines(output, sender, false));
        }
        Ok(Self {
            group,
            heard,
            readers,
        })
    }

    /// Wait for what ends this process: its message, its end, or its time.
    fn listen(
        &self,
        clock: &SystemClock,
        deadline: Duration,
        log: &mut VecDeque<String>,
    ) -> Option<EngineMessage> {
        loop {
            let left = deadline.saturating_sub(clock.elapsed());
            if left.is_zero() {
                return None;
            }
            match self.heard.recv_timeout(Some(left)) {
                Received::Message(Heard::Message(message)) => match *message {
                    EngineMessage::Log(line) => keep(log, line),
                    other => return Some(other),
                },
                Received::Message(Heard::Log(line)) => keep(log, line),
                Received::Message(Heard::End) | Received::TimedOut | Received::Disconnected => {
                    return None;
                }
            }
        }
    }

    /// Kill it, and read what it has said last.
    fn end(&mut self, log: &mut VecDeque<String>) -> Option<ExitStatus> {
        let status = self.group.end();
        for reader in self.readers.drain(..) {
            // A reader that panicked has read what it could.
            let _ = reader.join();
        }
        while let Some(heard) = self.heard.try_recv() {
            if let Heard::Log(line) = heard {
                keep(log, line);
            }
        }
        status
    }
}

pub(super) fn keep(log: &mut VecDeque<String>, mut line: String) {
    if let Some((end, _)) = line.char_indices().nth(LONGEST_LINE) {
        line.truncate(end);
        line.push('…');
    }
    if log.len() == KEPT_LINES {
        log.pop_front();
    }
    log.push_back(line);
}

fn read_lines(
    output: impl Read + Send + 'static,
    sender: Sender<Heard>,
    are_messages: bool,
) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            let heard = if are_messages {
                serde_json::from_slice(&line).map(|message| Heard::Message(Box::new(message)))
            } else {
                Ok(Heard::Log(String::from_utf8_lossy(&line).into_owned()))
            };
            let heard =
                heard.unwrap_or_else(|_| Heard::Log(String::from_utf8_lossy(&line).into_owned()));
            if sender.send(heard).is_err() {
                break;
            }
        }
        if are_messages {
            // After the end nobody listens.
            let _ = sender.send(Heard::End);
        }
    })
}
