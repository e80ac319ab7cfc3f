//! Periodic sync: what is different from one-shot sync.
//!
//! <https://wicg.github.io/periodic-background-sync/>
//!
//! Both kinds share entries, batches, lanes, attempts and back-offs. What is added here is the way
//! from "pending" to "may fire":
//!
//! 1. A registration's interval is over: the anchor, and the greater of its minimum interval and
//!    its origin's floor. Each origin has an index of its pending registrations by that time.
//! 2. The origin's floor is over since its last event, or its turn is under way. An index over the
//!    origins has the time at which the first of these two can be true of each.
//! 3. The floor across origins is over since the last event of any origin, or the turn of all of
//!    them is under way.
//!
//! Then the registration is as ready as a one-shot one, and waits for network and room; when its
//! attempt is started, 2 and 3 are looked at once more. A retry is not held by 1 to 3.

mod inputs;
mod policy;
mod record;
mod schedule;
mod transition;
mod turn;

pub use policy::PeriodicPolicy;
pub(crate) use record::{PeriodicRecord, ago, decode_turn, turn_of_key};
pub use record::{PeriodicState, TurnOf, TurnRecord};
pub(crate) use schedule::PeriodicSchedule;
