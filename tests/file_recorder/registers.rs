//! Where the system finds a call and its arguments, and leaves the result.

#![expect(
    unsafe_code,
    reason = "the registers are behind a pointer of the system"
)]

use std::ffi::{c_int, c_long, c_void};

use libc::{siginfo_t, ucontext_t};

/// A system call that was caught.
pub(crate) struct CaughtCall {
    pub(crate) number: c_long,
    pub(crate) arguments: [c_long; 5],
}

pub(crate) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

#[cfg(target_arch = "x86_64")]
pub(crate) const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub(crate) const ARCHITECTURE: u32 = 0xC000_00B7;

/// The call that the signal is about.
///
/// # Safety
///
/// `context` is what the handler of a signal got.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn caught_call(context: *mut c_void) -> CaughtCall {
    // SAFETY: the caller says that it is one.
    let registers = unsafe { &(*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    let register = |index: c_int| registers[usize::try_from(index).unwrap_or_default()];
    CaughtCall {
        number: register(libc::REG_RAX),
        arguments: [
            libc::REG_RDI,
            libc::REG_RSI,
            libc::REG_RDX,
            libc::REG_R10,
            libc::REG_R8,
        ]
        .map(register),
    }
}

/// Let the call that the signal is about end with this result.
///
/// # Safety
///
/// As for [`caught_call`].
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn set_result(context: *mut c_void, result: c_long) {
    // SAFETY: the caller says that it is one.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    registers[usize::try_from(libc::REG_RAX).unwrap_or_default()] = result;
}

/// The call that the signal is about.
///
/// # Safety
///
/// `context` is what the handler of a signal got.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn caught_call(context: *mut c_void) -> CaughtCall {
    // SAFETY: the caller says that it is one.
    let registers = unsafe { &(*context.cast::<ucontext_t>()).uc_mcontext.regs };
    CaughtCall {
        number: registers[8].cast_signed(),
        arguments: [0, 1, 2, 3, 4].map(|index: usize| registers[index].cast_signed()),
    }
}

/// Let the call that the signal is about end with this result.
///
/// # Safety
///
/// As for [`caught_call`].
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn set_result(context: *mut c_void, result: c_long) {
    // SAFETY: the caller says that it is one.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.regs };
    registers[0] = result.cast_unsigned();
}
