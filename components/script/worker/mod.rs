//! Workers: threads that run a script of their own, with an engine of their own.
//!
//! - `thread`: a worker's thread, seen from outside;
//! - `agent`: what is on it: engine, realm, event loop, and the order in which they go;
//! - `scripts`: `importScripts()`, and waiting for what is fetched;
//! - `global_scope`: dedicated and shared workers, from their script to their end;
//! - `owner`: the workers that a window or worker has started, and what it hears of them;
//! - `shared`: the shared workers of the engine.
//!
//! Service workers are such threads too: see [`crate::service_worker`].

pub(crate) mod agent;
pub(crate) mod global_scope;
pub(crate) mod owner;
pub(crate) mod scripts;
pub(crate) mod shared;
pub(crate) mod thread;
