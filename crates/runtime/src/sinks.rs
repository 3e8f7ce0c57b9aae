//! Where log lines of the broker go besides its ring: standard error, a file, syslog. None of
//! them is waited for, and none is a reason to stop: a line that cannot be written now is
//! dropped and counted, and the count is written with the next line that can be.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use node::Sink;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::limits::SINK_WRITE_BYTES;

/// Path of the syslog(3) socket.
const SYSLOG: &str = "/dev/log";

/// Open sinks.
#[derive(Debug, Default)]
pub struct Sinks {
    stderr: Outlet,
    /// The log file by its path; `None` if it cannot be opened.
    file: Option<(String, Option<File>)>,
    to_file: Outlet,
    /// Made when it is used first.
    syslog: Option<UnixDatagram>,
}

/// State of a sink that is written to.
#[derive(Debug, Default)]
struct Outlet {
    /// Lines since the last one that was written.
    n_dropped: u64,
}

impl Sinks {
    /// Writes a line, or drops it.
    pub fn write(&mut self, to: &Sink, line: &str) {
        match to {
            // A closed terminal is no reason to stop.
            Sink::Stderr => drop(self.stderr.put(rustix::stdio::stderr(), line)),
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
            self.file = Some((path.to_owned(), None));
            self.to_file = Outlet::default();
        }
        let Some((_, file)) = &mut self.file else {
            return;
        };
        if file.is_none() {
            match open_log(Path::new(path)) {
                Ok(opened) => *file = Some(opened),
                Err(error) => {
                    // One word for many lines.
                    if self.to_file.n_dropped == 0 && !is_unread(&error) {
                        self.stderr.complain(path, error);
                    }
                    self.to_file.n_dropped += 1;
                    return;
                }
            }
        }
        let before = self.to_file.n_dropped;
        let put = file
            .as_ref()
            .map(|file| self.to_file.put(file.as_fd(), line));
        match put {
            // Its reader has disconnected; another may come.
            Some(Err(Errno::PIPE)) => *file = None,
            Some(Err(errno)) if before == 0 && errno != Errno::AGAIN => {
                self.stderr.complain(path, io::Error::from(errno));
            }
            _ => {}
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

impl Outlet {
    /// Writes a line if that can be done now, and before it the number of those that were
    /// not written.
    fn put(&mut self, fd: BorrowedFd<'_>, line: &str) -> Result<(), Errno> {
        let put = match self.n_dropped {
            0 => put_now(fd, &format!("{line}\n")),
            n => put_now(fd, &format!("{n} log lines were dropped here\n{line}\n")),
        };
        match put {
            Ok(()) => self.n_dropped = 0,
            Err(_) => self.n_dropped += 1,
        }
        put
    }

    fn complain(&mut self, path: &str, error: impl std::fmt::Display) {
        let line = format!("log-filename: {path}: {error}");
        // There is no other place for it.
        let _ = self.put(rustix::stdio::stderr(), &line);
    }
}

/// Writes as much as can be without waiting: to a pipe that nobody reads, nothing. A line that
/// is longer than the capacity of a pipe may be cut.
fn put_now(fd: BorrowedFd<'_>, text: &str) -> Result<(), Errno> {
    for part in text.as_bytes().chunks(SINK_WRITE_BYTES) {
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default()))?;
        let ready = fds[0].revents();
        if ready.contains(PollFlags::ERR) {
            return Err(Errno::PIPE);
        }
        if !ready.contains(PollFlags::OUT) {
            return Err(Errno::AGAIN);
        }
        rustix::io::write(fd, part)?;
    }
    Ok(())
}

/// True if a log file is a named pipe that nobody reads at the moment.
pub fn is_unread(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

/// Opens a log file to append to it, and waits for nobody to read it.
pub fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
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
    use std::io::Read;

    use super::*;

    fn path(folder: &tempfile::TempDir, name: &str) -> String {
        folder.path().join(name).to_string_lossy().into_owned()
    }

    #[test]
    fn lines_are_appended_to_the_file_that_each_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| path(&folder, name);
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

    #[test]
    fn a_file_that_comes_later_has_what_was_lost_as_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let late = path(&folder, "late/log");
        let mut sinks = Sinks::default();
        for _ in 0..3 {
            sinks.write(&Sink::File(late.clone()), "lost");
        }
        std::fs::create_dir(path(&folder, "late")).unwrap();
        sinks.write(&Sink::File(late.clone()), "here");
        let text = std::fs::read_to_string(late).unwrap();
        assert_eq!(text, "3 log lines were dropped here\nhere\n");
    }

    #[test]
    fn a_disk_that_is_full_is_tried_again() {
        let mut sinks = Sinks::default();
        for _ in 0..3 {
            sinks.write(&Sink::File("/dev/full".to_owned()), "lost");
        }
        assert_eq!(sinks.to_file.n_dropped, 3);
    }

    #[test]
    fn a_named_pipe_that_nobody_reads_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = path(&folder, "fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        let mut sinks = Sinks::default();
        let sink = Sink::File(fifo.clone());
        sinks.write(&sink, "before there is a reader");
        let open = || {
            let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new()
                .read(true)
                .custom_flags(flags)
                .open(&fifo)
        };
        let mut reader = open().unwrap();
        // More than the pipe holds.
        for _ in 0..4096 {
            sinks.write(&sink, &"x".repeat(99));
        }
        assert!(sinks.to_file.n_dropped > 1000);
        let mut buf = vec![0; 1 << 20];
        let n = reader.read(&mut buf).unwrap();
        assert!(buf[..n].starts_with(b"1 log lines were dropped here\nxxx"));
        sinks.write(&sink, "again");
        assert_eq!(sinks.to_file.n_dropped, 0);
        drop(reader);
        sinks.write(&sink, "nobody");
        sinks.write(&sink, "nobody");
        let mut reader = open().unwrap();
        sinks.write(&sink, "another");
        let n = reader.read(&mut buf).unwrap();
        let text = String::from_utf8_lossy(&buf[..n]);
        assert!(
            text.ends_with("2 log lines were dropped here\nanother\n"),
            "{text}"
        );
    }
}
