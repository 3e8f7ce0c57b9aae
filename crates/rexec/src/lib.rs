//! The subprocess server: processes that a component runs for others (RFC 42, protocol/03 section
//! 14). A broker has one for its host, a job shell one for its job. Admission of requests is up to
//! them; here the requests are carried out.
//!
//! A process has an audience: the client that started it, or one that has attached to it
//! while it runs in the background. Of the first it does not outlive the connection. Messages
//! to an audience go out as they arise; while its link is behind with reading, or the client
//! itself has no room for more, its processes are not read from and soon have to wait. The
//! type `L` of a link is known to the component.
//!
//! One process is in `process.rs`, its start in `launch.rs`, its audience in `audience.rs`,
//! and output without an audience in `retained.rs` and `lines.rs`.

mod audience;
mod environment;
mod launch;
pub mod limits;
mod lines;
mod process;
mod retained;

use std::collections::{BTreeMap, BTreeSet};

use node::{ChildEvent, ChildId, Cx, Host, Peer, Reply, Stream, StreamId};
use proto::rexec::{
    Attach, AttachError, Credit, Exec, ExecError, Kill, KillError, LookupError, Wait, WaitError,
    Write, launch_failed,
};
use proto::{Empty, Errno};
use wire::Identity;

pub use lines::LoggedLines;

use self::audience::{Audience, Client};
use self::environment::environment;
use self::limits::{
    INPUT_BYTES, INPUT_BYTES_MAX, INPUT_BYTES_MIN, PROCESSES_MAX, PROCESSES_OF_CLIENT_MAX,
};
use self::process::Process;

/// Signal for a process without an audience.
const SIGKILL: i32 = 9;
/// Signal that asks a process to exit.
const SIGTERM: i32 = 15;
/// The last signal that has a name.
const SIGNUM_MAX: i32 = 31;

/// Refuses a signal that has no name.
pub fn check_signal(signum: i32) -> Result<(), KillError> {
    match (0..=SIGNUM_MAX).contains(&signum) {
        true => Ok(()),
        false => Err(KillError::BadSignal),
    }
}

/// Environment of processes.
pub struct Surroundings<'a, L> {
    /// The component's environment.
    pub env: &'a BTreeMap<String, String>,
    /// URI of the broker's local socket.
    pub uri: &'a str,
    /// The link over which the request has come.
    pub link: Option<L>,
}

/// The processes of clients.
pub struct Rexec<L> {
    /// The broker's rank, as output is labelled with it.
    rank: String,
    processes: BTreeMap<ChildId, Process<L>>,
    /// Processes with a client, by its exec request.
    requests: BTreeMap<(Identity, u32), ChildId>,
    /// Processes with an audience, by the request that this answers.
    readers: BTreeMap<(Identity, u32), ChildId>,
    /// Links that are behind with reading.
    behind: BTreeSet<L>,
    /// Bytes of input that processes may have waiting, all together.
    granted: u64,
    /// Set when no process is started any more.
    is_closed: bool,
}

impl<L: Copy + Ord> Rexec<L> {
    /// No processes, on the broker of this rank.
    pub fn new(rank: u32) -> Rexec<L> {
        Rexec {
            rank: rank.to_string(),
            processes: BTreeMap::new(),
            requests: BTreeMap::new(),
            readers: BTreeMap::new(),
            behind: BTreeSet::new(),
            granted: 0,
            is_closed: false,
        }
    }

    /// Starts a process.
    pub fn exec<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        here: &Surroundings<'_, L>,
        from: &Peer,
        mut request: Exec,
        stream: Stream<Exec>,
    ) {
        let in_background = !stream.is_streaming();
        if let Err(error) = self.check(from, &request, in_background) {
            return stream.end(cx, Err(error.into()));
        }
        let wanted = std::mem::take(&mut request.cmd.env);
        let added = std::mem::take(&mut request.env_add);
        let env = environment(wanted, added, here.env, here.uri);
        // A client that attaches is told the command, and so is its environment.
        request.cmd.env = env.iter().cloned().collect();
        let forwards = request.flags;
        let key = from.sender.clone().map(|sender| (sender, from.matchtag));
        let client = Client {
            link: here.link,
            key: key.filter(|_| !in_background),
            room: request.output_credit,
        };
        let spawn = launch::spawn(&request, in_background, env);
        let child = cx.spawn(spawn.clone());
        let credit = self.credit_of_next();
        let mut process = Process::new(child, request, &spawn, in_background, credit);
        self.granted += process.granted;
        if let Some(key) = &client.key {
            self.requests.insert(key.clone(), child);
            self.readers.insert(key.clone(), child);
            process.request = Some(key.clone());
        }
        process.audience = Some(Audience::of_exec(stream, forwards, client));
        self.processes.insert(child, process);
        self.pace(cx, child);
    }

    fn check(&self, from: &Peer, request: &Exec, in_background: bool) -> Result<(), ExecError> {
        if self.is_closed {
            return Err(ExecError::ShuttingDown);
        }
        launch::check(request, in_background)?;
        let label = request.cmd.label.as_ref();
        let mut taken = self.processes.values().map(|p| p.cmd.label.as_ref());
        if label.is_some() && taken.any(|other| other == label) {
            return Err(ExecError::LabelTaken);
        }
        let of_client = from.sender.as_ref().map_or(0, |sender| {
            let all = (sender.clone(), 0)..=(sender.clone(), u32::MAX);
            self.requests.range(all).count()
        });
        if self.processes.len() >= PROCESSES_MAX || of_client >= PROCESSES_OF_CLIENT_MAX {
            return Err(ExecError::TooMany);
        }
        Ok(())
    }

    /// Room for input of the next process: much, as long as all together have not got it.
    fn credit_of_next(&self) -> u64 {
        let left = INPUT_BYTES_MAX.saturating_sub(self.granted);
        INPUT_BYTES.min(left).max(INPUT_BYTES_MIN)
    }

    /// Reads from a process, or does not, as its audience does.
    fn pace<C: Host>(&mut self, cx: &mut Cx<C>, child: ChildId) {
        if let Some(process) = self.processes.get_mut(&child) {
            process.pace(cx, |link| self.behind.contains(link));
        }
    }

    /// A client has room for more output.
    pub fn credit<C: Host>(&mut self, cx: &mut Cx<C>, from: &Peer, request: &Credit) {
        let key = from.sender.clone().map(|sender| (sender, request.matchtag));
        let child = key.and_then(|key| self.readers.get(&key).copied());
        let process = child.and_then(|child| self.processes.get_mut(&child));
        if let (Some(child), Some(process)) = (child, process) {
            if let Some(audience) = &mut process.audience {
                audience.give_room(request.bytes);
            }
            self.pace(cx, child);
        }
    }

    /// A link is behind with reading, or has caught up.
    pub fn set_behind<C: Host>(&mut self, cx: &mut Cx<C>, link: L, is_behind: bool) {
        let is_new = match is_behind {
            true => self.behind.insert(link),
            false => self.behind.remove(&link),
        };
        for process in self.processes.values_mut().filter(|_| is_new) {
            process.pace(cx, |link| self.behind.contains(link));
        }
    }

    /// Receives input for a process, named by the request that started it. Requests for
    /// no process are ignored: it may have exited.
    pub fn write<C: Host>(&mut self, cx: &mut Cx<C>, from: &Peer, request: &Write) {
        let Some(sender) = from.sender.clone() else {
            return;
        };
        let child = self.requests.get(&(sender, request.matchtag));
        let process = child.and_then(|child| self.processes.get_mut(child));
        if let Some(process) = process {
            process.take_input(cx, &request.io);
        }
    }

    /// Finds a process by its label, or else by its number.
    fn find(
        &self,
        pid: i64,
        label: Option<&str>,
        may_be: impl Fn(&Process<L>) -> bool,
    ) -> Result<ChildId, LookupError> {
        let mut found = self.processes.iter().filter(|(_, process)| match label {
            Some(label) => process.cmd.label.as_deref() == Some(label),
            None => i64::from(process.pid) == pid && pid > 0,
        });
        let found = found.find(|(_, process)| may_be(process));
        let unknown = || match label {
            Some(label) => LookupError::NoLabel(label.to_owned()),
            None => LookupError::NoPid(pid),
        };
        found.map(|(child, _)| *child).ok_or_else(unknown)
    }

    /// Sends a signal. Processes left behind in its group get it too.
    pub fn kill<C: Host>(&self, cx: &mut Cx<C>, request: &Kill) -> Result<Empty, KillError> {
        let may_be = |process: &Process<L>| !process.is_over();
        let found = self.find(request.pid, request.label.as_deref(), may_be);
        let child = found.map_err(KillError::Unknown)?;
        self.processes[&child].kill(cx, request.signum);
        Ok(Empty)
    }

    /// Processes that are there, with their states.
    pub fn list(&self) -> impl Iterator<Item = proto::rexec::Process> {
        self.processes
            .values()
            .map(|process| proto::rexec::Process {
                pid: process.pid,
                cmd: launch::shown(&process.cmd),
                label: process.cmd.label.clone().unwrap_or_default(),
                state: match process.status.is_some() && process.is_waitable {
                    true => "Z".to_owned(),
                    false => "R".to_owned(),
                },
            })
    }

    /// Waits for the end of a process.
    pub fn wait<C: Host>(&mut self, cx: &mut Cx<C>, request: &Wait, reply: Reply<Wait>) {
        let child = match self.find(request.pid, request.label.as_deref(), |_| true) {
            Ok(child) => child,
            Err(error) => return reply.send(cx, Err(WaitError::Unknown(error))),
        };
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        if !process.is_waitable {
            return reply.send(cx, Err(WaitError::NotWaitable));
        }
        if process.waiter.is_some() {
            return reply.send(cx, Err(WaitError::WaitedOn));
        }
        process.waiter = Some(reply);
        self.settle(cx, child);
    }

    /// Gives the streams of a background process to a client.
    pub fn attach<C: Host>(
        &mut self,
        cx: &mut Cx<C>,
        link: Option<L>,
        from: &Peer,
        request: &Attach,
        stream: Stream<Attach>,
    ) {
        let found = self.find(request.pid, request.label.as_deref(), Process::is_known);
        let found = found.map_err(AttachError::Unknown);
        let found = found.and_then(|child| match &self.processes[&child] {
            process if !process.in_background => Err(AttachError::Foreground),
            process if process.audience.is_some() => Err(AttachError::Attached),
            _ => Ok(child),
        });
        match found {
            Err(error) => stream.end(cx, Err(error.into())),
            Ok(child) => {
                let client = Client {
                    link,
                    key: from.sender.clone().map(|sender| (sender, from.matchtag)),
                    room: request.output_credit,
                };
                if let Some(key) = &client.key {
                    self.readers.insert(key.clone(), child);
                }
                let audience = Audience::of_attach(stream, request.flags, client);
                if let Some(process) = self.processes.get_mut(&child) {
                    process.attach(cx, audience, &self.rank);
                }
                self.pace(cx, child);
                self.settle(cx, child);
            }
        }
    }

    /// True if a child is the process of a client.
    pub fn has(&self, child: ChildId) -> bool {
        self.processes.contains_key(&child)
    }

    /// Something happened to a process.
    pub fn child<C: Host>(&mut self, cx: &mut Cx<C>, child: ChildId, event: ChildEvent) {
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        match event {
            ChildEvent::Started { pid } => process.started(cx, pid),
            ChildEvent::Failed { errno } => return self.failed(cx, child, errno),
            ChildEvent::Output { stream, data, eof } => {
                process.wrote(cx, &self.rank, stream.as_str(), &data, eof);
            }
            ChildEvent::Channel { name, data, eof } => {
                process.wrote(cx, &self.rank, &name, &data, eof);
            }
            ChildEvent::InputTaken { bytes, .. } => process.input_taken(cx, None, bytes),
            ChildEvent::ChannelTaken { name, bytes } => {
                process.input_taken(cx, Some(&name), bytes);
            }
            ChildEvent::Stopped => process.stopped(cx),
            ChildEvent::Exited { status } => process.ended(cx, status),
        }
        process.pace(cx, |link| self.behind.contains(link));
        self.settle(cx, child);
    }

    fn failed<C: Host>(&mut self, cx: &mut Cx<C>, child: ChildId, errno: Errno) {
        if let Some(audience) = self.remove(child).and_then(|process| process.audience) {
            audience.end(cx, Err(launch_failed(errno)));
        }
    }

    /// Ends the messages about a process that has ended, and forgets it, unless its exit
    /// status is kept. One whose client has left needs no last words.
    fn settle<C: Host>(&mut self, cx: &mut Cx<C>, child: ChildId) {
        let Some(process) = self.processes.get_mut(&child) else {
            return;
        };
        let is_deserted = !process.in_background && process.audience.is_none();
        let is_over = process.is_over() || (is_deserted && process.status.is_some());
        if !is_over {
            return;
        }
        process.answer_waiter(cx);
        let (audience, is_waitable) = (process.audience.take(), process.is_waitable);
        self.forget_reader(audience.as_ref());
        if audience.is_some() || !is_waitable {
            self.remove(child);
        }
        if let Some(audience) = audience {
            audience.end(cx, Ok(()));
        }
    }

    fn remove(&mut self, child: ChildId) -> Option<Process<L>> {
        let process = self.processes.remove(&child)?;
        if let Some(request) = &process.request {
            self.requests.remove(request);
        }
        self.forget_reader(process.audience.as_ref());
        self.granted -= process.granted;
        Some(process)
    }

    fn forget_reader(&mut self, audience: Option<&Audience<L>>) {
        if let Some(key) = audience.and_then(|audience| audience.key.as_ref()) {
            self.readers.remove(key);
        }
    }

    /// A request was cancelled, or its client disconnected: processes that it started are
    /// killed, those that it attached to go on, and those that it waited for may be waited
    /// for by others.
    pub fn closed<C: Host>(&mut self, cx: &mut Cx<C>, stream: StreamId) {
        for process in self.processes.values_mut() {
            if let Some(reply) = process.waiter.take_if(|reply| reply.id() == stream) {
                return reply.forget();
            }
        }
        let mut processes = self.processes.iter_mut();
        let found = processes.find(|(_, process)| {
            let audience = process.audience.as_ref();
            audience.is_some_and(|audience| audience.id() == stream)
        });
        let Some((&child, process)) = found else {
            return;
        };
        let audience = process.audience.take();
        process.pace(cx, |_| false);
        if let Some(request) = process.request.take() {
            self.requests.remove(&request);
        }
        if !process.in_background {
            process.kill(cx, SIGKILL);
        }
        self.forget_reader(audience.as_ref());
        if let Some(audience) = audience {
            audience.forget();
        }
        self.settle(cx, child);
    }

    /// Starts no process any more, and asks those that run to end.
    pub fn close<C: Host>(&mut self, cx: &mut Cx<C>) {
        self.is_closed = true;
        self.kill_all(cx, SIGTERM);
    }

    /// True if no process is started any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// True if none runs.
    pub fn is_idle(&self) -> bool {
        self.processes.values().all(|p| p.status.is_some())
    }

    /// Sends a signal to all of them.
    pub fn kill_all<C: Host>(&self, cx: &mut Cx<C>, signum: i32) {
        for process in self.processes.values() {
            process.kill(cx, signum);
        }
    }

    /// Kills processes left behind by ended ones, and ends the messages about them.
    pub fn clear<C: Host>(&mut self, cx: &mut Cx<C>) {
        self.kill_all(cx, SIGKILL);
        self.requests.clear();
        self.readers.clear();
        self.granted = 0;
        for process in std::mem::take(&mut self.processes).into_values() {
            let refusal = || ExecError::ShuttingDown.into();
            if let Some(audience) = process.audience {
                audience.end(cx, Err(refusal()));
            }
            if let Some(waiter) = process.waiter {
                waiter.send_refusal(cx, Err(refusal()));
            }
        }
    }

    /// Checks that each table names what is in the other.
    pub fn check_invariants(&self) {
        for (request, child) in &self.requests {
            assert_eq!(self.processes[child].request.as_ref(), Some(request));
        }
        for (key, child) in &self.readers {
            let audience = self.processes[child].audience.as_ref();
            assert_eq!(
                audience.and_then(|audience| audience.key.as_ref()),
                Some(key)
            );
        }
        let granted = self.processes.values().map(|process| process.granted);
        assert_eq!(self.granted, granted.sum::<u64>());
    }
}
