//! Signals while a job is followed: the user's keys, and those that are passed on.
//!
//! They come through a descriptor, so that they are looked at between messages and no
//! handler interrupts anything. Only the process's own session has them: a test has none.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// Within this time the second key counts as one after the first.
const SECOND_KEY: Duration = Duration::from_secs(2);

/// Signals that are passed on to the job.
const FORWARDED: [Signal; 5] = [
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// Action requested by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalAction {
    /// The first ^C: print the effect of the next one.
    Warn,
    /// The second ^C: end the job.
    Cancel,
    /// ^C and ^Z: leave the job alone.
    Detach,
    /// ^Z: stop as other programs do.
    Stop,
    /// Pass this on.
    Forward(i32),
    /// The terminal has another size.
    Resize,
    /// Leave at once, and leave the job alone.
    Quit(i32),
}

/// Signals that matter to who holds the terminal.
const OF_TERMINALS: [Signal; 2] = [Signal::SIGWINCH, Signal::SIGQUIT];

/// Signals of the process, taken in through a descriptor.
pub struct Signals {
    descriptor: SignalFd,
    set: SigSet,
    keys: Keys,
}

/// Time at which the user last pressed ^C.
#[derive(Debug, Default)]
struct Keys {
    interrupted: Option<Instant>,
}

impl Signals {
    /// From now on these signals do nothing but arrive here. `None` if that is refused.
    pub fn take_over() -> Option<Signals> {
        let mut set: SigSet = FORWARDED.into_iter().collect();
        set.add(Signal::SIGINT);
        set.add(Signal::SIGTSTP);
        set.thread_block().ok()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Some(Signals {
            descriptor: SignalFd::with_flags(&set, flags).ok()?,
            set,
            keys: Keys::default(),
        })
    }

    /// The same for signals that matter to who holds the terminal.
    pub fn add_those_of_terminals(&mut self) {
        self.set.extend(OF_TERMINALS);
        // One that is refused has the effect that it had.
        if self.descriptor.set_mask(&self.set).is_ok() {
            let _ = self.set.thread_block();
        }
    }

    /// The next signal's meaning, if there is one.
    pub fn next(&mut self) -> Option<SignalAction> {
        let info = self.descriptor.read_signal().ok()??;
        let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
        Some(self.keys.action(signal, Instant::now()))
    }

    /// Stops the process until it is continued.
    pub fn stop(&self) {
        // Blocked, SIGTSTP would come back here; SIGSTOP does the same to us.
        let _ = kill(Pid::this(), Signal::SIGSTOP);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&self.set), None);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Signals that end the process, taken in through a descriptor: a terminal has to be left as it
/// was found.
#[derive(Debug)]
pub struct Interrupts(SignalFd);

/// Signals that end a process from a terminal.
const ENDING: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

impl Interrupts {
    /// From now on these signals do nothing but arrive here. `None` if that is refused.
    pub fn take_over() -> Option<Interrupts> {
        let set: SigSet = ENDING.into_iter().collect();
        set.thread_block().ok()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        SignalFd::with_flags(&set, flags).ok().map(Interrupts)
    }

    /// The signal that has come, if one has.
    pub fn next(&mut self) -> Option<u32> {
        let info = self.0.read_signal().ok()??;
        Some(info.ssi_signo)
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let set: SigSet = ENDING.into_iter().collect();
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None);
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Keys {
    fn action(&mut self, signal: Signal, now: Instant) -> SignalAction {
        let is_second = self
            .interrupted
            .is_some_and(|first| now.duration_since(first) <= SECOND_KEY);
        match (signal, is_second) {
            (Signal::SIGINT, false) => {
                self.interrupted = Some(now);
                SignalAction::Warn
            }
            (Signal::SIGINT, true) => SignalAction::Cancel,
            (Signal::SIGTSTP, true) => SignalAction::Detach,
            (Signal::SIGTSTP, false) => SignalAction::Stop,
            (Signal::SIGWINCH, _) => SignalAction::Resize,
            (Signal::SIGQUIT, _) => SignalAction::Quit(signal as i32),
            (other, _) => SignalAction::Forward(other as i32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_keys_in_a_row_mean_more_than_one() {
        let start = Instant::now();
        let check = |keys: &[(Signal, u64)], expect: SignalAction| {
            let mut state = Keys::default();
            let actions = keys.iter().map(|(signal, second)| {
                state.action(*signal, start + Duration::from_secs(*second))
            });
            assert_eq!(actions.last(), Some(expect), "{keys:?}");
        };
        let (int, stop) = (Signal::SIGINT, Signal::SIGTSTP);
        check(&[(int, 0)], SignalAction::Warn);
        check(&[(int, 0), (int, 1)], SignalAction::Cancel);
        check(&[(int, 0), (int, 3)], SignalAction::Warn);
        check(&[(int, 0), (stop, 1)], SignalAction::Detach);
        check(&[(stop, 0)], SignalAction::Stop);
        check(&[(Signal::SIGUSR1, 0)], SignalAction::Forward(10));
        check(&[(Signal::SIGWINCH, 0)], SignalAction::Resize);
        check(&[(Signal::SIGQUIT, 0)], SignalAction::Quit(3));
    }
}
