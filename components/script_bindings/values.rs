//! Dictionaries, enumerations, unions, callbacks and callback interfaces.

use std::fmt::Write;

use crate::Error;
use crate::model::{Argument, Definitions, Dictionary, Type};
use crate::names::{identifier, type_name};
use crate::types::{Types, label, variant};

pub(crate) fn emit(definitions: &Definitions, types: &mut Types<'_>) -> Result<String, Error> {
    let mut output = String::new();
    for (name, values) in &definitions.enumerations {
        enumeration(&mut output, name, values);
    }
    for (name, callback) in &definitions.callbacks {
        callback_struct(
            &mut output,
            types,
            name,
            "call",
            None,
            &callback.arguments,
            &callback.return_type,
        )
        .map_err(|error| in_place(name, &error))?;
    }
    for (name, operation) in &definitions.callback_interfaces {
        callback_struct(
            &mut output,
            types,
            name,
            &identifier(&operation.name),
            Some(&operation.name),
            &operation.arguments,
            &operation.return_type,
        )
        .map_err(|error| in_place(name, &error))?;
    }
    for (name, dictionary) in &definitions.dictionaries {
        dictionary_struct(&mut output, definitions, types, name, dictionary)
            .map_err(|error| in_place(name, &error))?;
    }
    // Emitting a union's members can bring up new unions.
    let mut done = Vec::new();
    while let Some((name, members)) = types
        .unions
        .iter()
        .find(|(name, _)| !done.contains(*name))
        .map(|(name, members)| (name.clone(), members.clone()))
    {
        union(&mut output, types, &name, &members).map_err(|error| in_place(&name, &error))?;
        done.push(name);
    }
    Ok(output)
}

fn in_place(name: &str, error: &Error) -> Error {
    Error::new(format!("{name}: {error}"))
}

fn enumeration(output: &mut String, name: &str, values: &[String]) {
    let rust = type_name(name);
    let variants: Vec<(String, &String)> =
        values.iter().map(|value| (variant(value), value)).collect();
    let list = variants
        .iter()
        .map(|(variant, _)| format!("{variant},"))
        .collect::<String>();
    let to = variants
        .iter()
        .map(|(variant, value)| format!("Self::{variant} => {value:?},"))
        .collect::<String>();
    let from = variants
        .iter()
        .map(|(variant, value)| format!("{value:?} => Ok(Self::{variant}),"))
        .collect::<String>();
    let _ = write!(
        output,
        "#[derive(Clone, Copy, Debug, Eq, PartialEq)]\npub enum {rust} {{ {list} }}\n\
         impl {rust} {{\n\
         pub fn as_str(self) -> &'static str {{ match self {{ {to} }} }}\n\
         pub fn from_js(realm: &Realm, value: &Value) -> Fallible<Self> {{\n\
         let string = convert::dom_string(realm, value)?.to_string();\n\
         match string.as_str() {{ {from} _ => Err(Error::Type(format!(\n\
         \"The provided value '{{string}}' is not a valid enum value of type {name}.\"))), }} }} }}\n\
         impl ToJs for {rust} {{ fn to_js(&self, realm: &Realm) -> Fallible<Value> {{\n\
         self.as_str().to_js(realm) }} }}\n\
         no_trace!({rust});\n\n"
    );
}

fn callback_struct(
    output: &mut String,
    types: &mut Types<'_>,
    name: &str,
    method: &str,
    operation: Option<&str>,
    arguments: &[Argument],
    return_type: &Type,
) -> Result<(), Error> {
    let rust = type_name(name);
    let mut parameters = String::new();
    let mut values = String::new();
    for argument in arguments {
        let type_ = types.resolve(&argument.type_)?;
        types.output(&type_)?;
        let own = identifier(&argument.name);
        let type_ = types.rust(&type_)?;
        if argument.variadic {
            let _ = write!(parameters, ", {own}: &[{type_}]");
            let _ = write!(
                values,
                "for value in {own} {{ values.push(value.to_js(realm)?); }}"
            );
        } else if argument.optional && argument.default.is_none() {
            let _ = write!(parameters, ", {own}: Option<&{type_}>");
            let _ = write!(
                values,
                "if let Some(value) = {own} {{ values.push(value.to_js(realm)?); }}"
            );
        } else {
            let _ = write!(parameters, ", {own}: &{type_}");
            let _ = write!(values, "values.push({own}.to_js(realm)?);");
        }
    }
    let return_type = types.resolve(return_type)?;
    let returned = types.rust(&return_type)?;
    let convert = types.convert(&return_type, "&result")?;
    let constructor = if operation.is_some() {
        "interface"
    } else {
        "function"
    };
    let invoke = operation.map_or_else(
        || "self.0.call(this, &values)?".to_owned(),
        |operation| format!("self.0.call_operation({operation:?}, this, &values)?"),
    );
    let _ = write!(
        output,
        "#[derive(Clone)]\npub struct {rust}(pub Callback);\n\
         impl {rust} {{\n\
         pub fn from_js(realm: &Realm, value: &Value) -> Fallible<Self> {{\n\
         Callback::{constructor}(realm, value).map(Self) }}\n\
         pub fn {method}(&self, this: &Value{parameters}) -> Fallible<{returned}> {{\n\
         let realm = self.0.realm(); let realm = &*realm;\n\
         #[allow(unused_mut)] let mut values: Vec<Value> = Vec::new(); {values}\n\
         let result = {invoke}; let _ = (&result, realm);\n\
         {convert} }} }}\n\
         impl ToJs for {rust} {{ fn to_js(&self, realm: &Realm) -> Fallible<Value> {{\n\
         self.0.to_js(realm) }} }}\n\
         impl Traceable for {rust} {{ fn trace(&self, tracer: &mut Tracer<'_>) {{\n\
         self.0.trace(tracer); }} }}\n\n"
    );
    Ok(())
}

fn dictionary_struct(
    output: &mut String,
    definitions: &Definitions,
    types: &mut Types<'_>,
    name: &str,
    dictionary: &Dictionary,
) -> Result<(), Error> {
    let rust = type_name(name);
    let mut fields = String::new();
    let mut initial = String::new();
    let mut read = String::new();
    let mut write_out = String::new();
    if let Some(parent) = &dictionary.parent {
        let parent = type_name(parent);
        let _ = write!(fields, "pub parent: {parent},");
        initial.push_str("parent: Default::default(),");
        let _ = write!(read, "parent: {parent}::from_js(realm, value)?,");
        write_out.push_str("self.parent.write(realm, object)?;");
    }
    let mut members = dictionary.members.clone();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    for member in &members {
        let own = identifier(&member.name);
        let type_ = types.resolve(&member.type_)?;
        let type_rust = types.rust(&type_)?;
        let convert = types.convert(&type_, "&member")?;
        let key = &member.name;
        let optional = !member.required && member.default.is_none();
        let field_type = if optional {
            format!("Option<{type_rust}>")
        } else {
            type_rust
        };
        let _ = write!(fields, "pub {own}: {field_type},");
        let missing = if member.required {
            format!(
                "return Err(Error::Type(\"Failed to read the '{key}' property from '{name}': \
                 Required member is undefined.\".to_owned()))"
            )
        } else if let Some(default) = &member.default {
            let default = types.default(&type_, default)?;
            let _ = write!(initial, "{own}: {default},");
            default
        } else {
            let _ = write!(initial, "{own}: None,");
            "None".to_owned()
        };
        let present = if optional {
            format!("Some({{ {convert} }}?)")
        } else {
            format!("{{ {convert} }}?")
        };
        let _ = write!(
            read,
            "{own}: {{ let member = convert::member(realm, value, {key:?})?; \
             if member.is_undefined() {{ {missing} }} else {{ {present} }} }},"
        );
        if optional {
            let _ = write!(
                write_out,
                "if let Some(value) = &self.{own} {{ \
                 object.create_data_property(realm, {key:?}, &value.to_js(realm)?)?; }}"
            );
        } else {
            let _ = write!(
                write_out,
                "object.create_data_property(realm, {key:?}, &self.{own}.to_js(realm)?)?;"
            );
        }
    }
    let _ = write!(
        output,
        "#[derive(Clone)]\npub struct {rust} {{ {fields} }}\n\
         impl {rust} {{ pub fn from_js(realm: &Realm, value: &Value) -> Fallible<Self> {{\n\
         convert::require_dictionary(value, {name:?})?; let _ = realm;\n\
         Ok(Self {{ {read} }}) }} }}\n"
    );
    if !has_required(definitions, dictionary) {
        let _ = writeln!(
            output,
            "impl Default for {rust} {{ fn default() -> Self {{ Self {{ {initial} }} }} }}"
        );
    }
    if types.outputs.contains(&rust) {
        let _ = write!(
            output,
            "impl {rust} {{ fn write(&self, realm: &Realm, object: &Value) -> Fallible<()> {{\n\
             {write_out} Ok(()) }} }}\n\
             impl ToJs for {rust} {{ fn to_js(&self, realm: &Realm) -> Fallible<Value> {{\n\
             let object = realm.new_object()?; self.write(realm, &object)?; Ok(object) }} }}\n"
        );
    }
    output.push('\n');
    Ok(())
}

fn has_required(definitions: &Definitions, dictionary: &Dictionary) -> bool {
    dictionary.members.iter().any(|member| member.required)
        || dictionary
            .parent
            .as_ref()
            .and_then(|parent| definitions.dictionaries.get(parent))
            .is_some_and(|parent| has_required(definitions, parent))
}

fn union(
    output: &mut String,
    types: &mut Types<'_>,
    name: &str,
    members: &[Type],
) -> Result<(), Error> {
    let mut variants = String::new();
    let mut candidates = Vec::new();
    let mut to = String::new();
    for member in members {
        let own = label(member);
        let _ = write!(variants, "{own}({}),", types.rust(member)?);
        let convert = types.convert(member, "value")?;
        candidates.push((member.clone(), format!("{{ {convert} }}.map(Self::{own})")));
        let _ = write!(to, "Self::{own}(value) => value.to_js(realm),");
    }
    let error = format!(
        "The provided value is not of type '{}'.",
        name.replace("Or", " or ")
    );
    let select = types.select(&candidates, "value", &error);
    let _ = write!(
        output,
        "#[derive(Clone)]\npub enum {name} {{ {variants} }}\n\
         impl {name} {{ pub fn from_js(realm: &Realm, value: &Value) -> Fallible<Self> {{\n\
         let _ = realm; {select} }} }}\n"
    );
    if types.outputs.contains(name) {
        let _ = write!(
            output,
            "impl ToJs for {name} {{ fn to_js(&self, realm: &Realm) -> Fallible<Value> {{\n\
             match self {{ {to} }} }} }}\n"
        );
    }
    output.push('\n');
    Ok(())
}
