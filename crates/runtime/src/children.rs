//! Child processes: started on request, watched through pidfds, their streams read
//! and written without blocking.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command};

use bytes::Bytes;
use node::{ChildEvent, ChildId, Spawn, Stdio, StdioFd};
use wire::Errno;

use crate::channel::Channel;
use crate::limits::{CHILD_BACKLOG_BYTES_MAX, CHILD_READ_BYTES};
use crate::poller::Poller;

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
    stdout: Option<Box<dyn Source>>,
    stderr: Option<Box<dyn Source>>,
    leads_group: bool,
    channels: Vec<Channel>,
}

trait Source: Read + AsFd {}
impl<T: Read + AsFd> Source for T {}

/// The children of this process.
#[derive(Default)]
pub struct Children {
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
        let mut process = command(spawn, &channels)?.spawn()?;
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
        let watch = |fd: Box<dyn Source>, which| -> std::io::Result<Box<dyn Source>> {
            rustix::io::ioctl_fionbio(fd.as_fd(), true)?;
            poller.add(fd.as_fd(), token(child, which))?;
            Ok(fd)
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
                channels,
            },
        );
        Ok(pid)
    }

    /// Queues input for a child.
    pub fn input(
        &mut self,
        child: ChildId,
        data: &[u8],
        eof: bool,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) {
        let Some(running) = self.running.get_mut(&child) else {
            return;
        };
        if running.input.len() + data.len() <= CHILD_BACKLOG_BYTES_MAX {
            running.input.extend_from_slice(data);
        }
        running.close_input |= eof;
        self.write_input(child, poller, token);
    }

    /// Writes as much queued input as goes.
    pub fn write_input(
        &mut self,
        child: ChildId,
        poller: &Poller,
        token: impl Fn(ChildId, ChildFd) -> u64,
    ) {
        let Some(running) = self.running.get_mut(&child) else {
            return;
        };
        let Some(stdin) = &mut running.stdin else {
            return;
        };
        let mut broken = false;
        while !running.input.is_empty() {
            match stdin.write(&running.input) {
                Ok(n) => drop(running.input.drain(..n)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        if broken || (running.input.is_empty() && running.close_input) {
            poller.remove(&*stdin);
            running.input.clear();
            running.stdin = None;
        } else {
            let more = !running.input.is_empty();
            let _ = poller.set(&*stdin, token(child, ChildFd::Stdin), false, more);
        }
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
        let mut buf = vec![0; CHILD_READ_BYTES];
        let (n, eof) = match source.read(&mut buf) {
            Ok(0) => (0, true),
            Ok(n) => (n, false),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return None;
            }
            Err(_) => (0, true),
        };
        if eof {
            poller.remove(source.as_fd());
            *slot = None;
        }
        buf.truncate(n);
        self.forget_if_done(child);
        Some(ChildEvent::Output {
            stream,
            data: Bytes::from(buf),
            eof,
        })
    }

    /// Writes to a channel of a child, and closes it after that if `eof`.
    pub fn channel(&mut self, child: ChildId, name: &str, data: &[u8], eof: bool, poller: &Poller) {
        let running = self.running.get_mut(&child);
        let channels = running.map(|running| &mut running.channels);
        let mut named = channels
            .into_iter()
            .flatten()
            .filter(|channel| channel.name == name);
        if let Some(channel) = named.next() {
            channel.write(data, eof, poller);
        }
    }

    /// Goes on with what a channel could not write at once.
    pub fn flush_channel(&mut self, child: ChildId, at: u8, poller: &Poller) {
        let running = self.running.get_mut(&child);
        if let Some(channel) = running.and_then(|r| r.channels.get_mut(usize::from(at))) {
            channel.write(&[], false, poller);
        }
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
            if let Some(fd) = stream {
                let _ = poller.set(fd.as_fd(), token(child, which), !paused, false);
            }
        }
    }

    /// Collects a child that has ended.
    pub fn reap(&mut self, child: ChildId, poller: &Poller) -> Option<ChildEvent> {
        let running = self.running.get_mut(&child)?;
        let status = running.process.try_wait().ok()??;
        if let Some(pidfd) = running.pidfd.take() {
            poller.remove(pidfd);
        }
        if let Some(stdin) = running.stdin.take() {
            poller.remove(stdin);
        }
        self.forget_if_done(child);
        Some(ChildEvent::Exited {
            status: status.into_raw(),
        })
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

fn command(spawn: &Spawn, channels: &[Channel]) -> std::io::Result<Command> {
    let (program, args) = spawn
        .argv
        .split_first()
        .ok_or_else(|| std::io::Error::from(ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    command.args(args);
    if let Some(env) = &spawn.env {
        command.env_clear();
        command.envs(env.iter().map(|(name, value)| (name, value)));
    }
    command.envs(spawn.env_add.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &spawn.cwd {
        command.current_dir(cwd);
    }
    if spawn.new_group {
        command.process_group(0);
    }
    for channel in channels {
        command.env(&channel.name, channel.theirs_number().to_string());
    }
    crate::prepare::in_child(&mut command, spawn, channels);
    command.stdin(match &spawn.stdin_path {
        Some(path) => std::fs::File::open(path)?.into(),
        None => stdio(spawn.stdin),
    });
    command.stdout(stdio(spawn.stdout));
    command.stderr(stdio(spawn.stderr));
    Ok(command)
}

fn stdio(stdio: Stdio) -> std::process::Stdio {
    match stdio {
        Stdio::Inherit => std::process::Stdio::inherit(),
        Stdio::Null => std::process::Stdio::null(),
        Stdio::Pipe | Stdio::Lifeline => std::process::Stdio::piped(),
    }
}
