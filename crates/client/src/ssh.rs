//! Connections to brokers on other hosts: `ssh://[USER@]HOST[:PORT]/PATH` (protocol/02
//! section 8). A program, ssh(1) as a rule, runs `flux relay PATH` there, and its standard
//! streams are the connection.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::limits::{SSH_END_POLL, SSH_END_WAIT};

/// Settings of such connections from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// FLUX_SSH: the program that reaches other hosts.
    pub program: String,
    /// FLUX_SSH_RCMD: `flux` on other hosts.
    pub remote: Option<String>,
    /// LD_LIBRARY_PATH, which programs on other hosts are to have too.
    pub library_path: Option<String>,
}

impl Default for Ssh {
    fn default() -> Ssh {
        Ssh {
            program: "ssh".to_owned(),
            remote: None,
            library_path: None,
        }
    }
}

impl Ssh {
    /// Reads the variables through `get`.
    pub fn from_env<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Ssh {
        let set = |name| get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let default = Ssh::default();
        Ssh {
            program: set("FLUX_SSH").unwrap_or(default.program),
            remote: set("FLUX_SSH_RCMD"),
            library_path: set("LD_LIBRARY_PATH"),
        }
    }

    /// The command for `address`, the part after `ssh://`; `None` if it is no address.
    /// `bin` is the folder of our own `flux`.
    fn words(&self, address: &str, bin: Option<&Path>) -> Option<Vec<String>> {
        let at = address.find('/')?;
        let (host, path) = address.split_at(at);
        if host.is_empty() || path.len() < 2 || address.contains(['?', '#']) {
            return None;
        }
        let (host, port) = match host.rsplit_once(':') {
            None => (host, None),
            Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        };
        let mut words = Vec::new();
        if let Some(port) = port {
            words.extend(["-p".to_owned(), port.to_string()]);
        }
        words.push(host.to_owned());
        if self.remote.is_none() || self.library_path.is_some() {
            words.push("env".to_owned());
        }
        if self.remote.is_none() {
            let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
            let beside = folder.join("bin");
            let bins = [Some(beside.as_path()), bin].into_iter().flatten();
            let bins = bins.map(|bin| bin.display().to_string());
            let bins: Vec<String> = bins.chain(["/bin:/usr/bin".to_owned()]).collect();
            words.push(format!("PATH={}", bins.join(":")));
        }
        if let Some(path) = &self.library_path {
            words.push(format!("LD_LIBRARY_PATH={path}"));
        }
        words.push(self.remote.clone().unwrap_or_else(|| "flux".to_owned()));
        words.extend(["relay".to_owned(), path.to_owned()]);
        Some(words)
    }

    /// Starts the program.
    pub(crate) fn connect(&self, address: &str) -> io::Result<(UnixStream, Remote)> {
        let exe = std::env::current_exe().ok();
        let bin = exe.as_deref().and_then(Path::parent).map(PathBuf::from);
        let words = self.words(address, bin.as_deref());
        let words = words.ok_or(rustix::io::Errno::INVAL)?;
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&self.program)
            .args(words)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .spawn()?;
        Ok((ours, Remote(child)))
    }
}

/// The program behind a connection.
#[derive(Debug)]
pub(crate) struct Remote(Child);

impl Remote {
    /// Waits a little until it has ended, as it does when its input has; then ends it.
    pub(crate) fn end(&mut self) {
        let deadline = Instant::now() + SSH_END_WAIT;
        let mut delay = Duration::from_millis(1);
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(delay);
            delay = (delay * 2).min(SSH_END_POLL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ssh: &Ssh, address: &str, expect: Option<&str>) {
        let words = ssh.words(address, Some(Path::new("/opt/bin")));
        let words = words.map(|words| words.join(" "));
        assert_eq!(words.as_deref(), expect, "{address}");
    }

    #[test]
    fn the_words_are_those_of_the_other_implementation() {
        let ssh = Ssh::default();
        let flux = "env PATH=/run/x/bin:/opt/bin:/bin:/usr/bin flux relay /run/x/local-0";
        check(&ssh, "h/run/x/local-0", Some(&format!("h {flux}")));
        check(
            &ssh,
            "u@h:22/run/x/local-0",
            Some(&format!("-p 22 u@h {flux}")),
        );
        let mut ssh = Ssh {
            remote: Some("/my/flux".to_owned()),
            ..ssh
        };
        check(&ssh, "h/p", Some("h /my/flux relay /p"));
        ssh.library_path = Some("/lib".to_owned());
        check(
            &ssh,
            "h/p",
            Some("h env LD_LIBRARY_PATH=/lib /my/flux relay /p"),
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in ["", "h", "/p", "h/", "h:x/p", "h/p?x=1", "h/p#x"] {
            check(&Ssh::default(), address, None);
        }
    }
}
