//! The processes of mock shells: their numbers, their links, their parents.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use ahead::TextLog;
use job_exec::{Process, Processes, Seen};
use node::{ChildEvent, ChildId, Input, PeerId, Spawn, StdioFd};
use proto::data::{JobId, Jobspec};
use proto::sched::Alloc;
use proto::{Method, Payload};
use wire::Message;

use super::Shared;
use super::shell::Shell;
use crate::play::Play;
use crate::world::{SIGKILL, World};

/// The numbers of processes that run.
#[derive(Debug, Clone, Default)]
#[allow(
    clippy::disallowed_types,
    reason = "it is shared with what would be another thread"
)]
pub(crate) struct Pids(Arc<std::sync::Mutex<BTreeSet<i32>>>);

impl Pids {
    fn edit<T>(&self, edit: impl FnOnce(&mut BTreeSet<i32>) -> T) -> T {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Processes for Pids {
    fn look(&mut self, pid: i32) -> Seen {
        match self.edit(|pids| pids.contains(&pid)) {
            true => Seen::Runs(Process {
                pid,
                start: 1,
                boot: "sim".to_owned(),
            }),
            false => Seen::Gone,
        }
    }
}

/// A mock shell that runs.
pub(crate) struct Hosted {
    shell: Shell,
    link: PeerId,
    rank: usize,
    pid: i32,
    /// Link of the module process whose child it is, and its number there.
    parent: (PeerId, ChildId),
    /// The process is killed.
    is_killed: bool,
}

/// All mock shells.
#[derive(Default)]
pub(crate) struct Shells {
    pub(crate) all: Vec<Hosted>,
    pub(crate) pids: Pids,
    /// The files of job-exec and of job-manager.
    pub(crate) begun: TextLog,
    pub(crate) early: TextLog,
    last_pid: i32,
    pub(crate) ledger: Shared,
}

impl World {
    /// A module starts a job shell.
    pub(crate) fn start_shell(&mut self, parent: PeerId, child: ChildId, spawn: &Spawn) {
        let id = spawn.argv.get(1).and_then(|id| id.parse().ok());
        let id = JobId(id.expect("a shell is told its job"));
        let lease = spawn
            .env_add
            .iter()
            .find(|(name, _)| name == "FLUX_SHELL_LEASE");
        let lease = lease.map(|(_, lease)| lease.clone()).unwrap_or_default();
        self.shells.last_pid += 1;
        let pid = self.shells.last_pid;
        self.shells.pids.edit(|pids| pids.insert(pid));
        let process = self.processes.iter().find(|p| p.peer == parent);
        let rank = process.map_or(0, |process| process.rank);
        let link = self.connect(rank);
        let shell = Shell::new(id, lease, (rank, pid), self.shells.ledger.clone());
        self.note(format!("shell {pid} of {id} starts"));
        self.shells.all.push(Hosted {
            shell,
            link,
            rank,
            pid,
            parent: (parent, child),
            is_killed: false,
        });
        self.notify_parent((parent, child), ChildEvent::Started { pid });
    }

    /// Notifies a running parent of an event of its child, in its turn.
    fn notify_parent(&mut self, (parent, child): (PeerId, ChildId), event: ChildEvent) {
        let process = self.processes.iter_mut().find(|p| p.peer == parent);
        if let Some(process) = process {
            process.events.push_back(Input::Child { child, event });
        }
    }

    /// Shells that would do something.
    pub(crate) fn busy_shells(&self) -> impl Iterator<Item = usize> {
        let shells = self.shells.all.iter().enumerate();
        shells
            .filter(|(_, shell)| shell.shell.has_work())
            .map(|(at, _)| at)
    }

    /// A shell has its turn.
    pub(crate) fn turn_of_shell(&mut self, at: usize) {
        let hosted = &mut self.shells.all[at];
        let message = hosted.shell.tick(self.now.wall, &mut self.rng);
        let queue = self.to_broker.entry(hosted.link).or_default();
        queue.extend(message);
    }

    /// True if this link is a shell's, which then receives the message.
    pub(crate) fn shell_hears(&mut self, link: PeerId, message: &wire::Message) -> bool {
        let shell = self.shells.all.iter_mut().find(|shell| shell.link == link);
        let now = self.now.wall;
        shell.map(|shell| shell.shell.take(message, now)).is_some()
    }

    /// A module sends a signal to its child.
    pub(crate) fn signal_shell(&mut self, parent: PeerId, child: ChildId, signum: i32) {
        let hosted = self.shells.all.iter_mut();
        let mut hosted = hosted.filter(|shell| shell.parent == (parent, child));
        let Some(hosted) = hosted.next() else {
            return;
        };
        match signum {
            SIGKILL => {
                hosted.shell.kill();
                hosted.is_killed = true;
            }
            signum => hosted.shell.signal(signum),
        }
    }

    /// One of the shells is killed from outside.
    pub(crate) fn kill_a_shell(&mut self) {
        if self.shells.all.is_empty() {
            return;
        }
        let at = self.rng.below(self.shells.all.len());
        let hosted = &mut self.shells.all[at];
        hosted.shell.kill();
        hosted.is_killed = true;
        let line = format!("kill shell {} of {}", hosted.pid, hosted.shell.id);
        self.note(line);
    }

    /// Removes shells that have ended: their links end, their parents are notified.
    pub(crate) fn bury_shells(&mut self) {
        let is_over = |shell: &Hosted| shell.is_killed || shell.shell.ended().is_some();
        while let Some(at) = self.shells.all.iter().position(is_over) {
            let hosted = self.shells.all.remove(at);
            let status = match hosted.shell.ended() {
                _ if hosted.is_killed => SIGKILL,
                code => i32::from(code.unwrap_or(0)) << 8,
            };
            self.note(format!("shell {} ends with {status}", hosted.pid));
            self.shells.pids.edit(|pids| pids.remove(&hosted.pid));
            self.to_broker.remove(&hosted.link);
            let peer = hosted.link;
            self.deliver_to_broker(hosted.rank, Input::PeerDown { peer });
            for stream in [StdioFd::Stdout, StdioFd::Stderr] {
                let (data, eof) = (bytes::Bytes::new(), true);
                self.notify_parent(hosted.parent, ChildEvent::Output { stream, data, eof });
            }
            self.notify_parent(hosted.parent, ChildEvent::Exited { status });
        }
    }

    /// Loses a node and its shells.
    pub(crate) fn lose_shells(&mut self, rank: usize) {
        let all = std::mem::take(&mut self.shells.all);
        let (gone, rest): (Vec<Hosted>, _) = all.into_iter().partition(|it| it.rank == rank);
        self.shells.all = rest;
        for hosted in gone {
            self.shells.pids.edit(|pids| pids.remove(&hosted.pid));
            self.to_broker.remove(&hosted.link);
            hosted.shell.lose();
        }
        self.shells.ledger.borrow_mut().lose(rank);
    }

    /// Everything dies at once: shells end with their broker.
    pub(crate) fn drop_shells(&mut self) {
        self.shells.all.clear();
        self.shells.pids.edit(BTreeSet::clear);
        self.shells.ledger.borrow_mut().crash();
    }
}

impl World {
    /// A module gets a message: messages to schedulers are kept.
    pub(crate) fn module_hears(&self, at: usize, message: &Message) {
        if self.is_watched(at, "sched-backfill") {
            let mut ledger = self.shells.ledger.borrow_mut();
            ledger.easy.hears(self.now.wall, message);
        }
    }

    /// A module says something: schedulers keep their order, and the job manager asks for no
    /// job of a queue that is stopped.
    pub(crate) fn module_says(&self, at: usize, message: &Message) {
        if self.is_watched(at, "sched-backfill") {
            let mut ledger = self.shells.ledger.borrow_mut();
            ledger.easy.says(self.now.wall, message);
        }
        if self.is_watched(at, "job-manager") && message.topic() == Alloc::TOPIC {
            let alloc = Alloc::decode(message.payload()).expect("a request");
            let spec = Jobspec::decode(alloc.jobspec.as_str()).expect("a jobspec");
            let ledger = self.shells.ledger.borrow();
            ledger.asks_for_resources(alloc.id, spec.queue());
        }
    }

    fn is_watched(&self, at: usize, name: &str) -> bool {
        self.play == Play::JobsPolicy && self.processes[at].name == name
    }
}
