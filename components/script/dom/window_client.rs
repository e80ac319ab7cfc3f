//! <https://w3c.github.io/ServiceWorker/#windowclient>

use sw_traits::{ClientInfo, SwRequest, VisibilityState};

use super::client::Client;
use crate::bindings::generated::{DocumentVisibilityState, WindowClientMethods};
use crate::bindings::{Dom, Fallible, Promise, Realm, Value};
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#windowclient>
    pub struct WindowClient {
        pub(crate) parent: Client,
    }
}

impl WindowClient {
    /// <https://w3c.github.io/ServiceWorker/#create-windowclient-algorithm>
    pub(super) fn create(realm: &Realm, info: ClientInfo) -> Fallible<Value> {
        let parent = Client::new_inherited(info);
        Ok(Dom::new(realm, Self { parent })?.value())
    }
}

impl WindowClientMethods for WindowClient {
    fn visibility_state(&self, _: &Realm) -> DocumentVisibilityState {
        match self.parent.info().visibility {
            VisibilityState::Visible => DocumentVisibilityState::Visible,
            VisibilityState::Hidden => DocumentVisibilityState::Hidden,
        }
    }

    fn focused(&self, _: &Realm) -> bool {
        self.parent.info().focused
    }

    /// <https://w3c.github.io/ServiceWorker/#client-focus>
    fn focus(&self, realm: &Realm) -> Fallible<Promise> {
        // Step 1 is up to the host of the windows.
        let client = self.parent.client_id();
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::FocusClient { client })
    }
}
