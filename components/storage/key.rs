//! Composite keys whose order is the order of their components.
//!
//! A component of variable length is written with each zero byte followed by `0xFF`, and ends in
//! two zero bytes. So a component sorts before every longer one that starts with it, whatever
//! comes after it in the key, and no component can run into the next.
//!
//! ```
//! use storage::key::{KeyReader, KeyWriter};
//!
//! let key = KeyWriter::new().text("https://example.org").number(7).bytes(b"\0tag").finish();
//! let mut reader = KeyReader::new(&key);
//! assert_eq!(reader.text().as_deref(), Some("https://example.org"));
//! assert_eq!(reader.number(), Some(7));
//! assert_eq!(reader.bytes().as_deref(), Some(&b"\0tag"[..]));
//! assert!(reader.is_at_end());
//! ```

const ESCAPED: u8 = 0;
const ESCAPE_ZERO: u8 = 0xFF;
const ESCAPE_END: u8 = 0;

/// Builds a key component by component.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyWriter(Vec<u8>);

impl KeyWriter {
    /// A key without components.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add a component of variable length, ordered as bytes are.
    #[must_use]
    pub fn bytes(mut self, component: &[u8]) -> Self {
        for &byte in component {
            self.0.push(byte);
            if byte == ESCAPED {
                self.0.push(ESCAPE_ZERO);
            }
        }
        self.0.extend_from_slice(&[ESCAPED, ESCAPE_END]);
        self
    }

    /// Add a text, ordered by code point.
    #[must_use]
    pub fn text(self, component: &str) -> Self {
        self.bytes(component.as_bytes())
    }

    /// Add a string of UTF-16 code units (a `DOMString`), ordered by code unit; lone surrogates are
    /// kept.
    #[must_use]
    pub fn code_units(self, component: &[u16]) -> Self {
        let bytes: Vec<u8> = component
            .iter()
            .flat_map(|unit| unit.to_be_bytes())
            .collect();
        self.bytes(&bytes)
    }

    /// Add a number, ordered by value.
    #[must_use]
    pub fn number(mut self, component: u64) -> Self {
        self.0.extend_from_slice(&component.to_be_bytes());
        self
    }

    /// Add one byte.
    #[must_use]
    pub fn byte(mut self, component: u8) -> Self {
        self.0.push(component);
        self
    }

    /// Add the rest of the key as it is: nothing can come after it.
    pub fn rest(mut self, component: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(component);
        self.0
    }

    /// The key; as a prefix it covers every key that starts with these components.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a key apart; each method gives nothing when the key does not have such a component here.
#[derive(Clone, Copy, Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Start at the first component.
    pub fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// The next component, of variable length.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut component = Vec::new();
        let mut rest = self.0;
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            if byte == ESCAPED {
                let (&escape, after) = rest.split_first()?;
                rest = after;
                match escape {
                    ESCAPE_END => break,
                    ESCAPE_ZERO => {}
                    _ => return None,
                }
            }
            component.push(byte);
        }
        self.0 = rest;
        Some(component)
    }

    /// The next component, a text.
    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    /// The next component, a string of UTF-16 code units.
    pub fn code_units(&mut self) -> Option<Vec<u16>> {
        let bytes = self.bytes()?;
        let (pairs, []) = bytes.as_chunks::<2>() else {
            return None;
        };
        Some(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    }

    /// The next component, a number.
    pub fn number(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Everything that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Short strings of few letters, so that prefixes and zero bytes come up often.
    fn component() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 254, 255]), 0..5)
    }

    proptest! {
        #[test]
        fn keys_are_ordered_as_their_components_are(
            left in (component(), any::<u64>(), component()),
            right in (component(), any::<u64>(), component()),
        ) {
            let key = |parts: &(Vec<u8>, u64, Vec<u8>)| {
                KeyWriter::new().bytes(&parts.0).number(parts.1).bytes(&parts.2).finish()
            };
            prop_assert_eq!(key(&left).cmp(&key(&right)), left.cmp(&right));
        }

        #[test]
        fn components_come_back(
            bytes in component(),
            units in prop::collection::vec(any::<u16>(), 0..5),
            number: u64,
            text: String,
        ) {
            let key = KeyWriter::new().bytes(&bytes).code_units(&units).number(number).text(&text);
            let key = key.byte(3).rest(&bytes);
            let mut reader = KeyReader::new(&key);
            prop_assert_eq!(reader.bytes(), Some(bytes.clone()));
            prop_assert_eq!(reader.code_units(), Some(units));
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.text(), Some(text));
            prop_assert_eq!(reader.byte(), Some(3));
            prop_assert_eq!(reader.rest(), &bytes[..]);
        }

        #[test]
        fn any_bytes_can_be_read(key in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = KeyReader::new(&key).code_units();
            let _ = KeyReader::new(&key).text();
            let _ = KeyReader::new(&key).number();
        }
    }
}
