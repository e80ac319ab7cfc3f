//! The folder of a profile: whether it is one, whose it is, and what lies about in it.
//!
//! | file | content |
//! |---|---|
//! | `profile` | that this is a profile, and its format version |
//! | `lock` | nothing; locked by the process that has the profile open |
//! | `sequence` | how many commits were answered, to notice when the store forgets some |
//! | `conf`, `db`, `blobs/`, `snap.*` | sled's |
//! | `set_aside/` | snapshots of sled that it could not read |

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// The format version that this crate writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

const MARKER: &str = "profile";
const NEW_MARKER: &str = "profile.new";
const LOCK: &str = "lock";
const SET_ASIDE: &str = "set_aside";
const TITLE: &str = "Background Synchronization profile";

/// What was found, and the lock that makes the folder ours.
pub(crate) struct Folder {
    pub(crate) lock: Lock,
    pub(crate) marker: Marker,
    pub(crate) unfinished_snapshots: usize,
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
    /// It is not readable; the store behind it has to say which format it is.
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
    if !folder.join(MARKER).exists() && !is_unused(folder).map_err(io_error)? {
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
    // Only now: whoever has the profile open may be writing a snapshot.
    let unfinished_snapshots = remove_unfinished_snapshots(folder).map_err(io_error)?;
    Ok(Folder {
        lock,
        marker,
        unfinished_snapshots,
    })
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

fn check_marker(folder: &Path) -> Result<Marker, OpenError> {
    match fs::read_to_string(folder.join(MARKER)) {
        Ok(text) => match marker_format(&text) {
            Some(found) if found > FORMAT => Err(newer_format(folder, found)),
            Some(_) => Ok(Marker::Sound),
            None => Ok(Marker::Damaged),
        },
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
fn remove_unfinished_snapshots(folder: &Path) -> io::Result<usize> {
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

/// Put sled's snapshots where it does not find them, so that it reads its log instead. Returns
/// from where to where.
pub(crate) fn set_snapshots_aside(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let aside = folder.join(SET_ASIDE);
    let mut moves = Vec::new();
    for path in snapshots(folder)? {
        let Some(name) = path.file_name() else {
            continue;
        };
        fs::create_dir_all(&aside)?;
        let to = aside.join(name);
        fs::rename(&path, &to)?;
        moves.push((path, to));
    }
    sync_folder(folder)?;
    Ok(moves)
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
