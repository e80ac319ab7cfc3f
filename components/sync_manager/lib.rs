//! Background Sync and Periodic Background Sync: registrations, scheduling, retries, event log.
//!
//! <https://wicg.github.io/background-sync/spec/>,
//! <https://wicg.github.io/periodic-background-sync/>
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
//! use sync_traits::SyncKind;
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
//!         ordinal: 1,
//!     }),
//!     Input::ServiceWorker(SwNotification::WindowClients {
//!         storage_key: storage_key.clone(),
//!         count: 1,
//!     }),
//!     Input::Register(SyncKey { storage_key, scope, kind: SyncKind::OneShot, tag }),
//! ]);
//!
//! let mut seen = Vec::new();
//! // A real loop waits here for the next input, or until `manager.poll_deadline()`.
//! while let Some(input) = inputs.pop_front() {
//!     match input {
//!         Input::ServiceWorker(news) => manager.handle_service_worker(now, news),
//!         Input::Network(network) => manager.handle_network(now, network),
//!         Input::Register(key) => {
//!             let (client, request) = (ClientId::random(), RequestId(1));
//!             let requester = Requester { client, request, registration: None };
//!             manager.handle_register(now, requester, key, None);
//!         }
//!         Input::Committed(commit, result) => manager.handle_committed(now, commit, result),
//!         Input::DispatchConfirmed(event) => {
//!             manager.handle_dispatch_confirmed(now, event, online.clone(), None);
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
//!             // Nothing is probed here.
//!             Output::AwaitOrigin { .. } => {}
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
//! A periodic one goes the same way from
//! [`handle_register_periodic`](SyncManager::handle_register_periodic) on. Before step 3 its
//! interval has to be over, the floor of its origin and the floor across origins; in step 3,
//! engagement is looked at as well; and step 4 begins the next interval.
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
//!   at some moment since the dispatch, or when what was known last about it is that it cannot be
//!   reached. A worker that crashes or does not start is not excused.
//! - **Reachability.** What is due waits while its origin is being checked or known to be
//!   unreachable, and the network monitor is told that it is awaited, so that it probes. Nothing
//!   waits for a monitor that does not: as soon as nothing is known, it fires. Where the embedder has
//!   captive portals looked for, a network that is new is checked first, unless the origin has
//!   answered on it. A back-off after a
//!   failure for want of network is awaited too, and keeps its timer as the last resort.
//! - **Newly gained connectivity** is: online after offline, another network than before, or an
//!   origin that can be reached after it could not. It is not the first state after the start, nor
//!   the first proof that an origin answers: that may be the answer to the very attempt that failed.
//!   If that failed for want of network there was no answer, and a probe that succeeds is enough.
//!   That it could not is remembered even when the network monitor has forgotten it, and a back-off
//!   that is still being written when connectivity comes does not begin.
//! - **A link that comes and goes** does not use up the attempts: connectivity brings the next one
//!   forward, but after a failure that counted not by so much that it starts within 30 s of it. After
//!   a restart, when the end of the last attempt is not known, the 30 s begin anew.
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
//!   changes, in at most 64 entries for one input. That a write or a check is awaited is only in the
//!   snapshot.
//! - **Two permissions.** Whoever loses `background-sync` loses the registrations of both kinds;
//!   whoever loses `periodic-background-sync`, the periodic ones. So a periodic registration needs
//!   both.
//! - **Turns.** The floor across origins lies between turns, as in the spec's loop, and not between
//!   two origins: every origin that is due when a turn begins may fire in it. A turn lasts for half
//!   an hour, of an origin as of all of them, and what comes due meanwhile joins it; otherwise sites
//!   whose events take a few seconds more or less would push one another out of every second turn.
//!   The next turn begins when the floor is over since the *last* event of this one. What does not
//!   fit into a turn comes first in the next.
//! - **Stricter than the spec:** an event that fails counts for the floors too, or a site that
//!   rejects every event would have none. One that no worker got does not.
//! - **The anchor** is the end of the last attempt of an interval, so that two events are never
//!   closer to each other than the interval. Changing the interval keeps it; unregistering and
//!   registering anew does not.
//! - **Retries** of a periodic event are held by no floor: they belong to the turn that has begun.
//!   That goes for an event that an orderly shutdown has interrupted as well. Registering the tag
//!   again does not bring them forward, and while the event is handled it gives them up.
//! - **Sleep and set clocks** cannot be told apart by the two clocks. A wall clock that jumps ahead
//!   counts as sleep, so that a machine that sleeps at night is up to date in the morning: setting
//!   the clock ahead by a day can make a tag fire early, once, because its anchor moves along. Time
//!   that is set back lengthens nothing, because the monotonic clock gets there first. After a
//!   restart, a time that lies ahead is taken as now.
//! - **Engagement** is a property of the origin, stored with the time of its last event. It is
//!   [`High`](sync_traits::Engagement::High) until somebody says otherwise. What is suspended has no
//!   timer, between attempts as well; an event that is being handled goes on.
//! - **Explanations** name everything that holds a registration back. For one that is not there they
//!   tell what became of it, as long as the event log remembers.
//!
//! # Where to look
//!
//! `manager`: the inputs and what is checked. `tables`: what is known. `place`: where each
//! registration stands. `schedule`: the indexes that make every step logarithmic. `transition`:
//! what an input makes of a record, as pure functions. `attempt`: from the turn to the end of an
//! event. `reachability`: the network, and what is awaited. `periodic`: intervals, floors and turns.
//! `refires`: handlers that would fire without end. `commit`: batches, and a store that fails.
//! `event_log`, `log_tail`, `record`, `read`: what is stored. `recovery`: what is made of it at the
//! start. `explain`: why a tag has not fired. `thread`: the loop around it all.
//!
#![doc = include_str!("states.md")]

mod attempt;
mod commit;
mod error;
mod event_log;
mod explain;
mod jitter;
mod log_tail;
mod manager;
mod periodic;
mod place;
mod policy;
mod reachability;
pub mod read;
mod record;
mod recovery;
mod refires;
mod schedule;
mod tables;
mod thread;
mod transition;

pub use error::{RegisterError, StartError};
pub use manager::{Output, Recovered, Requester, StoredServiceWorker, SyncManager};
pub use periodic::{PeriodicPolicy, PeriodicState, TurnOf, TurnRecord};
pub use policy::{NetworkPolicy, SyncPolicy};
pub use record::{RecordState, SyncKey, SyncRecord};
pub use thread::{Inbox, SyncManagerConfig, SyncManagerThread, start, start_with};
