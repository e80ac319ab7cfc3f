//! <https://html.spec.whatwg.org/multipage/workers.html#shared-workers-and-the-sharedworker-interface>

use super::event_target::EventTarget;
use super::message_port::MessagePort;
use super::worker::{as_target, describe};
use crate::bindings::generated::{DomStringOrWorkerOptions, SharedWorkerMethods, WorkerOptions};
use crate::bindings::{Dom, Fallible, Realm, UsvString};
use crate::environment::Environment;
use crate::worker::owner;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#sharedworker>
    pub struct SharedWorker {
        pub(crate) parent: EventTarget,
        port: Dom<MessagePort>,
    }
}

impl SharedWorkerMethods for SharedWorker {
    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-sharedworker>
    fn constructor(
        realm: &Realm,
        script_url: UsvString,
        options: DomStringOrWorkerOptions,
    ) -> Fallible<Dom<Self>> {
        let environment = Environment::of(realm)?;
        let options = match options {
            DomStringOrWorkerOptions::WorkerOptions(options) => options,
            DomStringOrWorkerOptions::DomString(name) => WorkerOptions {
                name,
                ..WorkerOptions::default()
            },
        };
        let description = describe(&environment, &script_url, options)?;
        let (outside, inside) = environment.services.user_agent.ports.create_pair();
        let this = Dom::new(
            realm,
            Self {
                parent: EventTarget::new_inherited(),
                port: MessagePort::receive(realm, outside)?,
            },
        )?;
        owner::connect_shared(realm, as_target(&this)?, inside, description)?;
        Ok(this)
    }

    fn port(&self, _: &Realm) -> Dom<MessagePort> {
        self.port.clone()
    }
}
