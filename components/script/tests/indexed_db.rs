//! IndexedDB as pages and workers use it, on the real component and store.

mod cursors;
mod errors;
mod host;
mod indexes;
mod keys;
mod libraries;
mod transactions;
mod upgrades;
mod values;
