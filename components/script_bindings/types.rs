//! How a Web IDL type is written, converted and told from others in Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::Error;
use crate::model::{Definitions, Literal, Range, Type};
use crate::names::{snake_case, type_name};

/// Types with typedefs resolved, and what the definitions use of them.
pub(crate) struct Types<'a> {
    definitions: &'a Definitions,
    /// The unions that occur, by Rust name.
    pub(crate) unions: BTreeMap<String, Vec<Type>>,
    /// Rust names of the dictionaries and unions that are also handed to JavaScript.
    pub(crate) outputs: BTreeSet<String>,
}

impl<'a> Types<'a> {
    pub(crate) fn new(definitions: &'a Definitions) -> Self {
        Self {
            definitions,
            unions: BTreeMap::new(),
            outputs: BTreeSet::new(),
        }
    }

    /// The type without typedefs, nullable outermost, unions flat.
    pub(crate) fn resolve(&self, type_: &Type) -> Result<Type, Error> {
        Ok(match type_ {
            Type::Named(name) => {
                if let Some(target) = self.definitions.typedefs.get(name) {
                    return self.resolve(target);
                }
                let definitions = self.definitions;
                if !definitions.interfaces.contains_key(name)
                    && !definitions.dictionaries.contains_key(name)
                    && !definitions.enumerations.contains_key(name)
                    && !definitions.callbacks.contains_key(name)
                    && !definitions.callback_interfaces.contains_key(name)
                {
                    return Err(Error::new(format!("the type {name} is not defined")));
                }
                type_.clone()
            }
            Type::Nullable(inner) => match self.resolve(inner)? {
                Type::Nullable(inner) => Type::Nullable(inner),
                Type::Any => Type::Any,
                inner => Type::Nullable(Box::new(inner)),
            },
            Type::Union(members) => {
                let mut flat = Vec::new();
                let mut nullable = false;
                for member in members {
                    let mut member = self.resolve(member)?;
                    if let Type::Nullable(inner) = member {
                        nullable = true;
                        member = *inner;
                    }
                    match member {
                        Type::Union(inner) => flat.extend(inner),
                        other => flat.push(other),
                    }
                }
                let union = Type::Union(flat);
                if nullable {
                    Type::Nullable(Box::new(union))
                } else {
                    union
                }
            }
            Type::Sequence(inner) => Type::Sequence(Box::new(self.resolve(inner)?)),
            Type::FrozenArray(inner) => Type::FrozenArray(Box::new(self.resolve(inner)?)),
            Type::Promise(inner) => Type::Promise(Box::new(self.resolve(inner)?)),
            Type::Record(key, value) => {
                Type::Record(Box::new(self.resolve(key)?), Box::new(self.resolve(value)?))
            }
            other => other.clone(),
        })
    }

    pub(crate) fn is_dictionary(&self, type_: &Type) -> bool {
        matches!(type_, Type::Named(name) if self.definitions.dictionaries.contains_key(name))
    }

    pub(crate) fn is_enumeration(&self, type_: &Type) -> bool {
        matches!(type_, Type::Named(name) if self.definitions.enumerations.contains_key(name))
    }

    fn is_interface(&self, type_: &Type) -> bool {
        matches!(type_, Type::Named(name) if self.definitions.interfaces.contains_key(name))
    }

    fn is_callback(&self, type_: &Type) -> bool {
        matches!(type_, Type::Named(name) if self.definitions.callbacks.contains_key(name))
    }

    /// Whether an attribute of this (resolved) type is an event handler.
    pub(crate) fn is_event_handler(&self, type_: &Type) -> bool {
        let Type::Nullable(inner) = type_ else {
            return false;
        };
        let Type::Named(name) = &**inner else {
            return false;
        };
        self.definitions
            .callbacks
            .get(name)
            .is_some_and(|callback| callback.treat_non_object_as_null)
    }

    /// The Rust type of a resolved type.
    pub(crate) fn rust(&mut self, type_: &Type) -> Result<String, Error> {
        Ok(match type_ {
            Type::Undefined => "()".to_owned(),
            Type::Any => "Value".to_owned(),
            Type::Object => "Object".to_owned(),
            Type::Boolean => "bool".to_owned(),
            Type::Integer(name, _) | Type::Float(name, _) => (*name).to_owned(),
            Type::DomString => "DomString".to_owned(),
            Type::UsvString => "UsvString".to_owned(),
            Type::ByteString => "ByteString".to_owned(),
            Type::ArrayBuffer | Type::ArrayBufferView | Type::BufferSource | Type::Uint8Array => {
                "BufferSource".to_owned()
            }
            Type::Sequence(inner) | Type::FrozenArray(inner) => {
                format!("Vec<{}>", self.rust(inner)?)
            }
            Type::Record(key, value) => {
                format!("Record<{}, {}>", self.rust(key)?, self.rust(value)?)
            }
            Type::Promise(_) => "Promise".to_owned(),
            Type::Nullable(inner) => format!("Option<{}>", self.rust(inner)?),
            Type::Union(members) => self.union_name(members),
            Type::Named(name) if self.is_interface(type_) => format!("Dom<{}>", dom_path(name)),
            Type::Named(name) => type_name(name),
        })
    }

    fn union_name(&mut self, members: &[Type]) -> String {
        let name = members.iter().map(label).collect::<Vec<_>>().join("Or");
        self.unions
            .entry(name.clone())
            .or_insert_with(|| members.to_vec());
        name
    }

    /// An expression of type `Fallible<T>` that converts `value`, an expression of type `&Value`.
    pub(crate) fn convert(&mut self, type_: &Type, value: &str) -> Result<String, Error> {
        Ok(match type_ {
            Type::Undefined => format!("convert::undefined({value})"),
            Type::Any => format!("convert::any({value})"),
            Type::Object => format!("convert::object({value})"),
            Type::Boolean => format!("convert::boolean(realm, {value})"),
            Type::Integer(name, range) => {
                let mode = match range {
                    Range::Wrap => "Wrap",
                    Range::Enforce => "Enforce",
                    Range::Clamp => "Clamp",
                };
                format!("convert::integer::<{name}>(realm, {value}, convert::Range::{mode})")
            }
            Type::Float("f32", unrestricted) => {
                format!("convert::float(realm, {value}, {unrestricted})")
            }
            Type::Float(_, unrestricted) => {
                format!("convert::double(realm, {value}, {unrestricted})")
            }
            Type::DomString => format!("convert::dom_string(realm, {value})"),
            Type::UsvString => format!("convert::usv_string(realm, {value})"),
            Type::ByteString => format!("convert::byte_string(realm, {value})"),
            Type::ArrayBuffer => format!("convert::array_buffer(realm, {value})"),
            Type::ArrayBufferView => format!("convert::array_buffer_view(realm, {value})"),
            Type::BufferSource => format!("convert::buffer_source(realm, {value})"),
            Type::Uint8Array => format!("convert::uint8_array(realm, {value})"),
            Type::Sequence(inner) | Type::FrozenArray(inner) => {
                let item = self.convert(inner, "value")?;
                format!("convert::sequence(realm, {value}, |realm, value| {item})")
            }
            Type::Record(key, item) => {
                let key = self.convert(key, "value")?;
                let item = self.convert(item, "value")?;
                format!(
                    "convert::record(realm, {value}, |realm, value| {key}, |realm, value| {item})"
                )
            }
            Type::Promise(_) => format!("convert::promise(realm, {value})"),
            Type::Nullable(inner) if self.is_event_handler(type_) => {
                let inner = self.convert(inner, "value")?;
                format!("convert::non_object_as_null(realm, {value}, |realm, value| {inner})")
            }
            Type::Nullable(inner) => {
                let inner = self.convert(inner, "value")?;
                format!("convert::nullable(realm, {value}, |realm, value| {inner})")
            }
            Type::Union(members) => {
                format!("{}::from_js(realm, {value})", self.union_name(members))
            }
            Type::Named(name) if self.is_interface(type_) => {
                format!("convert::interface::<{}>(realm, {value})", dom_path(name))
            }
            Type::Named(name) => format!("{}::from_js(realm, {value})", type_name(name)),
        })
    }

    /// The Rust expression of a default value.
    pub(crate) fn default(&mut self, type_: &Type, literal: &Literal) -> Result<String, Error> {
        let mismatch = || {
            Error::new(format!(
                "the default {literal:?} does not fit the type {type_:?}"
            ))
        };
        Ok(match (type_, literal) {
            (Type::Nullable(_), Literal::Null) => "None".to_owned(),
            (Type::Nullable(inner), _) => format!("Some({})", self.default(inner, literal)?),
            (Type::Any, Literal::Null) => "Value::null()".to_owned(),
            (Type::Boolean, Literal::Boolean(value)) => value.to_string(),
            (Type::Integer(name, _) | Type::Float(name, _), Literal::Number(value)) => {
                format!("{value} as {name}")
            }
            (Type::DomString, Literal::String(value)) => format!("DomString::from({value:?})"),
            (Type::UsvString, Literal::String(value)) => format!("UsvString::from({value:?})"),
            (Type::ByteString, Literal::String(value)) => format!("ByteString::from({value:?})"),
            (Type::Sequence(_), Literal::EmptySequence) => "Vec::new()".to_owned(),
            (Type::Union(members), _) => {
                let name = self.union_name(members);
                let members = members.clone();
                for member in &members {
                    if let Ok(value) = self.default(member, literal) {
                        return Ok(format!("{name}::{}({value})", label(member)));
                    }
                }
                return Err(mismatch());
            }
            (Type::Named(name), Literal::EmptyDictionary) if self.is_dictionary(type_) => {
                format!("<{} as Default>::default()", type_name(name))
            }
            (Type::Named(name), Literal::String(value)) if self.is_enumeration(type_) => {
                if !self.definitions.enumerations[name].contains(value) {
                    return Err(mismatch());
                }
                format!("{}::{}", type_name(name), variant(value))
            }
            _ => return Err(mismatch()),
        })
    }

    /// Marks what a value of this resolved type needs to be handed to JavaScript.
    pub(crate) fn output(&mut self, type_: &Type) -> Result<(), Error> {
        match type_ {
            Type::Sequence(inner)
            | Type::FrozenArray(inner)
            | Type::Nullable(inner)
            | Type::Promise(inner) => self.output(inner),
            Type::Record(..) => Err(Error::new("a record as a return value is not supported")),
            Type::Union(members) => {
                let name = self.union_name(members);
                self.outputs.insert(name);
                members
                    .clone()
                    .iter()
                    .try_for_each(|member| self.output(member))
            }
            Type::Named(name) if self.is_dictionary(type_) => {
                if !self.outputs.insert(type_name(name)) {
                    return Ok(());
                }
                let dictionary = &self.definitions.dictionaries[name];
                if let Some(parent) = &dictionary.parent {
                    self.output(&Type::Named(parent.clone()))?;
                }
                for member in &dictionary.members {
                    let type_ = self.resolve(&member.type_)?;
                    self.output(&type_)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An expression that evaluates the action of the one candidate that fits `value`, in the
    /// order that Web IDL gives unions and overloads.
    pub(crate) fn select(&self, candidates: &[(Type, String)], value: &str, error: &str) -> String {
        let mut chain = String::new();
        let mut push = |condition: &str, action: &str| {
            let _ = write!(chain, "if {condition} {{ {action} }} else ");
        };
        let flat: Vec<(Type, bool, String)> = candidates
            .iter()
            .map(|(type_, action)| match type_ {
                Type::Nullable(inner) => ((**inner).clone(), true, action.clone()),
                other => (other.clone(), false, action.clone()),
            })
            .flat_map(|(type_, nullable, action)| match type_ {
                Type::Union(members) => members
                    .into_iter()
                    .map(|member| (member, nullable, action.clone()))
                    .collect::<Vec<_>>(),
                other => vec![(other, nullable, action)],
            })
            .collect();
        for (type_, nullable, action) in &flat {
            if *nullable || self.is_dictionary(type_) {
                push(&format!("{value}.is_null_or_undefined()"), action);
                break;
            }
        }
        for (type_, _, action) in &flat {
            if let Type::Named(name) = type_
                && self.is_interface(type_)
            {
                push(
                    &format!("convert::is::<{}>(realm, {value})", dom_path(name)),
                    action,
                );
            }
        }
        for (type_, _, action) in &flat {
            match type_ {
                Type::ArrayBuffer => push(&format!("{value}.is_array_buffer()"), action),
                Type::ArrayBufferView => push(&format!("{value}.is_array_buffer_view()"), action),
                Type::BufferSource => push(&format!("{value}.is_buffer_source()"), action),
                Type::Uint8Array => push(&format!("{value}.is_uint8_array()"), action),
                _ => {}
            }
        }
        for (type_, _, action) in &flat {
            if self.is_callback(type_) {
                push(&format!("{value}.is_callable(realm)"), action);
            }
        }
        for (type_, _, action) in &flat {
            if matches!(type_, Type::Sequence(_) | Type::FrozenArray(_)) {
                push(&format!("convert::is_iterable(realm, {value})?"), action);
            }
        }
        for (type_, _, action) in &flat {
            let is_object = match type_ {
                Type::Object | Type::Record(..) | Type::Promise(_) => true,
                Type::Named(name) => {
                    self.is_dictionary(type_)
                        || self.definitions.callback_interfaces.contains_key(name)
                }
                _ => false,
            };
            if is_object {
                push(&format!("{value}.is_object()"), action);
            }
        }
        for (type_, _, action) in &flat {
            if *type_ == Type::Boolean {
                push(&format!("{value}.is_boolean()"), action);
            }
        }
        for (type_, _, action) in &flat {
            if matches!(type_, Type::Integer(..) | Type::Float(..)) {
                push(&format!("{value}.is_number()"), action);
            }
        }
        let is_string = |type_: &Type| {
            matches!(type_, Type::DomString | Type::UsvString | Type::ByteString)
                || self.is_enumeration(type_)
        };
        let is_number = |type_: &Type| matches!(type_, Type::Integer(..) | Type::Float(..));
        let rest = flat
            .iter()
            .find(|(type_, _, _)| is_string(type_))
            .or_else(|| flat.iter().find(|(type_, _, _)| is_number(type_)))
            .or_else(|| flat.iter().find(|(type_, _, _)| *type_ == Type::Boolean))
            .or_else(|| flat.iter().find(|(type_, _, _)| *type_ == Type::Any));
        let rest = rest.map_or_else(
            || format!("Err(Error::Type({error:?}.to_owned()))"),
            |(_, _, action)| action.clone(),
        );
        let _ = write!(chain, "{{ {rest} }}");
        chain
    }
}

/// The path of the struct that implements an interface.
pub(crate) fn dom_path(name: &str) -> String {
    format!("crate::dom::{}::{}", snake_case(name), type_name(name))
}

/// The name of an enumeration's variant.
pub(crate) fn variant(value: &str) -> String {
    if value.is_empty() {
        "Empty".to_owned()
    } else {
        type_name(value)
    }
}

/// The name of a union's variant.
pub(crate) fn label(type_: &Type) -> String {
    match type_ {
        Type::Undefined => "Undefined".to_owned(),
        Type::Any => "Any".to_owned(),
        Type::Object => "Object".to_owned(),
        Type::Boolean => "Boolean".to_owned(),
        Type::Integer(name, _) | Type::Float(name, _) => type_name(name),
        Type::DomString => "DomString".to_owned(),
        Type::UsvString => "UsvString".to_owned(),
        Type::ByteString => "ByteString".to_owned(),
        Type::ArrayBuffer => "ArrayBuffer".to_owned(),
        Type::ArrayBufferView => "ArrayBufferView".to_owned(),
        Type::BufferSource => "BufferSource".to_owned(),
        Type::Uint8Array => "Uint8Array".to_owned(),
        Type::Sequence(inner) | Type::FrozenArray(inner) => format!("{}Sequence", label(inner)),
        Type::Record(key, value) => format!("{}{}Record", label(key), label(value)),
        Type::Promise(_) => "Promise".to_owned(),
        Type::Nullable(inner) => format!("Nullable{}", label(inner)),
        Type::Union(members) => members.iter().map(label).collect::<Vec<_>>().join("Or"),
        Type::Named(name) => type_name(name),
    }
}
