use std::sync::Arc;
use std::time::Duration;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};
use base::ids::{ClientId, IdSource, RequestId};
use url::Url;

use crate::host::{EventOutcome, WorkerEvent};
use crate::message::{SwClientEvent, SwRegistrationMessage, SwRequest};
use crate::types::{ClientDescription, RegistrationSnapshot};

/// The service worker registration component, for trusted code.
#[derive(Clone, Debug)]
pub struct SwRegistrationHandle {
    sender: Sender<SwRegistrationMessage>,
}

impl SwRegistrationHandle {
    /// A handle of the component that receives from this sender's channel.
    pub fn new(sender: Sender<SwRegistrationMessage>) -> Self {
        Self { sender }
    }

    /// Make a client known, and get the handle that it may use. The client is gone when the last
    /// clone of the handle is dropped.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn attach_client(
        &self,
        client: ClientDescription,
        events: Callback<SwClientEvent>,
    ) -> Result<SwClientHandle, Disconnected> {
        let id = client.id;
        self.sender
            .send(SwRegistrationMessage::AttachClient { client, events })?;
        Ok(SwClientHandle(Arc::new(Attachment {
            sender: self.sender.clone(),
            client: id,
            requests: IdSource::default(),
        })))
    }

    /// Dispatch a functional event in the active worker of a registration, which is started if it
    /// does not run. `done` is called exactly once; when the component has shut down, at once.
    pub fn dispatch_event(
        &self,
        storage_key: StorageKey,
        scope: Url,
        event: WorkerEvent,
        time_limit: Duration,
        done: Callback<EventOutcome>,
    ) {
        let answer = done.clone();
        let message = SwRegistrationMessage::DispatchEvent {
            storage_key,
            scope,
            event,
            time_limit,
            done,
        };
        if self.sender.send(message).is_err() {
            answer.call(EventOutcome::Crashed {
                reason: Disconnected.to_string(),
            });
        }
    }

    /// Ask for every registration.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn snapshot(&self, done: Callback<Vec<RegistrationSnapshot>>) -> Result<(), Disconnected> {
        self.sender.send(SwRegistrationMessage::Snapshot { done })
    }

    /// Remove all registrations of an origin with their scripts and syncs.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn clear_storage(
        &self,
        storage_key: StorageKey,
        done: Callback<Result<(), String>>,
    ) -> Result<(), Disconnected> {
        self.sender
            .send(SwRegistrationMessage::ClearStorage { storage_key, done })
    }

    /// Stop the workers and the component.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when it has shut down already.
    pub fn exit(&self, done: Callback<()>) -> Result<(), Disconnected> {
        self.sender.send(SwRegistrationMessage::Exit { done })
    }
}

/// The component as one client sees it: a capability, bound to that client.
#[derive(Clone, Debug)]
pub struct SwClientHandle(Arc<Attachment>);

#[derive(Debug)]
struct Attachment {
    sender: Sender<SwRegistrationMessage>,
    client: ClientId,
    requests: IdSource,
}

impl SwClientHandle {
    /// The client that this handle is bound to.
    pub fn client(&self) -> ClientId {
        self.0.client
    }

    /// Ask for something. The answer comes as [`SwClientEvent::Answer`] with the returned id.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn request(&self, body: SwRequest) -> Result<RequestId, Disconnected> {
        let request = RequestId(self.0.requests.next());
        let client = self.0.client;
        self.0.sender.send(SwRegistrationMessage::Request {
            client,
            request,
            body,
        })?;
        Ok(request)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // When the component is gone, so are its clients.
        let _ = self.sender.send(SwRegistrationMessage::DetachClient {
            client: self.client,
        });
    }
}
