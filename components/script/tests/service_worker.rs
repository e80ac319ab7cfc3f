//! Service workers: their threads, events and scripts.

mod client;
mod events;
mod host;
mod pages;
mod scripts;
