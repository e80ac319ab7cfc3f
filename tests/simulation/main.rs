//! Runs as many seeds as one likes, or compares delivery under bad networks.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use simulation::{Summary, delivery};

/// Deterministic simulation of the engine's components.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many seeds are run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare delivery under bad networks: writes delivery.md and delivery.svg into a folder.
    Delivery {
        /// The folder, which is created if it is not there.
        folder: PathBuf,
        /// How many days each run takes.
        #[arg(long, default_value_t = 7)]
        days: u32,
        /// How many runs there are of each kind of network.
        #[arg(long, default_value_t = 5)]
        seeds: u64,
    },
}

#[expect(clippy::print_stdout, reason = "this is a program for people to read")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Some(Command::Delivery {
            folder,
            days,
            seeds,
        }) => compare(&folder, days, seeds),
        None => run(arguments.from, arguments.seeds),
    };
    match ended {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn run(from: u64, seeds: u64) -> Result<String, String> {
    let mut summary = Summary::default();
    for seed in from..from.saturating_add(seeds) {
        let of_run = simulation::run(seed).map_err(|failure| failure.to_string())?;
        summary = summary.and(of_run);
    }
    Ok(format!("{seeds} seeds: {summary:?}"))
}

fn compare(folder: &std::path::Path, days: u32, seeds: u64) -> Result<String, String> {
    let outcomes = delivery::compare(days, seeds);
    let table = delivery::markdown(&outcomes, days, seeds);
    let plot = delivery::svg(&outcomes)?;
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join("delivery.md"), &table))
        .and_then(|()| fs::write(folder.join("delivery.svg"), plot));
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(table)
}
