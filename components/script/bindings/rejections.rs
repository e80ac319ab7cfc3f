//! Promises that are rejected while nothing handles them.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use rquickjs::qjs;

use super::error::Fallible;
use super::realm::{Realm, RealmHandle};
use super::report;
use super::value::{PromiseState, Value};
use crate::dom::promise_rejection_event;
use crate::event_loop::EventLoop;

/// The name of a realm's weak set among its intrinsics.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#outstanding-rejected-promises-weak-set>
pub(super) const OUTSTANDING: &str = "outstanding rejected promises";

/// The promises of an agent that nothing handled so far.
#[derive(Default)]
pub(super) struct Rejections {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#about-to-be-notified-rejected-promises-list>
    about_to_be_notified: RefCell<Queue>,
    /// Whether handlers are being told of rejections.
    notifying: Cell<bool>,
    /// The address of the promise that they are being told of, until it is handled.
    current: Cell<Option<usize>>,
}

#[derive(Default)]
struct Queue {
    /// In the order in which they were rejected.
    entries: BTreeMap<u64, Rejection>,
    /// Where in the queue the promise of this address is; the queue keeps it alive.
    places: BTreeMap<Option<usize>, u64>,
    last: u64,
}

struct Rejection {
    promise: Value,
    reason: Value,
    realm: RealmHandle,
}

impl Queue {
    fn add(&mut self, rejection: Rejection) {
        self.last += 1;
        self.places.insert(rejection.promise.address(), self.last);
        self.entries.insert(self.last, rejection);
    }

    fn remove(&mut self, promise: &Value) -> Option<Rejection> {
        let place = self.places.remove(&promise.address())?;
        self.entries.remove(&place)
    }

    fn take_first(&mut self) -> Option<Rejection> {
        let (_, rejection) = self.entries.pop_first()?;
        self.places.remove(&rejection.promise.address());
        Some(rejection)
    }
}

impl Rejections {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#notify-about-rejected-promises>
    pub(super) fn notify(&self, is_stopped: impl Fn() -> bool) {
        // The checkpoint after a handler leaves what it rejected to the one who called the handler.
        if self.notifying.replace(true) {
            return;
        }
        // One that is handled meanwhile is taken out of the list by the tracker.
        loop {
            let rejection = self.about_to_be_notified.borrow_mut().take_first();
            let Some(rejection) = rejection else {
                break;
            };
            if is_stopped() {
                continue;
            }
            self.current.set(rejection.promise.address());
            report::report_rejection(&rejection.realm, &rejection.promise, rejection.reason);
            if self.current.take().is_some() {
                // Without memory for it, it is only never told that it was handled.
                let _ = keep_outstanding(&rejection.realm, &rejection.promise);
            }
        }
        self.notifying.set(false);
    }

    /// Forgets the promises that nobody was told of, before the runtime goes away.
    pub(super) fn clear(&self) {
        drop(self.about_to_be_notified.take());
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#the-hostpromiserejectiontracker-implementation>
    fn handled(&self, realm: &Realm, promise: Value) {
        let removed = self.about_to_be_notified.borrow_mut().remove(&promise);
        // Not before the borrow has ended.
        let was_queued = removed.is_some();
        drop(removed);
        if was_queued {
            return;
        }
        if self.current.get() == promise.address() {
            self.current.set(None);
            return;
        }
        let Some(event_loop) = realm.service::<EventLoop>() else {
            return;
        };
        if take_outstanding(realm, &promise).unwrap_or(false) {
            let fire = event_loop.answer(
                (realm.root(), promise),
                |(realm, promise): (RealmHandle, Value), ()| {
                    if let Some(PromiseState::Rejected(reason)) = promise.promise_state(&realm) {
                        promise_rejection_event::fire_handled(&realm, &promise, &reason);
                    }
                },
            );
            fire.call(());
        }
    }
}

fn keep_outstanding(realm: &Realm, promise: &Value) -> Fallible<()> {
    let set = realm.intrinsic(OUTSTANDING)?;
    let add = realm.intrinsic("WeakSet.prototype.add")?;
    add.call(realm, &set, std::slice::from_ref(promise))?;
    Ok(())
}

/// Whether the realm's weak set had it.
fn take_outstanding(realm: &Realm, promise: &Value) -> Fallible<bool> {
    let set = realm.intrinsic(OUTSTANDING)?;
    let delete = realm.intrinsic("WeakSet.prototype.delete")?;
    let deleted = delete.call(realm, &set, std::slice::from_ref(promise))?;
    Ok(deleted.to_boolean(realm))
}

/// Lets the engine tell of rejections.
pub(super) fn install(runtime: *mut qjs::JSRuntime) {
    // SAFETY: the runtime is alive; the function needs nothing else.
    unsafe {
        qjs::JS_SetHostPromiseRejectionTracker(runtime, Some(track_rejection), ptr::null_mut());
    }
}

unsafe extern "C" fn track_rejection(
    context: *mut qjs::JSContext,
    promise: qjs::JSValue,
    reason: qjs::JSValue,
    is_handled: bool,
    _: *mut c_void,
) {
    let Some(realm) = Realm::of_context(context) else {
        return;
    };
    let promise = Value::borrowed(realm.runtime(), promise);
    let rejections = &realm.state().rejections;
    if is_handled {
        rejections.handled(realm, promise);
        return;
    }
    let rejection = Rejection {
        promise,
        reason: Value::borrowed(realm.runtime(), reason),
        realm: realm.root(),
    };
    rejections.about_to_be_notified.borrow_mut().add(rejection);
}
