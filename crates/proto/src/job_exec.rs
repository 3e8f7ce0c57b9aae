//! job-exec.*: running jobs (RFC 32, protocol/13 sections 5 to 7).
//!
//! `start` is called by the job manager; `shell-*` by job shells: see `shells.rs`; `join` and
//! `report` by the job-execs of other ranks: see `hands.rs`. The requests of clients to a shell
//! are in `job_shell.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::JobId;
use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

mod hands;
mod shells;

pub use hands::{
    AtBarrier, Dismissal, Ended, Held, How, Join, JoinError, Launch, Letter, News, Open, Order,
    Orders, Pressure, Receipt, Report, Task, Wrote,
};
pub use shells::{
    BarrierOpen, GuestLines, LostShells, ShellBarrier, ShellBarrierError, ShellBatch, ShellBatches,
    ShellError, ShellExit, ShellHear, ShellHello, ShellJob, ShellOrder, ShellTell, ShellTellError,
};

/// Starts a job. Answered several times without the STREAMING flag: a caller
/// distinguishes the answers by the job id, and the last one is a final `release`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// Jobspec with all updates applied and without the environment.
    pub jobspec: Value,
    /// True if it had been started before.
    pub reattach: bool,
    /// Resources, with all updates applied.
    #[serde(rename = "R")]
    pub r: Value,
    /// True if the caller accepts [`Step::Over`], and sends [`Kept`] when it has stored
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
}

/// The guest logs of these jobs are stored ([`Step::Over`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Job ids.
    pub ids: Vec<JobId>,
}

/// One answer to a [`Start`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// Job id.
    pub id: JobId,
    /// Event of the job.
    #[serde(flatten)]
    pub step: Step,
}

/// Events of a job under execution, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum Step {
    /// All job shells are running.
    Start(Map<String, Value>),
    /// All job shells of a job started before were found again.
    Reattached(Map<String, Value>),
    /// An exception was raised.
    Exception {
        /// Type of the exception.
        #[serde(rename = "type")]
        kind: String,
        /// 0 ends the job.
        severity: u32,
        /// Text for the user.
        note: String,
    },
    /// All shells have ended.
    Finish {
        /// The largest wait status among them.
        status: i32,
    },
    /// Some of the resources are released.
    Release {
        /// Ranks, or `all`.
        ranks: String,
        /// True if these were the last.
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// The job began, ended and was released, and all of its guest logs are here: the caller
    /// stores them. Of a short job, instead of all other responses but exceptions, to callers
    /// that accept it.
    Over {
        /// As in [`Step::Finish`].
        status: i32,
        /// Lines for its guest logs.
        lines: GuestLines,
    },
}

/// Sets the ranks that the job cannot go on without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriticalRanks {
    /// Job id.
    pub id: JobId,
    /// Idset of ranks within the job.
    pub ranks: String,
}

/// Changes the expiration of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expiration {
    /// Job id.
    pub id: JobId,
    /// New expiration, in seconds since the epoch; 0 for none.
    pub expiration: f64,
}

/// Lets a simulated job under manual control start or finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// Job id.
    pub jobid: JobId,
    /// `start` or `finish`.
    pub event: String,
    /// Wait status to finish with, 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
}

/// Asks for the configuration and the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// The configuration in effect and the jobs being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Default method of running jobs.
    pub method: String,
    /// Seconds between attempts to kill a job, as a duration.
    #[serde(rename = "kill-timeout")]
    pub kill_timeout: f64,
    /// Name of the first signal.
    #[serde(rename = "term-signal")]
    pub term_signal: String,
    /// Name of the second.
    #[serde(rename = "kill-signal")]
    pub kill_signal: String,
    /// Number of attempts after which a job is given up.
    #[serde(rename = "max-kill-count")]
    pub max_kill_count: i64,
    /// Seconds after which a job is given up; -1 when not set.
    #[serde(rename = "max-kill-timeout")]
    pub max_kill_timeout: f64,
    /// The same computed from all settings.
    #[serde(rename = "effective-max-kill-timeout")]
    pub effective_max_kill_timeout: f64,
    /// By job id in F58.
    pub jobs: BTreeMap<String, JobStats>,
    /// Settings for starting shells.
    pub config: Value,
}

/// One job being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobStats {
    /// Name of the implementation that runs it.
    pub implementation: String,
    /// Namespace.
    pub ns: String,
    /// Ranks that the job cannot go on without.
    pub critical_ranks: String,
    /// State: see `doc/states/job-exec.md`.
    pub state: String,
    /// 1 if its shells are running.
    pub running: u32,
    /// 1 if a fatal exception was raised.
    pub exception_in_progress: u32,
    /// Number of attempts to kill it.
    pub kill_count: u32,
    /// Shell ranks that are active.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub active_ranks: String,
}

/// Asks for the namespace of a job that runs: the kvs does when a client wants to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MakeNamespace {
    /// Job id.
    pub id: JobId,
}

/// Event: the job-exec of rank 0 can be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ready;

/// Event: an exception was raised on a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobException {
    /// Job id.
    pub id: JobId,
    /// Type of the exception.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 ends the job.
    pub severity: u32,
    /// Wait status to end the job with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_status: Option<i32>,
}

crate::refusals! {
    /// Errors of setting critical ranks.
    pub enum CriticalRanksError {
        /// No such job here.
        NotFound => ENOENT "",
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// Not an idset.
        Malformed => EINVAL "",
    }
}

crate::refusals! {
    /// Errors of creating a namespace.
    pub enum MakeNamespaceError {
        /// No such job is running, or it ended before it needed a namespace.
        NotFound => ENOENT "",
        /// Too many requests wait for it.
        Busy => EBUSY "",
    }
}

crate::refusals! {
    /// Errors of changing an expiration.
    pub enum ExpirationError {
        /// No such job here.
        NotFound => ENOENT "Job not found",
        /// Not a time in seconds.
        Malformed => EINVAL "",
    }
}

crate::refusals! {
    /// Errors of advancing a simulated job.
    pub enum OverrideError {
        /// No such job here.
        NotFound => ENOENT "Job not found",
        /// The job belongs to another user.
        NotYours => EPERM "Permission denied",
        /// The job is not under manual control.
        NotOverride => EINVAL "Job not in exec override mode",
        /// `start` of a job that runs.
        AlreadyRunning => EINVAL "Job already running",
        /// `finish` of a job that does not run.
        NotRunning => EINVAL "Job not running",
        /// Neither `start` nor `finish`.
        InvalidEvent => EINVAL "Invalid event",
    }
}

crate::json_payloads!(
    Start,
    Progress,
    CriticalRanks,
    MakeNamespace,
    Kept,
    ShellBarrier,
    BarrierOpen,
    ShellTell,
    ShellHear,
    ShellBatches,
    Join,
    Report,
    Orders,
    Expiration,
    Override,
    ShellHello,
    ShellOrder,
    ShellExit,
    Stats,
    JobException,
);
crate::no_payloads!(StatsGet, Ready);

crate::events! {
    Ready = "job-exec.ready" (OWNER), private
        : "The job-exec of rank 0 was started, perhaps again: others that have not joined join.";
    JobException = "job-exception" (OWNER), private
        : "An exception was raised on a job. Published by job-manager.";
}

crate::methods! {
    Start = "job-exec.start" (OWNER) => Progress, Refusal, Stream
        : "Starts a job; answered at every step of its execution.";
    CriticalRanks = "job-exec.critical-ranks" (USER) => Empty, CriticalRanksError, idempotent, Later
        : "Sets the ranks that a job cannot go on without.";
    Kept = "job-exec.kept" (OWNER) => Empty, Refusal, Nothing
        : "The job manager has stored what was left to it of these jobs.";
    MakeNamespace = "job-exec.make-namespace" (OWNER) => Empty, MakeNamespaceError, idempotent, Later
        : "Gives a job its namespace at once; answered when it exists. Other jobs get it when \
            they have run a little.";
    ShellBarrier = "job-exec.shell-barrier" (USER) => BarrierOpen, ShellBarrierError, idempotent, Later
        : "Holds a shell until all shells of its job have entered; answers requests without \
            matchtag too." {
            const ANSWERS_UNASKED: bool = true;
        };
    ShellTell = "job-exec.shell-tell" (OWNER) => Empty, ShellTellError, idempotent, Later
        : "Sends messages to the leading shell of a job; answered when it has them.";
    ShellHear = "job-exec.shell-hear" (OWNER) => ShellBatches, ShellTellError, idempotent, Later
        : "Returns messages of other shells to the leading one; answered when there are some.";
    Expiration = "job-exec.expiration" (OWNER) => Empty, ExpirationError, idempotent, Later
        : "Changes the expiration of a running job.";
    Override = "job-exec.override" (USER) => Empty, OverrideError, Later
        : "Lets a simulated job under manual control start or finish.";
    ShellHello = "job-exec.shell-hello" (OWNER) => ShellOrder, ShellError, Stream
        : "Announces a shell, which takes orders.";
    ShellExit = "job-exec.shell-exit" (OWNER) => Empty, ShellError, idempotent, Later
        : "Reports the end of a shell's tasks; answered when the outcome is stored.";
    Join = "job-exec.join" (OWNER) => Orders, JoinError, Stream
        : "Announces the job-exec of a broker below, which takes orders.";
    Report = "job-exec.report" (OWNER) => Empty, JoinError, Later
        : "Reports news of the shells from the job-exec of a broker below.";
    StatsGet = "job-exec.stats-get" (OWNER) => Stats, Refusal, idempotent
        : "The configuration in effect and the jobs being run.";
}
