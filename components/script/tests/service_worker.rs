//! Service workers: their threads, events and scripts.

mod client;
pub(crate) mod events;
pub(crate) mod host;
mod modules;
mod network;
mod pages;
mod periodic;
mod permissions;
mod scripts;
