//! <https://html.spec.whatwg.org/multipage/workers.html#the-workerglobalscope-common-interface>

use std::cell::OnceCell;

use super::event_target::EventTarget;
use super::worker_location::WorkerLocation;
use super::worker_navigator::WorkerNavigator;
use crate::bindings::generated::WorkerGlobalScopeMethods;
use crate::bindings::{Dom, Fallible, Realm, UsvString, Value};
use crate::environment::Environment;
use crate::service_worker::import;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/workers.html#the-workerglobalscope-common-interface>
    pub struct WorkerGlobalScope {
        pub(crate) parent: EventTarget,
        location: OnceCell<Dom<WorkerLocation>>,
        navigator: OnceCell<Dom<WorkerNavigator>>,
    }
}

impl WorkerGlobalScope {
    /// The part of a worker's global object that this interface is.
    pub fn new_inherited() -> Self {
        Self {
            parent: EventTarget::new_inherited(),
            location: OnceCell::new(),
            navigator: OnceCell::new(),
        }
    }
}

impl WorkerGlobalScopeMethods for WorkerGlobalScope {
    fn self_(&self, realm: &Realm) -> Value {
        realm.global_value()
    }

    fn location(&self, realm: &Realm) -> Fallible<Dom<WorkerLocation>> {
        if let Some(location) = self.location.get() {
            return Ok(location.clone());
        }
        let url = Environment::of(realm)?.creation_url.clone();
        let location = WorkerLocation::create(realm, url)?;
        Ok(self.location.get_or_init(|| location).clone())
    }

    fn navigator(&self, realm: &Realm) -> Fallible<Dom<WorkerNavigator>> {
        if let Some(navigator) = self.navigator.get() {
            return Ok(navigator.clone());
        }
        let navigator = WorkerNavigator::create(realm)?;
        Ok(self.navigator.get_or_init(|| navigator).clone())
    }

    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-workerglobalscope-importscripts>
    fn import_scripts(&self, realm: &Realm, urls: Vec<UsvString>) -> Fallible<()> {
        import::import_scripts(realm, &urls)
    }
}
