//! Static descriptors of interfaces, and the one builder that makes constructors and prototypes.
//!
//! <https://webidl.spec.whatwg.org/#javascript-binding>

use std::collections::BTreeMap;

use super::error::{Error, Fallible};
pub use super::generated::{INTERFACES, NAMESPACES};
use super::realm::Realm;
use super::trace::{Traceable, Tracer};
use super::trampoline::{link_constructor, new_function};
use super::value::{Flags, Value};

/// The index of an interface in [`INTERFACES`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct InterfaceId(pub usize);

/// The kinds of global objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GlobalKind {
    /// A page.
    Window,
    /// A service worker.
    ServiceWorker,
    /// A dedicated worker.
    DedicatedWorker,
    /// A shared worker.
    SharedWorker,
}

/// Where something is visible. <https://webidl.spec.whatwg.org/#dfn-exposed>
#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    /// One bit for each kind of global object.
    pub globals: u8,
    /// Only in secure contexts.
    pub secure_context: bool,
}

impl Exposure {
    fn includes(self, realm: &Realm) -> bool {
        let bit = match realm.kind() {
            GlobalKind::Window => 1,
            GlobalKind::ServiceWorker => 2,
            GlobalKind::DedicatedWorker => 4,
            GlobalKind::SharedWorker => 8,
        };
        self.globals & bit != 0 && (!self.secure_context || realm.is_secure_context())
    }
}

/// An interface. Numbers are indices of the function table.
#[derive(Debug)]
#[allow(missing_docs, reason = "named after what Web IDL calls them")]
pub struct InterfaceDescriptor {
    pub name: &'static str,
    pub parent: Option<usize>,
    pub exposure: Exposure,
    pub global: bool,
    pub no_interface_object: bool,
    /// Further names of the constructor in windows.
    pub window_aliases: &'static [&'static str],
    pub constructor: ConstructorDescriptor,
    pub attributes: &'static [AttributeDescriptor],
    pub operations: &'static [OperationDescriptor],
    pub constants: &'static [(&'static str, f64)],
    /// `entries`, `keys`, `values`, `forEach`.
    pub iterable: Option<[usize; 4]>,
    /// Whether it has an indexed property getter, and then whether it is `iterable<V>` too.
    pub indexed: Option<bool>,
}

/// An interface's constructor.
#[derive(Debug)]
#[allow(missing_docs, reason = "named after what Web IDL calls them")]
pub struct ConstructorDescriptor {
    pub function: usize,
    pub length: usize,
}

/// An attribute.
#[derive(Debug)]
#[allow(missing_docs, reason = "named after what Web IDL calls them")]
pub struct AttributeDescriptor {
    pub name: &'static str,
    pub getter: usize,
    pub setter: Option<usize>,
    pub is_static: bool,
    pub unforgeable: bool,
    pub exposure: Exposure,
}

/// An operation.
#[derive(Debug)]
#[allow(missing_docs, reason = "named after what Web IDL calls them")]
pub struct OperationDescriptor {
    pub name: &'static str,
    pub function: usize,
    pub length: usize,
    pub is_static: bool,
    pub unforgeable: bool,
    pub exposure: Exposure,
}

/// A namespace.
#[derive(Debug)]
#[allow(missing_docs, reason = "named after what Web IDL calls them")]
pub struct NamespaceDescriptor {
    pub name: &'static str,
    pub exposure: Exposure,
    pub operations: &'static [OperationDescriptor],
}

/// A member with `[LegacyUnforgeable]`: its name and its functions.
#[derive(Clone)]
enum Unforgeable {
    /// Getter and setter.
    Attribute(&'static str, Value, Value),
    Operation(&'static str, Value),
}

/// A realm's constructors, prototypes and intrinsics.
#[derive(Default)]
pub(super) struct Interfaces {
    prototypes: Vec<Option<Value>>,
    constructors: Vec<Option<Value>>,
    /// What each instance gets as properties of its own.
    unforgeables: Vec<Vec<Unforgeable>>,
    /// The prototypes of default iterators, by the iterable interface.
    pub(super) iterators: BTreeMap<usize, Value>,
    pub(super) intrinsics: BTreeMap<&'static str, Value>,
}

impl Traceable for Interfaces {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.prototypes.trace(tracer);
        self.constructors.trace(tracer);
        for member in self.unforgeables.iter().flatten() {
            match member {
                Unforgeable::Attribute(_, getter, setter) => {
                    tracer.value(getter);
                    tracer.value(setter);
                }
                Unforgeable::Operation(_, function) => tracer.value(function),
            }
        }
        self.iterators.trace(tracer);
        self.intrinsics.trace(tracer);
    }
}

impl Realm {
    /// The interface prototype object.
    ///
    /// # Errors
    ///
    /// The interface is not exposed in this realm.
    pub fn prototype_of(&self, interface: InterfaceId) -> Fallible<Value> {
        let interfaces = self.interfaces.borrow();
        interfaces
            .prototypes
            .get(interface.0)
            .cloned()
            .flatten()
            .ok_or_else(|| {
                let name = INTERFACES[interface.0].name;
                Error::Type(format!("{name} is not exposed in this realm"))
            })
    }

    /// Defines what `[LegacyUnforgeable]` puts on each instance.
    pub(super) fn define_unforgeables(
        &self,
        interface: InterfaceId,
        object: &Value,
    ) -> Fallible<()> {
        let members = self
            .interfaces
            .borrow()
            .unforgeables
            .get(interface.0)
            .cloned()
            .unwrap_or_default();
        for member in members {
            match member {
                Unforgeable::Attribute(name, getter, setter) => {
                    object.define_accessor(self, name, &getter, &setter, Flags::ENUMERABLE)?;
                }
                Unforgeable::Operation(name, function) => {
                    object.define(self, name, &function, Flags::ENUMERABLE)?;
                }
            }
        }
        Ok(())
    }
}

/// Globals that the engine brings along and that are not as the specifications want them.
const ENGINE_GLOBALS: &[&str] = &[
    "performance",
    "atob",
    "btoa",
    "queueMicrotask",
    "navigator",
    "DOMException",
];

/// Intrinsics that are used later, whatever scripts do to the global object.
const INTRINSICS: &[&str] = &[
    "Object",
    "Function",
    "Error",
    "TypeError",
    "RangeError",
    "SyntaxError",
    "Promise",
    "Symbol",
    "Array",
    "ArrayBuffer",
    "Uint8Array",
    "Map",
    "Set",
    "Date",
    "RegExp",
    "Iterator",
    "DataView",
];

/// Defines all that is exposed in a new realm.
pub(super) fn define_all(realm: &Realm, global_interface: InterfaceId) -> Fallible<()> {
    let global = realm.inner_global();
    for name in ENGINE_GLOBALS {
        global.delete(realm, *name)?;
    }
    for name in INTRINSICS {
        let value = global.get(realm, *name)?;
        realm.interfaces.borrow_mut().intrinsics.insert(name, value);
    }
    super::intrinsics::capture(realm)?;
    let symbol = realm.intrinsic("Symbol")?;
    for name in ["iterator", "toStringTag"] {
        let value = symbol.get(realm, name)?;
        realm.interfaces.borrow_mut().intrinsics.insert(name, value);
    }
    for (index, interface) in INTERFACES.iter().enumerate() {
        let built = Built::new(realm, interface, index == global_interface.0)?;
        let mut interfaces = realm.interfaces.borrow_mut();
        interfaces.prototypes.push(built.prototype);
        interfaces.constructors.push(built.constructor);
        interfaces.unforgeables.push(built.unforgeables);
    }
    for namespace in NAMESPACES {
        define_namespace(realm, namespace)?;
    }
    // The engine's own name for it, which would hide the interface's.
    global.delete(realm, &realm.intrinsic("toStringTag")?)?;
    global.set_prototype(realm, &realm.prototype_of(global_interface)?)?;
    realm.define_unforgeables(global_interface, &global)?;
    super::immutable_prototype::protect(realm)
}

#[derive(Default)]
struct Built {
    prototype: Option<Value>,
    constructor: Option<Value>,
    unforgeables: Vec<Unforgeable>,
}

impl Built {
    fn new(
        realm: &Realm,
        interface: &'static InterfaceDescriptor,
        is_global: bool,
    ) -> Fallible<Self> {
        if !interface.exposure.includes(realm) {
            return Ok(Self::default());
        }
        let (parent_prototype, parent_constructor, mut unforgeables) = inherited(realm, interface)?;
        let prototype = realm.new_object_with_prototype(&parent_prototype)?;
        let constructor = new_function(
            realm,
            interface.constructor.function,
            interface.name,
            interface.constructor.length,
            parent_constructor.as_ref(),
        )?;
        link_constructor(realm, &constructor, &prototype)?;
        for (name, number) in interface.constants {
            let value = Value::number(*number);
            constructor.define(realm, *name, &value, Flags::ENUMERABLE)?;
            prototype.define(realm, *name, &value, Flags::ENUMERABLE)?;
        }
        // The members of a `[Global]` interface are on the global object itself.
        let home = if is_global && interface.global {
            realm.inner_global()
        } else {
            prototype.clone()
        };
        for attribute in interface.attributes {
            if !attribute.exposure.includes(realm) {
                continue;
            }
            let (getter, setter) = accessor(realm, attribute)?;
            let home = if attribute.is_static {
                &constructor
            } else {
                &home
            };
            if attribute.unforgeable {
                unforgeables.push(Unforgeable::Attribute(attribute.name, getter, setter));
            } else {
                home.define_accessor(realm, attribute.name, &getter, &setter, Flags::ACCESSOR)?;
            }
        }
        for operation in interface.operations {
            if !operation.exposure.includes(realm) {
                continue;
            }
            if operation.unforgeable {
                let function = operation_function(realm, operation)?;
                unforgeables.push(Unforgeable::Operation(operation.name, function));
                continue;
            }
            let home = if operation.is_static {
                &constructor
            } else {
                &home
            };
            define_operation(realm, home, operation)?;
        }
        define_iterable(realm, &prototype, interface)?;
        if let Some(named) = interface.indexed {
            super::indexed::define_iteration(realm, &prototype, named)?;
        }
        let tag = realm.new_string(interface.name)?;
        let key = realm.intrinsic("toStringTag")?;
        prototype.define(realm, &key, &tag, Flags::CONFIGURABLE)?;
        if !interface.no_interface_object {
            realm.define_global(interface.name, &constructor)?;
        }
        if realm.kind() == GlobalKind::Window {
            for alias in interface.window_aliases {
                realm.define_global(alias, &constructor)?;
            }
        }
        Ok(Self {
            prototype: Some(prototype),
            constructor: Some(constructor),
            unforgeables,
        })
    }
}

type Inherited = (Value, Option<Value>, Vec<Unforgeable>);

/// What an interface takes over from the one it inherits from.
fn inherited(realm: &Realm, interface: &InterfaceDescriptor) -> Fallible<Inherited> {
    let Some(parent) = interface.parent else {
        // DOMException is the one interface whose prototype chain has an intrinsic in it.
        let base = if interface.name == "DOMException" {
            "Error"
        } else {
            "Object"
        };
        return Ok((
            realm.intrinsic(base)?.get(realm, "prototype")?,
            None,
            Vec::new(),
        ));
    };
    let prototype = realm.prototype_of(InterfaceId(parent))?;
    let interfaces = realm.interfaces.borrow();
    Ok((
        prototype,
        interfaces.constructors[parent].clone(),
        interfaces.unforgeables[parent].clone(),
    ))
}

fn accessor(realm: &Realm, attribute: &AttributeDescriptor) -> Fallible<(Value, Value)> {
    let name = attribute.name;
    let getter = new_function(realm, attribute.getter, &format!("get {name}"), 0, None)?;
    let setter = match attribute.setter {
        Some(setter) => new_function(realm, setter, &format!("set {name}"), 1, None)?,
        None => Value::undefined(),
    };
    Ok((getter, setter))
}

fn define_operation(realm: &Realm, home: &Value, operation: &OperationDescriptor) -> Fallible<()> {
    let function = operation_function(realm, operation)?;
    home.define(realm, operation.name, &function, Flags::ALL)
}

fn operation_function(realm: &Realm, operation: &OperationDescriptor) -> Fallible<Value> {
    new_function(
        realm,
        operation.function,
        operation.name,
        operation.length,
        None,
    )
}

fn define_iterable(
    realm: &Realm,
    prototype: &Value,
    interface: &InterfaceDescriptor,
) -> Fallible<()> {
    let Some([entries, keys, values, for_each]) = interface.iterable else {
        return Ok(());
    };
    let function = new_function(realm, entries, "entries", 0, None)?;
    prototype.define(realm, "entries", &function, Flags::ALL)?;
    prototype.define(
        realm,
        &realm.intrinsic("iterator")?,
        &function,
        Flags::HIDDEN,
    )?;
    for (name, index, length) in [
        ("keys", keys, 0),
        ("values", values, 0),
        ("forEach", for_each, 1),
    ] {
        let function = new_function(realm, index, name, length, None)?;
        prototype.define(realm, name, &function, Flags::ALL)?;
    }
    Ok(())
}

fn define_namespace(realm: &Realm, namespace: &NamespaceDescriptor) -> Fallible<()> {
    if !namespace.exposure.includes(realm) {
        return Ok(());
    }
    // The console's prototype is an empty object for historical reasons; it is the one namespace.
    let object = realm.new_object_with_prototype(&realm.new_object()?)?;
    for operation in namespace.operations {
        if operation.exposure.includes(realm) {
            define_operation(realm, &object, operation)?;
        }
    }
    let tag = realm.new_string(namespace.name)?;
    object.define(
        realm,
        &realm.intrinsic("toStringTag")?,
        &tag,
        Flags::CONFIGURABLE,
    )?;
    realm.define_global(namespace.name, &object)
}
