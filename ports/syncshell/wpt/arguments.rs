//! The command lines of `syncshell wpt` and of the processes that it starts.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

/// Who runs the tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum BrowserName {
    /// This engine.
    Syncshell,
    /// An installed Chromium, through the `DevTools` protocol.
    Chromium,
}

#[derive(Args)]
pub(crate) struct WptArguments {
    /// What to run: files, folders or URL paths of tests; all there are without any
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// The folder with the tests, the harness and the expectations; by default the folder wpt here
    /// or in a folder above
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Run upstream's tests: those that PATH names, or those of lists in wpt/lists; all lists
    /// without a name
    #[arg(
        long,
        value_name = "LISTS",
        num_args = 0..=1,
        require_equals = true,
        value_delimiter = ',',
        default_missing_value = "T1core,T1ext"
    )]
    pub(crate) upstream: Option<Vec<String>>,
    /// How many tests run at once; by default as many as there are processors
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Give each test this many times its time
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    pub(crate) timeout_multiplier: f64,
    /// Name the tests, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Expect from now on what happens in this run, and tell which expectations do not say why
    #[arg(long)]
    pub(crate) update_expectations: bool,
    /// Write the results to this file, in the form of wpt.fyi
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Tell each result, and what the engine said with those that were not expected
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Who runs the tests
    #[arg(long, value_enum, default_value = "syncshell")]
    pub(crate) browser: BrowserName,
    /// The program of another browser; by default the one on the path
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// Show two reports side by side, and run nothing
    #[arg(long, value_names = ["FILE", "FILE"], num_args = 2)]
    pub(crate) compare: Option<Vec<PathBuf>>,
    /// Write what is compared to this file too, as a document in Markdown
    #[arg(long, value_name = "FILE", requires = "compare")]
    pub(crate) markdown: Option<PathBuf>,
}

/// The command line of a process that runs one test, and prints one line of JSON.
#[derive(Args)]
pub(crate) struct WptTestArguments {
    /// The test
    pub(crate) url: Url,
    /// Trust the certificates in this PEM file too
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_certificate: Option<PathBuf>,
    /// How long the test may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = crate::seconds)]
    pub(crate) time_limit: Duration,
    /// It passes when it has loaded
    #[arg(long)]
    pub(crate) crash_test: bool,
}

/// The command line of a process in which a test's engine runs.
#[derive(Args)]
pub(crate) struct EngineArguments {
    pub(crate) url: Url,
    #[arg(long)]
    pub(crate) profile: PathBuf,
    #[arg(long, value_parser = crate::seconds)]
    pub(crate) time_limit: Duration,
    /// Milliseconds by which the clock is ahead
    #[arg(long, default_value = "0")]
    pub(crate) advanced: u64,
    #[arg(long)]
    pub(crate) trust_certificate: Option<PathBuf>,
    #[arg(long)]
    pub(crate) crash_test: bool,
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err(format!("\"{text}\" is not a factor between 0.01 and 1000")),
    }
}
