//! Terminals of children: a pair, of which the child has one end as its three standard streams
//! and we the other.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use node::WinSize;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A pair that no child has yet.
pub(super) struct Terminal {
    /// Our end.
    pub ours: OwnedFd,
    /// The child's.
    pub theirs: OwnedFd,
}

impl Terminal {
    /// Makes a pair. Neither end becomes a terminal of ours.
    ///
    /// # Errors
    /// There is none left.
    pub fn open(size: WinSize) -> io::Result<Terminal> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        resize(&ours, size)?;
        Ok(Terminal { ours, theirs })
    }

    /// Our end once more, to write to.
    pub fn writer(&self) -> io::Result<File> {
        Ok(File::from(self.ours.try_clone()?))
    }
}

/// Gives a terminal another size. Its foreground is known by the kernel.
pub(super) fn resize(ours: impl std::os::fd::AsFd, size: WinSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.cols,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(ours, size)?)
}

/// Our handle of the child's end. As long as it is open, our end is not hung up: a child that
/// has closed its own may open it again, and earlier output stays to be read.
pub(super) struct Peer {
    theirs: Option<OwnedFd>,
    child_ended: bool,
    is_paused: bool,
}

impl Peer {
    pub fn new(theirs: OwnedFd) -> Peer {
        Peer {
            theirs: Some(theirs),
            child_ended: false,
            is_paused: false,
        }
    }

    /// The child has ended. Its remaining output is still read.
    pub fn end(&mut self) {
        self.child_ended = true;
        self.let_go();
    }

    /// Reading stops, or goes on.
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.is_drained() {
            self.theirs = None;
        }
    }

    /// True if the end is where there is nothing to read: a process that the child has left
    /// behind may hold the terminal open for ever.
    pub fn is_drained(&self) -> bool {
        self.child_ended && !self.is_paused
    }
}
