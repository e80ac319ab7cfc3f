//! A headless shell that runs web sites with Background Sync, on the components of this workspace
//! and QuickJS.
//!
//! `syncshell demo` shows the main job; `syncshell open` runs a site, or what a profile holds;
//! `syncshell inspect` shows a profile. QuickJS is C under the page's control: the shell is for
//! testing sites, it is no sandbox for hostile ones.

mod clock;
mod command;
mod demo;
mod inspect;
mod mail_server;
mod open;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::AnsiColor;
use clap::{Args, Parser, Subcommand};
use url::Url;

pub use report::ShellEvent;

use crate::report::Format;

/// Run web sites with Background Sync: offline, online, closed and killed.
#[derive(Parser)]
#[command(name = "syncshell", version)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
enum CliCommand {
    /// Show the main job: mails written offline are delivered after the engine was killed
    Demo {
        /// Keep the profile in this folder instead of a temporary one
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
    /// Run a site until SIGINT or SIGTERM; without a URL, run what the profile holds
    ///
    /// While it runs it takes commands on its standard input, one a line: offline, online,
    /// eval SCRIPT (in the newest page), open URL (one more page), close (all pages), status (what
    /// each sync waits for), quit. The exit status is 0 only when nothing failed: no page
    /// that could not be loaded or came with an error status, no uncaught error in a script, no
    /// exception of eval, no sync that was dropped.
    Open(OpenArguments),
    /// Show the registrations, syncs and event log of a profile on which no engine runs
    Inspect {
        /// The profile folder
        #[arg(long, value_name = "DIR")]
        profile: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct OpenArguments {
    /// The page to open
    #[arg(value_parser = page_url)]
    url: Option<Url>,
    /// Keep the profile in this folder; without it, it is kept in memory
    #[arg(long, value_name = "DIR")]
    profile: Option<PathBuf>,
    /// Cut the network (emulated): as soon as the page has loaded and its service worker is
    /// active, or from the start when there is no page
    #[arg(long)]
    offline: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// End when no sync is left to do; with a page, not before one was registered
    #[arg(long)]
    exit_when_done: bool,
    /// Stop a script that runs longer than this many seconds without a pause, and a service worker
    /// whose start takes longer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    script_time_limit: Duration,
    /// Trust the certificates in this PEM file too, for test servers with https
    #[arg(long, value_name = "FILE")]
    trust_certificate: Option<PathBuf>,
}

fn page_url(text: &str) -> Result<Url, String> {
    let hint = "a page has a URL like http://localhost:8000/";
    let url = Url::parse(text).map_err(|error| format!("\"{text}\": {error}; {hint}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("\"{text}\" has the scheme {scheme}; {hint}")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not a number"))?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("\"{text}\" is not a positive number of seconds"))
}

/// The program: read the command line, do what it says.
pub fn run() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let result = match Cli::parse().command {
        CliCommand::Demo { keep } => demo::run(keep).map_err(|error| error.to_string()),
        CliCommand::Open(arguments) => return open::run(arguments),
        CliCommand::Inspect { profile, json } => {
            inspect::run(&profile, if json { Format::Json } else { Format::Text })
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let bad = AnsiColor::Red.on_default().bold();
            anstream::eprintln!("{bad}error:{bad:#} {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_no_page_has_an_error_that_shows_one() {
        for text in ["localhost", "ftp://example.org/", "/index.html"] {
            assert!(
                page_url(text)
                    .unwrap_err()
                    .contains("http://localhost:8000/"),
                "{text}"
            );
        }
        assert!(page_url("https://example.org/").is_ok());
        for text in ["0", "-1", "x", "NaN", "inf"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
    }
}
