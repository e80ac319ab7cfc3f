//! What service workers ask for: other clients, messages to them, and control over them.

use std::collections::BTreeMap;

use base::exception::ErrorClass;
use base::ids::{ClientId, WorkerId};
use sw_traits::{
    ClientInfo, ClientTypeFilter, FrameType, MessageSource, SerializedMessage, SwAnswer,
    SwClientEvent, SwRequest,
};

use crate::clients::Immediate;
use crate::machine::SwRegistrations;
use crate::model::{Client, Worker};

impl SwRegistrations {
    /// What only a service worker may ask for.
    pub(crate) fn worker_request(&mut self, id: ClientId, body: SwRequest) -> Immediate {
        let own = self
            .clients
            .get(&id)
            .and_then(|client| self.own_worker(client));
        let Some(own) = own.map(|own| own.id) else {
            return Err(ErrorClass::Security.exception("only a service worker may ask for this"));
        };
        match body {
            SwRequest::MatchAllClients {
                include_uncontrolled,
                client_type,
            } => Ok(Some(self.match_all_clients(
                id,
                own,
                include_uncontrolled,
                client_type,
            ))),
            SwRequest::GetClient { id: wanted } => self.client_by_id(id, wanted),
            SwRequest::ClaimClients => self.claim_clients(own),
            SwRequest::SkipWaiting => Ok(Some(self.skip_waiting(own))),
            SwRequest::PostMessageToClient { client, message } => {
                self.post_message_to_client(id, own, client, message);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The newest window is the focused one.
    pub(crate) fn is_focused(&self, client: &Client) -> bool {
        self.own_windows
            .last()
            .is_some_and(|(_, id)| *id == client.description.id)
    }

    /// The secure windows of the origin of a client, in order of creation.
    fn windows_of_origin(&self, id: ClientId) -> impl Iterator<Item = &Client> {
        let storage_key = self
            .clients
            .get(&id)
            .map(|client| &client.description.storage_key);
        storage_key
            .and_then(|storage_key| self.clients_of.get(storage_key))
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|id| self.clients.get(id))
            .filter(|client| client.is_window())
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-matchall>
    fn match_all_clients(
        &self,
        id: ClientId,
        own: WorkerId,
        include_uncontrolled: bool,
        client_type: ClientTypeFilter,
    ) -> SwAnswer {
        if matches!(
            client_type,
            ClientTypeFilter::Worker | ClientTypeFilter::SharedWorker
        ) {
            return SwAnswer::Clients(Vec::new());
        }
        // Steps 2.1 and 2.2
        let mut targets: Vec<&Client> = self
            .windows_of_origin(id)
            .filter(|client| client.description.secure_context)
            .filter(|client| {
                include_uncontrolled || client.controller.is_some_and(|(worker, _)| worker == own)
            })
            .collect();
        // Step 2.6.4: each window had the focus when it was new; frames never had it.
        targets.sort_by_key(|client| {
            let is_frame = client.description.frame_type == FrameType::Nested;
            (
                is_frame,
                if is_frame {
                    client.order
                } else {
                    u64::MAX - client.order
                },
            )
        });
        let infos: Vec<ClientInfo> = targets
            .into_iter()
            .map(|client| client.info(self.is_focused(client)))
            .collect();
        SwAnswer::Clients(infos)
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-get>
    fn client_by_id(&self, id: ClientId, wanted: Option<ClientId>) -> Immediate {
        let found = self
            .windows_of_origin(id)
            .find(|client| Some(client.description.id) == wanted);
        match found {
            Some(client) if !client.description.secure_context => {
                Err(ErrorClass::Security.exception("the client is not in a secure context"))
            }
            found => {
                let infos = found.map(|client| client.info(self.is_focused(client)));
                Ok(Some(SwAnswer::Clients(infos.into_iter().collect())))
            }
        }
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-claim>
    fn claim_clients(&mut self, own: WorkerId) -> Immediate {
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
                client.is_window()
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

    /// <https://w3c.github.io/ServiceWorker/#service-worker-global-scope-skipwaiting>
    fn skip_waiting(&mut self, own: WorkerId) -> SwAnswer {
        if let Some(worker) = self.workers.get_mut(&own) {
            // Step 2.1
            worker.skip_waiting = true;
            let registration = worker.registration;
            // Step 2.2
            self.try_activate(registration);
        }
        SwAnswer::Done
    }

    /// <https://w3c.github.io/ServiceWorker/#client-postmessage-options>
    fn post_message_to_client(
        &mut self,
        id: ClientId,
        own: WorkerId,
        client: ClientId,
        message: SerializedMessage,
    ) {
        let target = self
            .windows_of_origin(id)
            .any(|found| found.description.id == client);
        let source = self
            .workers
            .get(&own)
            .map(Worker::info)
            .map(MessageSource::ServiceWorker);
        if let (true, Some(source)) = (target, source) {
            self.tell_client(client, SwClientEvent::Message { source, message });
        }
    }
}
