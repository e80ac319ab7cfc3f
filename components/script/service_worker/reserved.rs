//! Clients whose document or script is still to come.

use std::sync::Arc;

use base::StorageKey;
use base::channel::Callback;
use base::ids::ClientId;
use parking_lot::Mutex;
use sw_traits::{ClientDescription, ClientUpdate, SwClientEvent, SwClientHandle};
use url::Url;

use crate::services::Services;

/// A client without a realm: the service worker that will control it sees the request for what it is
/// made of. It is gone when this is dropped.
///
/// <https://fetch.spec.whatwg.org/#concept-request-reserved-client>
pub(crate) struct ReservedClient {
    storage_key: StorageKey,
    handle: SwClientHandle,
    relay: Arc<Relay>,
}

impl ReservedClient {
    /// Nothing when the component has shut down.
    pub(crate) fn attach(services: &Services, description: ClientDescription) -> Option<Self> {
        let relay = Arc::new(Relay::default());
        let listening = Arc::clone(&relay);
        let description = ClientDescription {
            execution_ready: false,
            ..description
        };
        let storage_key = description.storage_key.clone();
        let events = Callback::new(move |event| listening.receive(event));
        let handle = services.service_workers.attach_client(description, events);
        handle.ok().map(|handle| Self {
            storage_key,
            handle,
            relay,
        })
    }

    pub(crate) fn id(&self) -> ClientId {
        self.handle.client()
    }

    pub(crate) fn storage_key(&self) -> &StorageKey {
        &self.storage_key
    }

    pub(crate) fn handle(&self) -> SwClientHandle {
        self.handle.clone()
    }

    /// The load was redirected to another URL of the same origin.
    pub(crate) fn redirect(&self, url: Url) {
        // Nobody who is gone has to know.
        let _ = self.handle.update(ClientUpdate::CreationUrl(url));
    }

    /// There is a realm now, which hears what happens.
    pub(super) fn connect(self, events: Callback<SwClientEvent>) -> SwClientHandle {
        self.relay.connect(events);
        // As above.
        let _ = self.handle.update(ClientUpdate::ExecutionReady);
        self.handle
    }
}

/// Keeps events until there is somebody who wants them.
#[derive(Default)]
struct Relay(Mutex<Sink>);

enum Sink {
    Kept(Vec<SwClientEvent>),
    To(Callback<SwClientEvent>),
}

impl Default for Sink {
    fn default() -> Self {
        Self::Kept(Vec::new())
    }
}

impl Relay {
    fn receive(&self, event: SwClientEvent) {
        match &mut *self.0.lock() {
            // Of a client that is execution ready it is told anew who controls it.
            Sink::Kept(_) if matches!(event, SwClientEvent::ControllerChanged { .. }) => {}
            // What there is before a realm is bounded by the time that a load may take.
            Sink::Kept(kept) => kept.push(event),
            Sink::To(callback) => callback.call(event),
        }
    }

    fn connect(&self, callback: Callback<SwClientEvent>) {
        let mut sink = self.0.lock();
        if let Sink::Kept(kept) = &mut *sink {
            for event in kept.drain(..) {
                callback.call(event);
            }
        }
        *sink = Sink::To(callback);
    }
}
