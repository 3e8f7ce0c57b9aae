//! A program that stands ready: it waits for requests and becomes a child for each, which is
//! then run as if it had been started for that.
//!
//! It has one thread and never more, for a fork takes along none but its own.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use nix::libc;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::stdio;

use super::message::{Report, Request};

/// The first word of a program that is to stand ready.
pub const SERVE: &str = "--serve";

/// The next word: room for the words of a child, which stand in its place for `ps` to see.
pub(super) const ROOM: &str = "                                ";

/// Stands ready until the process that started us has exited. In each child this runs the
/// program with the child's words.
///
/// # Errors
/// Returns the reason for which it cannot stand ready. Then children are started one by
/// one.
pub fn serve(run: impl Fn(Vec<String>) -> ExitCode) -> io::Result<ExitCode> {
    let tid = rustix::thread::get_clear_child_tid_address()?;
    let tid = tid.map_or(std::ptr::null_mut(), |tid| tid.as_ptr().cast());
    let words = Words::find();
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    while let Some((request, streams)) = Request::receive(stdio::stdin())? {
        // SAFETY: there is one thread, and `tid` is where the C library keeps its number.
        match unsafe { fork_for_parent(tid) } {
            Ok(None) => return Ok(become_child(&request, streams, null, &words, &run)),
            Ok(Some(_)) => {}
            Err(error) => {
                let errno = error
                    .raw_os_error()
                    .and_then(|errno| u32::try_from(errno).ok());
                let pid = Err(errno.unwrap_or(libc::EIO as u32));
                let report = Report {
                    child: request.child,
                    pid,
                };
                report.send(stdio::stdin())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As fork(2), for a child whose parent is ours. `None` is in the child.
///
/// # Safety
/// There must be no other thread, and `tid` must be where the C library keeps the number of
/// this one: the child's is written there, as fork(3) does.
unsafe fn fork_for_parent(tid: *mut libc::pid_t) -> io::Result<Option<i32>> {
    let flags =
        libc::CLONE_PARENT | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let flags = libc::c_ulong::try_from(flags).unwrap_or_default();
    let nothing: libc::c_ulong = 0;
    // SAFETY: no stack is given, so that the child goes on with a copy of ours, as after fork.
    // Where architectures differ in the order of the last two, one of them is not used.
    #[cfg(target_arch = "x86_64")]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, tid, nothing) };
    // SAFETY: as above.
    #[cfg(not(target_arch = "x86_64"))]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, nothing, nothing, nothing, tid) };
    match i32::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid @ 1..) => Ok(Some(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes the requested child of the copy, reports it, and runs it.
fn become_child(
    request: &Request,
    [stdout, stderr]: [OwnedFd; 2],
    null: OwnedFd,
    words: &Words,
    run: impl Fn(Vec<String>) -> ExitCode,
) -> ExitCode {
    match prepare(request, [stdout, stderr], null, words) {
        Ok(()) => run(request.argv.get(1..).unwrap_or_default().to_vec()),
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(
    request: &Request,
    [stdout, stderr]: [OwnedFd; 2],
    null: OwnedFd,
    words: &Words,
) -> io::Result<()> {
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)?;
    if request.new_group {
        rustix::process::setpgid(None, None)?;
    }
    for (name, value) in &request.env_add {
        // SAFETY: there is one thread.
        unsafe { std::env::set_var(name, value) };
    }
    words.write(request.argv.get(1..).unwrap_or_default());
    let pid = rustix::process::getpid();
    let report = Report {
        child: request.child,
        pid: Ok(Pid::as_raw(Some(pid))),
    };
    let said = report.send(stdio::stdin().as_fd());
    // From here on our parent cannot know of us by the socket: nobody else may.
    rustix::stdio::dup2_stdin(null)?;
    said
}

/// Where the kernel reads our words for others, behind the program's name.
struct Words {
    start: usize,
    bytes: usize,
}

impl Words {
    fn find() -> Words {
        let found = std::fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| {
                let (_, rest) = stat.rsplit_once(") ")?;
                let number = |n: usize| rest.split(' ').nth(n)?.parse::<usize>().ok();
                // Fields 48 and 49 of proc(5), counted from the third.
                Some((number(45)?, number(46)?))
            });
        let own: usize = std::env::args_os().skip(1).map(|word| word.len() + 1).sum();
        match found {
            Some((start, end)) if end.saturating_sub(start) > own => Words {
                start: end - own,
                bytes: own,
            },
            _ => Words { start: 0, bytes: 0 },
        }
    }

    /// Puts others in their place, as far as there is room.
    fn write(&self, words: &[String]) {
        if self.bytes == 0 {
            return;
        }
        let mut text: Vec<u8> = Vec::with_capacity(self.bytes);
        for word in words {
            text.extend_from_slice(word.as_bytes());
            text.push(0);
        }
        text.resize(self.bytes, 0);
        // The last byte ends the last word.
        text[self.bytes - 1] = 0;
        // SAFETY: these bytes are those of our words, which live as long as the process and
        // which nobody reads any more: the standard library has copied what it wants.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), self.start as *mut u8, self.bytes);
        }
    }
}
