//! The message ports and broadcast channels that a thread holds. Shared by the realms of its event
//! loop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::router::Holding;
use crate::bindings::weak::{WeakEntry, WeakTable};
use crate::bindings::{Dom, DomObject};
use crate::dom::message_port::MessagePort;
use crate::event_loop::EventLoop;

/// Objects that a thread holds and that others reach by a key.
pub(crate) struct LocalObjects<K: Ord, T> {
    table: Rc<WeakTable<K, T>>,
    /// Those that something may still happen to that a listener notices, though no script of this
    /// thread can do it.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#ports-and-garbage-collection>
    kept: RefCell<BTreeMap<K, Dom<T>>>,
}

/// The message ports that a thread holds.
pub(crate) type LocalPorts = LocalObjects<Holding, MessagePort>;

impl<K: Ord, T> Default for LocalObjects<K, T> {
    fn default() -> Self {
        Self {
            table: Rc::default(),
            kept: RefCell::default(),
        }
    }
}

impl<K: Ord + Copy, T: DomObject> LocalObjects<K, T> {
    /// A field for the object that is going to be found as this.
    pub(crate) fn entry(&self, key: K) -> WeakEntry<K, T> {
        self.table.entry(key)
    }

    pub(crate) fn insert(&self, object: &Dom<T>, field: fn(&T) -> &WeakEntry<K, T>) {
        self.table.insert(object, field);
    }

    /// The object, if this thread holds it.
    pub(crate) fn get(&self, key: K) -> Option<Dom<T>> {
        self.table.get(key)
    }

    /// All that this thread holds.
    pub(crate) fn all(&self) -> Vec<Dom<T>> {
        let keys = self.table.keys().into_iter();
        keys.filter_map(|key| self.table.get(key)).collect()
    }

    /// Keeps an object alive, or does not any more.
    pub(crate) fn keep(&self, object: &T, key: K, keep: bool) {
        let changed = if keep {
            self.kept.borrow_mut().insert(key, Dom::from_ref(object))
        } else {
            self.kept.borrow_mut().remove(&key)
        };
        // Not before the borrow has ended.
        drop(changed);
    }
}

/// A task: a message waits for a port.
pub(super) fn deliver(event_loop: &EventLoop, holding: Holding) {
    if let Some(port) = event_loop.local::<LocalPorts>().get(holding) {
        port.deliver_one();
    }
}

/// A task: the other port was closed.
pub(super) fn peer_closed(event_loop: &EventLoop, holding: Holding) {
    if let Some(port) = event_loop.local::<LocalPorts>().get(holding) {
        port.peer_closed();
    }
}
