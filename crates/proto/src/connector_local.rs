//! connector-local.*: the programs on the local socket (protocol/02 section 5.4).

use serde::{Deserialize, Serialize};

use crate::Never;
use crate::schema::JsonSchema;

/// Asks who is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Connected clients and access settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The socket.
    pub server: Server,
    /// True if guests may connect.
    pub allow_guest_user: bool,
    /// True if root acts as the instance owner.
    pub allow_root_owner: bool,
}

/// The socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Programs that are connected. A guest sees its own.
    pub clients: Vec<Connected>,
    /// Attempts to connect so far.
    pub connects: u64,
    /// Our extension: requests without an answer, all in all.
    pub pending: u64,
    /// Our extension: responses so far that answered nothing and were dropped.
    pub strays: u64,
}

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// Its identity on route stacks.
    pub uuid: String,
    /// Its user.
    pub userid: u32,
    /// Its process.
    pub pid: i32,
    /// Messages taken from it.
    pub txcount: u64,
    /// Messages handed to it.
    pub rxcount: u64,
    /// Messages that wait to be handed to it.
    pub rxbacklog: u64,
}

crate::json_payloads!(Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    StatsGet = "connector-local.stats-get" (USER) => Stats, Never, idempotent
        : "Who is connected, and who may be; a guest sees its own connections.";
}
