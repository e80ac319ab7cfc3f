//! The three string types of Web IDL.

use std::fmt;
use std::ops::Deref;

/// A `DOMString`: UTF-16 code units, lone surrogates included.
///
/// <https://webidl.spec.whatwg.org/#idl-DOMString>
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DomString(Vec<u16>);

impl DomString {
    /// A string of these code units.
    pub fn from_code_units(units: Vec<u16>) -> Self {
        Self(units)
    }

    /// The code units.
    pub fn code_units(&self) -> &[u16] {
        &self.0
    }

    /// Whether there is no code unit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lone surrogates become U+FFFD.
impl fmt::Display for DomString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf16_lossy(&self.0))
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

impl PartialEq<str> for DomString {
    fn eq(&self, other: &str) -> bool {
        self.0.iter().copied().eq(other.encode_utf16())
    }
}

impl PartialEq<&str> for DomString {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

/// A `USVString`: Unicode scalar values.
///
/// <https://webidl.spec.whatwg.org/#idl-USVString>
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UsvString(pub String);

impl Deref for UsvString {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UsvString {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for UsvString {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for UsvString {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A `ByteString`: bytes, one per code unit.
///
/// <https://webidl.spec.whatwg.org/#idl-ByteString>
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ByteString(pub Vec<u8>);

impl Deref for ByteString {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}
