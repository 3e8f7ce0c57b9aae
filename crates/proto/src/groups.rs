//! groups.*: sets of ranks that brokers join (protocol/03 section 12).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::IdSet;
use crate::schema::JsonSchema;
use crate::{Empty, Never};

/// The group of all brokers that are there.
pub const ONLINE: &str = "broker.online";
/// The group of brokers that are slow to answer.
pub const TORPID: &str = "broker.torpid";

/// Makes the local broker a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Join {
    /// Of this group.
    pub name: String,
}

/// Takes the local broker out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leave {
    /// Of this group.
    pub name: String,
}

/// Asks for the members now and, as a stream, after each change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Get {
    /// Of this group; an unknown one has none.
    pub name: String,
}

/// Who is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Members {
    /// Ranks.
    pub members: IdSet,
}

/// Asks for all groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// The groups that are not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Members by the name of the group.
    pub subtree: BTreeMap<String, IdSet>,
}

crate::refusals! {
    /// Why a rank did not join or leave.
    pub enum MemberError {
        /// It is in already.
        Joined(u32, String) => EEXIST "rank {0} is already a member of {1}",
        /// It is not in.
        NotJoined(u32, String) => ENOENT "rank {0} is not a member of {1}",
        /// The request came from another rank.
        NotLocal(&'static str) => EPROTO "groups.{0} is restricted to the local broker",
        /// There are too many groups.
        TooMany => ENOBUFS "too many groups",
    }
}

crate::refusals! {
    /// Why members were not told.
    pub enum GetError {
        /// Only rank 0 knows all.
        NotRankZero => EPROTO "this RPC is only available on rank 0",
    }
}

crate::json_payloads!(Join, Leave, Get, Members, Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    Join = "groups.join" (OWNER) => Empty, MemberError : "Makes the local broker a member, until the client that asks for it leaves.";
    Leave = "groups.leave" (OWNER) => Empty, MemberError : "Takes the local broker out.";
    Get = "groups.get" (USER) => Members, GetError, idempotent, Either
        : "Gives the members now and, as a stream, after each change.";
    StatsGet = "groups.stats-get" (OWNER) => Stats, Never, idempotent
        : "The groups of this broker and those below it.";
}
