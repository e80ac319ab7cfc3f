//! The process that runs one test: an engine, and the test's page in it.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use base::channel::{Callback, Received, Receiver, Sender, unbounded};
use base::time::Clock;
use engine::{Builder, Engine};
use net::NetConfig;
use net_monitor::{NetworkScript, ScriptedSource};
use network_traits::{HostMap, LinkState};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use script::{ScriptLimits, ScriptReport, Services, WindowHandle, WindowOptions};
use storage::Location;
use url::Url;

use super::arguments::EngineArguments;
use super::result::{HarnessReport, Status, TestResult};
use super::supervisor::EngineMessage;
use crate::clock::{MovableClock, SystemClock};
use crate::embedding;

/// The function by which pages call.
const BINDING: &str = "__wptDriver";

/// Bytes of memory that a process may have: a page that takes more ends its engine, and nothing else.
const MEMORY_LIMIT: u64 = 1 << 30;

/// How much may wait to be told; what pages print beyond that is lost.
const MOST_WAITING: usize = 1000;

/// How long the harness gets to report that the time is up.
const REPORT_TIME: Duration = Duration::from_secs(5);

/// Resolves when a crash test is over.
const CRASH_TEST_ENDS: &str = "new Promise(resolve => {
    const look = () => {
        const root = document.documentElement;
        if (root && root.classList.contains('test-wait')) setTimeout(look, 20);
        else resolve('');
    };
    look();
})";

/// Whatever reaches the process.
pub(super) enum Input {
    Script(ScriptReport),
    /// A page has called.
    Called(String),
    /// A crash test is over, or has failed.
    CrashTestEnded(Result<String, String>),
}

/// A running engine with the test's page in it.
pub(super) struct TestEngine {
    pub(super) engine: Engine,
    pub(super) services: Services,
    pub(super) clock: Arc<MovableClock>,
    /// How far the clock has been moved, in milliseconds.
    pub(super) advanced: u64,
    /// The page of the test.
    pub(super) url: Url,
    window: WindowHandle,
    only_loads: bool,
    sender: Sender<Input>,
    _network: NetworkScript,
}

/// Run the test and tell how it went.
pub(crate) fn run(arguments: EngineArguments) -> Result<(), String> {
    // Nobody wants the result when the runner is gone.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| error.to_string())?;
    limit_memory()?;
    let time_limit = arguments.time_limit;
    let (sender, receiver) = unbounded();
    let mut engine = TestEngine::start(arguments, sender);
    let result = match &mut engine {
        Ok(engine) => engine.serve(&receiver, time_limit),
        Err(error) => Some(TestResult::error(std::mem::take(error))),
    };
    if let Some(result) = result {
        tell(&EngineMessage::Result(result))?;
    }
    // The profile is thrown away, or the process is to be killed: nothing ends in order, so the
    // engine is not dropped.
    std::process::exit(0)
}

/// Keep the process from taking the machine's memory.
fn limit_memory() -> Result<(), String> {
    let limit = Rlimit {
        current: Some(MEMORY_LIMIT),
        ..getrlimit(Resource::Data)
    };
    setrlimit(Resource::Data, limit)
        .map_err(|error| format!("cannot limit the memory of the engine: {error}"))
}

/// Tell the supervisor something.
pub(super) fn tell(message: &EngineMessage) -> Result<(), String> {
    let mut line = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output
        .write_all(&line)
        .and_then(|()| output.flush())
        .map_err(|error| error.to_string())
}

impl TestEngine {
    fn start(arguments: EngineArguments, sender: Sender<Input>) -> Result<Self, String> {
        let clock = Arc::new(MovableClock::new());
        clock.advance(Duration::from_millis(arguments.advanced));
        let movable: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let extra_root_certificates = match &arguments.trust_certificate {
            Some(file) => embedding::read_certificates(file)?,
            None => Vec::new(),
        };
        let (source, network) = ScriptedSource::new();
        network.set_link(LinkState::Routable);
        let builder = Builder::new(Arc::clone(&movable))
            .profile(Location::Folder(arguments.profile))
            .network_source(Box::new(source))
            .hosts(HostMap::default().with("*.test", Ipv4Addr::LOCALHOST.into()))
            .net_config(NetConfig {
                extra_root_certificates,
                ..NetConfig::default()
            });
        let limits = ScriptLimits {
            task_time_limit: arguments.time_limit,
            ..ScriptLimits::default()
        };
        let report = Callback::new({
            let sender = sender.clone();
            move |report| {
                let is_talk = matches!(
                    report,
                    ScriptReport::Console { .. } | ScriptReport::ScriptError { .. }
                );
                if !is_talk || sender.len() < MOST_WAITING {
                    // After the end nobody listens.
                    let _ = sender.send(Input::Script(report));
                }
            }
        });
        let (engine, services) =
            embedding::start(builder, movable, report, limits, |windows| windows)?;
        let options = WindowOptions::new(arguments.url.clone())
            .with_binding(BINDING, Callback::to_sender(&sender, Input::Called));
        let window = script::open(services.clone(), options);
        Ok(Self {
            engine,
            services,
            clock,
            advanced: arguments.advanced,
            url: arguments.url,
            window,
            only_loads: arguments.crash_test,
            sender,
            _network: network,
        })
    }

    /// Until there is a result. None when the process is to be killed.
    fn serve(&mut self, receiver: &Receiver<Input>, time_limit: Duration) -> Option<TestResult> {
        let clock = SystemClock::new();
        let mut deadline = time_limit;
        let mut time_is_up = false;
        loop {
            let left = deadline.saturating_sub(clock.elapsed());
            // A page that never stops talking does not get more time for it.
            let received = if left.is_zero() {
                Received::TimedOut
            } else {
                receiver.recv_timeout(Some(left))
            };
            let ended = match received {
                Received::Message(input) => self.take(input),
                Received::TimedOut if time_is_up || self.only_loads => {
                    return Some(TestResult::new(Status::Timeout, None));
                }
                Received::TimedOut => {
                    time_is_up = true;
                    deadline += REPORT_TIME;
                    self.evaluate("timeout()".to_owned());
                    continue;
                }
                Received::Disconnected => Err(Some(TestResult::error("the engine ended"))),
            };
            if let Err(result) = ended {
                return result;
            }
        }
    }

    /// Take one input. An error is the end.
    fn take(&mut self, input: Input) -> Result<(), Option<TestResult>> {
        match input {
            Input::Script(report) => self.take_report(report),
            Input::CrashTestEnded(Ok(_)) => Err(Some(TestResult::new(Status::Pass, None))),
            Input::CrashTestEnded(Err(error)) => Err(Some(TestResult::error(error))),
            Input::Called(text) => self.take_call(&text),
        }
    }

    fn take_report(&mut self, report: ScriptReport) -> Result<(), Option<TestResult>> {
        match report {
            ScriptReport::PageLoaded { .. } if self.only_loads => {
                let done = Callback::to_sender(&self.sender, Input::CrashTestEnded);
                self.window.evaluate(CRASH_TEST_ENDS.to_owned(), done);
            }
            ScriptReport::PageFailed { url, error } if url == self.url => {
                return Err(Some(TestResult::error(format!("{url}: {error}"))));
            }
            ScriptReport::PageFailed { url, error } => log(format!("{url}: {error}")),
            ScriptReport::Console { message, .. } => {
                log(format!("console.{}: {}", message.level, message.text));
            }
            ScriptReport::ScriptError { text, .. } => log(text),
            ScriptReport::PageLoaded { .. } | ScriptReport::PageClosed { .. } => {}
        }
        Ok(())
    }

    /// Runs a script in the test's page, whatever comes of it.
    pub(super) fn evaluate(&self, script: String) {
        self.window.evaluate(script, Callback::ignore());
    }

    /// The harness reports its results.
    pub(super) fn results(report: HarnessReport) -> Result<(), Option<TestResult>> {
        Err(Some(report.into()))
    }
}

fn log(line: String) {
    // When nobody listens, the process is about to be killed.
    let _ = tell(&EngineMessage::Log(line));
}
