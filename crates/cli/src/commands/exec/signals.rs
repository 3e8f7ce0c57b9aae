//! The user's keys while commands run: they arrive through a descriptor, between messages.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Within this time a second interrupt is one that the processes ignore.
const SECOND_KEY: Duration = Duration::from_secs(1);

/// Action requested by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalAction {
    /// Pass it on to all processes.
    Forward(i32),
    /// End without waiting for them.
    Leave,
}

/// SIGINT and SIGTERM of this process.
pub(super) struct Signals {
    descriptor: SignalFd,
    interrupted: Option<Instant>,
}

impl Signals {
    /// From now on the signals do nothing but arrive here. `None` if that is refused.
    pub fn take_over() -> Option<Signals> {
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
        set.thread_block().ok()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Some(Signals {
            descriptor: SignalFd::with_flags(&set, flags).ok()?,
            interrupted: None,
        })
    }

    /// Action requested by the next signal, if there is one.
    pub fn next(&mut self) -> Option<SignalAction> {
        let info = self.descriptor.read_signal().ok()??;
        let signum = i32::try_from(info.ssi_signo).ok()?;
        Some(action(&mut self.interrupted, signum, Instant::now()))
    }
}

fn action(interrupted: &mut Option<Instant>, signum: i32, now: Instant) -> SignalAction {
    if signum != Signal::SIGINT as i32 {
        return SignalAction::Forward(signum);
    }
    match interrupted.replace(now) {
        Some(first) if now.duration_since(first) <= SECOND_KEY => SignalAction::Leave,
        _ => SignalAction::Forward(signum),
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_interrupt_in_a_row_leaves() {
        let start = Instant::now();
        let mut interrupted = None;
        for (signum, ms, expect) in [
            (2, 0, SignalAction::Forward(2)),
            (2, 1500, SignalAction::Forward(2)),
            (15, 1600, SignalAction::Forward(15)),
            (2, 2400, SignalAction::Leave),
        ] {
            let now = start + Duration::from_millis(ms);
            assert_eq!(action(&mut interrupted, signum, now), expect, "at {ms} ms");
        }
    }
}
