//! <https://w3c.github.io/ServiceWorker/#windowclient>

use std::cell::OnceCell;

use sw_traits::{ClientInfo, SwRequest, VisibilityState};

use super::client::Client;
use crate::bindings::generated::{DocumentVisibilityState, WindowClientMethods};
use crate::bindings::{Dom, Fallible, Promise, Realm, ToJs, UsvString, Value};
use crate::environment::Environment;
use crate::service_worker::client::ServiceWorkerClient;

dom_struct! {
    /// <https://w3c.github.io/ServiceWorker/#windowclient>
    pub struct WindowClient {
        pub(crate) parent: Client,
        ancestor_origins: OnceCell<Value>,
    }
}

impl WindowClient {
    /// <https://w3c.github.io/ServiceWorker/#create-windowclient-algorithm>
    pub(super) fn create(realm: &Realm, info: ClientInfo) -> Fallible<Value> {
        let parent = Client::new_inherited(info);
        let this = Self {
            parent,
            ancestor_origins: OnceCell::new(),
        };
        Ok(Dom::new(realm, this)?.value())
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

    /// <https://w3c.github.io/ServiceWorker/#client-ancestororigins>
    fn ancestor_origins(&self, realm: &Realm) -> Fallible<Value> {
        if let Some(origins) = self.ancestor_origins.get() {
            return Ok(origins.clone());
        }
        let origins = self.parent.info().ancestor_origins.iter();
        let origins: Vec<UsvString> = origins.map(|origin| origin.as_str().into()).collect();
        let origins = origins.to_js(realm)?;
        origins.freeze(realm)?;
        Ok(self.ancestor_origins.get_or_init(|| origins).clone())
    }

    /// <https://w3c.github.io/ServiceWorker/#client-focus>
    fn focus(&self, realm: &Realm) -> Fallible<Promise> {
        // Step 1 is up to the host of the windows.
        let client = self.parent.client_id();
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::FocusClient { client })
    }

    /// <https://w3c.github.io/ServiceWorker/#client-navigate>
    fn navigate(&self, realm: &Realm, url: UsvString) -> Fallible<Promise> {
        // Steps 1 and 2; the others are up to the component and the host of the windows.
        let url = Environment::of(realm)?.parse_url(&url)?;
        let client = self.parent.client_id();
        ServiceWorkerClient::of(realm)?.request(realm, SwRequest::NavigateClient { client, url })
    }
}
