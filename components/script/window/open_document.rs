//! A document in its realm, from its creation to its end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use base::channel::Callback;
use base::ids::ClientId;
use sw_traits::FrameType;
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::delegate::PageDelegate;
use super::evaluate::evaluate;
use super::load::{Loaded, Loader};
use super::navigation::Navigation;
use super::page::Page;
use crate::bindings::report::report_exception;
use crate::bindings::{Dom, Error, Fallible, GlobalKind, RealmHandle, RealmOptions};
use crate::dom::document::Document;
use crate::dom::event_target::EventTarget;
use crate::dom::window::Window;
use crate::dom_tree::{DecodedDocument, decode_document};
use crate::environment::Environment;
use crate::indexed_database;
use crate::service_worker;
use crate::services::ScriptReport;

/// A document in its realm. Fields are dropped in order: values go before the realm.
pub(super) struct OpenDocument {
    loader: Loader,
    pub(super) page: Rc<Page>,
    /// Whether the embedder knows that it has loaded.
    reported: Cell<bool>,
    realm: RealmHandle,
}

impl OpenDocument {
    /// Make the realm of a document.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#initialise-the-document-object>
    pub(super) fn create(
        agent: &Agent,
        context: &Rc<BrowsingContext>,
        navigation: &Navigation,
        loaded: Loaded,
    ) -> Fallible<Rc<Self>> {
        let services = &agent.services;
        let environment =
            Environment::new(ClientId::random(), loaded.url.clone(), services.clone());
        let environment = Rc::new(environment);
        let secure = environment.origin.as_ref();
        let options = RealmOptions {
            kind: GlobalKind::Window,
            secure_context: secure.is_some_and(base::StorageKey::is_potentially_trustworthy),
            delegate: Rc::new(PageDelegate::new(
                services.clone(),
                loaded.url.clone(),
                Rc::clone(&agent.stopped),
            )),
            clock: Arc::clone(&services.clock),
        };
        let realm = agent.runtime.create_realm(options, |_| Window::new())?;
        let decoded = text_of(&loaded);
        let page = Rc::new(Page::new(
            Rc::clone(&environment),
            loaded
                .content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            decoded.encoding,
            navigation.referrer.clone(),
            Rc::clone(context),
        ));
        realm.add_service(environment);
        realm.add_service(Rc::clone(&page));
        realm.add_service(Rc::clone(&agent.event_loop));
        let missing = || Error::Type("the global object is no window".to_owned());
        let window: Dom<Window> = realm.global().ok_or_else(missing)?;
        let target = realm.global::<EventTarget>().ok_or_else(missing)?;
        service_worker::attach_window(&realm, FrameType::TopLevel)?;
        agent.bindings.define(&realm)?;
        let document = Document::new(&realm, &page.store, target)?;
        window.set_document(document.clone());
        Ok(Rc::new(Self {
            loader: Loader::new(Rc::clone(&page), document, window, &decoded.text),
            page,
            reported: Cell::new(false),
            realm,
        }))
    }

    /// The URL with which it was created.
    pub(super) fn creation_url(&self) -> Url {
        self.page.environment.creation_url.clone()
    }

    /// Whether its `load` event was fired.
    pub(super) fn is_loaded(&self) -> bool {
        self.loader.is_loaded()
    }

    /// Load on, a step as a task of its own. Returns whether there was one.
    pub(super) fn advance(&self, agent: &Agent) -> bool {
        let Some(step) = self.loader.next() else {
            return false;
        };
        agent
            .event_loop
            .run_task(|| self.loader.advance(&self.realm, &step));
        if self.is_loaded() && !self.reported.replace(true) {
            let url = self.page.url();
            agent.services.report.call(ScriptReport::PageLoaded { url });
        }
        true
    }

    pub(super) fn evaluate(&self, script: &str, done: Callback<Result<String, String>>) {
        evaluate(&self.realm, script, done);
    }

    /// Fire an event at the window.
    pub(super) fn fire(&self, type_: &str) {
        if let Err(error) = self.loader.fire_at_window(&self.realm, type_) {
            report_exception(&self.realm, error);
        }
    }

    /// End what the document has begun.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#destroy-a-document>
    pub(super) fn destroy(&self, agent: &Agent) {
        crate::fetch::terminate(&self.realm);
        crate::user_agent::detach(&self.realm);
        service_worker::detach(&self.realm);
        crate::permission_watch::detach(&self.realm);
        crate::network_watch::detach(&self.realm);
        crate::cache_client::detach(&self.realm);
        indexed_database::detach(&self.realm);
        agent.event_loop.discard(&self.realm);
    }
}

/// The text of a document. What is not HTML is shown as it is.
///
/// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#read-text>
fn text_of(loaded: &Loaded) -> DecodedDocument {
    let mut decoded = decode_document(&loaded.body, Some(&loaded.content_type));
    if !loaded.is_html {
        decoded.text = format!(
            "<!doctype html><pre>{}</pre>",
            decoded.text.replace('&', "&amp;").replace('<', "&lt;")
        );
    }
    decoded
}
