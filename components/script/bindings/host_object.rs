//! Platform objects: Rust structs owned by JavaScript objects.
//!
//! All interfaces share one native class. Its objects own a [`DomObject`]; a [`Dom`] is a counted
//! reference to such an object together with a typed pointer to the struct in it.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::function::NativeFunction;
use super::indexed::{self, IndexedProperties};
use super::interface::InterfaceId;
use super::promise::Reaction;
use super::realm::{Realm, RealmHandle};
use super::runtime::RuntimeState;
use super::trace::{Traceable, Tracer};
use super::value::{ToJs, Value};
use super::window_proxy::{self, WindowProxy};

/// A struct that implements an interface. The bindings generator writes the implementation: a
/// struct has a field `reflector`, or, where its interface inherits, a field `parent`.
pub trait DomObject: Traceable + 'static {
    /// The interface it implements itself.
    fn interface(&self) -> InterfaceId;
    /// For casts.
    fn as_any(&self) -> &dyn Any;
    /// The part that implements the inherited interface.
    fn ancestor(&self) -> Option<&dyn DomObject>;
    /// The link to the JavaScript object.
    fn reflector(&self) -> &Reflector;
    /// Its indexed properties, if its interface has an indexed property getter.
    fn indexed(&self) -> Option<&dyn IndexedProperties> {
        None
    }
}

impl dyn DomObject {
    /// The struct of this type: the object's own, or that of an inherited interface.
    pub fn cast<T: DomObject>(&self) -> Option<&T> {
        let mut object = self;
        loop {
            if let Some(found) = object.as_any().downcast_ref() {
                return Some(found);
            }
            object = object.ancestor()?;
        }
    }
}

/// A struct that implements an interface, known at compile time.
pub trait HasInterface: DomObject + Sized {
    /// The interface.
    const INTERFACE: InterfaceId;
}

/// The link from a struct to the JavaScript object that owns it. It is empty until [`Dom::new`].
pub struct Reflector {
    owner: Cell<qjs::JSValue>,
    /// What scripts see: the owner, or the global object.
    exposed: Cell<qjs::JSValue>,
    runtime: Cell<*mut qjs::JSRuntime>,
    /// The number of the realm that it was made in.
    realm: Cell<u64>,
}

impl Default for Reflector {
    fn default() -> Self {
        Self {
            owner: Cell::new(qjs::JS_UNDEFINED),
            exposed: Cell::new(qjs::JS_UNDEFINED),
            runtime: Cell::new(ptr::null_mut()),
            realm: Cell::new(0),
        }
    }
}

impl Reflector {
    pub(super) fn set(&self, realm: &Realm, owner: qjs::JSValue, exposed: qjs::JSValue) {
        self.owner.set(owner);
        self.exposed.set(exposed);
        self.runtime.set(realm.runtime());
        self.realm.set(realm.number());
    }

    fn owner(&self) -> Value {
        assert!(
            !self.runtime.get().is_null(),
            "a platform object is used before Dom::new"
        );
        Value::borrowed(self.runtime.get(), self.owner.get())
    }

    fn exposed(&self) -> Value {
        assert!(
            !self.runtime.get().is_null(),
            "a platform object is used before Dom::new"
        );
        Value::borrowed(self.runtime.get(), self.exposed.get())
    }
}

impl Traceable for Reflector {
    // Not a counted reference: the object owns the struct, not the other way round.
    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// A counted reference to a platform object whose struct is, or inherits from, `T`.
pub struct Dom<T> {
    owner: Value,
    pointer: NonNull<T>,
    struct_: PhantomData<*const T>,
}

impl<T: HasInterface> Dom<T> {
    /// Makes a JavaScript object for the struct, with the prototype of its interface in `realm`.
    ///
    /// # Errors
    ///
    /// The engine is out of memory, or the interface is not exposed in the realm.
    pub fn new(realm: &Realm, object: T) -> Fallible<Self> {
        let prototype = realm.prototype_of(T::INTERFACE)?;
        let owner = new_host_object(realm, &prototype, Host::Object(Box::new(object)))?;
        realm.define_unforgeables(T::INTERFACE, &owner)?;
        AnyDom::of(&owner)
            .and_then(|object| {
                object.reflector().set(realm, owner.raw(), owner.raw());
                object.downcast()
            })
            .ok_or_else(super::value::out_of_memory)
    }
}

impl<T: DomObject> Dom<T> {
    /// A reference to the object that owns this struct.
    ///
    /// # Panics
    ///
    /// The struct has not been given to [`Dom::new`].
    pub fn from_ref(object: &T) -> Self {
        Self {
            owner: object.reflector().owner(),
            pointer: NonNull::from(object),
            struct_: PhantomData,
        }
    }

    /// As an inherited interface.
    pub fn upcast<U: DomObject>(&self) -> Option<Dom<U>> {
        let object: &dyn DomObject = &**self;
        object.cast::<U>().map(Dom::from_ref)
    }

    /// As an interface that inherits from this one, if the object implements it.
    pub fn downcast<U: DomObject>(&self) -> Option<Dom<U>> {
        AnyDom::of(&self.owner)?.downcast()
    }

    /// The JavaScript object.
    pub fn value(&self) -> Value {
        self.reflector().exposed()
    }

    /// Whether both refer to the same object.
    pub fn same<U>(&self, other: &Dom<U>) -> bool {
        self.owner.address() == other.owner.address()
    }
}

impl<T> Deref for Dom<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the struct is in a box owned by `owner`, which is alive while it is referred to.
        // The garbage collector frees a struct earlier only when the reference is part of a dead
        // cycle, and then it is only dropped: `dom_struct!` forbids `Drop` on structs.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> Clone for Dom<T> {
    fn clone(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            pointer: self.pointer,
            struct_: PhantomData,
        }
    }
}

impl<T> Traceable for Dom<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(&self.owner);
    }
}

impl<T: DomObject> ToJs for Dom<T> {
    fn to_js(&self, _: &Realm) -> Fallible<Value> {
        Ok(self.value())
    }
}

impl<T> fmt::Debug for Dom<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dom({:?})", self.pointer)
    }
}

/// A counted reference to a platform object of some interface.
pub struct AnyDom {
    owner: Value,
    pointer: NonNull<dyn DomObject>,
}

impl AnyDom {
    /// The realm of a platform object, if that is there still and not the one asked from.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#concept-relevant-realm>
    pub(super) fn relevant_realm(&self, current: &Realm) -> Option<RealmHandle> {
        let number = self.reflector().realm.get();
        if number == current.number() {
            return None;
        }
        current.state().realm_numbered(number)
    }

    /// The platform object that a value is, if it is one.
    pub fn of(value: &Value) -> Option<Self> {
        let address = value.address()?;
        let state = RuntimeState::of(value.runtime());
        // SAFETY: the value is alive; the class is ours, so the opaque pointer, if set, is a
        // `Host` that lives as long as the object.
        let host = unsafe { state.opaque(value.raw()).cast::<Host>().as_ref() };
        match host {
            Some(Host::Object(object)) => Some(Self {
                owner: value.clone(),
                pointer: NonNull::from(&**object),
            }),
            Some(Host::WindowProxy(proxy)) => proxy.target()?.global_object().map(Self::from_ref),
            Some(Host::Realm(_) | Host::Reaction(_) | Host::Function(_)) => None,
            None => {
                let realm = state.realm_of_global(address)?;
                // SAFETY: a realm removes itself from the table before it is freed.
                unsafe { realm.as_ref() }
                    .global_object()
                    .map(Self::from_ref)
            }
        }
    }

    /// A reference to the object that owns this struct.
    pub fn from_ref(object: &dyn DomObject) -> Self {
        Self {
            owner: object.reflector().owner(),
            pointer: NonNull::from(object),
        }
    }

    /// The JavaScript object.
    pub fn reflector_value(&self) -> Value {
        self.reflector().exposed()
    }

    /// As this interface, if the object implements it.
    pub fn downcast<T: DomObject>(&self) -> Option<Dom<T>> {
        let object = (**self).cast::<T>()?;
        Some(Dom {
            owner: self.owner.clone(),
            pointer: NonNull::from(object),
            struct_: PhantomData,
        })
    }
}

impl Deref for AnyDom {
    type Target = dyn DomObject;

    fn deref(&self) -> &dyn DomObject {
        // SAFETY: as for `Dom`.
        unsafe { self.pointer.as_ref() }
    }
}

/// What an object of the native class owns.
pub(super) enum Host {
    /// A platform object's struct.
    Object(Box<dyn DomObject>),
    /// A realm, with its global object's struct.
    Realm(Box<Realm>),
    /// What Rust does once a promise is settled.
    Reaction(RefCell<Option<Reaction>>),
    /// What a function of Rust does.
    Function(NativeFunction),
    /// What stands for the window of a browsing context.
    WindowProxy(Box<WindowProxy>),
}

/// The reaction that an object of the native class holds, once.
pub(super) fn take_reaction(holder: &Value) -> Option<Reaction> {
    match host_of(holder)? {
        Host::Reaction(reaction) => reaction.take(),
        _ => None,
    }
}

/// The function that an object of the native class holds.
pub(super) fn shared_function(holder: &Value) -> Option<NativeFunction> {
    match host_of(holder)? {
        Host::Function(function) => Some(Rc::clone(function)),
        _ => None,
    }
}

pub(super) fn host_of(holder: &Value) -> Option<&Host> {
    let state = RuntimeState::of(holder.runtime());
    // SAFETY: as in `AnyDom::of`; the reference lives as long as the one to the holder.
    unsafe { state.opaque(holder.raw()).cast::<Host>().as_ref() }
}

/// Makes an object of the native class.
pub(super) fn new_host_object(realm: &Realm, prototype: &Value, host: Host) -> Fallible<Value> {
    let state = RuntimeState::of(realm.runtime());
    let class_id = match &host {
        Host::Object(object) if object.indexed().is_some() => state.indexed_class_id(),
        Host::WindowProxy(_) => state.proxy_class_id(),
        _ => state.class_id(),
    };
    // SAFETY: context and prototype are alive.
    let object = realm
        .take(unsafe { qjs::JS_NewObjectProtoClass(realm.context(), prototype.raw(), class_id) })?;
    let host = Box::into_raw(Box::new(host));
    // SAFETY: the object is of our class and owns the box from here on: the finalizer frees it.
    unsafe { qjs::JS_SetOpaque(object.raw(), host.cast()) };
    state.host_object_added();
    Ok(object)
}

/// The native classes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum HostClass {
    /// Most platform objects, and what is no object to scripts.
    Plain,
    /// Platform objects with indexed properties.
    Indexed,
    /// The proxies of windows.
    WindowProxy,
}

/// Registers a native class.
pub(super) fn register_class(
    runtime: *mut qjs::JSRuntime,
    class: HostClass,
) -> Result<qjs::JSClassID, Error> {
    let mut class_id = qjs::JS_INVALID_CLASS_ID;
    let definition = qjs::JSClassDef {
        class_name: c"Object".as_ptr(),
        finalizer: Some(finalize),
        gc_mark: Some(mark),
        call: None,
        // The engine does not write through them.
        exotic: match class {
            HostClass::Plain => ptr::null_mut(),
            HostClass::Indexed => (&raw const indexed::METHODS).cast_mut(),
            HostClass::WindowProxy => (&raw const window_proxy::METHODS).cast_mut(),
        },
    };
    // SAFETY: the runtime is alive; the engine copies the definition.
    let status = unsafe {
        qjs::JS_NewClassID(runtime, &raw mut class_id);
        qjs::JS_NewClass(runtime, class_id, &raw const definition)
    };
    if status < 0 {
        Err(super::value::out_of_memory())
    } else {
        Ok(class_id)
    }
}

unsafe extern "C" fn finalize(runtime: *mut qjs::JSRuntime, value: qjs::JSValue) {
    let state = RuntimeState::of(runtime);
    // SAFETY: the object is of our class; its pointer is null or came from `Box::into_raw` and is
    // freed once, since finalizers run once.
    unsafe {
        let host: *mut c_void = state.opaque(value);
        if !host.is_null() {
            qjs::JS_SetOpaque(value, ptr::null_mut());
            state.host_object_removed();
            drop(Box::from_raw(host.cast::<Host>()));
        }
    }
}

unsafe extern "C" fn mark(
    runtime: *mut qjs::JSRuntime,
    value: qjs::JSValue,
    mark: qjs::JS_MarkFunc,
) {
    let state = RuntimeState::of(runtime);
    // SAFETY: as in `AnyDom::of`; nothing is freed during a visit.
    let host = unsafe { state.opaque(value).cast::<Host>().as_ref() };
    let mut tracer = Tracer::new(runtime, mark);
    match host {
        Some(Host::Object(object)) => object.trace(&mut tracer),
        Some(Host::Realm(realm)) => realm.trace(&mut tracer),
        Some(Host::WindowProxy(proxy)) => proxy.trace(&mut tracer),
        Some(Host::Reaction(_) | Host::Function(_)) | None => {}
    }
}

/// Defines a struct that implements an interface: its fields are traced, and it has no `Drop`.
macro_rules! dom_struct {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident : $type:ty),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type),*
        }

        impl $crate::bindings::trace::Traceable for $name {
            fn trace(&self, tracer: &mut $crate::bindings::trace::Tracer<'_>) {
                $($crate::bindings::trace::Traceable::trace(&self.$field, tracer);)*
            }
        }

        const _: () = {
            // Conflicts with the blanket implementation if the struct has a `Drop`, in which a
            // reference into a dead cycle could be followed.
            #[allow(dead_code, reason = "only has to exist")]
            trait MustNotImplementDrop {}
            #[allow(drop_bounds, reason = "exactly types with a Drop are meant")]
            impl<T: Drop> MustNotImplementDrop for T {}
            impl MustNotImplementDrop for $name {}
        };
    };
}
