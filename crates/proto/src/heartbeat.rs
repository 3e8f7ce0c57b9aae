//! heartbeat.*: the heartbeat of the instance (protocol/03 section 13).

use serde::{Deserialize, Serialize};

use crate::Never;
use crate::schema::JsonSchema;

/// The heartbeat, published by rank 0 once per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulse;

/// Asks for the settings and the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// The settings in effect, and the number of heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Seconds between two heartbeats.
    pub period: f64,
    /// Seconds without a heartbeat after which a rank leaves its parent; 0 for never.
    pub timeout: f64,
    /// Heartbeats published (rank 0) or received (other ranks).
    pub count: u64,
    /// Periods without a heartbeat after which a rank logs a warning.
    pub warn_thresh: i64,
}

crate::json_payloads!(Stats);
crate::no_payloads!(Pulse, StatsGet);

crate::events! {
    Pulse = "heartbeat.pulse" (OWNER) : "The heartbeat of the instance, once per period.";
}

crate::methods! {
    StatsGet = "heartbeat.stats-get" (OWNER) => Stats, Never, idempotent
        : "Returns the settings in effect and the number of heartbeats.";
}
