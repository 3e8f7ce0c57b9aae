//! Our own terminal while its keys go elsewhere: raw, and as it was at every way out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use proto::terminus::WinSize;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal that passes on every key. Dropped, it is as it was: also when we panic.
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Makes a terminal raw; `None` if it is none, or was closed.
    pub fn enter(input: BorrowedFd<'_>) -> Option<Raw> {
        if !isatty(input) {
            return None;
        }
        let raw = Raw {
            terminal: input.try_clone_to_owned().ok()?,
            before: tcgetattr(input).ok()?,
        };
        raw.again();
        Some(raw)
    }

    /// The same after [`Raw::leave`].
    pub fn again(&self) {
        let mut modes = self.before.clone();
        modes.make_raw();
        // A closed terminal reports that when it is read.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &modes);
    }

    /// Makes it as it was.
    pub fn leave(&self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The size of a terminal; one that is none, or does not know, has a common one.
pub fn size_of(input: Option<BorrowedFd<'_>>) -> WinSize {
    let found = input.and_then(|fd| tcgetwinsize(fd.as_fd()).ok());
    let found = found.filter(|size| size.ws_row > 0 && size.ws_col > 0);
    found.map_or(WinSize { rows: 25, cols: 80 }, |size| WinSize {
        rows: size.ws_row.into(),
        cols: size.ws_col.into(),
    })
}
