use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// How deep arrays in a key may be nested; the spec has no limit, but stacks have.
pub const MAX_KEY_DEPTH: usize = 200;
/// How many bytes the encoding of a key may have.
pub const MAX_KEY_BYTES: usize = 256 << 10;

/// What a record is found by. Keys of different types are ordered number, date, string, binary,
/// array.
///
/// <https://w3c.github.io/IndexedDB/#key-construct>
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Key {
    /// A number, not NaN.
    Number(f64),
    /// A date in milliseconds since the epoch, not NaN.
    Date(f64),
    /// A string of UTF-16 code units.
    String(Vec<u16>),
    /// A sequence of bytes.
    Binary(Vec<u8>),
    /// A list of keys.
    Array(Vec<Key>),
}

/// Why something is not a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidKey {
    /// A number or date in it is NaN.
    NotANumber,
    /// Its arrays are nested deeper than [`MAX_KEY_DEPTH`].
    TooDeep,
    /// Its encoding is longer than [`MAX_KEY_BYTES`].
    TooLong,
}

/// The first byte of a key's encoding says its type. Zero is free to end arrays, strings and
/// binaries.
mod tag {
    pub(super) const END: u8 = 0x00;
    pub(super) const NUMBER: u8 = 0x10;
    pub(super) const DATE: u8 = 0x20;
    pub(super) const STRING: u8 = 0x30;
    pub(super) const BINARY: u8 = 0x40;
    pub(super) const ARRAY: u8 = 0x50;
}

const SIGN: u64 = 1 << 63;

impl Key {
    /// A string key.
    pub fn string(text: &str) -> Self {
        Self::String(text.encode_utf16().collect())
    }

    /// Encode the key into bytes that are ordered as the keys are.
    ///
    /// | key | bytes |
    /// |---|---|
    /// | number | `10`, then 8 bytes: the IEEE bits, all flipped when negative, else the sign |
    /// | date | `20`, then as a number |
    /// | string | `30`, then each code unit in 1 to 3 bytes, then `00` |
    /// | binary | `40`, then each byte in 1 or 2 bytes, then `00` |
    /// | array | `50`, then each key, then `00` |
    ///
    /// A unit below `7F` is one byte, `01` to `7F`; one below `407F` is two bytes from `80 00` to
    /// `BF FF`; all others are `C0` and the unit.
    ///
    /// # Errors
    ///
    /// When it is not a valid key.
    pub fn encode(&self) -> Result<Vec<u8>, InvalidKey> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes, 0)?;
        if bytes.len() > MAX_KEY_BYTES {
            return Err(InvalidKey::TooLong);
        }
        Ok(bytes)
    }

    fn encode_into(&self, bytes: &mut Vec<u8>, depth: usize) -> Result<(), InvalidKey> {
        match self {
            Self::Number(number) => {
                bytes.push(tag::NUMBER);
                encode_number(*number, bytes)?;
            }
            Self::Date(date) => {
                bytes.push(tag::DATE);
                encode_number(*date, bytes)?;
            }
            Self::String(units) => {
                bytes.push(tag::STRING);
                encode_units(units.iter().copied(), bytes);
            }
            Self::Binary(content) => {
                bytes.push(tag::BINARY);
                encode_units(content.iter().map(|byte| u16::from(*byte)), bytes);
            }
            Self::Array(keys) => {
                if depth == MAX_KEY_DEPTH {
                    return Err(InvalidKey::TooDeep);
                }
                bytes.push(tag::ARRAY);
                for key in keys {
                    key.encode_into(bytes, depth + 1)?;
                }
                bytes.push(tag::END);
            }
        }
        Ok(())
    }

    /// Decode what [`encode`](Self::encode) made; nothing when the bytes are not exactly that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let key = Self::decode_from(&mut rest, 0)?;
        rest.is_empty().then_some(key)
    }

    /// Decode the key at the beginning of some bytes: it, and what is behind it.
    pub(crate) fn decode_first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut rest = bytes;
        let key = Self::decode_from(&mut rest, 0)?;
        Some((key, rest))
    }

    fn decode_from(rest: &mut &[u8], depth: usize) -> Option<Self> {
        match take_byte(rest)? {
            tag::NUMBER => Some(Self::Number(decode_number(rest)?)),
            tag::DATE => Some(Self::Date(decode_number(rest)?)),
            tag::STRING => Some(Self::String(decode_units(rest)?)),
            tag::BINARY => {
                let units = decode_units(rest)?;
                let bytes = units
                    .into_iter()
                    .map(u8::try_from)
                    .collect::<Result<_, _>>();
                Some(Self::Binary(bytes.ok()?))
            }
            tag::ARRAY if depth < MAX_KEY_DEPTH => {
                let mut keys = Vec::new();
                while *rest.first()? != tag::END {
                    keys.push(Self::decode_from(rest, depth + 1)?);
                }
                take_byte(rest)?;
                Some(Self::Array(keys))
            }
            _ => None,
        }
    }

    fn type_order(&self) -> u8 {
        match self {
            Self::Number(_) => tag::NUMBER,
            Self::Date(_) => tag::DATE,
            Self::String(_) => tag::STRING,
            Self::Binary(_) => tag::BINARY,
            Self::Array(_) => tag::ARRAY,
        }
    }
}

/// Compare two keys.
///
/// <https://w3c.github.io/IndexedDB/#compare-two-keys>
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(left), Self::Number(right)) | (Self::Date(left), Self::Date(right)) => {
                // Adding zero makes the two zeros the same one.
                (left + 0.0).total_cmp(&(right + 0.0))
            }
            (Self::String(left), Self::String(right)) => left.cmp(right),
            (Self::Binary(left), Self::Binary(right)) => left.cmp(right),
            (Self::Array(left), Self::Array(right)) => left.cmp(right),
            _ => self.type_order().cmp(&other.type_order()),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

fn encode_number(number: f64, bytes: &mut Vec<u8>) -> Result<(), InvalidKey> {
    if number.is_nan() {
        return Err(InvalidKey::NotANumber);
    }
    let bits = (number + 0.0).to_bits();
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    bytes.extend_from_slice(&ordered.to_be_bytes());
    Ok(())
}

fn decode_number(rest: &mut &[u8]) -> Option<f64> {
    let (bytes, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    let ordered = u64::from_be_bytes(*bytes);
    let bits = if ordered & SIGN == 0 {
        !ordered
    } else {
        ordered & !SIGN
    };
    let number = f64::from_bits(bits);
    (!number.is_nan()).then_some(number)
}

const ONE_BYTE_END: u16 = 0x7F;
const TWO_BYTES_END: u16 = 0x407F;

fn encode_units(units: impl Iterator<Item = u16>, bytes: &mut Vec<u8>) {
    for unit in units {
        let [high, low] = if unit < ONE_BYTE_END {
            bytes.push(unit.to_be_bytes()[1] + 1);
            continue;
        } else if unit < TWO_BYTES_END {
            (unit - ONE_BYTE_END + 0x8000).to_be_bytes()
        } else {
            bytes.push(0xC0);
            unit.to_be_bytes()
        };
        bytes.extend_from_slice(&[high, low]);
    }
    bytes.push(tag::END);
}

fn decode_units(rest: &mut &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::new();
    loop {
        let unit = match take_byte(rest)? {
            tag::END => return Some(units),
            byte @ 0x01..=0x7F => u16::from(byte) - 1,
            byte @ 0x80..=0xBF => {
                u16::from_be_bytes([byte, take_byte(rest)?]) - 0x8000 + ONE_BYTE_END
            }
            0xC0 => {
                let unit = u16::from_be_bytes([take_byte(rest)?, take_byte(rest)?]);
                Some(unit).filter(|unit| *unit >= TWO_BYTES_END)?
            }
            _ => return None,
        };
        units.push(unit);
    }
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY]),
            any::<f64>().prop_filter("NaN is no key", |number| !number.is_nan()),
        ]
    }

    fn unit() -> impl Strategy<Value = u16> {
        let edges = vec![0, 1, 0x7E, 0x7F, 0x80, 0xFF, 0x407E, 0x407F, 0xD800, 0xFFFF];
        prop_oneof![prop::sample::select(edges), any::<u16>()]
    }

    fn key() -> impl Strategy<Value = Key> {
        let leaf = prop_oneof![
            number().prop_map(Key::Number),
            number().prop_map(Key::Date),
            prop::collection::vec(unit(), 0..4).prop_map(Key::String),
            prop::collection::vec(any::<u8>(), 0..4).prop_map(Key::Binary),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::vec(inner, 0..3).prop_map(Key::Array)
        })
    }

    proptest! {
        #[test]
        fn encodings_are_ordered_as_keys_are(left in key(), right in key()) {
            let encodings = left.encode().unwrap().cmp(&right.encode().unwrap());
            prop_assert_eq!(encodings, left.cmp(&right));
        }

        #[test]
        fn keys_come_back(key in key()) {
            prop_assert_eq!(Key::decode(&key.encode().unwrap()), Some(key));
        }

        #[test]
        fn only_encodings_are_decoded(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Some(key) = Key::decode(&bytes) {
                // A negative zero is never written, but means the same.
                prop_assert_eq!(Key::decode(&key.encode().unwrap()), Some(key));
            }
        }
    }

    #[test]
    fn types_are_ordered_as_the_spec_says() {
        let ordered = [
            Key::Number(f64::NEG_INFINITY),
            Key::Number(-1.5),
            Key::Number(0.0),
            Key::Number(f64::INFINITY),
            Key::Date(-1.0),
            Key::Date(8.64e15),
            Key::string(""),
            Key::string("\0"),
            Key::string("a"),
            Key::string("a\0"),
            Key::string("b"),
            Key::String(vec![0xD800]),
            Key::String(vec![0xFFFF]),
            Key::Binary(vec![]),
            Key::Binary(vec![0]),
            Key::Binary(vec![255]),
            Key::Array(vec![]),
            Key::Array(vec![Key::Number(9.0)]),
            Key::Array(vec![Key::Number(9.0), Key::Number(1.0)]),
            Key::Array(vec![Key::string("a")]),
            Key::Array(vec![Key::Array(vec![])]),
        ];
        for pair in ordered.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
            assert!(
                pair[0].encode().unwrap() < pair[1].encode().unwrap(),
                "{pair:?}"
            );
        }
        assert_eq!(Key::Number(0.0), Key::Number(-0.0));
        assert_eq!(Key::Number(0.0).encode(), Key::Number(-0.0).encode());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let nested = |depth| (0..depth).fold(Key::Array(vec![]), |key, _| Key::Array(vec![key]));
        for (key, reason) in [
            (Key::Number(f64::NAN), InvalidKey::NotANumber),
            (
                Key::Array(vec![Key::Date(f64::NAN)]),
                InvalidKey::NotANumber,
            ),
            (nested(MAX_KEY_DEPTH), InvalidKey::TooDeep),
            (Key::Binary(vec![1; MAX_KEY_BYTES]), InvalidKey::TooLong),
        ] {
            assert_eq!(key.encode(), Err(reason));
        }
        assert!(nested(MAX_KEY_DEPTH - 1).encode().is_ok());
    }
}
