//! start.*: the brokers of a test instance, as known to the program that started them. It
//! answers on a socket of its own, FLUX_START_URI (protocol/03 section 16).

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// Asks for the processes of the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status;

/// The processes, by rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Procs {
    /// One process for each rank.
    pub procs: Vec<Proc>,
}

/// One broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proc {
    /// Process id; -1 if it does not run.
    pub pid: i32,
}

/// Sends a signal to a broker. It is no error if the broker does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kill {
    /// Rank.
    pub rank: i64,
    /// Signal number.
    pub signum: i32,
}

/// Waits for the end of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Rank.
    pub rank: i64,
}

/// Exit of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Exit code, or 128 plus the number of the signal.
    pub exit_rc: i32,
}

/// Starts a broker that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Rank.
    pub rank: i64,
}

crate::refusals! {
    /// Errors of operations on a broker.
    pub enum RankError {
        /// There is no broker of this rank.
        NoRank => ESRCH "",
        /// The broker runs already, or a client waits for it already.
        Busy => EEXIST "",
    }
}

crate::json_payloads!(Procs, Kill, Wait, Ended, Run);
crate::no_payloads!(Status);

crate::methods! {
    Status = "start.status" (OWNER) => Procs, Refusal, idempotent : "Returns the process ids of \
        all brokers.";
    Kill = "start.kill" (OWNER) => Empty, RankError : "Sends a signal to a broker.";
    Wait = "start.wait" (OWNER) => Ended, RankError, Later
        : "Answered when a broker has exited.";
    Run = "start.run" (OWNER) => Empty, RankError : "Starts a broker that does not run.";
}
