//! Deterministic simulation.
//!
//! The state machines of the three components (`sync_manager`, `sw_registration`, `net_monitor`)
//! run in a world of pages, workers, servers, links, a disk and clocks. One seed is one run: there
//! is one thread, no real time and no other chance than what comes from the seed, so a run that
//! fails can be had again, with an account of what happened.

mod clock;
mod context;
pub mod delivery;
mod model;
mod nodes;
mod random;
mod run;
mod settings;
mod sites;
mod trace;
mod user;

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

pub use model::Summary;

use crate::run::Simulation;
use crate::trace::Trace;

/// A run in which something was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed, with which it happens again.
    pub seed: u64,
    /// After how many steps.
    pub step: u64,
    /// What was wrong.
    pub what: String,
    /// The last things that happened.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(formatter, "{line}")?;
        }
        writeln!(
            formatter,
            "seed {}, step {}: {}",
            self.seed, self.step, self.what
        )?;
        write!(
            formatter,
            "again: cargo run -p simulation -- --from {} --seeds 1",
            self.seed
        )
    }
}

/// Run the world with this seed.
///
/// # Errors
///
/// When something was wrong; the run is made once more to tell what led to it.
pub fn run(seed: u64) -> Result<Summary, Box<Failure>> {
    run_once(seed, false).map_err(|failure| match run_once(seed, true) {
        Err(traced) if traced.what == failure.what && traced.step == failure.step => traced,
        other => Box::new(Failure {
            what: format!(
                "{}; but the second run ended with {:?}",
                failure.what,
                other.map_err(|other| other.what)
            ),
            ..*failure
        }),
    })
}

/// The last things that happen in the run with this seed, in words.
pub fn account(seed: u64) -> Vec<String> {
    let mut simulation = Simulation::new(seed, Trace::new(true));
    simulation.run();
    simulation.context.trace.into_lines()
}

fn run_once(seed: u64, traced: bool) -> Result<Summary, Box<Failure>> {
    let mut simulation = Simulation::new(seed, Trace::new(traced));
    let ended = panic::catch_unwind(AssertUnwindSafe(|| simulation.run()));
    let summary = simulation.summary();
    let violation = simulation.context.model.violation().map(str::to_owned);
    let what = match ended {
        Ok(()) => violation,
        Err(payload) => Some(message(&*payload)),
    };
    match what {
        None => Ok(summary),
        Some(what) => Err(Box::new(Failure {
            seed,
            step: summary.steps,
            what,
            trace: simulation.context.trace.into_lines(),
        })),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied());
    format!("a panic: {}", text.unwrap_or("without words"))
}
