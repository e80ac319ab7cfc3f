use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::key::{InvalidKey, Key};

/// An interval over keys.
///
/// <https://w3c.github.io/IndexedDB/#key-range>
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeyRange {
    /// Where it begins; nothing when at the first key.
    pub lower: Option<Key>,
    /// Where it ends; nothing when at the last key.
    pub upper: Option<Key>,
    /// Whether the lower bound is outside.
    pub lower_open: bool,
    /// Whether the upper bound is outside.
    pub upper_open: bool,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self::default()
    }

    /// One key.
    pub fn only(key: Key) -> Self {
        Self {
            lower: Some(key.clone()),
            upper: Some(key),
            ..Self::default()
        }
    }

    /// Whether a key is in the range.
    ///
    /// <https://w3c.github.io/IndexedDB/#in>
    pub fn contains(&self, key: &Key) -> bool {
        let above = match &self.lower {
            Some(lower) => lower < key || (!self.lower_open && lower == key),
            None => true,
        };
        let below = match &self.upper {
            Some(upper) => upper > key || (!self.upper_open && upper == key),
            None => true,
        };
        above && below
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Some(lower), Some(upper)) => {
                lower > upper || (lower == upper && (self.lower_open || self.upper_open))
            }
            _ => false,
        }
    }

    /// The bounds in encoded keys.
    ///
    /// # Errors
    ///
    /// When a bound is not a valid key.
    pub(crate) fn encode(&self) -> Result<EncodedRange, InvalidKey> {
        let bound = |key: &Option<Key>, open| {
            Ok(match key {
                None => Bound::Unbounded,
                Some(key) if open => Bound::Excluded(key.encode()?),
                Some(key) => Bound::Included(key.encode()?),
            })
        };
        Ok((
            bound(&self.lower, self.lower_open)?,
            bound(&self.upper, self.upper_open)?,
        ))
    }
}

/// Bounds of encoded keys.
pub(crate) type EncodedRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inside_unless_open() {
        let [one, two, three] = [1.0, 2.0, 3.0].map(Key::Number);
        let range = |lower_open, upper_open| KeyRange {
            lower: Some(one.clone()),
            upper: Some(three.clone()),
            lower_open,
            upper_open,
        };
        for (range, expected) in [
            (range(false, false), [true, true, true]),
            (range(true, false), [false, true, true]),
            (range(false, true), [true, true, false]),
            (range(true, true), [false, true, false]),
            (KeyRange::only(two.clone()), [false, true, false]),
            (KeyRange::all(), [true, true, true]),
        ] {
            assert_eq!(
                [&one, &two, &three].map(|key| range.contains(key)),
                expected
            );
            assert!(!range.is_empty());
        }
        assert!(
            KeyRange {
                lower_open: true,
                ..KeyRange::only(one)
            }
            .is_empty()
        );
    }
}
