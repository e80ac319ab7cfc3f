//! What `script_bindings` generates from the Web IDL files.

#![allow(
    missing_docs,
    unused_imports,
    unused_variables,
    unused_mut,
    unused_parens,
    unused_braces,
    dead_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]

use super::indexed::IndexedProperties;
use super::interface::{
    AttributeDescriptor, ConstructorDescriptor, Exposure, InterfaceDescriptor, InterfaceId,
    NamespaceDescriptor, OperationDescriptor,
};
use super::iterable;
use super::trace::no_trace;
use super::trampoline::{Call, FunctionEntry, FunctionKind};
use super::{
    BufferSource, ByteString, Callback, Dom, DomObject, DomString, Error, Fallible, HasInterface,
    Object, Promise, Realm, Record, Reflector, ToJs, Traceable, Tracer, UsvString, Value, convert,
};

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
