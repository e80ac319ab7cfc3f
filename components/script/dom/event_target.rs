//! <https://dom.spec.whatwg.org/#interface-eventtarget>

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use base::exception::DomExceptionName;

use super::error_event::ErrorEvent;
use super::event::{self, Event};
use crate::bindings::generated::{
    AddEventListenerOptionsOrBoolean, ErrorEventMethods, EventInit, EventListener,
    EventListenerOptionsOrBoolean, EventTargetMethods,
};
use crate::bindings::report::report_exception;
use crate::bindings::{
    Callback, Dom, DomString, Error, Fallible, Realm, Reflector, ToJs, Traceable, Tracer, Value,
};

/// Finds the target that an event goes to next. <https://dom.spec.whatwg.org/#get-the-parent>
pub type GetTheParent = fn(&EventTarget, &Event) -> Option<Dom<EventTarget>>;

/// Is told that a script set the event handler of this type.
pub type HandlerObserver = fn(&EventTarget, &Realm, &str);

/// Is told that listeners, which event handlers have too, were added or removed.
pub type ListenerObserver = fn(&EventTarget, &Realm);

dom_struct! {
    /// <https://dom.spec.whatwg.org/#interface-eventtarget>
    pub struct EventTarget {
        pub(crate) reflector: Reflector,
        listeners: RefCell<Vec<Listener>>,
        /// Event handlers by event type. <https://html.spec.whatwg.org/multipage/webappapis.html#event-handler-map>
        handlers: RefCell<BTreeMap<String, Callback>>,
        next_id: Cell<u64>,
        get_the_parent: Cell<Option<GetTheParent>>,
        handler_observer: Cell<Option<HandlerObserver>>,
        listener_observer: Cell<Option<ListenerObserver>>,
    }
}

/// <https://dom.spec.whatwg.org/#concept-event-listener>
#[derive(Clone)]
struct Listener {
    /// Tells listeners apart, as those of event handlers have no callback of their own.
    id: u64,
    type_: DomString,
    /// None for the listener that stands for the event handler of its type.
    callback: Option<EventListener>,
    capture: bool,
    passive: bool,
    once: bool,
}

impl Traceable for Listener {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.callback.trace(tracer);
    }
}

impl Default for EventTarget {
    fn default() -> Self {
        Self::new_inherited()
    }
}

impl EventTarget {
    /// The part of an object of some interface that this interface is.
    pub fn new_inherited() -> Self {
        Self {
            reflector: Reflector::default(),
            listeners: RefCell::default(),
            handlers: RefCell::default(),
            next_id: Cell::new(0),
            get_the_parent: Cell::new(None),
            handler_observer: Cell::new(None),
            listener_observer: Cell::new(None),
        }
    }

    /// Sets who is told of event handlers that are set.
    pub fn set_handler_observer(&self, observer: HandlerObserver) {
        self.handler_observer.set(Some(observer));
    }

    /// Sets who is told of listeners that are added or removed.
    pub fn set_listener_observer(&self, observer: ListenerObserver) {
        self.listener_observer.set(Some(observer));
    }

    /// The types of events for which there are listeners, in the order in which the first of each
    /// was added.
    pub fn event_types(&self) -> Vec<DomString> {
        let mut types = Vec::new();
        for listener in self.listeners.borrow().iter() {
            if !types.contains(&listener.type_) {
                types.push(listener.type_.clone());
            }
        }
        types
    }

    /// Sets how events go on from this target.
    pub fn set_get_the_parent(&self, get_the_parent: GetTheParent) {
        self.get_the_parent.set(Some(get_the_parent));
    }

    /// Takes over the listeners and event handlers of another target.
    pub(crate) fn adopt_listeners(&self, other: &Self) {
        for listener in other.listeners.take() {
            let id = self.new_id();
            self.listeners
                .borrow_mut()
                .push(Listener { id, ..listener });
        }
        self.handlers.borrow_mut().extend(other.handlers.take());
    }

    /// Removes all listeners and event handlers.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#erase-all-event-listeners-and-handlers>
    pub(crate) fn forget_listeners(&self) {
        let forgotten = (self.listeners.take(), self.handlers.take());
        drop(forgotten);
    }

    /// Whether there is a listener for events of this type.
    pub fn has_listeners(&self, type_: &str) -> bool {
        self.listeners
            .borrow()
            .iter()
            .any(|listener| listener.type_ == type_)
    }

    /// Dispatches a trusted event without further data.
    ///
    /// <https://dom.spec.whatwg.org/#concept-event-fire>
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn fire_event(&self, realm: &Realm, type_: &str, init: &EventInit) -> Fallible<bool> {
        Ok(self.dispatch_trusted(realm, &*Event::new(realm, type_, init)?))
    }

    /// Dispatches an event that the engine made. Returns whether the default action is to happen.
    pub fn dispatch_trusted(&self, realm: &Realm, event: &Event) -> bool {
        event.set_trusted(true);
        // Microtasks run after each listener, while the event is still being dispatched.
        self.dispatch(realm, event)
    }

    /// <https://dom.spec.whatwg.org/#concept-event-dispatch>
    fn dispatch(&self, realm: &Realm, event: &Event) -> bool {
        event.dispatching.set(true);
        event.listeners_threw.set(false);
        let target = Dom::from_ref(self);
        event.target.replace(Some(target.clone()));
        let mut path = vec![target];
        while let Some(last) = path.last()
            && let Some(get_the_parent) = last.get_the_parent.get()
            && let Some(parent) = get_the_parent(last, event)
        {
            path.push(parent);
        }
        event.path.replace(path.clone());
        for (index, current) in path.iter().enumerate().rev() {
            event.phase.set(if index == 0 {
                event::AT_TARGET
            } else {
                event::CAPTURING_PHASE
            });
            current.invoke(realm, event, true);
        }
        for (index, current) in path.iter().enumerate() {
            if index > 0 && !event.is_bubbling() {
                break;
            }
            event.phase.set(if index == 0 {
                event::AT_TARGET
            } else {
                event::BUBBLING_PHASE
            });
            current.invoke(realm, event, false);
        }
        event.phase.set(event::NONE);
        event.current_target.replace(None);
        event.path.replace(Vec::new());
        event.dispatching.set(false);
        event.stop_propagation.set(false);
        event.stop_immediate_propagation.set(false);
        !event.is_canceled()
    }

    /// <https://dom.spec.whatwg.org/#concept-event-listener-invoke>
    fn invoke(&self, realm: &Realm, event: &Event, capturing: bool) {
        if event.stop_propagation.get() {
            return;
        }
        event.current_target.replace(Some(Dom::from_ref(self)));
        let type_ = event.event_type();
        let listeners: Vec<Listener> = self
            .listeners
            .borrow()
            .iter()
            .filter(|listener| listener.type_ == type_ && listener.capture == capturing)
            .cloned()
            .collect();
        for listener in listeners {
            if event.stop_immediate_propagation.get() || realm.state().is_stopped() {
                return;
            }
            let is_present = self
                .listeners
                .borrow()
                .iter()
                .any(|present| present.id == listener.id);
            if !is_present {
                continue;
            }
            if listener.once {
                self.remove(realm, |present| present.id == listener.id);
            }
            event.in_passive_listener.set(listener.passive);
            self.call_listener(realm, &listener, event);
            event.in_passive_listener.set(false);
        }
    }

    fn call_listener(&self, realm: &Realm, listener: &Listener, event: &Event) {
        let this = Dom::from_ref(self).value();
        match &listener.callback {
            Some(callback) => {
                let result = callback.handle_event(&this, &Dom::from_ref(event));
                if let Err(error) = result {
                    event.listeners_threw.set(true);
                    report_exception(&callback.0.realm(), error);
                }
            }
            None => self.call_handler(realm, &listener.type_.to_string(), &this, event),
        }
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#the-event-handler-processing-algorithm>
    fn call_handler(&self, realm: &Realm, type_: &str, this: &Value, event: &Event) {
        let Some(callback) = self.handlers.borrow().get(type_).cloned() else {
            return;
        };
        let target_realm = callback.realm();
        if !callback.value().is_callable(realm) {
            return;
        }
        // Step 3 and 4: a global object's error handler gets the parts of the event.
        let is_global = realm.global_value().strictly_equals(realm, this);
        let error_event = Dom::from_ref(event).downcast::<ErrorEvent>();
        let result =
            if let Some(error_event) = error_event.filter(|_| is_global && type_ == "error") {
                handler_arguments(&target_realm, &error_event)
                    .and_then(|arguments| callback.call(this, &arguments))
                    .map(|value| value.is_true())
            } else {
                let event_value = Dom::from_ref(event).value();
                let value = callback.call(this, &[event_value]);
                value.map(|value| value.is_boolean() && !value.is_true())
            };
        // Step 5: the return value may cancel the event.
        match result {
            Ok(true) => event.set_canceled(),
            Ok(false) => {}
            Err(error) => {
                event.listeners_threw.set(true);
                report_exception(&target_realm, error);
            }
        }
    }

    fn remove(&self, realm: &Realm, matches: impl Fn(&Listener) -> bool) {
        // What is removed is dropped after the borrow ends.
        let removed: Vec<Listener> = self
            .listeners
            .borrow_mut()
            .extract_if(.., |listener| matches(listener))
            .collect();
        drop(removed);
        self.listeners_changed(realm);
    }

    fn add(&self, realm: &Realm, listener: Listener) {
        self.listeners.borrow_mut().push(listener);
        self.listeners_changed(realm);
    }

    fn listeners_changed(&self, realm: &Realm) {
        if let Some(observer) = self.listener_observer.get() {
            observer(self, realm);
        }
    }

    fn new_id(&self) -> u64 {
        self.next_id.set(self.next_id.get() + 1);
        self.next_id.get()
    }

    /// The getter of an event handler attribute.
    ///
    /// # Errors
    ///
    /// None; it has the form of a getter.
    pub fn event_handler(&self, _: &Realm, type_: &str) -> Fallible<Value> {
        let handlers = self.handlers.borrow();
        Ok(handlers
            .get(type_)
            .map_or_else(Value::null, |handler| handler.value().clone()))
    }

    /// The setter of an event handler attribute. The first value decides the place among the
    /// listeners; later ones take over that place.
    ///
    /// # Errors
    ///
    /// None; it has the form of a setter.
    pub fn set_event_handler(&self, realm: &Realm, type_: &str, value: &Value) -> Fallible<()> {
        if let Some(observer) = self.handler_observer.get() {
            observer(self, realm, type_);
        }
        let is_same = |listener: &Listener| listener.callback.is_none() && listener.type_ == type_;
        if !value.is_object() {
            let removed = self.handlers.borrow_mut().remove(type_);
            drop(removed);
            self.remove(realm, is_same);
            return Ok(());
        }
        let callback = Callback::interface(realm, value)?;
        let replaced = self
            .handlers
            .borrow_mut()
            .insert(type_.to_owned(), callback);
        if replaced.is_none() {
            let id = self.new_id();
            let type_ = type_.into();
            let listener = Listener {
                id,
                type_,
                callback: None,
                capture: false,
                passive: false,
                once: false,
            };
            self.add(realm, listener);
        }
        Ok(())
    }
}

fn handler_arguments(realm: &Realm, event: &ErrorEvent) -> Fallible<Vec<Value>> {
    Ok(vec![
        event.message(realm).to_js(realm)?,
        event.filename(realm).to_js(realm)?,
        event.lineno(realm).to_js(realm)?,
        event.colno(realm).to_js(realm)?,
        event.error(realm),
    ])
}

impl EventTargetMethods for EventTarget {
    fn constructor(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(realm, Self::new_inherited())
    }

    /// <https://dom.spec.whatwg.org/#dom-eventtarget-addeventlistener>
    fn add_event_listener(
        &self,
        realm: &Realm,
        type_: DomString,
        callback: Option<EventListener>,
        options: AddEventListenerOptionsOrBoolean,
    ) -> Fallible<()> {
        let (capture, passive, once) = match options {
            AddEventListenerOptionsOrBoolean::Boolean(capture) => (capture, false, false),
            AddEventListenerOptionsOrBoolean::AddEventListenerOptions(options) => (
                options.parent.capture,
                options.passive.unwrap_or(false),
                options.once,
            ),
        };
        let Some(callback) = callback else {
            return Ok(());
        };
        let is_present = self.listeners.borrow().iter().any(|listener| {
            listener.type_ == type_
                && listener.capture == capture
                && listener
                    .callback
                    .as_ref()
                    .is_some_and(|own| own.0.same(&callback.0))
        });
        if !is_present {
            let id = self.new_id();
            let listener = Listener {
                id,
                type_,
                callback: Some(callback),
                capture,
                passive,
                once,
            };
            self.add(realm, listener);
        }
        Ok(())
    }

    /// <https://dom.spec.whatwg.org/#dom-eventtarget-removeeventlistener>
    fn remove_event_listener(
        &self,
        realm: &Realm,
        type_: DomString,
        callback: Option<EventListener>,
        options: EventListenerOptionsOrBoolean,
    ) -> Fallible<()> {
        let capture = match options {
            EventListenerOptionsOrBoolean::Boolean(capture) => capture,
            EventListenerOptionsOrBoolean::EventListenerOptions(options) => options.capture,
        };
        let Some(callback) = callback else {
            return Ok(());
        };
        self.remove(realm, |listener| {
            listener.type_ == type_
                && listener.capture == capture
                && listener
                    .callback
                    .as_ref()
                    .is_some_and(|own| own.0.same(&callback.0))
        });
        Ok(())
    }

    /// <https://dom.spec.whatwg.org/#dom-eventtarget-dispatchevent>
    fn dispatch_event(&self, realm: &Realm, event: Dom<Event>) -> Fallible<bool> {
        if event.dispatching.get() || !event.is_initialized() {
            return Err(Error::dom(
                DomExceptionName::InvalidStateError,
                "The event is already being dispatched.",
            ));
        }
        event.set_trusted(false);
        Ok(self.dispatch(realm, &event))
    }
}
