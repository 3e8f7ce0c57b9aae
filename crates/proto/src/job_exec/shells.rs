//! Protocol between job shells and the job-exec of their broker. A shell outlives it: its
//! requests may be repeated after a restart.
//!
//! The shells of a job know each other by their ranks in the job. The leading one, shell rank
//! 0, runs on the first rank of R; the others send it their messages through the job-execs
//! between them. Messages between shells are passed on unread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{IdSet, JobId};
use crate::raw_json::RawJson;
use crate::schema::JsonSchema;

/// Announces a shell. The orders that come back first describe its job, then its actions.
/// Sent again after every loss of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellHello {
    /// Job id.
    pub id: JobId,
    /// Rank among the shells of the job; 0 as long as it does not know its job.
    pub rank: u32,
    /// Process id.
    pub pid: i32,
    /// Lease under which it was started, which a later shell of the same job does not
    /// share: a replaced shell is refused.
    #[serde(default)]
    pub lease: String,
    /// True if it knows its job already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Order for a shell. Several keys may come in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct ShellOrder {
    /// Run this. Sent in the first answer to the first hello.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<ShellJob>,
    /// Send this signal to all tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Expiration of the job, in seconds since the epoch; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<f64>,
    /// The job's namespace exists. Nothing can be stored in it before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub namespace: bool,
    /// Other shells that were lost. Only sent to the leading shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostShells>,
    /// Time that it may be without a broker, in seconds; no limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<f64>,
}

/// Shells that disconnected without reporting, or whose node was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LostShells {
    /// Ranks among the shells of the job.
    pub ranks: IdSet,
    /// Severity of the exception that was raised for it: 0 ends the job.
    pub severity: u32,
    /// Text for the user; empty if the exception has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Description of a job for a shell, besides the environment in `job.D.J`.
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
    /// Time of the last event of `exec.eventlog`, in seconds since the epoch.
    #[serde(default)]
    pub t_log: f64,
    /// Broker attributes that a shell needs.
    pub attrs: BTreeMap<String, String>,
}

/// Reports the end of a shell's tasks. Sent until it is answered, which confirms that the
/// outcome is in the KVS and that the shell may exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellExit {
    /// Job id.
    pub id: JobId,
    /// The shell's rank.
    pub rank: u32,
    /// As in [`ShellHello`].
    #[serde(default)]
    pub lease: String,
    /// Exit code of the shell, 0 to 255.
    pub code: u8,
    /// Lines not yet stored.
    #[serde(default, skip_serializing_if = "GuestLines::is_empty")]
    pub lines: GuestLines,
}

/// Lines of a job's guest logs that its shell has not committed itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestLines {
    /// For `exec.eventlog`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// For `output`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// For `input`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub input: String,
}

impl GuestLines {
    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Size of the lines in bytes.
    pub fn bytes(&self) -> usize {
        self.log.len() + self.output.len() + self.input.len()
    }

    /// Appends lines to each log.
    pub fn add(&mut self, more: &GuestLines) {
        self.log += &more.log;
        self.output += &more.output;
        self.input += &more.input;
    }

    /// The logs that have lines, by their names in the guest directory.
    pub fn by_name(self) -> impl Iterator<Item = (&'static str, String)> {
        let logs = [
            ("exec.eventlog", self.log),
            ("output", self.output),
            ("input", self.input),
        ];
        logs.into_iter().filter(|(_, lines)| !lines.is_empty())
    }
}

/// Enters a barrier; answered when all shells of the job have, with their data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellBarrier {
    /// Job id.
    pub id: JobId,
    /// The shell's rank; without a lease, the rank of its broker (protocol/21 section 10).
    pub rank: u32,
    /// As in [`ShellHello`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
    /// Number of the barrier, counted from 0 for each job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// Data for all shells when it opens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
}

/// A barrier is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct BarrierOpen {
    /// Data from all shells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
}

/// Sends messages to the leading shell of a job. Answered when that shell has them;
/// repeated under the same number until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellTell {
    /// Job id.
    pub id: JobId,
    /// The shell's rank.
    pub rank: u32,
    /// As in [`ShellHello`].
    pub lease: String,
    /// Sequence number of this message.
    pub seq: u64,
    /// Messages.
    pub words: Vec<RawJson>,
}

/// Asks for messages of other shells to the leading one. Answered when there are some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellHear {
    /// Job id.
    pub id: JobId,
    /// The shell's rank, which is 0.
    pub rank: u32,
    /// As in [`ShellHello`].
    pub lease: String,
    /// `at` of the last [`ShellBatches`], all of which was processed; 0 the first time.
    #[serde(default)]
    pub after: u64,
}

/// Messages of other shells to the leading one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct ShellBatches {
    /// Messages, in the order in which they came.
    pub words: Vec<ShellBatch>,
    /// To be sent back when all of them are processed: later messages come next.
    pub at: u64,
}

/// Messages of one shell. May be repeated under the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellBatch {
    /// The shell's rank.
    pub rank: u32,
    /// As in [`ShellTell`].
    pub seq: u64,
    /// As in [`ShellTell`].
    pub words: Vec<RawJson>,
}

crate::refusals! {
    /// Errors of entering a barrier.
    pub enum ShellBarrierError {
        /// No such job here.
        NotFound => ENOENT "job not found",
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// Another shell has replaced it.
        Replaced => ESRCH "this shell was replaced",
        /// This job-exec was restarted and does not know its job yet: the shell must ask
        /// again.
        NotReady => EHOSTUNREACH "the job is not known here yet",
        /// The job is being ended.
        Canceled => ECANCELED "",
        /// Some shells of the job were lost: the barrier cannot open.
        Broken => EIO "",
        /// The shell of that rank has passed this barrier, or has no part in it.
        NotPending(u32) => EINVAL "rank {0} is not pending in barrier",
        /// The job is only simulated.
        NotSupported(&'static str) => ENOSYS "{0} does not support shell barrier",
        /// The data for a barrier exceed the limit.
        TooMuch => EMSGSIZE "too much data at a barrier",
    }
}

crate::refusals! {
    /// Errors of a shell's requests.
    pub enum ShellError {
        /// The job is not ours to run: the shell must kill its tasks and exit.
        Unknown => ESRCH "no such job",
        /// Another shell has replaced it: it must kill its tasks and exit.
        Replaced => ESRCH "this shell was replaced",
        /// The job is to end before its tasks were started: the shell must exit.
        Canceled => ECANCELED "the job is being ended",
        /// Too many shells wait for their jobs: it must ask again.
        Busy => EAGAIN "too many shells wait for their jobs",
    }
}

crate::refusals! {
    /// Errors of messages between shells.
    pub enum ShellTellError {
        /// Another shell has replaced it: it must kill its tasks and exit.
        Replaced => ESRCH "this shell was replaced",
        /// The leading shell has ended: nobody reads the message.
        NoReader => EPIPE "the leading shell has ended",
        /// Only the leading shell receives messages.
        NotLeading => EINVAL "only the leading shell is told something",
        /// A second request while the first one waits.
        Again => EINVAL "asked again",
        /// The leading shell is busy, or this job-exec was restarted and does not know the job
        /// yet: the shell must ask again later.
        Busy => EAGAIN "the leading shell has much to take in, or is not known here yet",
        /// Too long for one message: it must be sent in parts.
        TooLong => EMSGSIZE "too long for one message",
    }
}
