//! `syncshell wpt`: run Web Platform Tests.
//!
//! - [`suite`]: which tests there are; [`site`]: what serves them;
//! - [`supervisor`]: runs one in a process of its own, in which [`engine`] is, and [`driver`]
//!   does what the test asks;
//! - [`chromium`]: runs one in an installed Chromium;
//! - [`expectations`]: what should come of it, in the form of [`ini`];
//! - [`output`], [`report`], [`compare`]: what is told of it.

mod arguments;
mod chromium;
mod compare;
mod driver;
mod engine;
mod expectations;
mod ini;
mod output;
mod process;
mod report;
mod result;
mod site;
mod suite;
mod supervisor;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use base::time::Clock;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use arguments::BrowserName;
pub(crate) use arguments::{EngineArguments, WptArguments, WptTestArguments};
pub(crate) use engine::run as run_engine;

use crate::clock::SystemClock;
use chromium::Chromium;
use compare::Comparison;
use expectations::{Difference, MetaFile};
use output::{Progress, Summary};
use process::ProcessGroups;
use report::{Report, ReportedTest, RunInfo};
use result::{Status, TestResult};
use site::{OpenSite, Site};
use suite::{List, Test};
use supervisor::{Job, Supervisor};

/// Run one test, and print one line of JSON.
pub(crate) fn run_test(arguments: WptTestArguments) -> Result<(), String> {
    let groups = ProcessGroups::default();
    let supervisor = Supervisor::new(arguments.trust_certificate, groups)?;
    let result = supervisor.run(&Job {
        url: arguments.url,
        only_loads: arguments.crash_test,
        time_limit: arguments.time_limit,
    });
    let line = serde_json::to_string(&result).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{line}").map_err(|error| error.to_string())
}

/// Run tests.
pub(crate) fn run(arguments: &WptArguments) -> Result<ExitCode, String> {
    if let Some(files) = &arguments.compare {
        return compare_reports(arguments, files);
    }
    let root = suite::root(arguments.root.as_deref())?;
    // While there is one thread.
    let networks = match arguments.browser {
        BrowserName::Chromium => chromium::prepare_networks(),
        BrowserName::Syncshell => Ok(()),
    };
    let list = match &arguments.upstream {
        Some(names) if arguments.paths.is_empty() => List::read(&root, names)?,
        _ => List::default(),
    };
    let paths = if list.paths.is_empty() {
        &arguments.paths
    } else {
        &list.paths
    };
    let site = Site::prepare(&root, arguments.upstream.is_some())?;
    let tests = wpt_server::find(site.tree(), paths).map_err(|error| error.to_string())?;
    if tests.is_empty() {
        return Err(format!("there is no test in {}", root.display()));
    }
    if arguments.list {
        return name_tests(&tests);
    }
    let site = site.open()?;
    let tests: Result<Vec<Test>, String> = tests
        .iter()
        .map(|test| Test::new(test, site.addresses()))
        .collect();
    let tests = tests?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let certificate = folder.path().join("authority.pem");
    fs::write(&certificate, site.certificates().authority_pem())
        .map_err(|error| format!("cannot write {}: {error}", certificate.display()))?;
    let groups = ProcessGroups::default();
    let (browser, meta) = match arguments.browser {
        BrowserName::Syncshell => (
            Browser::Own(Supervisor::new(Some(certificate), groups.clone())?),
            load_expectations(&root.join("meta"), &tests)?,
        ),
        // What is expected is what this engine does.
        BrowserName::Chromium => (
            Browser::Chromium(find_chromium(arguments, &groups, &site, networks)?),
            BTreeMap::new(),
        ),
    };
    let revision = match &arguments.upstream {
        Some(_) => suite::revision(&root)?,
        None => String::new(),
    };
    let run = Run {
        arguments,
        browser,
        groups,
        meta,
        list,
        revision,
    };
    run.run(tests)
}

fn find_chromium(
    arguments: &WptArguments,
    groups: &ProcessGroups,
    site: &OpenSite,
    networks: Result<(), String>,
) -> Result<Chromium, String> {
    let chromium = Chromium::find(
        arguments.binary.as_deref(),
        groups.clone(),
        site.addresses(),
        site.certificates(),
        networks.is_ok(),
    )?;
    let offline = match networks {
        Ok(()) => "a link that goes down, in a network namespace".to_owned(),
        Err(reason) => format!("emulated by Chromium, because the system permits {reason}"),
    };
    anstream::println!("Chromium {}", chromium.version);
    anstream::println!("offline is {offline}");
    anstream::println!(
        "{}",
        if chromium.moves_clocks() {
            "libfaketime moves the clock"
        } else {
            "the clock cannot be moved: libfaketime is not installed"
        }
    );
    Ok(chromium)
}

fn name_tests(tests: &[wpt_server::Test]) -> Result<ExitCode, String> {
    let mut output = io::stdout().lock();
    for test in tests {
        writeln!(output, "{}", test.url).map_err(|error| error.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn compare_reports(arguments: &WptArguments, files: &[PathBuf]) -> Result<ExitCode, String> {
    let [first, second] = files else {
        return Err("two reports are compared".to_owned());
    };
    let comparison = Comparison::new(&Report::read(first)?, &Report::read(second)?);
    if let Some(file) = &arguments.markdown {
        fs::write(file, comparison.markdown())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    write!(io::stdout(), "{}", comparison.text()).map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

/// What is expected of the tests, by their files.
fn load_expectations(meta: &Path, tests: &[Test]) -> Result<BTreeMap<String, MetaFile>, String> {
    let mut files = BTreeMap::new();
    for test in tests {
        if !files.contains_key(&test.source) {
            let file = MetaFile::load(meta, &test.source)?;
            files.insert(test.source.clone(), file);
        }
    }
    Ok(files)
}

/// Who runs the tests.
enum Browser {
    Own(Supervisor),
    Chromium(Chromium),
}

impl Browser {
    fn run(&self, job: &Job) -> TestResult {
        match self {
            Self::Own(supervisor) => supervisor.run(job),
            Self::Chromium(chromium) => chromium.run(job),
        }
    }

    fn run_info(&self, revision: &str) -> RunInfo {
        match self {
            Self::Own(_) => RunInfo::new("syncshell", env!("CARGO_PKG_VERSION"), revision),
            Self::Chromium(chromium) => RunInfo::new("chromium", &chromium.version, revision),
        }
    }
}

/// One run of several tests.
struct Run<'a> {
    arguments: &'a WptArguments,
    browser: Browser,
    groups: ProcessGroups,
    meta: BTreeMap<String, MetaFile>,
    list: List,
    /// The revision of upstream's tests, when they are run.
    revision: String,
}

impl Run<'_> {
    fn run(mut self, tests: Vec<Test>) -> Result<ExitCode, String> {
        let clock = SystemClock::new();
        let start = clock.now().wall;
        self.stop_on_signals()?;
        let results = self.run_all(&tests)?;
        let mut summary = Summary::default();
        for (test, result) in &results {
            summary.add(result, &self.differences(test, result));
        }
        summary
            .tell(clock.elapsed())
            .map_err(|error| error.to_string())?;
        if let Some(file) = &self.arguments.report {
            let report = Report {
                run_info: self.browser.run_info(&self.revision),
                time_start: start.as_millis(),
                time_end: clock.now().wall.as_millis(),
                results: results
                    .iter()
                    .map(|(test, result)| ReportedTest::new(test, result))
                    .collect(),
            };
            report.write(file)?;
        }
        if self.groups.is_stopped() {
            return Err("the run was stopped".to_owned());
        }
        if self.arguments.update_expectations {
            self.update(&results)?;
            return Ok(ExitCode::SUCCESS);
        }
        Ok(if summary.unexpected == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    /// A signal ends the engines, and with them the run.
    fn stop_on_signals(&self) -> Result<(), String> {
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| format!("cannot wait for signals: {error}"))?;
        let groups = self.groups.clone();
        thread::spawn(move || {
            for _ in signals.forever() {
                groups.stop();
            }
        });
        Ok(())
    }

    /// Run the tests, several at once; the results are in their order.
    fn run_all<'t>(&self, tests: &'t [Test]) -> Result<Vec<(&'t Test, TestResult)>, String> {
        let progress = Progress::new(tests.len(), self.arguments.verbose);
        let waiting: Mutex<VecDeque<(usize, &Test)>> =
            Mutex::new(tests.iter().enumerate().collect());
        let results = Mutex::new(BTreeMap::new());
        let lock = |waiting: &Mutex<VecDeque<(usize, &'t Test)>>| {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.pop_front()
        };
        let work = || -> io::Result<()> {
            while let Some((index, test)) = lock(&waiting) {
                if self.groups.is_stopped() {
                    break;
                }
                progress.started(test);
                let result = self.run_one(test);
                let differences = self.differences(test, &result);
                let told = progress.ended(test, &result, &differences);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.insert(index, (test, result));
                drop(results);
                told?;
            }
            Ok(())
        };
        let jobs = self
            .arguments
            .jobs
            .or_else(|| thread::available_parallelism().ok());
        let jobs = jobs.map_or(1, NonZeroUsize::get);
        let worked: io::Result<()> = thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread of the runner panicked")))
            })
        });
        progress.finish();
        worked.map_err(|error| error.to_string())?;
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(results.into_values().collect())
    }

    fn run_one(&self, test: &Test) -> TestResult {
        let disabled = self
            .meta
            .get(&test.source)
            .and_then(|file| file.disabled(test.section()))
            .or_else(|| self.list.reason(&test.source));
        match disabled {
            Some(reason) => TestResult::new(Status::Skip, Some(reason.to_owned())),
            None => self
                .browser
                .run(&test.job(self.arguments.timeout_multiplier)),
        }
    }

    fn differences(&self, test: &Test, result: &TestResult) -> Vec<Difference> {
        match self.meta.get(&test.source) {
            Some(file) if result.status != Status::Skip => {
                file.differences(test.section(), test.good(), result)
            }
            _ => Vec::new(),
        }
    }

    fn update(&mut self, results: &[(&Test, TestResult)]) -> Result<(), String> {
        for (test, result) in results {
            if let Some(file) = self.meta.get_mut(&test.source)
                && result.status != Status::Skip
            {
                file.update(test.section(), test.good(), result);
            }
        }
        self.meta.values().try_for_each(MetaFile::save)?;
        output::tell_unexplained(self.meta.values().flat_map(MetaFile::unexplained))
            .map_err(|error| error.to_string())
    }
}
