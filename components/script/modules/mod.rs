//! Module scripts: the module map of a realm, fetching what modules import, running them.
//!
//! - `map`: the module map, and what of a graph is still missing;
//! - `script`: one module script;
//! - `fetch`: graphs over the network, without waiting;
//! - `run`: linking, running, and what the engine asks for on the way;
//! - `dynamic`: `import()`.
//!
//! A service worker gets its graph with [`load_graph`], which waits in the middle of a task as
//! `importScripts` does; windows and other workers with [`fetch_graph`]. There are no import maps,
//! and no modules other than JavaScript.

mod dynamic;
mod fetch;
mod map;
mod run;
mod script;

pub(crate) use self::dynamic::{import_dynamically, is_stand_in};
pub(crate) use self::fetch::{ModuleSource, fetch_graph, fetch_inline_graph, load_graph};
pub(crate) use self::map::Wanted;
pub(crate) use self::run::{name_for_engine, requested_by_engine, run, run_and_report};
pub(crate) use self::script::{FetchOptions, url_of_script};
