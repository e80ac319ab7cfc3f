//! Service workers: their threads, events and scripts.

mod caches;
mod client;
pub(crate) mod events;
pub(crate) mod host;
mod modules;
mod network;
mod pages;
mod periodic;
mod permissions;
mod scripts;
mod windows;
