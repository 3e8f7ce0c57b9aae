//! Methods of every module, and of the broker under its own name (protocol/03 section 3).
//! Topics are written with `NAME` for the module's name; `node` answers them unless a
//! module does so itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::JobId;
use crate::data::job::JobStep;
use crate::data::times::Times;
use crate::payload::{decode_json, encode_json};
use crate::schema::JsonSchema;
use crate::{BadPayload, Empty, Never, Object, Payload, Refusal};

/// Asks for a response with the same object, the route taken and the sender's credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct Ping(pub Object);

/// The request's own keys with the responder's added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pong {
    /// Identities on the route, first sender first, cut to eight characters, joined by
    /// `!`.
    pub route: String,
    /// User id that the request carried.
    pub userid: u32,
    /// Role bits that the request carried.
    pub rolemask: u32,
    /// Rank of the responder.
    pub rank: u32,
    /// Payload of the request.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Messages by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct MessageCounts {
    /// Requests.
    pub request: u64,
    /// Responses.
    pub response: u64,
    /// Events.
    pub event: u64,
    /// Control messages.
    pub control: u64,
}

/// Response to `stats-get` of a module without counters of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct MessageStats {
    /// Sent.
    pub tx: MessageCounts,
    /// Received.
    pub rx: MessageCounts,
}

/// Durations of handlers, by topic. Every response to `NAME.stats-get` has this under the
/// key [`HANDLERS`], besides the counters of the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct HandlerTimes {
    /// All handlers together.
    pub all: Times,
    /// Each handler: `request TOPIC`, `response TOPIC` (to requests of the module), `event
    /// TOPIC`, or another cause.
    pub each: BTreeMap<String, Times>,
}

/// The key of [`HandlerTimes`].
pub const HANDLERS: &str = "handlers";

/// Sets the counters to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsClear;

/// Asks for the resource use of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Rusage {
    /// `self` (default), `children` or `thread`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// getrusage(2), field by field; times in seconds, memory in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[allow(missing_docs, reason = "the fields are those of getrusage(2)")]
pub struct RusageReply {
    pub utime: f64,
    pub stime: f64,
    pub maxrss: i64,
    pub ixrss: i64,
    pub idrss: i64,
    pub isrss: i64,
    pub minflt: i64,
    pub majflt: i64,
    pub nswap: i64,
    pub inblock: i64,
    pub oublock: i64,
    pub msgsnd: i64,
    pub msgrcv: i64,
    pub nsignals: i64,
    pub nvcsw: i64,
    pub nivcsw: i64,
    /// Our extension: the memory in use now, for `self`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss: Option<i64>,
}

crate::refusals! {
    /// Errors of `rusage`.
    pub enum RusageError {
        /// `who` is not one of the three.
        UnsupportedWho(String) => EINVAL "{0} is unsupported",
    }
}

crate::refusals! {
    /// Errors of asking for counts of all users' jobs.
    pub enum HiddenError {
        /// The instance hides them from other users (`access.private-mode`).
        Private => EPERM "",
    }
}

/// Asks for the counters that every component has, without those of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics;

/// Counters that every component has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct MetricsReply {
    /// Messages.
    pub messages: MessageStats,
    /// Times of handlers.
    pub handlers: HandlerTimes,
    /// Requests that it has not answered.
    pub open: u64,
    /// Requests of its own that are not answered.
    pub asked: u64,
    /// Resources that its process uses.
    pub usage: RusageReply,
}

/// Requests the steps of a job that the service has noted, in addition to the job's logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobTrace {
    /// Id of the job.
    pub id: JobId,
}

/// The steps of one job in one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct JobTraced {
    /// In the order in which they were taken.
    pub steps: Vec<Stepped>,
    /// Steps before this time are forgotten, in seconds since the epoch; absent while none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
}

/// A step that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stepped {
    /// Name of the step.
    pub step: JobStep,
    /// Start of the handler that took it, in seconds since the epoch.
    pub t: f64,
    /// Duration of that handler in all, in seconds.
    pub took: f64,
}

/// Changes the debug bits of the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Debug {
    /// `setbit`, `clrbit`, `set` or `clr`.
    pub op: String,
    /// Bits to set or clear.
    pub flags: i64,
}

/// The debug bits after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DebugReply {
    /// All bits.
    pub flags: i64,
}

/// Sends the module a new configuration, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(transparent)]
pub struct ConfigReload(pub Object);

/// Sends the module a changed attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttrTold {
    /// Name.
    pub name: String,
    /// Value; absent if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Asks the module to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Shutdown {
    /// True to hand its unanswered requests to its next process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<bool>,
}

impl Payload for Shutdown {
    fn encode(&self) -> Bytes {
        match self.returns {
            None => Bytes::new(),
            Some(_) => encode_json(self),
        }
    }

    fn decode(payload: Option<&Bytes>) -> Result<Self, BadPayload> {
        match payload {
            None => Ok(Shutdown::default()),
            Some(_) => decode_json(payload),
        }
    }

    fn schema() -> Option<crate::schema::Schema> {
        crate::schema::of::<Shutdown>()
    }
}

/// Notice that a client has disconnected; drop its state (RFC 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disconnect;

/// Cancels the request of the same sender with `matchtag` (RFC 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// Matchtag of the request to cancel.
    pub matchtag: u32,
}

/// First message of the broker to a module (protocol/03 section 4.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Welcome {
    /// Arguments of `flux module load`.
    pub args: Option<Vec<String>>,
    /// Attributes that can no longer change, and those whose changes are sent to modules.
    pub attrs: BTreeMap<String, String>,
    /// The configuration.
    pub conf: Object,
    /// The name it is loaded under.
    pub name: String,
    /// Identity on route stacks.
    pub uuid: String,
}

crate::no_payloads!(StatsGet, StatsClear, Metrics, Disconnect);
crate::json_payloads!(
    Ping,
    Pong,
    MessageStats,
    Rusage,
    RusageReply,
    JobTrace,
    JobTraced,
    MetricsReply,
    Debug,
    DebugReply,
    ConfigReload,
    AttrTold,
    Cancel,
    Welcome
);

crate::events! {
    StatsClear = "NAME.stats-clear" (OWNER) : "Sets the counters of a module to zero, on every rank.";
}

crate::methods! {
    Ping = "NAME.ping" (USER) => Pong, Never, idempotent
        : "Answers with the request's payload, the route taken and the sender's credential.";
    StatsGet = "NAME.stats-get" (ALL) => MessageStats, Never, idempotent
        : "Message counters; many modules return counters of their own. All add the durations of \
            their handlers, as `handlers`.";
    StatsClear = "NAME.stats-clear" (OWNER) => Empty, Never, idempotent
        : "Sets the counters to zero; also taken as an event of this topic.";
    Rusage = "NAME.rusage" (USER) => RusageReply, RusageError, idempotent
        : "Resource use of the process, from getrusage(2).";
    Metrics = "NAME.metrics" (OWNER) => MetricsReply, Never, idempotent
        : "Counters of every component, at once: messages, handler times, use of resources.";
    JobTrace = "NAME.job-trace" (OWNER) => JobTraced, Never, idempotent
        : "The steps of a job that the service has noted, as far back as it keeps them.";
    Debug = "NAME.debug" (OWNER) => DebugReply, Refusal
        : "Sets or clears debug bits, which tests use to trigger rare code paths.";
    ConfigReload = "NAME.config-reload" (OWNER) => Empty, Refusal, idempotent
        : "Sends a new configuration; a refusal rolls the change back.";
    AttrTold = "NAME.attr-told" (OWNER) => Empty, Never, idempotent
        : "Sends the module a changed attribute.";
    Shutdown = "NAME.shutdown" (OWNER) => Empty, Never, Nothing
        : "Asks the module to stop.";
    Disconnect = "NAME.disconnect" (ALL) => Empty, Never, Nothing
        : "Sent by a router when a client has disconnected.";
    Cancel = "NAME.cancel" (ALL) => Empty, Never, Nothing
        : "Cancels a waiting request of the same sender: it gets ENODATA. Work that it has begun \
            is not undone.";
}
