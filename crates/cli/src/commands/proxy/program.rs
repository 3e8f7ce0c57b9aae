//! The command of a proxy, and the terminal that it may have changed.

use std::io::{IsTerminal, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::Duration;

use command::error::{CliError, io_text};
use command::flux::Flux;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::layout::Layout;

/// The shell of users who have none.
const SHELL_DEFAULT: &str = "/bin/sh";

/// A command that runs.
pub struct Program {
    child: Child,
    /// Ready when it has ended.
    ended: OwnedFd,
}

impl Program {
    /// Runs the words in the user's shell, or the shell alone; `uri` leads to us, and from
    /// there to `remote`.
    pub fn start(
        flux: &mut Flux,
        words: &[String],
        uri: &str,
        remote: &str,
    ) -> Result<Program, CliError> {
        let mut env = flux.env.clone();
        if let Ok(layout) = Layout::find() {
            layout.apply(&mut env);
        }
        env.set("FLUX_URI", uri);
        if let Some(host) = remote_host(remote) {
            env.set("FLUX_PROXY_REMOTE", host);
        }
        let shell = flux.env.get("SHELL").unwrap_or(SHELL_DEFAULT).to_owned();
        let mut command = Command::new(&shell);
        if !words.is_empty() {
            command.args(["-c", &words.join(" ")]);
        }
        flux.out.flush()?;
        let child = command.env_clear().envs(env.iter()).spawn();
        let child =
            child.map_err(|error| CliError::new(format!("{shell}: {}", io_text(&error))))?;
        let pid = Pid::from_child(&child);
        let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(std::io::Error::from)?;
        Ok(Program { child, ended })
    }

    /// Descriptor that is readable when it has ended.
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Waits for that for some time.
    pub fn ends_within(&self, time: Duration) -> Result<bool, CliError> {
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(n) => Ok(n > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// Lets it know that there is nobody to talk to any more.
    pub fn hang_up(&self) {
        let pid = Pid::from_child(&self.child);
        for signal in [Signal::HUP, Signal::CONT] {
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it has ended; its exit code.
    pub fn code(&mut self) -> Result<u8, CliError> {
        let status = self.child.wait()?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// `[USER@]HOST` of a URI that leads to another host.
fn remote_host(uri: &str) -> Option<&str> {
    let (host, _) = uri.strip_prefix("ssh://")?.split_once('/')?;
    Some(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// The terminal as it was.
pub struct Terminal(Option<Termios>);

impl Terminal {
    /// Current state.
    pub fn now() -> Terminal {
        let stdin = std::io::stdin();
        let modes = stdin.is_terminal().then(|| tcgetattr(&stdin).ok());
        Terminal(modes.flatten())
    }

    /// Makes it so again, after a program that could not.
    pub fn restore(&self) {
        let Some(modes) = &self.0 else {
            return;
        };
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, modes);
        let mut out = std::io::stdout();
        // Shows the cursor.
        let _ = out.write_all(b"\x1b[?25h\r\n").and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_told_without_its_port() {
        assert_eq!(remote_host("ssh://u@h:22/p"), Some("u@h"));
        assert_eq!(remote_host("ssh://h/p"), Some("h"));
        assert_eq!(remote_host("local:///p"), None);
    }
}
