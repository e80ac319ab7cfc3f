//! Who controls which client, and which clients use a registration.

use std::collections::BTreeMap;

use base::StorageKey;
use base::exception::ErrorClass;
use base::ids::{ClientId, RegistrationId, WorkerId};
use sw_traits::{ControllerSource, SwAnswer, SwClientEvent};
use url::Url;

use crate::clients::Immediate;
use crate::machine::{SwRegistrations, Task};
use crate::model::{Client, Worker};
use crate::timers::Timer;

impl SwRegistrations {
    /// The active worker that a new client gets.
    ///
    /// <https://w3c.github.io/ServiceWorker/#control-and-use>
    pub(crate) fn controller_for(&mut self, client: &Client) -> Option<(WorkerId, RegistrationId)> {
        let description = &client.description;
        if client.worker().is_some() || !description.secure_context {
            return None;
        }
        match description.controller {
            ControllerSource::Nowhere => None,
            ControllerSource::Client(creator) => {
                self.clients
                    .get(&creator)
                    .filter(|creator| creator.description.storage_key == description.storage_key)?
                    .controller
            }
            ControllerSource::Url => {
                let registration = self
                    .scopes
                    .longest_match(&description.storage_key, &description.creation_url)?;
                // One that is about to go takes no new clients.
                let active = self
                    .registrations
                    .get(&registration)
                    .filter(|found| !found.being_removed)?
                    .active?;
                self.update_after_navigation(registration);
                Some((active, registration))
            }
        }
    }

    /// Each request of a navigation leads to a soft update of what its URL matches.
    ///
    /// <https://w3c.github.io/ServiceWorker/#on-fetch-request-algorithm>
    pub(crate) fn update_what_redirected(&mut self, client: &Client) {
        for url in &client.description.redirected_from {
            let found = StorageKey::from_url(url)
                .ok()
                .and_then(|storage_key| self.scopes.longest_match(&storage_key, url))
                .and_then(|id| self.registrations.get(&id));
            if let Some(found) = found
                && found.active.is_some()
                && !found.being_removed
            {
                self.update_after_navigation(found.id);
            }
        }
    }

    /// A navigation leads to a soft update, but not before the page had time to ask for what it
    /// wants itself.
    fn update_after_navigation(&mut self, registration: RegistrationId) {
        if let Some(delay) = self.policy.update_after_navigation {
            let due = self.now.monotonic.saturating_add(delay);
            self.timers.set(Timer::Update(registration), due);
        }
    }

    /// The load of a client's document or script is redirected: what its new URL matches controls
    /// it.
    pub(crate) fn redirect_client(&mut self, id: ClientId, url: Url) {
        let Some(mut client) = self.clients.remove(&id) else {
            return;
        };
        let description = &mut client.description;
        if description.execution_ready || !description.storage_key.contains(&url) {
            self.clients.insert(id, client);
            return;
        }
        description.creation_url = url;
        let controller = match description.controller {
            ControllerSource::Url => self.controller_for(&client),
            ControllerSource::Client(_) | ControllerSource::Nowhere => client.controller,
        };
        let is_same = controller == client.controller;
        self.clients.insert(id, client);
        if is_same {
            return;
        }
        self.unload_client(id);
        if let Some((worker, registration)) = controller {
            self.set_controller(id, worker, registration);
        }
        self.tell_first_controller(id);
    }

    /// A client learns who controls it, without an event: it has run no script yet.
    pub(crate) fn tell_first_controller(&mut self, id: ClientId) {
        let controller = self
            .clients
            .get(&id)
            .and_then(|client| self.workers.get(&client.controller?.0))
            .map(Worker::info);
        self.tell_client(
            id,
            SwClientEvent::ControllerChanged {
                controller,
                fire: false,
            },
        );
    }

    pub(crate) fn set_controller(
        &mut self,
        id: ClientId,
        worker: WorkerId,
        registration: RegistrationId,
    ) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.controller = Some((worker, registration));
        }
        if let Some(registration) = self.registrations.get_mut(&registration) {
            registration.users.insert(id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#on-client-unload-algorithm>
    pub(crate) fn unload_client(&mut self, id: ClientId) {
        // Steps 2 and 3
        let Some((_, registration)) = self
            .clients
            .get_mut(&id)
            .and_then(|client| client.controller.take())
        else {
            return;
        };
        let Some(found) = self.registrations.get_mut(&registration) else {
            return;
        };
        found.users.remove(&id);
        // Steps 4 to 6
        if found.users.is_empty() {
            self.tasks.push_back(Task::TryClear(registration));
            self.tasks.push_back(Task::TryActivate(registration));
        }
    }

    /// Step 8 of Activate: the clients that use the registration get its active worker.
    pub(crate) fn change_controllers(&mut self, id: RegistrationId, worker: WorkerId) {
        let Some(registration) = self.registrations.get(&id) else {
            return;
        };
        for client in registration.users.clone() {
            self.change_controller(client, worker, id);
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#notify-controller-change-algorithm>
    fn change_controller(&mut self, client: ClientId, worker: WorkerId, id: RegistrationId) {
        self.set_controller(client, worker, id);
        let controller = self.workers.get(&worker).map(Worker::info);
        self.tell_client(
            client,
            SwClientEvent::ControllerChanged {
                controller,
                fire: true,
            },
        );
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-claim>
    pub(crate) fn claim_clients(&mut self, own: WorkerId) -> Immediate {
        // Step 1
        let registration = self
            .workers
            .get(&own)
            .and_then(|worker| self.registrations.get(&worker.registration))
            .filter(|registration| registration.active == Some(own));
        let Some(registration) = registration else {
            return Err(ErrorClass::PageState
                .exception("only the active worker of a registration can claim clients"));
        };
        let id = registration.id;
        let storage_key = &registration.storage_key;
        // Step 3
        let claimed: Vec<ClientId> = self
            .clients_of
            .get(storage_key)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|client| self.clients.get(client))
            .filter(|client| {
                let description = &client.description;
                client.worker().is_none()
                    && description.execution_ready
                    && description.secure_context
                    && self
                        .scopes
                        .longest_match(storage_key, &description.creation_url)
                        == Some(id)
                    && client.controller.is_none_or(|(worker, _)| worker != own)
            })
            .map(|client| client.description.id)
            .collect();
        for client in claimed {
            self.unload_client(client);
            self.change_controller(client, own, id);
        }
        Ok(Some(SwAnswer::Done))
    }
}
