//! What the `PermissionStatus` objects of a realm share: where they learn of changes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use base::StorageKey;
use base::channel::Callback;
use base::exception::DomExceptionName;
use sync_traits::{PermissionChange, PermissionObserver, PermissionState};

use crate::bindings::weak::{WeakEntry, WeakTable};
use crate::bindings::{Dom, Error, Fallible, NoTrace, Realm, Traceable, Tracer};
use crate::dom::permission_status::{Feature, PermissionStatus};
use crate::environment::Environment;
use crate::event_loop::EventLoop;

/// Tells the `PermissionStatus` objects of a realm of changes. A traced service of the realm, made
/// when the first of them is.
pub(crate) struct PermissionWatch {
    environment: NoTrace<Rc<Environment>>,
    /// Nothing for an opaque origin, which has no permissions, and once the realm goes away.
    observer: Cell<Option<PermissionObserver>>,
    next: Cell<u64>,
    all: Rc<WeakTable<u64, PermissionStatus>>,
    /// Those with listeners, which a script need not keep itself.
    kept: RefCell<BTreeMap<u64, Dom<PermissionStatus>>>,
}

impl Traceable for PermissionWatch {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.kept.trace(tracer);
    }
}

impl PermissionWatch {
    /// The watch of a realm, which begins with the first call.
    ///
    /// # Errors
    ///
    /// The realm belongs to no page or worker, or has no event loop.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        if let Some(watch) = realm.service() {
            return Ok(watch);
        }
        let environment = Environment::of(realm)?;
        let observer = match &environment.origin {
            Some(origin) => Some(observe(realm, &environment, origin)?),
            None => None,
        };
        let watch = Rc::new(Self {
            environment: NoTrace(environment),
            observer: Cell::new(observer),
            next: Cell::new(0),
            all: Rc::default(),
            kept: RefCell::default(),
        });
        realm.add_traced_service(Rc::clone(&watch));
        Ok(watch)
    }

    /// Whether the realm's origin may use a feature now.
    pub(crate) fn state(&self, feature: Feature) -> PermissionState {
        let environment = &self.environment.0;
        match (feature, &environment.origin) {
            (Feature::Decided(name), Some(origin)) => {
                environment.services.permissions.state(origin, name)
            }
            _ => PermissionState::Denied,
        }
    }

    /// A place for an object that is about to be made.
    pub(crate) fn entry(&self) -> WeakEntry<u64, PermissionStatus> {
        self.next.set(self.next.get() + 1);
        self.all.entry(self.next.get())
    }

    /// Tells this object of changes from now on.
    pub(crate) fn add(&self, status: &Dom<PermissionStatus>) {
        self.all.insert(status, PermissionStatus::entry);
    }

    /// Keeps an object, or keeps it no more.
    pub(crate) fn keep(&self, status: &Dom<PermissionStatus>, keep: bool) {
        let key = status.entry().key();
        let before = if keep {
            self.kept.borrow_mut().insert(key, status.clone())
        } else {
            self.kept.borrow_mut().remove(&key)
        };
        drop(before);
    }

    fn changed(&self, realm: &Realm, change: &PermissionChange) {
        if self.observer.get().is_none() {
            return;
        }
        // In the order in which they were made.
        for key in self.all.keys() {
            if let Some(status) = self.all.get(key)
                && status.feature() == Feature::Decided(change.name)
                && status.update(realm, change.state).is_err()
            {
                log::error!("a change of a permission is not told: out of memory");
            }
        }
    }
}

/// Follows the permissions of an origin, as tasks of the realm's event loop.
fn observe(
    realm: &Realm,
    environment: &Environment,
    origin: &StorageKey,
) -> Fallible<PermissionObserver> {
    let event_loop = realm.service::<EventLoop>().ok_or_else(|| {
        let message = "There is no event loop.";
        Error::dom(DomExceptionName::InvalidStateError, message)
    })?;
    let ticket = Arc::new(event_loop.keep(realm.root()));
    let sender = event_loop.sender();
    let changed = Callback::new(move |change: PermissionChange| {
        let ticket = Arc::clone(&ticket);
        sender.queue(move |event_loop| {
            if let Some(realm) = ticket.get(event_loop)
                && let Some(watch) = realm.service::<PermissionWatch>()
            {
                watch.changed(&realm, &change);
            }
        });
    });
    Ok(environment.services.permissions.observe(origin, changed))
}

/// Ends the watch of a realm that goes away.
pub(crate) fn detach(realm: &Realm) {
    let Some(watch) = realm.service::<PermissionWatch>() else {
        return;
    };
    if let Some(observer) = watch.observer.take() {
        let permissions = &watch.environment.services.permissions;
        permissions.stop_observing(observer);
    }
    drop(watch.kept.take());
}
