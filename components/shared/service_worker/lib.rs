//! Messages, types and handles of the service worker registration component.
//!
//! - [`SwRegistrationHandle`] is for trusted code: the engine and the other components.
//! - [`SwClientHandle`] is what a page or worker gets: bound to one client, it can say nothing
//!   about another one.
//! - [`SwClientHandle::fetch`] asks the service worker that controls a client for a response, before
//!   an engine asks the network.
//! - [`WorkerHost`] is what an embedder supplies to run workers, [`ScriptLoader`] to load their
//!   scripts, [`WindowHost`] to open windows for them.
//!
//! Types only; the component is in the crate `sw_registration`.

mod fetch;
mod handle;
mod host;
mod loader;
mod message;
mod types;
mod windows;

pub use fetch::{FetchAnswer, FetchEventData, FetchRequest, FetchResponse, NavigationPreload};
pub use handle::{SwClientHandle, SwRegistrationHandle};
pub use host::{
    EventDispatch, EventOutcome, WorkerEvent, WorkerHost, WorkerHostEvent, WorkerLaunch,
};
pub use loader::{LoadedScript, ScriptLoader, ScriptRequest};
pub use message::{SwAnswer, SwClientEvent, SwNotification, SwRegistrationMessage, SwRequest};
pub use types::{
    ClientDescription, ClientInfo, ClientKind, ClientType, ClientTypeFilter, ClientUpdate,
    ControllerSource, FrameType, MessageSource, NavigationPreloadChange, NavigationPreloadState,
    RegistrationInfo, RegistrationSnapshot, ScriptResource, ScriptResourceMap, SerializedMessage,
    ServiceWorkerInfo, ServiceWorkerState, UpdateViaCache, VisibilityState, WorkerType,
};
pub use windows::{WindowHost, WindowRequest, WindowResult};

#[cfg(test)]
mod tests {
    use base::StorageKey;
    use base::channel::{Callback, Disconnected, unbounded};
    use base::ids::ClientId;
    use url::Url;

    use super::*;

    fn window(url: Url) -> ClientDescription {
        let storage_key = StorageKey::from_url(&url).unwrap();
        ClientDescription::new(ClientId::random(), storage_key, url, ClientKind::Window)
    }

    #[test]
    fn a_message_means_the_same_after_serialization() {
        let url = Url::parse("https://example.org/page").unwrap();
        let client = window(url);
        let (sender, receiver) = unbounded();
        let events = Callback::to_sender(&sender, |event: SwClientEvent| event);
        let message = SwRegistrationMessage::AttachClient {
            client: client.clone(),
            events,
            handled: Callback::ignore(),
        };

        let bytes = postcard::to_stdvec(&message).unwrap();
        let message = postcard::from_bytes::<SwRegistrationMessage>(&bytes).unwrap();

        let SwRegistrationMessage::AttachClient {
            client: received,
            events,
            ..
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
        let description = window(url);
        let id = description.id;
        let client = handle
            .attach_client(description, Callback::ignore())
            .unwrap();
        let other = client.clone();
        drop(client);
        other.request(SwRequest::Ready).unwrap();
        other.update(ClientUpdate::Focus(true)).unwrap();
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
            Some(SwRegistrationMessage::UpdateClient { client, .. }) if client == id
        ));
        assert!(matches!(
            receiver.try_recv(),
            Some(SwRegistrationMessage::DetachClient { client }) if client == id
        ));
        assert!(receiver.try_recv().is_none());
    }

    fn client(handle: &SwRegistrationHandle, events: Callback<SwClientEvent>) -> SwClientHandle {
        let url = Url::parse("https://example.org/").unwrap();
        handle.attach_client(window(url), events).unwrap()
    }

    #[test]
    fn a_client_that_asks_faster_than_it_is_heard_is_refused_and_no_other_is() {
        let (sender, receiver) = unbounded();
        let handle = SwRegistrationHandle::new(sender);
        let (to_page, page) = unbounded();
        let greedy = client(&handle, Callback::to_sender(&to_page, |event| event));
        let Some(SwRegistrationMessage::AttachClient {
            handled, events, ..
        }) = receiver.try_recv()
        else {
            panic!("it is not attached");
        };
        let other = client(&handle, Callback::ignore());
        assert!(receiver.try_recv().is_some());
        let waiting = || std::iter::from_fn(|| receiver.try_recv()).count();

        for _ in 0..1_000 {
            greedy.request(SwRequest::GetRegistrations).unwrap();
        }
        assert_eq!(page.try_recv(), None);
        let request = greedy.request(SwRequest::GetRegistrations).unwrap();
        let Some(SwClientEvent::Answer {
            request: of,
            result,
        }) = page.try_recv()
        else {
            panic!("it is not answered");
        };
        assert_eq!(of, request);
        assert_eq!(result.unwrap_err().name(), "QuotaExceededError");
        let message = SerializedMessage::default();
        let id = greedy.client();
        let message = SwRequest::PostMessageToClient {
            client: id,
            message,
        };
        greedy.request(message).unwrap();
        assert_eq!(page.try_recv(), None, "what has no answer gets none");
        other.request(SwRequest::GetRegistrations).unwrap();
        assert_eq!(waiting(), 1_001);

        handled.call(());
        greedy.request(SwRequest::GetRegistrations).unwrap();
        assert_eq!(waiting(), 1, "one was heard");
        greedy.request(SwRequest::GetRegistrations).unwrap();
        assert!(page.try_recv().is_some());

        drop((handled, events, to_page));
        assert_eq!(
            page.recv(),
            Err(Disconnected),
            "a client's own handle does not keep its events open"
        );
        assert!(greedy.request(SwRequest::GetRegistrations).is_err());
    }

    #[test]
    fn what_is_asked_for_while_the_component_ends_is_answered_all_the_same() {
        let (sender, receiver) = unbounded();
        let handle = SwRegistrationHandle::new(sender);
        let key = StorageKey::from_url(&Url::parse("https://example.org/").unwrap()).unwrap();
        let (cleared_to, cleared) = unbounded::<Result<(), String>>();
        let (ended_to, ended) = unbounded::<()>();
        let clear = || {
            let done = Callback::to_sender(&cleared_to, |result| result);
            handle.clear_storage(key.clone(), done)
        };
        let exit = || handle.exit(Callback::to_sender(&ended_to, |()| ()));
        clear().unwrap();
        exit().unwrap();
        assert_eq!(cleared.try_recv(), None);
        drop(receiver);
        assert!(cleared.try_recv().unwrap().is_err());
        assert_eq!(ended.try_recv(), Some(()));
        assert!(clear().is_err());
        assert!(exit().is_err());
        assert!(cleared.try_recv().unwrap().is_err());
        assert_eq!(ended.try_recv(), Some(()));
        assert_eq!((cleared.try_recv(), ended.try_recv()), (None, None));
    }
}
