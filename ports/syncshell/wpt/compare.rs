//! The results of two browsers side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::driver::UNSUPPORTED;
use super::report::{Report, ReportedTest};
use super::result::{Status, SubtestResult};

/// Two reports, compared.
pub(crate) struct Comparison {
    /// What ran the tests.
    browsers: [String; 2],
    files: Vec<Row>,
    total: Row,
    differences: Vec<Difference>,
}

/// How much of a file passes.
struct Row {
    name: String,
    /// For each browser.
    figures: [String; 2],
    /// How many subtests need something that one of the browsers cannot be told to do.
    not_drivable: usize,
}

/// A subtest that does not end alike in the two.
struct Difference {
    test: String,
    subtest: String,
    statuses: [String; 2],
    /// What the one says that does not pass.
    message: String,
    is_drivable: bool,
}

impl Comparison {
    pub(crate) fn new(first: &Report, second: &Report) -> Self {
        let reports = [first, second];
        let tests = reports.map(Report::by_name);
        let names: BTreeSet<&str> = tests.iter().flat_map(BTreeMap::keys).copied().collect();
        let mut files = Vec::new();
        let mut differences = Vec::new();
        for name in names {
            let both = [0, 1].map(|index: usize| tests[index].get(name).copied());
            files.push(Row {
                name: name.to_owned(),
                figures: both.map(figure),
                not_drivable: not_drivable(&both),
            });
            if let [Some(first), Some(second)] = both {
                differences.extend(compare(first, second));
            }
        }
        let total = Row {
            name: "subtests passed".to_owned(),
            figures: [0, 1].map(|index: usize| total(&tests[index])),
            not_drivable: files.iter().map(|file| file.not_drivable).sum(),
        };
        Self {
            browsers: reports.map(browser),
            files,
            total,
            differences,
        }
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let heading = Row {
            name: String::new(),
            figures: self.browsers.clone(),
            not_drivable: 0,
        };
        let rows = || self.files.iter().chain([&self.total]);
        let width = |cell: fn(&Row) -> usize| rows().chain([&heading]).map(cell).max();
        let widths = [
            width(|row| row.name.len()),
            width(|row| row.figures[0].len()),
            width(|row| row.figures[1].len()),
        ];
        let [name, first, second] = widths.map(Option::unwrap_or_default);
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:name$}  {:>first$}  {:>second$}  cannot be driven",
            "", self.browsers[0], self.browsers[1]
        );
        for row in rows() {
            let _ = writeln!(
                text,
                "{:name$}  {:>first$}  {:>second$}  {:>16}",
                row.name,
                row.figures[0],
                row.figures[1],
                count(row.not_drivable)
            );
        }
        text.push_str("\nSubtests that do not end alike:\n");
        let mut test = "";
        for difference in &self.differences {
            if difference.test != test {
                test = &difference.test;
                let _ = writeln!(text, "\n{test}");
            }
            let [first, second] = &difference.statuses;
            let _ = writeln!(text, "  {first:<8} {second:<8} {}", difference.subtest);
            if !difference.message.is_empty() {
                let _ = writeln!(text, "  {:<17} {}", "", difference.message);
            }
        }
        text
    }

    /// For a document.
    pub(crate) fn markdown(&self) -> String {
        let [first, second] = &self.browsers;
        let mut text =
            format!("| Test | {first} | {second} | cannot be driven |\n|---|---|---|---|\n");
        for row in &self.files {
            let [first, second] = &row.figures;
            let not_drivable = count(row.not_drivable);
            let _ = writeln!(
                text,
                "| `{}` | {first} | {second} | {not_drivable} |",
                row.name
            );
        }
        let [passed, passed_too] = &self.total.figures;
        let _ = writeln!(
            text,
            "| **subtests passed** | **{passed}** | **{passed_too}** | {} |",
            self.total.not_drivable
        );
        let _ = write!(
            text,
            "\nSubtests that do not end alike, without those that cannot be driven:\n\n\
             | Test | Subtest | {first} | {second} | What is said |\n|---|---|---|---|---|\n"
        );
        for difference in self.differences.iter().filter(|it| it.is_drivable) {
            let [first, second] = &difference.statuses;
            let [subtest, message] = [&difference.subtest, &difference.message].map(|it| cell(it));
            let _ = writeln!(
                text,
                "| `{}` | {subtest} | {first} | {second} | {message} |",
                difference.test
            );
        }
        text
    }
}

fn browser(report: &Report) -> String {
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
fn figure(test: Option<&ReportedTest>) -> String {
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

fn count(number: usize) -> String {
    if number == 0 {
        String::new()
    } else {
        number.to_string()
    }
}

fn is_drivable(subtest: &SubtestResult) -> bool {
    let is_refused = |message: &String| message.contains(UNSUPPORTED);
    subtest.status == Status::Pass || !subtest.message.as_ref().is_some_and(is_refused)
}

fn not_drivable(tests: &[Option<&ReportedTest>; 2]) -> usize {
    let subtests = tests.iter().flatten().flat_map(|test| &test.subtests);
    let names: BTreeSet<&str> = subtests
        .filter(|subtest| !is_drivable(subtest))
        .map(|subtest| subtest.name.as_str())
        .collect();
    names.len()
}

/// The subtests with two statuses.
fn compare(first: &ReportedTest, second: &ReportedTest) -> Vec<Difference> {
    let subtests = [first, second].map(|test| {
        let subtests = test.subtests.iter();
        let by_name: BTreeMap<&str, &SubtestResult> =
            subtests.map(|it| (it.name.as_str(), it)).collect();
        by_name
    });
    let names: BTreeSet<&str> = subtests.iter().flat_map(BTreeMap::keys).copied().collect();
    let mut differences = Vec::new();
    for name in names {
        let both = [0, 1].map(|index: usize| subtests[index].get(name).copied());
        let statuses = both.map(|it| it.map(|it| it.status));
        if statuses[0] == statuses[1] {
            continue;
        }
        let failed = both.into_iter().flatten();
        let failed = failed.filter(|it| it.status != Status::Pass);
        let mut messages = failed.clone().filter_map(|it| it.message.as_deref());
        let message = messages.find_map(|it| it.lines().next());
        differences.push(Difference {
            test: first.test.clone(),
            subtest: name.replace('\n', " "),
            statuses: statuses.map(|it| it.map_or("missing".to_owned(), |it| it.to_string())),
            message: message.unwrap_or_default().to_owned(),
            is_drivable: failed.clone().all(is_drivable),
        });
    }
    differences
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::report::RunInfo;
    use super::*;

    type Subtests<'a> = &'a [(&'a str, Status, &'a str)];

    fn report(product: &str, tests: &[(&str, Status, Subtests<'_>)]) -> Report {
        let results = tests.iter().map(|(test, status, subtests)| ReportedTest {
            test: (*test).to_owned(),
            status: *status,
            message: None,
            duration: 1,
            subtests: subtests
                .iter()
                .map(|(name, status, message)| SubtestResult {
                    name: (*name).to_owned(),
                    status: *status,
                    message: Some((*message).to_owned()),
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

    fn comparison() -> Comparison {
        use Status::{Fail, Ok, Pass, Timeout};
        let refused = format!("Error: advance_time: {UNSUPPORTED}");
        let ours = report(
            "ours",
            &[
                (
                    "/a.html",
                    Ok,
                    &[("x", Pass, ""), ("y|z", Pass, ""), ("later", Pass, "")],
                ),
                ("/crash.html", Pass, &[]),
            ],
        );
        let theirs = report(
            "theirs",
            &[
                (
                    "/a.html",
                    Timeout,
                    &[
                        ("x", Pass, ""),
                        ("y|z", Fail, "1 | 2\nmore"),
                        ("later", Fail, &refused),
                    ],
                ),
                ("/b.html", Ok, &[("x", Pass, "")]),
            ],
        );
        Comparison::new(&ours, &theirs)
    }

    #[test]
    fn a_document_has_two_reports_side_by_side() {
        let text = comparison().markdown();
        for line in [
            "| Test | ours 1 | theirs 1 | cannot be driven |",
            "| `/a.html` | 3/3 | 1/3 TIMEOUT | 1 |",
            "| `/b.html` | not run | 1/1 |  |",
            "| `/crash.html` | PASS | not run |  |",
            "| **subtests passed** | **3/3** | **2/4** | 1 |",
            "| `/a.html` | y\\|z | PASS | FAIL | 1 \\| 2 |",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("| x |"), "it ends alike: {text}");
        assert!(!text.contains("| later |"), "it says nothing of a browser");
    }

    #[test]
    fn a_terminal_has_two_reports_side_by_side() {
        let text = comparison().text();
        for line in [
            "                  ours 1     theirs 1  cannot be driven",
            "/a.html              3/3  1/3 TIMEOUT                 1",
            "subtests passed      3/3          2/4                 1",
            "  PASS     FAIL     y|z",
            "                    1 | 2",
            "  PASS     FAIL     later",
        ] {
            assert!(
                text.lines().any(|it| it.trim_end() == line),
                "{line}\n{text}"
            );
        }
    }
}
