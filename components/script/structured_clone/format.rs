//! The format, version 1.
//!
//! ```text
//! clone      = version(1) count transferred* value
//! transferred= ArrayBuffer or MessagePort, as a value
//! value      = tag content
//! count      = unsigned LEB128, at most 64 bits
//! string     = count content: twice the number of units, plus 0 for Latin-1 (one byte a unit) or
//!              1 for UTF-16 (two bytes a unit, little-endian)
//! double     = 8 bytes, little-endian
//! buffer     = count bytes, then 0 or 1 + the maximal length of a resizable one
//! properties = (key value)* 0
//! key        = 1: the index after that of the key before (0 for the first)
//!              2: count, an index
//!              3: string
//! ```
//!
//! Objects are numbered in the order in which they are met, the transferred ones first; what is
//! met again is a reference to that number. A view comes after its buffer in that order.
//!
//! A change that older readers would misread takes another version; a reader refuses versions that
//! it does not know.

use base::exception::DomExceptionName;

use crate::bindings::{DomString, Error};

/// What the bytes start with.
pub(super) const VERSION: u8 = 1;

/// Ends properties.
pub(super) const KEY_END: u8 = 0;
/// The index after the one before.
pub(super) const KEY_NEXT: u8 = 1;
/// An index.
pub(super) const KEY_INDEX: u8 = 2;
/// A name.
pub(super) const KEY_NAME: u8 = 3;

macro_rules! tags {
    ($($(#[$attribute:meta])* $name:ident = $number:literal,)*) => {
        /// What a value is. Numbers are never given twice.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Tag {
            $($(#[$attribute])* $name = $number,)*
        }

        impl Tag {
            pub(super) fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    Undefined = 0,
    Null = 1,
    False = 2,
    True = 3,
    /// Zigzag-encoded 32 bits.
    Integer = 4,
    Double = 5,
    /// A string of decimal digits, with a sign if negative.
    BigInt = 6,
    String = 7,
    /// The number of an object.
    Reference = 8,
    /// Then the primitive value.
    Wrapper = 9,
    /// A double.
    Date = 10,
    /// Two strings: source and flags.
    RegExp = 11,
    /// Properties.
    Object = 12,
    /// The length, then properties.
    Array = 13,
    /// How many entries, then key and value of each.
    Map = 14,
    /// How many members, then the members.
    Set = 15,
    ArrayBuffer = 16,
    /// The buffer as a value, element type, offset in bytes, number of elements.
    TypedArray = 17,
    /// The buffer as a value, offset, length in bytes.
    DataView = 18,
    /// The number of its name, flags, then as the flags say message, stack and cause.
    Error = 19,
    /// Name, message, stack: three strings.
    DomException = 20,
    /// Type, then count and bytes.
    Blob = 21,
    /// The 16 bytes of its id. Only among what is transferred.
    MessagePort = 22,
    /// Name and type, then the time of the last change in milliseconds since the epoch (8 bytes,
    /// little-endian, signed), then count and bytes.
    File = 23,
}

/// <https://tc39.es/ecma262/#sec-native-error-types-used-in-this-standard>; the place is the number
/// in the format.
pub(super) const ERROR_NAMES: [&str; 7] = [
    "Error",
    "EvalError",
    "RangeError",
    "ReferenceError",
    "SyntaxError",
    "TypeError",
    "URIError",
];

/// Flags of an error: what it has.
pub(super) const ERROR_MESSAGE: u8 = 1;
/// See [`ERROR_MESSAGE`].
pub(super) const ERROR_STACK: u8 = 2;
/// See [`ERROR_MESSAGE`].
pub(super) const ERROR_CAUSE: u8 = 4;

/// A `DataCloneError`.
pub(crate) fn data_clone_error(message: impl Into<String>) -> Error {
    Error::dom(DomExceptionName::DataCloneError, message)
}

/// What a script that has to stop gets; it does not live to see it.
pub(super) fn stopped() -> Error {
    Error::dom(DomExceptionName::AbortError, "The script was stopped.")
}

/// Bytes that are being written.
#[derive(Default)]
pub(super) struct Output(pub(super) Vec<u8>);

impl Output {
    pub(super) fn tag(&mut self, tag: Tag) {
        self.0.push(tag as u8);
    }

    pub(super) fn count(&mut self, count: usize) {
        let mut rest = count;
        while rest >= 0x80 {
            self.0.push(low_bits(rest) | 0x80);
            rest >>= 7;
        }
        self.0.push(low_bits(rest));
    }

    pub(super) fn string(&mut self, text: &DomString) {
        let units = text.code_units();
        let is_wide = units.iter().any(|unit| *unit > 0xff);
        self.count(units.len() * 2 + usize::from(is_wide));
        if is_wide {
            self.0
                .extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        } else {
            self.0
                .extend(units.iter().map(|unit| unit.to_le_bytes()[0]));
        }
    }

    /// A number, as an integer where that is the same.
    pub(super) fn number(&mut self, number: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only used where nothing is lost"
        )]
        let integer = number as i32;
        if f64::from(integer).to_bits() == number.to_bits() {
            self.tag(Tag::Integer);
            let zigzag = (integer << 1) ^ (integer >> 31);
            self.count(zigzag.cast_unsigned() as usize);
        } else {
            self.tag(Tag::Double);
            self.0.extend(number.to_le_bytes());
        }
    }

    /// A property's key; `next_index` is the index after that of the key before.
    pub(super) fn key(&mut self, name: &DomString, next_index: &mut u32) {
        let Some(index) = array_index(name) else {
            self.0.push(KEY_NAME);
            self.string(name);
            return;
        };
        if index == *next_index {
            self.0.push(KEY_NEXT);
        } else {
            self.0.push(KEY_INDEX);
            self.count(index as usize);
        }
        *next_index = index + 1;
    }
}

fn low_bits(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// <https://tc39.es/ecma262/#array-index>
fn array_index(name: &DomString) -> Option<u32> {
    let units = name.code_units();
    if units.is_empty() || units.len() > 10 || (units[0] == 0x30 && units.len() > 1) {
        return None;
    }
    let mut index = 0_u64;
    for unit in units {
        let digit = char::from_u32(u32::from(*unit))?.to_digit(10)?;
        index = index * 10 + u64::from(digit);
    }
    u32::try_from(index).ok().filter(|index| *index < u32::MAX)
}
