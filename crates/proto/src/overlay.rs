//! overlay.*: the tree of brokers, and their status (protocol/03 section 11, protocol/20).
//! An instance of one broker is the tree with no children.

use serde::{Deserialize, Serialize};

use crate::data::IdSet;
use crate::module::Traced;
use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Status of a broker and its subtree.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not known.
    Unknown = 0,
    /// All brokers are online.
    Full = 1,
    /// Some have not joined yet, or have left in order.
    Partial = 2,
    /// A broker of the subtree was lost.
    Degraded = 3,
    /// The broker itself was lost.
    Lost = 4,
    /// The broker has not joined yet, or has left in order.
    Offline = 5,
}

impl Status {
    /// The status of this number, as hello and control messages carry it.
    pub fn from_number(number: u32) -> Status {
        match number {
            1 => Status::Full,
            2 => Status::Partial,
            3 => Status::Degraded,
            4 => Status::Lost,
            5 => Status::Offline,
            _ => Status::Unknown,
        }
    }

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Full => "full",
            Status::Partial => "partial",
            Status::Degraded => "degraded",
            Status::Lost => "lost",
            Status::Offline => "offline",
        }
    }

    /// True if the broker itself is online.
    pub fn is_online(self) -> bool {
        matches!(self, Status::Full | Status::Partial | Status::Degraded)
    }
}

/// Values of control messages between brokers (protocol/20 section 6).
pub mod control {
    /// The sender is alive.
    pub const HEARTBEAT: u32 = 0;
    /// The sender's subtree has the status that is its argument.
    pub const STATUS: u32 = 1;
    /// The receiver is no longer a child of the sender.
    pub const DISCONNECT: u32 = 2;
}

/// The oldest and the newest protocol between brokers that this version supports.
pub const PROTOCOLS: (u32, u32) = (1, 1);

/// First message of a child to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hello {
    /// Rank.
    pub rank: u32,
    /// The version of Flux that it is compatible with: 65536 times the first number, 256
    /// times the second, and the third.
    pub version: u32,
    /// The identity under which it sends.
    pub uuid: String,
    /// Number of the status of its subtree.
    pub status: u32,
    /// Host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The oldest and the newest protocol between brokers that it supports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<(u32, u32)>,
}

/// Response of the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// Identity of the parent.
    pub uuid: String,
    /// The protocol to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// The hosts of all ranks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostlist: Option<String>,
}

crate::refusals! {
    /// Errors of the hello of a broker.
    pub enum HelloError {
        /// Only brokers may send it, when they join.
        NotOwner => EPERM "",
        /// The configuration has another host for this rank.
        WrongHost(String) => EINVAL "{0}",
        /// The place in the tree is below another rank.
        NotChild(u32, u32) => EINVAL "rank {0} is not a child of rank {1}: mismatched config?",
        /// There is no protocol that both support.
        Version(String, String) => EINVAL "client ({0}) version mismatched with server ({1})",
        /// The key differs from that of the rank's current broker.
        WrongKey(u32) => EPERM "rank {0} does not hold the key of that rank",
        /// The name is no UUID, or not the one that it sends under.
        WrongUuid => EOVERFLOW "",
    }
}

/// Last message of a child to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Goodbye;

/// Asks for changes of the children of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Monitor;

/// State of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChildState {
    /// Rank.
    pub rank: u32,
    /// Status of its subtree.
    pub status: Status,
    /// True if it has been silent for too long.
    pub torpid: bool,
}

/// Disconnects a child and all brokers below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisconnectSubtree {
    /// The child.
    pub rank: u32,
}

/// Makes a broker leave its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisconnectParent {
    /// Reason.
    pub reason: String,
}

crate::refusals! {
    /// Errors of disconnecting a child.
    pub enum DisconnectError {
        /// The rank is not a child of this broker.
        NotChild => ENOENT "requested rank is not this broker's direct child",
        /// The child is not online.
        NotOnline(u32, String) => EINVAL "rank {0} is already {1}",
        /// There is no parent.
        NoParent => EINVAL "this broker has no parent",
    }
}

/// Asks for the status of a broker and its subtree; as a stream, again at every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health;

/// Status of a broker and its children.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReply {
    /// Rank.
    pub rank: u32,
    /// Status of the whole subtree.
    pub status: Status,
    /// Seconds in this status.
    pub duration: f64,
    /// Children.
    pub children: Vec<ChildHealth>,
}

/// State of a child, as seen by its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChildHealth {
    /// Rank.
    pub rank: u32,
    /// Status of its subtree.
    pub status: Status,
    /// Seconds in this status.
    pub duration: f64,
    /// Error by which it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Asks for the tree below a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// The broker asked, or a child of it.
    pub rank: u32,
}

/// A tree of brokers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tree {
    /// The broker at its top.
    pub rank: u32,
    /// Number of brokers in its subtree.
    pub size: u32,
    /// The trees below.
    pub children: Vec<Tree>,
}

/// Asks for the child that sends under an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RankOf {
    /// The identity, as it is on the route of messages from there.
    pub uuid: String,
}

/// A child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RankReply {
    /// Rank.
    pub rank: u32,
}

crate::refusals! {
    /// Errors of looking up a child.
    pub enum RankError {
        /// The identity belongs to no child, or to a former one.
        NotChild => ENOENT "no child of this broker has this identity",
    }
}

/// Asks for a copy of the messages on the links of a broker to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// Message types wanted, as bits.
    pub typemask: i64,
    /// Glob for the topic.
    pub topic_glob: String,
    /// Only the link to this rank; all if -1.
    pub nodeid: i64,
    /// True to include payloads and error texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of a broker's links to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Stats {
    /// Number of children in the tree.
    pub child_count: u32,
    /// Number of children connected.
    pub child_connected: u32,
    /// Number of parents: 0 or 1.
    pub parent_count: u32,
    /// Calls waiting for the parent.
    pub parent_rpc: u64,
    /// Calls waiting for children.
    pub child_rpc: u64,
}

crate::refusals! {
    /// Errors of getting the topology.
    pub enum TopologyError {
        /// Only this broker and its children are known.
        NotHere => ENOENT "requested rank is not this broker or its direct child",
    }
}

crate::json_payloads!(
    HealthReply,
    Topology,
    Tree,
    RankOf,
    RankReply,
    Trace,
    Stats,
    Hello,
    Welcome,
    ChildState,
    DisconnectSubtree,
    DisconnectParent
);
crate::no_payloads!(Health, StatsGet, Goodbye, Monitor);

crate::methods! {
    Health = "overlay.health" (USER) => HealthReply, Refusal, idempotent, Either
        : "Status of a broker and its children; as a stream, again at every change.";
    Topology = "overlay.topology" (USER) => Tree, TopologyError, idempotent
        : "The tree of brokers below a rank.";
    RankOf = "overlay.rank-of" (OWNER) => RankReply, RankError, idempotent
        : "Returns the child that sends under an identity: so a module knows from where it is \
            asked.";
    Trace = "overlay.trace" (OWNER) => Traced, Refusal, Stream
        : "Copies the messages between a broker and its neighbours in the tree. Heartbeats of \
            links, and traces, are left out.";
    StatsGet = "overlay.stats-get" (USER) => Stats, Refusal, idempotent
        : "Counters of a broker's links to others.";
    Monitor = "overlay.monitor" (OWNER) => ChildState, Refusal, idempotent, Stream
        : "Returns each child that is online or silent, and then every change of a child.";
    Hello = "overlay.hello" (OWNER) => Welcome, HelloError
        : "Admits a child. Sent over the link itself, before anything else.";
    Goodbye = "overlay.goodbye" (OWNER) => Empty, Refusal
        : "A child leaves in order. Only accepted from children.";
    DisconnectSubtree = "overlay.disconnect-subtree" (OWNER) => Empty, DisconnectError
        : "Disconnects a child and all brokers below it.";
    DisconnectParent = "overlay.disconnect-parent" (OWNER) => Empty, DisconnectError
        : "Leaves the parent, as if the parent had disconnected this broker.";
}

impl Tree {
    /// The tree of this top within it.
    pub fn find(&self, rank: u32) -> Option<&Tree> {
        match self.rank == rank {
            true => Some(self),
            false => self.children.iter().find_map(|child| child.find(rank)),
        }
    }

    /// The ranks of all brokers in it.
    pub fn ranks(&self) -> IdSet {
        let mut ranks: Vec<u32> = Vec::with_capacity(self.size as usize);
        let mut next = vec![self];
        while let Some(tree) = next.pop() {
            ranks.push(tree.rank);
            next.extend(&tree.children);
        }
        ranks.sort_unstable();
        ranks.into_iter().collect()
    }
}
