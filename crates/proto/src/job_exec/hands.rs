//! Protocol between the job-execs of all ranks: that of rank 0 owns the jobs, the others
//! start and serve the shells of their own rank, and pass messages on to those below.
//!
//! Orders go down and news goes up the tree of brokers, in one message per link for
//! everything that has gathered. Both describe states rather than changes: a repeated
//! message has no further effect, and after a break each side sends its whole state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shells::{GuestLines, LostShells, ShellBatch};
use crate::Refusal;
use crate::data::{IdSet, JobId};
use crate::raw_json::RawJson;
use crate::schema::JsonSchema;

/// Announces a job-exec to the one above it, with the parts of jobs held by it and those
/// below it. Sent upstream; the stream carries orders until either side ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Join {
    /// Rank of its broker.
    pub rank: u32,
    /// UUID of its broker: a different one has replaced a lost broker, with everything
    /// that ran there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub broker: String,
    /// True if it has just started and may not know everything yet.
    pub fresh: bool,
    /// Jobs that it holds.
    pub parts: Vec<Held>,
}

/// State of one job in a job-exec and those below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Ranks of the brokers of the shells.
    pub ranks: IdSet,
    /// True if it knows the job, and not only its shells.
    pub knows: bool,
    /// Number of the last [`Pressure`] that it has passed on.
    pub pressed: u32,
    /// The barrier that opened last, when it joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Open>,
    /// State.
    pub news: News,
}

/// Reports news to the job-exec above. Answered when the news has been processed; one at a
/// time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Rank of the sender's broker.
    pub rank: u32,
    /// Parts, by job. Changes since it joined are included.
    pub parts: Vec<Held>,
}

/// Changes of the shells of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct News {
    /// Job id.
    pub id: JobId,
    /// Lease under which its shells were started.
    pub lease: String,
    /// Ranks of brokers whose shells are running.
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    pub running: IdSet,
    /// Shells that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
    /// Shells waiting at a barrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<AtBarrier>,
    /// Messages for the leading shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
    /// Messages that the leading shell has received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Output of shells to their own standard streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrote: Vec<Wrote>,
}

/// End of the shells of some ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Ranks of their brokers. More than one only where nothing is known about any.
    pub ranks: IdSet,
    /// Exit or signal.
    pub how: How,
}

/// End of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The shell sent its last message.
    Word {
        /// The wait status.
        status: i32,
        /// As in [`super::ShellExit`].
        #[serde(default, skip_serializing_if = "GuestLines::is_empty")]
        lines: GuestLines,
    },
    /// The process ended without a last message, with this wait status.
    Silent(i32),
    /// The shell could not be started.
    Failed(String),
    /// The broker was lost.
    NodeLost,
    /// There is no job-exec on its broker.
    NotLoaded,
    /// The broker is shutting down, and has stopped its job-exec.
    Ending,
    /// The shell does not connect to us.
    NoContact,
}

/// Shells waiting at a barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct AtBarrier {
    /// Number of the barrier.
    pub seq: u32,
    /// Ranks of their brokers.
    pub ranks: IdSet,
    /// Data from the shells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// The data exceeded the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_much: bool,
}

/// Messages of a shell on their way to the leading one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Letter {
    /// Rank of the leading shell's broker.
    pub to: u32,
    /// Rank of the sender's broker.
    pub from: u32,
    /// Messages.
    pub told: ShellBatch,
}

/// The answer to a letter, on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Rank of the sender's broker.
    pub to: u32,
    /// Sequence number.
    pub seq: u64,
    /// 0 if the leading shell has them, or an error number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errnum: u32,
}

/// Output of a shell to one of its own standard streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wrote {
    /// Rank of its broker.
    pub rank: u32,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Bytes written.
    pub data: String,
}

/// Orders for a job-exec, by job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Orders {
    /// Orders, in this order.
    pub orders: Vec<Order>,
}

/// Orders for one job. Several keys may come in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Order {
    /// Job id.
    pub id: JobId,
    /// Lease under which its shells are started.
    pub lease: String,
    /// Start shells, under this lease and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// Release the job to its shells: the log says that they were started, with the time of
    /// its last event, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<f64>,
    /// The job's namespace exists.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub namespace: bool,
    /// End the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub press: Option<Pressure>,
    /// Expiration of the job, in seconds since the epoch; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<f64>,
    /// A barrier is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// For the leading shell: other shells that were lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostShells>,
    /// Messages for the leading shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
    /// Messages that the leading shell has received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Report news at once, without waiting for the rest of the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hurry: bool,
    /// The job is dismissed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismiss: Option<Dismissal>,
}

/// Shells to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Launch {
    /// Ranks of brokers that take part in the job, here and below.
    pub ranks: IdSet,
    /// Ranks of them where a shell is to be started: none to announce the job only.
    pub start: IdSet,
    /// The job, a [`Task`].
    pub job: RawJson,
}

/// Description of a job for its shells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Task {
    /// User id of the submitter.
    pub userid: u32,
    /// The jobspec as in [`super::Start`].
    pub jobspec: Value,
    /// The resources as in [`super::Start`].
    #[serde(rename = "R")]
    pub r: Value,
}

/// Escalation that ends a job, step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pressure {
    /// Number of the step, from 1.
    pub n: u32,
    /// The signal to send.
    pub signum: i32,
    /// True to signal the shells instead of their tasks.
    pub shells: bool,
}

/// An open barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Open {
    /// Number of the barrier.
    pub seq: u32,
    /// Data from all shells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// 0, or the error for which neither this barrier nor a later one opens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errnum: u32,
}

/// Reasons for dismissing shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dismissal {
    /// The outcome of the job is stored.
    Stored,
    /// No job-exec has this job.
    Unknown,
    /// Other shells have replaced them.
    Replaced,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

crate::refusals! {
    /// Errors of joining or reporting.
    pub enum JoinError {
        /// Only the job-exec of a broker below sends it, for itself and those below it.
        NotBelow => EPERM "only a job-exec below this broker may join",
        /// The job-exec has not joined.
        NotJoined => ESRCH "join first",
        /// The job-exec has joined again.
        Replaced => ECONNRESET "joined again",
        /// This job-exec has not joined the one above yet.
        NotReady => EAGAIN "not ready",
    }
}

impl Held {
    /// Job.
    pub fn id(&self) -> JobId {
        self.news.id
    }
}

impl Order {
    /// An empty order for a job.
    pub fn of(id: JobId, lease: &str) -> Order {
        Order {
            id,
            lease: lease.to_owned(),
            ..Order::default()
        }
    }

    /// True if it is empty.
    pub fn is_empty(&self) -> bool {
        *self == Order::of(self.id, &self.lease)
    }
}

impl Task {
    /// The text to send.
    pub fn text(&self) -> Result<RawJson, Refusal> {
        RawJson::of(self).map_err(|error| Refusal::new(crate::Errno::EINVAL, error.to_string()))
    }
}
