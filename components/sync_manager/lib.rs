//! Background Sync: registrations, scheduling, retries, event log.
//!
//! <https://wicg.github.io/background-sync/spec/>
//!
//! [`SyncManager`] is a state machine without thread, clock, I/O, randomness or channel.
//! [`start`] puts it on a thread of its own, with the store, the network monitor and the service
//! worker registrations around it; an engine with an event loop of its own can drive it itself.
//!
//! # The run loop
//!
//! Whoever drives the machine tells it what happened (`handle_*`), and then does what it wants
//! until it wants nothing more ([`SyncManager::poll_output`]), before the next `handle_*`; a debug
//! assertion sees to that. If nothing happens until [`SyncManager::poll_deadline`], it is told so
//! with [`SyncManager::handle_time`].
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use base::ids::{ClientId, CommitId, EventId, RequestId};
//! use base::time::Timestamp;
//! use base::{DomString, StorageKey};
//! use network_traits::{LinkState, NetworkState};
//! use storage::{Store, StoreConfig};
//! use sw_traits::{EventOutcome, SwNotification};
//! use sync_manager::{Output, Requester, SyncKey, SyncManager, SyncPolicy, read};
//! use url::Url;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, _) = Store::open(StoreConfig::memory())?;
//! let now = Timestamp::default(); // from the embedder's clock, each time anew
//! let seed = 7;
//! let mut manager = SyncManager::new(SyncPolicy::default(), seed, read::recover(&store)?, now);
//!
//! // What can happen, as far as this example goes.
//! enum Input {
//!     ServiceWorker(SwNotification),
//!     Network(NetworkState),
//!     Register(SyncKey),
//!     Committed(CommitId, Result<(), String>),
//!     DispatchConfirmed(EventId),
//!     EventEnded(EventId),
//! }
//! let scope = Url::parse("https://example.org/")?;
//! let storage_key = StorageKey::from_url(&scope)?;
//! let online = NetworkState { link: LinkState::Routable, ..NetworkState::default() };
//! let tag = DomString::from("outbox");
//! // A page of a site with an active worker registers a tag while the machine is online.
//! let mut inputs = VecDeque::from([
//!     Input::Network(online.clone()),
//!     Input::ServiceWorker(SwNotification::Activated {
//!         storage_key: storage_key.clone(),
//!         scope: scope.clone(),
//!     }),
//!     Input::ServiceWorker(SwNotification::WindowClients {
//!         storage_key: storage_key.clone(),
//!         count: 1,
//!     }),
//!     Input::Register(SyncKey { storage_key, scope, tag }),
//! ]);
//!
//! let mut seen = Vec::new();
//! // A real loop waits here for the next input, or until `manager.poll_deadline()`.
//! while let Some(input) = inputs.pop_front() {
//!     match input {
//!         Input::ServiceWorker(news) => manager.handle_service_worker(now, news),
//!         Input::Network(network) => manager.handle_network(now, network),
//!         Input::Register(key) => {
//!             let requester = Requester { client: ClientId::random(), request: RequestId(1) };
//!             manager.handle_register(now, requester, key, true);
//!         }
//!         Input::Committed(commit, result) => manager.handle_committed(now, commit, result),
//!         Input::DispatchConfirmed(event) => {
//!             manager.handle_dispatch_confirmed(now, event, online.clone(), true);
//!         }
//!         Input::EventEnded(event) => {
//!             manager.handle_event_ended(now, event, EventOutcome::Fulfilled);
//!         }
//!     }
//!     while let Some(output) = manager.poll_output() {
//!         match output {
//!             Output::Commit { commit, batch } => {
//!                 let result = store.commit(batch).map_err(|error| error.to_string());
//!                 inputs.push_back(Input::Committed(commit, result));
//!             }
//!             Output::ConfirmDispatch { event, .. } => {
//!                 inputs.push_front(Input::DispatchConfirmed(event));
//!             }
//!             // The service worker gets the event, and is done with it at once.
//!             Output::Dispatch { event, tag, last_chance, .. } => {
//!                 seen.push(format!("sync {tag}, last chance: {last_chance}"));
//!                 inputs.push_back(Input::EventEnded(event));
//!             }
//!             Output::Reply { .. } => seen.push("registered".to_owned()),
//!             Output::Log(_) | Output::StoreFailed { .. } | Output::Exited => {}
//!         }
//!     }
//! }
//! assert_eq!(seen, ["registered", "sync outbox, last chance: false"]);
//! assert!(read::registrations(&store)?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # The way of one registration
//!
//! 1. [`handle_register`](SyncManager::handle_register) checks, in this order: active worker,
//!    permission, window, tag, quota. Out comes a `Commit` with the record.
//! 2. When that is on disk, the `Reply` comes out: the promise resolves.
//! 3. When it is its turn and the network is there, the attempt is counted and a second `Commit`
//!    comes out; when that is on disk, `ConfirmDispatch`. Network and permission are looked at once
//!    more, and `Dispatch` comes out.
//! 4. When the event has ended, a third `Commit` removes the record or says when it is tried again.
//!
//! What the tables hold of a registration is what is on disk. Inputs gather beside it, and become
//! the next batch when the last one is answered; a registration has at most one batch on its way.
//! So nothing that is not durable can be acted on, and a failed write is simple: what a page asked
//! for is rejected, and every other input is still there, to be written when the store works again.
//! While it does not, one write at a time tries, ever less often.
//!
//! # What was decided where the specs leave a choice
//!
//! The numbers are in [`SyncPolicy`]. Beyond them:
//!
//! - **Order.** Each registration has a number that counts up across restarts; `getTags()` sorts by
//!   it. A tag that is registered again while it exists keeps its place.
//! - **Each acknowledged registration gets all its attempts.** Whoever registers a tag again starts
//!   its count anew, in whatever state it is.
//! - **`lastChance` is a promise.** It is true when this attempt is the last that counts, or the
//!   next one could come after the registration's expiry. If such an attempt fails, the registration
//!   is dropped even if the network was to blame: the page has been told, and may have told the
//!   user. (Not so when no worker got the event at all.)
//! - **What does not count:** an event that is rejected or timed out, when its origin was offline
//!   at some moment since the dispatch or is known to be unreachable at the end. A worker that
//!   crashes or does not start is not excused.
//! - **Newly gained connectivity** is: online after offline, another network than before, or an
//!   origin that can be reached after it could not. It is not the first state after the start, nor
//!   the first proof that an origin answers: that may be the answer to the very attempt that failed.
//!   That it could not is remembered even when the network monitor has forgotten it, and a back-off
//!   that is still being written when connectivity comes does not begin.
//! - **A handler that registers its own tag**, during its event or within a second of its end, fires
//!   again at once a few times in a row and then with a delay.
//! - **After a crash** an attempt that had started counts, and the back-off is counted from its
//!   start. If the tag had been registered again meanwhile, it fires without back-off.
//! - **An orderly shutdown** takes back the events in flight: they fire again after the next start,
//!   and the attempts do not count. A worker that was nearly done does its work twice.
//! - **No active worker:** the registration is held, not dropped, as long as its service worker
//!   registration exists; the event that found no worker does not count. When the stored service
//!   worker registrations are known and its own is not among them, it is dropped.
//! - **Due times** are kept on both clocks, and the first to reach them counts: the wall clock knows
//!   of the time in which the machine slept, and the monotonic one cannot be set back. Expiry is by
//!   the wall clock alone.
//! - **Revocation** is noticed whenever the policy is asked: when it is said to have changed, at a
//!   `register()`, and before each dispatch.
//! - **The event log** tells why a registration is held when it begins to be, and when the reason
//!   changes, in at most 64 entries for one input. That a write is awaited is only in the snapshot.
//!
//! # Where to look
//!
//! `manager`: the inputs and what is checked. `tables`: what is known, and where each registration
//! stands. `transition`: what an input makes of a record, as pure functions. `attempt`: from the
//! turn to the end of an event, and the network. `commit`: batches, and a store that fails.
//! `schedule`: the indexes that make every step logarithmic. `event_log`, `record`, `read`: what is
//! stored. `refires`: handlers that would fire without end. `thread`: the loop around it all.

mod attempt;
mod commit;
mod error;
mod event_log;
mod jitter;
mod manager;
mod policy;
pub mod read;
mod record;
mod refires;
mod schedule;
mod tables;
mod thread;
mod transition;

pub use error::{RegisterError, StartError};
pub use manager::{Output, Recovered, Requester, SyncManager};
pub use policy::{NetworkPolicy, SyncPolicy};
pub use record::{RecordState, SyncKey, SyncRecord};
pub use thread::{Inbox, SyncManagerConfig, SyncManagerThread, start, start_with};
