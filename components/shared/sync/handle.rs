use std::sync::Arc;

use base::StorageKey;
use base::channel::{Callback, Disconnected, Sender};
use base::ids::{ClientId, IdSource, RequestId};
use sw_traits::SwNotification;

use crate::message::{RegistrationReference, SyncClientEvent, SyncManagerMessage, SyncRequest};
use crate::types::{LogEntry, SyncExplanation, SyncQuestion, SyncRegistrationInfo};

/// The sync manager, for trusted code.
#[derive(Clone, Debug)]
pub struct SyncManagerHandle {
    sender: Sender<SyncManagerMessage>,
}

impl SyncManagerHandle {
    /// A handle of the component that receives from this sender's channel.
    pub fn new(sender: Sender<SyncManagerMessage>) -> Self {
        Self { sender }
    }

    /// Make a client known, and get the handle that it may use.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn attach_client(
        &self,
        client: ClientId,
        storage_key: StorageKey,
        events: Callback<SyncClientEvent>,
    ) -> Result<SyncClientHandle, Disconnected> {
        self.sender.send(SyncManagerMessage::AttachClient {
            client,
            storage_key,
            events,
        })?;
        Ok(SyncClientHandle(Arc::new(Attachment {
            sender: self.sender.clone(),
            client,
            requests: IdSource::default(),
        })))
    }

    /// Say that the permission policy may answer differently for this origin from now on.
    /// Revocation removes every sync registration of the origin.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn permission_changed(&self, storage_key: StorageKey) -> Result<(), Disconnected> {
        self.sender
            .send(SyncManagerMessage::PermissionChanged { storage_key })
    }

    /// Say that the engagement policy may answer differently for this origin from now on.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn engagement_changed(&self, storage_key: StorageKey) -> Result<(), Disconnected> {
        self.sender
            .send(SyncManagerMessage::EngagementChanged { storage_key })
    }

    /// Ask why a tag has not fired, and what would make it fire.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn explain(
        &self,
        question: SyncQuestion,
        done: Callback<SyncExplanation>,
    ) -> Result<(), Disconnected> {
        self.sender
            .send(SyncManagerMessage::Explain { question, done })
    }

    /// Say that the clock was set, or that the machine has slept, so that what has come due
    /// meanwhile fires now and not when a timer notices.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn time_changed(&self) -> Result<(), Disconnected> {
        self.sender.send(SyncManagerMessage::TimeChanged)
    }

    /// Say that the service worker registrations changed. When the component has shut down, nobody
    /// is interested.
    pub fn notify_service_worker(&self, notification: SwNotification) {
        let _ = self
            .sender
            .send(SyncManagerMessage::ServiceWorker(notification));
    }

    /// Get every new entry of the event log.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn observe_log(&self, observer: Callback<LogEntry>) -> Result<(), Disconnected> {
        self.sender
            .send(SyncManagerMessage::ObserveLog { observer })
    }

    /// Ask for every registration, with what holds it back.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn snapshot(&self, done: Callback<Vec<SyncRegistrationInfo>>) -> Result<(), Disconnected> {
        self.sender.send(SyncManagerMessage::Snapshot { done })
    }

    /// Stop the component after the writes that are on their way.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when it has shut down already.
    pub fn exit(&self, done: Callback<()>) -> Result<(), Disconnected> {
        self.sender.send(SyncManagerMessage::Exit { done })
    }
}

/// The sync manager as one client sees it: a capability, bound to that client and its origin.
#[derive(Clone, Debug)]
pub struct SyncClientHandle(Arc<Attachment>);

#[derive(Debug)]
struct Attachment {
    sender: Sender<SyncManagerMessage>,
    client: ClientId,
    requests: IdSource,
}

impl SyncClientHandle {
    /// Ask for something about a service worker registration. The answer comes as a
    /// [`SyncClientEvent`] with the returned id.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the component has shut down.
    pub fn request(
        &self,
        registration: impl Into<RegistrationReference>,
        body: SyncRequest,
    ) -> Result<RequestId, Disconnected> {
        let request = RequestId(self.0.requests.next());
        let client = self.0.client;
        self.0.sender.send(SyncManagerMessage::Request {
            client,
            request,
            registration: registration.into(),
            body,
        })?;
        Ok(request)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // When the component is gone, so are its clients.
        let _ = self.sender.send(SyncManagerMessage::DetachClient {
            client: self.client,
        });
    }
}
