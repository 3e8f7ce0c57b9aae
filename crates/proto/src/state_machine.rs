//! state-machine.*: the broker's life cycle, for other components (protocol/03 section
//! 9).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Asks for the broker's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Get;

/// The broker's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Current {
    /// Name.
    pub state: String,
    /// Seconds since it was entered.
    pub duration: f64,
}

/// Asks for the current state and, as a stream, for each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Monitor {
    /// Number of the last state of interest.
    #[serde(default, rename = "final", skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
}

/// The number of the state in which a broker has loaded its modules and waits for others.
pub const QUORUM: i64 = 4;

/// The number of the state in which the initial program runs; the later ones lead to the end.
pub const RUN: i64 = 5;

/// A state by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateNumber {
    /// 0 load-builtins to 11 exit.
    pub state: i64,
}

/// Answered when the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wait;

/// Posts an event of the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Post {
    /// Name.
    pub event: String,
    /// True if it reports an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<bool>,
}

/// Sends the status of the broker to the service manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SdNotify {
    /// Status in one line, for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

crate::refusals! {
    /// Errors of waiting for RUN.
    pub enum WaitError {
        /// The state RUN has passed.
        Surpassed => ENOENT "broker has surpassed RUN state",
    }
}

crate::json_payloads!(Current, Monitor, StateNumber, Post, SdNotify);
crate::no_payloads!(Get, Wait);

crate::methods! {
    Get = "state-machine.get" (USER) => Current, Refusal, idempotent : "Returns the broker's \
        state.";
    Monitor = "state-machine.monitor" (OWNER) => StateNumber, Refusal, idempotent, Either
        : "Returns the current state and, as a stream, each change.";
    Wait = "state-machine.wait" (USER) => Empty, WaitError, idempotent, Later
        : "Answered when the broker is in RUN.";
    Post = "state-machine.post" (OWNER) => Empty, Refusal, Nothing
        : "Posts an event of the state machine.";
    SdNotify = "state-machine.sd-notify" (OWNER) => Empty, Refusal, idempotent
        : "Tells systemd how the broker is, where `broker.sd-notify` is set.";
}
