//! Our side: the zygotes that we have, and the children that they were asked for.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use node::{ChildId, Spawn, Stdio};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::message::{Report, Request};
use super::serve::{ROOM, SERVE};
use crate::poller::Poller;
use crate::prepare::{Start, in_child};

/// The zygotes of this process, one a program.
#[derive(Default)]
pub struct Nursery {
    all: BTreeMap<u64, Zygote>,
    last: u64,
}

struct Zygote {
    program: String,
    /// File that it was started from.
    file: Option<File>,
    process: Child,
    socket: OwnedFd,
    /// Children that were asked for and have not reported.
    asked: BTreeMap<ChildId, Box<Spawn>>,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // It may be one that does not serve, and does not look at its socket either.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A file, and whether it was written since.
#[derive(PartialEq)]
struct File {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl File {
    fn of(path: &str) -> Option<File> {
        let meta = std::fs::metadata(path).ok()?;
        Some(File {
            device: meta.dev(),
            inode: meta.ino(),
            changed: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// Message from a zygote.
pub enum ZygoteMessage {
    /// A child runs, or cannot be started for this reason.
    Report(ChildId, Result<i32, u32>),
    /// The zygote was lost, and this child was not started.
    NotStarted(ChildId, Box<Spawn>),
}

/// A child's ends of its streams.
pub struct Streams {
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

impl Nursery {
    /// Asks for a child, if it is one that may come from a zygote and there is one, or can be.
    /// Otherwise it is started as any other.
    pub fn ask(
        &mut self,
        child: ChildId,
        spawn: &Spawn,
        streams: &Streams,
        poller: &Poller,
        token: impl Fn(u64) -> u64,
    ) -> bool {
        let Some(program) = spawn.argv.first() else {
            return false;
        };
        let Some(zygote) = self.of_program(program, poller, token) else {
            return false;
        };
        let request = Request {
            child: child.0,
            argv: spawn.argv.clone(),
            env_add: spawn.env_add.clone(),
            new_group: spawn.new_group,
        };
        let streams = [streams.stdout.as_fd(), streams.stderr.as_fd()];
        let is_sent = request.send(&zygote.socket, streams).is_ok();
        if is_sent {
            zygote.asked.insert(child, Box::new(spawn.clone()));
        }
        is_sent
    }

    fn of_program(
        &mut self,
        program: &str,
        poller: &Poller,
        token: impl Fn(u64) -> u64,
    ) -> Option<&mut Zygote> {
        let file = File::of(program);
        let known = self.all.iter().find(|(_, it)| it.program == program);
        let number = match known.map(|(number, zygote)| (*number, zygote.file == file)) {
            Some((number, true)) => number,
            // Another program has taken its place; those that were asked for report yet.
            Some((number, false)) if !self.all[&number].asked.is_empty() => return None,
            Some((number, false)) => {
                self.end(number, poller);
                self.start(program, file, poller, token).ok()?
            }
            None => self.start(program, file, poller, token).ok()?,
        };
        self.all.get_mut(&number)
    }

    fn start(
        &mut self,
        program: &str,
        file: Option<File>,
        poller: &Poller,
        token: impl Fn(u64) -> u64,
    ) -> std::io::Result<u64> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (ours, theirs) = socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        let mut command = Command::new(program);
        command.args([SERVE, ROOM]).stdin(theirs);
        command.stdout(std::process::Stdio::null());
        // A terminal's signals are not for it.
        command.process_group(0);
        let start = Start::new(&Spawn::default(), &[], None);
        in_child(&mut command, start, None);
        let process = command.spawn()?;
        self.last += 1;
        poller.add(&ours, token(self.last))?;
        self.all.insert(
            self.last,
            Zygote {
                program: program.to_owned(),
                file,
                process,
                socket: ours,
                asked: BTreeMap::new(),
            },
        );
        Ok(self.last)
    }

    /// Receives the messages of a zygote, or of a child of it.
    pub fn receive(&mut self, number: u64, poller: &Poller) -> Vec<ZygoteMessage> {
        let mut heard = Vec::new();
        let Some(zygote) = self.all.get_mut(&number) else {
            return heard;
        };
        loop {
            match Report::receive(&zygote.socket) {
                Ok(Some(report)) => {
                    let child = ChildId(report.child);
                    if zygote.asked.remove(&child).is_some() {
                        heard.push(ZygoteMessage::Report(child, report.pid));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return heard,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(None) | Err(_) => break,
            }
        }
        let asked = std::mem::take(&mut zygote.asked);
        heard.extend(
            asked
                .into_iter()
                .map(|(child, spawn)| ZygoteMessage::NotStarted(child, spawn)),
        );
        self.end(number, poller);
        heard
    }

    fn end(&mut self, number: u64, poller: &Poller) {
        if let Some(zygote) = self.all.remove(&number) {
            poller.remove(&zygote.socket);
        }
    }
}

/// True if a child needs nothing that only its own start can give it.
pub fn may_serve(spawn: &Spawn) -> bool {
    let plain = Spawn {
        argv: spawn.argv.clone(),
        env_add: spawn.env_add.clone(),
        stdout: Stdio::Pipe,
        stderr: Stdio::Pipe,
        new_group: spawn.new_group,
        zygote: true,
        ..Spawn::default()
    };
    *spawn == plain
}
