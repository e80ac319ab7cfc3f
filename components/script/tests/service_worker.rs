//! Service workers: their threads, events and scripts.

mod caches;
mod client;
pub(crate) mod events;
mod fetching;
pub(crate) mod host;
mod modules;
mod network;
mod pages;
mod periodic;
mod permissions;
mod scripts;
mod windows;
