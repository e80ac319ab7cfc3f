//! Messages, types and handles of the service worker registration component.
//!
//! - [`SwRegistrationHandle`] is for trusted code: the engine and the other components.
//! - [`SwClientHandle`] is what a page or worker gets: bound to one client, it can say nothing
//!   about another one.
//! - [`WorkerHost`] is what an embedder supplies to run workers, [`ScriptLoader`] to load their
//!   scripts.
//!
//! Types only; the component is in the crate `sw_registration`.

mod handle;
mod host;
mod loader;
mod message;
mod types;

pub use handle::{SwClientHandle, SwRegistrationHandle};
pub use host::{
    EventDispatch, EventOutcome, WorkerEvent, WorkerHost, WorkerHostEvent, WorkerLaunch,
};
pub use loader::{LoadedScript, ScriptLoader, ScriptRequest};
pub use message::{SwAnswer, SwClientEvent, SwNotification, SwRegistrationMessage, SwRequest};
pub use types::{
    ClientDescription, ClientInfo, ClientKind, ClientTypeFilter, FrameType, MessageSource,
    RegistrationInfo, RegistrationSnapshot, ScriptResource, ScriptResourceMap, SerializedMessage,
    ServiceWorkerInfo, ServiceWorkerState, UpdateViaCache, WorkerType,
};

#[cfg(test)]
mod tests {
    use base::StorageKey;
    use base::channel::{Callback, unbounded};
    use base::ids::ClientId;
    use url::Url;

    use super::*;

    #[test]
    fn a_message_means_the_same_after_serialization() {
        let url = Url::parse("https://example.org/page").unwrap();
        let client = ClientDescription {
            id: ClientId::random(),
            storage_key: StorageKey::from_url(&url).unwrap(),
            creation_url: url,
            kind: ClientKind::Window,
            frame_type: FrameType::TopLevel,
            secure_context: true,
        };
        let (sender, receiver) = unbounded();
        let events = Callback::to_sender(&sender, |event: SwClientEvent| event);
        let message = SwRegistrationMessage::AttachClient {
            client: client.clone(),
            events,
        };

        let bytes = postcard::to_stdvec(&message).unwrap();
        let message = postcard::from_bytes::<SwRegistrationMessage>(&bytes).unwrap();

        let SwRegistrationMessage::AttachClient {
            client: received,
            events,
        } = message
        else {
            panic!("another message came out");
        };
        assert_eq!(received, client);
        let event = SwClientEvent::ControllerChanged {
            controller: None,
            fire: false,
        };
        events.call(event.clone());
        assert_eq!(receiver.try_recv(), Some(event));
    }

    #[test]
    fn a_client_is_detached_with_its_last_handle() {
        let (sender, receiver) = unbounded();
        let handle = SwRegistrationHandle::new(sender);
        let url = Url::parse("https://example.org/").unwrap();
        let id = ClientId::random();
        let description = ClientDescription {
            id,
            storage_key: StorageKey::from_url(&url).unwrap(),
            creation_url: url,
            kind: ClientKind::Window,
            frame_type: FrameType::TopLevel,
            secure_context: true,
        };
        let client = handle
            .attach_client(description, Callback::ignore())
            .unwrap();
        let other = client.clone();
        drop(client);
        other.request(SwRequest::Ready).unwrap();
        drop(other);
        assert!(matches!(
            receiver.try_recv(),
            Some(SwRegistrationMessage::AttachClient { .. })
        ));
        assert!(matches!(
            receiver.try_recv(),
            Some(SwRegistrationMessage::Request { client, .. }) if client == id
        ));
        assert!(matches!(
            receiver.try_recv(),
            Some(SwRegistrationMessage::DetachClient { client }) if client == id
        ));
        assert!(receiver.try_recv().is_none());
    }
}
