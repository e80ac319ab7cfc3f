use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A string as scripts have it: a sequence of 16-bit code units, lone surrogates included, and
/// compared code unit by code unit. Clones share them.
///
/// <https://webidl.spec.whatwg.org/#idl-DOMString>
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct DomString(Arc<[u16]>);

impl DomString {
    /// A string of these code units.
    pub fn from_code_units(units: Vec<u16>) -> Self {
        Self(units.into())
    }

    /// The code units.
    pub fn code_units(&self) -> &[u16] {
        &self.0
    }

    /// Whether there is no code unit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The string with each lone surrogate replaced by U+FFFD, for people to read.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// How many bytes the string takes in UTF-8; a lone surrogate counts as its replacement does,
    /// three bytes.
    pub fn utf8_len(&self) -> usize {
        char::decode_utf16(self.0.iter().copied())
            .map(|result| result.map_or(char::REPLACEMENT_CHARACTER.len_utf8(), char::len_utf8))
            .sum()
    }

    /// The code units in big-endian order: sorts as the string does, and every string has its own.
    pub fn to_be_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|unit| unit.to_be_bytes()).collect()
    }
}

impl From<&str> for DomString {
    fn from(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl From<String> for DomString {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for DomString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_kept_and_told_apart() {
        let high = DomString::from_code_units(vec![0xd800]);
        let low = DomString::from_code_units(vec![0xdc00]);
        assert_ne!(high, low);
        assert_ne!(high.to_be_bytes(), low.to_be_bytes());
        assert_eq!(high.to_string_lossy(), "\u{fffd}");
        let bytes = postcard::to_stdvec(&high).unwrap();
        assert_eq!(postcard::from_bytes::<DomString>(&bytes).unwrap(), high);
    }

    #[test]
    fn is_stored_as_its_length_and_its_code_units() {
        let bytes = postcard::to_stdvec(&DomString::from("a\u{e9}")).unwrap();
        assert_eq!(bytes, [2, 0x61, 0xe9, 0x01]);
        assert_eq!(postcard::to_stdvec(&DomString::default()).unwrap(), [0]);
    }

    #[test]
    fn the_length_in_utf8_is_that_of_the_readable_string() {
        for text in ["", "outbox", "Müll", "🚀x"] {
            assert_eq!(DomString::from(text).utf8_len(), text.len());
        }
        assert_eq!(DomString::from_code_units(vec![0xd800, 0x41]).utf8_len(), 4);
    }
}
