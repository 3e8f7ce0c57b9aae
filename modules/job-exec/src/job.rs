//! One job in hand: its description, its ranks, and the way in which it runs.

use std::rc::Rc;
use std::time::Duration;

use node::{Cx, Reply, TimerId};
use proto::data::{Entry, Fsd, Hostlist, IdSet, JobId, Rset, Stamps};
use proto::job_exec::{
    CriticalRanks, GuestLines, JobStats, MakeNamespace, Progress, Start, Step, Task,
};
use proto::{Empty, Payload, Refusal};
use serde::Serialize;
use serde_json::{Map, Value};
use wire::{Identity, Message};

use crate::JobExec;
use crate::limits::NAMESPACE_WAIT_MS;
use crate::mock::Mock;
use crate::process::Process;
use crate::state::{Move, State, next};

/// The event of the guest log with the ranks that a job cannot do without.
pub const CRITICAL_RANKS: &str = "critical-ranks";

/// Name of the implementation that runs no shells.
pub const TESTEXEC: &str = "testexec";

/// A job from its start request to its final release.
pub struct Job {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// Description for its shells.
    pub task: Rc<Task>,
    /// The resources that it has; nothing if it only pretends to run.
    pub rset: Rset,
    /// Kind of execution.
    pub kind: Kind,
    /// The guest log as far as it is not stored.
    pub log: GuestLog,
    /// When its time ends, in seconds since the epoch; 0 for never.
    pub expiration: f64,
    /// The timer for that.
    pub expiry: Option<TimerId>,
    /// Set while it is being ended against its will.
    pub ending: Option<Ending>,
    /// The first exception of severity 0 that was reported.
    pub exception: Option<Step>,
    /// Wait status to report.
    pub status: i32,
    /// The largest wait status of its shells so far.
    pub worst: Option<i32>,
    /// Number of ends of shells processed.
    pub n_ends: usize,
    /// Timers that run until it ends.
    pub waits: Vec<TimerId>,
    /// Time that its shells have to meet, if it sets one.
    pub barrier_timeout: Option<Duration>,
    /// Number of kill attempts.
    pub n_pressed: u32,
    /// True if the job manager knows that it runs.
    pub is_started: bool,
    /// The ranks that it cannot do without, if it said so.
    pub critical_ranks: Option<IdSet>,
    /// True if the job manager had it started before.
    pub reattach: bool,
    /// True if the job manager stores the logs of a job that ended soon.
    pub together: bool,
    state: State,
    /// Request that all answers go to.
    request: Message,
}

/// Kind of execution of a job.
pub enum Kind {
    /// By job shells.
    Shells,
    /// Not at all: a timer stands for it.
    Mock(Mock, Option<TimerId>),
}

/// Location of a guest log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Home {
    /// In the primary namespace.
    #[default]
    Primary,
    /// Only here so far: a job that ends soon needs no namespace.
    Here,
    /// In a namespace that is being made.
    Making,
    /// In the job's own namespace.
    Namespace,
}

impl Kind {
    /// True if it is known to end soon.
    fn is_short(&self) -> bool {
        match self {
            Kind::Mock(mock, _) => mock.is_over_within(Duration::from_millis(NAMESPACE_WAIT_MS)),
            Kind::Shells => false,
        }
    }
}

/// The guest log of a job, `exec.eventlog`, and the output that its shell left to us to
/// store.
#[derive(Debug, Default)]
pub struct GuestLog {
    /// Lines not sent off.
    pub unsent: GuestLines,
    /// The timestamps of its lines.
    pub stamps: Stamps,
    /// Requests to answer when the lines are stored.
    pub unsaid: Vec<Reply<CriticalRanks>>,
    /// Requests that wait for the namespace.
    pub makers: Vec<Reply<MakeNamespace>>,
    /// Lines given to the job manager to store, until it has.
    pub handed: Option<GuestLines>,
    /// True if they were given.
    pub was_handed: bool,
    /// Location.
    pub home: Home,
    /// A job-exec after us would know that a shell was started. Before that nothing is sent
    /// to the shell: a second one must not be started.
    pub is_begun: bool,
    /// The KVS records that a shell was started. Before that it is reported to nobody
    /// else.
    pub is_stored: bool,
    /// True while the process of its shell is not known: nothing is stored before, so that
    /// records of a shell name its process.
    pub is_held: bool,
    /// The log has the last word of the leading shell, which may be said again.
    pub has_word: bool,
    /// A commit is under way.
    pub in_flight: bool,
    /// Number of commits, for the token of each.
    pub seq: u64,
    /// True if the key exists. Only asked where the log is in the primary namespace.
    pub exists: bool,
}

/// A job being ended against its will.
#[derive(Debug, Default)]
pub struct Ending {
    /// Next step of the kill escalation.
    pub step: u32,
    /// The timer for it.
    pub timer: Option<TimerId>,
    /// Wait status that the exception asked for.
    pub wait_status: Option<i32>,
}

impl Job {
    /// A job just asked for.
    pub fn new(request: Message, start: Start, kind: Kind, state: State) -> Job {
        let rset: Rset = serde_json::from_value(start.r.clone()).unwrap_or_default();
        let expiration = rset.expiration();
        let is_mock = matches!(kind, Kind::Mock(..));
        let log = GuestLog {
            // A simulation may be begun twice: nothing comes of it.
            is_begun: is_mock,
            // A job that ends soon is announced when it has ended.
            is_stored: is_mock && !(start.together && kind.is_short()),
            ..GuestLog::default()
        };
        Job {
            id: start.id,
            userid: start.userid,
            barrier_timeout: barrier_timeout(&start.jobspec),
            task: Rc::new(Task {
                userid: start.userid,
                jobspec: start.jobspec,
                r: start.r,
            }),
            rset: if is_mock { Rset::default() } else { rset },
            kind,
            log,
            expiration,
            expiry: None,
            ending: None,
            exception: None,
            status: 0,
            worst: None,
            n_ends: 0,
            waits: Vec::new(),
            n_pressed: 0,
            is_started: false,
            critical_ranks: None,
            reattach: start.reattach,
            together: start.together,
            state,
            request,
        }
    }

    /// State.
    pub fn state(&self) -> State {
        self.state
    }

    /// True if nothing of it runs, and nothing will.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.state,
            State::Finishing | State::Grafting | State::Released
        )
    }

    /// Moves on; a move that does not fit is logged and refused.
    pub fn step(&mut self, step: Move) -> bool {
        let Some(to) = next(self.state, step) else {
            tracing::error!("job={} {step:?}: refused in {:?}", self.id, self.state);
            return false;
        };
        tracing::trace!("job={} {step:?}: {:?}->{to:?}", self.id, self.state);
        self.state = to;
        true
    }

    /// The hosts of some of its ranks.
    pub fn hosts(&self, ranks: &IdSet) -> String {
        let names = ranks.iter().filter_map(|rank| self.rset.host(rank));
        let hosts = Hostlist::from_names(names).unwrap_or_default();
        hosts.to_string()
    }

    /// True if the job is only simulated.
    pub fn is_mock(&self) -> bool {
        matches!(self.kind, Kind::Mock(..))
    }

    /// Sends later answers to another request for the same job.
    pub fn rebind(&mut self, request: Message, reattach: bool, together: bool) {
        self.request = request;
        self.reattach = reattach;
        self.together = together;
    }

    /// Client that asked for it last.
    pub fn asker(&self, cx: &Cx<JobExec>) -> Option<Identity> {
        cx.sender_of(&self.request)
    }

    /// True if our answers go to the sender of `message`.
    pub fn answers_to(&self, cx: &Cx<JobExec>, message: &Message) -> bool {
        cx.sender_of(&self.request) == cx.sender_of(message)
    }

    /// Reports to the job manager that the job runs, once that is sure.
    pub fn send_start(&self, cx: &mut Cx<JobExec>) {
        if self.is_started && self.log.is_stored {
            self.answer(cx, self.start_step());
        }
    }

    fn start_step(&self) -> Step {
        match self.reattach {
            true => Step::Reattached(Map::new()),
            false => Step::Start(Map::new()),
        }
    }

    /// Reports a step of the job to the job manager.
    pub fn answer(&self, cx: &mut Cx<JobExec>, step: Step) {
        let progress = Progress { id: self.id, step };
        cx.send(Message::respond_to(&self.request, 0, progress.encode()));
    }

    /// Adds an event to the guest log.
    pub fn log(&mut self, now: f64, name: &'static str) {
        if let Ok(entry) = Entry::new(self.log.stamps.next(now), name) {
            self.log.unsent.log += &entry.encode();
        }
    }

    /// Adds an event about something to the guest log.
    pub fn log_with(&mut self, now: f64, name: &'static str, context: &impl Serialize) {
        if let Ok(entry) =
            Entry::new(self.log.stamps.next(now), name).and_then(|entry| entry.with(context))
        {
            self.log.unsent.log += &entry.encode();
        }
    }

    /// Adds to the guest log that a job-exec after us can pick it up, and by which process.
    pub fn log_recoverable(&mut self, now: f64, shell: Option<&Process>) {
        match shell {
            Some(process) => self.log_with(now, "recoverable", process),
            None => self.log(now, "recoverable"),
        }
    }

    /// Ranks within the job.
    pub fn shell_ranks(&self) -> IdSet {
        let n = u32::try_from(self.rset.nnodes()).unwrap_or(u32::MAX);
        IdSet::first_n(n.max(1))
    }

    /// Statistics, with the active shells.
    pub fn stats(&self, active: &IdSet) -> JobStats {
        let all = self.shell_ranks();
        let implementation = match &self.kind {
            Kind::Shells => "bulk-exec",
            Kind::Mock(..) => TESTEXEC,
        };
        JobStats {
            implementation: implementation.to_owned(),
            ns: self.id.guest_namespace(),
            critical_ranks: self.critical_ranks.as_ref().unwrap_or(&all).to_string(),
            state: format!("{:?}", self.state).to_lowercase(),
            running: u32::from(self.state == State::Running),
            exception_in_progress: u32::from(self.ending.is_some()),
            kill_count: self.ending.as_ref().map_or(0, |ending| ending.step),
            active_ranks: active.to_string(),
        }
    }
}

/// Answers those who wait for a log to be stored, with the error if there is one.
pub fn answer_stored(
    cx: &mut Cx<JobExec>,
    waiting: Vec<Reply<CriticalRanks>>,
    result: &Result<(), Refusal>,
) {
    for reply in waiting {
        reply.send_refusal(cx, result.clone().map(|()| Empty));
    }
}

/// The ranks that resources are on; none if they cannot be read.
pub fn ranks_of(r: &Value) -> IdSet {
    let rset: Rset = serde_json::from_value(r.clone()).unwrap_or_default();
    rset.ranks()
}

/// Time that the shells of a job have to meet, if it sets one. One that is endless, or
/// longer than a clock can count, is as good as the longest.
fn barrier_timeout(jobspec: &Value) -> Option<Duration> {
    let value = jobspec.pointer("/attributes/system/exec/bulkexec/barrier-timeout")?;
    let fsd: Fsd = serde_json::from_value(value.clone()).ok()?;
    Some(
        Duration::try_from_secs_f64(fsd.secs()).unwrap_or(Duration::from_secs(u64::from(u32::MAX))),
    )
}
