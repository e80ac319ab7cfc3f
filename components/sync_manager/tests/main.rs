//! What a page, a service worker and an operator see of the sync manager.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod describe;
mod periodic_support;
mod support;

mod attempts;
mod bounds;
mod connectivity;
mod diagram;
mod explaining;
mod holding;
mod periodic_attempts;
mod periodic_firing;
mod periodic_lasting;
mod periodic_model;
mod periodic_registering;
mod presets;
mod reachability;
mod registering;
mod removing;
mod restarting;
mod simulation;
mod table;
mod table_periodic;
mod thread;
mod thread_periodic;
