//! <https://html.spec.whatwg.org/multipage/structured-data.html#structureddeserialize>

use base::ids::MessagePortId;
use uuid::Uuid;

use super::format::{
    ERROR_CAUSE, ERROR_MESSAGE, ERROR_NAMES, ERROR_STACK, KEY_END, KEY_INDEX, KEY_NAME, KEY_NEXT,
    Tag, VERSION, data_clone_error, stopped,
};
use crate::bindings::{Dom, DomString, Error, Fallible, Flags, Realm, Value};
use crate::dom::blob::Blob;
use crate::dom::dom_exception::DomException;
use crate::dom::file::File;
use crate::dom::message_port::MessagePort;

/// The value, and the ports that came with it, in the order in which they were transferred.
pub(super) fn deserialize(realm: &Realm, bytes: &[u8]) -> Fallible<(Value, Vec<Dom<MessagePort>>)> {
    let mut reader = Reader {
        realm,
        input: Input(bytes),
        objects: Vec::new(),
        frames: Vec::new(),
    };
    let version = reader.input.byte()?;
    if version != VERSION {
        return Err(unreadable(&format!("it has the unknown version {version}")));
    }
    let mut ports = Vec::new();
    for _ in 0..reader.input.count()? {
        let object = match reader.input.tag()? {
            Tag::ArrayBuffer => reader.buffer()?,
            Tag::MessagePort => {
                let port = MessagePort::receive(realm, reader.input.port_id()?)?;
                ports.push(port.clone());
                port.value()
            }
            _ => return Err(unreadable("it transfers an object of an unknown kind")),
        };
        reader.objects.push(object);
    }
    let value = reader.run()?;
    if reader.input.0.is_empty() {
        Ok((value, ports))
    } else {
        Err(unreadable("more follows after its end"))
    }
}

/// The ports among what is transferred, as far as the bytes can be read.
pub(super) fn transferred_ports(bytes: &[u8]) -> Vec<MessagePortId> {
    let mut ports = Vec::new();
    let mut input = Input(bytes);
    let mut read = || {
        input.byte()?;
        for _ in 0..input.count()? {
            if input.tag()? == Tag::MessagePort {
                ports.push(input.port_id()?);
            } else {
                input.counted_bytes()?;
                input.count()?;
            }
        }
        Ok::<_, Error>(())
    };
    // What cannot be read has no ports after that place either.
    let _ = read();
    ports
}

fn unreadable(why: &str) -> Error {
    data_clone_error(format!("A serialized value cannot be read: {why}."))
}

/// An object whose content is being read.
enum Frame {
    Properties {
        object: Value,
        next_index: u32,
    },
    Map {
        map: Value,
        rest: usize,
        key: Option<Value>,
    },
    Set {
        set: Value,
        rest: usize,
    },
    Cause {
        error: Option<Value>,
    },
}

/// Where the next value goes.
enum Slot {
    Property(Value, Key),
    MapKey,
    MapValue(Value, Value),
    Member(Value),
    Cause(Value),
}

enum Key {
    Index(u32),
    Name(Value),
}

struct Reader<'a> {
    realm: &'a Realm,
    input: Input<'a>,
    /// By number.
    objects: Vec<Value>,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    fn run(&mut self) -> Fallible<Value> {
        let root = self.value()?;
        while let Some(place) = self.frames.len().checked_sub(1) {
            if self.realm.state().is_stopped() {
                return Err(stopped());
            }
            let Some(slot) = self.next_slot(place)? else {
                self.frames.pop();
                continue;
            };
            // If the value has content, this puts its frame on top.
            let value = self.value()?;
            self.fill(slot, place, value)?;
        }
        Ok(root)
    }

    /// Where the next value of the innermost object goes; none if it is complete.
    fn next_slot(&mut self, place: usize) -> Fallible<Option<Slot>> {
        Ok(match &mut self.frames[place] {
            Frame::Properties { object, next_index } => {
                let key = match self.input.byte()? {
                    KEY_END => return Ok(None),
                    KEY_NEXT => Key::Index(*next_index),
                    KEY_INDEX => Key::Index(self.input.small_count()?),
                    KEY_NAME => Key::Name(self.input.string()?.to_value(self.realm)?),
                    _ => return Err(unreadable("it has a key of an unknown kind")),
                };
                if let Key::Index(index) = key {
                    *next_index = index.wrapping_add(1);
                }
                Some(Slot::Property(object.clone(), key))
            }
            Frame::Map { map, rest, key } => match key.take() {
                Some(key) => Some(Slot::MapValue(map.clone(), key)),
                None if *rest == 0 => None,
                None => {
                    *rest -= 1;
                    Some(Slot::MapKey)
                }
            },
            Frame::Set { rest: 0, .. } => None,
            Frame::Set { set, rest } => {
                *rest -= 1;
                Some(Slot::Member(set.clone()))
            }
            Frame::Cause { error } => error.take().map(Slot::Cause),
        })
    }

    fn fill(&mut self, slot: Slot, place: usize, value: Value) -> Fallible<()> {
        let realm = self.realm;
        match slot {
            Slot::Property(object, Key::Index(index)) => {
                object.create_data_property(realm, index, &value)
            }
            Slot::Property(object, Key::Name(name)) => {
                object.create_data_property(realm, &name, &value)
            }
            Slot::MapKey => {
                if let Frame::Map { key, .. } = &mut self.frames[place] {
                    *key = Some(value);
                }
                Ok(())
            }
            Slot::MapValue(map, key) => {
                let set = realm.intrinsic("Map.prototype.set")?;
                set.call(realm, &map, &[key, value]).map(drop)
            }
            Slot::Member(set) => {
                let add = realm.intrinsic("Set.prototype.add")?;
                add.call(realm, &set, &[value]).map(drop)
            }
            Slot::Cause(error) => error.define(realm, "cause", &value, Flags::HIDDEN),
        }
    }

    /// A value; if it is an object that has content, the content is read afterwards.
    fn value(&mut self) -> Fallible<Value> {
        let realm = self.realm;
        let tag = self.input.tag()?;
        match tag {
            Tag::Reference => {
                let number = self.input.count()?;
                let object = self.objects.get(number).cloned();
                object.ok_or_else(|| unreadable("it refers to an object that it does not have"))
            }
            Tag::TypedArray | Tag::DataView => self.view(tag),
            Tag::Wrapper => {
                let tag = self.input.tag()?;
                let primitive = self
                    .primitive(tag)?
                    .ok_or_else(|| unreadable("it wraps what is not a primitive value"))?;
                let object = realm.intrinsic("Object")?;
                let object = object.call(realm, &Value::undefined(), &[primitive])?;
                if !object.is_object() {
                    return Err(unreadable("it wraps undefined or null"));
                }
                self.objects.push(object.clone());
                Ok(object)
            }
            _ => {
                if let Some(value) = self.primitive(tag)? {
                    return Ok(value);
                }
                let (object, frame) = self.object(tag)?;
                self.objects.push(object.clone());
                self.frames.extend(frame);
                Ok(object)
            }
        }
    }

    fn primitive(&mut self, tag: Tag) -> Fallible<Option<Value>> {
        let realm = self.realm;
        Ok(Some(match tag {
            Tag::Undefined => Value::undefined(),
            Tag::Null => Value::null(),
            Tag::False => Value::boolean(false),
            Tag::True => Value::boolean(true),
            Tag::Integer => {
                let zigzag = self.input.small_count()?;
                let integer = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
                Value::number(f64::from(integer))
            }
            Tag::Double => Value::number(self.input.double()?),
            Tag::String => self.input.string()?.to_value(realm)?,
            Tag::BigInt => {
                let digits = self.input.string()?;
                if !digits.is_decimal() {
                    return Err(unreadable("it has a BigInt that is not a number"));
                }
                let digits = digits.to_value(realm)?;
                realm
                    .intrinsic("BigInt")?
                    .call(realm, &Value::undefined(), &[digits])?
            }
            _ => return Ok(None),
        }))
    }

    /// An object without its content, and the frame that reads the content.
    fn object(&mut self, tag: Tag) -> Fallible<(Value, Option<Frame>)> {
        let realm = self.realm;
        let without_content = |object: Value| Ok((object, None));
        match tag {
            Tag::Date => without_content(realm.new_date(self.input.double()?)?),
            Tag::RegExp => {
                let source = self.input.string()?.to_value(realm)?;
                let flags = self.input.string()?.to_value(realm)?;
                let object = realm
                    .intrinsic("RegExp")?
                    .construct(realm, &[source, flags]);
                without_content(object.map_err(|_| unreadable("it has an invalid RegExp"))?)
            }
            Tag::ArrayBuffer => without_content(self.buffer()?),
            Tag::Object | Tag::Array => {
                let object = if tag == Tag::Array {
                    let array = realm.new_array(&[])?;
                    let length = Value::number(f64::from(self.input.small_count()?));
                    array.set(realm, "length", &length)?;
                    array
                } else {
                    realm.new_object()?
                };
                let frame = Frame::Properties {
                    object: object.clone(),
                    next_index: 0,
                };
                Ok((object, Some(frame)))
            }
            Tag::Map => {
                let map = realm.intrinsic("Map")?.construct(realm, &[])?;
                let frame = Frame::Map {
                    map: map.clone(),
                    rest: self.input.count()?,
                    key: None,
                };
                Ok((map, Some(frame)))
            }
            Tag::Set => {
                let set = realm.intrinsic("Set")?.construct(realm, &[])?;
                let frame = Frame::Set {
                    set: set.clone(),
                    rest: self.input.count()?,
                };
                Ok((set, Some(frame)))
            }
            Tag::Error => self.error(),
            Tag::DomException => {
                let (name, message) = (self.input.string()?, self.input.string()?);
                let exception = DomException::with_names(realm, message.0, name.0)?.value();
                let stack = self.input.string()?.to_value(realm)?;
                exception.define(realm, "stack", &stack, Flags::HIDDEN)?;
                without_content(exception)
            }
            Tag::Blob => {
                let type_ = self.input.string()?;
                let bytes = self.input.counted_bytes()?.to_vec();
                without_content(Blob::new(realm, bytes, type_.0)?.value())
            }
            Tag::File => self.file(),
            _ => Err(unreadable("it has an object of an unknown kind")),
        }
    }

    fn file(&mut self) -> Fallible<(Value, Option<Frame>)> {
        let name = self.input.string()?.0.to_string();
        let type_ = self.input.string()?;
        let mut last_modified = [0; 8];
        last_modified.copy_from_slice(self.input.bytes(8)?);
        let bytes = self.input.counted_bytes()?.to_vec();
        let blob = Blob::new(self.realm, bytes, type_.0)?;
        let last_modified = i64::from_le_bytes(last_modified);
        let file = File::new(self.realm, &blob, name.into(), last_modified)?;
        Ok((file.value(), None))
    }

    fn error(&mut self) -> Fallible<(Value, Option<Frame>)> {
        let realm = self.realm;
        let name = ERROR_NAMES.get(self.input.count()?).copied();
        let name = name.ok_or_else(|| unreadable("it has an error of an unknown kind"))?;
        let flags = self.input.byte()?;
        let error = realm.intrinsic(name)?.construct(realm, &[])?;
        for (flag, key) in [(ERROR_MESSAGE, "message"), (ERROR_STACK, "stack")] {
            if flags & flag != 0 {
                let text = self.input.string()?.to_value(realm)?;
                error.define(realm, key, &text, Flags::HIDDEN)?;
            }
        }
        let frame = (flags & ERROR_CAUSE != 0).then(|| Frame::Cause {
            error: Some(error.clone()),
        });
        Ok((error, frame))
    }

    fn buffer(&mut self) -> Fallible<Value> {
        let realm = self.realm;
        let bytes = self.input.counted_bytes()?;
        let Some(maximum) = self.input.count()?.checked_sub(1) else {
            return realm.new_array_buffer(bytes);
        };
        let length = |number: usize| {
            u32::try_from(number)
                .map(|number| Value::number(f64::from(number)))
                .map_err(|_| unreadable("it has an ArrayBuffer that is too large"))
        };
        let options = realm.new_object()?;
        options.create_data_property(realm, "maxByteLength", &length(maximum)?)?;
        let buffer = realm
            .intrinsic("ArrayBuffer")?
            .construct(realm, &[length(bytes.len())?, options])?;
        let bytes = realm.new_uint8_array(bytes)?;
        let view = realm
            .intrinsic("Uint8Array")?
            .construct(realm, std::slice::from_ref(&buffer))?;
        realm
            .intrinsic("Uint8Array.prototype.set")?
            .call(realm, &view, &[bytes])?;
        Ok(buffer)
    }

    fn view(&mut self, tag: Tag) -> Fallible<Value> {
        let realm = self.realm;
        let buffer = match self.input.tag()? {
            Tag::ArrayBuffer => {
                let buffer = self.buffer()?;
                self.objects.push(buffer.clone());
                buffer
            }
            Tag::Reference => {
                let number = self.input.count()?;
                self.objects.get(number).cloned().unwrap_or(Value::null())
            }
            _ => Value::null(),
        };
        if !buffer.is_array_buffer() {
            return Err(unreadable("it has a view without an ArrayBuffer"));
        }
        let kind = match tag {
            Tag::TypedArray => Some(self.input.small_count()?),
            _ => None,
        };
        let byte_offset = Value::number(f64::from(self.input.small_count()?));
        let length = Value::number(f64::from(self.input.small_count()?));
        let view = match kind {
            Some(kind) => realm.new_typed_array(kind, &buffer, &byte_offset, &length),
            None => realm
                .intrinsic("DataView")?
                .construct(realm, &[buffer, byte_offset, length]),
        };
        let view = view.map_err(|_| unreadable("it has a view that does not fit its buffer"))?;
        self.objects.push(view.clone());
        Ok(view)
    }
}

/// The bytes that have not been read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> Fallible<&'a [u8]> {
        let (bytes, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| unreadable("it ends too early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Fallible<u8> {
        Ok(self.bytes(1)?[0])
    }

    fn tag(&mut self) -> Fallible<Tag> {
        Tag::from_byte(self.byte()?).ok_or_else(|| unreadable("it has a value of an unknown kind"))
    }

    fn count(&mut self) -> Fallible<usize> {
        let mut count = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            count |= bits << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(count).map_err(|_| unreadable("a number is too large"));
            }
        }
        Err(unreadable("a number is too large"))
    }

    /// A count of 32 bits.
    fn small_count(&mut self) -> Fallible<u32> {
        u32::try_from(self.count()?).map_err(|_| unreadable("a number is too large"))
    }

    fn counted_bytes(&mut self) -> Fallible<&'a [u8]> {
        let count = self.count()?;
        self.bytes(count)
    }

    fn port_id(&mut self) -> Fallible<MessagePortId> {
        let mut id = [0; 16];
        id.copy_from_slice(self.bytes(16)?);
        Ok(MessagePortId(Uuid::from_bytes(id)))
    }

    fn double(&mut self) -> Fallible<f64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.bytes(8)?);
        let number = f64::from_le_bytes(bytes);
        // There are many; the engine knows one.
        Ok(if number.is_nan() { f64::NAN } else { number })
    }

    fn string(&mut self) -> Fallible<Text> {
        let header = self.count()?;
        let length = header / 2;
        let units = if header % 2 == 0 {
            self.bytes(length)?.iter().copied().map(u16::from).collect()
        } else {
            let size = length
                .checked_mul(2)
                .ok_or_else(|| unreadable("a number is too large"))?;
            let pairs = self.bytes(size)?.chunks_exact(2);
            pairs
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect()
        };
        Ok(Text(DomString::from_code_units(units)))
    }
}

/// A string that was read.
struct Text(DomString);

impl Text {
    fn to_value(&self, realm: &Realm) -> Fallible<Value> {
        realm.new_string_utf16(self.0.code_units())
    }

    fn is_decimal(&self) -> bool {
        let units = self.0.code_units();
        let digits = units.strip_prefix(&[0x2d]).unwrap_or(units);
        !digits.is_empty() && digits.iter().all(|unit| (0x30..=0x39).contains(unit))
    }
}
