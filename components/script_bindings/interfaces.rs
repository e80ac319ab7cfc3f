//! Interfaces and namespaces: traits, glue functions and static descriptors.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::Error;
use crate::model::{Argument, Attribute, Definitions, Exposure, Interface, Operation, Type};
use crate::names::{identifier, snake_case, type_name};
use crate::types::{Types, dom_path};

pub(crate) fn emit(definitions: &Definitions, types: &mut Types<'_>) -> Result<String, Error> {
    let mut emitter = Emitter {
        types,
        output: String::new(),
        functions: Vec::new(),
    };
    let order = parents_first(definitions);
    let mut descriptors = String::new();
    for (index, interface) in order.iter().enumerate() {
        let parent = interface
            .parent
            .as_ref()
            .and_then(|parent| order.iter().position(|other| other.name == *parent));
        let descriptor = emitter
            .interface(definitions, interface, index, parent)
            .map_err(|error| Error::new(format!("interface {}: {error}", interface.name)))?;
        descriptors.push_str(&descriptor);
    }
    let mut namespaces = String::new();
    for namespace in definitions.namespaces.values() {
        emitter
            .methods_trait(namespace)
            .map_err(|error| Error::new(format!("namespace {}: {error}", namespace.name)))?;
        let members = emitter
            .members(namespace, namespace, &dom_path(&namespace.name))
            .map_err(|error| Error::new(format!("namespace {}: {error}", namespace.name)))?;
        let _ = writeln!(
            namespaces,
            "NamespaceDescriptor {{ name: {:?}, exposure: {}, operations: &[{}] }},",
            namespace.name,
            exposure(namespace.exposure),
            members.operations
        );
    }
    for mixin in definitions.mixins.values() {
        emitter
            .methods_trait(mixin)
            .map_err(|error| Error::new(format!("mixin {}: {error}", mixin.name)))?;
    }
    let functions = emitter.functions.concat();
    let mut output = emitter.output;
    let _ = write!(
        output,
        "pub static INTERFACES: &[InterfaceDescriptor] = &[\n{descriptors}];\n\n\
         pub static NAMESPACES: &[NamespaceDescriptor] = &[\n{namespaces}];\n\n\
         pub static FUNCTIONS: &[FunctionEntry] = &[\n{functions}];\n\n"
    );
    Ok(output)
}

/// Interfaces so that each follows its parent.
fn parents_first(definitions: &Definitions) -> Vec<&Interface> {
    let mut order: Vec<&Interface> = Vec::new();
    let mut names = BTreeSet::new();
    while order.len() < definitions.interfaces.len() {
        let before = order.len();
        for interface in definitions.interfaces.values() {
            let ready = interface
                .parent
                .as_ref()
                .is_none_or(|parent| names.contains(parent));
            if ready && names.insert(interface.name.clone()) {
                order.push(interface);
            }
        }
        if order.len() == before {
            // A cycle of inheritance; the compiler of the output reports the rest.
            break;
        }
    }
    order
}

struct Emitter<'a, 'b> {
    types: &'a mut Types<'b>,
    output: String,
    /// The entries of the function table; a function's index is its magic number.
    functions: Vec<String>,
}

/// Entries of a descriptor.
struct Members {
    attributes: String,
    operations: String,
}

fn exposure(exposure: Exposure) -> String {
    format!(
        "Exposure {{ globals: {}, secure_context: {} }}",
        exposure.globals, exposure.secure_context
    )
}

impl Emitter<'_, '_> {
    fn interface(
        &mut self,
        definitions: &Definitions,
        interface: &Interface,
        index: usize,
        parent: Option<usize>,
    ) -> Result<String, Error> {
        let path = dom_path(&interface.name);
        self.identity(interface, index, &path);
        self.methods_trait(interface)?;
        let constructor = self.constructor(interface, &path)?;
        let mut members = self.members(interface, interface, &path)?;
        let mut constants = interface.constants.clone();
        for mixin in &interface.includes {
            let mixin = &definitions.mixins[mixin];
            let included = self.members(interface, mixin, &path)?;
            members.attributes.push_str(&included.attributes);
            members.operations.push_str(&included.operations);
            constants.extend(mixin.constants.iter().cloned());
        }
        let iterable = self.iterable(interface, &path);
        let constants = constants
            .iter()
            .map(|constant| format!("({:?}, {:?}),", constant.name, constant.value))
            .collect::<String>();
        Ok(format!(
            "InterfaceDescriptor {{ name: {:?}, parent: {parent:?}, exposure: {}, global: {}, \
             no_interface_object: {}, window_aliases: &{:?}, constructor: {constructor}, attributes: &[{}], \
             operations: &[{}], constants: &[{constants}], iterable: {iterable}, \
             indexed: {:?} }},\n",
            interface.name,
            exposure(interface.exposure),
            interface.global,
            interface.no_interface_object,
            interface.window_aliases,
            members.attributes,
            members.operations,
            interface.indexed.as_ref().map(|_| interface.value_iterable),
        ))
    }

    /// What makes the struct a platform object.
    fn identity(&mut self, interface: &Interface, index: usize, path: &str) {
        let (ancestor, reflector) = if interface.parent.is_some() {
            ("Some(&self.parent)", "DomObject::reflector(&self.parent)")
        } else {
            ("None", "&self.reflector")
        };
        let indexed = match &interface.indexed {
            Some(_) => "fn indexed(&self) -> Option<&dyn IndexedProperties> { Some(self) }\n",
            None => "",
        };
        let _ = write!(
            self.output,
            "impl DomObject for {path} {{\n{indexed}\
             fn interface(&self) -> InterfaceId {{ InterfaceId({index}) }}\n\
             fn as_any(&self) -> &dyn std::any::Any {{ self }}\n\
             fn ancestor(&self) -> Option<&dyn DomObject> {{ {ancestor} }}\n\
             fn reflector(&self) -> &Reflector {{ {reflector} }}\n}}\n\
             impl HasInterface for {path} {{ const INTERFACE: InterfaceId = InterfaceId({index}); }}\n"
        );
        if let Some(operation) = &interface.indexed {
            let methods = format!("{}Methods", type_name(&interface.name));
            let operation = identifier(operation);
            let _ = write!(
                self.output,
                "impl IndexedProperties for {path} {{\n\
                 fn indexed_length(&self, realm: &Realm) -> u32 \
                 {{ <Self as {methods}>::length(self, realm) }}\n\
                 fn indexed_item(&self, realm: &Realm, index: u32) -> Fallible<Value> \
                 {{ <Self as {methods}>::{operation}(self, realm, index)?.to_js(realm) }} }}\n"
            );
        }
        if let Some(parent) = &interface.parent {
            let _ = write!(
                self.output,
                "impl std::ops::Deref for {path} {{ type Target = {};\n\
                 fn deref(&self) -> &Self::Target {{ &self.parent }} }}\n",
                dom_path(parent)
            );
        }
        self.output.push('\n');
    }

    fn methods_trait(&mut self, interface: &Interface) -> Result<(), Error> {
        let mut methods = String::new();
        for (number, arguments) in interface.constructors.iter().enumerate() {
            let name = overload_name("constructor", number);
            let parameters = self.parameters(arguments)?;
            let _ = writeln!(
                methods,
                "fn {name}(realm: &Realm{parameters}) -> Fallible<Dom<Self>> where Self: Sized;"
            );
        }
        for attribute in &interface.attributes {
            self.attribute_methods(&mut methods, attribute)?;
        }
        let mut seen: Vec<&str> = Vec::new();
        for operation in &interface.operations {
            let number = seen.iter().filter(|name| **name == operation.name).count();
            seen.push(&operation.name);
            let name = overload_name(&method_name(operation), number);
            let parameters = self.parameters(&operation.arguments)?;
            let return_type = self.types.resolve(&operation.return_type)?;
            self.types.output(&return_type)?;
            let return_type = self.types.rust(&return_type)?;
            let receiver = if operation.is_static { "" } else { "&self, " };
            let _ = writeln!(
                methods,
                "fn {name}({receiver}realm: &Realm{parameters}) -> Fallible<{return_type}>;"
            );
        }
        if interface.stringifier {
            methods.push_str("fn stringify(&self, realm: &Realm) -> DomString;\n");
        }
        if let Some((key, value)) = &interface.iterable {
            let key = self.types.resolve(key)?;
            let value = self.types.resolve(value)?;
            let _ = writeln!(
                methods,
                "fn pairs(&self, realm: &Realm) -> Vec<({}, {})>;",
                self.types.rust(&key)?,
                self.types.rust(&value)?
            );
        }
        let name = type_name(&interface.name);
        let _ = writeln!(self.output, "pub trait {name}Methods {{\n{methods}}}\n");
        Ok(())
    }

    fn attribute_methods(
        &mut self,
        methods: &mut String,
        attribute: &Attribute,
    ) -> Result<(), Error> {
        let type_ = self.types.resolve(&attribute.type_)?;
        if self.types.is_event_handler(&type_) {
            return Ok(());
        }
        self.types.output(&type_)?;
        let rust = self.types.rust(&type_)?;
        let name = identifier(&attribute.name);
        let receiver = if attribute.is_static { "" } else { "&self, " };
        let result = if attribute.throws {
            format!("Fallible<{rust}>")
        } else {
            rust.clone()
        };
        let _ = writeln!(methods, "fn {name}({receiver}realm: &Realm) -> {result};");
        if !attribute.readonly {
            let _ = writeln!(
                methods,
                "fn set_{}({receiver}realm: &Realm, value: {rust}) -> Fallible<()>;",
                snake_case(&attribute.name)
            );
        }
        Ok(())
    }

    fn parameters(&mut self, arguments: &[Argument]) -> Result<String, Error> {
        let mut parameters = String::new();
        for argument in arguments {
            let type_ = self.types.resolve(&argument.type_)?;
            let rust = self.types.rust(&type_)?;
            let rust = if argument.variadic {
                format!("Vec<{rust}>")
            } else if argument.optional && argument.default.is_none() && type_ != Type::Any {
                format!("Option<{rust}>")
            } else {
                rust
            };
            let _ = write!(parameters, ", {}: {rust}", identifier(&argument.name));
        }
        Ok(parameters)
    }

    /// Adds a function to the table and returns its index.
    fn function(
        &mut self,
        owner: &str,
        member: &str,
        kind: &str,
        is_promise: bool,
        body: &str,
    ) -> usize {
        let index = self.functions.len();
        let _ = write!(
            self.output,
            "fn function_{index}(call: &Call<'_>) -> Fallible<Value> {{\n\
             let realm = call.realm(); let _ = realm;\n{body}\n}}\n"
        );
        self.functions.push(format!(
            "FunctionEntry {{ owner: {owner:?}, member: {member:?}, kind: FunctionKind::{kind}, \
             promise: {is_promise}, call: function_{index} }},\n"
        ));
        index
    }

    fn constructor(&mut self, interface: &Interface, path: &str) -> Result<String, Error> {
        let trait_ = format!("{}Methods", type_name(&interface.name));
        let lists: Vec<&[Argument]> = interface.constructors.iter().map(Vec::as_slice).collect();
        let length = lists.iter().map(|list| required(list)).min().unwrap_or(0);
        let body = if lists.is_empty() {
            "Err(Error::Type(\"Illegal constructor\".to_owned()))".to_owned()
        } else {
            self.overloads(&lists, |number, arguments| {
                let name = overload_name("constructor", number);
                format!("call.construct(&<{path} as {trait_}>::{name}(realm{arguments})?)")
            })?
        };
        let index = self.function(&interface.name, "constructor", "Constructor", false, &body);
        Ok(format!(
            "ConstructorDescriptor {{ function: {index}, length: {length} }}"
        ))
    }

    /// The members that `source` (the interface itself, or a mixin of it) gives `interface`.
    fn members(
        &mut self,
        interface: &Interface,
        source: &Interface,
        path: &str,
    ) -> Result<Members, Error> {
        let trait_ = format!("{}Methods", type_name(&source.name));
        let mut members = Members {
            attributes: String::new(),
            operations: String::new(),
        };
        for attribute in &source.attributes {
            self.attribute(&mut members, interface, attribute, path, &trait_)
                .map_err(|error| Error::new(format!("{}: {error}", attribute.name)))?;
        }
        let mut done = BTreeSet::new();
        for operation in &source.operations {
            if !done.insert((operation.name.clone(), operation.is_static)) {
                continue;
            }
            let overloads: Vec<&Operation> = source
                .operations
                .iter()
                .filter(|other| {
                    other.name == operation.name && other.is_static == operation.is_static
                })
                .collect();
            self.operation(&mut members, interface, &overloads, path, &trait_)
                .map_err(|error| Error::new(format!("{}: {error}", operation.name)))?;
        }
        if source.stringifier {
            let body = format!(
                "let this = call.this::<{path}>()?; {trait_}::stringify(&*this, realm).to_js(realm)"
            );
            let index = self.function(&interface.name, "toString", "Operation", false, &body);
            operation_entry(
                &mut members.operations,
                "toString",
                index,
                0,
                Exposure::ALL,
                false,
                false,
            );
        }
        Ok(members)
    }

    fn attribute(
        &mut self,
        members: &mut Members,
        interface: &Interface,
        attribute: &Attribute,
        path: &str,
        trait_: &str,
    ) -> Result<(), Error> {
        let owner = &interface.name;
        let type_ = self.types.resolve(&attribute.type_)?;
        let name = identifier(&attribute.name);
        let is_handler = self.types.is_event_handler(&type_);
        let event = attribute
            .name
            .strip_prefix("on")
            .unwrap_or(&attribute.name)
            .to_owned();
        let (this, receiver) = if attribute.is_static {
            (String::new(), "")
        } else {
            (
                format!("let this = call.this::<{path}>()?; let _ = &this;"),
                "&*this, ",
            )
        };
        let target = "let target = call.this::<crate::dom::event_target::EventTarget>()?;";
        let question = if attribute.throws { "?" } else { "" };
        let getter = if is_handler {
            format!("{this} {target} target.event_handler(realm, {event:?})")
        } else {
            format!("{this} <{path} as {trait_}>::{name}({receiver}realm){question}.to_js(realm)")
        };
        let is_promise = matches!(type_, Type::Promise(_));
        let getter = self.function(owner, &attribute.name, "Getter", is_promise, &getter);
        let setter = if attribute.replaceable {
            Some(format!(
                "call.this::<{path}>()?; call.replace({:?})",
                attribute.name
            ))
        } else if let Some(forward) = &attribute.put_forwards {
            Some(format!(
                "{this} call.put_forward({:?}, {forward:?})",
                attribute.name
            ))
        } else if attribute.readonly {
            None
        } else if is_handler {
            Some(format!(
                "{this} {target} target.set_event_handler(realm, {event:?}, &call.argument(0))?; \
                 Ok(Value::undefined())"
            ))
        } else {
            let convert = self.types.convert(&type_, "&value")?;
            let converted = if self.types.is_enumeration(&type_) {
                // A value that is not in the enumeration is ignored.
                format!(
                    "match {{ {convert} }} {{ Ok(value) => value, \
                     Err(Error::Type(_)) => return Ok(Value::undefined()), \
                     Err(error) => return Err(error) }}"
                )
            } else {
                format!("{{ {convert} }}?")
            };
            Some(format!(
                "{this} let value = call.argument(0); let value = {converted};\n\
                 <{path} as {trait_}>::set_{}({receiver}realm, value)?; Ok(Value::undefined())",
                snake_case(&attribute.name)
            ))
        };
        let setter =
            setter.map(|body| self.function(owner, &attribute.name, "Setter", false, &body));
        let _ = writeln!(
            members.attributes,
            "AttributeDescriptor {{ name: {:?}, getter: {getter}, setter: {setter:?}, is_static: {}, \
             unforgeable: {}, exposure: {} }},",
            attribute.name,
            attribute.is_static,
            attribute.unforgeable,
            exposure(attribute.exposure)
        );
        if attribute.stringifier {
            operation_entry(
                &mut members.operations,
                "toString",
                getter,
                0,
                attribute.exposure,
                false,
                attribute.unforgeable,
            );
        }
        Ok(())
    }

    fn operation(
        &mut self,
        members: &mut Members,
        interface: &Interface,
        overloads: &[&Operation],
        path: &str,
        trait_: &str,
    ) -> Result<(), Error> {
        let first = overloads[0];
        let lists: Vec<&[Argument]> = overloads
            .iter()
            .map(|operation| operation.arguments.as_slice())
            .collect();
        let (this, receiver) = if first.is_static {
            (String::new(), "")
        } else {
            (
                format!("let this = call.this::<{path}>()?; let _ = &this;\n"),
                "&*this, ",
            )
        };
        let method = method_name(first);
        let body = self.overloads(&lists, |number, arguments| {
            let name = overload_name(&method, number);
            format!("<{path} as {trait_}>::{name}({receiver}realm{arguments})?.to_js(realm)")
        })?;
        let is_promise = matches!(self.types.resolve(&first.return_type)?, Type::Promise(_));
        let index = self.function(
            &interface.name,
            &first.name,
            "Operation",
            is_promise,
            &format!("{this}{body}"),
        );
        let length = lists.iter().map(|list| required(list)).min().unwrap_or(0);
        operation_entry(
            &mut members.operations,
            &first.name,
            index,
            length,
            first.exposure,
            first.is_static,
            first.unforgeable,
        );
        Ok(())
    }

    fn iterable(&mut self, interface: &Interface, path: &str) -> String {
        if interface.iterable.is_none() {
            return "None".to_owned();
        }
        let trait_ = format!("{}Methods", type_name(&interface.name));
        let name = format!("pairs_of_{}", snake_case(&interface.name));
        let _ = write!(
            self.output,
            "fn {name}(realm: &Realm, object: &dyn DomObject) -> Fallible<Vec<(Value, Value)>> {{\n\
             let Some(this) = object.cast::<{path}>() else {{ return Ok(Vec::new()) }};\n\
             {trait_}::pairs(this, realm).into_iter()\n\
             .map(|(key, value)| Ok((key.to_js(realm)?, value.to_js(realm)?))).collect() }}\n"
        );
        let mut indices = Vec::new();
        for (member, kind) in [
            ("entries", "Entries"),
            ("keys", "Keys"),
            ("values", "Values"),
        ] {
            let body = format!(
                "let this = call.this::<{path}>()?;\n\
                 iterable::iterator(realm, &*this, {name}, iterable::Kind::{kind})"
            );
            indices.push(self.function(&interface.name, member, "Operation", false, &body));
        }
        let body = format!(
            "let this = call.this::<{path}>()?; call.require_arguments(1)?;\n\
             iterable::for_each(call, &*this, {name})"
        );
        indices.push(self.function(&interface.name, "forEach", "Operation", false, &body));
        format!("Some({indices:?})")
    }

    /// The body that converts arguments and calls the overload that fits.
    fn overloads(
        &mut self,
        lists: &[&[Argument]],
        invoke: impl Fn(usize, &str) -> String,
    ) -> Result<String, Error> {
        let minimum = lists.iter().map(|list| required(list)).min().unwrap_or(0);
        let require = if minimum > 0 {
            format!("call.require_arguments({minimum})?;\n")
        } else {
            String::new()
        };
        if let [list] = lists {
            return Ok(format!(
                "{require}{}",
                self.one_overload(list, |names| invoke(0, names))?
            ));
        }
        let maximum = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        let mut arms = String::new();
        for count in minimum..=maximum {
            let candidates: Vec<usize> = (0..lists.len())
                .filter(|index| {
                    let list = lists[*index];
                    let variadic = list.last().is_some_and(|argument| argument.variadic);
                    required(list) <= count && (count <= list.len() || variadic)
                })
                .collect();
            let body = self.choose(lists, &candidates, count, &invoke)?;
            let pattern = if count == maximum {
                "_".to_owned()
            } else {
                count.to_string()
            };
            let _ = writeln!(arms, "{pattern} => {{ {body} }}");
        }
        Ok(format!("{require}match call.argument_count() {{ {arms} }}"))
    }

    /// Tells overloads that take the same number of arguments apart by type.
    fn choose(
        &mut self,
        lists: &[&[Argument]],
        candidates: &[usize],
        count: usize,
        invoke: &impl Fn(usize, &str) -> String,
    ) -> Result<String, Error> {
        let error = "Err(Error::Type(\"No overload takes these arguments.\".to_owned()))";
        let bodies = candidates
            .iter()
            .map(|index| self.one_overload(lists[*index], |names| invoke(*index, names)))
            .collect::<Result<Vec<_>, _>>()?;
        let (first, bodies_rest) = match bodies.split_first() {
            None => return Ok(error.to_owned()),
            Some((first, rest)) => (first, rest),
        };
        if bodies_rest.is_empty() {
            return Ok(first.clone());
        }
        let at = |index: usize, place: usize| lists[index].get(place).or(lists[index].last());
        let mut place = 0;
        let types = loop {
            if place >= count {
                return Err(Error::new("overloads that cannot be told apart"));
            }
            let types = candidates
                .iter()
                .filter_map(|index| at(*index, place))
                .map(|argument| self.types.resolve(&argument.type_))
                .collect::<Result<Vec<_>, _>>()?;
            if types.iter().any(|type_| *type_ != types[0]) {
                break types;
            }
            place += 1;
        };
        let optional = candidates
            .iter()
            .position(|index| at(*index, place).is_some_and(|argument| argument.optional));
        let pairs: Vec<(Type, String)> = types.into_iter().zip(bodies.iter().cloned()).collect();
        let select = self.types.select(
            &pairs,
            "(&distinguishing)",
            "No overload takes these arguments.",
        );
        let undefined = optional.map_or_else(String::new, |index| {
            format!(
                "if distinguishing.is_undefined() {{ {} }} else ",
                bodies[index]
            )
        });
        Ok(format!(
            "let distinguishing = call.argument({place}); {undefined}{select}"
        ))
    }

    fn one_overload(
        &mut self,
        arguments: &[Argument],
        invoke: impl Fn(&str) -> String,
    ) -> Result<String, Error> {
        let mut body = String::new();
        let mut names = String::new();
        for (index, argument) in arguments.iter().enumerate() {
            let name = format!("argument_{index}");
            let type_ = self.types.resolve(&argument.type_)?;
            let convert = self.types.convert(&type_, "&value")?;
            let place = format!("call.in_argument({index}, {{ {convert} }})?");
            let value = if argument.variadic {
                format!(
                    "{{ let mut values = Vec::new(); for index in {index}..call.argument_count() \
                     {{ let value = call.argument(index); \
                     values.push(call.in_argument(index, {{ {convert} }})?); }} values }}"
                )
            } else if argument.optional {
                let (missing, present) = match &argument.default {
                    Some(default) => (self.types.default(&type_, default)?, place),
                    None if type_ == Type::Any => ("Value::undefined()".to_owned(), place),
                    None => ("None".to_owned(), format!("Some({place})")),
                };
                format!(
                    "{{ let value = call.argument({index}); \
                     if value.is_undefined() {{ {missing} }} else {{ {present} }} }}"
                )
            } else {
                format!("{{ let value = call.argument({index}); {place} }}")
            };
            let _ = writeln!(body, "let {name} = {value};");
            let _ = write!(names, ", {name}");
        }
        Ok(format!("{body}{}", invoke(&names)))
    }
}

fn method_name(operation: &Operation) -> String {
    identifier(&operation.name)
}

fn overload_name(name: &str, number: usize) -> String {
    if number == 0 {
        name.to_owned()
    } else {
        format!("{name}_{}", number + 1)
    }
}

/// How many arguments an operation needs.
fn required(arguments: &[Argument]) -> usize {
    arguments
        .iter()
        .take_while(|argument| !argument.optional)
        .count()
}

fn operation_entry(
    output: &mut String,
    name: &str,
    function: usize,
    length: usize,
    exposed: Exposure,
    is_static: bool,
    unforgeable: bool,
) {
    let _ = writeln!(
        output,
        "OperationDescriptor {{ name: {name:?}, function: {function}, length: {length}, \
         is_static: {is_static}, unforgeable: {unforgeable}, exposure: {} }},",
        exposure(exposed)
    );
}
