//! What a run tells while it goes on, and at its end.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write as _};
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::expectations::Difference;
use super::result::{Status, TestResult};
use super::suite::Test;
use crate::report::printable;

/// How many lines of what the engine said are shown with an unexpected result.
const SHOWN_LINES: usize = 12;

/// Tells how far a run is: on a terminal with a bar, else with a line for each test.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    verbose: bool,
    total: usize,
}

impl Progress {
    pub(crate) fn new(total: usize, verbose: bool) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let target = if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            bar,
            is_terminal,
            verbose,
            total,
        }
    }

    pub(crate) fn started(&self, test: &Test) {
        self.bar.set_message(test.id.clone());
    }

    /// A test has ended. The differences are from what was expected.
    pub(crate) fn ended(
        &self,
        test: &Test,
        result: &TestResult,
        differences: &[Difference],
    ) -> io::Result<()> {
        self.bar.inc(1);
        let place = format!("[{}/{}]", self.bar.position(), self.total);
        self.bar.suspend(|| {
            let mut output = anstream::stdout().lock();
            if !self.is_terminal || self.verbose {
                writeln!(output, "{place:>9} {}", line(test, result))?;
            }
            if differences.is_empty() {
                return output.flush();
            }
            let bold = Style::new().bold();
            writeln!(output, "{bold}{}{bold:#}", test.id)?;
            for difference in differences {
                tell_difference(&mut output, difference)?;
            }
            let is_unclear = matches!(
                result.status,
                Status::Crash | Status::Error | Status::Timeout
            );
            if is_unclear || self.verbose {
                let skipped = result.log.len().saturating_sub(SHOWN_LINES);
                for line in &result.log[skipped..] {
                    writeln!(output, "    | {}", printable(line))?;
                }
            }
            output.flush()
        })
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(test: &Test, result: &TestResult) -> String {
    let subtests = match result.subtests.len() {
        0 => String::new(),
        total => format!("{}/{total}", result.passed()),
    };
    format!(
        "{:<8}{subtests:>8} {:>6.2} s  {}",
        result.status,
        result.duration.as_secs_f64(),
        test.id
    )
}

fn tell_difference(output: &mut impl io::Write, difference: &Difference) -> io::Result<()> {
    let color = if difference.actual.is_good() {
        AnsiColor::Green
    } else {
        AnsiColor::Red
    };
    let style = color.on_default();
    let expected: Vec<String> = difference.expected.iter().map(Status::to_string).collect();
    let name = difference.subtest.as_deref().unwrap_or("the file itself");
    writeln!(
        output,
        "  {style}{}{style:#} (expected {})  {}",
        difference.actual,
        expected.join(" or "),
        printable(name)
    )?;
    for line in difference
        .message
        .iter()
        .flat_map(|message| message.lines())
    {
        writeln!(output, "    {}", printable(line))?;
    }
    Ok(())
}

/// Tell which tests have expectations that do not say why.
pub(crate) fn tell_unexplained<'a>(
    tests: impl Iterator<Item = (&'a Path, &'a str)>,
) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    for (file, test) in tests {
        let file = file.display();
        writeln!(
            output,
            "{file}: an expectation of {test} has no bug that says why"
        )?;
    }
    output.flush()
}

/// How often each status came, and what of it was not expected.
#[derive(Default)]
pub(crate) struct Summary {
    tests: BTreeMap<Status, usize>,
    subtests: BTreeMap<Status, usize>,
    /// Unexpected results, of files and subtests.
    pub(crate) unexpected: usize,
}

impl Summary {
    pub(crate) fn add(&mut self, result: &TestResult, differences: &[Difference]) {
        *self.tests.entry(result.status).or_default() += 1;
        for subtest in &result.subtests {
            *self.subtests.entry(subtest.status).or_default() += 1;
        }
        self.unexpected += differences.len();
    }

    pub(crate) fn tell(&self, duration: Duration) -> io::Result<()> {
        let mut output = anstream::stdout().lock();
        let [files, subtests] = [&self.tests, &self.subtests].map(counts);
        writeln!(output, "\nfiles:    {files}")?;
        writeln!(output, "subtests: {subtests}")?;
        let (style, unexpected) = match self.unexpected {
            0 => (AnsiColor::Green.on_default(), "all as expected".to_owned()),
            number => (
                AnsiColor::Red.on_default().bold(),
                format!("{number} unexpected result(s)"),
            ),
        };
        writeln!(
            output,
            "{style}{unexpected}{style:#}, {:.1} s",
            duration.as_secs_f64()
        )?;
        output.flush()
    }
}

fn counts(statuses: &BTreeMap<Status, usize>) -> String {
    let total: usize = statuses.values().sum();
    let parts: Vec<String> = statuses
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    match parts.len() {
        0 | 1 => format!(
            "{total}{}",
            parts
                .first()
                .map_or("", |part| { part.trim_start_matches(char::is_numeric) })
        ),
        _ => format!("{total}: {}", parts.join(", ")),
    }
}
