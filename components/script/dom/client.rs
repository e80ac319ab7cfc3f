//! <https://w3c.github.io/ServiceWorker/#client-interface>

use base::ids::ClientId;
use sw_traits::{ClientInfo, SwRequest};

use super::window_client::WindowClient;
use crate::bindings::generated::{
    ClientMethods, ClientType, FrameType, StructuredSerializeOptions,
};
use crate::bindings::{
    Dom, DomString, Fallible, NoTrace, Object, Realm, Reflector, UsvString, Value,
};
use crate::service_worker::client::ServiceWorkerClient;
use crate::service_worker::message;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#client-interface>
    pub struct Client {
        pub(crate) reflector: Reflector,
        info: NoTrace<ClientInfo>,
    }
}

impl Client {
    pub(super) fn new_inherited(info: ClientInfo) -> Self {
        Self {
            reflector: Reflector::default(),
            info: NoTrace(info),
        }
    }

    /// The object for a client, a new one each time.
    ///
    /// <https://w3c.github.io/ServiceWorker/#create-client-algorithm>
    pub(crate) fn create(realm: &Realm, info: ClientInfo) -> Fallible<Value> {
        if info.client_type != sw_traits::ClientType::Window {
            return Ok(Dom::new(realm, Self::new_inherited(info))?.value());
        }
        WindowClient::create(realm, info)
    }

    pub(super) fn info(&self) -> &ClientInfo {
        &self.info
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.info.id
    }
}

impl ClientMethods for Client {
    fn url(&self, _: &Realm) -> UsvString {
        self.info.url.as_str().into()
    }

    fn frame_type(&self, _: &Realm) -> FrameType {
        match self.info.frame_type {
            sw_traits::FrameType::Auxiliary => FrameType::Auxiliary,
            sw_traits::FrameType::TopLevel => FrameType::TopLevel,
            sw_traits::FrameType::Nested => FrameType::Nested,
            sw_traits::FrameType::None => FrameType::None,
        }
    }

    fn id(&self, _: &Realm) -> DomString {
        self.client_id().to_string().into()
    }

    /// <https://w3c.github.io/ServiceWorker/#client-type>
    fn type_(&self, _: &Realm) -> ClientType {
        match self.info.client_type {
            sw_traits::ClientType::Window => ClientType::Window,
            sw_traits::ClientType::Worker => ClientType::Worker,
            sw_traits::ClientType::SharedWorker => ClientType::Sharedworker,
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#client-postmessage-options>
    fn post_message(&self, realm: &Realm, message: Value, transfer: Vec<Object>) -> Fallible<()> {
        let message = message::serialize(realm, &message, &transfer)?;
        ServiceWorkerClient::of(realm)?.send(SwRequest::PostMessageToClient {
            client: self.client_id(),
            message,
        })
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<()> {
        self.post_message(realm, message, options.transfer)
    }
}
