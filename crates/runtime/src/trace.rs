//! Children that are stopped as they become their program, for debuggers: the kernel stops a child
//! that is traced at exec, and we let it go with a SIGSTOP on its way.

use std::io;

use nix::libc;
use rustix::process::{Pid, WaitOptions, waitpid};

/// A child has itself traced. Only a system call.
pub fn begin() -> io::Result<()> {
    let null = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the request takes no argument.
    checked(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, null, null) })
}

/// Waits until such a child has become its program, and leaves it there, stopped. It must be the
/// thread that has started it.
///
/// # Errors
/// ECHILD if it has ended first; it is collected then.
pub fn leave_stopped(pid: Pid) -> io::Result<()> {
    loop {
        let status = match waitpid(Some(pid), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(status) => status.map(|(_, status)| status),
        };
        match status.and_then(|status| status.stopping_signal()) {
            None => return Err(io::Error::from_raw_os_error(libc::ECHILD)),
            Some(libc::SIGTRAP) => return resume(libc::PTRACE_DETACH, pid, libc::SIGSTOP),
            // It came before the program: what it does there it does untraced too.
            Some(signum) => resume(libc::PTRACE_CONT, pid, signum)?,
        }
    }
}

/// Resumes a stopped child by a signal, according to `request`.
fn resume(request: libc::c_uint, pid: Pid, signum: i32) -> io::Result<()> {
    let null = std::ptr::null_mut::<libc::c_void>();
    let signum = std::ptr::without_provenance_mut::<libc::c_void>(signum as usize);
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: no memory is touched, neither ours nor that of the child.
    checked(unsafe { libc::ptrace(request, pid, null, signum) })
}

fn checked(result: libc::c_long) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
