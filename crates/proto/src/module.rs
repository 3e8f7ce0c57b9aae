//! module.*: loading modules and keeping track of them (protocol/03 section 4).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::JsonSchema;
use crate::{Empty, Never, Refusal};

/// Control type of the first message on a module's link: a ROUTER socket knows its peers
/// only once they have sent something. Not part of RFC 3, never sent to clients.
pub const HELLO: u32 = 16;

/// Phase of a module's life cycle, as sent by `module.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModuleStatus {
    /// Starting.
    Init = 0,
    /// Answering requests.
    Running = 1,
    /// Taking no new requests.
    Finalizing = 2,
    /// The module has exited.
    Exited = 3,
}

impl ModuleStatus {
    /// The letter that `flux module list` shows.
    pub fn letter(self) -> char {
        match self {
            Self::Init => 'I',
            Self::Running => 'R',
            Self::Finalizing => 'F',
            Self::Exited => 'X',
        }
    }

    /// The status numbered `number`.
    pub fn from_number(number: i64) -> Option<ModuleStatus> {
        [Self::Init, Self::Running, Self::Finalizing, Self::Exited]
            .into_iter()
            .find(|status| *status as i64 == number)
    }
}

/// Loads a module; answered when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Name, or path of an executable.
    pub path: String,
    /// Arguments for the module.
    pub args: Vec<String>,
    /// Name to load it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Program that runs the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader: Option<String>,
    /// Accepted for compatibility: every module is a process here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<bool>,
}

/// Removes a module; answered when it has exited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remove {
    /// Name or path.
    pub name: String,
    /// True to kill it instead of asking it to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<bool>,
    /// True if it will be loaded again at once: until then requests for it wait. Not known
    /// to other brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<bool>,
}

/// Asks for the loaded modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List;

/// The loaded modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleList {
    /// In the order of loading.
    pub mods: Vec<ModuleInfo>,
}

/// One loaded module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleInfo {
    /// Name it is loaded under.
    pub name: String,
    /// Path of its executable, or `builtin`.
    pub path: String,
    /// Seconds since it last sent something.
    pub idle: i64,
    /// See [`ModuleStatus`].
    pub status: i64,
    /// Services that it provides besides its name.
    pub services: Vec<String>,
    /// Messages queued to it.
    pub sendqueue: i64,
    /// Messages queued from it.
    pub recvqueue: i64,
}

/// Reports the status of a module. FINALIZING is answered; the others are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// See [`ModuleStatus`].
    pub status: i64,
    /// Error number of the exit, 0 if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errnum: Option<i64>,
    /// The same in words, for the client that waits for the module to be loaded; modules
    /// made for other brokers send none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errstr: Option<String>,
}

/// Holds messages to a module back, or releases them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DebugModule {
    /// Name of the module.
    pub name: String,
    /// True to defer messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defer: Option<bool>,
}

/// Asks for a copy of the messages that modules send and receive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// Message types wanted, as bits.
    pub typemask: i64,
    /// Glob for the topic.
    pub topic_glob: String,
    /// Modules wanted; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// Only requests to this rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodeid: Option<i64>,
    /// True to include payloads and error texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// True to include messages of the programs on the local socket, if no modules are
    /// named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<bool>,
}

/// One message seen: by a module, or on a link between brokers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Traced {
    /// Seconds since the epoch.
    pub timestamp: f64,
    /// `tx` or `rx` as seen by the module or program, or by the broker that was asked.
    pub prefix: String,
    /// Rank at the other end of the link; -1 for a module.
    pub rank: i64,
    /// The module, or the identity of a program; null for a link.
    pub name: Option<String>,
    /// The program's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Message type as on the wire.
    #[serde(rename = "type")]
    pub kind: i64,
    /// Topic, may be empty. A control message between brokers has `NAME STATUS` as its
    /// topic.
    pub topic: String,
    /// Matchtag of a request or response, which links them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matchtag: Option<u32>,
    /// Bytes of payload.
    pub payload_size: i64,
    /// The payload if requested and JSON.
    pub payload: Value,
    /// Error number of a response.
    pub errnum: i64,
    /// Error text if requested.
    pub errstr: String,
    /// Delivery policy of a request whose service is not available: `now`, `best-effort`, or
    /// `wait` with the seconds that are left; absent for a request without a time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// Outcome of a request that was answered in place of its service, and the rank that
    /// answered: `OUTCOME@RANK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

crate::json_payloads!(Load, Remove, ModuleList, Status, DebugModule, Trace, Traced);
crate::no_payloads!(List);

crate::methods! {
    Load = "module.load" (OWNER) => Empty, Refusal, Later : "Loads a module; answered when it is \
        running.";
    Remove = "module.remove" (OWNER) => Empty, Refusal, Later : "Removes a module; answered when \
        it has exited.";
    List = "module.list" (USER) => ModuleList, Never, idempotent : "Lists the loaded modules.";
    Status = "module.status" (OWNER) => Empty, Refusal : "Reports the status of a module.";
    DebugModule = "module.debug" (OWNER) => Empty, Refusal : "Holds messages to a module back, \
        or releases them.";
    Trace = "module.trace" (OWNER) => Traced, Refusal, Stream
        : "Copies the messages that modules send and receive.";
}
