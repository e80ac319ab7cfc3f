//! The events `online` and `offline` of a global object. One that does not listen to them hears
//! nothing of the network: no task is queued for it, and the network monitor does not know it.
//!
//! <https://html.spec.whatwg.org/multipage/system-state.html#event-online>

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::StorageKey;
use base::channel::Callback;
use network_traits::{NetworkState, SubscriptionId};
use url::Url;

use crate::bindings::Realm;
use crate::bindings::generated::EventInit;
use crate::bindings::report::report_exception;
use crate::dom::event_target::EventTarget;
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// Has a realm told of changes of the network for as long as it listens. A service of the realm.
#[derive(Default)]
struct NetworkWatch {
    subscription: Cell<Option<SubscriptionId>>,
    listens: Arc<Listens>,
}

/// Which of the events a global object listens to.
#[derive(Default)]
struct Listens {
    online: AtomicBool,
    offline: AtomicBool,
}

impl Listens {
    /// Looks what there are listeners for. Answers whether there is one.
    fn set(&self, target: &EventTarget) -> bool {
        let (online, offline) = (
            target.has_listeners("online"),
            target.has_listeners("offline"),
        );
        self.online.store(online, Ordering::Relaxed);
        self.offline.store(offline, Ordering::Relaxed);
        online || offline
    }

    fn to(&self, online: bool) -> bool {
        let listens = if online { &self.online } else { &self.offline };
        listens.load(Ordering::Relaxed)
    }
}

/// Who follows the events now has listeners, or has none any more. To be told of each change of a
/// global object's listeners.
pub(crate) fn listeners_changed(target: &EventTarget, realm: &Realm) {
    let Ok(environment) = Environment::of(realm) else {
        return;
    };
    let watch = match realm.service::<NetworkWatch>() {
        Some(watch) => watch,
        None if Listens::default().set(target) => {
            let watch = Rc::new(NetworkWatch::default());
            realm.add_service(Rc::clone(&watch));
            watch
        }
        None => return,
    };
    match (watch.listens.set(target), watch.subscription.take()) {
        (true, None) => watch
            .subscription
            .set(subscribe(realm, &environment, &watch)),
        (false, Some(subscription)) => environment.services.network.unsubscribe(subscription),
        (_, unchanged) => watch.subscription.set(unchanged),
    }
}

/// Ends the watch of a realm that goes away.
pub(crate) fn detach(realm: &Realm) {
    if let Some(watch) = realm.service::<NetworkWatch>()
        && let Some(subscription) = watch.subscription.take()
        && let Ok(environment) = Environment::of(realm)
    {
        environment.services.network.unsubscribe(subscription);
    }
}

/// What `navigator.onLine` says in this state of the network: being offline can be emulated for
/// single service worker registrations too.
///
/// <https://html.spec.whatwg.org/multipage/system-state.html#dom-navigator-online>
pub(crate) fn is_online(network: &NetworkState, registration: Option<&(StorageKey, Url)>) -> bool {
    let is_cut_off =
        registration.is_some_and(|(origin, scope)| network.is_emulated_offline_for(origin, scope));
    network.is_online() && !is_cut_off
}

/// Follows the network. What `navigator.onLine` says now is no change.
fn subscribe(
    realm: &Realm,
    environment: &Environment,
    watch: &NetworkWatch,
) -> Option<SubscriptionId> {
    let event_loop = realm.service::<EventLoop>()?;
    let realm = Arc::new(event_loop.keep(realm.root()));
    let tasks = event_loop.sender();
    let listens = Arc::clone(&watch.listens);
    let registration = environment.registration();
    let network = &environment.services.network;
    let was_online = AtomicBool::new(is_online(&network.current(), registration.as_ref()));
    let changed = Callback::new(move |state: NetworkState| {
        let online = is_online(&state, registration.as_ref());
        if was_online.swap(online, Ordering::Relaxed) == online || !listens.to(online) {
            return;
        }
        let realm = Arc::clone(&realm);
        tasks.queue(move |event_loop| {
            if let Some(realm) = realm.get(event_loop) {
                fire(&realm, online);
            }
        });
    });
    network.subscribe(changed).ok()
}

fn fire(realm: &Realm, online: bool) {
    let Some(target) = realm.global::<EventTarget>() else {
        return;
    };
    let event_type = if online { "online" } else { "offline" };
    if let Err(error) = target.fire_event(realm, event_type, &EventInit::default()) {
        report_exception(realm, error);
    }
}
