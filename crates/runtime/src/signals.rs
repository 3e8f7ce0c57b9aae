//! Signals as input: blocked for every thread, read from a signalfd.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals a process takes as input.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `signals` for this thread and all it starts. Must come before the first
    /// ZeroMQ context and the first worker, whose threads would take them otherwise.
    pub fn take_over(signals: &[Signal]) -> std::io::Result<Signals> {
        let mask: SigSet = signals.iter().copied().collect();
        mask.thread_block()?;
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { fd })
    }

    /// The next signal that has arrived, by number.
    pub fn take(&mut self) -> Option<i32> {
        let info = self.fd.read_signal().ok()??;
        i32::try_from(info.ssi_signo).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
