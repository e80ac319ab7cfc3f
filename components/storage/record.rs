//! What a stored value looks like.
//!
//! | bytes | content |
//! |---|---|
//! | 0 | magic, `0xB5` |
//! | 1 | version of this layout, 1 |
//! | 2..4 | version of the value, little endian: what its owner makes of it |
//! | 4..8 | CRC-32 of tree, key, version and value, little endian |
//! | 8.. | the value |

use serde::de::DeserializeOwned;

use crate::error::EncodingError;

const MAGIC: u8 = 0xB5;
const LAYOUT: u8 = 1;
const HEADER: usize = 8;

/// A stored value and the version of its format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// The version that its owner gave it.
    pub version: u16,
    /// The value, without header.
    pub value: Vec<u8>,
}

impl Record {
    /// Decode what [`put_record`](crate::Batch::put_record) encoded.
    ///
    /// # Errors
    ///
    /// When the bytes are not a `T`: the caller expects another version, or has a bug. Such a
    /// record can be put aside with [`Store::quarantine`](crate::Store::quarantine).
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, EncodingError> {
        postcard::from_bytes(&self.value).map_err(|error| EncodingError(error.to_string()))
    }
}

/// Put the header before a value. `key` includes the byte of the tree.
pub(crate) fn seal(key: &[u8], version: u16, value: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(HEADER + value.len());
    raw.extend_from_slice(&[MAGIC, LAYOUT]);
    raw.extend_from_slice(&version.to_le_bytes());
    raw.extend_from_slice(&checksum(key, version, value).to_le_bytes());
    raw.extend_from_slice(value);
    raw
}

/// Check the header and take it off.
pub(crate) fn unseal(key: &[u8], raw: &[u8]) -> Result<Record, &'static str> {
    let Some((header, value)) = raw.split_first_chunk::<HEADER>() else {
        return Err("it is shorter than a header");
    };
    let [
        magic,
        layout,
        version_low,
        version_high,
        checksum_bytes @ ..,
    ] = *header;
    if magic != MAGIC || layout != LAYOUT {
        return Err("it does not start with a header");
    }
    let version = u16::from_le_bytes([version_low, version_high]);
    if checksum(key, version, value) != u32::from_le_bytes(checksum_bytes) {
        return Err("its checksum is wrong");
    }
    Ok(Record {
        version,
        value: value.to_vec(),
    })
}

fn checksum(key: &[u8], version: u16, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    // The length keeps the border between key and value in place.
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(&version.to_le_bytes());
    hasher.update(value);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = seal(b"key", 7, b"value");
        assert_eq!(
            unseal(b"key", &sealed),
            Ok(Record {
                version: 7,
                value: b"value".to_vec()
            })
        );
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"key", &flipped).is_err(), "bit {bit}");
        }
        assert!(
            unseal(b"kex", &sealed).is_err(),
            "a value belongs to its key"
        );
        for length in 0..sealed.len() {
            assert!(
                unseal(b"key", &sealed[..length]).is_err(),
                "cut to {length} bytes"
            );
        }
    }
}
