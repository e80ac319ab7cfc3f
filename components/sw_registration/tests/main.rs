//! What a page, another component or an operator sees of the registrations.

#![allow(unreachable_pub, reason = "nothing reaches a test")]
#![allow(clippy::unwrap_used, reason = "a test fails where it fails")]

mod bounds;
mod chaos;
mod clearing;
mod client_kinds;
mod clients;
mod component;
mod fetching;
mod isolation;
mod lifecycle;
mod registering;
mod storing;
mod support;
mod table;
mod thread;
mod unregistering;
mod updating;
mod window_requests;
mod workers;
