//! A headless shell that runs web sites with Background Sync, on the components of this workspace
//! and QuickJS.
//!
//! `syncshell demo` shows the main job; `syncshell open` runs a site, or what a profile holds;
//! `syncshell inspect` shows a profile, `syncshell net` the network, `syncshell wpt` runs Web Platform Tests. QuickJS is C under the page's control: the shell is for
//! testing sites, it is no sandbox for hostile ones.

mod clock;
mod command;
mod demo;
mod embedding;
mod inspect;
mod mail_server;
mod net;
mod open;
mod report;
mod why;
mod wpt;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::AnsiColor;
use clap::{Args, Parser, Subcommand};
use url::Url;

pub use net::NetworkReport;
pub use report::ShellEvent;
pub use why::{Answer, Hold, PastEvent};

use crate::command::{Decision, parse_duration};
use crate::report::Format;
use crate::wpt::{EngineArguments, WptArguments, WptTestArguments};

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
    /// While it runs it takes commands on its standard input, one a line: offline and
    /// online (with a SCOPE: of that service worker alone), eval SCRIPT (in the newest page), open URL (one more page), close (all pages), status (what
    /// each sync waits for), why TAG (what holds a sync back, and what would release it),
    /// grant NAME and deny NAME (permissions, with an ORIGIN: of that site), advance DURATION (move the clock,
    /// as 12h or 7days), quit. The exit status is 0 only when nothing failed: no page
    /// that could not be loaded or came with an error status, no uncaught error in a script, no
    /// exception of eval, no sync that was dropped.
    Open(Box<OpenArguments>),
    /// Show what the network is like, and each change, until SIGINT, SIGTERM or the line quit
    Net(NetArguments),
    /// Show the registrations, syncs and event log of a profile on which no engine runs
    Inspect {
        /// The profile folder
        #[arg(long, value_name = "DIR")]
        profile: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Run Web Platform Tests, and compare with what is expected of them
    Wpt(Box<WptArguments>),
    /// Run one Web Platform Test, and print its result as one line of JSON
    #[command(hide = true)]
    WptTest(WptTestArguments),
    /// The engine of one Web Platform Test
    #[command(hide = true)]
    WptEngine(EngineArguments),
}

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
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
    /// Grant a permission: background-sync or periodic-background-sync. Without an origin, to that
    /// of the page, or when there is none, of all sites of the profile
    #[arg(long, value_name = "NAME[=ORIGIN]", value_parser = |text: &str| permission(true, text))]
    grant: Vec<Decision>,
    /// Deny a permission
    #[arg(long, value_name = "NAME[=ORIGIN]", value_parser = |text: &str| permission(false, text))]
    deny: Vec<Decision>,
    /// Start with the clock this much ahead, as 12h or 7days
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    advance: Option<Duration>,
    /// Find out a network whose users have to log in first: where getting this http URL does not
    /// give status 204, nothing fires
    #[arg(long, value_name = "URL", value_parser = captive_portal_url)]
    captive_portal_check: Option<Url>,
    /// Let service workers open and focus windows at any time, as if the user had just clicked on
    /// something of the site. Without it, both are refused
    #[arg(long)]
    user_activation: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// End when no sync is left to do; with a page, not before one was registered. A periodic sync
    /// whose time has not come is not left to do
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

#[derive(Args)]
struct NetArguments {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Show what is so now, and end
    #[arg(long)]
    once: bool,
    /// Find out a network whose users have to log in first: where getting this http URL does not
    /// give status 204
    #[arg(long, value_name = "URL", value_parser = captive_portal_url)]
    captive_portal_check: Option<Url>,
}

fn page_url(text: &str) -> Result<Url, String> {
    let hint = "a page has a URL like http://localhost:8000/";
    let url = Url::parse(text).map_err(|error| format!("\"{text}\": {error}; {hint}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("\"{text}\" has the scheme {scheme}; {hint}")),
    }
}

fn captive_portal_url(text: &str) -> Result<Url, String> {
    let url = page_url(text)?;
    match url.scheme() {
        "http" => Ok(url),
        _ => Err(format!(
            "\"{text}\" is encrypted, so nobody else can answer it; use an http URL"
        )),
    }
}

fn permission(granted: bool, text: &str) -> Result<Decision, String> {
    match text.split_once('=') {
        Some((name, origin)) => Decision::new(granted, name, Some(origin)),
        None => Decision::new(granted, text, None),
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
        CliCommand::Open(arguments) => return open::run(*arguments),
        CliCommand::Net(arguments) => net::run(&arguments),
        CliCommand::Inspect { profile, json } => {
            inspect::run(&profile, if json { Format::Json } else { Format::Text })
        }
        CliCommand::Wpt(arguments) => match wpt::run(&arguments) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        CliCommand::WptTest(arguments) => wpt::run_test(arguments),
        CliCommand::WptEngine(arguments) => wpt::run_engine(arguments),
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
