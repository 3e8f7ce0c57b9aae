//! The user's terminal: keys one by one, a screen of our own, and all as before in the end.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::screen::Screen;
use command::error::CliError;
use command::flux::Flux;

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// The screen and the cursor from before.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Size of a terminal that does not report its size.
const SIZE: (usize, usize) = (80, 24);

/// Signals that come as messages: the size has changed, or we are to end.
const SIGNALS: [Signal; 4] = [
    Signal::SIGWINCH,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGINT,
];

/// The terminal while it is ours.
pub struct Terminal {
    before: Termios,
    signals: SignalFd,
    shown: Option<Screen>,
    has_colours: bool,
}

impl Terminal {
    /// Checks that standard input and the type of the terminal are suitable.
    pub fn check(flux: &Flux) -> Result<(), CliError> {
        let input = flux.input.descriptor();
        if !input.is_some_and(isatty) {
            return Err(CliError::new("stdin is not a terminal"));
        }
        match flux.env.get("TERM") {
            None | Some("" | "dumb" | "unknown") => {
                let text = "terminal does not support required capabilities";
                Err(CliError::new(text))
            }
            Some(_) => Ok(()),
        }
    }

    /// Takes it over.
    pub fn take(has_colours: bool) -> Result<Terminal, CliError> {
        let set: SigSet = SIGNALS.into_iter().collect();
        set.thread_block().map_err(io::Error::from)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&set, flags).map_err(io::Error::from)?;
        let before = tcgetattr(rustix::stdio::stdin()).map_err(io::Error::from)?;
        let terminal = Terminal {
            before,
            signals,
            shown: None,
            has_colours,
        };
        let mut raw = terminal.before.clone();
        raw.make_raw();
        let set = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &raw);
        set.map_err(io::Error::from)?;
        print(ENTER)?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub fn size() -> (usize, usize) {
        let size = tcgetwinsize(rustix::stdio::stdout()).ok();
        let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        size.map_or(SIZE, |size| (size.ws_col.into(), size.ws_row.into()))
    }

    /// Shows this.
    pub fn show(&mut self, screen: Screen) -> Result<(), CliError> {
        print(&screen.changes(self.shown.as_ref(), self.has_colours))?;
        self.shown = Some(screen);
        Ok(())
    }

    /// Shows everything the next time, including parts that should be shown already.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// Descriptors that report keys and signals.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [rustix::stdio::stdin(), self.signals.as_fd()]
    }

    /// The bytes that were typed; none at the end of the terminal.
    pub fn read() -> Result<Vec<u8>, CliError> {
        let mut bytes = [0; 256];
        let n = rustix::io::read(rustix::stdio::stdin(), &mut bytes).map_err(io::Error::from)?;
        Ok(bytes[..n].to_vec())
    }

    /// The signal that ends us, if one came.
    pub fn ending(&self) -> Option<Signal> {
        let info = self.signals.read_signal().ok()??;
        let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
        (signal != Signal::SIGWINCH).then_some(signal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // If the terminal was closed there is nothing to restore.
        let _ = print(LEAVE);
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.before);
        let _ = SIGNALS.into_iter().collect::<SigSet>().thread_unblock();
    }
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
