//! The seccomp filter: which calls the system hands to us instead of doing them.

#![expect(
    unsafe_code,
    reason = "the system takes filters and handlers through raw pointers"
)]

use std::ffi::{c_long, c_ulong};
use std::io;
use std::mem;
use std::ptr;

use libc::{sock_filter, sock_fprog};

use crate::registers::{ARCHITECTURE, Handler};

/// The sixth argument of calls that the recorder itself makes. No call that is caught has one.
pub(crate) const COOKIE: u64 = 0x6C65_5FB4_92D1_3A77;

/// Calls that are caught whatever their arguments are.
pub(crate) const CAUGHT: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
    libc::SYS_fallocate,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_close_range,
    libc::SYS_io_uring_setup,
];

/// Calls that newer processors do not have.
#[cfg(target_arch = "x86_64")]
pub(crate) const CAUGHT_OF_OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const CAUGHT_OF_OLD: &[c_long] = &[];

/// Where `seccomp_data` has what the filter looks at.
const NUMBER_AT: usize = 0;
const ARCHITECTURE_AT: usize = 4;
const fn argument_at(index: usize) -> usize {
    16 + 8 * index
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "instructions of the filter are 16 bits, its numbers 32"
)]
mod instruction {
    use super::sock_filter;

    fn new(code: u32, true_jump: u8, false_jump: u8, value: u32) -> sock_filter {
        sock_filter {
            code: code as u16,
            jt: true_jump,
            jf: false_jump,
            k: value,
        }
    }

    pub(super) fn load(at: usize) -> sock_filter {
        new(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at as u32)
    }

    pub(super) fn and(mask: u32) -> sock_filter {
        new(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
    }

    pub(super) fn if_equal(value: u32, skip_when: u8, skip_otherwise: u8) -> sock_filter {
        let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        new(code, skip_when, skip_otherwise, value)
    }

    pub(super) fn answer(value: u32) -> sock_filter {
        new(libc::BPF_RET | libc::BPF_K, 0, 0, value)
    }

    pub(super) fn low(value: u64) -> u32 {
        value as u32
    }
}

fn program() -> Vec<sock_filter> {
    use instruction::{and, answer, if_equal, load, low};

    let allow = || answer(libc::SECCOMP_RET_ALLOW);
    let catch = || answer(libc::SECCOMP_RET_TRAP);
    let number = |number: c_long| low(number.cast_unsigned());
    let mut program = vec![
        load(ARCHITECTURE_AT),
        if_equal(ARCHITECTURE, 1, 0),
        allow(),
        load(argument_at(5)),
        if_equal(low(COOKIE), 0, 3),
        load(argument_at(5) + 4),
        if_equal(low(COOKIE >> 32), 0, 1),
        allow(),
        load(NUMBER_AT),
    ];
    for caught in CAUGHT.iter().chain(CAUGHT_OF_OLD) {
        program.extend([if_equal(number(*caught), 0, 1), catch()]);
    }
    // Writing to a file through shared memory cannot be recorded.
    let shared_or_not = 0x0F;
    let kept = shared_or_not | libc::MAP_ANONYMOUS;
    program.extend([
        if_equal(number(libc::SYS_mmap), 0, 8),
        load(argument_at(2)),
        and(libc::PROT_WRITE.cast_unsigned()),
        if_equal(0, 5, 0),
        load(argument_at(3)),
        and(kept.cast_unsigned()),
        if_equal(libc::MAP_SHARED.cast_unsigned(), 1, 0),
        if_equal(libc::MAP_SHARED_VALIDATE.cast_unsigned(), 0, 1),
        catch(),
    ]);
    // Only the two that duplicate a file.
    program.extend([
        load(NUMBER_AT),
        if_equal(number(libc::SYS_fcntl), 0, 4),
        load(argument_at(1)),
        if_equal(libc::F_DUPFD.cast_unsigned(), 1, 0),
        if_equal(libc::F_DUPFD_CLOEXEC.cast_unsigned(), 0, 1),
        catch(),
        allow(),
    ]);
    program
}

/// Have the calls of this thread, and of those that it will start, handed to `handler`.
pub(crate) fn install(handler: Handler) -> io::Result<()> {
    // SAFETY: all zeros is a `sigaction` without flags, mask and handler.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
    // SAFETY: `action` is one, and nobody else handles this signal.
    if unsafe { libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut program = program();
    let filter = sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    let (yes, no): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: these arguments are numbers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, no, no, no) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `filter` leads to `program`, which lives until after the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            no,
            &raw const filter,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
