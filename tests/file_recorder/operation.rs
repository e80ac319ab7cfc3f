//! What a log holds, and which faults there are.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Something that happened to the folder. Paths are relative to it; the folder itself is the empty
/// path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Operation {
    /// A file or folder was opened. The other operations name it by its handle, which is never used
    /// again.
    Open {
        /// The handle.
        handle: u64,
        /// Where it is.
        path: String,
        /// It was not there before.
        created: bool,
        /// What it held was thrown away.
        truncated: bool,
    },
    /// Bytes were written.
    Write {
        /// To which file.
        handle: u64,
        /// Where they begin.
        offset: u64,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A file was cut or extended to a length.
    Resize {
        /// Which file.
        handle: u64,
        /// Its length now.
        length: u64,
    },
    /// Room was made in a file; where there was none it reads zero.
    Allocate {
        /// Which file.
        handle: u64,
        /// The file is at least this long now.
        end: u64,
    },
    /// A file or folder was given another name, in place of what had that name.
    Rename {
        /// From where.
        from: String,
        /// To where.
        to: String,
    },
    /// A file lost its name.
    Remove {
        /// Which.
        path: String,
    },
    /// A folder was created.
    CreateFolder {
        /// Which.
        path: String,
    },
    /// An empty folder was removed.
    RemoveFolder {
        /// Which.
        path: String,
    },
    /// The process asked for a file or folder to be made durable.
    SyncStarted {
        /// The number of this sync.
        sync: u64,
        /// Which file or folder.
        handle: u64,
    },
    /// What was in the file when this sync began is durable.
    SyncFinished {
        /// The number of the sync.
        sync: u64,
    },
    /// The sync failed. What was written before it may be lost even if a later one succeeds.
    SyncFailed {
        /// The number of the sync.
        sync: u64,
    },
    /// The process said something.
    Mark {
        /// What.
        text: String,
    },
    /// The process did something that the recorder cannot record.
    Unsupported {
        /// What.
        call: String,
    },
}

/// Which calls a fault is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// Opening a file that is there.
    Open,
    /// Reading.
    Read,
    /// Writing, wherever in the file.
    Write,
    /// Making a file longer or creating one, as a full disk forbids it.
    Grow,
    /// Syncs of files and folders.
    Sync,
    /// Renaming, removing, creating folders.
    Rearrange,
}

/// What becomes of the calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultEffect {
    /// They fail with this error number and do nothing.
    Error(i32),
    /// They read or write half of what they should.
    Short,
    /// The process is killed in their place.
    Kill,
}

/// Calls that are to fail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Which calls.
    pub kinds: Vec<FaultKind>,
    /// Only on files whose path in the folder contains this; of an open file, the path with which
    /// it was opened.
    pub path: String,
    /// How many of them succeed first.
    pub skip: u64,
    /// How many fail after that.
    pub times: u64,
    /// How they fail.
    pub effect: FaultEffect,
}

impl Fault {
    /// Every call of these kinds fails with an error number.
    pub fn every(kinds: &[FaultKind], error: i32) -> Self {
        Self {
            kinds: kinds.to_vec(),
            path: String::new(),
            skip: 0,
            times: u64::MAX,
            effect: FaultEffect::Error(error),
        }
    }

    /// The call of these kinds after `skip` others fails with an error number.
    pub fn once(kinds: &[FaultKind], skip: u64, error: i32) -> Self {
        Self {
            skip,
            times: 1,
            ..Self::every(kinds, error)
        }
    }

    /// The same, for files whose path in the folder contains `path`.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

/// Read a log. What a killed process wrote of its last operation is left out.
///
/// # Errors
///
/// When the file cannot be read, or is no log.
pub fn read_log(path: &Path) -> io::Result<Vec<Operation>> {
    let content = fs::read(path)?;
    let mut rest = &content[..];
    let mut operations = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let Some((operation, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize)
        else {
            break;
        };
        rest = after;
        operations.push(postcard::from_bytes(operation).map_err(io::Error::other)?);
    }
    Ok(operations)
}

/// An operation as it lies in a log.
#[cfg(target_os = "linux")]
pub(crate) fn encode(operation: &Operation) -> Vec<u8> {
    let encoded = postcard::to_stdvec(operation).expect("nothing in it can fail to be encoded");
    let length = u32::try_from(encoded.len()).expect("a system call writes less than 2 GiB");
    [&length.to_le_bytes()[..], &encoded].concat()
}
