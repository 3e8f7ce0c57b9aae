//! Requests of clients to the shells of a running job (RFC 24, protocol/13 section 9).
//! The shells register the service as `UID-shell-F58PLAIN`; here it is `shell`.

use serde::{Deserialize, Serialize};

use crate::data::stdio::Data;
use crate::data::{JobId, Nodelist, Rangelist};
use crate::schema::JsonSchema;
use crate::{Empty, Refusal};

mod array;
mod coprocess;

pub use array::{
    ArrayCancel, ArrayChanged, ArrayEnded, ArrayError, ArrayHanded, ArrayNext, ArrayProgress,
    ArrayRetry, ArrayState,
};
pub use coprocess::{CoprocessError, CoprocessWrite};

/// The service name of the job `id` of user `userid`. Each of its shells registers it, on
/// its own broker.
pub fn service_name(userid: u32, id: JobId) -> String {
    format!("{userid}-shell-{}", id.f58_plain())
}

/// Sends data to the standard input of tasks: the object of RFC 24, whose ranks may be
/// `all`. Answered when there is room for more: a client that waits for it loses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Stdin(pub Data);

/// Raises an exception on the job on behalf of one of its shells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// Type of the exception.
    #[serde(rename = "type")]
    pub kind: String,
    /// 0 ends the job.
    pub severity: u32,
    /// Rank of the shell that reports it.
    pub shell_rank: u32,
    /// Text for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Asks for the processes of the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Proctable {}

/// The processes of the job, one column for each field of a [`Process`] (protocol/23 section
/// 14).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// Hosts of the tasks.
    pub hosts: Nodelist,
    /// Programs.
    pub executables: Nodelist,
    /// Ranks of the tasks in the job.
    pub ids: Rangelist,
    /// Process ids.
    pub pids: Rangelist,
    /// Ranks of the brokers.
    pub ranks: Rangelist,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Rank in the job.
    pub taskid: i64,
    /// Host on which it runs.
    pub host: String,
    /// Rank of the broker there.
    pub broker_rank: i64,
    /// Process id there.
    pub pid: i64,
    /// Program, as the job names it.
    pub executable: String,
}

impl FromIterator<Process> for Processes {
    fn from_iter<I: IntoIterator<Item = Process>>(processes: I) -> Self {
        let mut columns = Processes::default();
        for process in processes {
            columns.hosts.0.push(process.host);
            columns.executables.0.push(process.executable);
            columns.ids.0.push(process.taskid);
            columns.pids.0.push(process.pid);
            columns.ranks.0.push(process.broker_rank);
        }
        columns
    }
}

impl IntoIterator for Processes {
    type Item = Process;
    type IntoIter = Box<dyn Iterator<Item = Process>>;

    /// The tasks, as many as the shortest column has.
    fn into_iter(self) -> Self::IntoIter {
        let names = self.hosts.0.into_iter().zip(self.executables.0);
        let numbers = self.ids.0.into_iter().zip(self.pids.0).zip(self.ranks.0);
        Box::new(
            names.zip(numbers).map(
                |((host, executable), ((taskid, pid), broker_rank))| Process {
                    taskid,
                    host,
                    broker_rank,
                    pid,
                    executable,
                },
            ),
        )
    }
}

crate::refusals! {
    /// Errors of writing to standard input.
    pub enum StdinError {
        /// Not an object of RFC 24, or not for standard input.
        Malformed => EPROTO "",
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// The end of the input was sent before.
        Closed => EPIPE "",
        /// Input comes from a file.
        FromFile => ENOSYS "Unknown service method",
        /// Input goes to the leading shell, on the first rank of the job.
        NotLeading => ENOSYS "only the leading shell takes input",
        /// More input than the job set as its limit.
        TooMuch => EOVERFLOW "stdin limit exceeded",
    }
}

crate::refusals! {
    /// Errors of listing the processes of a job.
    pub enum ProctableError {
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// One of its shells did not answer in time.
        Missing => ECANCELED "",
    }
}

crate::json_payloads!(Stdin, Exception, Proctable, Processes, CoprocessWrite);

crate::methods! {
    Stdin = "shell.stdin" (USER) => Empty, StdinError, Later
        : "Sends data to the standard input of tasks.";
    Exception = "shell.exception" (USER) => Empty, Refusal, Later
        : "Raises an exception on the job on behalf of one of its shells.";
    Proctable = "shell.proctable" (USER) => Processes, ProctableError, idempotent, Later
        : "Returns the processes of the tasks.";
    CoprocessWrite = "shell.coprocess-write" (USER) => Empty, CoprocessError
        : "Sends output of a coprocess from another shell.";
    ArrayNext = "shell.array-next" (USER) => ArrayHanded, ArrayError, idempotent, Later
        : "Asks for elements to run, for another shell of an array.";
    ArrayEnded = "shell.array-ended" (USER) => Empty, ArrayError, idempotent
        : "Reports ends of elements, from another shell of an array.";
    ArrayCancel = "shell.array-cancel" (USER) => ArrayChanged, ArrayError, idempotent
        : "Cancels elements of an array.";
    ArrayRetry = "shell.array-retry" (USER) => ArrayChanged, ArrayError
        : "Reruns elements of an array that have failed.";
    ArrayState = "shell.array-state" (USER) => ArrayProgress, ArrayError, idempotent
        : "Returns the progress of an array.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_columns() {
        let json = r#"{"hosts":[["vm",[[-1,-3]]]],"executables":[["sleep",[[-1,-3]]]],"ids":[[0,3]],"pids":[10077,2,-3,2],"ranks":[[0,-1],[1,-1]]}"#;
        let columns: Processes = serde_json::from_str(json).unwrap();
        let processes: Vec<Process> = columns.into_iter().collect();
        let rows = processes.iter().map(|p| {
            let Process {
                taskid,
                host,
                broker_rank,
                pid,
                executable,
            } = p;
            format!("{taskid} {host} {broker_rank} {pid} {executable}")
        });
        let expect = [
            "0 vm 0 10077 sleep",
            "1 vm 0 10079 sleep",
            "2 vm 1 10076 sleep",
        ];
        assert_eq!(rows.collect::<Vec<_>>()[..3], expect);
        let columns: Processes = processes.into_iter().collect();
        assert_eq!(serde_json::to_string(&columns).unwrap(), json);
    }
}
