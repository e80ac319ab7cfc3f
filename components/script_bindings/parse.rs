//! Web IDL text to the model.

use weedle::argument::{Argument as WeedleArgument, ArgumentList};
use weedle::attribute::{ExtendedAttribute, ExtendedAttributeList, IdentifierOrString};
use weedle::interface::{
    InterfaceMember, IterableInterfaceMember, Special, StringifierOrInheritOrStatic,
    StringifierOrStatic,
};
use weedle::literal::{ConstValue, DefaultValue, FloatLit, IntegerLit};
use weedle::mixin::MixinMember;
use weedle::namespace::NamespaceMember;
use weedle::types::{
    AttributedNonAnyType, AttributedType, FloatingPointType, IntegerType, MayBeNull, NonAnyType,
    RecordKeyType, ReturnType, SingleType, Type as WeedleType, UnionMemberType,
};
use weedle::{Definition, Parse};

use crate::model::{
    Argument, Attribute, Callback, Constant, Definitions, Dictionary, Exposure, Interface, Literal,
    Member, Operation, Range, Type,
};
use crate::{Error, Source};

/// Extended attributes that change nothing here: promises about values which the implementation of
/// a member keeps, or notes for other tools.
const NOTES: &[&str] = &[
    "SameObject",
    "NewObject",
    "Serializable",
    "Transferable",
    "CEReactions",
    "AllowShared",
    "Unscopable",
    "Default",
];

pub(crate) fn parse(sources: &[Source<'_>]) -> Result<Definitions, Error> {
    let mut parser = Parser::default();
    for source in sources {
        // The parser does not know the asterisk of `[Exposed=*]`.
        let text = source.text.replace("Exposed=*", "Exposed=(Window,Worker)");
        let (rest, definitions) = weedle::Definitions::parse(&text)
            .map_err(|error| Error::new(format!("{}: {error}", source.name)))?;
        if !rest.trim().is_empty() {
            let line = text[..text.len() - rest.len()].lines().count().max(1);
            let rest = rest.trim().lines().next().unwrap_or_default();
            return Err(Error::new(format!(
                "{}: line {line}: not Web IDL (or not supported by the parser): {rest}",
                source.name
            )));
        }
        for definition in definitions {
            parser
                .definition(definition)
                .map_err(|error| Error::new(format!("{}: {error}", source.name)))?;
        }
    }
    parser.finish()
}

#[derive(Default)]
struct Parser {
    definitions: Definitions,
    partials: Vec<(Kind, Interface)>,
    partial_dictionaries: Vec<(String, Vec<Member>)>,
    includes: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Interface,
    Mixin,
    Namespace,
}

/// The extended attributes of a definition or member.
struct Attributes<'a>(Vec<(&'a str, Option<Vec<&'a str>>)>);

impl<'a> Attributes<'a> {
    fn new(
        place: &str,
        list: Option<&ExtendedAttributeList<'a>>,
        allowed: &[&str],
    ) -> Result<Self, Error> {
        let mut result = Vec::new();
        for attribute in list.iter().flat_map(|list| &list.body.list) {
            let (name, value) = match attribute {
                ExtendedAttribute::NoArgs(name) => (name.0.0, None),
                ExtendedAttribute::Ident(ident) => {
                    let value = match ident.rhs {
                        IdentifierOrString::Identifier(value) => value.0,
                        IdentifierOrString::String(value) => value.0,
                    };
                    (ident.lhs_identifier.0, Some(vec![value]))
                }
                ExtendedAttribute::IdentList(list) => (
                    list.identifier.0,
                    Some(list.list.body.list.iter().map(|name| name.0).collect()),
                ),
                ExtendedAttribute::ArgList(list) => {
                    return Err(unsupported(place, &format!("[{}(...)]", list.identifier.0)));
                }
                ExtendedAttribute::NamedArgList(list) => {
                    return Err(unsupported(
                        place,
                        &format!("[{}=...]", list.lhs_identifier.0),
                    ));
                }
            };
            if !NOTES.contains(&name) && !allowed.contains(&name) {
                return Err(unsupported(place, &format!("[{name}]")));
            }
            result.push((name, value));
        }
        Ok(Self(result))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| *own == name)
    }

    fn value(&self, name: &str) -> Option<&[&'a str]> {
        self.0
            .iter()
            .find(|(own, _)| *own == name)
            .and_then(|(_, value)| value.as_deref())
    }

    fn exposure(&self, place: &str) -> Result<Exposure, Error> {
        let globals = match self.value("Exposed") {
            Some(names) => {
                let mut bits = 0;
                for name in names {
                    bits |= match *name {
                        "Window" => 1,
                        "ServiceWorker" => 2,
                        "DedicatedWorker" => 4,
                        "SharedWorker" => 8,
                        "Worker" => 14,
                        _ => return Err(unsupported(place, &format!("[Exposed={name}]"))),
                    };
                }
                bits
            }
            None => Exposure::ALL.globals,
        };
        Ok(Exposure {
            globals,
            secure_context: self.has("SecureContext"),
        })
    }

    fn range(&self) -> Range {
        if self.has("EnforceRange") {
            Range::Enforce
        } else if self.has("Clamp") {
            Range::Clamp
        } else {
            Range::Wrap
        }
    }
}

fn unsupported(place: &str, what: &str) -> Error {
    Error::new(format!("{place}: {what} is not supported"))
}

impl Parser {
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of definition")]
    fn definition(&mut self, definition: Definition<'_>) -> Result<(), Error> {
        let definitions = &mut self.definitions;
        match definition {
            Definition::Callback(callback) => {
                let name = callback.identifier.0;
                let attributes = Attributes::new(
                    name,
                    callback.attributes.as_ref(),
                    &["LegacyTreatNonObjectAsNull"],
                )?;
                let value = Callback {
                    return_type: return_type(name, &callback.return_type)?,
                    arguments: arguments(name, &callback.arguments.body)?,
                    treat_non_object_as_null: attributes.has("LegacyTreatNonObjectAsNull"),
                };
                insert(&mut definitions.callbacks, name, value)
            }
            Definition::CallbackInterface(callback) => {
                let name = callback.identifier.0;
                Attributes::new(name, callback.attributes.as_ref(), &["Exposed"])?;
                let mut interface = empty(name, Exposure::ALL);
                for member in &callback.members.body {
                    interface_member(&mut interface, member)?;
                }
                let [operation] = interface.operations.as_slice() else {
                    return Err(unsupported(
                        name,
                        "a callback interface without one operation",
                    ));
                };
                insert(
                    &mut definitions.callback_interfaces,
                    name,
                    operation.clone(),
                )
            }
            Definition::Interface(value) => {
                let name = value.identifier.0;
                let mut interface = header(name, value.attributes.as_ref())?;
                interface.parent = value
                    .inheritance
                    .map(|parent| parent.identifier.0.to_owned());
                for member in &value.members.body {
                    interface_member(&mut interface, member)?;
                }
                insert(&mut definitions.interfaces, name, interface)
            }
            Definition::PartialInterface(value) => {
                let mut interface = header(value.identifier.0, value.attributes.as_ref())?;
                for member in &value.members.body {
                    interface_member(&mut interface, member)?;
                }
                self.partials.push((Kind::Interface, interface));
                Ok(())
            }
            Definition::InterfaceMixin(value) => {
                let name = value.identifier.0;
                let mut mixin = header(name, value.attributes.as_ref())?;
                for member in &value.members.body {
                    mixin_member(&mut mixin, member)?;
                }
                insert(&mut definitions.mixins, name, mixin)
            }
            Definition::PartialInterfaceMixin(value) => {
                let mut mixin = header(value.identifier.0, value.attributes.as_ref())?;
                for member in &value.members.body {
                    mixin_member(&mut mixin, member)?;
                }
                self.partials.push((Kind::Mixin, mixin));
                Ok(())
            }
            Definition::Namespace(value) => {
                let name = value.identifier.0;
                let mut namespace = header(name, value.attributes.as_ref())?;
                for member in &value.members.body {
                    namespace_member(&mut namespace, member)?;
                }
                insert(&mut definitions.namespaces, name, namespace)
            }
            Definition::PartialNamespace(value) => {
                let mut namespace = header(value.identifier.0, value.attributes.as_ref())?;
                for member in &value.members.body {
                    namespace_member(&mut namespace, member)?;
                }
                self.partials.push((Kind::Namespace, namespace));
                Ok(())
            }
            Definition::Dictionary(value) => {
                let name = value.identifier.0;
                let dictionary = Dictionary {
                    parent: value
                        .inheritance
                        .map(|parent| parent.identifier.0.to_owned()),
                    members: dictionary_members(name, &value.members.body)?,
                };
                insert(&mut definitions.dictionaries, name, dictionary)
            }
            Definition::PartialDictionary(value) => {
                let name = value.identifier.0;
                let members = dictionary_members(name, &value.members.body)?;
                self.partial_dictionaries.push((name.to_owned(), members));
                Ok(())
            }
            Definition::Enum(value) => {
                let values = value
                    .values
                    .body
                    .list
                    .iter()
                    .map(|value| value.value.0.to_owned())
                    .collect();
                insert(&mut definitions.enumerations, value.identifier.0, values)
            }
            Definition::Typedef(value) => {
                let name = value.identifier.0;
                let type_ = attributed_type(name, &value.type_, None)?;
                insert(&mut definitions.typedefs, name, type_)
            }
            Definition::IncludesStatement(value) => {
                self.includes.push((
                    value.lhs_identifier.0.to_owned(),
                    value.rhs_identifier.0.to_owned(),
                ));
                Ok(())
            }
            Definition::Implements(value) => Err(unsupported(
                value.lhs_identifier.0,
                "the old `implements` statement",
            )),
        }
    }

    /// Merges partials and inclusions.
    fn finish(mut self) -> Result<Definitions, Error> {
        let definitions = &mut self.definitions;
        for (kind, partial) in self.partials {
            let map = match kind {
                Kind::Interface => &mut definitions.interfaces,
                Kind::Mixin => &mut definitions.mixins,
                Kind::Namespace => &mut definitions.namespaces,
            };
            let Some(whole) = map.get_mut(&partial.name) else {
                return Err(Error::new(format!(
                    "partial {} has no definition",
                    partial.name
                )));
            };
            let exposure = partial.exposure;
            whole.constructors.extend(partial.constructors);
            whole.constants.extend(partial.constants);
            whole
                .attributes
                .extend(partial.attributes.into_iter().map(|mut attribute| {
                    attribute.exposure = attribute.exposure.and(exposure);
                    attribute
                }));
            whole
                .operations
                .extend(partial.operations.into_iter().map(|mut operation| {
                    operation.exposure = operation.exposure.and(exposure);
                    operation
                }));
        }
        for (name, members) in self.partial_dictionaries {
            let Some(whole) = definitions.dictionaries.get_mut(&name) else {
                return Err(Error::new(format!(
                    "partial dictionary {name} has no definition"
                )));
            };
            whole.members.extend(members);
        }
        for (interface, mixin) in self.includes {
            if !definitions.mixins.contains_key(&mixin) {
                return Err(Error::new(format!(
                    "{interface} includes {mixin}, which is no mixin"
                )));
            }
            let Some(whole) = definitions.interfaces.get_mut(&interface) else {
                return Err(Error::new(format!(
                    "{interface} includes {mixin} but is not defined"
                )));
            };
            whole.includes.push(mixin);
        }
        for interface in definitions.interfaces.values() {
            if interface.value_iterable && interface.indexed.is_none() {
                return Err(unsupported(
                    &interface.name,
                    "iterable over single values without an indexed property getter",
                ));
            }
            let Some(parent) = &interface.parent else {
                continue;
            };
            if !definitions.interfaces.contains_key(parent) {
                return Err(Error::new(format!(
                    "{} inherits from {parent}, which is not defined",
                    interface.name
                )));
            }
        }
        Ok(self.definitions)
    }
}

fn insert<T>(
    map: &mut std::collections::BTreeMap<String, T>,
    name: &str,
    value: T,
) -> Result<(), Error> {
    match map.insert(name.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(Error::new(format!("{name} is defined twice"))),
    }
}

fn empty(name: &str, exposure: Exposure) -> Interface {
    Interface {
        name: name.to_owned(),
        parent: None,
        exposure,
        global: false,
        no_interface_object: false,
        window_aliases: Vec::new(),
        constructors: Vec::new(),
        attributes: Vec::new(),
        operations: Vec::new(),
        constants: Vec::new(),
        iterable: None,
        indexed: None,
        value_iterable: false,
        stringifier: false,
        includes: Vec::new(),
    }
}

fn header(name: &str, list: Option<&ExtendedAttributeList<'_>>) -> Result<Interface, Error> {
    let allowed = [
        "Exposed",
        "SecureContext",
        "Global",
        "LegacyNoInterfaceObject",
        "LegacyWindowAlias",
    ];
    let attributes = Attributes::new(name, list, &allowed)?;
    let mut interface = empty(name, attributes.exposure(name)?);
    interface.global = attributes.has("Global");
    interface.no_interface_object = attributes.has("LegacyNoInterfaceObject");
    interface.window_aliases = attributes
        .value("LegacyWindowAlias")
        .into_iter()
        .flatten()
        .map(|alias| (*alias).to_owned())
        .collect();
    Ok(interface)
}

fn interface_member(interface: &mut Interface, member: &InterfaceMember<'_>) -> Result<(), Error> {
    let owner = interface.name.clone();
    match member {
        InterfaceMember::Const(value) => constant(interface, value),
        InterfaceMember::Attribute(value) => {
            let mut attribute = attribute(
                &owner,
                value.identifier.0,
                value.attributes.as_ref(),
                &value.type_,
                value.readonly.is_some(),
            )?;
            match value.modifier {
                Some(StringifierOrInheritOrStatic::Stringifier(_)) => attribute.stringifier = true,
                Some(StringifierOrInheritOrStatic::Static(_)) => attribute.is_static = true,
                Some(StringifierOrInheritOrStatic::Inherit(_)) => {
                    return Err(unsupported(&owner, "an `inherit` attribute"));
                }
                None => {}
            }
            interface.attributes.push(attribute);
            Ok(())
        }
        InterfaceMember::Constructor(value) => {
            Attributes::new(&owner, value.attributes.as_ref(), &[])?;
            interface
                .constructors
                .push(arguments(&owner, &value.args.body)?);
            Ok(())
        }
        InterfaceMember::Operation(value) => {
            match (&value.special, value.identifier) {
                (None, _) => {}
                (Some(Special::Getter(_)), Some(name)) => {
                    interface.indexed = Some(name.0.to_owned());
                }
                _ => {
                    return Err(unsupported(
                        &owner,
                        "a setter, a deleter, a legacy caller or a getter without a name",
                    ));
                }
            }
            let mut operation = operation(
                &owner,
                value.identifier.map_or("toString", |name| name.0),
                value.attributes.as_ref(),
                &value.return_type,
                &value.args.body,
            )?;
            match value.modifier {
                Some(StringifierOrStatic::Static(_)) => operation.is_static = true,
                Some(StringifierOrStatic::Stringifier(_)) => operation.stringifier = true,
                None => {}
            }
            let takes_index = matches!(
                operation.arguments.as_slice(),
                [Argument {
                    type_: Type::Integer("u32", _),
                    ..
                }]
            );
            if value.special.is_some() && !takes_index {
                return Err(unsupported(&owner, "a getter of named properties"));
            }
            if value.identifier.is_none() && !operation.stringifier {
                return Err(unsupported(&owner, "an operation without a name"));
            }
            interface.operations.push(operation);
            Ok(())
        }
        InterfaceMember::Iterable(IterableInterfaceMember::Double(value)) => {
            let (key, _, value) = &value.generics.body;
            interface.iterable = Some((
                attributed_type(&owner, key, None)?,
                attributed_type(&owner, value, None)?,
            ));
            Ok(())
        }
        InterfaceMember::Stringifier(_) => {
            interface.stringifier = true;
            Ok(())
        }
        InterfaceMember::Iterable(IterableInterfaceMember::Single(_)) => {
            interface.value_iterable = true;
            Ok(())
        }
        InterfaceMember::AsyncIterable(_) => Err(unsupported(&owner, "async iterable")),
        InterfaceMember::Maplike(_) => Err(unsupported(&owner, "maplike")),
        InterfaceMember::Setlike(_) => Err(unsupported(&owner, "setlike")),
    }
}

fn mixin_member(mixin: &mut Interface, member: &MixinMember<'_>) -> Result<(), Error> {
    let owner = mixin.name.clone();
    match member {
        MixinMember::Const(value) => constant(mixin, value),
        MixinMember::Operation(value) => {
            let Some(name) = value.identifier else {
                return Err(unsupported(&owner, "an operation without a name"));
            };
            let operation = operation(
                &owner,
                name.0,
                value.attributes.as_ref(),
                &value.return_type,
                &value.args.body,
            )?;
            mixin.operations.push(operation);
            Ok(())
        }
        MixinMember::Attribute(value) => {
            let mut attribute = attribute(
                &owner,
                value.identifier.0,
                value.attributes.as_ref(),
                &value.type_,
                value.readonly.is_some(),
            )?;
            attribute.stringifier = value.stringifier.is_some();
            mixin.attributes.push(attribute);
            Ok(())
        }
        MixinMember::Stringifier(_) => Err(unsupported(&owner, "a bare stringifier in a mixin")),
    }
}

fn namespace_member(namespace: &mut Interface, member: &NamespaceMember<'_>) -> Result<(), Error> {
    let owner = namespace.name.clone();
    match member {
        NamespaceMember::Operation(value) => {
            let Some(name) = value.identifier else {
                return Err(unsupported(&owner, "an operation without a name"));
            };
            let mut operation = operation(
                &owner,
                name.0,
                value.attributes.as_ref(),
                &value.return_type,
                &value.args.body,
            )?;
            operation.is_static = true;
            namespace.operations.push(operation);
            Ok(())
        }
        NamespaceMember::Attribute(_) => Err(unsupported(&owner, "a namespace attribute")),
    }
}

fn constant(
    interface: &mut Interface,
    value: &weedle::interface::ConstMember<'_>,
) -> Result<(), Error> {
    let name = value.identifier.0;
    let place = format!("{}.{name}", interface.name);
    let number = match &value.const_value {
        ConstValue::Integer(literal) => integer_text(literal).parse().ok(),
        ConstValue::Float(FloatLit::Value(literal)) => literal.0.parse().ok(),
        _ => None,
    };
    let Some(value) = number else {
        return Err(unsupported(&place, "a constant that is not a number"));
    };
    interface.constants.push(Constant {
        name: name.to_owned(),
        value,
    });
    Ok(())
}

fn attribute(
    owner: &str,
    name: &str,
    list: Option<&ExtendedAttributeList<'_>>,
    type_: &AttributedType<'_>,
    readonly: bool,
) -> Result<Attribute, Error> {
    let place = format!("{owner}.{name}");
    let attributes = Attributes::new(
        &place,
        list,
        &[
            "Exposed",
            "SecureContext",
            "Throws",
            "LegacyUnforgeable",
            "Replaceable",
            "PutForwards",
            "EnforceRange",
            "Clamp",
        ],
    )?;
    Ok(Attribute {
        name: name.to_owned(),
        type_: attributed_type(&place, type_, Some(attributes.range()))?,
        readonly,
        is_static: false,
        stringifier: false,
        throws: attributes.has("Throws"),
        unforgeable: attributes.has("LegacyUnforgeable"),
        replaceable: attributes.has("Replaceable"),
        put_forwards: attributes
            .value("PutForwards")
            .and_then(|names| names.first())
            .map(|name| (*name).to_owned()),
        exposure: attributes.exposure(&place)?,
    })
}

fn operation(
    owner: &str,
    name: &str,
    list: Option<&ExtendedAttributeList<'_>>,
    return_: &ReturnType<'_>,
    list_of_arguments: &ArgumentList<'_>,
) -> Result<Operation, Error> {
    let place = format!("{owner}.{name}");
    let attributes = Attributes::new(
        &place,
        list,
        &["Exposed", "SecureContext", "Throws", "LegacyUnforgeable"],
    )?;
    Ok(Operation {
        // A name that is a keyword of Web IDL is written with an underscore.
        name: name.strip_prefix('_').unwrap_or(name).to_owned(),
        return_type: return_type(&place, return_)?,
        arguments: arguments(&place, list_of_arguments)?,
        is_static: false,
        stringifier: false,
        unforgeable: attributes.has("LegacyUnforgeable"),
        exposure: attributes.exposure(&place)?,
    })
}

fn arguments(place: &str, list: &ArgumentList<'_>) -> Result<Vec<Argument>, Error> {
    let known = ["EnforceRange", "Clamp"];
    list.list
        .iter()
        .map(|argument| match argument {
            WeedleArgument::Single(value) => {
                let attributes = Attributes::new(place, value.attributes.as_ref(), &known)?;
                Ok(Argument {
                    name: value.identifier.0.to_owned(),
                    type_: attributed_type(place, &value.type_, Some(attributes.range()))?,
                    optional: value.optional.is_some(),
                    variadic: false,
                    default: value
                        .default
                        .as_ref()
                        .map(|default| literal(place, &default.value))
                        .transpose()?,
                })
            }
            WeedleArgument::Variadic(value) => {
                let attributes = Attributes::new(place, value.attributes.as_ref(), &known)?;
                Ok(Argument {
                    name: value.identifier.0.to_owned(),
                    type_: type_of(place, &value.type_, attributes.range())?,
                    optional: true,
                    variadic: true,
                    default: None,
                })
            }
        })
        .collect()
}

fn dictionary_members(
    name: &str,
    members: &[weedle::dictionary::DictionaryMember<'_>],
) -> Result<Vec<Member>, Error> {
    members
        .iter()
        .map(|member| {
            let place = format!("{name}.{}", member.identifier.0);
            let known = ["EnforceRange", "Clamp"];
            let attributes = Attributes::new(&place, member.attributes.as_ref(), &known)?;
            Ok(Member {
                name: member.identifier.0.to_owned(),
                type_: type_of(&place, &member.type_, attributes.range())?,
                required: member.required.is_some(),
                default: member
                    .default
                    .as_ref()
                    .map(|default| literal(&place, &default.value))
                    .transpose()?,
            })
        })
        .collect()
}

fn integer_text(literal: &IntegerLit<'_>) -> String {
    let parse = |text: &str, radix| {
        let (sign, digits) = text
            .strip_prefix('-')
            .map_or(("", text), |rest| ("-", rest));
        let digits = digits.trim_start_matches("0x").trim_start_matches("0X");
        let value = u64::from_str_radix(digits, radix).unwrap_or_default();
        format!("{sign}{value}")
    };
    match literal {
        IntegerLit::Dec(value) => value.0.to_owned(),
        IntegerLit::Hex(value) => parse(value.0, 16),
        IntegerLit::Oct(value) => parse(value.0, 8),
    }
}

fn literal(place: &str, value: &DefaultValue<'_>) -> Result<Literal, Error> {
    Ok(match value {
        DefaultValue::Boolean(value) => Literal::Boolean(value.0),
        DefaultValue::EmptyArray(_) => Literal::EmptySequence,
        DefaultValue::EmptyDictionary(_) => Literal::EmptyDictionary,
        DefaultValue::Integer(value) => Literal::Number(integer_text(value)),
        DefaultValue::Float(FloatLit::Value(value)) => Literal::Number(value.0.to_owned()),
        DefaultValue::Float(_) => return Err(unsupported(place, "NaN or Infinity as a default")),
        DefaultValue::Null(_) => Literal::Null,
        DefaultValue::String(value) => Literal::String(value.0.to_owned()),
    })
}

fn return_type(place: &str, value: &ReturnType<'_>) -> Result<Type, Error> {
    match value {
        ReturnType::Undefined(_) => Ok(Type::Undefined),
        ReturnType::Type(value) => type_of(place, value, Range::Wrap),
    }
}

fn attributed_type(
    place: &str,
    value: &AttributedType<'_>,
    outer: Option<Range>,
) -> Result<Type, Error> {
    let known = ["EnforceRange", "Clamp"];
    let own = Attributes::new(place, value.attributes.as_ref(), &known)?.range();
    let range = if own == Range::Wrap {
        outer.unwrap_or(own)
    } else {
        own
    };
    type_of(place, &value.type_, range)
}

fn type_of(place: &str, value: &WeedleType<'_>, range: Range) -> Result<Type, Error> {
    match value {
        WeedleType::Single(SingleType::Any(_)) => Ok(Type::Any),
        WeedleType::Single(SingleType::NonAny(value)) => non_any_type(place, value, range),
        WeedleType::Union(value) => union_type(place, value),
    }
}

fn union_type(place: &str, value: &MayBeNull<weedle::types::UnionType<'_>>) -> Result<Type, Error> {
    let mut members = Vec::new();
    for member in &value.type_.body.list {
        match member {
            UnionMemberType::Single(AttributedNonAnyType { attributes, type_ }) => {
                let known = ["EnforceRange", "Clamp"];
                let range = Attributes::new(place, attributes.as_ref(), &known)?.range();
                members.push(non_any_type(place, type_, range)?);
            }
            UnionMemberType::Union(value) => members.push(union_type(place, value)?),
        }
    }
    Ok(nullable(Type::Union(members), value.q_mark.is_some()))
}

fn nullable(type_: Type, is_nullable: bool) -> Type {
    if is_nullable {
        Type::Nullable(Box::new(type_))
    } else {
        type_
    }
}

fn non_any_type(place: &str, value: &NonAnyType<'_>, range: Range) -> Result<Type, Error> {
    let inner = |value: &WeedleType<'_>| type_of(place, value, Range::Wrap).map(Box::new);
    Ok(match value {
        NonAnyType::Promise(value) => {
            Type::Promise(Box::new(return_type(place, &value.generics.body)?))
        }
        NonAnyType::Integer(value) => {
            let name = match value.type_ {
                IntegerType::LongLong(value) if value.unsigned.is_some() => "u64",
                IntegerType::LongLong(_) => "i64",
                IntegerType::Long(value) if value.unsigned.is_some() => "u32",
                IntegerType::Long(_) => "i32",
                IntegerType::Short(value) if value.unsigned.is_some() => "u16",
                IntegerType::Short(_) => "i16",
            };
            nullable(Type::Integer(name, range), value.q_mark.is_some())
        }
        NonAnyType::FloatingPoint(value) => {
            let type_ = match value.type_ {
                FloatingPointType::Float(value) => Type::Float("f32", value.unrestricted.is_some()),
                FloatingPointType::Double(value) => {
                    Type::Float("f64", value.unrestricted.is_some())
                }
            };
            nullable(type_, value.q_mark.is_some())
        }
        NonAnyType::Boolean(value) => nullable(Type::Boolean, value.q_mark.is_some()),
        NonAnyType::Byte(value) => nullable(Type::Integer("i8", range), value.q_mark.is_some()),
        NonAnyType::Octet(value) => nullable(Type::Integer("u8", range), value.q_mark.is_some()),
        NonAnyType::ByteString(value) => nullable(Type::ByteString, value.q_mark.is_some()),
        NonAnyType::DOMString(value) => nullable(Type::DomString, value.q_mark.is_some()),
        NonAnyType::USVString(value) => nullable(Type::UsvString, value.q_mark.is_some()),
        NonAnyType::Sequence(value) => nullable(
            Type::Sequence(inner(&value.type_.generics.body)?),
            value.q_mark.is_some(),
        ),
        NonAnyType::FrozenArrayType(value) => nullable(
            Type::FrozenArray(inner(&value.type_.generics.body)?),
            value.q_mark.is_some(),
        ),
        NonAnyType::RecordType(value) => {
            let (key, _, item) = &value.type_.generics.body;
            let key = match &**key {
                RecordKeyType::Byte(_) => Type::ByteString,
                RecordKeyType::DOM(_) => Type::DomString,
                RecordKeyType::USV(_) => Type::UsvString,
                RecordKeyType::NonAny(_) => {
                    return Err(unsupported(place, "a record whose key is not a string"));
                }
            };
            nullable(
                Type::Record(Box::new(key), inner(item)?),
                value.q_mark.is_some(),
            )
        }
        NonAnyType::Object(value) => nullable(Type::Object, value.q_mark.is_some()),
        NonAnyType::ArrayBuffer(value) => nullable(Type::ArrayBuffer, value.q_mark.is_some()),
        NonAnyType::ArrayBufferView(value) => {
            nullable(Type::ArrayBufferView, value.q_mark.is_some())
        }
        NonAnyType::Uint8Array(value) => nullable(Type::Uint8Array, value.q_mark.is_some()),
        NonAnyType::BufferSource(value) => nullable(Type::BufferSource, value.q_mark.is_some()),
        NonAnyType::Identifier(value) => nullable(
            Type::Named(value.type_.0.to_owned()),
            value.q_mark.is_some(),
        ),
        other => return Err(unsupported(place, &format!("the type {other:?}"))),
    })
}
