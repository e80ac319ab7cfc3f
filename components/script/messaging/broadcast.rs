//! Who listens to which broadcast channel. Shared by all threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::StorageKey;
use base::ids::{ClientId, IdSource};
use parking_lot::Mutex;

use super::local::LocalObjects;
use super::router::TooMuchWaits;
use crate::bindings::DomString;
use crate::dom::broadcast_channel::BroadcastChannel;
use crate::event_loop::{EventLoop, TaskSender};

/// How many bytes of messages may wait for one channel object.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Names a channel object. In the order in which they are made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ChannelId(u64);

/// Whose channel, and its name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ChannelKey {
    /// Scripts of an opaque origin only reach those of the same realm.
    pub(crate) storage_key: Result<StorageKey, ClientId>,
    pub(crate) name: DomString,
}

/// The channel objects that a thread holds.
pub(crate) type LocalChannels = LocalObjects<ChannelId, BroadcastChannel>;

/// The broadcast channels of one engine.
#[derive(Clone, Default)]
pub(crate) struct Broadcasts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    channels: Mutex<BTreeMap<ChannelKey, BTreeMap<ChannelId, Listener>>>,
    ids: IdSource,
}

struct Listener {
    tasks: TaskSender,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A message on its way to all who listen.
pub(crate) struct Broadcast {
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: String,
}

impl Broadcasts {
    /// A new channel object on the thread with this event loop.
    pub(crate) fn join(&self, key: ChannelKey, tasks: TaskSender) -> ChannelHandle {
        let id = ChannelId(self.0.ids.next());
        let listener = Listener {
            tasks,
            waiting_bytes: Arc::default(),
        };
        let mut channels = self.0.channels.lock();
        channels
            .entry(key.clone())
            .or_default()
            .insert(id, listener);
        ChannelHandle {
            broadcasts: self.clone(),
            key,
            id,
        }
    }
}

/// A channel object that is not closed. Dropping this closes it.
pub(crate) struct ChannelHandle {
    broadcasts: Broadcasts,
    key: ChannelKey,
    id: ChannelId,
}

impl ChannelHandle {
    pub(crate) fn id(&self) -> ChannelId {
        self.id
    }

    /// Sends a message to all others of this key.
    ///
    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-broadcastchannel-postmessage>
    pub(crate) fn post(&self, broadcast: Broadcast) -> Result<(), TooMuchWaits> {
        let cost = broadcast.bytes.len().saturating_add(256);
        let channels = self.broadcasts.0.channels.lock();
        let Some(listeners) = channels.get(&self.key) else {
            return Ok(());
        };
        let others = || listeners.iter().filter(|(id, _)| **id != self.id);
        let is_full = |listener: &Listener| {
            listener
                .waiting_bytes
                .load(Ordering::Relaxed)
                .saturating_add(cost)
                > MAX_WAITING_BYTES
        };
        if others().any(|(_, listener)| is_full(listener)) {
            return Err(TooMuchWaits);
        }
        let broadcast = Arc::new(broadcast);
        for (id, listener) in others() {
            let (id, broadcast) = (*id, Arc::clone(&broadcast));
            let waiting_bytes = Arc::clone(&listener.waiting_bytes);
            waiting_bytes.fetch_add(cost, Ordering::Relaxed);
            listener.tasks.queue(move |event_loop| {
                waiting_bytes.fetch_sub(cost, Ordering::Relaxed);
                deliver(event_loop, id, &broadcast);
            });
        }
        Ok(())
    }
}

impl Drop for ChannelHandle {
    fn drop(&mut self) {
        let mut channels = self.broadcasts.0.channels.lock();
        if let Some(listeners) = channels.get_mut(&self.key) {
            listeners.remove(&self.id);
            if listeners.is_empty() {
                channels.remove(&self.key);
            }
        }
    }
}

fn deliver(event_loop: &EventLoop, id: ChannelId, broadcast: &Broadcast) {
    if let Some(channel) = event_loop.local::<LocalChannels>().get(id) {
        channel.deliver(broadcast);
    }
}
