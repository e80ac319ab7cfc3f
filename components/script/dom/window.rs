//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-window-object>

use std::cell::OnceCell;
use std::rc::Rc;

use super::crypto::Crypto;
use super::document::Document;
use super::event_target::EventTarget;
use super::history::History;
use super::location::Location;
use super::navigator::Navigator;
use super::performance::Performance;
use super::window_or_worker_global_scope::same;
use crate::bindings::generated::{
    FrameRequestCallback, Function, FunctionOrDomString, WindowMethods, WindowPostMessageOptions,
};
use crate::bindings::{Dom, DomString, Error, Fallible, Flags, Object, Realm, UsvString, Value};
use crate::event_loop::EventLoop;
use crate::messaging;
use crate::network_watch;
use crate::window::auxiliary;
use crate::window::browsing_context::BrowsingContext;
use crate::window::page::Page;

/// How long a frame takes.
const FRAME_MILLIS: i32 = 16;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-window-object>
    pub struct Window {
        pub(crate) parent: EventTarget,
        document: OnceCell<Dom<Document>>,
        location: OnceCell<Dom<Location>>,
        history: OnceCell<Dom<History>>,
        navigator: OnceCell<Dom<Navigator>>,
        performance: OnceCell<Dom<Performance>>,
        crypto: OnceCell<Dom<Crypto>>,
    }
}

impl Window {
    /// The global object of a page.
    pub fn new() -> Self {
        let parent = EventTarget::new_inherited();
        parent.set_listener_observer(network_watch::listeners_changed);
        Self {
            parent,
            document: OnceCell::new(),
            location: OnceCell::new(),
            history: OnceCell::new(),
            navigator: OnceCell::new(),
            performance: OnceCell::new(),
            crypto: OnceCell::new(),
        }
    }

    /// Gives the window its document, once.
    pub(crate) fn set_document(&self, document: Dom<Document>) {
        // A window is made for its document.
        let _ = self.document.set(document);
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-history>
    pub(crate) fn history_object(&self, realm: &Realm) -> Fallible<Dom<History>> {
        same(&self.history, || History::new(realm))
    }

    /// Its location.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn location_object(&self, realm: &Realm) -> Fallible<Dom<Location>> {
        same(&self.location, || Location::new(realm))
    }
}

/// The browsing context of a window's document, if it is shown there.
fn context(realm: &Realm) -> Option<Rc<BrowsingContext>> {
    let page = realm.service::<Page>()?;
    page.is_active().then(|| Rc::clone(&page.context))
}

fn proxy(context: Option<Rc<BrowsingContext>>) -> Value {
    context
        .and_then(|context| context.proxy())
        .unwrap_or_else(Value::null)
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl WindowMethods for Window {
    fn window(&self, realm: &Realm) -> Value {
        realm.global_value()
    }

    fn self_(&self, realm: &Realm) -> Value {
        realm.global_value()
    }

    fn top(&self, realm: &Realm) -> Value {
        proxy(context(realm).map(|context| context.top()))
    }

    fn frames(&self, realm: &Realm) -> Value {
        realm.global_value()
    }

    fn parent(&self, realm: &Realm) -> Value {
        proxy(context(realm).map(|context| context.parent().unwrap_or(context)))
    }

    fn frame_element(&self, realm: &Realm) -> Fallible<Value> {
        let Some(context) = context(realm) else {
            return Ok(Value::null());
        };
        let container = context.container_for(realm)?;
        Ok(container.map_or_else(Value::null, |element| element.value()))
    }

    fn document(&self, _: &Realm) -> Fallible<Dom<Document>> {
        self.document
            .get()
            .cloned()
            .ok_or_else(|| Error::Type("The window has no document.".to_owned()))
    }

    fn location(&self, realm: &Realm) -> Fallible<Dom<Location>> {
        self.location_object(realm)
    }

    fn history(&self, realm: &Realm) -> Fallible<Dom<History>> {
        self.history_object(realm)
    }

    fn navigator(&self, realm: &Realm) -> Fallible<Dom<Navigator>> {
        same(&self.navigator, || Navigator::new(realm))
    }

    fn performance(&self, realm: &Realm) -> Fallible<Dom<Performance>> {
        same(&self.performance, || Performance::new(realm))
    }

    fn crypto(&self, realm: &Realm) -> Fallible<Dom<Crypto>> {
        same(&self.crypto, || Crypto::new(realm))
    }

    fn name(&self, realm: &Realm) -> DomString {
        context(realm)
            .map(|context| context.name())
            .unwrap_or_default()
            .into()
    }

    fn set_name(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        if let Some(context) = context(realm) {
            context.set_name(value.to_string());
        }
        Ok(())
    }

    fn closed(&self, realm: &Realm) -> bool {
        realm
            .service::<Page>()
            .is_none_or(|page| page.context.is_closing())
    }

    fn close(&self, realm: &Realm) -> Fallible<()> {
        if let Some(context) = context(realm) {
            let source = realm.state().incumbent();
            context.close_by_script(source.as_deref().unwrap_or(realm));
        }
        Ok(())
    }

    fn stop(&self, realm: &Realm) -> Fallible<()> {
        if let Some(context) = context(realm) {
            context.stop_loading();
        }
        Ok(())
    }

    fn opener(&self, realm: &Realm) -> Fallible<Value> {
        Ok(proxy(context(realm).and_then(|context| context.opener())))
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-opener>
    fn set_opener(&self, realm: &Realm, value: Value) -> Fallible<()> {
        if !value.is_null() {
            return realm
                .global_value()
                .define(realm, "opener", &value, Flags::ALL);
        }
        if let Some(context) = context(realm) {
            context.set_opener(None);
        }
        Ok(())
    }

    fn length(&self, realm: &Realm) -> u32 {
        realm.service::<Page>().map_or(0, |page| page.frame_count())
    }

    fn open(
        &self,
        realm: &Realm,
        url: UsvString,
        target: DomString,
        features: DomString,
    ) -> Fallible<Value> {
        auxiliary::open(realm, &url, &target.to_string(), &features.to_string())
    }

    fn focus(&self, realm: &Realm) -> Fallible<()> {
        if let Some(context) = context(realm) {
            context.focus();
        }
        Ok(())
    }

    /// The focus is only taken away by giving it to another one.
    fn blur(&self, _: &Realm) -> Fallible<()> {
        Ok(())
    }

    /// Nothing is painted, so a frame is a timer; the callback is told when it is due.
    ///
    /// <https://html.spec.whatwg.org/multipage/imagebitmap-and-animations.html#dom-animationframeprovider-requestanimationframe>
    fn request_animation_frame(
        &self,
        realm: &Realm,
        callback: FrameRequestCallback,
    ) -> Fallible<u32> {
        let event_loop = realm
            .service::<EventLoop>()
            .ok_or_else(|| Error::Type("The window has no event loop.".to_owned()))?;
        let due = Value::number(realm.now() + f64::from(FRAME_MILLIS));
        let handler = FunctionOrDomString::Function(Function(callback.0));
        let handle = event_loop.set_timer(realm, handler, FRAME_MILLIS, vec![due], false);
        Ok(handle.unsigned_abs())
    }

    fn cancel_animation_frame(&self, realm: &Realm, handle: u32) -> Fallible<()> {
        if let (Some(event_loop), Ok(handle)) =
            (realm.service::<EventLoop>(), i32::try_from(handle))
        {
            event_loop.clear_timer(realm, handle);
        }
        Ok(())
    }

    /// <https://html.spec.whatwg.org/multipage/web-messaging.html#dom-window-postmessage>
    fn post_message(
        &self,
        realm: &Realm,
        message: Value,
        target_origin: UsvString,
        transfer: Vec<Object>,
    ) -> Fallible<()> {
        let source = realm.state().incumbent();
        let source = source.as_deref().unwrap_or(realm);
        messaging::window::post(realm, source, &message, &target_origin, &transfer)
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: WindowPostMessageOptions,
    ) -> Fallible<()> {
        let transfer = options.parent.transfer;
        self.post_message(realm, message, options.target_origin, transfer)
    }
}
