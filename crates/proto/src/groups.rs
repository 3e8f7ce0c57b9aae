//! groups.*: sets of ranks that brokers join (protocol/03 section 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::IdSet;
use crate::schema::JsonSchema;
use crate::{Empty, Never};

/// The group of all brokers that are online.
pub const ONLINE: &str = "broker.online";
/// The group of brokers that are slow to answer.
pub const TORPID: &str = "broker.torpid";

/// Makes the local broker a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Join {
    /// Name of the group.
    pub name: String,
}

/// Removes the local broker from a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leave {
    /// Name of the group.
    pub name: String,
}

/// Asks for the members now and, as a stream, after each change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// Name of the group; an unknown one is empty.
    pub name: String,
}

/// Members of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Members {
    /// Ranks.
    pub members: IdSet,
}

/// Reports changes in a child's subtree to its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Update {
    /// Changes of each group, in order.
    pub update: BTreeMap<String, Vec<Change>>,
}

/// Ranks that join or leave a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Ranks that join or leave.
    pub ranks: IdSet,
    /// True if they join.
    pub set: bool,
}

/// Asks for the groups known to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// The members of all groups in the subtree of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// By name.
    pub subtree: BTreeMap<String, IdSet>,
}

crate::refusals! {
    /// Errors of an update from a child.
    pub enum UpdateError {
        /// The sender is not the child, or reports ranks of another subtree.
        NotChild => EPROTO "groups.update is restricted to children, about their subtrees",
        /// There is no room for another group.
        TooMany => ENOBUFS "too many groups",
    }
}

crate::refusals! {
    /// Errors of joining or leaving a group.
    pub enum MemberError {
        /// The rank has joined already.
        Joined(u32, String) => EEXIST "rank {0} is already a member of {1}",
        /// The rank has not joined.
        NotJoined(u32, String) => ENOENT "rank {0} is not a member of {1}",
        /// The request came from another rank.
        NotLocal(&'static str) => EPROTO "groups.{0} is restricted to the local broker",
        /// There is no room for another group.
        TooMany => ENOBUFS "too many groups",
    }
}

crate::refusals! {
    /// Errors of getting the members of a group.
    pub enum GetError {
        /// Only rank 0 knows all members.
        NotRankZero => EPROTO "this RPC is only available on rank 0",
    }
}

crate::json_payloads!(Join, Leave, Get, Members, Update, Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    Join = "groups.join" (OWNER) => Empty, MemberError : "Makes the local broker a member, until the client that asks for it leaves.";
    Leave = "groups.leave" (OWNER) => Empty, MemberError : "Removes the local broker.";
    Get = "groups.get" (USER) => Members, GetError, idempotent, Either
        : "Returns the members now and, as a stream, after each change.";
    Update = "groups.update" (OWNER) => Empty, UpdateError, Nothing
        : "Reports changes of a subtree to the parent.";
    StatsGet = "groups.stats-get" (USER) => Stats, Never, idempotent
        : "The members of all groups in the broker's subtree.";
}
