//! The results of two browsers side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::report::{Report, ReportedTest};
use super::result::Status;

/// A Markdown document that compares two reports.
pub(crate) fn compare(first: &Report, second: &Report) -> String {
    let names = [name(first), name(second)];
    let [first, second] = [first.by_name(), second.by_name()];
    let tests: BTreeSet<&str> = first.keys().chain(second.keys()).copied().collect();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "| Test | {} | {} |\n|---|---|---|",
        names[0], names[1]
    );
    for test in &tests {
        let _ = writeln!(
            text,
            "| `{test}` | {} | {} |",
            figure(first.get(test)),
            figure(second.get(test))
        );
    }
    let _ = writeln!(
        text,
        "| **subtests passed** | **{}** | **{}** |",
        total(&first),
        total(&second)
    );
    let _ = writeln!(
        text,
        "\nSubtests that do not end alike:\n\n| Test | Subtest | {} | {} |\n|---|---|---|---|",
        names[0], names[1]
    );
    for test in tests {
        let (Some(first), Some(second)) = (first.get(test), second.get(test)) else {
            continue;
        };
        for difference in differences(first, second) {
            let _ = writeln!(text, "| `{test}` | {difference} |");
        }
    }
    text
}

fn name(report: &Report) -> String {
    let info = &report.run_info;
    format!("{} {}", info.product, info.browser_version)
        .trim()
        .to_owned()
}

fn passed(test: &ReportedTest) -> usize {
    let subtests = test.subtests.iter();
    subtests.filter(|it| it.status == Status::Pass).count()
}

/// How much of a test passes, and how it ended where that is not well.
fn figure(test: Option<&&ReportedTest>) -> String {
    let Some(test) = test else {
        return "not run".to_owned();
    };
    let figure = format!("{}/{}", passed(test), test.subtests.len());
    match (test.status.is_good(), test.subtests.is_empty()) {
        (true, true) => test.status.to_string(),
        (true, false) => figure,
        (false, _) => format!("{figure} {}", test.status),
    }
}

fn total(tests: &BTreeMap<&str, &ReportedTest>) -> String {
    let passed: usize = tests.values().map(|test| passed(test)).sum();
    let all: usize = tests.values().map(|test| test.subtests.len()).sum();
    format!("{passed}/{all}")
}

/// The cells of a row for each subtest with two statuses, and what one of the two says.
fn differences(first: &ReportedTest, second: &ReportedTest) -> Vec<String> {
    let statuses = |test: &ReportedTest| -> BTreeMap<String, Status> {
        let subtests = test.subtests.iter();
        subtests.map(|it| (it.name.clone(), it.status)).collect()
    };
    let [first, second] = [statuses(first), statuses(second)];
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let cell = |status: Option<&Status>| status.map_or("missing".to_owned(), Status::to_string);
    names
        .into_iter()
        .filter(|name| first.get(*name) != second.get(*name))
        .map(|name| {
            let [a, b] = [cell(first.get(name)), cell(second.get(name))];
            format!(
                "{} | {a} | {b}",
                name.replace('|', "\\|").replace('\n', " ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::RunInfo;
    use super::super::result::SubtestResult;
    use super::*;

    type Subtests<'a> = &'a [(&'a str, Status)];

    fn report(product: &str, tests: &[(&str, Status, Subtests<'_>)]) -> Report {
        let results = tests.iter().map(|(test, status, subtests)| ReportedTest {
            test: (*test).to_owned(),
            status: *status,
            message: None,
            duration: 1,
            subtests: subtests
                .iter()
                .map(|(name, status)| SubtestResult {
                    name: (*name).to_owned(),
                    status: *status,
                    message: None,
                })
                .collect(),
        });
        Report {
            run_info: RunInfo::new(product, "1", ""),
            time_start: 0,
            time_end: 1,
            results: results.collect(),
        }
    }

    #[test]
    fn two_reports_stand_side_by_side() {
        use Status::{Fail, Ok, Pass, Timeout};
        let ours = report(
            "ours",
            &[
                ("/a.html", Ok, &[("x", Pass), ("y|z", Pass)]),
                ("/crash.html", Pass, &[]),
            ],
        );
        let theirs = report(
            "theirs",
            &[
                ("/a.html", Timeout, &[("x", Pass), ("y|z", Fail)]),
                ("/b.html", Ok, &[("x", Pass)]),
            ],
        );
        let text = compare(&ours, &theirs);
        for line in [
            "| Test | ours 1 | theirs 1 |",
            "| `/a.html` | 2/2 | 1/2 TIMEOUT |",
            "| `/b.html` | not run | 1/1 |",
            "| `/crash.html` | PASS | not run |",
            "| **subtests passed** | **2/2** | **2/3** |",
            "| `/a.html` | y\\|z | PASS | FAIL |",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("| x |"));
    }
}
