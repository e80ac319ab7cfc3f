//! How many commits were answered, written down beside the database.
//!
//! The database silently forgets its last records when some of its bytes flip. It also holds this
//! number, so that the two can be compared when the profile is opened. The file is written after
//! the commit it counts is durable, and never synced: it may be behind, but not ahead.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub(crate) struct SequenceFile {
    file: File,
    answered: u64,
}

impl SequenceFile {
    /// Open the file, and compare it with the number `stored` in the database. Returns how many
    /// answered commits the database does not know of.
    pub(crate) fn open(path: &Path, stored: u64) -> io::Result<(Self, u64)> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let written = decode(&content).unwrap_or(0);
        let answered = stored.max(written);
        Ok((Self { file, answered }, written.saturating_sub(stored)))
    }

    /// How many commits were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }

    /// Note that a commit is durable.
    pub(crate) fn set_answered(&mut self, sequence: u64) {
        self.answered = sequence;
        let written = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&encode(sequence)));
        if let Err(error) = written {
            // Losses may then go unnoticed, but nothing is lost by it.
            log::warn!("the sequence number could not be written: {error}");
        }
    }
}

fn encode(sequence: u64) -> [u8; 12] {
    let mut content = [0; 12];
    let (number, checksum) = content.split_at_mut(8);
    number.copy_from_slice(&sequence.to_le_bytes());
    checksum.copy_from_slice(&crc32fast::hash(number).to_le_bytes());
    content
}

fn decode(content: &[u8]) -> Option<u64> {
    let content: [u8; 12] = content.try_into().ok()?;
    let number = u64::from_le_bytes(*content.first_chunk()?);
    (encode(number) == content).then_some(number)
}
