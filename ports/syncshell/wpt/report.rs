//! `wptreport.json`, as wpt.fyi takes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::result::{Status, SubtestResult, TestResult};
use super::suite::Test;

/// The results of a run.
#[derive(Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) run_info: RunInfo,
    /// Milliseconds since 1970.
    pub(crate) time_start: i64,
    pub(crate) time_end: i64,
    pub(crate) results: Vec<ReportedTest>,
}

/// What was run.
#[derive(Deserialize, Serialize)]
pub(crate) struct RunInfo {
    pub(crate) product: String,
    #[serde(default)]
    pub(crate) browser_version: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) processor: String,
    /// The revision of upstream's tests.
    #[serde(default)]
    pub(crate) revision: String,
}

impl RunInfo {
    pub(crate) fn new(product: &str, browser_version: &str, revision: &str) -> Self {
        Self {
            product: product.to_owned(),
            browser_version: browser_version.to_owned(),
            os: std::env::consts::OS.to_owned(),
            processor: std::env::consts::ARCH.to_owned(),
            revision: revision.to_owned(),
        }
    }
}

/// One test in a report.
#[derive(Deserialize, Serialize)]
pub(crate) struct ReportedTest {
    pub(crate) test: String,
    pub(crate) status: Status,
    pub(crate) message: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    pub(crate) duration: u64,
    pub(crate) subtests: Vec<SubtestResult>,
}

impl ReportedTest {
    pub(crate) fn new(test: &Test, result: &TestResult) -> Self {
        Self {
            test: test.id.clone(),
            status: result.status,
            message: result.message.clone(),
            duration: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            subtests: result.subtests.clone(),
        }
    }
}

impl Report {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("{} is not a report: {error}", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<(), String> {
        let written = serde_json::to_string_pretty(self)
            .map_err(std::io::Error::from)
            .and_then(|text| fs::write(file, text + "\n"));
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))
    }

    /// The tests by their names.
    pub(crate) fn by_name(&self) -> BTreeMap<&str, &ReportedTest> {
        let tests = self.results.iter();
        tests.map(|test| (test.test.as_str(), test)).collect()
    }
}
