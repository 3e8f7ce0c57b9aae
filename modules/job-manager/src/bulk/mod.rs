//! One command on many ranks: a process on each, started and watched through the subprocess
//! server of its broker (`rexec`). The owner of a command receives each line that a process
//! writes and the result of each process, once.
//!
//! A process that cannot be started, or whose broker is lost, has ended too: [`Outcome`] has
//! the result. Processes die with us: their brokers kill the processes that a client leaves
//! behind.

mod outcome;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use node::{Call, CallId, Cx, Delivery};
use proto::data::IdSet;
use proto::data::job::WaitStatus;
use proto::data::lines::Lines;
pub use proto::data::lines::Stream;
use proto::rexec::{Command, Exec, Kill, ProcessReply, flags};
use proto::{Errno, Payload, Refusal};

use crate::JobManager;
use crate::limits::BULK_PROCESSES_MAX;

pub use self::outcome::{Outcome, shared_words};

/// Signals that end processes: processes not started yet are then never started.
const DEADLY: [i32; 2] = [SIGKILL, 15];
const SIGKILL: i32 = 9;

/// Owner of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The command of a job that has ended.
    Housekeeping(proto::data::JobId),
    /// One that a policy knows by this number.
    Policy {
        /// The policy.
        by: u64,
        /// The policy's number for it.
        token: u64,
    },
}

/// Commands that run, or wait for their turn.
#[derive(Default)]
pub struct Bulk {
    runs: BTreeMap<u64, Run>,
    last: u64,
    /// Runs that have ranks to start on, in their order.
    waiting: VecDeque<u64>,
    /// Processes that are asked for and have not ended.
    n_processes: usize,
}

/// One command.
struct Run {
    owner: Owner,
    /// The run must not start before something is stored.
    is_held: bool,
    /// The same for every rank.
    request: Bytes,
    unstarted: IdSet,
    processes: BTreeMap<u32, Process>,
}

struct Process {
    call: CallId,
    pid: Option<i32>,
    /// A signal that came before it had a number.
    signal: Option<i32>,
    status: Option<WaitStatus>,
    lines: Lines,
}

impl Bulk {
    fn add(
        &mut self,
        owner: Owner,
        command: &[String],
        env_add: BTreeMap<String, String>,
        ranks: IdSet,
    ) -> u64 {
        let request = Exec {
            cmd: Command {
                cmdline: command.to_vec(),
                ..Command::default()
            },
            flags: flags::STDOUT | flags::STDERR,
            local_flags: None,
            output_credit: None,
            env_add,
        };
        let run = Run {
            owner,
            is_held: true,
            request: request.encode(),
            unstarted: ranks,
            processes: BTreeMap::new(),
        };
        self.last += 1;
        self.runs.insert(self.last, run);
        self.last
    }

    /// Walks the tables and panics on a count that is wrong.
    pub fn check(&self) {
        let processes = self.runs.values().map(|run| run.processes.len());
        assert_eq!(self.n_processes, processes.sum::<usize>());
        for (id, run) in &self.runs {
            let waits = self.waiting.contains(id);
            let starts = waits || run.is_held;
            assert!(starts || run.unstarted.is_empty(), "run {id} never starts");
            assert!(starts || !run.processes.is_empty(), "run {id} is kept");
        }
    }
}

impl JobManager {
    /// Runs a command on these ranks, with these variables on top of their brokers' own.
    pub(crate) fn run_on(
        &mut self,
        cx: &mut Cx<Self>,
        owner: Owner,
        command: &[String],
        env_add: BTreeMap<String, String>,
        ranks: IdSet,
    ) {
        let id = self.bulk.add(owner, command, env_add, ranks);
        self.let_run(cx, id);
    }

    /// The same once everything said so far is stored.
    pub(crate) fn run_when_stored(
        &mut self,
        owner: Owner,
        command: &[String],
        env_add: BTreeMap<String, String>,
        ranks: IdSet,
    ) {
        let id = self.bulk.add(owner, command, env_add, ranks);
        self.batch.then(move |core, cx| core.let_run(cx, id));
    }

    fn let_run(&mut self, cx: &mut Cx<Self>, id: u64) {
        if let Some(run) = self.bulk.runs.get_mut(&id) {
            run.is_held = false;
            self.bulk.waiting.push_back(id);
            self.start_waiting(cx);
        }
    }

    /// Starts as many processes as there may be, the oldest command first.
    fn start_waiting(&mut self, cx: &mut Cx<Self>) {
        while let Some(id) = self.bulk.waiting.front().copied() {
            if self.bulk.n_processes >= BULK_PROCESSES_MAX {
                return;
            }
            let run = self.bulk.runs.get_mut(&id);
            let Some((run, rank)) = run
                .and_then(|run| Some((run.unstarted.first()?, run)))
                .map(|(rank, run)| (run, rank))
            else {
                self.bulk.waiting.pop_front();
                self.forget_if_over(id);
                continue;
            };
            run.unstarted.remove(rank);
            let call = Call::<Exec>::with_payload(run.request.clone())
                .to(rank)
                .delivery(Delivery::Now);
            let call = cx.stream_with(call, move |core: &mut Self, cx, told| {
                core.process_told(cx, id, rank, told);
            });
            let process = Process {
                call,
                pid: None,
                signal: None,
                status: None,
                lines: Lines::default(),
            };
            run.processes.insert(rank, process);
            self.bulk.n_processes += 1;
        }
    }

    fn process_told(
        &mut self,
        cx: &mut Cx<Self>,
        id: u64,
        rank: u32,
        told: Result<ProcessReply, Refusal>,
    ) {
        let run = self.bulk.runs.get_mut(&id);
        let Some(run) = run else { return };
        let owner = run.owner;
        let Some(process) = run.processes.get_mut(&rank) else {
            return;
        };
        let mut lines = Vec::new();
        match told {
            Ok(ProcessReply::Started { pid }) => {
                process.pid = Some(pid);
                if let Some(signum) = process.signal.take() {
                    send_signal(cx, rank, pid, signum);
                }
            }
            Ok(ProcessReply::Output { io, .. }) => {
                let bytes = io.bytes().unwrap_or_default();
                lines = process.lines.push(&io.stream, &bytes);
            }
            Ok(ProcessReply::Finished { status }) => process.status = Some(WaitStatus(status)),
            Ok(_) => {}
            Err(end) => return self.process_ended(cx, id, rank, end),
        }
        for (stream, line) in lines {
            self.process_wrote(owner, rank, stream, &line);
        }
    }

    fn process_ended(&mut self, cx: &mut Cx<Self>, id: u64, rank: u32, end: Refusal) {
        let Some(run) = self.bulk.runs.get_mut(&id) else {
            return;
        };
        let (owner, process) = (run.owner, run.processes.remove(&rank));
        let Some(mut process) = process else { return };
        self.bulk.n_processes -= 1;
        for (stream, line) in process.lines.rest() {
            self.process_wrote(owner, rank, stream, &line);
        }
        let outcome = match process.status {
            Some(status) => Outcome::Ended(status),
            None => Outcome::Failed(end),
        };
        self.forget_if_over(id);
        self.rank_ended(cx, owner, rank, outcome);
        self.start_waiting(cx);
    }

    fn forget_if_over(&mut self, id: u64) {
        let is_over =
            |run: &Run| run.processes.is_empty() && run.unstarted.is_empty() && !run.is_held;
        if self.bulk.runs.get(&id).is_some_and(is_over) && !self.bulk.waiting.contains(&id) {
            self.bulk.runs.remove(&id);
        }
    }

    /// Sends a signal to the processes of an owner, on these ranks or on all.
    pub(crate) fn signal_run(
        &mut self,
        cx: &mut Cx<Self>,
        owner: Owner,
        ranks: Option<&IdSet>,
        signum: i32,
    ) {
        let is_meant = |rank: u32| ranks.is_none_or(|ranks| ranks.contains(rank));
        let mut never_started = IdSet::new();
        for run in self.bulk.runs.values_mut().filter(|run| run.owner == owner) {
            for (rank, process) in run.processes.iter_mut().filter(|(r, _)| is_meant(**r)) {
                match process.pid {
                    Some(pid) => send_signal(cx, *rank, pid, signum),
                    None => process.signal = Some(signum),
                }
            }
            if DEADLY.contains(&signum) {
                let meant: IdSet = run.unstarted.iter().filter(|r| is_meant(*r)).collect();
                run.unstarted.subtract(&meant);
                never_started.add(&meant);
            }
        }
        for rank in never_started.iter() {
            let outcome = Outcome::Ended(WaitStatus::killed(signum));
            self.rank_ended(cx, owner, rank, outcome);
        }
    }

    /// Kills the processes of an owner, which receives no more news of them.
    pub(crate) fn forget_run(&mut self, cx: &mut Cx<Self>, owner: Owner) {
        self.bulk.runs.retain(|_, run| {
            if run.owner != owner {
                return true;
            }
            for (rank, process) in &run.processes {
                if let Some(pid) = process.pid {
                    send_signal(cx, *rank, pid, SIGKILL);
                }
                cx.forget_call(process.call);
                self.bulk.n_processes -= 1;
            }
            false
        });
        self.start_waiting(cx);
    }

    fn process_wrote(&mut self, owner: Owner, rank: u32, stream: Stream, line: &str) {
        match owner {
            Owner::Housekeeping(id) => self.housekeeping.wrote(id, rank, stream, line),
            Owner::Policy { by, token } => self.policies.wrote(by, token, rank, stream, line),
        }
    }

    fn rank_ended(&mut self, cx: &mut Cx<Self>, owner: Owner, rank: u32, outcome: Outcome) {
        match owner {
            Owner::Housekeeping(id) => self.housekeeping.ended(id, rank, &outcome),
            Owner::Policy { by, token } => self.ask_policies(cx, |policies, view| {
                policies.ended(view, by, token, rank, &outcome);
            }),
        }
    }
}

fn send_signal(cx: &mut Cx<JobManager>, rank: u32, pid: i32, signum: i32) {
    let kill = Kill {
        pid: i64::from(pid),
        signum,
        label: None,
    };
    let call = Call::new(&kill).to(rank).delivery(Delivery::Now);
    cx.call_with(call, move |_, _, result| match result {
        Err(refusal) if refusal.errno != Errno::ESRCH => {
            tracing::error!("rexec.kill: rank {rank}, pid {pid}: {refusal}");
        }
        _ => {}
    });
}
