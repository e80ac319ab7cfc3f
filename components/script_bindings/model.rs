//! Web IDL definitions after parsing: partials and mixins merged, syntax gone.

use std::collections::BTreeMap;

/// All definitions, by name.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) interfaces: BTreeMap<String, Interface>,
    pub(crate) namespaces: BTreeMap<String, Interface>,
    pub(crate) mixins: BTreeMap<String, Interface>,
    pub(crate) dictionaries: BTreeMap<String, Dictionary>,
    pub(crate) enumerations: BTreeMap<String, Vec<String>>,
    pub(crate) callbacks: BTreeMap<String, Callback>,
    pub(crate) callback_interfaces: BTreeMap<String, Operation>,
    pub(crate) typedefs: BTreeMap<String, Type>,
}

/// Where something is visible: bits of global names, and whether only in secure contexts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Exposure {
    pub(crate) globals: u8,
    pub(crate) secure_context: bool,
}

impl Exposure {
    pub(crate) const ALL: Self = Self {
        globals: u8::MAX,
        secure_context: false,
    };

    /// What is visible only where both are.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            globals: self.globals & other.globals,
            secure_context: self.secure_context || other.secure_context,
        }
    }
}

/// An interface, a mixin or a namespace.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one thing that Web IDL says or not"
)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) parent: Option<String>,
    pub(crate) exposure: Exposure,
    /// `[Global]`: its members are own properties of the global object.
    pub(crate) global: bool,
    /// `[LegacyNoInterfaceObject]`.
    pub(crate) no_interface_object: bool,
    pub(crate) window_aliases: Vec<String>,
    pub(crate) constructors: Vec<Vec<Argument>>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) iterable: Option<(Type, Type)>,
    /// The operation that gets indexed properties.
    pub(crate) indexed: Option<String>,
    /// `iterable` over the indexed properties.
    pub(crate) value_iterable: bool,
    /// A bare `stringifier;`.
    pub(crate) stringifier: bool,
    /// The mixins it includes.
    pub(crate) includes: Vec<String>,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one extended attribute"
)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) readonly: bool,
    pub(crate) is_static: bool,
    pub(crate) stringifier: bool,
    /// `[Throws]`: the getter may fail.
    pub(crate) throws: bool,
    pub(crate) unforgeable: bool,
    pub(crate) replaceable: bool,
    pub(crate) put_forwards: Option<String>,
    pub(crate) exposure: Exposure,
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) return_type: Type,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) is_static: bool,
    pub(crate) stringifier: bool,
    pub(crate) unforgeable: bool,
    pub(crate) exposure: Exposure,
}

#[derive(Clone, Debug)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) optional: bool,
    pub(crate) variadic: bool,
    pub(crate) default: Option<Literal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) value: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Dictionary {
    pub(crate) parent: Option<String>,
    pub(crate) members: Vec<Member>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) required: bool,
    pub(crate) default: Option<Literal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) return_type: Type,
    pub(crate) arguments: Vec<Argument>,
    /// `[LegacyTreatNonObjectAsNull]`: an event handler.
    pub(crate) treat_non_object_as_null: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Boolean(bool),
    /// As written in Rust.
    Number(String),
    String(String),
    Null,
    EmptySequence,
    EmptyDictionary,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Range {
    Wrap,
    Enforce,
    Clamp,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Type {
    Undefined,
    Any,
    Object,
    Boolean,
    /// The Rust integer type.
    Integer(&'static str, Range),
    /// The Rust type, and whether NaN and the infinities are allowed.
    Float(&'static str, bool),
    DomString,
    UsvString,
    ByteString,
    ArrayBuffer,
    ArrayBufferView,
    BufferSource,
    Uint8Array,
    Sequence(Box<Type>),
    FrozenArray(Box<Type>),
    Record(Box<Type>, Box<Type>),
    Promise(Box<Type>),
    Nullable(Box<Type>),
    Union(Vec<Type>),
    /// A definition's name.
    Named(String),
}
