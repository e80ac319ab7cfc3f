//! <https://html.spec.whatwg.org/multipage/structured-data.html#structuredserializeinternal>

use std::collections::HashMap;
use std::vec;

use super::format::{
    ERROR_CAUSE, ERROR_MESSAGE, ERROR_NAMES, ERROR_STACK, KEY_END, Output, Tag, VERSION,
    data_clone_error, stopped,
};
use crate::bindings::generated::{BlobMethods, DomExceptionMethods};
use crate::bindings::interface::INTERFACES;
use crate::bindings::{AnyDom, Dom, DomString, Error, Fallible, Realm, Value};
use crate::dom::blob::Blob;
use crate::dom::dom_exception::DomException;
use crate::dom::file::File;
use crate::dom::message_port::MessagePort;
use crate::messaging::router::Message;

pub(super) fn serialize(realm: &Realm, value: &Value, transfer: &[Value]) -> Fallible<Message> {
    let mut writer = Writer {
        realm,
        output: Output::default(),
        numbers: HashMap::new(),
        met: Vec::new(),
        frames: Vec::new(),
    };
    // Steps 2 and 3: what is transferred counts as met, so that the value only refers to it.
    for object in transfer {
        writer.add_transferable(object)?;
    }
    writer.run(value)?;
    // Step 5: what is transferred is taken last, since getters may have changed it, and only when
    // all of it can be.
    for object in transfer {
        check_transferable(realm, object)?;
    }
    let mut start = Output(vec![VERSION]);
    start.count(transfer.len());
    let mut ports = Vec::new();
    for object in transfer {
        if let Some(port) = message_port(object) {
            let id = port.ship().ok_or_else(detached_port)?;
            start.tag(Tag::MessagePort);
            start.0.extend_from_slice(id.0.as_bytes());
            ports.push(id);
        } else {
            start.tag(Tag::ArrayBuffer);
            write_buffer(realm, &mut start, object)?;
            object.detach_array_buffer(realm);
        }
    }
    start.0.append(&mut writer.output.0);
    let bytes = start.0;
    Ok(Message { bytes, ports })
}

fn message_port(object: &Value) -> Option<Dom<MessagePort>> {
    AnyDom::of(object)?.downcast()
}

fn detached_port() -> Error {
    data_clone_error("A MessagePort to transfer is detached: it was transferred or closed before.")
}

fn check_transferable(realm: &Realm, object: &Value) -> Fallible<()> {
    match message_port(object) {
        Some(port) if port.is_detached() => Err(detached_port()),
        None if is_detached(realm, object)? => Err(data_clone_error(
            "An ArrayBuffer to transfer is detached: it was transferred before.",
        )),
        Some(_) | None => Ok(()),
    }
}

/// An object whose content is being written.
enum Frame {
    Properties {
        object: Value,
        keys: vec::IntoIter<Value>,
        /// The key that is being written, for error messages.
        current: Option<Value>,
        next_index: u32,
    },
    /// The entries of a map or the members of a set.
    Items {
        items: vec::IntoIter<Value>,
    },
    Cause(Option<Value>),
}

struct Writer<'a> {
    realm: &'a Realm,
    output: Output,
    /// Objects by address.
    numbers: HashMap<usize, usize>,
    /// Keeps the objects alive, so that no address is used twice.
    met: Vec<Value>,
    frames: Vec<Frame>,
}

impl Writer<'_> {
    fn add_transferable(&mut self, object: &Value) -> Fallible<()> {
        let is_buffer = object.is_array_buffer() && object.class_name(self.realm)? == "ArrayBuffer";
        if !is_buffer && message_port(object).is_none() {
            let what = self.describe(object)?;
            return Err(data_clone_error(format!("{what} cannot be transferred.")));
        }
        if self.number_of(object).is_some() {
            return Err(data_clone_error(
                "An object is in the list of objects to transfer twice.",
            ));
        }
        self.add(object);
        Ok(())
    }

    fn number_of(&self, object: &Value) -> Option<usize> {
        self.numbers.get(&object.address()?).copied()
    }

    fn add(&mut self, object: &Value) {
        if let Some(address) = object.address() {
            self.numbers.insert(address, self.met.len());
            self.met.push(object.clone());
        }
    }

    fn run(&mut self, value: &Value) -> Fallible<()> {
        self.value(value)?;
        while !self.frames.is_empty() {
            if self.realm.state().is_stopped() {
                return Err(stopped());
            }
            match self.next()? {
                Some(value) => self.value(&value)?,
                None => {
                    self.frames.pop();
                }
            }
        }
        Ok(())
    }

    /// The next value that the innermost object holds, after its key is written.
    fn next(&mut self) -> Fallible<Option<Value>> {
        let realm = self.realm;
        let Some(frame) = self.frames.last_mut() else {
            return Ok(None);
        };
        match frame {
            Frame::Items { items } => Ok(items.next()),
            Frame::Cause(cause) => Ok(cause.take()),
            Frame::Properties {
                object,
                keys,
                current,
                next_index,
            } => {
                for key in keys {
                    // Step 26.4: a getter may have removed it meanwhile.
                    if !object.has_own(realm, &key)? {
                        continue;
                    }
                    let value = object.get(realm, &key)?;
                    let name = key.to_dom_string(realm)?;
                    self.output.key(&name, next_index);
                    *current = Some(key);
                    return Ok(Some(value));
                }
                self.output.0.push(KEY_END);
                Ok(None)
            }
        }
    }

    fn value(&mut self, value: &Value) -> Fallible<()> {
        let realm = self.realm;
        if value.is_object() {
            return self.object(value);
        }
        let output = &mut self.output;
        if value.is_undefined() {
            output.tag(Tag::Undefined);
        } else if value.is_null() {
            output.tag(Tag::Null);
        } else if value.is_boolean() {
            output.tag(if value.is_true() {
                Tag::True
            } else {
                Tag::False
            });
        } else if value.is_number() {
            output.number(value.to_number(realm)?);
        } else if value.is_big_int() {
            let digits = self.call("BigInt.prototype.toString", value)?;
            self.output.tag(Tag::BigInt);
            self.output.string(&digits.to_dom_string(realm)?);
        } else if value.is_string() {
            output.tag(Tag::String);
            output.string(&value.to_dom_string(realm)?);
        } else {
            // Step 5: symbols.
            return Err(self.not_cloneable(value));
        }
        Ok(())
    }

    fn object(&mut self, object: &Value) -> Fallible<()> {
        // Step 2: met before.
        if let Some(number) = self.number_of(object) {
            self.tag(Tag::Reference);
            self.count(number);
            return Ok(());
        }
        // Steps 19 to 23: what is more than its properties.
        if object.is_proxy() || object.is_callable(self.realm) {
            return Err(self.not_cloneable(object));
        }
        if let Some(platform_object) = AnyDom::of(object) {
            return self.platform_object(object, &platform_object);
        }
        let class = object.class_name(self.realm)?;
        match class.as_str() {
            "Boolean" | "Number" | "String" | "BigInt" => {
                self.add(object);
                let unwrap = self
                    .realm
                    .intrinsic(&format!("{class}.prototype.valueOf"))?;
                let primitive = unwrap.call(self.realm, object, &[])?;
                self.tag(Tag::Wrapper);
                self.value(&primitive)
            }
            "Date" => {
                self.add(object);
                let time = self.call("Date.prototype.getTime", object)?;
                self.tag(Tag::Date);
                let time = time.to_number(self.realm)?;
                self.output.0.extend(time.to_le_bytes());
                Ok(())
            }
            "RegExp" => self.reg_exp(object),
            "ArrayBuffer" => {
                if is_detached(self.realm, object)? {
                    let place = self.place();
                    return Err(data_clone_error(format!(
                        "The ArrayBuffer{place} is detached: it was transferred before."
                    )));
                }
                self.add(object);
                self.tag(Tag::ArrayBuffer);
                write_buffer(self.realm, &mut self.output, object)
            }
            "DataView" => self.data_view(object),
            "Map" => self.collection(
                object,
                Tag::Map,
                "Map.prototype.entries",
                "MapIterator.next",
            ),
            "Set" => self.collection(object, Tag::Set, "Set.prototype.values", "SetIterator.next"),
            "Error" => self.error(object),
            "Array" => {
                self.add(object);
                self.tag(Tag::Array);
                let length = object.get(self.realm, "length")?.to_number(self.realm)?;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "an array's length is an integer of 32 bits"
                )]
                self.count(length as usize);
                self.properties(object)
            }
            "Object" | "Arguments" => {
                self.add(object);
                self.tag(Tag::Object);
                self.properties(object)
            }
            _ => match object.typed_array_parts(self.realm) {
                Ok(None) => Err(self.not_cloneable(object)),
                Ok(Some(parts)) => {
                    self.tag(Tag::TypedArray);
                    self.object(&parts.buffer)?;
                    self.add(object);
                    self.count(parts.kind as usize);
                    self.count(parts.byte_offset);
                    self.count(parts.byte_length / parts.element_size.max(1));
                    Ok(())
                }
                Err(_) => {
                    let what = self.describe(object)?;
                    let place = self.place();
                    Err(data_clone_error(format!(
                        "{what}{place} shows an ArrayBuffer that is detached or too small."
                    )))
                }
            },
        }
    }

    fn data_view(&mut self, view: &Value) -> Fallible<()> {
        let get = |name: &str| {
            let getter = self
                .realm
                .intrinsic(&format!("get DataView.prototype.{name}"))?;
            getter.call(self.realm, view, &[])
        };
        let parts = || {
            let number = |name| get(name)?.to_number(self.realm);
            Ok::<_, Error>((get("buffer")?, number("byteOffset")?, number("byteLength")?))
        };
        let Ok((buffer, byte_offset, byte_length)) = parts() else {
            let place = self.place();
            return Err(data_clone_error(format!(
                "The DataView{place} shows an ArrayBuffer that is detached or too small."
            )));
        };
        self.tag(Tag::DataView);
        self.object(&buffer)?;
        self.add(view);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "offsets and lengths of views are small non-negative integers"
        )]
        for number in [byte_offset as usize, byte_length as usize] {
            self.count(number);
        }
        Ok(())
    }

    fn reg_exp(&mut self, object: &Value) -> Fallible<()> {
        self.add(object);
        let realm = self.realm;
        let source = self.call("get RegExp.prototype.source", object)?;
        let mut flags = String::new();
        for (letter, getter) in [
            ('d', "get RegExp.prototype.hasIndices"),
            ('g', "get RegExp.prototype.global"),
            ('i', "get RegExp.prototype.ignoreCase"),
            ('m', "get RegExp.prototype.multiline"),
            ('s', "get RegExp.prototype.dotAll"),
            ('u', "get RegExp.prototype.unicode"),
            ('v', "get RegExp.prototype.unicodeSets"),
            ('y', "get RegExp.prototype.sticky"),
        ] {
            if self.call(getter, object)?.is_true() {
                flags.push(letter);
            }
        }
        let source = source.to_dom_string(realm)?;
        self.tag(Tag::RegExp);
        self.string(&source);
        self.string(&flags.into());
        Ok(())
    }

    /// A map or a set: its items are taken before any of them is written.
    fn collection(&mut self, object: &Value, tag: Tag, iterate: &str, next: &str) -> Fallible<()> {
        let realm = self.realm;
        self.add(object);
        let iterator = self.call(iterate, object)?;
        let mut items = Vec::new();
        let mut size = 0;
        loop {
            let result = self.call(next, &iterator)?;
            if result.get(realm, "done")?.is_true() {
                break;
            }
            let item = result.get(realm, "value")?;
            size += 1;
            if tag == Tag::Map {
                items.push(item.get(realm, 0)?);
                items.push(item.get(realm, 1)?);
            } else {
                items.push(item);
            }
        }
        self.tag(tag);
        self.count(size);
        let items = items.into_iter();
        self.frames.push(Frame::Items { items });
        Ok(())
    }

    fn properties(&mut self, object: &Value) -> Fallible<()> {
        let keys = object.own_keys(self.realm, true)?.into_iter();
        self.frames.push(Frame::Properties {
            object: object.clone(),
            keys,
            current: None,
            next_index: 0,
        });
        Ok(())
    }

    /// Step 17. The stack and the cause are not demanded, but allowed, and worth having.
    fn error(&mut self, error: &Value) -> Fallible<()> {
        let realm = self.realm;
        self.add(error);
        let name = error.get(realm, "name")?;
        let name = if name.is_undefined() {
            "Error".to_owned()
        } else {
            name.to_dom_string(realm)?.to_string()
        };
        let name = ERROR_NAMES.iter().position(|own| *own == name).unwrap_or(0);
        let message = match error.own_data(realm, "message")? {
            Some(message) => Some(message.to_dom_string(realm)?),
            None => None,
        };
        let stack = match error.own_data(realm, "stack")? {
            Some(stack) => stack,
            None => self.call("get Error.prototype.stack", error)?,
        };
        let stack = if stack.is_string() {
            Some(stack.to_dom_string(realm)?)
        } else {
            None
        };
        let cause = error.own_data(realm, "cause")?;
        self.tag(Tag::Error);
        self.count(name);
        self.output.0.push(
            u8::from(message.is_some()) * ERROR_MESSAGE
                + u8::from(stack.is_some()) * ERROR_STACK
                + u8::from(cause.is_some()) * ERROR_CAUSE,
        );
        for text in message.iter().chain(&stack) {
            self.string(text);
        }
        if cause.is_some() {
            self.frames.push(Frame::Cause(cause));
        }
        Ok(())
    }

    /// Step 21: platform objects that are serializable.
    fn platform_object(&mut self, object: &Value, platform_object: &AnyDom) -> Fallible<()> {
        if let Some(exception) = platform_object.downcast::<DomException>() {
            self.add(object);
            return self.dom_exception(object, &exception);
        }
        if let Some(blob) = platform_object.downcast::<Blob>() {
            self.add(object);
            let type_ = blob.type_(self.realm);
            if let Some(file) = platform_object.downcast::<File>() {
                self.tag(Tag::File);
                self.string(&DomString::from(&**file.name()));
                self.string(&type_);
                let last_modified = file.last_modified().to_le_bytes();
                self.output.0.extend_from_slice(&last_modified);
            } else {
                self.tag(Tag::Blob);
                self.string(&type_);
            }
            self.count(blob.bytes().len());
            self.output.0.extend_from_slice(blob.bytes());
            return Ok(());
        }
        Err(self.not_cloneable(object))
    }

    fn dom_exception(&mut self, object: &Value, exception: &Dom<DomException>) -> Fallible<()> {
        let realm = self.realm;
        let stack = match object.own_data(realm, "stack")? {
            Some(stack) if stack.is_string() => stack.to_dom_string(realm)?,
            _ => DomString::default(),
        };
        self.tag(Tag::DomException);
        self.string(&exception.name(realm));
        self.string(&exception.message(realm));
        self.string(&stack);
        Ok(())
    }

    fn call(&self, intrinsic: &str, this: &Value) -> Fallible<Value> {
        self.realm.intrinsic(intrinsic)?.call(self.realm, this, &[])
    }

    fn tag(&mut self, tag: Tag) {
        self.output.tag(tag);
    }

    fn count(&mut self, count: usize) {
        self.output.count(count);
    }

    fn string(&mut self, text: &DomString) {
        self.output.string(text);
    }

    fn not_cloneable(&self, value: &Value) -> Error {
        match self.describe(value) {
            Ok(what) => data_clone_error(format!("{what}{} cannot be cloned.", self.place())),
            Err(error) => error,
        }
    }

    /// What a value is, for a web developer.
    fn describe(&self, value: &Value) -> Fallible<String> {
        let realm = self.realm;
        if value.is_symbol() {
            return Ok("A symbol".to_owned());
        }
        if !value.is_object() {
            return Ok("A primitive value".to_owned());
        }
        if value.is_proxy() {
            return Ok("A Proxy".to_owned());
        }
        if value.is_callable(realm) {
            let name = match value.own_data(realm, "name")? {
                Some(name) if name.is_string() => name.to_dom_string(realm)?.to_string(),
                _ => String::new(),
            };
            return Ok(if name.is_empty() {
                "A function without a name".to_owned()
            } else {
                format!("The function {name}")
            });
        }
        let name = match AnyDom::of(value) {
            Some(object) => INTERFACES[object.interface().0].name.to_owned(),
            None => value.class_name(realm)?,
        };
        Ok(format!("The {name} object"))
    }

    /// Where in the value that is serialized: ` at value.items[2]`.
    fn place(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            match frame {
                Frame::Items { .. } => path.push_str(".(entry)"),
                Frame::Cause(_) => path.push_str(".cause"),
                Frame::Properties { current, .. } => {
                    let Some(key) = current else { continue };
                    let name = key
                        .to_dom_string(self.realm)
                        .map(|name| name.to_string())
                        .unwrap_or_default();
                    if name.bytes().all(|byte| byte.is_ascii_digit()) {
                        path.push('[');
                        path.push_str(&name);
                        path.push(']');
                    } else {
                        path.push('.');
                        path.push_str(&name);
                    }
                }
            }
        }
        if path.is_empty() {
            path
        } else {
            format!(" at value{path}")
        }
    }
}

fn is_detached(realm: &Realm, buffer: &Value) -> Fallible<bool> {
    let getter = realm.intrinsic("get ArrayBuffer.prototype.detached")?;
    Ok(getter.call(realm, buffer, &[])?.is_true())
}

fn write_buffer(realm: &Realm, output: &mut Output, buffer: &Value) -> Fallible<()> {
    let bytes = buffer.bytes(realm)?;
    output.count(bytes.len());
    output.0.extend_from_slice(&bytes);
    let get = |name: &str| {
        let getter = realm.intrinsic(&format!("get ArrayBuffer.prototype.{name}"))?;
        getter.call(realm, buffer, &[])
    };
    if get("resizable")?.is_true() {
        let maximum = get("maxByteLength")?.to_number(realm)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a buffer's length is a non-negative integer"
        )]
        output.count(maximum as usize + 1);
    } else {
        output.count(0);
    }
    Ok(())
}
