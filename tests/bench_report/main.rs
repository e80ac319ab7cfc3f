//! Reads what the benchmarks measured, and makes one table and plots of it.
//!
//! Usage: `bench_report RESULTS REPORT`, with the folder that holds the results and the folder into
//! which the report goes. `tests/bench` knows them.

#![expect(
    clippy::format_push_string,
    reason = "a report is short, and is read more often than written"
)]

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod comparisons;
mod figures;
mod plots;
mod table;
mod units;

use figures::Figures;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_error(&*error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [results, report] = &arguments[..] else {
        return Err("usage: bench_report RESULTS REPORT".into());
    };
    let figures = Figures::read(results)?;
    fs::create_dir_all(report)?;
    let text = text(&figures, results);
    fs::write(report.join("README.md"), &text)?;
    for plot in plots::PLOTS {
        plot.draw(&figures, report)?;
    }
    tell(&text)?;
    Ok(())
}

fn text(figures: &Figures, folder: &Path) -> String {
    let mut text = String::from(
        "# What was measured\n\nMade by `tests/bench`, in one run on one machine. Each figure stands \
         beside its limit or its peer, measured in the same run on the same disk, and what counts is \
         the ratio: machines differ, and the same one differs from hour to hour. Times are medians \
         unless another quantile is named.\n\n",
    );
    for (name, fact) in bench_support::machine::facts(folder) {
        text.push_str(&format!("- {name}: {fact}\n"));
    }
    text.push_str("\n## Against the aims\n\n");
    text.push_str(&table::comparisons(figures));
    text.push_str("\n## Other stores doing the same durable work\n\n");
    text.push_str(&table::contestants(figures, "durable commit"));
    text.push_str("\n## Curves\n");
    for plot in plots::PLOTS {
        if plot.has_data(figures) {
            text.push_str(&format!("\n![{}]({})\n", plot.title, plot.file));
        }
    }
    text.push_str("\n## Every figure\n\n");
    text.push_str(&table::everything(figures));
    text
}

fn tell(text: &str) -> io::Result<()> {
    use io::Write;
    io::stdout().write_all(text.as_bytes())
}

#[expect(clippy::print_stderr, reason = "this is where a program tells errors")]
fn tell_error(error: &dyn Error) {
    eprintln!("error: {error}");
}
