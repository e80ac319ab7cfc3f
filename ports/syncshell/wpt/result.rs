//! How tests end.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a test or subtest ended, in the words of wptrunner.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// A file of tests ran to its end.
    Ok,
    /// A subtest or crash test passed.
    Pass,
    /// A subtest failed.
    Fail,
    /// A file of tests could not be run.
    Error,
    /// It took too long.
    Timeout,
    /// A subtest did not get its turn.
    NotRun,
    /// The engine's process ended.
    Crash,
    /// What the test needs is not there.
    #[serde(rename = "PRECONDITION_FAILED")]
    PreconditionFailed,
    /// It was not to be run.
    Skip,
}

impl Status {
    pub(crate) const ALL: [Self; 9] = [
        Self::Ok,
        Self::Pass,
        Self::Fail,
        Self::Error,
        Self::Timeout,
        Self::NotRun,
        Self::Crash,
        Self::PreconditionFailed,
        Self::Skip,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Error => "ERROR",
            Self::Timeout => "TIMEOUT",
            Self::NotRun => "NOTRUN",
            Self::Crash => "CRASH",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::Skip => "SKIP",
        }
    }

    /// The status of a file, as testharness.js counts them.
    fn of_file(number: u64) -> Self {
        match number {
            0 => Self::Ok,
            2 => Self::Timeout,
            3 => Self::PreconditionFailed,
            _ => Self::Error,
        }
    }

    /// The status of a subtest, as testharness.js counts them.
    fn of_subtest(number: u64) -> Self {
        match number {
            0 => Self::Pass,
            2 => Self::Timeout,
            3 => Self::NotRun,
            4 => Self::PreconditionFailed,
            _ => Self::Fail,
        }
    }

    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Ok | Self::Pass)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("\"{text}\" is not a status of a test"))
    }
}

/// How one subtest ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct SubtestResult {
    /// Its name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) status: Status,
    /// What was wrong.
    pub(crate) message: Option<String>,
}

/// How one test file, in one of its scopes and variants, ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct TestResult {
    /// How it ended.
    pub(crate) status: Status,
    /// What was wrong.
    pub(crate) message: Option<String>,
    /// Its subtests, in the order of their definition.
    pub(crate) subtests: Vec<SubtestResult>,
    /// What the engine and the console said meanwhile; the last lines of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub(crate) duration: Duration,
}

impl TestResult {
    /// A result without subtests.
    pub(crate) fn new(status: Status, message: Option<String>) -> Self {
        Self {
            status,
            message,
            subtests: Vec::new(),
            log: Vec::new(),
            duration: Duration::ZERO,
        }
    }

    pub(crate) fn error(message: impl Into<String>) -> Self {
        Self::new(Status::Error, Some(message.into()))
    }

    /// How many subtests passed.
    pub(crate) fn passed(&self) -> usize {
        let passed = |subtest: &&SubtestResult| subtest.status == Status::Pass;
        self.subtests.iter().filter(passed).count()
    }
}

/// What testharness.js reports when a file of tests is done.
#[derive(Deserialize)]
pub(crate) struct HarnessReport {
    status: u64,
    message: Option<String>,
    subtests: Vec<HarnessSubtest>,
}

#[derive(Deserialize)]
pub(crate) struct HarnessSubtest {
    name: String,
    status: u64,
    message: Option<String>,
}

impl From<HarnessSubtest> for SubtestResult {
    fn from(subtest: HarnessSubtest) -> Self {
        Self {
            name: subtest.name,
            status: Status::of_subtest(subtest.status),
            message: subtest.message,
        }
    }
}

impl From<HarnessReport> for TestResult {
    fn from(report: HarnessReport) -> Self {
        let subtests = report.subtests.into_iter().map(SubtestResult::from);
        Self {
            subtests: subtests.collect(),
            ..Self::new(Status::of_file(report.status), report.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_harness_reports_is_read() {
        let report: HarnessReport = serde_json::from_str(
            r#"{"status": 2, "message": null, "stack": null, "subtests": [
                {"name": "a", "status": 0, "message": null, "stack": null},
                {"name": "b", "status": 1, "message": "no", "stack": "x"},
                {"name": "c", "status": 3, "message": null}]}"#,
        )
        .unwrap();
        let result = TestResult::from(report);
        assert_eq!(result.status, Status::Timeout);
        let statuses: Vec<Status> = result.subtests.iter().map(|it| it.status).collect();
        assert_eq!(statuses, [Status::Pass, Status::Fail, Status::NotRun]);
        assert_eq!(result.passed(), 1);
    }

    #[test]
    fn each_status_is_written_as_it_is_read() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(json, format!("\"{status}\""));
        }
        assert!("ok".parse::<Status>().is_err());
    }
}
