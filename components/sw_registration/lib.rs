//! Service worker registrations: the state machine behind [`sw_traits::SwRegistrationHandle`], and
//! the thread around it.
//!
//! - [`SwRegistrations`] is the state machine. It has no thread, clock, I/O, randomness or channel
//!   in it: requests of clients, reports of the worker host, loaded scripts and ended commits go in,
//!   [`Output`]s come out.
//! - [`SwRegistrationThread`] is the thread around it, for an embedder that wants one.
//!
//! # Where things are
//!
//! | module | holds |
//! |---|---|
//! | `scope_map` | the registration map and scope match |
//! | `jobs` | job queues, Register, Unregister |
//! | `update` | Update: loading, checks, byte-for-byte comparison |
//! | `script_checks` | what a main script and its headers must be |
//! | `lifecycle` | Install, Activate, Clear |
//! | `stored` | how a registration gets into the store |
//! | `workers` | starting and stopping workers, their events and time limits |
//! | `events` | functional events |
//! | `fetch` | requests that the worker of a client may answer |
//! | `clients` | clients and their requests |
//! | `control` | who controls which client |
//! | `worker_requests` | what only service workers ask for |
//! | `window_requests` | what they have done with windows |
//! | `records` | the format of what is stored |
//! | [`read`] | reading it |
//!
//! # What is durable when
//!
//! A worker becomes the waiting one when the batch with the registration and all its scripts is on
//! disk; if that fails, so does its installation. A worker becomes activated, and gets functional
//! events, when the batch that makes it the active one has ended. `unregister()` resolves, and the
//! others are notified, when the batch is on disk that removes the registration with its scripts and
//! its syncs. A stored worker that does not run has its scripts in the store alone.
//!
//! # A worker that hangs
//!
//! An event that is not over at its time limit is timed out. If no other event keeps the worker, or
//! if it has ended none since that one was dispatched, it is terminated. In the second case the
//! other functional events that it has are handed out again, in their order and with all their
//! time, as soon as the worker runs again: only the event that it hung in is timed out. So a
//! functional event reaches its listener at least once, and may do so again. Messages and `fetch`
//! events are not handed out again.
//!
//! # Requests of clients
//!
//! A client asks with [`SwClientHandle::fetch`](sw_traits::SwClientHandle::fetch) before its engine
//! asks the network, and has the answer once: a response, a network error, or that the network is to
//! be asked. Who controls the client decides who sees the request, and nothing in the request does.
//! Every rule of Handle Fetch is kept here, also what a worker may answer, so that an engine has only
//! to carry out the answer: if it says so, fetch over the network, and meanwhile what is preloaded.
//! Nobody waits on a thread. A document or worker is asked for by the client that it will be, which
//! is attached before; its URL is matched then, and again when its load is redirected.
//!
//! # Workers that are idle
//!
//! A worker without events is stopped after `idle_limit`, or before that when more than
//! `max_idle_workers` are idle: then those that have been so for longest. One that has an event, or
//! is being started, is never stopped for this. So what many registrations take that have something
//! to do at the same time is bounded by how many events are dispatched at once, and by this limit.
//!
//! # What a site cannot let grow
//!
//! [`SwPolicy`] bounds, for each origin, its registrations, unfinished requests, running workers and
//! the bytes of their scripts, and for each worker its events and scripts. What goes beyond that is
//! refused with a `QuotaExceededError`, or does not start. URLs, the value of the navigation preload
//! header and the event types that a worker is known to listen to have limits as well, because they
//! are stored.
//!
//! # The state machine without the thread
//!
//! An engine with an event loop of its own calls it like this. The contract is: hand over one
//! input, then take outputs until there are none, then the next input.
//!
//! ```
//! use base::StorageKey;
//! use base::ids::{ClientId, RequestId};
//! use base::time::Timestamp;
//! use sw_registration::{Output, SwPolicy, SwRegistrations};
//! use sw_traits::{ClientDescription, ClientKind, SwClientEvent, SwRequest};
//! use url::Url;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let page = Url::parse("https://example.org/mail/")?;
//! let storage_key = StorageKey::from_url(&page)?;
//! let id = ClientId::random();
//! let client = ClientDescription::new(id, storage_key, page.clone(), ClientKind::Window);
//! let register = SwRequest::Register {
//!     scope: None,
//!     script_url: page.join("worker.js")?,
//!     worker_type: Default::default(),
//!     update_via_cache: Default::default(),
//! };
//!
//! let now = Timestamp::default();
//! let mut machine = SwRegistrations::new(SwPolicy::default(), now, Vec::new());
//! let mut to_load = Vec::new();
//! // What comes from the engine's event queue.
//! let inputs: [&dyn Fn(&mut SwRegistrations); 2] = [
//!     &|machine| machine.handle_attach_client(now, client.clone()),
//!     &|machine| machine.handle_request(now, client.id, RequestId(1), register.clone()),
//! ];
//! for input in inputs {
//!     input(&mut machine);
//!     while let Some(output) = machine.poll_output() {
//!         match output {
//!             // Hand it to the page; here, the controller that it does not have.
//!             Output::ToClient { event, .. } => {
//!                 assert!(matches!(event, SwClientEvent::ControllerChanged { .. }));
//!             }
//!             // Start to load it; `handle_script_loaded` is called when that ends.
//!             Output::LoadScript { load, request } => to_load.push((load, request.url)),
//!             // Pass on `Notify`; carry out `StartWorker`, `Commit` and the others likewise.
//!             _ => {}
//!         }
//!     }
//!     // Wait for the next input, but no longer than this, and call `handle_timeout` then.
//!     let _ = machine.poll_deadline().after(now);
//! }
//! assert_eq!(to_load.len(), 1);
//! # Ok(())
//! # }
//! ```

mod clients;
mod control;
mod events;
mod fetch;
mod jobs;
mod lifecycle;
mod machine;
mod model;
mod output;
mod policy;
pub mod read;
mod records;
mod scope_map;
mod script_checks;
mod stored;
mod thread;
mod timers;
mod update;
mod window_requests;
mod worker_requests;
mod workers;

pub use machine::SwRegistrations;
pub use output::{Output, ScriptsPlace, WorkerStart};
pub use policy::SwPolicy;
pub use records::StoredRegistration;
pub use thread::{StartError, SwRegistrationConfig, SwRegistrationThread};
