//! A document in its realm, from its creation to its end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use base::channel::Callback;
use base::ids::ClientId;
use net::ReferrerPolicy;
use sw_traits::ControllerSource;
use url::Url;

use super::agent::Agent;
use super::browsing_context::BrowsingContext;
use super::delegate::PageDelegate;
use super::evaluate::evaluate;
use super::frames;
use super::load::{Loaded, Loader};
use super::navigation::Initiator;
use super::page::{NewPage, Page};
use super::sandbox::{Restriction, Sandbox};
use crate::bindings::generated::EventInit;
use crate::bindings::report::report_exception;
use crate::bindings::{Dom, Error, Fallible, GlobalKind, RealmHandle, RealmOptions};
use crate::dom::document::{self, Document};
use crate::dom::event_target::EventTarget;
use crate::dom::page_transition_event::PageTransitionEvent;
use crate::dom::window::Window;
use crate::dom_tree::{DecodedDocument, decode_document};
use crate::environment::{Environment, Origin};
use crate::indexed_database;
use crate::service_worker::{self, reserved::ReservedClient};
use crate::services::ScriptReport;

/// What a document is made of.
///
/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#navigation-params>
pub(super) struct NewDocument {
    pub(super) loaded: Loaded,
    pub(super) origin: Origin,
    pub(super) base_url: Url,
    pub(super) controller: ControllerSource,
    /// The client that it is, if there was one before it.
    pub(super) reserved: Option<ReservedClient>,
    /// Whether everything around it, and the way it came, can be trusted.
    pub(super) is_secure: bool,
    pub(super) referrer: Option<Url>,
    /// That of the document that it comes from, unless the server names one.
    pub(super) referrer_policy: ReferrerPolicy,
    /// <https://html.spec.whatwg.org/multipage/dom.html#is-initial-about:blank>
    pub(super) is_initial: bool,
    /// What it may not do.
    pub(super) sandbox: Sandbox,
}

/// A document in its realm. Fields are dropped in order: values go before the realm.
pub(super) struct OpenDocument {
    pub(super) loader: Loader,
    pub(super) page: Rc<Page>,
    /// Whether the embedder knows that it has loaded.
    pub(super) reported: Cell<bool>,
    pub(super) is_initial: Cell<bool>,
    pub(super) realm: RealmHandle,
}

impl OpenDocument {
    /// The empty document that a new browsing context shows at first. It is loaded from the start,
    /// without events.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-sequences.html#creating-a-new-browsing-context>
    pub(super) fn initial(
        agent: &Agent,
        context: &Rc<BrowsingContext>,
        creator: Option<Initiator>,
    ) -> Fallible<Rc<Self>> {
        let url = frames::about_blank();
        let sandboxed = context.sandbox.get().forbids(Restriction::Origin);
        let origin = creator.as_ref().filter(|_| !sandboxed);
        let controller = origin.and_then(|creator| creator.controller.clone());
        let new = NewDocument {
            loaded: Loaded::html(&url, None),
            origin: origin.map_or_else(Origin::opaque, |creator| creator.origin.clone()),
            base_url: creator
                .as_ref()
                .map_or(url, |creator| creator.base_url.clone()),
            controller: origin.map_or(ControllerSource::Nowhere, |creator| {
                ControllerSource::Client(creator.client)
            }),
            reserved: None,
            is_secure: creator.as_ref().is_some_and(|creator| creator.is_secure),
            referrer_policy: creator
                .as_ref()
                .map_or_else(ReferrerPolicy::default, |creator| creator.referrer_policy),
            referrer: creator.and_then(|creator| creator.referrer_source),
            is_initial: true,
            sandbox: context.sandbox.get(),
        };
        let document = Self::create(agent, context, new)?;
        if let Some(controller) = controller {
            service_worker::inherit_controller(&document.realm, controller);
        }
        Ok(document)
    }

    /// Make the realm of a document.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#initialise-the-document-object>
    pub(super) fn create(
        agent: &Agent,
        context: &Rc<BrowsingContext>,
        new: NewDocument,
    ) -> Fallible<Rc<Self>> {
        let services = &agent.services;
        let loaded = new.loaded;
        let id = new.reserved.as_ref().map(ReservedClient::id);
        let id = id.unwrap_or_else(ClientId::random);
        let environment = Environment::new(id, loaded.url.clone(), services.clone())
            .inherited(new.origin, new.base_url)
            .within(context.ancestor_origins());
        let outer = context
            .container_page()
            .filter(|_| loaded.url.as_str() == "about:srcdoc");
        if let Some(source) = outer.and_then(|outer| outer.environment.referrer_source()) {
            environment.set_referrer_source(source);
        }
        environment.set_referrer_policy(new.referrer_policy);
        environment.take_referrer_policy(&loaded.referrer_policy);
        let environment = Rc::new(environment);
        let options = RealmOptions {
            kind: GlobalKind::Window,
            secure_context: new.is_secure,
            delegate: Rc::new(PageDelegate::new(
                services.clone(),
                loaded.url.clone(),
                Rc::clone(&agent.stopped),
            )),
            clock: Arc::clone(&services.clock),
        };
        let realm = agent.runtime.create_realm(options, |_| Window::new())?;
        let decoded = text_of(&loaded);
        let page = Rc::new(Page::new(NewPage {
            environment: Rc::clone(&environment),
            content_type: loaded
                .content_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            encoding: decoded.encoding,
            referrer: new.referrer,
            context: Rc::clone(context),
            sandbox: new.sandbox,
        }));
        realm.add_service(environment);
        realm.add_service(Rc::clone(&page));
        realm.add_service(Rc::clone(&agent.event_loop));
        context.show(&realm)?;
        let missing = || Error::Type("the global object is no window".to_owned());
        let window: Dom<Window> = realm.global().ok_or_else(missing)?;
        let target = realm.global::<EventTarget>().ok_or_else(missing)?;
        service_worker::attach_document(
            &realm,
            context.frame_type(),
            new.controller,
            context.serialized_ancestor_origins(),
            new.reserved,
        )?;
        services
            .user_agent
            .windows
            .add(page.environment.client, agent.event_loop.sender());
        if context.is_top_level() {
            agent.bindings.define(&realm)?;
        }
        let document = Document::new(&realm, &page.store, target)?;
        window.set_document(document.clone());
        let loader = Loader::new(Rc::clone(&page), document, window, &decoded.text);
        if new.is_initial {
            loader.finish_silently();
        }
        Ok(Rc::new(Self {
            loader,
            page,
            reported: Cell::new(new.is_initial),
            is_initial: Cell::new(new.is_initial),
            realm,
        }))
    }

    /// Whether it is the empty document that the browsing context began with.
    pub(super) fn is_initial(&self) -> bool {
        self.is_initial.get()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.page.environment.full_origin
    }

    /// Its window gets the listeners of the window of the document that it replaces.
    ///
    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#initialise-the-document-object>
    pub(super) fn adopt_listeners(&self, initial: &Self) {
        let targets = (
            self.realm.global::<EventTarget>(),
            initial.realm.global::<EventTarget>(),
        );
        if let (Some(heir), Some(former)) = targets {
            heir.adopt_listeners(&former);
        }
    }

    /// Whether the parser has more to do, as far as it is not waiting for a script.
    pub(super) fn is_parsing(&self) -> bool {
        self.loader.is_parsing()
    }

    /// Its object.
    pub(super) fn node(&self) -> Dom<Document> {
        self.loader.document()
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
        if !service_worker::controller_is_known(&self.realm) {
            return false;
        }
        let Some(step) = self.loader.next() else {
            return false;
        };
        agent
            .event_loop
            .run_task(|| self.loader.advance(&self.realm, &step));
        if self.is_loaded() && !self.reported.replace(true) {
            self.tell_that_it_is_loaded(agent);
        }
        true
    }

    /// <https://html.spec.whatwg.org/multipage/document-lifecycle.html#completely-finish-loading>
    fn tell_that_it_is_loaded(&self, agent: &Agent) {
        let context = &self.page.context;
        if context.is_top_level() {
            let url = self.page.url();
            agent.services.report.call(ScriptReport::PageLoaded { url });
            return;
        }
        if let Some((element, outer)) = context.container_document() {
            agent.event_loop.run_task(|| {
                frames::fire_load(&outer.page, &outer.realm, element);
            });
        }
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

    /// Fire an event at the window that its listeners may cancel.
    pub(super) fn fire_cancelable(&self, type_: &str) {
        let init = EventInit {
            cancelable: true,
            ..EventInit::default()
        };
        let fired = self
            .realm
            .global::<EventTarget>()
            .map(|window| window.fire_event(&self.realm, type_, &init));
        if let Some(Err(error)) = fired {
            report_exception(&self.realm, error);
        }
    }

    /// The document is shown, or is not any more.
    pub(super) fn fire_page_transition(&self, type_: &str) {
        if let Err(error) = PageTransitionEvent::fire(&self.realm, type_) {
            report_exception(&self.realm, error);
        }
    }

    /// Nobody can see the document any more.
    ///
    /// <https://html.spec.whatwg.org/multipage/interaction.html#update-the-visibility-state>
    pub(super) fn hide(&self) {
        self.page.set_hidden();
        let fired = document::fire(&self.node(), &self.realm, "visibilitychange", true);
        if let Err(error) = fired {
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
        let windows = &agent.services.user_agent.windows;
        windows.remove(self.page.environment.client);
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
