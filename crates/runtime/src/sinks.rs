//! Where log lines of the broker go besides its ring: standard error, a file, syslog.
//! None of them is a reason to stop: what cannot be written is given up, with one word.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use node::Sink;

/// Where syslog(3) listens.
const SYSLOG: &str = "/dev/log";

/// What is open.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The log file by its path; `None` if it cannot be written.
    file: Option<(String, Option<File>)>,
    /// Made when it is used first.
    syslog: Option<UnixDatagram>,
}

impl Sinks {
    /// Writes a line.
    pub fn write(&mut self, to: &Sink, line: &str) {
        match to {
            // A terminal that is gone is no reason to stop.
            Sink::Stderr => drop(writeln!(io::stderr(), "{line}")),
            Sink::File(path) => self.write_file(path, line),
            // A datagram that finds no room is lost, as in syslog(3).
            Sink::Syslog => drop(
                self.syslog()
                    .and_then(|socket| socket.send(line.as_bytes())),
            ),
        }
    }

    fn write_file(&mut self, path: &str, line: &str) {
        if self.file.as_ref().is_none_or(|(open, _)| open != path) {
            let file = open_log(Path::new(path));
            let file = file.map_err(|error| eprintln!("log-filename: {path}: {error}"));
            self.file = Some((path.to_owned(), file.ok()));
        }
        let Some((_, file)) = &mut self.file else {
            return;
        };
        let written = file.as_mut().map(|file| writeln!(file, "{line}"));
        if let Some(Err(error)) = written {
            eprintln!("log-filename: {path}: {error}");
            *file = None;
        }
    }

    fn syslog(&mut self) -> io::Result<&UnixDatagram> {
        if self.syslog.is_none() {
            self.syslog = Some(connect_syslog()?);
        }
        self.syslog
            .as_ref()
            .ok_or(io::ErrorKind::NotConnected.into())
    }
}

/// Opens a log file to append to it.
pub fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// A socket whose datagrams syslog gets.
pub fn connect_syslog() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(SYSLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_to_the_file_that_each_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(path("a"), "old\n").unwrap();
        let mut sinks = Sinks::default();
        sinks.write(&Sink::File(path("a")), "one");
        sinks.write(&Sink::File(path("b")), "two");
        sinks.write(&Sink::File(path("nosuch/c")), "lost");
        sinks.write(&Sink::File(path("a")), "three");
        let read = |name| std::fs::read_to_string(path(name)).unwrap();
        assert_eq!(
            (read("a"), read("b")),
            ("old\none\nthree\n".into(), "two\n".into())
        );
    }
}
