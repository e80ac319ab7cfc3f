//! Service workers: their threads, events and scripts.

mod client;
mod events;
mod host;
mod network;
mod pages;
mod periodic;
mod permissions;
mod scripts;
