//! Protocol between the job-execs of all ranks: that of rank 0 owns the jobs, the others
//! start and serve the shells of their own rank, and pass messages on to those below.
//!
//! Orders go down and news goes up the tree of brokers, one message a link for all that has
//! gathered. Both say how things stand more than what has changed: what is told twice is the
//! same as told once, and after a break each side tells the other all that it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shells::{GuestLines, LostShells, Told};
use crate::Refusal;
use crate::data::{IdSet, JobId};
use crate::raw_json::RawJson;
use crate::schema::JsonSchema;

/// A job-exec says to the one above it that it is there, and which parts of jobs it and those
/// below it have. Sent upstream; the stream carries orders until one of the two ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Join {
    /// Rank of its broker.
    pub rank: u32,
    /// UUID of its broker: another one has taken the place of a broker that is lost, with
    /// all that ran there.
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
    /// The ranks of those brokers whose shells are meant.
    pub ranks: IdSet,
    /// True if it knows the job, and not only its shells.
    pub knows: bool,
    /// Number of the last [`Pressure`] that it has passed on.
    pub pressed: u32,
    /// The barrier that opened last, when it joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Open>,
    /// All that is to be told of it.
    pub news: News,
}

/// Tells the job-exec above what is new. Answered when that is in its hands; one at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Rank of the broker of the one that says it.
    pub rank: u32,
    /// By job. Changes since it joined are included.
    pub parts: Vec<Held>,
}

/// Changes of the shells of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct News {
    /// The job.
    pub id: JobId,
    /// The number that its shells were started under.
    pub lease: String,
    /// Ranks of brokers whose shells run.
    #[serde(default, skip_serializing_if = "IdSet::is_empty")]
    pub running: IdSet,
    /// Shells that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
    /// The barrier to which shells have come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barrier: Option<AtBarrier>,
    /// Words for the leading shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
    /// Words that the leading shell has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Output of shells to their own standard streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrote: Vec<Wrote>,
}

/// End of the shells of some ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Ranks of their brokers. More than one only where nothing is known of any.
    pub ranks: IdSet,
    /// Exit or signal.
    pub how: How,
}

/// End of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It said its last word.
    Word {
        /// Its wait status.
        status: i32,
        /// As in [`super::ShellExit`].
        #[serde(default, skip_serializing_if = "GuestLines::is_empty")]
        lines: GuestLines,
    },
    /// Its process ended without a word, with this wait status.
    Silent(i32),
    /// It could not be started.
    Failed(String),
    /// Its broker is not there any more.
    NodeLost,
    /// There is no job-exec on its broker.
    NotLoaded,
    /// Its broker is ending, and has ended its job-exec.
    Ending,
    /// It does not speak to us.
    NoContact,
}

/// Shells have come to a barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct AtBarrier {
    /// Number of the barrier.
    pub seq: u32,
    /// Ranks of their brokers.
    pub ranks: IdSet,
    /// Data from the shells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// There was more than may be told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub too_much: bool,
}

/// Words of a shell on their way to the leading one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Letter {
    /// Rank of the broker where the leading shell is.
    pub to: u32,
    /// Rank of the broker where they come from.
    pub from: u32,
    /// The words.
    pub told: Told,
}

/// The answer to a letter, on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Rank of the broker where the words came from.
    pub to: u32,
    /// Their number.
    pub seq: u64,
    /// 0 if the leading shell has them, or why not.
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
    /// In this order.
    pub orders: Vec<Order>,
}

/// Orders for one job. Several keys may come in one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Order {
    /// The job.
    pub id: JobId,
    /// The number that its shells are started under.
    pub lease: String,
    /// Start shells, under this lease and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<Launch>,
    /// Shells may be told their job: a log says that they were started, whose last event was
    /// then, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<f64>,
    /// The job's namespace is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub namespace: bool,
    /// The job is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub press: Option<Pressure>,
    /// The job's time ends then, in seconds since the epoch; 0 for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<f64>,
    /// A barrier is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// For the leading shell: others that are not there any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostShells>,
    /// Words for the leading shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub letters: Vec<Letter>,
    /// Words that the leading shell has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Tell at once what is new, without waiting for the rest of the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hurry: bool,
    /// Nothing more is wanted of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dismiss: Option<Dismissal>,
}

/// Shells to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Launch {
    /// Ranks of brokers that have part in the job, here and below.
    pub ranks: IdSet,
    /// Those of them where a shell is to be started: none to make the job known.
    pub start: IdSet,
    /// The job, a [`Task`].
    pub job: RawJson,
}

/// A job as shells must know it.
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
    /// 0, or why neither this barrier nor a later one opens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errnum: u32,
}

/// Reasons for dismissing shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dismissal {
    /// The outcome of the job is stored.
    Stored,
    /// Nobody has this job.
    Unknown,
    /// Other shells took their place.
    Replaced,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

crate::refusals! {
    /// Errors of joining or reporting.
    pub enum JoinError {
        /// Only job-exec of a broker below says it, for itself and those below it.
        NotBelow => EPERM "only a job-exec below this broker may join",
        /// It has not joined.
        NotJoined => ESRCH "join first",
        /// It joined again.
        Replaced => ECONNRESET "joined again",
        /// This one has not joined the one above yet.
        NotReady => EAGAIN "not ready",
    }
}

impl Held {
    /// Of which job it is.
    pub fn id(&self) -> JobId {
        self.news.id
    }
}

impl Order {
    /// An order for a job that has nothing in it.
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
    /// The text that travels.
    pub fn text(&self) -> Result<RawJson, Refusal> {
        RawJson::of(self).map_err(|error| Refusal::new(crate::Errno::EINVAL, error.to_string()))
    }
}
