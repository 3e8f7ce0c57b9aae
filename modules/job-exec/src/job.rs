//! One job in hand: what it is, where it is, and what runs it.

use node::{ChildId, Cx, Reply, Stream, TimerId};
use proto::Payload;
use proto::data::{Entry, JobId, Rset, Stamps};
use proto::job_exec::{JobStats, Progress, ShellExit, ShellHello, ShellTell, Start, Step};
use serde::Serialize;
use serde_json::{Map, Value};
use wire::Message;

use crate::JobExec;
use crate::mail::Mailbox;
use crate::mock::Mock;
use crate::process::Process;
use crate::state::{Move, State, next};

/// A job from its start request to its final release.
pub struct Job {
    /// Which.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// What it wants, without the environment.
    pub jobspec: Value,
    /// What it has, as it came.
    pub r: Value,
    /// What it has, as far as we need it.
    pub place: Place,
    /// How it is run.
    pub kind: Kind,
    /// Its guest log as far as it is not stored.
    pub log: GuestLog,
    /// When its time ends, in seconds since the epoch; 0 for never.
    pub expiration: f64,
    /// The timer for that.
    pub expiry: Option<TimerId>,
    /// Set while it is being ended against its will.
    pub ending: Option<Ending>,
    /// The first exception of severity 0 that was told.
    pub exception: Option<Step>,
    /// Wait status so far.
    pub status: i32,
    /// Whether the job manager knows that it runs.
    pub is_started: bool,
    /// Idset of its ranks that it cannot do without, if it said so.
    pub critical_ranks: Option<String>,
    /// Whether the job manager had it started before.
    pub reattach: bool,
    state: State,
    /// What all answers go to.
    request: Message,
}

/// Where a job runs: one host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Broker rank.
    pub rank: u32,
    /// Host name.
    pub host: String,
}

/// How a job is run.
pub enum Kind {
    /// By a job shell.
    Shell(Box<Shell>),
    /// Not at all: a timer stands for it.
    Mock(Mock, Option<TimerId>),
}

/// The job shell of a job.
#[derive(Default)]
pub struct Shell {
    /// It, while it is our child.
    pub child: Option<ChildId>,
    /// Which process it is, if an earlier time has written that down.
    pub process: Option<Process>,
    /// Number that it was started under; empty until the shell of an earlier time reports.
    pub lease: String,
    /// The stream on which it takes orders.
    pub orders: Option<Stream<ShellHello>>,
    /// Its last word, which waits for the outcome to be stored.
    pub exits: Vec<Reply<ShellExit>>,
    /// What it is told.
    pub mail: Mailbox,
    /// What it tells, until that is taken.
    pub tells: Option<(u64, Reply<ShellTell>)>,
    /// How it ended, while its streams are still open.
    pub ended: Option<i32>,
    /// Standard streams of it that are open.
    pub n_streams: u8,
    /// Bytes that it wrote to its standard streams.
    pub log_bytes: usize,
    /// Runs while its report, or its next one, is waited for.
    pub wait: Option<TimerId>,
}

/// The guest log of a job, `exec.eventlog`, and what its shell left to us to store.
#[derive(Debug, Default)]
pub struct GuestLog {
    /// Lines not sent off.
    pub pending: String,
    /// The timestamps of its lines.
    pub stamps: Stamps,
    /// Lines for `output` not sent off.
    pub output: String,
    /// It is in a namespace of its own, and not in the primary one.
    pub in_namespace: bool,
    /// The namespace is not there yet.
    pub is_closed: bool,
    /// What is stored says that a shell was started. Before that the shell is told nothing
    /// and nobody is told of it: a job-exec after us must not start a second one.
    pub is_begun: bool,
    /// Which process its shell is is not known yet: nothing is stored before that, so that
    /// what is found of a shell says where to look for it.
    pub is_held: bool,
    /// A commit is under way.
    pub in_flight: bool,
    /// How many commits were made, for the token of each.
    pub seq: u64,
    /// Whether the key exists. Only asked where the log is in the primary namespace.
    pub exists: bool,
}

/// A job being ended against its will.
#[derive(Debug, Default)]
pub struct Ending {
    /// Next step of the ladder.
    pub rung: u32,
    /// The timer for it.
    pub timer: Option<TimerId>,
    /// The signal that the tasks should have by now.
    pub signal: i32,
    /// Wait status that the exception asked for.
    pub wait_status: Option<i32>,
}

impl Job {
    /// A job just asked for.
    pub fn new(request: Message, start: Start, kind: Kind, state: State) -> Job {
        let rset: Rset = serde_json::from_value(start.r.clone()).unwrap_or_default();
        let place = rset.nodes().next().map(|(rank, node)| Place {
            rank,
            host: node.host.to_string(),
        });
        let log = GuestLog {
            // A simulation may be begun twice: nothing comes of it.
            is_begun: matches!(kind, Kind::Mock(..)),
            ..GuestLog::default()
        };
        Job {
            id: start.id,
            userid: start.userid,
            jobspec: start.jobspec,
            r: start.r,
            place: place.unwrap_or_default(),
            kind,
            log,
            expiration: rset.expiration(),
            expiry: None,
            ending: None,
            exception: None,
            status: 0,
            is_started: false,
            critical_ranks: None,
            reattach: start.reattach,
            state,
            request,
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
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

    /// The shell, if one runs the job.
    pub fn shell(&mut self) -> Option<&mut Shell> {
        match &mut self.kind {
            Kind::Shell(shell) => Some(shell),
            Kind::Mock(..) => None,
        }
    }

    /// Whether the job only pretends to run.
    pub fn is_mock(&self) -> bool {
        matches!(self.kind, Kind::Mock(..))
    }

    /// Sends later answers to another request for the same job.
    pub fn rebind(&mut self, request: Message, reattach: bool) {
        self.request = request;
        self.reattach = reattach;
    }

    /// Whether our answers go to the sender of `message`.
    pub fn answers_to(&self, cx: &Cx<JobExec>, message: &Message) -> bool {
        cx.sender_of(&self.request) == cx.sender_of(message)
    }

    /// Tells the job manager that the job runs, once that is sure.
    pub fn tell_start(&self, cx: &mut Cx<JobExec>) {
        if self.is_started && self.log.is_begun {
            let step = match self.reattach {
                true => Step::Reattached(Map::new()),
                false => Step::Start(Map::new()),
            };
            self.answer(cx, step);
        }
    }

    /// Tells the job manager what happened.
    pub fn answer(&self, cx: &mut Cx<JobExec>, step: Step) {
        let progress = Progress { id: self.id, step };
        cx.send(Message::respond_to(&self.request, 0, progress.encode()));
    }

    /// Adds an event to the guest log.
    pub fn log(&mut self, now: f64, name: &'static str) {
        if let Ok(entry) = Entry::new(self.log.stamps.next(now), name) {
            self.log.pending += &entry.encode();
        }
    }

    /// Adds an event about something to the guest log.
    pub fn log_with(&mut self, now: f64, name: &'static str, context: &impl Serialize) {
        if let Ok(entry) =
            Entry::new(self.log.stamps.next(now), name).and_then(|entry| entry.with(context))
        {
            self.log.pending += &entry.encode();
        }
    }

    /// What statistics show of it.
    pub fn stats(&self) -> JobStats {
        let implementation = match &self.kind {
            Kind::Shell(_) => "bulk-exec",
            Kind::Mock(..) => "testexec",
        };
        JobStats {
            implementation: implementation.to_owned(),
            ns: self.id.guest_namespace(),
            critical_ranks: self.critical_ranks.clone().unwrap_or("0".to_owned()),
            state: format!("{:?}", self.state).to_lowercase(),
            running: u32::from(self.state == State::Running),
            exception_in_progress: u32::from(self.ending.is_some()),
            kill_count: self.ending.as_ref().map_or(0, |ending| ending.rung),
            active_ranks: match self.state.is_alive() {
                true => self.place.rank.to_string(),
                false => String::new(),
            },
        }
    }
}
