//! Messages between windows and workers.

use std::rc::Rc;
use std::time::Duration;

use base::ids::ClientId;
use script::Services;
use script::bindings::{RuntimeLimits, ScriptRuntime, Value};
use script::environment::Environment;
use script::event_loop::EventLoop;
use script::structured_clone::{deserialize, serialize};

use crate::Page;
use crate::service_worker::host::{Host, real_clock, url};

mod channels;
mod ports;

/// A window's realm without a page, with an engine and an event loop of its own, as if it were on a
/// thread of its own. Fields are dropped in order.
struct Agent {
    page: Page,
    event_loop: Rc<EventLoop>,
}

impl Agent {
    fn new(services: &Services) -> Self {
        let runtime = Rc::new(ScriptRuntime::new(RuntimeLimits::default()).ok().unwrap());
        let page = Page::in_runtime(&runtime);
        let event_loop = EventLoop::new(real_clock());
        let environment = Environment::new(ClientId::random(), url("mail/"), services.clone());
        page.realm.add_service(Rc::clone(&event_loop));
        page.realm.add_service(Rc::new(environment));
        page.run(
            "globalThis.log = [];
             globalThis.take = () => log.splice(0).join(' ');
             globalThis.listen = (port, name = 'got') => {
               for (const type of ['messageerror', 'close'])
                 port.addEventListener(type, e => log.push(name + ':' + type));
               port.onmessage = e => log.push(name + ':' + e.data);
             };",
        );
        Self { page, event_loop }
    }

    /// Runs a script, and the tasks that there are then.
    fn run(&self, source: &str) -> String {
        let result = self.page.run(source);
        self.turn();
        result
    }

    fn turn(&self) {
        while self.event_loop.run_pending() {}
    }

    /// What was logged since the last time, after the tasks that there are.
    fn log(&self) -> String {
        self.turn();
        self.page.run("take()")
    }

    /// Waits for a task of another thread, and runs it.
    fn wait(&self) {
        let limit = Duration::from_secs(30);
        assert!(self.event_loop.wait(limit), "nothing came");
    }

    fn evaluate(&self, source: &str) -> Value {
        self.page.realm.evaluate(source, "test.js").ok().unwrap()
    }

    /// Serializes a value with what is to be transferred, both expressions.
    fn serialize(&self, value: &str, transfer: &str) -> Vec<u8> {
        let (value, transfer) = (self.evaluate(value), self.evaluate(transfer));
        serialize(&self.page.realm, &value, &[transfer])
            .ok()
            .unwrap()
    }

    /// Makes a global variable of serialized data.
    fn deserialize(&self, name: &str, bytes: &[u8]) {
        let realm = &self.page.realm;
        let value = deserialize(realm, bytes).ok().unwrap();
        let global = realm.global_value();
        global
            .create_data_property(realm, name, &value)
            .ok()
            .unwrap();
    }

    /// Transfers a port to another agent, where it is a global variable then.
    fn send(&self, port: &str, other: &Self, name: &str) {
        other.deserialize(name, &self.serialize(port, port));
    }

    fn host_objects(&self) -> usize {
        self.page.runtime.collect_garbage();
        self.page.runtime.state().host_objects()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.event_loop.shut_down();
    }
}

fn agents<const COUNT: usize>() -> (Host, [Agent; COUNT]) {
    let host = Host::new();
    let agents = std::array::from_fn(|_| Agent::new(&host.services));
    (host, agents)
}
