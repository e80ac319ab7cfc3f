//! The journal as a file in the folder of the profile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::device::JournalFile;
use crate::profile;

const NAME: &str = "journal";
/// Zeros are written so many at a time.
const ZEROS: usize = 64 << 10;
/// A journal that grows leaves this much room on the disk for the database.
const ROOM: u64 = 16 << 20;

pub(crate) struct FileJournal {
    folder: PathBuf,
    file: File,
    /// The length up to which there are blocks on the disk.
    length: u64,
}

impl FileJournal {
    /// Open the journal, creating an empty one when there is none.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(NAME);
        let created = !path.exists();
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        if created {
            profile::sync_folder(folder)?;
        }
        let length = file.metadata()?.len();
        Ok(Self {
            folder: folder.to_path_buf(),
            file,
            length,
        })
    }

    /// Whether the disk has room for so many bytes more, and some to spare when the journal could
    /// do without.
    fn check_room(&self, length: u64) -> io::Result<()> {
        let space = rustix::fs::statvfs(&self.folder)?;
        let room = space.f_bavail.saturating_mul(space.f_frsize);
        let spare = if self.length == 0 { 0 } else { ROOM };
        if room < (length - self.length).saturating_add(spare) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl JournalFile for FileJournal {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        if (&self.file).take(length).read_to_end(&mut bytes).is_ok() {
            return Ok(bytes);
        }
        // Some of it cannot be read.
        bytes.clear();
        bytes.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        let mut last = None;
        let mut read = 0;
        for (offset, sector) in (0..).step_by(512).zip(bytes.chunks_mut(512)) {
            match self.file.read_exact_at(sector, offset) {
                Ok(()) => read += 1,
                Err(error) => {
                    sector.fill(0);
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if read == 0 => Err(error),
            _ => Ok(bytes),
        }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        if length <= self.length {
            self.file.set_len(length)?;
            self.length = length;
            return Ok(());
        }
        self.check_room(length)?;
        // Zeros that are written now make later writes changes of data alone, which an `fdatasync`
        // is quickest with.
        self.file.seek(SeekFrom::Start(self.length))?;
        let zeros = vec![0; ZEROS];
        let mut left = usize::try_from(length - self.length).map_err(io::Error::other)?;
        while left > 0 {
            let some = left.min(ZEROS);
            if let Err(error) = self.file.write_all(&zeros[..some]) {
                // What could be written of it is of no use.
                self.file.set_len(self.length)?;
                return Err(error);
            }
            left -= some;
        }
        self.length = length;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn keep_copy(&mut self) -> io::Result<()> {
        let to = profile::place_aside(&self.folder, NAME)?;
        fs::copy(self.folder.join(NAME), to).map(|_| ())
    }
}
