//! Where each message port is, and what waits for it. Shared by all threads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::ids::{IdSource, MessagePortId};
use parking_lot::Mutex;

use super::local;
use crate::event_loop::TaskSender;

/// How many bytes of messages may wait for one port: they do not count against the memory limit of
/// anybody's scripts.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// What a message costs besides its bytes.
const MESSAGE_OVERHEAD: usize = 256;

/// Names the stay of a port at one place. Never given twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Holding(u64);

/// Where a port was received.
pub(crate) struct Arrival {
    pub(crate) handle: PortHandle,
    /// Where the other port is, if it is not on its way.
    pub(crate) peer: Option<Holding>,
}

/// Structured-serialized data with the ports that travel in it.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ports: Vec<MessagePortId>,
}

impl Message {
    fn cost(&self) -> usize {
        self.bytes.len().saturating_add(MESSAGE_OVERHEAD)
    }
}

/// A message is refused: too much waits for the port already.
#[derive(Debug)]
pub(crate) struct TooMuchWaits;

/// The ports of one engine.
#[derive(Clone, Default)]
pub(crate) struct PortRouter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    ports: Mutex<BTreeMap<MessagePortId, Port>>,
    holdings: IdSource,
}

#[derive(Default)]
struct Port {
    /// The port that it is entangled with.
    peer: Option<MessagePortId>,
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#port-message-queue>
    queue: VecDeque<Message>,
    waiting_bytes: usize,
    /// None while it is on its way.
    holder: Option<Holder>,
}

struct Holder {
    holding: Holding,
    tasks: TaskSender,
    /// Whether the queue is enabled.
    enabled: bool,
}

impl Holder {
    fn deliver_one(&self) {
        let holding = self.holding;
        self.tasks
            .queue(move |event_loop| local::deliver(event_loop, holding));
    }

    fn peer_closed(&self) {
        let holding = self.holding;
        self.tasks
            .queue(move |event_loop| local::peer_closed(event_loop, holding));
    }
}

impl PortRouter {
    /// Two entangled ports, both of which are to be received.
    pub(crate) fn create_pair(&self) -> (MessagePortId, MessagePortId) {
        let (one, other) = (MessagePortId::random(), MessagePortId::random());
        let mut ports = self.0.ports.lock();
        for (id, peer) in [(one, other), (other, one)] {
            let port = Port {
                peer: Some(peer),
                ..Port::default()
            };
            ports.insert(id, port);
        }
        (one, other)
    }

    /// A port arrives at the thread with this event loop. One that is not known is closed already;
    /// that includes one that is held elsewhere, since nobody was given it.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#message-ports:transfer-receiving-steps>
    pub(crate) fn receive(&self, id: MessagePortId, tasks: TaskSender) -> Arrival {
        let holding = Holding(self.0.holdings.next());
        let mut ports = self.0.ports.lock();
        let mut peer = None;
        let port = ports.entry(id).or_default();
        if port.holder.is_none() {
            let holder = Holder {
                holding,
                tasks,
                enabled: false,
            };
            match port.peer {
                Some(id) => peer = Some(id),
                None => holder.peer_closed(),
            }
            port.holder = Some(holder);
        }
        let peer = peer
            .and_then(|id| ports.get(&id)?.holder.as_ref())
            .map(|holder| holder.holding);
        let handle = PortHandle {
            router: self.clone(),
            id,
            holding,
            shipped: false,
        };
        Arrival { handle, peer }
    }

    /// The ports in a message that nobody is going to get are closed.
    pub(crate) fn discard(&self, ids: &[MessagePortId]) {
        let mut ports = self.0.ports.lock();
        let on_their_way = ids.iter().copied().filter(|id| {
            ports
                .get(id)
                .is_some_and(|port: &Port| port.holder.is_none())
        });
        let closing = on_their_way.collect();
        close(&mut ports, closing);
    }

    /// How many ports there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.ports.lock().len()
    }
}

/// Closes ports, and those in the messages that wait for them.
///
/// <https://html.spec.whatwg.org/multipage/web-messaging.html#disentangle>
fn close(ports: &mut BTreeMap<MessagePortId, Port>, mut closing: Vec<MessagePortId>) {
    while let Some(id) = closing.pop() {
        let Some(port) = ports.remove(&id) else {
            continue;
        };
        closing.extend(port.queue.iter().flat_map(|message| &message.ports));
        let Some(peer) = port.peer else { continue };
        let Some(other) = ports.get_mut(&peer) else {
            continue;
        };
        other.peer = None;
        match &other.holder {
            Some(holder) => holder.peer_closed(),
            // Nothing is to be kept for it: whoever receives it finds it closed.
            None if other.queue.is_empty() => {
                ports.remove(&peer);
            }
            None => {}
        }
    }
}

/// A port that is held. Dropping it closes the port, unless it was shipped.
pub(crate) struct PortHandle {
    router: PortRouter,
    id: MessagePortId,
    holding: Holding,
    shipped: bool,
}

impl PortHandle {
    pub(crate) fn holding(&self) -> Holding {
        self.holding
    }

    fn with<T>(&self, then: impl FnOnce(&mut Port) -> T) -> Option<T> {
        let mut ports = self.router.0.ports.lock();
        let port = ports.get_mut(&self.id)?;
        let is_own = port.holder.as_ref()?.holding == self.holding;
        is_own.then(|| then(port))
    }

    /// Puts a message into the queue of the other port; it is lost if there is none any more.
    pub(crate) fn post(&self, message: Message) -> Result<(), TooMuchWaits> {
        let peer = self.with(|port| port.peer).flatten();
        let mut ports = self.router.0.ports.lock();
        let Some(port) = peer.and_then(|peer| ports.get_mut(&peer)) else {
            close(&mut ports, message.ports);
            return Ok(());
        };
        let waiting = port.waiting_bytes.saturating_add(message.cost());
        if waiting > MAX_WAITING_BYTES {
            close(&mut ports, message.ports);
            return Err(TooMuchWaits);
        }
        port.waiting_bytes = waiting;
        port.queue.push_back(message);
        if let Some(holder) = port.holder.as_ref().filter(|holder| holder.enabled) {
            holder.deliver_one();
        }
        Ok(())
    }

    /// Enables the queue.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-messageport-start>
    pub(crate) fn start(&self) {
        self.with(|port| {
            let count = port.queue.len();
            let holder = port.holder.as_mut().filter(|holder| !holder.enabled);
            if let Some(holder) = holder {
                holder.enabled = true;
                (0..count).for_each(|_| holder.deliver_one());
            }
        });
    }

    /// The message that is to be delivered now.
    pub(crate) fn take(&self) -> Option<Message> {
        self.with(|port| {
            let message = port.queue.pop_front()?;
            port.waiting_bytes = port.waiting_bytes.saturating_sub(message.cost());
            Some(message)
        })
        .flatten()
    }

    /// The port goes on its way, with what waits for it.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#message-ports:transfer-steps>
    pub(crate) fn ship(mut self) -> MessagePortId {
        self.with(|port| port.holder = None);
        self.shipped = true;
        self.id
    }
}

impl Drop for PortHandle {
    fn drop(&mut self) {
        if !self.shipped && self.with(|_| ()).is_some() {
            close(&mut self.router.0.ports.lock(), vec![self.id]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::time::{Clock, Timestamp};

    use super::*;
    use crate::event_loop::EventLoop;

    struct NoTime;

    impl Clock for NoTime {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
    }

    fn message(ports: &[MessagePortId]) -> Message {
        Message {
            bytes: vec![0; 1000],
            ports: ports.to_vec(),
        }
    }

    #[test]
    fn nothing_is_left_of_ports_that_are_closed_or_lost() {
        let router = PortRouter::default();
        let tasks = EventLoop::new(Arc::new(NoTime)).sender();
        let (one, other) = router.create_pair();
        let one = router.receive(one, tasks.clone()).handle;
        let other = router.receive(other, tasks.clone()).handle;
        let (inner, outer) = router.create_pair();
        let outer = router.receive(outer, tasks.clone()).handle;
        one.post(message(&[inner])).unwrap();
        // It is closed with the queue in which it waits, and its other port finds itself alone.
        drop(other);
        assert_eq!(router.len(), 2);
        one.post(message(&[outer.ship()])).unwrap();
        assert_eq!(router.len(), 1);
        drop(one);
        assert_eq!(router.len(), 0);
        let (lost, never_received) = router.create_pair();
        router.discard(&[lost, never_received, lost]);
        assert_eq!(router.len(), 0);
    }

    #[test]
    fn a_port_is_received_once() {
        let router = PortRouter::default();
        let tasks = EventLoop::new(Arc::new(NoTime)).sender();
        let (id, peer) = router.create_pair();
        let peer = router.receive(peer, tasks.clone()).handle;
        let own = router.receive(id, tasks.clone()).handle;
        let forged = router.receive(id, tasks).handle;
        peer.post(message(&[])).unwrap();
        assert!(forged.take().is_none());
        drop(forged);
        router.discard(&[id]);
        assert!(own.take().is_some());
    }

    #[test]
    fn what_waits_for_a_port_is_limited() {
        let router = PortRouter::default();
        let tasks = EventLoop::new(Arc::new(NoTime)).sender();
        let (one, other) = router.create_pair();
        let one = router.receive(one, tasks.clone()).handle;
        let other = router.receive(other, tasks).handle;
        let mut count = 0;
        while one.post(message(&[])).is_ok() {
            count += 1;
        }
        assert_eq!(count, MAX_WAITING_BYTES / (1000 + MESSAGE_OVERHEAD));
        other.take();
        assert!(one.post(message(&[])).is_ok());
    }
}
