//! What a page, a service worker and an operator see of the sync manager.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

mod attempts;
mod connectivity;
mod holding;
mod registering;
mod removing;
mod restarting;
mod simulation;
mod table;
mod thread;
