//! Windows: they come and go, and ask for things while they are there.

use std::time::Duration;

use base::DomString;
use base::ids::ClientId;
use sw_traits::{ClientDescription, ClientKind, SwRequest, UpdateViaCache, WorkerType};
use sync_traits::SyncRequest;

use crate::context::{Context, SwMessage};
use crate::random::Random;
use crate::sites::ScopeIndex;

/// How many windows are open at most.
const MOST: usize = 5;

#[derive(Clone, Copy, Debug)]
struct Page {
    client: ClientId,
    scope: ScopeIndex,
}

/// The windows that are open.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    open: Vec<Page>,
}

impl Pages {
    pub(crate) fn open(&mut self, context: &mut Context, scope: ScopeIndex) {
        if self.open.len() >= MOST {
            return;
        }
        let client = context.next_client();
        let site = &context.sites.scopes[scope];
        let description = ClientDescription::new(
            client,
            site.storage_key.clone(),
            site.url.clone(),
            ClientKind::Window,
        );
        context.note(|| format!("page {client} opens {}", description.creation_url));
        context
            .to_service_workers
            .push_back(SwMessage::Attach(description));
        self.open.push(Page { client, scope });
    }

    pub(crate) fn close_one(&mut self, context: &mut Context) {
        if self.open.is_empty() {
            return;
        }
        let page = self.open.remove(context.random.below(self.open.len()));
        context.note(|| format!("page {} closes", page.client));
        context
            .to_service_workers
            .push_back(SwMessage::Detach(page.client));
    }

    /// The process has ended.
    pub(crate) fn kill_all(&mut self) {
        self.open.clear();
    }

    /// Some page, and its scope; or another scope of its origin, because pages may do that.
    fn pick(&self, context: &mut Context) -> Option<(ClientId, ScopeIndex)> {
        if self.open.is_empty() {
            return None;
        }
        let page = *context.random.pick(&self.open);
        let storage_key = context.sites.scopes[page.scope].storage_key.clone();
        let scopes: Vec<ScopeIndex> = context.sites.of_origin(&storage_key).collect();
        let scope = if context.random.chance(80) {
            page.scope
        } else {
            *context.random.pick(&scopes)
        };
        Some((page.client, scope))
    }

    /// The page that is open at a scope.
    pub(crate) fn client_at(&self, scope: ScopeIndex) -> Option<ClientId> {
        let page = self.open.iter().find(|page| page.scope == scope);
        page.map(|page| page.client)
    }

    /// The page at a scope registers the worker of its site.
    pub(crate) fn register_own_worker(&self, context: &mut Context, scope: ScopeIndex) {
        if let Some(client) = self.client_at(scope) {
            register(context, client, scope);
        }
    }

    pub(crate) fn register_worker(&self, context: &mut Context) {
        if let Some((client, scope)) = self.pick(context) {
            register(context, client, scope);
        }
    }

    pub(crate) fn unregister_worker(&self, context: &mut Context) {
        if let Some((client, scope)) = self.pick(context) {
            let scope = context.sites.scopes[scope].url.clone();
            context.request_service_workers(client, SwRequest::Unregister { scope });
        }
    }

    /// The site publishes a new version of its script, and a page asks for it.
    pub(crate) fn update_worker(&self, context: &mut Context) {
        if let Some((client, scope)) = self.pick(context) {
            let site = context.sites.scopes[scope].clone();
            context.internet.publish(&site.script, false);
            let body = SwRequest::Update { scope: site.url };
            context.request_service_workers(client, body);
        }
    }

    pub(crate) fn register(&self, context: &mut Context, tags: &[&str]) {
        if let Some((client, scope)) = self.pick(context) {
            let tag = DomString::from(*context.random.pick(tags));
            context.request_sync(client, scope, SyncRequest::Register { tag });
        }
    }

    pub(crate) fn register_periodic(&self, context: &mut Context, tags: &[&str]) {
        if let Some((client, scope)) = self.pick(context) {
            let tag = DomString::from(*context.random.pick(tags));
            let min_interval = some_interval(&mut context.random);
            let body = SyncRequest::RegisterPeriodic { tag, min_interval };
            context.request_sync(client, scope, body);
        }
    }

    pub(crate) fn unregister_periodic(&self, context: &mut Context, tags: &[&str]) {
        if let Some((client, scope)) = self.pick(context) {
            let tag = DomString::from(*context.random.pick(tags));
            context.request_sync(client, scope, SyncRequest::UnregisterPeriodic { tag });
        }
    }

    pub(crate) fn tags(&self, context: &mut Context) {
        if let Some((client, scope)) = self.pick(context) {
            let body = if context.random.chance(60) {
                SyncRequest::Tags
            } else {
                SyncRequest::PeriodicTags
            };
            context.request_sync(client, scope, body);
        }
    }
}

fn register(context: &mut Context, client: ClientId, scope: ScopeIndex) {
    let site = &context.sites.scopes[scope];
    let body = SwRequest::Register {
        scope: Some(site.url.clone()),
        script_url: site.script.clone(),
        worker_type: WorkerType::Classic,
        update_via_cache: UpdateViaCache::Imports,
    };
    context.request_service_workers(client, body);
}

/// What a page passes as `minInterval`.
pub(crate) fn some_interval(random: &mut Random) -> Duration {
    let hours = *random.pick(&[0, 1, 12, 13, 48]);
    Duration::from_secs(hours * 60 * 60)
}
