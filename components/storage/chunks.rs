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
//! The sequence is that of the group that wrote the value, and the number tells apart those of
//! one group, so no two values ever have the same pieces, and a value that is written a second
//! time, after a crash, has those of the first.

use crate::batch::CHUNK_TREE;
use crate::device::{DatabaseError, OrderedDatabase, Writes};
use crate::overlay::Change;

/// How long a value may be to be stored in one piece.
pub(crate) const PIECE: usize = 4096;

/// How many bytes of pieces go to the database at once.
const APPLIED_AT_ONCE: usize = 1 << 20;

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

/// How long the value may be at most.
pub(crate) fn length(stored: &[u8]) -> usize {
    match parse(stored) {
        Stored::InPieces(pointer) => {
            usize::try_from(pointer.count).map_or(usize::MAX, |count| count.saturating_mul(PIECE))
        }
        Stored::Inline(_) | Stored::Malformed => stored.len(),
    }
}

/// The value behind what the database holds, and whether all its pieces are there. What is no
/// value will not check out.
pub(crate) fn value(
    database: &dyn OrderedDatabase,
    stored: &[u8],
) -> Result<(Vec<u8>, bool), DatabaseError> {
    let pointer = match parse(stored) {
        Stored::Inline(value) => return Ok((value.to_vec(), true)),
        Stored::Malformed => return Ok((stored.to_vec(), true)),
        Stored::InPieces(pointer) => pointer,
    };
    let mut value = Vec::new();
    let mut complete = true;
    for key in pointer.keys() {
        match database.get(&key)? {
            Some(piece) => value.extend_from_slice(&piece),
            None => complete = false,
        }
    }
    Ok((value, complete))
}

/// Bring changes to the database, those that are too long in pieces, and remove the pieces of what
/// was there before. Until all of it is done readers must not see these keys in the database; if
/// it is interrupted it can be done again, and nothing is left over.
pub(crate) fn apply(
    database: &dyn OrderedDatabase,
    changes: &[(Vec<u8>, Change)],
) -> Result<(), DatabaseError> {
    let mut removals = Writes::new();
    let mut writes = Writes::new();
    for (key, change) in changes {
        // First the old pieces, while there is something that knows of them.
        if let Some(Stored::InPieces(old)) = database.get(key)?.as_deref().map(parse) {
            removals.extend(old.keys().map(|key| (key, None)));
        }
        let stored = match &change.value {
            Some(value) if value.len() > PIECE => Some(Pointer::to(value, change).encode()),
            Some(value) => Some(inline(value)),
            None => None,
        };
        writes.insert(key.clone(), stored);
    }
    if !removals.is_empty() {
        database.apply(&removals)?;
    }
    let mut pieces = Writes::new();
    for (_, change) in changes {
        let Some(value) = change.value.as_ref().filter(|value| value.len() > PIECE) else {
            continue;
        };
        let keys = Pointer::to(value, change).keys();
        for (key, piece) in keys.zip(value.chunks(PIECE)) {
            pieces.insert(key, Some(piece.to_vec()));
            if pieces.len() * PIECE >= APPLIED_AT_ONCE {
                database.apply(&std::mem::take(&mut pieces))?;
            }
        }
    }
    if !pieces.is_empty() {
        database.apply(&pieces)?;
    }
    database.apply(&writes)
}

impl Pointer {
    /// The pointer to the pieces of a value.
    fn to(value: &[u8], change: &Change) -> Self {
        Self {
            sequence: change.sequence,
            number: change.number,
            count: u32::try_from(value.len().div_ceil(PIECE)).unwrap_or(u32::MAX),
        }
    }

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
