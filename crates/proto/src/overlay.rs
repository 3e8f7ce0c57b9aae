//! overlay.*: the tree of brokers, and how they are (protocol/03 section 11). An instance
//! of one broker is the tree with no children.

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Asks how a broker and its subtree are; as a stream, again at every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health;

/// How a broker and its children are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReply {
    /// Its rank.
    pub rank: u32,
    /// `full`, `partial`, `degraded`, `lost`, `offline` or `unknown`.
    pub status: String,
    /// Seconds in this status.
    pub duration: f64,
    /// Its children.
    pub children: Vec<ChildHealth>,
}

/// How a child is, as its parent sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChildHealth {
    /// Its rank.
    pub rank: u32,
    /// As in [`HealthReply`].
    pub status: String,
    /// Seconds in this status.
    pub duration: f64,
    /// Why it was lost.
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
    /// How many brokers are in it.
    pub size: u32,
    /// The trees below.
    pub children: Vec<Tree>,
}

/// Leaves the parent. Brokers of a tree of more than one will take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DisconnectParent {
    /// Why, for the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of a broker's links to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "kebab-case")]
pub struct Stats {
    /// Children there may be.
    pub child_count: u32,
    /// Children there are.
    pub child_connected: u32,
    /// Parents there are: 0 or 1.
    pub parent_count: u32,
    /// Calls that wait for the parent.
    pub parent_rpc: u64,
    /// Calls that wait for children.
    pub child_rpc: u64,
}

crate::refusals! {
    /// Why there is no tree to tell.
    pub enum TopologyError {
        /// Only this broker and its children are known.
        NotHere => ENOENT "requested rank is not this broker or its direct child",
    }
}

crate::json_payloads!(HealthReply, Topology, Tree, DisconnectParent, Stats);
crate::no_payloads!(Health, StatsGet);

crate::methods! {
    Health = "overlay.health" (USER) => HealthReply, Refusal, idempotent, Either
        : "How a broker and its children are; as a stream, again at every change.";
    Topology = "overlay.topology" (USER) => Tree, TopologyError, idempotent
        : "The tree of brokers below a rank.";
    DisconnectParent = "overlay.disconnect-parent" (OWNER) => Empty, Refusal, idempotent
        : "Leaves the parent.";
    StatsGet = "overlay.stats-get" (USER) => Stats, Refusal, idempotent
        : "Counters of a broker's links to others.";
}
