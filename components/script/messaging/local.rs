//! The message ports that a thread holds. Shared by the realms of its event loop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::router::Holding;
use crate::bindings::weak::{WeakEntry, WeakTable};
use crate::bindings::{Dom, Realm};
use crate::dom::message_port::MessagePort;
use crate::event_loop::EventLoop;

/// The message ports that a thread holds.
#[derive(Default)]
pub(crate) struct LocalPorts {
    table: Rc<WeakTable<Holding, MessagePort>>,
    /// Those that something may still happen to that a listener notices, though no script of this
    /// thread can do it.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#ports-and-garbage-collection>
    kept: RefCell<BTreeMap<Holding, Dom<MessagePort>>>,
}

impl LocalPorts {
    /// A field for the port that is going to be found as this.
    pub(crate) fn entry(&self, holding: Holding) -> WeakEntry<Holding, MessagePort> {
        self.table.entry(holding)
    }

    pub(crate) fn insert(
        &self,
        port: &Dom<MessagePort>,
        field: fn(&MessagePort) -> &WeakEntry<Holding, MessagePort>,
    ) {
        self.table.insert(port, field);
    }

    /// The port, if this thread holds it.
    pub(crate) fn get(&self, holding: Holding) -> Option<Dom<MessagePort>> {
        self.table.get(holding)
    }

    /// Keeps a port alive, or does not any more.
    pub(crate) fn keep(&self, port: &MessagePort, holding: Holding, keep: bool) {
        let changed = if keep {
            let port = Dom::from_ref(port);
            self.kept.borrow_mut().insert(holding, port)
        } else {
            self.kept.borrow_mut().remove(&holding)
        };
        // Not before the borrow has ended.
        drop(changed);
    }

    /// Closes the ports of a realm.
    pub(crate) fn close_all_of(&self, realm: &Realm) {
        for holding in self.table.keys() {
            if let Some(port) = self.table.get(holding)
                && port.is_of(realm)
            {
                port.let_go();
            }
        }
    }
}

/// A task: a message waits for a port.
pub(crate) fn deliver(event_loop: &EventLoop, holding: Holding) {
    if let Some(port) = event_loop.local::<LocalPorts>().get(holding) {
        port.deliver_one();
    }
}

/// A task: the other port was closed.
pub(crate) fn peer_closed(event_loop: &EventLoop, holding: Holding) {
    if let Some(port) = event_loop.local::<LocalPorts>().get(holding) {
        port.peer_closed();
    }
}
