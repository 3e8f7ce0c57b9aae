//! Child processes: started on request, watched through pidfds, their streams read
//! and written without blocking.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use node::{ChildEvent, ChildId, Spawn, Stdio, StdioFd, WinSize};
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};
use wire::Errno;

use crate::channel::Channel;
use crate::limits::{CHILD_BACKLOG_BYTES_MAX, EARLY_SIGNALS_MAX};
use crate::poller::Poller;
use crate::trace;
use crate::zygote::{Nursery, Streams, ZygoteMessage, may_serve};
use alike::Launcher;
use command::command;
use stream::Stream;
pub use stream::unread;
use terminal::Terminal;

mod alike;
mod command;
mod stream;
mod terminal;

/// Kind of a child's descriptor, as the low bits of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildFd {
    /// Pidfd: readable when it has ended.
    Exit,
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A socket pair, by its place in [`Spawn::socketpairs`].
    Channel(u8),
}

impl ChildFd {
    /// Number of bits of a token.
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
    /// Number, unless a zygote was asked for it that has not answered.
    pid: Option<Pid>,
    /// Open until it was collected.
    pidfd: Option<OwnedFd>,
    /// Signals to send when it has a pid.
    early: Vec<(i32, bool)>,
    stdin: Option<File>,
    input: Vec<u8>,
    close_input: bool,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    leads_group: bool,
    tells_stops: bool,
    channels: Vec<Channel>,
}

/// The children of this process.
#[derive(Default)]
pub struct Children {
    /// Limit of descriptors that children get back, soft and hard.
    pub descriptors: Option<(u64, u64)>,
    nursery: Nursery,
    launcher: Launcher,
    running: BTreeMap<ChildId, Running>,
}

impl Children {
    /// Starts a child and returns the result.
    pub fn spawn(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> ChildEvent {
        let started = match &spawn.alike {
            Some(alike) => self.try_spawn_alike(child, (spawn, alike), poller, token),
            None => self.try_spawn(child, spawn, poller, token),
        };
        match started {
            Ok(pid) => ChildEvent::Started { pid },
            Err(error) => failed(&error),
        }
    }

    /// The same, where a zygote may be asked: the result comes later, by
    /// [`Children::receive`], which is called for the token that `zygote` makes of its
    /// number.
    pub fn spawn_or_ask(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64 + Copy,
        zygote: impl Fn(u64) -> u64,
    ) -> Option<ChildEvent> {
        let is_asked = spawn.zygote
            && may_serve(spawn)
            && self.ask(child, spawn, poller, zygote).unwrap_or(false);
        (!is_asked).then(|| self.spawn(child, spawn, poller, token))
    }

    fn ask(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        zygote: impl Fn(u64) -> u64,
    ) -> std::io::Result<bool> {
        let open = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
        let ((out_ours, stdout), (err_ours, stderr)) = (open()?, open()?);
        let streams = Streams { stdout, stderr };
        if !self.nursery.ask(child, spawn, &streams, poller, zygote) {
            return Ok(false);
        }
        // Nothing is read until it is there: if it is started otherwise, it has other pipes.
        let keep = |fd: OwnedFd| Some(Stream::new(File::from(fd)));
        let running = Running {
            pid: None,
            pidfd: None,
            early: Vec::new(),
            stdin: None,
            input: Vec::new(),
            close_input: false,
            stdout: keep(out_ours),
            stderr: keep(err_ours),
            leads_group: spawn.new_group,
            tells_stops: spawn.tell_stops,
            channels: Vec::new(),
        };
        self.running.insert(child, running);
        Ok(true)
    }

    /// Receives the messages of a zygote.
    pub fn receive(
        &mut self,
        zygote: u64,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64 + Copy,
    ) -> Vec<(ChildId, ChildEvent)> {
        let heard = self.nursery.receive(zygote, poller);
        let event = |heard| match heard {
            ZygoteMessage::Report(child, Ok(pid)) => {
                (child, self.reported(child, pid, poller, token))
            }
            ZygoteMessage::Report(child, Err(errno)) => {
                self.running.remove(&child);
                let errno = Errno(errno);
                (child, ChildEvent::Failed { errno })
            }
            ZygoteMessage::NotStarted(child, spawn) => {
                let before = self.running.remove(&child);
                let event = self.spawn(child, &spawn, poller, token);
                for (signum, group) in before.map(|it| it.early).unwrap_or_default() {
                    self.kill(child, signum, group);
                }
                (child, event)
            }
        };
        heard.into_iter().map(event).collect()
    }

    /// A child of a zygote reports its number.
    fn reported(
        &mut self,
        child: ChildId,
        pid: i32,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> ChildEvent {
        let Some(running) = self.running.get_mut(&child) else {
            return ChildEvent::Failed { errno: Errno::EIO };
        };
        running.pid = Pid::from_raw(pid);
        let watched = watch_end(running.pid, token(child, ChildFd::Exit), poller);
        let streams = [
            (&running.stdout, ChildFd::Stdout),
            (&running.stderr, ChildFd::Stderr),
        ];
        let begun = streams
            .into_iter()
            .try_for_each(|(stream, which)| match stream {
                Some(stream) => stream.begin(token(child, which), poller),
                None => Ok(()),
            });
        match begun.and(watched) {
            Ok(pidfd) => running.pidfd = pidfd,
            Err(error) => return failed(&error),
        }
        for (signum, group) in std::mem::take(&mut running.early) {
            self.kill(child, signum, group);
        }
        ChildEvent::Started { pid }
    }

    fn try_spawn(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> std::io::Result<i32> {
        let channels = Channel::open(&spawn.socketpairs)?;
        let terminal = spawn.terminal.map(Terminal::open).transpose()?;
        let theirs = terminal.as_ref().map(|terminal| &terminal.theirs);
        let mut process = command(spawn, (&channels, theirs), self.descriptors)?.spawn()?;
        let mut channels: Vec<Channel> = channels.into_iter().map(Channel::keep_ours).collect();
        for (at, channel) in channels.iter_mut().enumerate() {
            channel.watch(poller, token(child, ChildFd::Channel(at as u8)))?;
        }
        let number = i32::try_from(process.id()).unwrap_or(0);
        let pid = Pid::from_raw(number);
        if let Some(pid) = pid.filter(|_| spawn.stop_at_exec) {
            trace::leave_stopped(pid)?;
        }
        let pidfd = watch_end(pid, token(child, ChildFd::Exit), poller)?;
        let stdin = match &terminal {
            Some(terminal) => Some(terminal.writer()?),
            None => process.stdin.take().map(|fd| File::from(OwnedFd::from(fd))),
        };
        if let Some(stdin) = &stdin
            && (spawn.stdin == Stdio::Pipe || terminal.is_some())
        {
            rustix::io::ioctl_fionbio(stdin, true)?;
            poller.add(stdin, token(child, ChildFd::Stdin))?;
            poller.set(stdin, token(child, ChildFd::Stdin), false, false)?;
        }
        let stdout = match terminal {
            Some(Terminal { ours, theirs }) => Some(Stream {
                peer: Some(terminal::Peer::new(theirs)),
                ..Stream::new(File::from(ours))
            }),
            None => process.stdout.take().map(Stream::new),
        };
        let stderr = process.stderr.take().map(Stream::new);
        for (stream, which) in [(&stdout, ChildFd::Stdout), (&stderr, ChildFd::Stderr)] {
            if let Some(stream) = stream {
                stream.begin(token(child, which), poller)?;
            }
        }
        self.running.insert(
            child,
            Running {
                pid,
                pidfd,
                early: Vec::new(),
                stdin,
                input: Vec::new(),
                close_input: false,
                stdout,
                stderr,
                leads_group: spawn.new_group || spawn.terminal.is_some(),
                tells_stops: spawn.tell_stops,
                channels,
            },
        );
        Ok(number)
    }

    /// Queues input for a child, and returns the number of bytes that are out of our
    /// hands at once.
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

    /// Writes as much queued input as fits, and returns the number of bytes. With `is_gone`
    /// there is nobody who could read it.
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

    /// Writes to a channel of a child, and closes it after that if `eof`. Returns the
    /// number of bytes that are out of our hands at once.
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

    /// Goes on with bytes that a channel could not write at once.
    pub fn flush_channel(&mut self, child: ChildId, at: u8, poller: &Poller) -> Option<ChildEvent> {
        let channels = &mut self.running.get_mut(&child)?.channels;
        taken(channels.get_mut(usize::from(at))?, &[], false, poller)
    }

    /// Stops reading the output of a child, or goes on.
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
            (&mut running.stdout, ChildFd::Stdout),
            (&mut running.stderr, ChildFd::Stderr),
        ];
        for (stream, which) in streams {
            if let Some(stream) = stream {
                stream.pause(paused, token(child, which), poller);
            }
        }
        for channel in &mut running.channels {
            channel.pause(paused, poller);
        }
    }

    /// Gives a child's terminal another size, if it has one.
    pub fn resize(&self, child: ChildId, size: WinSize) {
        let running = self.running.get(&child);
        let stream = running.and_then(|running| running.stdout.as_ref());
        if let Some(stream) = stream.filter(|stream| stream.peer.is_some())
            && let Err(error) = terminal::resize(stream.source.as_fd(), size)
        {
            tracing::debug!("size of a terminal: {error}");
        }
    }

    /// Children that a signal has stopped since the last look, of those that want it
    /// reported.
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

    /// Collects a child that has ended, and closes those of its streams that have no more
    /// data.
    pub fn reap(
        &mut self,
        child: ChildId,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) -> Vec<ChildEvent> {
        let Some(running) = self.running.get_mut(&child) else {
            return Vec::new();
        };
        let Ok(Some((_, status))) = waitpid(running.pid, WaitOptions::NOHANG) else {
            return Vec::new();
        };
        if let Some(pidfd) = running.pidfd.take() {
            poller.remove(pidfd);
        }
        if let Some(stdin) = running.stdin.take() {
            poller.remove(stdin);
        }
        let status = status.as_raw();
        let mut events = vec![ChildEvent::Exited { status }];
        let streams = [
            (&mut running.stdout, StdioFd::Stdout, ChildFd::Stdout),
            (&mut running.stderr, StdioFd::Stderr, ChildFd::Stderr),
        ];
        for (slot, stream, which) in streams {
            let token = token(child, which);
            if let Some(source) = slot.take_if(|stream| stream.child_ended(token, poller)) {
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
    /// number may belong to another process by now.
    pub fn kill(&mut self, child: ChildId, signum: i32, group: bool) {
        let Some(running) = self.running.get_mut(&child) else {
            return;
        };
        let Some(pid) = running.pid else {
            if running.early.len() < EARLY_SIGNALS_MAX {
                running.early.push((signum, group));
            }
            return;
        };
        let Some(signal) = rustix::process::Signal::from_named_raw(signum) else {
            return;
        };
        let alive = running.pidfd.is_some();
        let result = if group && running.leads_group {
            rustix::process::kill_process_group(pid, signal)
        } else if alive {
            rustix::process::kill_process(pid, signal)
        } else {
            Ok(())
        };
        if let Err(error) = result {
            tracing::debug!("signal {signum} to process {pid}: {error}");
        }
    }

    fn forget_if_done(&mut self, child: ChildId) {
        if let Some(running) = self.running.get(&child)
            && running.pid.is_some()
            && running.pidfd.is_none()
            && running.stdout.is_none()
            && running.stderr.is_none()
            && running.channels.iter().all(Channel::is_closed)
        {
            self.running.remove(&child);
        }
    }
}

fn failed(error: &std::io::Error) -> ChildEvent {
    let errno = error.raw_os_error();
    let errno = errno.and_then(|errno| u32::try_from(errno).ok());
    ChildEvent::Failed {
        errno: errno.map_or(Errno::EIO, Errno),
    }
}

/// Has the poller report the end of a process.
fn watch_end(pid: Option<Pid>, token: u64, poller: &Poller) -> std::io::Result<Option<OwnedFd>> {
    let open = |pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
    let pidfd = pid.and_then(open);
    if let Some(pidfd) = &pidfd {
        poller.add(pidfd, token)?;
    }
    Ok(pidfd)
}

fn taken(channel: &mut Channel, data: &[u8], eof: bool, poller: &Poller) -> Option<ChildEvent> {
    let bytes = channel.write(data, eof, poller);
    let name = channel.name.clone();
    (bytes > 0).then_some(ChildEvent::ChannelTaken { name, bytes })
}

#[cfg(test)]
mod tests;
