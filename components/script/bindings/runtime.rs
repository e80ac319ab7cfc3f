//! The engine of one thread: memory and stack limits, the stop flag, microtasks, rejections.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rquickjs::qjs;

use super::error::Fallible;
use super::host_object::{HasInterface, HostClass, register_class};
use super::realm::{Realm, RealmHandle, RealmOptions};
use super::rejections::Rejections;
use super::report;

/// Limits of one runtime.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeLimits {
    /// Bytes of the engine's heap.
    pub memory: usize,
    /// Bytes of native stack that scripts may use.
    pub stack: usize,
}

impl Default for RuntimeLimits {
    /// 128 MiB of memory; 512 KiB of stack, a quarter of what a Rust thread has by default.
    fn default() -> Self {
        Self {
            memory: 128 << 20,
            stack: 512 << 10,
        }
    }
}

/// An engine with its heap. It stays on the thread it was made on, and holds any number of realms.
pub struct ScriptRuntime {
    runtime: *mut qjs::JSRuntime,
    state: NonNull<RuntimeState>,
}

/// What the bindings keep for a runtime.
pub struct RuntimeState {
    runtime: *mut qjs::JSRuntime,
    /// Bytes of native stack that scripts may use.
    stack: usize,
    class_id: Cell<qjs::JSClassID>,
    indexed_class_id: Cell<qjs::JSClassID>,
    proxy_class_id: Cell<qjs::JSClassID>,
    /// The realm of the script that has last used a window's proxy.
    accessor: Cell<Option<NonNull<Realm>>>,
    /// Whether the engine is on its way from a proxy to its window.
    through_proxy: Cell<bool>,
    stop: Arc<AtomicBool>,
    /// Counted references held by Rust.
    values: Cell<usize>,
    host_objects: Cell<usize>,
    script_depth: Cell<u32>,
    in_checkpoint: Cell<bool>,
    closing: Cell<bool>,
    globals: RefCell<BTreeMap<usize, NonNull<Realm>>>,
    /// How many realms there have been.
    realm_count: Cell<u64>,
    pub(super) rejections: Rejections,
    cleanups: RefCell<Vec<Box<dyn FnOnce()>>>,
    /// What the module script that is being looked at imports from.
    requested_modules: RefCell<Vec<String>>,
}

impl ScriptRuntime {
    /// A new runtime.
    ///
    /// # Errors
    ///
    /// Not enough memory.
    pub fn new(limits: RuntimeLimits) -> Fallible<Self> {
        // SAFETY: the runtime, if there is one, is freed in `drop`.
        let runtime = unsafe { qjs::JS_NewRuntime() };
        if runtime.is_null() {
            return Err(super::value::out_of_memory());
        }
        let state = Box::new(RuntimeState {
            runtime,
            stack: limits.stack,
            class_id: Cell::new(qjs::JS_INVALID_CLASS_ID),
            indexed_class_id: Cell::new(qjs::JS_INVALID_CLASS_ID),
            proxy_class_id: Cell::new(qjs::JS_INVALID_CLASS_ID),
            accessor: Cell::new(None),
            through_proxy: Cell::new(false),
            stop: Arc::new(AtomicBool::new(false)),
            values: Cell::new(0),
            host_objects: Cell::new(0),
            script_depth: Cell::new(0),
            in_checkpoint: Cell::new(false),
            closing: Cell::new(false),
            globals: RefCell::new(BTreeMap::new()),
            realm_count: Cell::new(0),
            rejections: Rejections::default(),
            cleanups: RefCell::default(),
            requested_modules: RefCell::default(),
        });
        let state = NonNull::from(Box::leak(state));
        let this = Self { runtime, state };
        // SAFETY: the runtime is alive, and the state lives until the runtime is freed.
        unsafe {
            qjs::JS_SetRuntimeOpaque(runtime, state.as_ptr().cast());
            qjs::JS_SetMemoryLimit(runtime, limits.memory as _);
            qjs::JS_SetMaxStackSize(runtime, limits.stack as _);
            qjs::JS_SetInterruptHandler(runtime, Some(interrupt), state.as_ptr().cast());
        }
        super::rejections::install(runtime);
        super::module::install(runtime);
        let state = this.state();
        for (id, class) in [
            (&state.class_id, HostClass::Plain),
            (&state.indexed_class_id, HostClass::Indexed),
            (&state.proxy_class_id, HostClass::WindowProxy),
        ] {
            id.set(register_class(runtime, class)?);
        }
        Ok(this)
    }

    /// What the bindings keep for this runtime.
    pub fn state(&self) -> &RuntimeState {
        // SAFETY: the state lives until the runtime is freed.
        unsafe { self.state.as_ref() }
    }

    /// A new realm whose global object is implemented by what `make_global` returns.
    ///
    /// # Errors
    ///
    /// Not enough memory.
    pub fn create_realm<G: HasInterface>(
        &self,
        options: RealmOptions,
        make_global: impl FnOnce(&Realm) -> G,
    ) -> Fallible<RealmHandle> {
        Realm::create(self.runtime, options, make_global)
    }

    /// While this flag is set, scripts stop at their next step with an exception that they cannot
    /// catch. It may be set from any thread.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.state().stop)
    }

    /// Frees what only cycles keep alive.
    pub fn collect_garbage(&self) {
        // SAFETY: the runtime is alive.
        unsafe { qjs::JS_RunGC(self.runtime) }
    }
}

/// How many microtasks are emptied at once out of a runtime that goes away or was stopped.
const MAX_DISCARDED_MICROTASKS: usize = 200_000;

impl ScriptRuntime {
    /// Empties the microtask queue, which keeps realms alive.
    fn discard_microtasks(&self) {
        self.state().closing.set(true);
        self.state().stop.store(true, Ordering::Relaxed);
        self.state().discard_microtasks();
    }
}

impl Drop for ScriptRuntime {
    fn drop(&mut self) {
        self.discard_microtasks();
        self.state().rejections.clear();
        drop(self.state().cleanups.take());
        self.collect_garbage();
        let values = self.state().values.get();
        if values > 0 {
            // Freeing the runtime now would leave references that dangle.
            log::error!("{values} JavaScript values outlive their runtime, which is leaked");
            return;
        }
        // SAFETY: nothing refers to the runtime or its objects any more. The state is freed last,
        // because finalizers use it.
        unsafe {
            qjs::JS_FreeRuntime(self.runtime);
            drop(Box::from_raw(self.state.as_ptr()));
        }
    }
}

impl RuntimeState {
    pub(super) fn of<'a>(runtime: *mut qjs::JSRuntime) -> &'a Self {
        // SAFETY: set when the runtime is made, and valid until it is freed; callers have a
        // runtime that is alive.
        unsafe { &*qjs::JS_GetRuntimeOpaque(runtime).cast::<Self>() }
    }

    pub(super) fn runtime(&self) -> *mut qjs::JSRuntime {
        self.runtime
    }

    pub(super) fn add_requested(&self, specifier: String) {
        self.requested_modules.borrow_mut().push(specifier);
    }

    pub(super) fn take_requested(&self) -> Vec<String> {
        self.requested_modules.take()
    }

    pub(super) fn class_id(&self) -> qjs::JSClassID {
        self.class_id.get()
    }

    /// The class of platform objects with indexed properties.
    pub(super) fn indexed_class_id(&self) -> qjs::JSClassID {
        self.indexed_class_id.get()
    }

    /// The class of the proxies of windows.
    pub(super) fn proxy_class_id(&self) -> qjs::JSClassID {
        self.proxy_class_id.get()
    }

    /// A script of this realm uses a window's proxy.
    pub(super) fn window_was_accessed(&self, accessor: &Realm) {
        self.accessor.set(Some(NonNull::from(accessor)));
    }

    /// What is called on a window next was looked up through its proxy.
    pub(super) fn goes_through_proxy(&self) {
        self.through_proxy.set(true);
    }

    /// A function is called on the window itself. Only scripts of its own realm reach it without
    /// the proxy.
    pub(super) fn window_was_called(&self, realm: &Realm) {
        if !self.through_proxy.replace(false) {
            self.window_was_accessed(realm);
        }
    }

    /// The realm of the script that calls a function of a window: the one that has just looked the
    /// function up.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#incumbent-realm>
    pub(crate) fn incumbent(&self) -> Option<RealmHandle> {
        let realm = self.accessor.get()?;
        // SAFETY: a realm is taken out before it is freed.
        Some(unsafe { realm.as_ref() }.root())
    }

    /// What an object of one of the native classes owns; null for any other value.
    pub(super) fn opaque(&self, value: qjs::JSValue) -> *mut c_void {
        let mut class_id = qjs::JS_INVALID_CLASS_ID;
        // SAFETY: the value is alive; the engine looks at it and writes the class.
        let opaque = unsafe { qjs::JS_GetAnyOpaque(value, &raw mut class_id) };
        if [
            self.class_id(),
            self.indexed_class_id(),
            self.proxy_class_id(),
        ]
        .contains(&class_id)
        {
            opaque
        } else {
            ptr::null_mut()
        }
    }

    pub(super) fn value_added(&self) {
        self.values.set(self.values.get() + 1);
    }

    pub(super) fn value_removed(&self) {
        self.values.set(self.values.get() - 1);
    }

    pub(super) fn host_object_added(&self) {
        self.host_objects.set(self.host_objects.get() + 1);
    }

    pub(super) fn host_object_removed(&self) {
        self.host_objects.set(self.host_objects.get() - 1);
    }

    /// How many platform objects are alive, realms included.
    pub fn host_objects(&self) -> usize {
        self.host_objects.get()
    }

    /// Whether the runtime goes away, so that nothing is to happen any more.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether scripts are to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn add_global(&self, address: usize, realm: NonNull<Realm>) {
        self.globals.borrow_mut().insert(address, realm);
    }

    pub(super) fn remove_global(&self, realm: NonNull<Realm>) {
        self.globals.borrow_mut().retain(|_, other| *other != realm);
        if self.accessor.get() == Some(realm) {
            self.accessor.set(None);
        }
    }

    /// Whether the object at this address is a global object, or one that such an object inherits
    /// from.
    pub(super) fn has_immutable_prototype(&self, address: usize) -> bool {
        // SAFETY: a realm removes itself from the table before it is freed.
        self.globals.borrow().values().any(|realm| unsafe {
            let addresses = &realm.as_ref().immutable_prototypes;
            addresses.borrow().contains(&address)
        })
    }

    pub(super) fn realm_of_global(&self, address: usize) -> Option<NonNull<Realm>> {
        self.globals.borrow().get(&address).copied()
    }

    /// A number for a new realm, from 1.
    pub(super) fn next_realm(&self) -> u64 {
        let number = self.realm_count.get() + 1;
        self.realm_count.set(number);
        number
    }

    pub(super) fn realm_numbered(&self, number: u64) -> Option<RealmHandle> {
        self.globals
            .borrow()
            .values()
            // SAFETY: a realm removes itself from the table before it is freed.
            .map(|realm| unsafe { realm.as_ref() })
            .find(|realm| realm.number() == number)
            .map(Realm::root)
    }

    pub(super) fn enter_script(&self) {
        self.script_depth.set(self.script_depth.get() + 1);
    }

    /// Returns whether no script is left on the stack.
    pub(super) fn leave_script(&self) -> bool {
        self.script_depth.set(self.script_depth.get() - 1);
        self.script_depth.get() == 0
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#perform-a-microtask-checkpoint>
    pub fn perform_microtask_checkpoint(&self) {
        // Step 1: not from within a checkpoint.
        if self.in_checkpoint.replace(true) {
            return;
        }
        // Step 3: run microtasks until none is left, or scripts are to stop.
        self.enter_script();
        while !self.is_stopped() {
            let mut context = ptr::null_mut();
            // SAFETY: the runtime is alive; the context that ran the job is written to a local.
            let status = unsafe { qjs::JS_ExecutePendingJob(self.runtime, &raw mut context) };
            if status == 0 {
                break;
            }
            if status < 0
                && let Some(realm) = Realm::of_context(context)
            {
                let error = realm.take_exception();
                report::report_exception(realm, error);
            }
        }
        if self.is_stopped() {
            // What was stopped is not to run on in the next task, and use up its time as well.
            self.discard_microtasks();
        }
        self.leave_script();
        // Step 4: notify about rejected promises.
        self.in_checkpoint.set(false);
        self.rejections.notify(|| self.is_stopped());
        // Step 5: what is to end with the task, such as that new transactions are active.
        for cleanup in self.cleanups.take() {
            cleanup();
        }
    }

    /// Runs something once, at the end of the next microtask checkpoint. It must not run scripts.
    pub(crate) fn at_checkpoint(&self, cleanup: impl FnOnce() + 'static) {
        self.cleanups.borrow_mut().push(Box::new(cleanup));
    }

    /// Empties the microtask queue without letting scripts do anything: with no stack nothing can
    /// be called, and what only runs on by itself meets the stop flag, which has to be set.
    fn discard_microtasks(&self) {
        // SAFETY: the runtime is alive; the context is that of the job, which lives on.
        unsafe {
            qjs::JS_SetMaxStackSize(self.runtime, 1);
            for _ in 0..MAX_DISCARDED_MICROTASKS {
                let mut context = ptr::null_mut();
                let status = qjs::JS_ExecutePendingJob(self.runtime, &raw mut context);
                if status == 0 {
                    break;
                }
                if status < 0 && !context.is_null() {
                    let exception = qjs::JS_GetException(context);
                    qjs::JS_FreeValueRT(self.runtime, exception);
                }
            }
            qjs::JS_SetMaxStackSize(self.runtime, self.stack as _);
        }
    }
}

unsafe extern "C" fn interrupt(_: *mut qjs::JSRuntime, state: *mut c_void) -> i32 {
    // SAFETY: the state lives until the runtime is freed.
    let state = unsafe { &*state.cast::<RuntimeState>() };
    i32::from(state.is_stopped())
}
