//! <https://html.spec.whatwg.org/multipage/workers.html#dedicated-workers-and-the-worker-interface>

use std::cell::Cell;

use sw_traits::WorkerType;

use super::event_target::EventTarget;
use super::message_port::MessagePort;
use crate::bindings::generated::{
    MessagePortMethods, RequestCredentials, StructuredSerializeOptions, WorkerMethods,
    WorkerOptions, WorkerType as ScriptWorkerType,
};
use crate::bindings::{Dom, Error, Fallible, Object, Realm, UsvString, Value};
use crate::environment::Environment;
use crate::worker::owner::{self, Description};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#worker>
    pub struct Worker {
        pub(crate) parent: EventTarget,
        /// <https://html.spec.whatwg.org/multipage/workers.html#concept-port-outside>
        outside_port: Dom<MessagePort>,
        number: Cell<u64>,
    }
}

impl Worker {
    /// No message comes any more.
    pub(crate) fn let_go(&self) {
        self.outside_port.let_go();
    }
}

/// What the options of a worker say of its script.
pub(super) fn describe(
    environment: &Environment,
    script_url: &str,
    options: WorkerOptions,
) -> Fallible<Description> {
    Ok(Description {
        url: owner::parse_url(environment, script_url)?,
        name: options.name,
        worker_type: match options.type_ {
            ScriptWorkerType::Classic => WorkerType::Classic,
            ScriptWorkerType::Module => WorkerType::Module,
        },
        credentials: match options.credentials {
            RequestCredentials::Omit => net::CredentialsMode::Omit,
            RequestCredentials::SameOrigin => net::CredentialsMode::SameOrigin,
            RequestCredentials::Include => net::CredentialsMode::Include,
        },
    })
}

/// The part of an object that events are fired at.
pub(super) fn as_target<T: crate::bindings::DomObject>(
    object: &Dom<T>,
) -> Fallible<Dom<EventTarget>> {
    object
        .upcast()
        .ok_or_else(|| Error::Type("not an event target".to_owned()))
}

impl WorkerMethods for Worker {
    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-worker>
    fn constructor(
        realm: &Realm,
        script_url: UsvString,
        options: WorkerOptions,
    ) -> Fallible<Dom<Self>> {
        let environment = Environment::of(realm)?;
        let description = describe(&environment, &script_url, options)?;
        let (outside, inside) = environment.services.user_agent.ports.create_pair();
        let outside_port = MessagePort::receive(realm, outside)?;
        let this = Dom::new(
            realm,
            Self {
                parent: EventTarget::new_inherited(),
                outside_port: outside_port.clone(),
                number: Cell::new(0),
            },
        )?;
        let target = as_target(&this)?;
        outside_port.set_event_target(target.clone());
        outside_port.start(realm)?;
        let number = owner::start_dedicated(realm, &this, target, inside, description)?;
        this.number.set(number);
        Ok(this)
    }

    fn terminate(&self, realm: &Realm) -> Fallible<()> {
        owner::terminate(realm, self.number.get());
        Ok(())
    }

    fn post_message(&self, realm: &Realm, message: Value, transfer: Vec<Object>) -> Fallible<()> {
        self.outside_port.post_message(realm, message, transfer)
    }

    fn post_message_2(
        &self,
        realm: &Realm,
        message: Value,
        options: StructuredSerializeOptions,
    ) -> Fallible<()> {
        self.post_message(realm, message, options.transfer)
    }
}
