//! Frames of the journal: one for the start of each epoch, and one for each group of batches.
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | magic, `BSJf` |
//! | 4..8 | CRC-32 of everything after it, up to the end of the payload |
//! | 8..12 | length of the payload |
//! | 12..16 | how many commits are in it |
//! | 16..24 | epoch |
//! | 24..32 | sequence number of its first commit; for a start, of the last one before the epoch |
//! | 32..40 | salt of the journal |
//! | 40 | kind: 1 a start, 2 commits |
//! | 41..48 | zero |
//! | 48.. | payload, and zeros up to a multiple of 8 |
//!
//! Numbers are little endian. The payload of commits is a row of changes: `0`, length of the key
//! (4 bytes), key for a removal; `1`, length of the key, length of the value, key, value for a
//! value. The payload of a start is the number of trees (1 byte), for each the byte of the tree and
//! whether all its records are here, and then changes.

use crate::device::Writes;

pub(crate) const HEADER: usize = 48;
/// Frames begin at multiples of this.
pub(crate) const ALIGNMENT: usize = 8;

const MAGIC: [u8; 4] = *b"BSJf";
const REMOVE: u8 = 0;
const PUT: u8 = 1;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Start = 1,
    Commits = 2,
}

/// What a frame says about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Title {
    pub(crate) kind: Kind,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) commits: u32,
    pub(crate) salt: u64,
}

/// A frame that checks out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Frame<'a> {
    pub(crate) title: Title,
    pub(crate) payload: &'a [u8],
}

impl Frame<'_> {
    /// How many bytes of the journal it takes.
    pub(crate) fn length(&self) -> usize {
        length_of(self.payload.len())
    }
}

/// How many bytes of the journal a payload takes.
pub(crate) fn length_of(payload: usize) -> usize {
    (HEADER + payload).next_multiple_of(ALIGNMENT)
}

/// A frame as it is written. Nothing when the payload is longer than a frame can say.
pub(crate) fn encode(title: Title, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(length_of(payload.len()));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&title.commits.to_le_bytes());
    bytes.extend_from_slice(&title.epoch.to_le_bytes());
    bytes.extend_from_slice(&title.sequence.to_le_bytes());
    bytes.extend_from_slice(&title.salt.to_le_bytes());
    bytes.push(title.kind as u8);
    bytes.resize(HEADER, 0);
    bytes.extend_from_slice(payload);
    let checksum = crc32fast::hash(&bytes[8..]);
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    bytes.resize(length_of(payload.len()), 0);
    Some(bytes)
}

/// The frame at the start of these bytes, if there is one that checks out.
pub(crate) fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    if header[..4] != MAGIC || header[41..] != [0; 7] {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u64::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let payload = rest.get(..usize::try_from(number(8)?).ok()?)?;
    let title = Title {
        kind: match header[40] {
            1 => Kind::Start,
            2 => Kind::Commits,
            _ => return None,
        },
        commits: number(12)?,
        epoch: long(16)?,
        sequence: long(24)?,
        salt: long(32)?,
    };
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[8..]);
    hasher.update(payload);
    (hasher.finalize() == number(4)?).then_some(Frame { title, payload })
}

/// Whether a frame of this salt may start here: what is worth a closer look.
pub(crate) fn may_start(bytes: &[u8], salt: u64) -> bool {
    bytes.starts_with(&MAGIC) && bytes.get(32..40) == Some(&salt.to_le_bytes()[..])
}

/// Changes as they are in a payload.
pub(crate) fn encode_writes(writes: &Writes, payload: &mut Vec<u8>) {
    for (key, value) in writes {
        encode_write(key, value.as_deref(), payload);
    }
}

/// Keys and values come from one process in one message, so they are shorter than 4 GiB; a frame
/// that is longer is refused as a whole.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

pub(crate) fn encode_write(key: &[u8], value: Option<&[u8]>, payload: &mut Vec<u8>) {
    match value {
        None => {
            payload.push(REMOVE);
            payload.extend_from_slice(&length(key));
            payload.extend_from_slice(key);
        }
        Some(value) => {
            payload.push(PUT);
            payload.extend_from_slice(&length(key));
            payload.extend_from_slice(&length(value));
            payload.extend_from_slice(key);
            payload.extend_from_slice(value);
        }
    }
}

/// The changes of a payload; nothing when it is not a row of changes.
pub(crate) fn decode_writes(mut payload: &[u8]) -> Option<Writes> {
    fn take<'a>(payload: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = payload.split_at_checked(length)?;
        *payload = rest;
        Some(taken)
    }
    fn number(payload: &mut &[u8]) -> Option<usize> {
        let bytes = take(payload, 4)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    }
    let mut writes = Writes::new();
    while let Some((&what, rest)) = payload.split_first() {
        payload = rest;
        let key = number(&mut payload)?;
        let value = match what {
            REMOVE => None,
            PUT => Some(number(&mut payload)?),
            _ => return None,
        };
        let key = take(&mut payload, key)?.to_vec();
        let value = match value {
            Some(length) => Some(take(&mut payload, length)?.to_vec()),
            None => None,
        };
        writes.insert(key, value);
    }
    Some(writes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn title(commits: u32) -> Title {
        Title {
            kind: Kind::Commits,
            epoch: 3,
            sequence: 70,
            commits,
            salt: 12345,
        }
    }

    fn writes() -> impl Strategy<Value = Writes> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop::collection::btree_map(bytes(), prop::option::of(bytes()), 0..6)
    }

    proptest! {
        #[test]
        fn frames_come_back(writes in writes(), commits: u32) {
            let mut payload = Vec::new();
            encode_writes(&writes, &mut payload);
            let bytes = encode(title(commits), &payload).unwrap();
            prop_assert_eq!(bytes.len() % ALIGNMENT, 0);
            let frame = decode(&bytes).unwrap();
            prop_assert_eq!(frame.title, title(commits));
            prop_assert_eq!(frame.length(), bytes.len());
            prop_assert!(may_start(&bytes, 12345));
            prop_assert_eq!(decode_writes(frame.payload), Some(writes));
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&bytes), None);
            let _ = decode_writes(&bytes);
            let _ = may_start(&bytes, 0);
        }
    }

    #[test]
    fn a_frame_with_a_flipped_bit_or_a_missing_end_is_none() {
        let bytes = encode(title(2), b"payload.").unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "cut to {length} bytes");
        }
    }
}
