//! web.*: the web page of the instance, a module that is loaded on demand. Ours alone.

use serde::{Deserialize, Serialize};

use crate::Never;
use crate::schema::JsonSchema;

/// Requests the address of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address;

/// Address of the page, and the token that opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressReply {
    /// URL for a browser, with the token behind `#`.
    pub url: String,
    /// IP address and port on which the server listens.
    pub address: String,
    /// True if the server speaks TLS.
    pub tls: bool,
    /// The file with the token, which only the owner can read.
    pub token_file: String,
}

/// Requests the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Connections that are open.
    pub connections: u64,
    /// Event streams among them.
    pub viewers: u64,
    /// Requests received so far.
    pub requests: u64,
    /// Requests refused because of the token, the method or the Host.
    pub refused: u64,
    /// Connections closed at once because there were too many.
    pub turned_away: u64,
}

crate::json_payloads!(AddressReply, Stats);
crate::no_payloads!(Address, StatsGet);

crate::methods! {
    Address = "web.address" (OWNER) => AddressReply, Never, idempotent
        : "Returns the address of the page, with the token.";
    StatsGet = "web.stats-get" (USER) => Stats, Never, idempotent
        : "Returns the counters of the web page.";
}
