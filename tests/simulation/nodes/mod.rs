//! The parts of the world. Three of them are the threads of the components around the real state
//! machines; the others stand for what is around the engine.

pub(crate) mod disk;
pub(crate) mod host;
pub(crate) mod internet;
pub(crate) mod monitor;
pub(crate) mod pages;
pub(crate) mod service_workers;
pub(crate) mod store;
pub(crate) mod sync;
