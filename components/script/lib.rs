//! Windows and worker global scopes on QuickJS.
//!
//! - [`bindings`]: the binding runtime, and how to add an interface;
//! - [`dom`]: the interfaces, one module each, named after them;
//! - [`event_loop`]: tasks from other threads, and timers.
//! - `cache_client`: a realm's way to the caches of its origin;
//! - [`indexed_database`]: what the platform objects of IndexedDB share.
//! - [`service_worker`]: the client side of service workers, and the threads on which they run;
//! - [`fetch`]: requests of scripts;
//! - [`user_agent`]: what windows and workers share among themselves: `messaging` (ports),
//!   `worker` (dedicated and shared workers), `blob_urls`.
//! - `modules`: module scripts;
//! - [`structured_clone`]: values as bytes, for other threads and for the store.
//! - [`window`]: windows, each on a thread of its own.
//!
//! This is the only crate in which JavaScript types occur.

mod base64;
mod blob_urls;
#[macro_use]
pub mod bindings;
mod cache_client;
pub mod dom;
pub mod dom_tree;
pub mod environment;
pub mod event_loop;
pub mod fetch;
pub mod indexed_database;
mod inspect;
mod messaging;
mod modules;
mod network_watch;
mod permission_watch;
pub mod service_worker;
pub mod services;
pub mod structured_clone;
pub mod user_agent;
mod watchdog;
pub mod window;
mod worker;

pub use event_loop::EventLoops;
pub use service_worker::ServiceWorkerThreads;
pub use services::{ScriptLimits, ScriptReport, ScriptSource, Services};
pub use user_agent::UserAgent;
pub use window::{ServiceWorkerWindows, WindowHandle, WindowOptions, open};
