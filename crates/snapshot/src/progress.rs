//! Progress of a long command: a line on the terminal that counts, and the status that
//! systemd shows.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use command::error::CliError;
use command::flux::Flux;

/// Least time between two counts on a terminal.
const SHOW_INTERVAL: Duration = Duration::from_millis(100);

/// Least time between two messages to systemd.
const NOTIFY_INTERVAL: Duration = Duration::from_secs(1);

/// Steps after which the clock is looked at again.
const STEPS_BETWEEN_LOOKS: u64 = 64;

/// Shows how far a command is.
pub struct Progress {
    shows_count: bool,
    is_moving: bool,
    /// True if a count is shown on the current line of the terminal.
    is_begun: bool,
    notify: Option<UnixDatagram>,
    shown_at: Instant,
    notified_at: Option<Instant>,
    n_steps: u64,
}

impl Progress {
    /// `shows_count`: counts go to standard error, while it is a terminal also on the
    /// way. `notifies`: they go to the socket in NOTIFY_SOCKET.
    pub fn new(flux: &Flux, shows_count: bool, notifies: bool) -> Progress {
        let socket = flux.env.get("NOTIFY_SOCKET").filter(|_| notifies);
        Progress {
            shows_count,
            is_moving: shows_count && flux.err_is_tty(),
            is_begun: false,
            notify: socket.and_then(connect),
            shown_at: Instant::now(),
            notified_at: None,
            n_steps: 0,
        }
    }

    /// Counts only while standard error is a terminal, and leaves nothing behind elsewhere.
    pub fn moving(flux: &Flux) -> Progress {
        Progress {
            shows_count: false,
            ..Progress::new(flux, true, false)
        }
    }

    /// Shows how far we are, whenever that was shown last.
    pub fn show(&mut self, flux: &mut Flux, text: impl Fn() -> String) -> Result<(), CliError> {
        if self.is_moving {
            self.is_begun = true;
            let line = format!("\r{}: {}", flux.program(), text());
            flux.err.write_all(line.as_bytes())?;
            flux.err.flush()?;
        }
        Ok(())
    }

    /// One more step is done; `text` is the progress.
    pub fn step(&mut self, flux: &mut Flux, text: impl Fn() -> String) -> Result<(), CliError> {
        self.n_steps += 1;
        if !self.n_steps.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            return Ok(());
        }
        let now = Instant::now();
        if self.is_moving && now - self.shown_at >= SHOW_INTERVAL {
            self.shown_at = now;
            self.show(flux, &text)?;
        }
        let is_due = |at: Instant| now - at >= NOTIFY_INTERVAL;
        if self.notify.is_some() && self.notified_at.is_none_or(is_due) {
            self.notified_at = Some(now);
            self.notify(flux, &text());
        }
        Ok(())
    }

    /// The end: the last count.
    pub fn finish(&mut self, flux: &mut Flux, text: &str) -> Result<(), CliError> {
        self.notify(flux, text);
        if self.shows_count {
            let start = if self.is_moving { "\r" } else { "" };
            let line = format!("{start}{}: {text}\n", flux.program());
            flux.err.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    /// Goes to a fresh line, for a message in between.
    pub fn clear(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        if std::mem::take(&mut self.is_begun) {
            writeln!(flux.err)?;
        }
        Ok(())
    }

    /// Nobody is to wait for a status, so a status that cannot be sent is dropped.
    fn notify(&self, flux: &Flux, text: &str) {
        if let Some(socket) = &self.notify {
            let status = format!("STATUS={}: {text}", flux.program().replacen('-', " ", 1));
            let _ = socket.send(status.as_bytes());
        }
    }
}

fn connect(path: &str) -> Option<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(path).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&address).ok()?;
    Some(socket)
}
