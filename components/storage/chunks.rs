//! Large values in small pieces.
//!
//! sled puts a page that is larger than 128 KiB into a file of its own, which it never syncs, and
//! waits for ever when it cannot write one. A page has some 16 to 20 records, so a value that is
//! longer than [`PIECE`] is cut up: its pieces lie under keys in a tree of their own, and where the
//! value was to be there is a pointer.
//!
//! | what the database holds | content |
//! |---|---|
//! | `00`, value | a value |
//! | `01`, sequence, number, count, checksum | a value in `count` pieces, under the keys `FE`, sequence, number, index |
//!
//! The sequence is that of the commit that wrote the value, and the number tells apart those of
//! one commit, so no two values ever have the same pieces.

use crate::batch::CHUNK_TREE;

/// How long a value may be to be stored in one piece.
pub(crate) const PIECE: usize = 4096;

const INLINE: u8 = 0;
const POINTER: u8 = 1;

/// What the database holds under a key.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Stored<'a> {
    Inline(&'a [u8]),
    InPieces(Pointer),
    /// Not what this module writes.
    Malformed,
}

/// Where the pieces of a value are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pointer {
    pub(crate) sequence: u64,
    pub(crate) number: u32,
    pub(crate) count: u32,
}

/// Understand what is under a key.
pub(crate) fn parse(stored: &[u8]) -> Stored<'_> {
    match stored.split_first() {
        Some((&INLINE, value)) => Stored::Inline(value),
        Some((&POINTER, pointer)) => {
            Pointer::decode(pointer).map_or(Stored::Malformed, Stored::InPieces)
        }
        _ => Stored::Malformed,
    }
}

/// What to hold for a value that fits into one piece.
pub(crate) fn inline(value: &[u8]) -> Vec<u8> {
    [&[INLINE], value].concat()
}

impl Pointer {
    /// What to hold for a value that is in pieces.
    pub(crate) fn encode(self) -> Vec<u8> {
        let fields = self.fields();
        [
            &[POINTER][..],
            &fields,
            &crc32fast::hash(&fields).to_le_bytes(),
        ]
        .concat()
    }

    fn fields(self) -> Vec<u8> {
        let numbers = [self.number.to_be_bytes(), self.count.to_be_bytes()].concat();
        [&self.sequence.to_be_bytes()[..], &numbers].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sequence, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (count, checksum) = rest.split_first_chunk()?;
        let pointer = Self {
            sequence: u64::from_be_bytes(*sequence),
            number: u32::from_be_bytes(*number),
            count: u32::from_be_bytes(*count),
        };
        // Without a checksum a flipped bit could send us after billions of pieces.
        (checksum == crc32fast::hash(&pointer.fields()).to_le_bytes()).then_some(pointer)
    }

    /// The keys of the pieces, in order.
    pub(crate) fn keys(self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.count).map(move |index| {
            let mut key = vec![CHUNK_TREE];
            key.extend_from_slice(&self.sequence.to_be_bytes());
            key.extend_from_slice(&self.number.to_be_bytes());
            key.extend_from_slice(&index.to_be_bytes());
            key
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_pointers_are_told_apart() {
        let pointer = Pointer {
            sequence: 7,
            number: 8,
            count: 9,
        };
        assert_eq!(parse(&pointer.encode()), Stored::InPieces(pointer));
        assert_eq!(parse(&inline(b"value")), Stored::Inline(b"value"));
        assert_eq!(parse(&inline(b"")), Stored::Inline(b""));
        assert_eq!(parse(b""), Stored::Malformed);
        assert_eq!(parse(b"\x02value"), Stored::Malformed);
    }

    #[test]
    fn a_pointer_with_a_flipped_bit_is_not_followed() {
        let encoded = Pointer {
            sequence: 7,
            number: 8,
            count: 9,
        }
        .encode();
        for bit in 0..encoded.len() * 8 {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&flipped), Stored::InPieces(_)), "bit {bit}");
        }
    }

    #[test]
    fn pieces_lie_in_order() {
        let keys: Vec<_> = Pointer {
            sequence: 1,
            number: 2,
            count: 300,
        }
        .keys()
        .collect();
        assert_eq!(keys.len(), 300);
        assert!(keys.is_sorted());
    }
}
