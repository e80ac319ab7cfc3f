//! Windows that service workers have opened, navigated and focused.

use base::StorageKey;
use base::exception::DomException;
use base::ids::{ClientId, RequestId, WorkerId};
use sw_traits::{SwAnswer, WindowRequest, WindowResult};
use url::Url;

use crate::clients::Immediate;
use crate::machine::SwRegistrations;
use crate::model::Client;
use crate::output::Output;

/// A request of a service worker that the host of the windows has not answered.
#[derive(Debug)]
pub(crate) struct PendingWindowRequest {
    storage_key: StorageKey,
    client: ClientId,
    request: RequestId,
    /// The result has to have the focus.
    is_focus: bool,
}

impl SwRegistrations {
    /// <https://w3c.github.io/ServiceWorker/#clients-openwindow>
    pub(crate) fn open_window(&mut self, id: ClientId, request: RequestId, url: Url) -> Immediate {
        // Step 3
        check_is_not_blank(&url)?;
        let Some(client) = self.clients.get(&id) else {
            return Ok(None);
        };
        let storage_key = client.description.storage_key.clone();
        // Steps 4 to 7 are the host's.
        self.ask_window_host(id, request, WindowRequest::Open { storage_key, url })
    }

    /// <https://w3c.github.io/ServiceWorker/#client-navigate>
    pub(crate) fn navigate_client(
        &mut self,
        (id, own): (ClientId, WorkerId),
        request: RequestId,
        client: ClientId,
        url: Url,
    ) -> Immediate {
        // Step 3
        check_is_not_blank(&url)?;
        // Step 4
        let is_controlled = self
            .window_of_origin(id, client)?
            .controller
            .is_some_and(|(worker, _)| worker == own);
        if !is_controlled {
            return Err(DomException::type_error(
                "this service worker is not the active one of the client",
            ));
        }
        self.ask_window_host(id, request, WindowRequest::Navigate { client, url })
    }

    /// <https://w3c.github.io/ServiceWorker/#client-focus>
    pub(crate) fn focus_client(
        &mut self,
        id: ClientId,
        request: RequestId,
        client: ClientId,
    ) -> Immediate {
        self.window_of_origin(id, client)?;
        self.ask_window_host(id, request, WindowRequest::Focus { client })
    }

    /// A window of the origin of `id`. One of another origin is as if it was not there.
    fn window_of_origin(&self, id: ClientId, wanted: ClientId) -> Result<&Client, DomException> {
        self.clients_seen_by(id)
            .find(|client| client.is_window() && client.description.id == wanted)
            .ok_or_else(|| DomException::type_error("the client is gone"))
    }

    fn ask_window_host(
        &mut self,
        id: ClientId,
        request_id: RequestId,
        request: WindowRequest,
    ) -> Immediate {
        let Some(client) = self.clients.get(&id) else {
            return Ok(None);
        };
        let storage_key = client.description.storage_key.clone();
        self.count_unanswered(&storage_key)?;
        let number = self.next_id();
        let pending = PendingWindowRequest {
            storage_key,
            client: id,
            request: request_id,
            is_focus: matches!(request, WindowRequest::Focus { .. }),
        };
        self.window_requests.insert(number, pending);
        self.outputs
            .push_back(Output::AskWindowHost { number, request });
        Ok(None)
    }

    pub(crate) fn window_request_ended(&mut self, number: u64, result: WindowResult) {
        let Some(pending) = self.window_requests.remove(&number) else {
            return;
        };
        self.uncount_unanswered(&pending.storage_key, 1);
        let result = result.and_then(|shown| self.window_answer(&pending, shown));
        self.answer(pending.client, pending.request, result);
    }

    fn window_answer(
        &self,
        pending: &PendingWindowRequest,
        shown: Option<ClientId>,
    ) -> Result<SwAnswer, DomException> {
        // What is of another origin is null.
        let info = shown
            .and_then(|shown| self.clients.get(&shown))
            .filter(|shown| {
                shown.is_window() && shown.description.storage_key == pending.storage_key
            })
            .and_then(|shown| shown.info(self.is_focused(shown)));
        if pending.is_focus && !info.as_ref().is_some_and(|info| info.focused) {
            return Err(DomException::type_error("the client did not get the focus"));
        }
        Ok(SwAnswer::WindowClient(info.map(Box::new)))
    }
}

fn check_is_not_blank(url: &Url) -> Result<(), DomException> {
    if url.as_str() == "about:blank" {
        return Err(DomException::type_error("about:blank is not possible"));
    }
    Ok(())
}
