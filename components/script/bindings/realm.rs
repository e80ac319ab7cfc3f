//! A realm: a global object with its own intrinsics and prototypes.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::any::{Any, TypeId};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use base::time::{Clock, Timestamp};
use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::host_object::{Dom, DomObject, HasInterface, Host, new_host_object};
use super::interface::{self, GlobalKind, Interfaces};
use super::report::RealmDelegate;
use super::runtime::RuntimeState;
use super::trace::{Traceable, Tracer};
use super::value::{Flags, Value};

/// What a realm is made for.
pub struct RealmOptions {
    /// The kind of global object, which decides what is exposed.
    pub kind: GlobalKind,
    /// Whether what is marked `[SecureContext]` is exposed.
    pub secure_context: bool,
    /// Who hears of console messages and uncaught exceptions.
    pub delegate: Rc<dyn RealmDelegate>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// <https://tc39.es/ecma262/#sec-code-realms>
///
/// Every function of a platform object gets the realm it belongs to. To keep one, use
/// [`Realm::root`].
pub struct Realm {
    context: *mut qjs::JSContext,
    /// No other realm of the runtime has it.
    number: u64,
    options: RealmOptions,
    /// The object that owns this realm: not counted, as it would be a cycle.
    holder: Cell<qjs::JSValue>,
    global: OnceCell<Box<dyn DomObject>>,
    /// What scripts see in place of the global object, if it is a window.
    proxy: OnceCell<Value>,
    pub(super) interfaces: RefCell<Interfaces>,
    /// Where the objects are whose prototypes do not change.
    pub(super) immutable_prototypes: RefCell<Vec<usize>>,
    services: RefCell<HashMap<TypeId, Rc<dyn Any>>>,
    /// Those of the services that hold JavaScript values.
    traced_services: RefCell<Vec<Rc<dyn Traceable>>>,
    /// <https://w3c.github.io/hr-time/#dfn-time-origin>
    time_origin: Timestamp,
}

/// A counted reference to a realm.
#[derive(Clone)]
pub struct RealmHandle {
    holder: Value,
    realm: NonNull<Realm>,
}

impl Deref for RealmHandle {
    type Target = Realm;

    fn deref(&self) -> &Realm {
        // SAFETY: the holder owns the realm, and is alive while it is referred to.
        unsafe { self.realm.as_ref() }
    }
}

impl Traceable for RealmHandle {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(&self.holder);
    }
}

impl Realm {
    /// Makes a realm whose global object is implemented by what `make_global` returns.
    pub(super) fn create<G: HasInterface>(
        runtime: *mut qjs::JSRuntime,
        options: RealmOptions,
        make_global: impl FnOnce(&Self) -> G,
    ) -> Fallible<RealmHandle> {
        // SAFETY: the runtime is alive.
        let context = unsafe { qjs::JS_NewContext(runtime) };
        if context.is_null() {
            return Err(super::value::out_of_memory());
        }
        let realm = Box::new(Self {
            context,
            number: RuntimeState::of(runtime).next_realm(),
            time_origin: options.clock.now(),
            options,
            holder: Cell::new(qjs::JS_UNDEFINED),
            global: OnceCell::new(),
            proxy: OnceCell::new(),
            interfaces: RefCell::new(Interfaces::default()),
            immutable_prototypes: RefCell::default(),
            services: RefCell::new(HashMap::new()),
            traced_services: RefCell::default(),
        });
        let pointer = NonNull::from(&*realm);
        // SAFETY: the box is moved into the holder below, which does not move its content; on an
        // early return it is dropped together with the context.
        let this = unsafe { pointer.as_ref() };
        let state = RuntimeState::of(runtime);
        let holder = new_host_object(this, &Value::null(), Host::Realm(realm))?;
        this.holder.set(holder.raw());
        // The context keeps the holder in a slot that the collector visits: as the prototype of
        // the native class, which nothing else uses.
        // SAFETY: context and holder are alive; the engine takes over the reference.
        unsafe {
            qjs::JS_SetContextOpaque(context, pointer.as_ptr().cast());
            qjs::JS_SetClassProto(context, state.class_id(), holder.clone().into_raw());
        }
        let handle = RealmHandle {
            holder,
            realm: pointer,
        };
        let global = this.inner_global();
        if let Some(address) = global.address() {
            state.add_global(address, pointer);
        }
        let object = make_global(this);
        object
            .reflector()
            .set(this, handle.holder.raw(), global.raw());
        if this.global.set(Box::new(object)).is_err() {
            unreachable!("the realm is new");
        }
        interface::define_all(this, G::INTERFACE)?;
        Ok(handle)
    }

    /// The realm of a context that runs one of our functions.
    pub(super) fn of_context<'a>(context: *mut qjs::JSContext) -> Option<&'a Self> {
        // SAFETY: the opaque pointer is null or a realm that the context keeps alive.
        unsafe { qjs::JS_GetContextOpaque(context).cast::<Self>().as_ref() }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn context(&self) -> *mut qjs::JSContext {
        self.context
    }

    pub(super) fn runtime(&self) -> *mut qjs::JSRuntime {
        // SAFETY: the context is alive while the realm is.
        unsafe { qjs::JS_GetRuntime(self.context) }
    }

    /// The state of the runtime that this realm is in.
    pub fn state(&self) -> &RuntimeState {
        RuntimeState::of(self.runtime())
    }

    /// A counted reference.
    pub fn root(&self) -> RealmHandle {
        RealmHandle {
            holder: Value::borrowed(self.runtime(), self.holder.get()),
            realm: NonNull::from(self),
        }
    }

    /// The kind of global object.
    pub fn kind(&self) -> GlobalKind {
        self.options.kind
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#secure-context>
    pub fn is_secure_context(&self) -> bool {
        self.options.secure_context
    }

    /// Who hears of console messages and uncaught exceptions.
    pub fn delegate(&self) -> &dyn RealmDelegate {
        &*self.options.delegate
    }

    /// The global object as scripts see it: for a window its proxy.
    pub fn global_value(&self) -> Value {
        self.proxy
            .get()
            .cloned()
            .unwrap_or_else(|| self.inner_global())
    }

    /// What scripts see in place of the global object, from now on.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(super) fn set_proxy(&self, proxy: &Value) -> Fallible<()> {
        self.inner_global()
            .define(self, "globalThis", proxy, Flags::HIDDEN)?;
        if let Some(global) = self.global_object() {
            let reflector = global.reflector();
            reflector.set(self, self.holder.get(), proxy.raw());
        }
        let address = proxy.address();
        self.immutable_prototypes.borrow_mut().extend(address);
        // A document does not change its browsing context.
        let _ = self.proxy.set(proxy.clone());
        Ok(())
    }

    /// The global object of the engine.
    pub(super) fn inner_global(&self) -> Value {
        // SAFETY: the context is alive.
        Value::owned(self.runtime(), unsafe {
            qjs::JS_GetGlobalObject(self.context)
        })
    }

    /// The struct of the global object.
    pub fn global_object(&self) -> Option<&dyn DomObject> {
        self.global.get().map(|global| &**global)
    }

    /// The global object as this interface, if it implements it.
    pub fn global<T: DomObject>(&self) -> Option<Dom<T>> {
        self.global_object()?.cast().map(Dom::from_ref)
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.options.clock
    }

    /// Milliseconds since the realm was made.
    ///
    /// <https://w3c.github.io/hr-time/#dfn-current-high-resolution-time>
    pub fn now(&self) -> f64 {
        let now = self.options.clock.now().monotonic;
        now.saturating_since(self.time_origin.monotonic)
            .as_secs_f64()
            * 1000.0
    }

    /// Gives the realm a service that its platform objects share, one of each type. It must not
    /// hold JavaScript values.
    pub fn add_service<T: 'static>(&self, service: Rc<T>) {
        self.services
            .borrow_mut()
            .insert(TypeId::of::<T>(), service);
    }

    /// As [`Self::add_service`], for a service that holds JavaScript values. The realm is to be
    /// the only one who keeps it. A second one of its type has no effect.
    pub fn add_traced_service<T: Traceable + 'static>(&self, service: Rc<T>) {
        if self.service::<T>().is_none() {
            let traced = Rc::clone(&service);
            self.traced_services.borrow_mut().push(traced);
            self.add_service(service);
        }
    }

    /// The service of this type.
    pub fn service<T: 'static>(&self) -> Option<Rc<T>> {
        let service = self.services.borrow().get(&TypeId::of::<T>()).cloned()?;
        service.downcast().ok()
    }

    /// Turns what the engine returned into a value or the exception.
    pub(super) fn take(&self, raw: qjs::JSValue) -> Fallible<Value> {
        // SAFETY: only reads the tag.
        if unsafe { qjs::JS_IsException(raw) } {
            Err(self.take_exception())
        } else {
            Ok(Value::owned(self.runtime(), raw))
        }
    }

    /// Turns a status of the engine into the exception where it is one.
    pub(super) fn check(&self, status: i32) -> Fallible<()> {
        if status < 0 {
            Err(self.take_exception())
        } else {
            Ok(())
        }
    }

    /// The pending exception, which is none after this.
    pub(super) fn take_exception(&self) -> Error {
        // SAFETY: the context is alive.
        let raw = unsafe { qjs::JS_GetException(self.context) };
        Error::Thrown(Value::owned(self.runtime(), raw))
    }

    /// Makes the exception that a script would catch.
    pub fn exception_value(&self, error: Error) -> Value {
        let made = match error {
            Error::Thrown(value) => return value,
            Error::Type(message) => self.native_error("TypeError", &message),
            Error::Range(message) => self.native_error("RangeError", &message),
            Error::Dom(exception) => {
                crate::dom::dom_exception::DomException::create(self, &exception)
                    .map(|exception| exception.value())
            }
        };
        match made {
            Ok(value) | Err(Error::Thrown(value)) => value,
            Err(_) => Value::undefined(),
        }
    }

    fn native_error(&self, name: &str, message: &str) -> Fallible<Value> {
        let message = self.new_string(message)?;
        self.intrinsic(name)?.construct(self, &[message])
    }

    /// A constructor that scripts cannot have replaced.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub fn intrinsic(&self, name: &str) -> Fallible<Value> {
        if let Some(value) = self.interfaces.borrow().intrinsics.get(name) {
            return Ok(value.clone());
        }
        Err(Error::Type(format!("there is no intrinsic {name}")))
    }

    /// An empty object.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_object(&self) -> Fallible<Value> {
        // SAFETY: the context is alive.
        self.take(unsafe { qjs::JS_NewObject(self.context) })
    }

    /// An empty object with this prototype.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_object_with_prototype(&self, prototype: &Value) -> Fallible<Value> {
        // SAFETY: context and prototype are alive.
        self.take(unsafe { qjs::JS_NewObjectProto(self.context, prototype.raw()) })
    }

    /// An array of these values.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_array(&self, values: &[Value]) -> Fallible<Value> {
        // SAFETY: the context is alive.
        let array = self.take(unsafe { qjs::JS_NewArray(self.context) })?;
        for (index, value) in (0_u32..).zip(values) {
            array.create_data_property(self, index, value)?;
        }
        Ok(array)
    }

    /// A string.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_string(&self, text: &str) -> Fallible<Value> {
        // SAFETY: the text is `len` bytes of UTF-8.
        self.take(unsafe {
            qjs::JS_NewStringLen(self.context, text.as_ptr().cast(), text.len() as _)
        })
    }

    /// A string of UTF-16 code units.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_string_utf16(&self, units: &[u16]) -> Fallible<Value> {
        // SAFETY: the string is `len` code units.
        self.take(unsafe { qjs::JS_NewStringUTF16(self.context, units.as_ptr(), units.len() as _) })
    }

    /// An `ArrayBuffer` with a copy of these bytes.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_array_buffer(&self, bytes: &[u8]) -> Fallible<Value> {
        // SAFETY: the engine copies `len` bytes.
        self.take(unsafe {
            qjs::JS_NewArrayBufferCopy(self.context, bytes.as_ptr(), bytes.len() as _)
        })
    }

    /// A `Uint8Array` with a copy of these bytes.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_uint8_array(&self, bytes: &[u8]) -> Fallible<Value> {
        // SAFETY: the engine copies `len` bytes.
        self.take(unsafe {
            qjs::JS_NewUint8ArrayCopy(self.context, bytes.as_ptr(), bytes.len() as _)
        })
    }

    /// A `Date` of this time in milliseconds since the epoch.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn new_date(&self, milliseconds: f64) -> Fallible<Value> {
        // SAFETY: the context is alive.
        self.take(unsafe { qjs::JS_NewDate(self.context, milliseconds) })
    }

    /// A value from JSON text.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` of the text.
    pub fn parse_json(&self, text: &str) -> Fallible<Value> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        // SAFETY: the text is `len` bytes followed by a zero.
        self.take(unsafe {
            qjs::JS_ParseJSON(
                self.context,
                bytes.as_ptr().cast(),
                text.len() as _,
                c"<JSON>".as_ptr(),
            )
        })
    }

    /// JSON text of a value; `undefined` where it has none.
    ///
    /// # Errors
    ///
    /// What a `toJSON` method throws, or that the value has a cycle.
    pub fn to_json(&self, value: &Value) -> Fallible<Value> {
        // SAFETY: all values are alive.
        self.take(unsafe {
            qjs::JS_JSONStringify(
                self.context,
                value.raw(),
                qjs::JS_UNDEFINED,
                qjs::JS_UNDEFINED,
            )
        })
    }

    /// Runs a classic script, then microtasks if no other script is running.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#run-a-classic-script>
    ///
    /// # Errors
    ///
    /// What the script throws; it is not reported.
    pub fn evaluate(&self, source: &str, url: &str) -> Fallible<Value> {
        self.evaluate_at(source, url, 1)
    }

    /// As [`Self::evaluate`], for a script that starts at this line of its document.
    ///
    /// # Errors
    ///
    /// What the script throws; it is not reported.
    pub fn evaluate_at(&self, source: &str, url: &str, line: i32) -> Fallible<Value> {
        let mut bytes = source.as_bytes().to_vec();
        bytes.push(0);
        let url = CString::new(url.replace('\0', "")).unwrap_or_default();
        let mut options = qjs::JSEvalOptions {
            version: qjs::JS_EVAL_OPTIONS_VERSION.cast_signed(),
            eval_flags: qjs::JS_EVAL_TYPE_GLOBAL.cast_signed(),
            filename: url.as_ptr(),
            line_num: line,
        };
        self.run_script(|| {
            let this = self.global_value();
            // SAFETY: the source is `len` bytes followed by a zero; the engine copies the name.
            self.take(unsafe {
                qjs::JS_EvalThis2(
                    self.context,
                    this.raw(),
                    bytes.as_ptr().cast(),
                    source.len() as _,
                    &raw mut options,
                )
            })
        })
    }

    /// Runs what may call scripts; microtasks follow when no script is left on the stack.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#prepare-to-run-script>
    pub fn run_script<T>(&self, run: impl FnOnce() -> T) -> T {
        let state = self.state();
        state.enter_script();
        let result = run();
        if state.leave_script() {
            state.perform_microtask_checkpoint();
        }
        result
    }

    /// Defines a hidden property of the global object: a constructor, a namespace.
    pub(super) fn define_global(&self, name: &str, value: &Value) -> Fallible<()> {
        self.inner_global().define(self, name, value, Flags::HIDDEN)
    }
}

impl Traceable for Realm {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.context(self.context);
        self.interfaces.trace(tracer);
        self.global.trace(tracer);
        self.proxy.trace(tracer);
        self.traced_services.trace(tracer);
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let runtime = self.runtime();
        RuntimeState::of(runtime).remove_global(NonNull::from(&*self));
        // Values go before the context.
        self.global.take();
        self.proxy.take();
        self.interfaces.take();
        self.traced_services.take();
        self.services.take();
        // SAFETY: the realm owns one counted reference to the context.
        unsafe {
            qjs::JS_SetContextOpaque(self.context, std::ptr::null_mut());
            qjs::JS_FreeContext(self.context);
        }
    }
}
