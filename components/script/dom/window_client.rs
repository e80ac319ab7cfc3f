//! <https://w3c.github.io/ServiceWorker/#windowclient>

use sw_traits::ClientInfo;

use super::client::Client;
use super::clients::no_user_activation;
use crate::bindings::generated::{DocumentVisibilityState, WindowClientMethods};
use crate::bindings::{Dom, Fallible, Promise, Realm, Value};

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
    /// Every window of an engine without a screen is as good as visible.
    fn visibility_state(&self, _: &Realm) -> DocumentVisibilityState {
        DocumentVisibilityState::Visible
    }

    fn focused(&self, _: &Realm) -> bool {
        self.parent.is_focused()
    }

    /// <https://w3c.github.io/ServiceWorker/#client-focus>
    fn focus(&self, _: &Realm) -> Fallible<Promise> {
        // Step 1: nobody uses the windows of an engine without a screen.
        Err(no_user_activation())
    }
}
