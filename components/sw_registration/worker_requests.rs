//! What service workers ask for: other clients, and messages to them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base::exception::{DomException, ErrorClass};
use base::ids::{ClientId, RequestId, WorkerId};
use sw_traits::{
    ClientType, ClientTypeFilter, MessageSource, SerializedMessage, SwAnswer, SwClientEvent,
    SwRequest,
};

use crate::clients::Immediate;
use crate::machine::SwRegistrations;
use crate::model::{Client, Worker};

impl SwRegistrations {
    /// What only a service worker may ask for.
    pub(crate) fn worker_request(
        &mut self,
        id: ClientId,
        request: RequestId,
        body: SwRequest,
    ) -> Immediate {
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
            SwRequest::GetClient { id: wanted } => self.client_by_id(id, request, wanted),
            SwRequest::ClaimClients => self.claim_clients(own),
            SwRequest::SkipWaiting => Ok(Some(self.skip_waiting(own))),
            SwRequest::OpenWindow { url } => self.open_window(id, request, url),
            SwRequest::NavigateClient { client, url } => {
                self.navigate_client((id, own), request, client, url)
            }
            SwRequest::FocusClient { client } => self.focus_client(id, request, client),
            SwRequest::PostMessageToClient { client, message } => {
                self.post_message_to_client(id, own, client, message);
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Of the windows that a person can bring to the front, the one that got the focus last has it.
    pub(crate) fn is_focused(&self, client: &Client) -> bool {
        client.focused
            && (!client.is_own_window()
                || self
                    .own_windows
                    .last()
                    .is_some_and(|(_, id)| *id == client.description.id))
    }

    /// The clients of the origin of a service worker, but for service workers, in order of creation.
    pub(crate) fn clients_seen_by(&self, id: ClientId) -> impl Iterator<Item = &Client> {
        let storage_key = self
            .clients
            .get(&id)
            .map(|client| &client.description.storage_key);
        storage_key
            .and_then(|storage_key| self.clients_of.get(storage_key))
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|id| self.clients.get(id))
            .filter(|client| client.worker().is_none())
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-matchall>
    fn match_all_clients(
        &self,
        id: ClientId,
        own: WorkerId,
        include_uncontrolled: bool,
        client_type: ClientTypeFilter,
    ) -> SwAnswer {
        let is_wanted = |found: ClientType| match client_type {
            ClientTypeFilter::Window => found == ClientType::Window,
            ClientTypeFilter::Worker => found == ClientType::Worker,
            ClientTypeFilter::SharedWorker => found == ClientType::SharedWorker,
            ClientTypeFilter::All => true,
        };
        // Steps 4.1 to 4.5
        let mut targets: Vec<&Client> = self
            .clients_seen_by(id)
            .filter(|client| {
                client.description.execution_ready
                    && client.description.secure_context
                    && client.client_type().is_some_and(is_wanted)
                    && (include_uncontrolled
                        || client.controller.is_some_and(|(worker, _)| worker == own))
            })
            .collect();
        // Step 4.6.4
        targets.sort_by_key(|client| {
            let never_focused = client.focus_order.is_none();
            (
                !client.is_window(),
                never_focused,
                client.focus_order.map(Reverse),
                client.order,
            )
        });
        let infos = targets
            .into_iter()
            .filter_map(|client| client.info(self.is_focused(client)));
        SwAnswer::Clients(infos.collect())
    }

    /// <https://w3c.github.io/ServiceWorker/#clients-get>
    fn client_by_id(
        &mut self,
        id: ClientId,
        request: RequestId,
        wanted: Option<ClientId>,
    ) -> Immediate {
        // Step 2.1.1
        let found = self
            .clients_seen_by(id)
            .find(|client| Some(client.description.id) == wanted);
        let Some(found) = found else {
            return Ok(Some(SwAnswer::Clients(Vec::new())));
        };
        let wanted = found.description.id;
        // Step 2.1.2
        if !found.description.execution_ready {
            let storage_key = found.description.storage_key.clone();
            self.count_unanswered(&storage_key)?;
            if let Some(found) = self.clients.get_mut(&wanted) {
                found.wanted_by.push((id, request));
            }
            return Ok(None);
        }
        // Step 2.1.3
        self.resolve_client(wanted).map(Some)
    }

    /// <https://w3c.github.io/ServiceWorker/#resolve-get-client-promise-algorithm>
    pub(crate) fn resolve_client(&self, wanted: ClientId) -> Result<SwAnswer, DomException> {
        let found = self.clients.get(&wanted);
        // Step 1
        if found.is_some_and(|client| !client.description.secure_context) {
            return Err(ErrorClass::Security.exception("the client is not in a secure context"));
        }
        // Steps 3 and 4
        let info = found.and_then(|client| client.info(self.is_focused(client)));
        Ok(SwAnswer::Clients(info.into_iter().collect()))
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
            .clients_seen_by(id)
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
