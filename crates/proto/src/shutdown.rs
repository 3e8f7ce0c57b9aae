//! shutdown.*: ending the instance in order (protocol/03 section 10).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// Starts the shutdown; as a stream, sends log lines until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Start {
    /// Least severe level of lines wanted; default 3 (err).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loglevel: Option<i64>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Line {
    /// `app.sev[rank]: msg` and a newline.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

crate::refusals! {
    /// Errors of starting a shutdown.
    pub enum StartError {
        /// The state does not allow a shutdown.
        WrongState(String) => EINVAL "shutdown cannot be initiated in state {0}",
        /// Only rank 0 may start a shutdown.
        NotRankZero => EINVAL "shutdown may only be initiated on rank 0",
        /// A shutdown is in progress.
        InProgress => EINVAL "shutdown is already in progress",
    }
}

crate::json_payloads!(Start, Line);

crate::methods! {
    Start = "shutdown.start" (OWNER) => Line, StartError, Either
        : "Starts the shutdown; as a stream, sends log lines until it is done.";
}
