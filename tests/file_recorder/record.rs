//! What is known about the files that are open, the log, and the faults.

#![expect(
    unsafe_code,
    reason = "the log is written with calls that carry the cookie, and a fault may be a kill"
)]

use std::collections::HashMap;
use std::ffi::{c_int, c_long};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::operation::{Fault, FaultEffect, FaultKind, Operation, encode};
use crate::{calls, filter};

/// The recorder of this process.
static RECORDER: OnceLock<Shared> = OnceLock::new();

pub(crate) struct Shared {
    /// Absolute, without symbolic links.
    folder: PathBuf,
    state: Mutex<State>,
}

/// Held while a change is made and noted, so that the order of the log is the order of the changes.
pub(crate) struct State {
    log: c_int,
    open: HashMap<c_int, OpenFile>,
    next_handle: u64,
    next_sync: u64,
    faults: Vec<Fault>,
    injected: u64,
}

/// What a file descriptor is for.
#[derive(Clone)]
pub(crate) struct OpenFile {
    pub(crate) handle: u64,
    pub(crate) path: String,
}

impl Shared {
    /// The recorder of this process, which has been started.
    pub(crate) fn get() -> Option<&'static Self> {
        RECORDER.get()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is worth a closer look whether a path leads into the folder.
    pub(crate) fn may_be_inside(&self, path: &Path) -> bool {
        path.is_relative()
            || path.starts_with(&self.folder)
            || path.components().any(|part| part == Component::ParentDir)
    }

    /// The path in the folder, if it leads there.
    pub(crate) fn inside(&self, path: &Path) -> Option<String> {
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    plain.pop();
                }
                component => plain.push(component),
            }
        }
        let inside = plain.strip_prefix(&self.folder).ok()?;
        Some(inside.to_string_lossy().into_owned())
    }
}

impl State {
    pub(crate) fn note(&mut self, operation: &Operation) {
        let encoded = encode(operation);
        let mut rest = &encoded[..];
        while !rest.is_empty() {
            let arguments = [
                c_long::from(self.log),
                rest.as_ptr().expose_provenance().cast_signed() as c_long,
                rest.len().cast_signed() as c_long,
                0,
                0,
            ];
            // SAFETY: the arguments are a file of ours and the bytes of `rest`.
            let written = unsafe { calls::perform(libc::SYS_write, arguments) };
            let Ok(written) = usize::try_from(written) else {
                // A log with a hole in it would be believed.
                std::process::abort();
            };
            rest = rest.get(written..).unwrap_or_default();
        }
    }

    pub(crate) fn is_open(&self, descriptor: c_int) -> bool {
        self.open.contains_key(&descriptor)
    }

    pub(crate) fn open_file(&self, descriptor: c_int) -> Option<OpenFile> {
        self.open.get(&descriptor).cloned()
    }

    pub(crate) fn opened(&mut self, descriptor: c_int, path: &str, created: bool, truncated: bool) {
        let handle = self.next_handle;
        self.next_handle += 1;
        let path = path.to_owned();
        self.open.insert(
            descriptor,
            OpenFile {
                handle,
                path: path.clone(),
            },
        );
        self.note(&Operation::Open {
            handle,
            path,
            created,
            truncated,
        });
    }

    /// `copy` is from now on another name of `file`, or of nothing that is recorded.
    pub(crate) fn duplicated(&mut self, file: Option<OpenFile>, copy: c_int) {
        self.open.remove(&copy);
        if let Some(file) = file {
            self.open.insert(copy, file);
        }
    }

    pub(crate) fn closed(&mut self, descriptor: c_int) {
        self.open.remove(&descriptor);
    }

    pub(crate) fn sync_started(&mut self, handle: u64) -> u64 {
        let sync = self.next_sync;
        self.next_sync += 1;
        self.note(&Operation::SyncStarted { sync, handle });
        sync
    }

    /// What is to become of a call.
    pub(crate) fn fault(&mut self, kinds: &[FaultKind], path: &str) -> Option<FaultEffect> {
        let fault = self.faults.iter_mut().find(|fault| {
            fault.times > 0
                && kinds.iter().any(|kind| fault.kinds.contains(kind))
                && path.contains(&fault.path)
        })?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        self.injected += 1;
        if fault.effect == FaultEffect::Kill {
            // SAFETY: this takes two numbers, and nobody is there to see what comes of it.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
        Some(fault.effect)
    }
}

/// The recorder of this process.
#[derive(Clone, Copy)]
pub struct Recorder(&'static Shared);

impl Recorder {
    /// Record what this thread and those that it starts from now on do to the files below `folder`,
    /// in a log file that is not among them. There is no way back.
    ///
    /// # Errors
    ///
    /// When the folder is not there, the log cannot be created, when the system does not allow it, or when this process
    /// records already.
    pub fn start(folder: &Path, log: &Path) -> io::Result<Self> {
        let folder = folder.canonicalize()?;
        let log: File = OpenOptions::new().create_new(true).append(true).open(log)?;
        let shared = Shared {
            folder,
            state: Mutex::new(State {
                log: log.as_raw_fd(),
                open: HashMap::new(),
                next_handle: 0,
                next_sync: 0,
                faults: Vec::new(),
                injected: 0,
            }),
        };
        if RECORDER.set(shared).is_err() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // It stays open as long as the process lives.
        let _ = log.into_raw_fd();
        filter::install(calls::on_caught_call)?;
        RECORDER
            .get()
            .map(Self)
            .ok_or(io::Error::from(io::ErrorKind::NotFound))
    }

    /// Put something into the log: it was said after everything that is before it there.
    pub fn mark(&self, text: &str) {
        self.0.lock().note(&Operation::Mark {
            text: text.to_owned(),
        });
    }

    /// From now on, make calls fail. Of several faults that fit a call the first counts.
    pub fn inject(&self, fault: Fault) {
        self.0.lock().faults.push(fault);
    }

    /// From now on, let every call succeed.
    pub fn heal(&self) {
        self.0.lock().faults.clear();
    }

    /// How many calls were made to fail.
    pub fn injected(&self) -> u64 {
        self.0.lock().injected
    }
}
