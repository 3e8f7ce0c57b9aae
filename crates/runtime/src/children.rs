//! Child processes: started on request, watched through pidfds, their streams read
//! and written without blocking.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin};

use bytes::Bytes;
use node::{ChildEvent, ChildId, Spawn, Stdio, StdioFd};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use wire::Errno;

use crate::channel::Channel;
use crate::limits::{CHILD_BACKLOG_BYTES_MAX, CHILD_READ_BYTES};
use crate::poller::Poller;
use command::command;

mod command;

/// What a child's descriptor is, as the low bits of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildFd {
    /// Its pidfd: readable when it has ended.
    Exit,
    /// Its standard input.
    Stdin,
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// A socket pair, by its place in [`Spawn::socketpairs`].
    Channel(u8),
}

impl ChildFd {
    /// How many bits of a token it takes.
    pub const BITS: u32 = 5;

    /// As a number below `1 << BITS`.
    pub fn number(self) -> u64 {
        match self {
            ChildFd::Exit => 0,
            ChildFd::Stdin => 1,
            ChildFd::Stdout => 2,
            ChildFd::Stderr => 3,
            ChildFd::Channel(at) => 4 + u64::from(at),
        }
    }

    /// Back from [`ChildFd::number`].
    pub fn from_number(number: u64) -> ChildFd {
        match number {
            0 => ChildFd::Exit,
            1 => ChildFd::Stdin,
            2 => ChildFd::Stdout,
            3 => ChildFd::Stderr,
            at => ChildFd::Channel(u8::try_from(at - 4).unwrap_or(u8::MAX)),
        }
    }
}

struct Running {
    process: Child,
    pidfd: Option<OwnedFd>,
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    close_input: bool,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    leads_group: bool,
    tells_stops: bool,
    channels: Vec<Channel>,
}

trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

/// What a child writes to us.
struct Stream {
    source: Box<dyn Source>,
    /// Once the child has ended, how many of its bytes are yet to be read. It may have left
    /// a process behind that has the other end open: what that one writes is not the child's.
    left: Option<usize>,
}

impl Stream {
    /// Reads once; gives what came and whether it was the last, or `None` if nothing did.
    fn read(&mut self) -> Option<(Vec<u8>, bool)> {
        let most = self.left.unwrap_or(CHILD_READ_BYTES);
        let mut buf = vec![0; most.min(CHILD_READ_BYTES)];
        let n = match self.source.read(&mut buf) {
            Ok(n) => n,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return None;
            }
            Err(_) => 0,
        };
        buf.truncate(n);
        self.left = self.left.map(|left| left - n);
        Some((buf, n == 0 || self.left == Some(0)))
    }

    /// The child has ended; `true` if everything that it has written was read.
    fn child_ended(&mut self) -> bool {
        let left = unread(self.source.as_fd());
        self.left = Some(left);
        left == 0
    }
}

/// Bytes that can be read without waiting.
pub fn unread(fd: BorrowedFd<'_>) -> usize {
    let left = rustix::io::ioctl_fionread(fd).unwrap_or(0);
    usize::try_from(left).unwrap_or(usize::MAX)
}

/// The children of this process.
#[derive(Default)]
pub struct Children {
    /// Limit of descriptors that children get back, soft and hard.
    pub descriptors: Option<(u64, u64)>,
    running: BTreeMap<ChildId, Running>,
}

impl Children {
    /// Starts a child and says how that went.
    pub fn spawn(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> ChildEvent {
        match self.try_spawn(child, spawn, poller, token) {
            Ok(pid) => ChildEvent::Started { pid },
            Err(error) => {
                let errno = error
                    .raw_os_error()
                    .and_then(|errno| u32::try_from(errno).ok());
                ChildEvent::Failed {
                    errno: errno.map_or(Errno::EIO, Errno),
                }
            }
        }
    }

    fn try_spawn(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> std::io::Result<i32> {
        let channels = Channel::open(&spawn.socketpairs)?;
        let mut process = command(spawn, &channels, self.descriptors)?.spawn()?;
        let mut channels: Vec<Channel> = channels.into_iter().map(Channel::keep_ours).collect();
        for (at, channel) in channels.iter_mut().enumerate() {
            channel.watch(poller, token(child, ChildFd::Channel(at as u8)))?;
        }
        let pid = i32::try_from(process.id()).unwrap_or(0);
        let pidfd = rustix::process::Pid::from_raw(pid).and_then(|pid| {
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
        });
        if let Some(pidfd) = &pidfd {
            poller.add(pidfd, token(child, ChildFd::Exit))?;
        }
        let stdin = process.stdin.take();
        if let (Some(stdin), Stdio::Pipe) = (&stdin, spawn.stdin) {
            rustix::io::ioctl_fionbio(stdin, true)?;
            poller.add(stdin, token(child, ChildFd::Stdin))?;
            poller.set(stdin, token(child, ChildFd::Stdin), false, false)?;
        }
        let watch = |source: Box<dyn Source>, which| -> std::io::Result<Stream> {
            rustix::io::ioctl_fionbio(source.as_fd(), true)?;
            poller.add(source.as_fd(), token(child, which))?;
            Ok(Stream { source, left: None })
        };
        let stdout = match process.stdout.take() {
            Some(fd) => Some(watch(Box::new(fd), ChildFd::Stdout)?),
            None => None,
        };
        let stderr = match process.stderr.take() {
            Some(fd) => Some(watch(Box::new(fd), ChildFd::Stderr)?),
            None => None,
        };
        self.running.insert(
            child,
            Running {
                process,
                pidfd,
                stdin,
                input: Vec::new(),
                close_input: false,
                stdout,
                stderr,
                leads_group: spawn.new_group,
                tells_stops: spawn.tell_stops,
                channels,
            },
        );
        Ok(pid)
    }

    /// Queues input for a child, and says how much of it is out of our hands at once.
    pub fn input(
        &mut self,
        child: ChildId,
        data: &[u8],
        eof: bool,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> Option<ChildEvent> {
        let running = self.running.get_mut(&child)?;
        let is_dropped = running.stdin.is_none()
            || running.input.len().saturating_add(data.len()) > CHILD_BACKLOG_BYTES_MAX
            || running.input.try_reserve(data.len()).is_err();
        if is_dropped {
            let closed = running.stdin.is_none();
            let bytes = data.len();
            return Some(ChildEvent::InputTaken { bytes, closed });
        }
        running.input.extend_from_slice(data);
        running.close_input |= eof;
        self.write_input(child, false, poller, token)
    }

    /// Writes as much queued input as goes, and says how much that was. With `is_gone` there
    /// is nobody who could read it.
    pub fn write_input(
        &mut self,
        child: ChildId,
        is_gone: bool,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> Option<ChildEvent> {
        let running = self.running.get_mut(&child)?;
        let stdin = running.stdin.as_mut()?;
        let (mut written, mut broken) = (0, is_gone);
        while !broken && written < running.input.len() {
            match stdin.write(&running.input[written..]) {
                Ok(n) => written += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => broken = true,
            }
        }
        let taken = match broken {
            true => running.input.len(),
            false => written,
        };
        running.input.drain(..taken);
        let is_over = broken || (running.input.is_empty() && running.close_input);
        if is_over {
            poller.remove(&*stdin);
            running.stdin = None;
        } else {
            let more = !running.input.is_empty();
            let _ = poller.set(&*stdin, token(child, ChildFd::Stdin), false, more);
        }
        (taken > 0 || is_over).then_some(ChildEvent::InputTaken {
            bytes: taken,
            closed: is_over,
        })
    }

    /// Reads a stream of a child that is ready.
    pub fn read(&mut self, child: ChildId, which: ChildFd, poller: &Poller) -> Option<ChildEvent> {
        let running = self.running.get_mut(&child)?;
        let (slot, stream) = match which {
            ChildFd::Stdout => (&mut running.stdout, StdioFd::Stdout),
            ChildFd::Stderr => (&mut running.stderr, StdioFd::Stderr),
            ChildFd::Channel(at) => {
                let event = running.channels.get_mut(usize::from(at))?.read(poller);
                self.forget_if_done(child);
                return event;
            }
            ChildFd::Exit | ChildFd::Stdin => return None,
        };
        let source = slot.as_mut()?;
        let (data, eof) = source.read()?;
        if eof {
            poller.remove(source.source.as_fd());
            *slot = None;
        }
        self.forget_if_done(child);
        Some(ChildEvent::Output {
            stream,
            data: Bytes::from(data),
            eof,
        })
    }

    /// Writes to a channel of a child, and closes it after that if `eof`. Says how much is
    /// out of our hands at once.
    pub fn channel(
        &mut self,
        child: ChildId,
        name: &str,
        data: &[u8],
        eof: bool,
        poller: &Poller,
    ) -> Option<ChildEvent> {
        let channels = &mut self.running.get_mut(&child)?.channels;
        let channel = channels.iter_mut().find(|channel| channel.name == name)?;
        taken(channel, data, eof, poller)
    }

    /// Goes on with what a channel could not write at once.
    pub fn flush_channel(&mut self, child: ChildId, at: u8, poller: &Poller) -> Option<ChildEvent> {
        let channels = &mut self.running.get_mut(&child)?.channels;
        taken(channels.get_mut(usize::from(at))?, &[], false, poller)
    }

    /// Stops reading what a child writes, or goes on.
    pub fn flow(
        &mut self,
        child: ChildId,
        paused: bool,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) {
        let Some(running) = self.running.get_mut(&child) else {
            return;
        };
        let streams = [
            (&running.stdout, ChildFd::Stdout),
            (&running.stderr, ChildFd::Stderr),
        ];
        for (stream, which) in streams {
            if let Some(stream) = stream {
                let fd = stream.source.as_fd();
                let _ = poller.set(fd, token(child, which), !paused, false);
            }
        }
        for channel in &mut running.channels {
            channel.pause(paused, poller);
        }
    }

    /// Children that a signal has stopped since the last look, of those that want it told.
    pub fn stopped(&self) -> Vec<ChildId> {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let is_stopped = |running: &Running| {
            let pidfd = running.pidfd.as_ref().filter(|_| running.tells_stops);
            let status = pidfd.map(|pidfd| waitid(WaitId::PidFd(pidfd.as_fd()), options));
            matches!(status, Some(Ok(Some(_))))
        };
        let stopped = self
            .running
            .iter()
            .filter(|(_, running)| is_stopped(running));
        stopped.map(|(child, _)| *child).collect()
    }

    /// Collects a child that has ended, and closes those of its streams that have nothing
    /// more to tell.
    pub fn reap(&mut self, child: ChildId, poller: &Poller) -> Vec<ChildEvent> {
        let Some(running) = self.running.get_mut(&child) else {
            return Vec::new();
        };
        let Ok(Some(status)) = running.process.try_wait() else {
            return Vec::new();
        };
        if let Some(pidfd) = running.pidfd.take() {
            poller.remove(pidfd);
        }
        if let Some(stdin) = running.stdin.take() {
            poller.remove(stdin);
        }
        let status = status.into_raw();
        let mut events = vec![ChildEvent::Exited { status }];
        let streams = [
            (&mut running.stdout, StdioFd::Stdout),
            (&mut running.stderr, StdioFd::Stderr),
        ];
        for (slot, stream) in streams {
            if let Some(source) = slot.take_if(Stream::child_ended) {
                poller.remove(source.source.as_fd());
                let (data, eof) = (Bytes::new(), true);
                events.push(ChildEvent::Output { stream, data, eof });
            }
        }
        let channels = running.channels.iter_mut();
        events.extend(channels.filter_map(|channel| channel.child_ended(poller)));
        self.forget_if_done(child);
        events
    }

    /// Signals a child or its group. One that has been collected is left alone: its
    /// number may belong to somebody else by now.
    pub fn kill(&self, child: ChildId, signum: i32, group: bool) {
        let Some(running) = self.running.get(&child) else {
            return;
        };
        let alive = running.pidfd.is_some();
        let pid = i32::try_from(running.process.id()).unwrap_or(0);
        let (Some(pid), Some(signal)) = (
            rustix::process::Pid::from_raw(pid),
            rustix::process::Signal::from_named_raw(signum),
        ) else {
            return;
        };
        let result = if group && running.leads_group {
            rustix::process::kill_process_group(pid, signal)
        } else if alive {
            rustix::process::kill_process(pid, signal)
        } else {
            Ok(())
        };
        if let Err(error) = result {
            tracing::debug!(
                "signal {signum} to process {}: {error}",
                running.process.id()
            );
        }
    }

    fn forget_if_done(&mut self, child: ChildId) {
        if let Some(running) = self.running.get(&child)
            && running.pidfd.is_none()
            && running.stdout.is_none()
            && running.stderr.is_none()
            && running.channels.iter().all(Channel::is_closed)
        {
            self.running.remove(&child);
        }
    }
}

fn taken(channel: &mut Channel, data: &[u8], eof: bool, poller: &Poller) -> Option<ChildEvent> {
    let bytes = channel.write(data, eof, poller);
    let name = channel.name.clone();
    (bytes > 0).then_some(ChildEvent::ChannelTaken { name, bytes })
}

#[cfg(test)]
mod tests;
