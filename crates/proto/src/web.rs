//! web.*: the web page of the instance, a module that is loaded on demand. Ours alone.

use serde::{Deserialize, Serialize};

use crate::Never;
use crate::schema::JsonSchema;

/// Asks for the address of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address;

/// Address of the page, with its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressReply {
    /// For a browser, with the token behind `#`.
    pub url: String,
    /// IP address and port that it listens on.
    pub address: String,
    /// True if it speaks TLS.
    pub tls: bool,
    /// The file with the token, which only the owner can read.
    pub token_file: String,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Connections that are open.
    pub connections: u64,
    /// Event streams among them.
    pub viewers: u64,
    /// Requests so far.
    pub requests: u64,
    /// Of those, refused for want of the token, or for their method or Host.
    pub refused: u64,
    /// Connections that were closed at once because there were too many.
    pub turned_away: u64,
}

crate::json_payloads!(AddressReply, Stats);
crate::no_payloads!(Address, StatsGet);

crate::methods! {
    Address = "web.address" (OWNER) => AddressReply, Never, idempotent
        : "Gives the address of the page, with its token.";
    StatsGet = "web.stats-get" (USER) => Stats, Never, idempotent
        : "Counters of the web page.";
}
