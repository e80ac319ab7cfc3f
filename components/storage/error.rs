use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base::exception::ErrorClass;

use crate::device::DatabaseError;

/// Why a profile could not be opened. The profile is as it was before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OpenError {
    /// The path leads to something that is not a folder.
    NotAFolder(PathBuf),
    /// The folder holds something, but no profile.
    NotAProfile(PathBuf),
    /// The folder or a file in it cannot be written.
    ReadOnly(PathBuf),
    /// Another process, or another store of this process, has it open.
    InUse(PathBuf),
    /// The profile was written by a newer version of this software.
    NewerFormat {
        /// Where the profile is.
        folder: PathBuf,
        /// The format version of the profile.
        found: u32,
        /// The newest format version that can be opened.
        supported: u32,
    },
    /// There is not enough room on the disk.
    DiskFull(PathBuf),
    /// The files of the profile contradict one another so much that nothing can be read.
    Damaged {
        /// Where the profile is.
        folder: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The system refused for another reason.
    Io {
        /// Where the profile is.
        folder: PathBuf,
        /// What the system said.
        detail: String,
    },
}

impl OpenError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NotAFolder(_) | Self::NotAProfile(_) | Self::InUse(_) => {
                ErrorClass::EmbedderMisuse
            }
            Self::ReadOnly(_)
            | Self::NewerFormat { .. }
            | Self::DiskFull(_)
            | Self::Damaged { .. }
            | Self::Io { .. } => ErrorClass::Store,
        }
    }

    pub(crate) fn from_database(folder: &Path, error: DatabaseError) -> Self {
        let folder = folder.to_path_buf();
        match error {
            DatabaseError::Full => Self::DiskFull(folder),
            DatabaseError::InUse => Self::InUse(folder),
            DatabaseError::ReadOnly => Self::ReadOnly(folder),
            DatabaseError::Damaged(detail) => Self::Damaged { folder, detail },
            error => Self::Io {
                folder,
                detail: error.to_string(),
            },
        }
    }

    pub(crate) fn from_io(folder: &Path, error: &io::Error) -> Self {
        let folder = folder.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(folder),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly(folder)
            }
            io::ErrorKind::NotADirectory => Self::NotAFolder(folder),
            _ => Self::Io {
                folder,
                detail: error.to_string(),
            },
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFolder(path) => write!(
                formatter,
                "{} is not a folder; a profile needs a folder of its own",
                path.display()
            ),
            Self::NotAProfile(folder) => write!(
                formatter,
                "the folder {} is not empty and holds no profile; choose an empty or a new folder",
                folder.display()
            ),
            Self::ReadOnly(folder) => write!(
                formatter,
                "the profile folder {} cannot be written; check its permissions, and whether its \
                 file system is mounted read-only",
                folder.display()
            ),
            Self::InUse(folder) => write!(
                formatter,
                "the profile folder {} is in use by another engine; stop that one first, or \
                 choose another folder",
                folder.display()
            ),
            Self::NewerFormat {
                folder,
                found,
                supported,
            } => write!(
                formatter,
                "the profile in {} has format version {found}, written by a newer version of \
                 this software; this one reads up to format version {supported}, so use the \
                 newer one or choose another folder",
                folder.display()
            ),
            Self::DiskFull(folder) => write!(
                formatter,
                "the disk of the profile folder {} is full; free some space and try again",
                folder.display()
            ),
            Self::Damaged { folder, detail } => write!(
                formatter,
                "the profile in {} is damaged and cannot be read ({detail}); it was left as it \
                 is, restore a copy or choose another folder",
                folder.display()
            ),
            Self::Io { folder, detail } => write!(
                formatter,
                "the profile folder {} cannot be opened: {detail}",
                folder.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a batch is not durable. Readers do not see any of it; the next batch is tried afresh.
///
/// The one thing that is not known is what the disk holds: when the process ends before another
/// batch succeeded, the next start may find that the whole batch got there after all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommitError {
    /// There is not enough room on the disk.
    DiskFull(PathBuf),
    /// The system or the disk refused the write.
    Io(String),
    /// What is stored around these records cannot be read.
    Damaged(String),
    /// A relaxed batch changes more than the event log.
    NotRelaxed,
    /// The store was closed before the batch was taken.
    Closed,
}

impl CommitError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::DiskFull(_) | Self::Io(_) | Self::Damaged(_) => ErrorClass::Store,
            Self::NotRelaxed | Self::Closed => ErrorClass::EmbedderMisuse,
        }
    }

    pub(crate) fn from_io(folder: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull(folder.to_path_buf())
            }
            _ => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull(folder) => write!(
                formatter,
                "nothing could be stored, because the disk of {} is full",
                folder.display()
            ),
            Self::Io(detail) => write!(formatter, "nothing could be stored: {detail}"),
            Self::Damaged(detail) => {
                write!(
                    formatter,
                    "nothing could be stored, the profile is damaged: {detail}"
                )
            }
            Self::NotRelaxed => formatter.write_str(
                "nothing was stored: only a batch that changes nothing but the event log may be \
                 relaxed",
            ),
            Self::Closed => formatter.write_str("nothing could be stored, the store is closed"),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(detail) => Self::Io(detail),
            ReadError::Damaged(detail) => Self::Damaged(detail),
            ReadError::Closed => Self::Closed,
        }
    }
}

/// Why a record could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReadError {
    /// The system or the disk refused the read.
    Io(String),
    /// The part of the profile that holds the record cannot be read.
    Damaged(String),
    /// The store is closed.
    Closed,
}

impl ReadError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Io(_) | Self::Damaged(_) => ErrorClass::Store,
            Self::Closed => ErrorClass::EmbedderMisuse,
        }
    }
}

impl From<DatabaseError> for ReadError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Damaged(detail) => Self::Damaged(detail),
            error => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(detail) => write!(formatter, "the profile could not be read: {detail}"),
            Self::Damaged(detail) => {
                write!(formatter, "a part of the profile is damaged: {detail}")
            }
            Self::Closed => formatter.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for ReadError {}

/// A value could not be turned into bytes, or bytes not into a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncodingError(pub(crate) String);

impl EncodingError {
    /// Who is at fault.
    pub fn class(&self) -> ErrorClass {
        ErrorClass::Internal
    }
}

impl fmt::Display for EncodingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a record is not what its version says: {}",
            self.0
        )
    }
}

impl std::error::Error for EncodingError {}
