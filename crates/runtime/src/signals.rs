//! Signals as input: blocked for every thread, read from a signalfd.

use std::os::fd::{AsFd, BorrowedFd};

use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The last signal there is.
const LAST: libc::c_int = 64;

/// Signals that the caller of a program may have it ignore on purpose, as nohup does and
/// a shell for background programs; and the one that Rust programs ignore.
const IGNORED_ON_PURPOSE: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGPIPE,
];

/// Signals of faults, which Rust catches to report an overflow of the stack. The first
/// that another process sends would have no effect.
const FAULTS: [Signal; 2] = [Signal::SIGSEGV, Signal::SIGBUS];

/// Gives signals that are ignored, and those of faults, their default effect again, all but
/// these. Only system calls.
pub fn reset_to_default(except: &[Signal]) {
    let is_in = |signals: &[Signal], number| signals.iter().any(|s| *s as libc::c_int == number);
    for number in 1..=LAST {
        if !is_in(except, number) && (is_in(&FAULTS, number) || is(number, libc::SIG_IGN)) {
            let default = Action::default();
            // SAFETY: it is a whole action. The only handlers are those of Rust for faults,
            // which nothing needs.
            unsafe { action(number, &raw const default, std::ptr::null_mut()) };
        }
    }
}

/// True if a signal has this effect.
fn is(number: libc::c_int, effect: libc::sighandler_t) -> bool {
    let mut found = Action::default();
    // SAFETY: nothing is changed, and what is there is written to where there is room.
    let is_known = unsafe { action(number, std::ptr::null(), &raw mut found) };
    is_known && found.effect == effect
}

/// The effect of a signal as the kernel has it: the default one, if all is 0.
#[repr(C)]
#[derive(Default)]
struct Action {
    effect: libc::sighandler_t,
    /// Flags, the way back from a handler, and the signals blocked meanwhile.
    rest: [u64; 3],
}

/// Asks the kernel itself: the C library hides two signals that it uses, and a program that
/// was linked with another one may leave them ignored.
///
/// # Safety
/// `old` must be null or have room; a handler in `new` must be one.
unsafe fn action(number: libc::c_int, new: *const Action, old: *mut Action) -> bool {
    const MASK_BYTES: usize = 8;
    // SAFETY: both are null or an action in the kernel's form, says the caller.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, number, new, old, MASK_BYTES) == 0 }
}

/// The signals a process takes as input.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// The signal that reports children. A process that takes it over is notified when a
    /// child stops.
    pub const CHILD: i32 = Signal::SIGCHLD as i32;

    /// Blocks `signals` for this thread and all it starts. A signal that the process was
    /// started to ignore would not arrive, nor the end of a child. Must come before the first
    /// ZeroMQ context and the first worker, whose threads would take them otherwise.
    ///
    /// A hangup that is ignored stays so, as below nohup: one that is blocked would arrive.
    pub fn take_over(signals: &[Signal]) -> std::io::Result<Signals> {
        reset_to_default(&IGNORED_ON_PURPOSE);
        let is_unwanted =
            |signal| signal == Signal::SIGHUP && is(signal as libc::c_int, libc::SIG_IGN);
        let taken = signals.iter().copied();
        let mask: SigSet = taken.filter(|signal| !is_unwanted(*signal)).collect();
        mask.thread_block()?;
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { fd })
    }

    /// The next signal that has arrived, by number. SIGPIPE is none: a write to a peer that
    /// has left fails, and returns an error itself.
    pub fn take(&mut self) -> Option<i32> {
        loop {
            let info = self.fd.read_signal().ok()??;
            let number = i32::try_from(info.ssi_signo).ok()?;
            if number != Signal::SIGPIPE as i32 {
                return Some(number);
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Write as _};
    use std::os::unix::net::UnixStream;

    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn a_fault_that_another_process_sends_is_not_caught() {
        Signals::take_over(&[Signal::SIGUSR2]).unwrap();
        for fault in FAULTS {
            assert!(is(fault as libc::c_int, libc::SIG_DFL), "{fault}");
        }
    }

    #[test]
    fn signals_that_the_c_library_hides_are_reset_too() {
        for hidden in [32, 33] {
            let ignore = Action {
                effect: libc::SIG_IGN,
                ..Action::default()
            };
            // SAFETY: it is a whole action.
            assert!(unsafe { action(hidden, &raw const ignore, std::ptr::null_mut()) });
            reset_to_default(&[]);
            assert!(is(hidden, libc::SIG_DFL), "{hidden}");
        }
    }

    #[test]
    fn a_hangup_that_is_ignored_is_not_taken() {
        let ignore = Action {
            effect: libc::SIG_IGN,
            ..Action::default()
        };
        let hangup = Signal::SIGHUP as libc::c_int;
        // SAFETY: it is a whole action.
        assert!(unsafe { action(hangup, &raw const ignore, std::ptr::null_mut()) });
        let mut signals = Signals::take_over(&[Signal::SIGHUP, Signal::SIGUSR1]).unwrap();
        raise(Signal::SIGHUP).unwrap();
        raise(Signal::SIGUSR1).unwrap();
        // The lower number would come first.
        assert_eq!(signals.take(), Some(Signal::SIGUSR1 as i32));
    }

    #[test]
    fn a_peer_that_has_left_is_no_signal() {
        let mut signals = Signals::take_over(&[Signal::SIGPIPE, Signal::SIGUSR1]).unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(ours.write_vectored(&[IoSlice::new(b"a")]).is_err());
        assert_eq!(signals.take(), None);
        raise(Signal::SIGUSR1).unwrap();
        assert_eq!(signals.take(), Some(Signal::SIGUSR1 as i32));
    }
}
