//! The calls that were caught: done in the process's stead, noted, or made to fail.

#![expect(
    unsafe_code,
    reason = "the arguments of system calls are numbers and raw pointers"
)]

use std::ffi::{CStr, OsStr, c_char, c_int, c_long, c_void};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::MutexGuard;

use libc::{AT_FDCWD, siginfo_t};

use crate::filter::COOKIE;
use crate::operation::{FaultEffect, FaultKind, Operation};
use crate::record::{OpenFile, Shared, State};
use crate::registers::{caught_call, set_result};

type Arguments = [c_long; 5];

/// Do a call as it is, past the filter. The result is what the system gives: an error is the
/// negative error number.
///
/// # Safety
///
/// The arguments are good for the call.
pub(crate) unsafe fn perform(number: c_long, arguments: Arguments) -> c_long {
    let [first, second, third, fourth, fifth] = arguments;
    // SAFETY: the caller says so; a sixth argument is ignored by each of these calls.
    let result = unsafe { libc::syscall(number, first, second, third, fourth, fifth, COOKIE) };
    if result == -1 {
        -c_long::from(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or_default(),
        )
    } else {
        result
    }
}

/// The handler of the signal that the filter has sent. It comes in the middle of a system call and
/// nowhere else, so what a function may do this handler may do.
pub(crate) extern "C" fn on_caught_call(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the place of this thread's error number is always there.
    let errno = unsafe { &mut *libc::__errno_location() };
    let errno_before = *errno;
    // SAFETY: this is the handler of a signal, and the arguments are those of the call.
    unsafe {
        let call = caught_call(context);
        let result = answer(call.number, call.arguments);
        set_result(context, result);
    }
    *errno = errno_before;
}

/// Do a call, with everything that belongs to it.
///
/// # Safety
///
/// The arguments are good for the call.
unsafe fn answer(number: c_long, arguments: Arguments) -> c_long {
    let Some(shared) = Shared::get() else {
        // SAFETY: the caller says that the arguments are good.
        return unsafe { perform(number, arguments) };
    };
    let call = Caught {
        shared,
        number,
        arguments,
    };
    // SAFETY: the caller says that the arguments are good.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if let Some(result) = call.answer_of_old() {
            return result;
        }
        call.answer()
    }
}

struct Caught {
    shared: &'static Shared,
    number: c_long,
    arguments: Arguments,
}

/// What the signatures of system calls call `int`: the upper half of the register is anything.
#[expect(
    clippy::cast_possible_truncation,
    reason = "that is what the system does"
)]
fn int(argument: c_long) -> c_int {
    argument as c_int
}

fn pointer<T>(argument: c_long) -> *const T {
    std::ptr::with_exposed_provenance(usize::try_from(argument).unwrap_or_default())
}

fn error(number: c_int) -> c_long {
    -c_long::from(number)
}

/// All of these are called with the arguments of a call that the process made, which are good for
/// it, or the process has a bug that it would have without us.
impl Caught {
    #[cfg(target_arch = "x86_64")]
    unsafe fn answer_of_old(&self) -> Option<c_long> {
        let [first, second, third, ..] = self.arguments;
        let here = AT_FDCWD;
        // SAFETY: see above.
        Some(unsafe {
            match self.number {
                libc::SYS_open => self.open(here, first, int(second), third),
                libc::SYS_creat => self.open(
                    here,
                    first,
                    libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC,
                    second,
                ),
                libc::SYS_dup2 => self.duplicate(Some(int(second))),
                libc::SYS_rename => self.rename((here, first), (here, second), 0),
                libc::SYS_unlink => self.remove(here, first, 0),
                libc::SYS_rmdir => self.remove(here, first, libc::AT_REMOVEDIR),
                libc::SYS_mkdir => self.create_folder(here, first, second),
                libc::SYS_link | libc::SYS_symlink => self.unsupported("a link", &[(here, second)]),
                _ => return None,
            }
        })
    }

    unsafe fn answer(&self) -> c_long {
        let [first, second, third, fourth, fifth] = self.arguments;
        // SAFETY: see above.
        unsafe {
            match self.number {
                libc::SYS_openat => self.open(int(first), second, int(third), fourth),
                libc::SYS_close => self.close(),
                libc::SYS_dup | libc::SYS_fcntl => self.duplicate(None),
                libc::SYS_dup3 => self.duplicate(Some(int(second))),
                libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 | libc::SYS_preadv => {
                    self.read()
                }
                libc::SYS_write | libc::SYS_writev => self.write(None),
                libc::SYS_pwrite64 | libc::SYS_pwritev => self.write(Some(fourth)),
                libc::SYS_ftruncate | libc::SYS_fallocate => self.resize(),
                libc::SYS_renameat => self.rename((int(first), second), (int(third), fourth), 0),
                libc::SYS_renameat2 => {
                    self.rename((int(first), second), (int(third), fourth), int(fifth))
                }
                libc::SYS_unlinkat => self.remove(int(first), second, int(third)),
                libc::SYS_mkdirat => self.create_folder(int(first), second, third),
                libc::SYS_fsync | libc::SYS_fdatasync => self.sync(),
                libc::SYS_linkat => self.unsupported("linkat", &[(int(third), fourth)]),
                libc::SYS_symlinkat => self.unsupported("symlinkat", &[(int(second), third)]),
                libc::SYS_truncate => self.unsupported("truncate", &[(AT_FDCWD, first)]),
                libc::SYS_pwritev2 => self.unsupported_file("pwritev2", first),
                libc::SYS_mmap => self.unsupported_file("mmap", fifth),
                // There are other ways, which whoever calls these has to know.
                libc::SYS_openat2
                | libc::SYS_io_uring_setup
                | libc::SYS_copy_file_range
                | libc::SYS_close_range => error(libc::ENOSYS),
                libc::SYS_sendfile | libc::SYS_splice => error(libc::EINVAL),
                _ => {
                    let number = self.number;
                    self.note_unsupported(&format!("the call {number}"));
                    self.perform()
                }
            }
        }
    }

    unsafe fn perform(&self) -> c_long {
        // SAFETY: see above.
        unsafe { perform(self.number, self.arguments) }
    }

    /// The path in the recorded folder, if it leads there.
    unsafe fn inside(&self, folder: c_int, path: c_long) -> Option<String> {
        // SAFETY: see above.
        let path = unsafe { CStr::from_ptr(pointer::<c_char>(path)) };
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        if !self.shared.may_be_inside(path) {
            return None;
        }
        warm_up();
        if path.is_absolute() {
            return self.shared.inside(path);
        }
        let base = if folder == AT_FDCWD {
            PathBuf::from("/proc/self/cwd")
        } else {
            PathBuf::from(format!("/proc/self/fd/{folder}"))
        };
        self.shared.inside(&fs::read_link(base).ok()?.join(path))
    }

    /// The recorded file that the first argument is about, with the lock held from now on.
    fn file(&self) -> Option<(OpenFile, MutexGuard<'static, State>)> {
        let descriptor = int(self.arguments[0]);
        if !self.shared.lock().is_open(descriptor) {
            return None;
        }
        warm_up();
        let state = self.shared.lock();
        let file = state.open_file(descriptor)?;
        Some((file, state))
    }

    unsafe fn open(&self, folder: c_int, path: c_long, flags: c_int, mode: c_long) -> c_long {
        let arguments = [c_long::from(folder), path, c_long::from(flags), mode, 0];
        // SAFETY: see above.
        let (inside, open) = unsafe {
            (self.inside(folder, path), || {
                perform(libc::SYS_openat, arguments)
            })
        };
        let Some(inside) = inside else {
            return open();
        };
        let mut state = self.shared.lock();
        // SAFETY: see above.
        let existed = unsafe { libc::faccessat(folder, pointer(path), libc::F_OK, 0) == 0 };
        let creates = flags & libc::O_CREAT != 0 && !existed;
        let kind = if creates {
            FaultKind::Grow
        } else {
            FaultKind::Open
        };
        if let Some(FaultEffect::Error(number)) = state.fault(&[kind], &inside) {
            return error(number);
        }
        let result = open();
        let Ok(descriptor) = c_int::try_from(result) else {
            return result;
        };
        if descriptor >= 0 {
            if flags & (libc::O_DSYNC | libc::O_SYNC | libc::O_DIRECT) != 0
                || flags & libc::O_TMPFILE == libc::O_TMPFILE
            {
                let call = format!("open {inside} with flags {flags:#x}");
                state.note(&Operation::Unsupported { call });
            }
            let truncated = existed && flags & libc::O_TRUNC != 0;
            state.opened(descriptor, &inside, creates, truncated);
        }
        result
    }

    unsafe fn close(&self) -> c_long {
        let mut state = self.shared.lock();
        state.closed(int(self.arguments[0]));
        // SAFETY: see above.
        unsafe { self.perform() }
    }

    unsafe fn duplicate(&self, copy: Option<c_int>) -> c_long {
        let mut state = self.shared.lock();
        let file = state.open_file(int(self.arguments[0]));
        // SAFETY: see above.
        let result = unsafe { self.perform() };
        if let Ok(new) = c_int::try_from(result)
            && new >= 0
            && copy.is_none_or(|copy| copy != int(self.arguments[0]))
        {
            state.duplicated(file, new);
        }
        result
    }

    unsafe fn read(&self) -> c_long {
        let fault = self
            .file()
            .and_then(|(file, mut state)| state.fault(&[FaultKind::Read], &file.path));
        let mut arguments = self.arguments;
        match fault {
            Some(FaultEffect::Error(number)) => return error(number),
            Some(FaultEffect::Short) if arguments[2] > 1 => arguments[2] /= 2,
            _ => {}
        }
        // SAFETY: see above; less is read than there is room for.
        unsafe { perform(self.number, arguments) }
    }

    unsafe fn write(&self, position: Option<c_long>) -> c_long {
        let Some((file, mut state)) = self.file() else {
            // SAFETY: see above.
            return unsafe { self.perform() };
        };
        let [descriptor, first, count, ..] = self.arguments;
        let in_pieces = matches!(self.number, libc::SYS_writev | libc::SYS_pwritev);
        // SAFETY: see above.
        let (mut data, offset, length) = unsafe {
            (
                bytes(first, count, in_pieces),
                position.or_else(|| place_of_write(int(descriptor))),
                length(int(descriptor)),
            )
        };
        let Some(offset) = offset.and_then(|offset| u64::try_from(offset).ok()) else {
            state.note(&Operation::Unsupported {
                call: format!("a write to {} at no place", file.path),
            });
            return error(libc::EIO);
        };
        let grows = offset + data.len() as u64 > length;
        let kinds = if grows {
            &[FaultKind::Grow, FaultKind::Write][..]
        } else {
            &[FaultKind::Write]
        };
        match state.fault(kinds, &file.path) {
            Some(FaultEffect::Error(number)) => return error(number),
            Some(FaultEffect::Short) if data.len() > 1 => data.truncate(data.len() / 2),
            _ => {}
        }
        let arguments = [
            descriptor,
            data.as_ptr().expose_provenance().cast_signed() as c_long,
            data.len().cast_signed() as c_long,
            offset.cast_signed(),
            0,
        ];
        let number = if position.is_some() {
            libc::SYS_pwrite64
        } else {
            libc::SYS_write
        };
        // SAFETY: the data is a copy of ours, and the rest is as it was.
        let written = unsafe { perform(number, arguments) };
        if let Ok(count) = usize::try_from(written) {
            data.truncate(count);
            state.note(&Operation::Write {
                handle: file.handle,
                offset,
                data,
            });
        }
        written
    }

    unsafe fn resize(&self) -> c_long {
        let Some((file, mut state)) = self.file() else {
            // SAFETY: see above.
            return unsafe { self.perform() };
        };
        let handle = file.handle;
        let [descriptor, second, offset, count, _] = self.arguments;
        // SAFETY: see above.
        let before = unsafe { length(int(descriptor)) };
        let (end, operation) = if self.number == libc::SYS_ftruncate {
            let length = second.cast_unsigned();
            (length, Some(Operation::Resize { handle, length }))
        } else {
            let end = (offset + count).cast_unsigned();
            let operation = match int(second) {
                0 => Some(Operation::Allocate { handle, end }),
                // Only where the bytes lie is changed.
                libc::FALLOC_FL_KEEP_SIZE => None,
                mode => Some(Operation::Unsupported {
                    call: format!("fallocate of {} with mode {mode:#x}", file.path),
                }),
            };
            (end, operation)
        };
        if end > before
            && let Some(FaultEffect::Error(number)) = state.fault(&[FaultKind::Grow], &file.path)
        {
            return error(number);
        }
        // SAFETY: see above.
        let result = unsafe { self.perform() };
        if result == 0
            && let Some(operation) = operation
        {
            state.note(&operation);
        }
        result
    }

    unsafe fn rename(&self, from: (c_int, c_long), to: (c_int, c_long), flags: c_int) -> c_long {
        // SAFETY: see above.
        let (from, to) = unsafe { (self.inside(from.0, from.1), self.inside(to.0, to.1)) };
        let operation = match (from, to) {
            (None, None) => {
                // SAFETY: see above.
                return unsafe { self.perform() };
            }
            (Some(from), Some(to)) if flags == 0 => Operation::Rename { from, to },
            (from, to) => Operation::Unsupported {
                call: format!("rename {from:?} to {to:?} with flags {flags:#x}"),
            },
        };
        // SAFETY: see above.
        unsafe { self.rearrange(&operation, || self.perform()) }
    }

    unsafe fn remove(&self, folder: c_int, path: c_long, flags: c_int) -> c_long {
        // SAFETY: see above.
        match unsafe { self.inside(folder, path) } {
            // SAFETY: see above.
            None => unsafe { self.perform() },
            Some(path) if flags & libc::AT_REMOVEDIR != 0 => unsafe {
                // SAFETY: see above.
                self.rearrange(&Operation::RemoveFolder { path }, || self.perform())
            },
            // SAFETY: see above.
            Some(path) => unsafe { self.rearrange(&Operation::Remove { path }, || self.perform()) },
        }
    }

    unsafe fn create_folder(&self, folder: c_int, path: c_long, _mode: c_long) -> c_long {
        // SAFETY: see above.
        match unsafe { self.inside(folder, path) } {
            // SAFETY: see above.
            None => unsafe { self.perform() },
            // SAFETY: see above.
            Some(path) => unsafe {
                self.rearrange(&Operation::CreateFolder { path }, || self.perform())
            },
        }
    }

    fn rearrange(&self, operation: &Operation, perform: impl FnOnce() -> c_long) -> c_long {
        let path = match operation {
            Operation::Rename { to, .. } => to,
            Operation::Remove { path }
            | Operation::RemoveFolder { path }
            | Operation::CreateFolder { path } => path,
            _ => "",
        };
        let mut state = self.shared.lock();
        if let Some(FaultEffect::Error(number)) = state.fault(&[FaultKind::Rearrange], path) {
            return error(number);
        }
        let result = perform();
        if result == 0 {
            state.note(operation);
        }
        result
    }

    unsafe fn sync(&self) -> c_long {
        let Some((file, mut state)) = self.file() else {
            // SAFETY: see above.
            return unsafe { self.perform() };
        };
        let sync = state.sync_started(file.handle);
        if let Some(FaultEffect::Error(number)) = state.fault(&[FaultKind::Sync], &file.path) {
            state.note(&Operation::SyncFailed { sync });
            return error(number);
        }
        // Others may go on meanwhile; what they write is not part of this sync.
        drop(state);
        // SAFETY: see above.
        let result = unsafe { self.perform() };
        self.shared.lock().note(&if result == 0 {
            Operation::SyncFinished { sync }
        } else {
            Operation::SyncFailed { sync }
        });
        result
    }

    fn note_unsupported(&self, call: &str) {
        let call = call.to_owned();
        self.shared.lock().note(&Operation::Unsupported { call });
    }

    /// A call that would change a path in a way that is not recorded.
    unsafe fn unsupported(&self, call: &str, paths: &[(c_int, c_long)]) -> c_long {
        for (folder, path) in paths {
            // SAFETY: see above.
            if let Some(path) = unsafe { self.inside(*folder, *path) } {
                self.note_unsupported(&format!("{call} of {path}"));
            }
        }
        // SAFETY: see above.
        unsafe { self.perform() }
    }

    /// A call that would change an open file in a way that is not recorded.
    unsafe fn unsupported_file(&self, call: &str, descriptor: c_long) -> c_long {
        let file = self.shared.lock().open_file(int(descriptor));
        match file {
            Some(file) => {
                self.note_unsupported(&format!("{call} of {}", file.path));
                error(libc::ENOTSUP)
            }
            // SAFETY: see above.
            None => unsafe { self.perform() },
        }
    }
}

/// Have this thread allocate memory before it holds the lock. The C library opens, reads and closes
/// a file of the system when a thread does so for the first time, which brings us here again. For the
/// same reason nothing is allocated before it is clear that a call is about a recorded file.
fn warm_up() {
    drop(std::hint::black_box(Box::new(0_u8)));
}

/// What a write is about to write.
unsafe fn bytes(first: c_long, count: c_long, in_pieces: bool) -> Vec<u8> {
    let count = usize::try_from(count).unwrap_or_default();
    if !in_pieces {
        // SAFETY: the arguments of a write are `count` bytes.
        return unsafe { slice::from_raw_parts(pointer::<u8>(first), count) }.to_vec();
    }
    // SAFETY: the arguments of a vectored write are `count` pieces.
    let pieces = unsafe { slice::from_raw_parts(pointer::<libc::iovec>(first), count) };
    let mut data = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.iov_len > 0) {
        // SAFETY: as the process says.
        data.extend_from_slice(unsafe {
            slice::from_raw_parts(piece.iov_base.cast::<u8>(), piece.iov_len)
        });
    }
    data
}

/// Where the next write goes that does not say where.
unsafe fn place_of_write(descriptor: c_int) -> Option<c_long> {
    // SAFETY: both only look at a file.
    unsafe {
        if libc::fcntl(descriptor, libc::F_GETFL) & libc::O_APPEND != 0 {
            return c_long::try_from(length(descriptor)).ok();
        }
        Some(libc::lseek(descriptor, 0, libc::SEEK_CUR)).filter(|place| *place >= 0)
    }
}

/// How long an open file is.
unsafe fn length(descriptor: c_int) -> u64 {
    let mut metadata = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for the answer.
    if unsafe { libc::fstat(descriptor, metadata.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: it has been answered.
    let length = unsafe { metadata.assume_init() }.st_size;
    u64::try_from(length).unwrap_or_default()
}
