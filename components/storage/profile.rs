//! The folder of a profile: whether it is one, whose it is, and what lies about in it.
//!
//! | file | content |
//! |---|---|
//! | `profile` | that this is a profile, and its format version |
//! | `lock` | nothing; locked by the process that has the profile open |
//! | `journal` | what was committed last |
//! | `database/` | sled's: everything else |
//! | `set_aside/` | what could not be read, for whoever looks into what happened |
//!
//! In format 1 there was no journal, the files of sled (`conf`, `db`, `blobs/`, `snap.*`) were in
//! the folder itself, and `sequence` held the number of commits that were answered.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::header::{FRAMES, Header};

/// The format version that this crate writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;

const MARKER: &str = "profile";
const NEW_MARKER: &str = "profile.new";
const LOCK: &str = "lock";
const SET_ASIDE: &str = "set_aside";
/// Where sled's files are.
pub(crate) const DATABASE: &str = "database";
/// Only in format 1, so it also says that an upgrade is not finished.
const SEQUENCE: &str = "sequence";
const JOURNAL: &str = "journal";
const TITLE: &str = "Background Synchronization profile";

/// What was found, and the lock that makes the folder ours.
pub(crate) struct Folder {
    pub(crate) lock: Lock,
    pub(crate) marker: Marker,
    /// What format 1 said, when it is one that is being upgraded.
    pub(crate) format_1: Option<Format1>,
}

/// A profile from before there was a journal.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Format1 {
    /// How many commits were answered, if that can be read.
    pub(crate) answered: Option<u64>,
}

/// The folder is ours as long as this exists.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started from this one has
        // a copy of it for a moment, and the lock with it.
        if let Err(error) = self.0.unlock() {
            log::warn!("a profile could not be unlocked: {error}");
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Marker {
    /// There was none, because the folder was empty.
    Created,
    /// It is fine.
    Sound,
    /// It is missing or not readable; the store behind it has to say which format it is.
    Damaged,
}

/// Make the folder ours, or say why not.
pub(crate) fn prepare(folder: &Path) -> Result<Folder, OpenError> {
    let io_error = |error: io::Error| OpenError::from_io(folder, &error);
    match fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => {
            return Err(OpenError::NotAFolder(folder.to_path_buf()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folder(folder).map_err(io_error)?;
        }
        Err(error) => return Err(io_error(error)),
    }
    let has_marker = folder.join(MARKER).exists();
    if !has_marker && !has_journal(folder) && !is_unused(folder).map_err(io_error)? {
        return Err(OpenError::NotAProfile(folder.to_path_buf()));
    }
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(io_error)?;
    let lock = match lock.try_lock() {
        Ok(()) => Lock(lock),
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_path_buf())),
        Err(TryLockError::Error(error)) => return Err(io_error(error)),
    };
    let marker = check_marker(folder)?;
    let format_1 = upgrade(folder, marker)?;
    Ok(Folder {
        lock,
        marker,
        format_1,
    })
}

/// Give a profile of format 1 the layout of this one. The marker comes first, so that no former
/// version takes the folder for an empty profile; `sequence` goes last, with
/// [`finish_upgrade`], so until then whoever opens the profile goes on where this stopped.
fn upgrade(folder: &Path, marker: Marker) -> Result<Option<Format1>, OpenError> {
    let former = [SEQUENCE, "db"].map(|name| folder.join(name));
    if marker == Marker::Created || !former.iter().any(|path| path.exists()) {
        return Ok(None);
    }
    log::info!("the profile {} is upgraded", folder.display());
    if marker != Marker::Damaged {
        write_marker(folder)?;
    }
    let move_files = || {
        let database = folder.join(DATABASE);
        fs::create_dir_all(&database)?;
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let text = name.to_string_lossy();
            if matches!(&*text, "conf" | "db" | "blobs") || text.starts_with("snap.") {
                fs::rename(folder.join(&name), database.join(&name))?;
            }
        }
        // Nothing was committed to it before the upgrade is done.
        match fs::remove_file(folder.join(JOURNAL)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_folder(&database)?;
        sync_folder(folder)?;
        Ok(Format1 {
            answered: fs::read(folder.join(SEQUENCE))
                .ok()
                .and_then(|content| decode_sequence(&content)),
        })
    };
    move_files()
        .map(Some)
        .map_err(|error| OpenError::from_io(folder, &error))
}

/// The profile has a journal now.
pub(crate) fn finish_upgrade(folder: &Path) -> Result<(), OpenError> {
    let remove = || match fs::remove_file(folder.join(SEQUENCE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.and_then(|()| sync_folder(folder)),
    };
    remove().map_err(|error| OpenError::from_io(folder, &error))
}

/// The number in the file `sequence` of format 1, if its checksum is right.
fn decode_sequence(content: &[u8]) -> Option<u64> {
    let (number, checksum) = content.split_first_chunk::<8>()?;
    let sound = checksum == crc32fast::hash(number).to_le_bytes();
    sound.then(|| u64::from_le_bytes(*number))
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        // What sites stored is nobody else's business.
        builder.mode(0o700);
    }
    builder.create(folder)?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Whether there is nothing in the folder but what an interrupted creation leaves.
fn is_unused(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != LOCK && name != NEW_MARKER {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether there is a journal of ours: as good as a marker.
fn has_journal(folder: &Path) -> bool {
    let mut head = Vec::new();
    File::open(folder.join(JOURNAL))
        .and_then(|journal| journal.take(FRAMES as u64).read_to_end(&mut head))
        .is_ok_and(|_| Header::newest(&head).is_some())
}

fn check_marker(folder: &Path) -> Result<Marker, OpenError> {
    match fs::read_to_string(folder.join(MARKER)) {
        Ok(text) => match marker_format(&text) {
            Some(found) if found > FORMAT => Err(newer_format(folder, found)),
            Some(_) => Ok(Marker::Sound),
            None => Ok(Marker::Damaged),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && has_journal(folder) => {
            Ok(Marker::Damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_marker(folder)?;
            Ok(Marker::Created)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Marker::Damaged),
        Err(error) => Err(OpenError::from_io(folder, &error)),
    }
}

pub(crate) fn newer_format(folder: &Path, found: u32) -> OpenError {
    OpenError::NewerFormat {
        folder: folder.to_path_buf(),
        found,
        supported: FORMAT,
    }
}

/// Say that the folder is a profile of our format.
pub(crate) fn write_marker(folder: &Path) -> Result<(), OpenError> {
    let write = || {
        let new = folder.join(NEW_MARKER);
        let mut file = File::create(&new)?;
        file.write_all(marker_text(FORMAT).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, folder.join(MARKER))?;
        sync_folder(folder)
    };
    write().map_err(|error| OpenError::from_io(folder, &error))
}

fn marker_text(format: u32) -> String {
    let text = format!("{TITLE}\nformat {format}\n");
    format!("{text}check {:08x}\n", crc32fast::hash(text.as_bytes()))
}

fn marker_format(text: &str) -> Option<u32> {
    let format = text.lines().nth(1)?.strip_prefix("format ")?.parse().ok()?;
    (text == marker_text(format)).then_some(format)
}

/// Remove snapshots that sled was writing when it was killed: it takes them for finished ones.
pub(crate) fn remove_unfinished_snapshots(folder: &Path) -> io::Result<usize> {
    let unfinished: Vec<PathBuf> = snapshots(folder)?
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "generating")
        })
        .collect();
    for path in &unfinished {
        log::info!("removing the unfinished snapshot {}", path.display());
        fs::remove_file(path)?;
    }
    Ok(unfinished.len())
}

/// Put sled's snapshots where it does not find them, so that it reads its log instead. Returns how
/// many there were.
pub(crate) fn set_snapshots_aside(profile: &Path, database: &Path) -> io::Result<usize> {
    let snapshots = snapshots(database)?;
    for path in &snapshots {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        fs::rename(path, place_aside(profile, &name)?)?;
    }
    sync_folder(database)?;
    Ok(snapshots.len())
}

/// A new name in the folder of what is set aside.
pub(crate) fn place_aside(profile: &Path, name: &str) -> io::Result<PathBuf> {
    let aside = profile.join(SET_ASIDE);
    fs::create_dir_all(&aside)?;
    let mut number = 1;
    loop {
        let path = aside.join(format!("{name}-{number}"));
        if !path.exists() {
            return Ok(path);
        }
        number += 1;
    }
}

fn snapshots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            snapshots.push(entry.path());
        }
    }
    Ok(snapshots)
}

/// Make durable which files are in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_with_any_flipped_bit_is_not_believed() {
        let text = marker_text(7);
        assert_eq!(marker_format(&text), Some(7));
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = String::from_utf8(flipped) {
                assert_eq!(marker_format(&flipped), None, "{flipped}");
            }
        }
    }
}
