//! The two slots at the head of the journal, written in turn: which epoch it is.
//!
//! | bytes | content |
//! |---|---|
//! | 0..8 | magic, `BSJournl` |
//! | 8..12 | CRC-32 of everything after it |
//! | 12..16 | layout of the header, 2 |
//! | 16..24 | epoch |
//! | 24..32 | sequence number of the last commit before the epoch |
//! | 32..40 | salt |
//! | 40..48 | how long the file is at least |
//!
//! Layout 1 ends before the length.

/// How long a slot is. The second one follows the first; they share no sector and no page.
pub(crate) const SLOT: usize = 4096;
/// Where frames begin.
pub(crate) const FRAMES: usize = 2 * SLOT;

const MAGIC: [u8; 8] = *b"BSJournl";
const LAYOUT: u32 = 2;
const LENGTH: usize = 48;
const LENGTH_1: usize = 40;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) epoch: u64,
    /// The last commit that is durable in the database.
    pub(crate) base: u64,
    pub(crate) salt: u64,
    /// How long the file is at least. One that is shorter was cut.
    pub(crate) length: u64,
}

impl Header {
    /// Where this epoch is written down.
    pub(crate) fn offset(&self) -> u64 {
        (self.epoch % 2) * SLOT as u64
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&LAYOUT.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.base.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u32::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u64::from_le_bytes(*slot.get(at..)?.first_chunk()?));
        let length = match number(12)? {
            1 => LENGTH_1,
            LAYOUT => LENGTH,
            _ => return None,
        };
        let checked = slot.get(12..length)?;
        let sound = slot.starts_with(&MAGIC) && number(8)? == crc32fast::hash(checked);
        let header = Self {
            epoch: long(16)?,
            base: long(24)?,
            salt: long(32)?,
            length: if length == LENGTH { long(40)? } else { 0 },
        };
        sound.then_some(header)
    }

    /// The newer of the two that are at the head of a journal.
    pub(crate) fn newest(journal: &[u8]) -> Option<Self> {
        let slots = [journal, journal.get(SLOT..).unwrap_or_default()];
        slots
            .into_iter()
            .filter_map(Self::decode)
            .max_by_key(|header| header.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_slot_that_checks_out_counts() {
        let header = |epoch| Header {
            epoch,
            base: 10 * epoch,
            salt: 5,
            length: 32_768,
        };
        let mut journal = vec![0; FRAMES];
        assert_eq!(Header::newest(&journal), None);
        assert_eq!(Header::newest(&[]), None);
        for epoch in 1..5 {
            let offset = usize::try_from(header(epoch).offset()).unwrap();
            let bytes = header(epoch).encode();
            journal[offset..offset + bytes.len()].copy_from_slice(&bytes);
            assert_eq!(Header::newest(&journal), Some(header(epoch)));
        }
        for bit in 0..LENGTH * 8 {
            let mut flipped = journal.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::newest(&flipped), Some(header(3)), "bit {bit}");
        }
    }

    #[test]
    fn a_header_without_a_length_is_read() {
        let header = Header {
            epoch: 2,
            base: 7,
            salt: 5,
            length: 0,
        };
        let mut bytes = header.encode();
        bytes.truncate(LENGTH_1);
        bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes.resize(FRAMES, 0);
        assert_eq!(Header::newest(&bytes), Some(header));
    }
}
