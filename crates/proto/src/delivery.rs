//! What a caller wants to become of its request when the service is not there.

use std::time::Duration;

/// What is to become of a request when its service is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The broker holds it while the service restarts; idempotent ones are handed
    /// to the restarted module. After `deadline`, if any, the call fails ETIMEDOUT.
    Wait {
        /// From now.
        deadline: Option<Duration>,
    },
    /// An error at once when the service is not running.
    Now,
    /// No response at all; never waits.
    BestEffort,
}
