//! The journal: what was committed since the last checkpoint, in a file that is written in place.
//!
//! Two header slots say which epoch it is. Then comes the frame that starts the epoch, with a
//! snapshot of records, and then one frame for each group of batches. Nothing is ever written
//! behind a frame that is not durable, so of the frames of an epoch only the last can be torn.

use std::collections::BTreeMap;
use std::io;

use crate::device::{JournalFile, Writes};
use crate::frame::{self, Frame, Kind, Title};
use crate::header::{FRAMES, Header};

/// A journal of less would go from checkpoint to checkpoint.
pub(crate) const SMALLEST: u64 = 32 << 10;
/// How long a journal is at first.
const FIRST: u64 = 512 << 10;

/// The records that an epoch starts with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Snapshot {
    /// For each tree whether all its records are in the snapshot.
    pub(crate) trees: BTreeMap<u8, bool>,
    pub(crate) records: Writes,
}

impl Snapshot {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut payload = vec![u8::try_from(self.trees.len()).unwrap_or(u8::MAX)];
        for (tree, complete) in &self.trees {
            payload.extend_from_slice(&[*tree, u8::from(*complete)]);
        }
        frame::encode_writes(&self.records, &mut payload);
        payload
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let (&count, rest) = payload.split_first()?;
        let (trees, records) = rest.split_at_checked(2 * usize::from(count))?;
        let (pairs, _) = trees.as_chunks::<2>();
        Some(Self {
            trees: pairs.iter().map(|pair| (pair[0], pair[1] == 1)).collect(),
            records: frame::decode_writes(records)?,
        })
    }
}

/// Batches that were written together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    /// The sequence number of the first.
    pub(crate) sequence: u64,
    pub(crate) commits: u32,
    pub(crate) writes: Writes,
}

/// What a journal holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contents {
    pub(crate) header: Header,
    /// Nothing when it never got there, or is damaged.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) groups: Vec<Group>,
    /// The last commit in it.
    pub(crate) sequence: u64,
    /// Commits that were durable once, and are damaged.
    pub(crate) lost_commits: u64,
    /// Whether some of it is not what was written.
    pub(crate) damaged: bool,
    /// Whether its end is missing: what was there is not known.
    pub(crate) cut: bool,
    /// Where the next frame goes.
    end: usize,
}

/// Understand what is in a journal; nothing when it is none.
///
/// A frame that does not check out, with none of the same epoch behind it, was being written when
/// the process or the machine stopped: it is ignored. When there are frames behind it, it was
/// durable and is damaged. Those frames are taken: each change is whole in itself, and what was
/// answered counts.
pub(crate) fn read(bytes: &[u8]) -> Option<Contents> {
    let behind = bytes.get(FRAMES..).unwrap_or_default();
    let start = frame::decode(behind).filter(|frame| frame.title.kind == Kind::Start);
    let written = Header::newest(bytes);
    // The frame of an epoch is written when its header is durable, so when it is ahead, the header
    // is damaged.
    let header = start
        .map(|start| Header {
            epoch: start.title.epoch,
            base: start.title.sequence,
            salt: start.title.salt,
            length: 0,
        })
        .filter(|header| written.is_none_or(|written| written.epoch < header.epoch))
        .or(written)?;
    let mut contents = Contents {
        header,
        snapshot: None,
        groups: Vec::new(),
        sequence: header.base,
        lost_commits: 0,
        damaged: written != Some(header),
        cut: (bytes.len() as u64) < header.length,
        end: FRAMES,
    };
    while let Some(next) = contents.frame_at_or_after(bytes) {
        contents.take(next);
    }
    Some(contents)
}

impl Contents {
    /// How many bytes of the file that is.
    pub(crate) fn used(&self) -> usize {
        self.end
    }

    fn belongs(&self, frame: &Frame<'_>) -> bool {
        let title = frame.title;
        title.epoch == self.header.epoch
            && title.salt == self.header.salt
            && match title.kind {
                Kind::Start => self.end == FRAMES && title.sequence == self.header.base,
                Kind::Commits => title.sequence > self.sequence && title.commits > 0,
            }
    }

    /// The next frame of the epoch, and where it is.
    fn frame_at_or_after<'a>(&self, bytes: &'a [u8]) -> Option<(usize, Frame<'a>)> {
        (self.end..bytes.len())
            .step_by(frame::ALIGNMENT)
            .filter(|at| frame::may_start(&bytes[*at..], self.header.salt))
            .find_map(|at| {
                let frame = frame::decode(&bytes[at..])?;
                self.belongs(&frame).then_some((at, frame))
            })
    }

    fn take(&mut self, (at, frame): (usize, Frame<'_>)) {
        self.damaged |= at != self.end;
        self.end = at + frame.length();
        let title = frame.title;
        if title.kind == Kind::Start {
            self.snapshot = Snapshot::decode(frame.payload);
            return;
        }
        self.lost_commits += title.sequence - self.sequence - 1;
        self.damaged |= title.sequence != self.sequence + 1;
        self.sequence = title.sequence.saturating_add(u64::from(title.commits) - 1);
        if let Some(writes) = frame::decode_writes(frame.payload) {
            self.groups.push(Group {
                sequence: title.sequence,
                commits: title.commits,
                writes,
            });
        } else {
            // Its checksum is right, so this is what was written, but not by us.
            self.lost_commits += u64::from(title.commits);
            self.damaged = true;
        }
    }
}

/// A journal that is being written.
pub(crate) struct Journal {
    file: Box<dyn JournalFile>,
    header: Header,
    /// Where the next frame goes.
    end: u64,
    /// The last commit in it.
    sequence: u64,
    length: u64,
    /// How long it is when nothing larger than usual is in it.
    usual: u64,
    capacity: u64,
    /// How often it was synced.
    syncs: u64,
}

impl Journal {
    /// Go on where `contents` ends.
    pub(crate) fn resume(
        file: Box<dyn JournalFile>,
        contents: &Contents,
        length: u64,
        capacity: u64,
    ) -> Self {
        Self {
            file,
            header: contents.header,
            end: contents.end as u64,
            sequence: contents.sequence,
            length,
            usual: length.clamp(SMALLEST, capacity.max(SMALLEST)),
            capacity: capacity.max(SMALLEST),
            syncs: 0,
        }
    }

    /// A journal of which nothing counts that is in it. The epoch after `epoch` has to be started.
    pub(crate) fn create(
        file: Box<dyn JournalFile>,
        epoch: u64,
        base: u64,
        salt: u64,
        capacity: u64,
    ) -> Self {
        let capacity = capacity.max(SMALLEST);
        let header = Header {
            epoch,
            base,
            salt,
            length: 0,
        };
        Self {
            file,
            header,
            end: FRAMES as u64,
            sequence: base,
            length: 0,
            usual: FIRST.min(capacity),
            capacity,
            syncs: 0,
        }
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    /// How long it may become, but for a frame that is longer alone.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many of its bytes are in use, of how many.
    pub(crate) fn fill(&self) -> (u64, u64) {
        (self.end, self.usual)
    }

    /// Whether a payload has room in this epoch. An eighth is kept for batches that only remove.
    pub(crate) fn has_room(&self, payload: usize, only_removes: bool) -> bool {
        let reserve = if only_removes { 0 } else { self.length / 8 };
        self.end + frame::length_of(payload) as u64 + reserve <= self.length
    }

    /// Write a group and make it durable. Makes the file longer when the group does not fit.
    ///
    /// After an error the group is not in the journal, unless the machine stops before the next
    /// one is: that one is written over it.
    pub(crate) fn append(&mut self, payload: &[u8], commits: u32) -> io::Result<()> {
        let title = Title {
            kind: Kind::Commits,
            epoch: self.header.epoch,
            sequence: self.sequence + 1,
            commits,
            salt: self.header.salt,
        };
        self.write(title, payload)?;
        self.sequence += u64::from(commits);
        Ok(())
    }

    /// Begin the next epoch: everything up to now is durable in the database.
    ///
    /// After an error nothing may be appended before an epoch was started: which one the file is
    /// in is not known.
    pub(crate) fn start_epoch(&mut self, snapshot: &Snapshot, full: bool) -> io::Result<()> {
        let mut payload = snapshot.encode();
        let wanted = if full { self.usual * 2 } else { self.usual };
        let wanted = wanted.max(4 * frame::length_of(payload.len()) as u64);
        let wanted = wanted.clamp(SMALLEST, self.capacity);
        if wanted > self.length {
            self.lengthen(wanted)?;
        }
        self.usual = wanted.min(self.length);
        if frame::length_of(payload.len()) as u64 > self.usual / 2 {
            // The disk is full, and room for commits comes first.
            payload = Snapshot::default().encode();
        }
        let header = Header {
            epoch: self.header.epoch + 1,
            base: self.sequence,
            salt: self.header.salt,
            length: self.usual,
        };
        self.write_header(header)?;
        if self.usual < self.length {
            match self.file.set_length(self.usual) {
                Ok(()) => self.length = self.usual,
                Err(error) => log::warn!("the journal stays as long as it is: {error}"),
            }
        }
        self.end = FRAMES as u64;
        let title = Title {
            kind: Kind::Start,
            epoch: header.epoch,
            sequence: header.base,
            commits: 0,
            salt: header.salt,
        };
        self.write(title, &payload)
    }

    /// Make the file longer between two epochs, if there is room.
    fn lengthen(&mut self, wanted: u64) -> io::Result<()> {
        match self.file.set_length(wanted) {
            Ok(()) => {
                self.length = wanted;
                // A header says how long the file is, so it has to be.
                self.sync()
            }
            // It is long enough as it is.
            Err(error) if self.length >= SMALLEST => {
                log::warn!("the journal stays as long as it is: {error}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Write a header and make it durable.
    fn write_header(&mut self, header: Header) -> io::Result<()> {
        self.file.write_at(header.offset(), &header.encode())?;
        self.sync()?;
        self.header = header;
        Ok(())
    }

    fn write(&mut self, title: Title, payload: &[u8]) -> io::Result<()> {
        let Some(frame) = frame::encode(title, payload) else {
            return Err(io::Error::other("it is longer than 4 GiB"));
        };
        let end = self.end + frame.len() as u64;
        if end > self.length {
            self.file.set_length(end)?;
            self.length = end;
            self.sync()?;
        }
        if end > self.header.length {
            // Before there is anything that could be cut off unnoticed.
            self.write_header(Header {
                length: self.length,
                ..self.header
            })?;
        }
        let written = self
            .file
            .write_at(self.end, &frame)
            .and_then(|()| self.sync());
        if written.is_err() {
            // It was refused, so it should not come back. If this fails as well it may, until
            // the next frame is written in its place.
            let _ = self.file.write_at(self.end, &[0; frame::HEADER]);
        } else {
            self.end = end;
        }
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        self.syncs += 1;
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Bytes(Arc<Mutex<Vec<u8>>>);

    impl JournalFile for Bytes {
        fn read(&mut self) -> io::Result<Vec<u8>> {
            Ok(self.0.lock().clone())
        }

        fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            let offset = usize::try_from(offset).map_err(io::Error::other)?;
            self.0.lock()[offset..offset + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }

        fn set_length(&mut self, length: u64) -> io::Result<()> {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            self.0.lock().resize(length, 0);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn writes(number: u8) -> Writes {
        // A value that looks like a part of a journal to whoever does not know the salt.
        let title = Title {
            kind: Kind::Commits,
            epoch: 2,
            sequence: 100,
            commits: 1,
            salt: 0,
        };
        let mut value = frame::encode(title, b"").unwrap();
        value.resize(200, number);
        Writes::from([(vec![number], Some(value)), (vec![200], Some(vec![number]))])
    }

    /// A journal in its second epoch, with a snapshot and eight groups.
    fn journal() -> Vec<u8> {
        let bytes = Bytes::default();
        let file = Box::new(bytes.clone());
        let mut journal = Journal::create(file, 0, 10, 77, SMALLEST);
        journal.start_epoch(&Snapshot::default(), false).unwrap();
        for epoch in 0..2 {
            for number in 0..8 {
                let mut payload = Vec::new();
                frame::encode_writes(&writes(8 * epoch + number), &mut payload);
                journal.append(&payload, 1 + u32::from(number % 2)).unwrap();
            }
            if epoch == 0 {
                let snapshot = Snapshot {
                    trees: BTreeMap::from([(1, true), (2, false)]),
                    records: writes(50),
                };
                journal.start_epoch(&snapshot, false).unwrap();
            }
        }
        drop(journal);
        Arc::into_inner(bytes.0).map(Mutex::into_inner).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let contents = read(&journal()).unwrap();
        assert_eq!((contents.header.epoch, contents.header.base), (2, 22));
        assert_eq!((contents.sequence, contents.lost_commits), (34, 0));
        assert!(!contents.damaged);
        let snapshot = contents.snapshot.unwrap();
        assert_eq!(snapshot.trees, BTreeMap::from([(1, true), (2, false)]));
        assert_eq!(snapshot.records, writes(50));
        let groups = contents.groups.into_iter().map(|group| group.writes);
        assert!(groups.eq((8..16).map(writes)));
    }

    #[test]
    fn of_a_journal_that_is_cut_off_the_frames_before_are_read() {
        let whole = journal();
        let all = read(&whole).unwrap().groups;
        for length in (FRAMES..whole.len()).step_by(3) {
            for image in [
                whole[..length].to_vec(),
                [&whole[..length], &vec![0; whole.len() - length]].concat(),
            ] {
                let contents = read(&image).unwrap();
                assert_eq!(contents.lost_commits, 0, "cut at {length}");
                assert_eq!(contents.groups, all[..contents.groups.len()]);
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_journal(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
            prop_assert_eq!(read(&bytes), None);
        }

        /// Whatever happens to some of its bytes: what is read was written, and what was
        /// written and is not read is counted, but for the last frames.
        #[test]
        fn a_damaged_journal_invents_nothing(
            damage in prop::collection::vec((0..20_000_usize, any::<u8>(), 1..600_usize), 1..5),
        ) {
            let mut bytes = journal();
            let all = read(&bytes).unwrap();
            for (at, byte, length) in damage {
                let end = (at + length).min(bytes.len());
                bytes[at.min(end)..end].fill(byte);
            }
            if let Some(contents) = read(&bytes).filter(|contents| contents.header.epoch == 2) {
                for group in &contents.groups {
                    prop_assert!(all.groups.contains(group));
                }
                let read: u64 = contents.groups.iter().map(|group| u64::from(group.commits)).sum();
                let last = contents.sequence - contents.header.base;
                prop_assert_eq!(read + contents.lost_commits, last);
                if let Some(snapshot) = contents.snapshot {
                    prop_assert_eq!(snapshot, all.snapshot.unwrap());
                }
            }
        }
    }
}
