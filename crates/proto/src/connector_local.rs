//! connector-local.*: the programs on the local socket (protocol/02 section 5.4).

use serde::{Deserialize, Serialize};

use crate::Never;
use crate::schema::JsonSchema;

/// Asks for the connected programs.
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
    /// Programs that are connected. A guest sees only its own.
    pub clients: Vec<Connected>,
    /// Attempts to connect so far.
    pub connects: u64,
    /// Our extension: open requests, in total.
    pub pending: u64,
    /// Our extension: unexpected responses that were dropped.
    pub strays: u64,
}

/// One program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// Identity on route stacks.
    pub uuid: String,
    /// User id.
    pub userid: u32,
    /// Process id.
    pub pid: i32,
    /// Messages received from it.
    pub txcount: u64,
    /// Messages sent to it.
    pub rxcount: u64,
    /// Messages waiting to be sent to it.
    pub rxbacklog: u64,
}

crate::json_payloads!(Stats);
crate::no_payloads!(StatsGet);

crate::methods! {
    StatsGet = "connector-local.stats-get" (USER) => Stats, Never, idempotent
        : "Connected clients, and access settings; a guest sees its own connections.";
}
