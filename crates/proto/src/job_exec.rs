//! job-exec.*: running jobs (RFC 32, protocol/13 sections 5 to 7).
//!
//! `start` is called by the job manager; `shell-*` by job shells, which outlive us:
//! what a shell asks may be asked again after a restart. Read on in `job_shell.rs`
//! for what clients ask of a shell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::JobId;
use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Starts a job. Answered several times without the STREAMING flag: a caller tells the
/// answers apart by the job id, and the last one is a final `release`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// The job.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// Its jobspec with all updates applied and without the environment.
    pub jobspec: Value,
    /// Whether it had been started before.
    pub reattach: bool,
    /// Its resources, with all updates applied.
    #[serde(rename = "R")]
    pub r: Value,
}

/// One answer to a [`Start`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The job.
    pub id: JobId,
    /// What happened to it.
    #[serde(flatten)]
    pub step: Step,
}

/// What can happen to a job under execution, in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum Step {
    /// Every job shell runs.
    Start(Map<String, Value>),
    /// Every job shell of a job started before was found again.
    Reattached(Map<String, Value>),
    /// Something went wrong.
    Exception {
        /// What kind.
        #[serde(rename = "type")]
        kind: String,
        /// 0 ends the job.
        severity: u32,
        /// A sentence for people.
        note: String,
    },
    /// All shells ended.
    Finish {
        /// The largest wait status among them.
        status: i32,
    },
    /// We are done with some of the resources.
    Release {
        /// Their ranks, or `all`.
        ranks: String,
        /// Whether these were the last.
        #[serde(rename = "final")]
        is_final: bool,
    },
}

/// Says which ranks the job cannot go on without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriticalRanks {
    /// The job.
    pub id: JobId,
    /// Idset of ranks within the job.
    pub ranks: String,
}

/// A shell has come to a barrier; answered when all shells of the job have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellBarrier {
    /// The job.
    pub id: JobId,
    /// The shell's rank.
    pub rank: u32,
}

/// Changes the end of a running job's time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expiration {
    /// The job.
    pub id: JobId,
    /// Seconds since the epoch; 0 for never.
    pub expiration: f64,
}

/// Lets a simulated job under manual control start or finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Override {
    /// The job.
    pub jobid: JobId,
    /// `start` or `finish`.
    pub event: String,
    /// Wait status to finish with, 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
}

/// A shell says that it is there. The orders that come back first tell it its job, then
/// what to do with it. Said again after every loss of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellHello {
    /// Its job.
    pub id: JobId,
    /// Its rank among the shells of the job.
    pub rank: u32,
    /// Its process id.
    pub pid: i32,
    /// The number that it was started under, which a later shell of the same job does
    /// not share: one that was replaced is refused.
    #[serde(default)]
    pub lease: String,
    /// Whether it knows its job already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// What a shell is to do. Several keys may come in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct ShellOrder {
    /// Run this. In the first answer to the first hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<ShellJob>,
    /// Send this signal to all tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The job's time ends then, in seconds since the epoch; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<f64>,
}

/// All that a shell must know of its job, besides the environment in `job.D.J`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShellJob {
    /// User id of the submitter.
    pub userid: u32,
    /// The jobspec as in [`Start`].
    pub jobspec: Value,
    /// The resources as in [`Start`].
    #[serde(rename = "R")]
    pub r: Value,
    /// The job's namespace in the KVS.
    pub namespace: String,
    /// When the last event of `exec.eventlog` was, in seconds since the epoch.
    #[serde(default)]
    pub t_log: f64,
    /// The broker's attributes that a shell needs.
    pub attrs: BTreeMap<String, String>,
}

/// A shell's tasks have ended. Sent until it is answered, which says that the outcome is
/// in the KVS and that the shell may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellExit {
    /// The job.
    pub id: JobId,
    /// The shell's rank.
    pub rank: u32,
    /// As in [`ShellHello`].
    #[serde(default)]
    pub lease: String,
    /// Exit code of the shell, 0 to 255.
    pub code: u8,
    /// Lines for `exec.eventlog` that the shell has not committed itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Lines for `output` that the shell has not committed itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// Asks for the configuration and the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// The configuration in effect and the jobs in hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// How jobs are run when they do not say.
    pub method: String,
    /// Seconds between attempts to end a job, as a duration.
    #[serde(rename = "kill-timeout")]
    pub kill_timeout: f64,
    /// Name of the first signal.
    #[serde(rename = "term-signal")]
    pub term_signal: String,
    /// Name of the second.
    #[serde(rename = "kill-signal")]
    pub kill_signal: String,
    /// After how many attempts a job is given up.
    #[serde(rename = "max-kill-count")]
    pub max_kill_count: i64,
    /// Seconds after which a job is given up; -1 when not set.
    #[serde(rename = "max-kill-timeout")]
    pub max_kill_timeout: f64,
    /// The same as it follows from all settings.
    #[serde(rename = "effective-max-kill-timeout")]
    pub effective_max_kill_timeout: f64,
    /// By job id in F58.
    pub jobs: BTreeMap<String, JobStats>,
    /// How shells are started.
    pub config: Value,
}

/// One job in hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobStats {
    /// How it is run.
    pub implementation: String,
    /// Its namespace.
    pub ns: String,
    /// Ranks that it is critical to keep.
    pub critical_ranks: String,
    /// Where it is: see `doc/states/job-exec.md`.
    pub state: String,
    /// Whether its shells run.
    pub running: u32,
    /// Whether a fatal exception happened.
    pub exception_in_progress: u32,
    /// How many attempts to end it there were.
    pub kill_count: u32,
    /// Shells and the ranks they are on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub active_ranks: String,
}

/// Event: an exception was raised on a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobException {
    /// The job.
    pub id: JobId,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 ends the job.
    pub severity: u32,
    /// Status to end the job with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_status: Option<i32>,
}

crate::refusals! {
    /// Why critical ranks were not set.
    pub enum CriticalRanksError {
        /// No such job here.
        NotFound => ENOENT "",
        /// The job is another user's.
        NotYours => EPERM "",
        /// Not an idset.
        Malformed => EINVAL "",
    }
}

crate::refusals! {
    /// Why a shell does not pass a barrier.
    pub enum ShellBarrierError {
        /// No such job here.
        NotFound => ENOENT "",
        /// The job is another user's.
        NotYours => EPERM "",
        /// The job is being ended.
        Canceled => ECANCELED "",
    }
}

crate::refusals! {
    /// Why an expiration was not changed.
    pub enum ExpirationError {
        /// No such job here.
        NotFound => ENOENT "Job not found",
        /// Not a number of seconds.
        Malformed => EINVAL "",
    }
}

crate::refusals! {
    /// Why a simulated job was not moved on.
    pub enum OverrideError {
        /// No such job here.
        NotFound => ENOENT "Job not found",
        /// The job is another user's.
        NotYours => EPERM "Permission denied",
        /// It is not under manual control.
        NotOverride => EINVAL "Job not in exec override mode",
        /// `start` of a job that runs.
        AlreadyRunning => EINVAL "Job already running",
        /// `finish` of a job that does not run.
        NotRunning => EINVAL "Job not running",
        /// Neither `start` nor `finish`.
        InvalidEvent => EINVAL "Invalid event",
    }
}

crate::refusals! {
    /// Why a shell is of no use, or not yet.
    pub enum ShellError {
        /// The job is not ours to run: the shell ends its tasks and goes.
        Unknown => ESRCH "no such job",
        /// Another shell took its place: it ends its tasks and goes.
        Replaced => ESRCH "this shell was replaced",
        /// The job is to end before its tasks were started: the shell goes.
        Canceled => ECANCELED "the job is being ended",
        /// Too many shells wait for their jobs: it asks again.
        Busy => EAGAIN "too many shells wait for their jobs",
    }
}

crate::json_payloads!(
    Start,
    Progress,
    CriticalRanks,
    ShellBarrier,
    Expiration,
    Override,
    ShellHello,
    ShellOrder,
    ShellExit,
    Stats,
    JobException,
);
crate::no_payloads!(StatsGet);

crate::events! {
    JobException = "job-exception" (OWNER), private
        : "An exception was raised on a job. Published by job-manager.";
}

crate::methods! {
    Start = "job-exec.start" (OWNER) => Progress, Refusal, Stream
        : "Starts a job; answered at every step of its life.";
    CriticalRanks = "job-exec.critical-ranks" (USER) => Empty, CriticalRanksError, idempotent
        : "Says which ranks a job cannot go on without.";
    ShellBarrier = "job-exec.shell-barrier" (USER) => Empty, ShellBarrierError, Later
        : "Holds a shell until all shells of its job are there.";
    Expiration = "job-exec.expiration" (OWNER) => Empty, ExpirationError, idempotent
        : "Changes the end of a running job's time.";
    Override = "job-exec.override" (USER) => Empty, OverrideError
        : "Lets a simulated job under manual control start or finish.";
    ShellHello = "job-exec.shell-hello" (OWNER) => ShellOrder, ShellError, Stream
        : "A shell says that it is there and takes orders.";
    ShellExit = "job-exec.shell-exit" (OWNER) => Empty, ShellError, idempotent, Later
        : "A shell's tasks have ended; answered when the outcome is stored.";
    StatsGet = "job-exec.stats-get" (OWNER) => Stats, Refusal, idempotent
        : "The configuration in effect and the jobs in hand.";
}
