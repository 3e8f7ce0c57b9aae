//! What clients ask of the shells of a running job (RFC 24, protocol/13 section 9). The
//! leading shell registers the service as `UID-shell-F58PLAIN`; here it is `shell`.

use serde::{Deserialize, Serialize};

use crate::data::JobId;
use crate::data::stdio::Data;
use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

/// The service name of the job `id` of user `userid`.
pub fn service_name(userid: u32, id: JobId) -> String {
    format!("{userid}-shell-{}", id.f58_plain())
}

/// Hands data to tasks on their standard input: the object of RFC 24, whose ranks may be
/// `all`. Answered when there is room for more: who waits for that loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Stdin(pub Data);

/// Raises an exception on the job on behalf of one of its shells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// What kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 ends the job.
    pub severity: u32,
    /// Which shell says so.
    pub shell_rank: u32,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Asks which processes the tasks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Proctable {}

/// The processes of the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// One a task, by rank.
    pub tasks: Vec<Process>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its rank in the job.
    pub taskid: u32,
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: i32,
    /// Its program.
    pub executable: String,
}

crate::refusals! {
    /// Why input was not taken.
    pub enum StdinError {
        /// Not an object of RFC 24, or not for stdin.
        Malformed => EPROTO "",
        /// The job is another user's.
        NotYours => EPERM "",
        /// The end of the input was said before.
        Closed => EPIPE "",
        /// Input comes from a file.
        FromFile => ENOSYS "Unknown service method",
        /// More input than the job set as its limit.
        TooMuch => EOVERFLOW "stdin limit exceeded",
    }
}

crate::refusals! {
    /// Why a request by another user was refused.
    pub enum NotYours {
        /// The job is another user's.
        NotYours => EPERM "",
    }
}

crate::json_payloads!(Stdin, Exception, Proctable, Processes);

crate::methods! {
    Stdin = "shell.stdin" (USER) => Empty, StdinError
        : "Hands data to tasks on their standard input.";
    Exception = "shell.exception" (USER) => Empty, Refusal
        : "Raises an exception on the job on behalf of one of its shells.";
    Proctable = "shell.proctable" (USER) => Processes, NotYours, idempotent
        : "Tells which processes the tasks are.";
}
