//! worker.*: requests of a site's workers, and of the owners of their tasks, to a server of the
//! site, which answers as a service under a name of the site's: `NAME.take`, ...
//! (doc/howto/write-a-worker.md).
//!
//! The owner of a task has chosen its name. Adds tasks: text by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Empty;
use crate::schema::JsonSchema;

/// A task with a known name is left unchanged. A name that is known already is left as it
/// is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// Tasks for the worker to read.
    pub tasks: BTreeMap<String, String>,
}

/// Asks for a task to work on; answered when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Take {
    /// Name of the worker. It has one task at a time: an earlier one goes back.
    pub worker: String,
    /// Number that grows with each request of the worker for another task. A repeated request
    /// with the same number gets the same task.
    pub ticket: u64,
}

/// A task with its lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Name.
    pub name: String,
    /// Text from the owner of the task.
    pub text: String,
    /// The fencing number.
    pub fence: u64,
    /// Seconds after which it goes to another worker, unless renewed.
    pub lease: f64,
}

/// Renews the lease of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renew {
    /// Name of the task.
    pub name: String,
    /// Fencing number of the lease.
    pub fence: u64,
}

/// Reports the result of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Complete {
    /// Name of the task.
    pub name: String,
    /// Fencing number of the lease.
    pub fence: u64,
    /// Any value that the owner understands.
    pub result: Value,
}

/// Asks for the state of the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List;

/// State of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// Number of tasks waiting for a worker.
    pub waiting: u64,
    /// Number of tasks leased.
    pub leased: u64,
    /// Results of completed tasks, by name.
    pub done: BTreeMap<String, Value>,
    /// Completions refused since the server was started.
    pub refused: u64,
}

crate::json_payloads!(Add, Take, Task, Renew, Complete, Listed);
crate::no_payloads!(List);

crate::refusals! {
    /// Errors of a worker or an owner of tasks.
    pub enum WorkerError {
        /// There is no such task.
        Unknown => ENOENT "no such task",
        /// The lease expired, or the task was given to another worker.
        TakenOver => EEXIST "another worker has taken over",
        /// Another process with this worker's name has asked later.
        Replaced => EEXIST "another process has the name of this worker",
        /// There is the maximum number of tasks.
        Full => ENOSPC "too many tasks",
        /// A name or text exceeds its limit.
        TooLong => EMSGSIZE "a name, text or result is too long",
        /// The server could not store the change.
        NotStored => EIO "it could not be stored",
    }
}

crate::methods! {
    Add = "worker.add" (OWNER) => Empty, WorkerError, Later, idempotent
        : "Adds tasks; answered when they are stored.";
    Take = "worker.take" (OWNER) => Task, WorkerError, Later, idempotent
        : "Asks for a task to work on; answered when there is one.";
    Renew = "worker.renew" (OWNER) => Empty, WorkerError, idempotent
        : "Renews the lease of a worker.";
    Complete = "worker.complete" (OWNER) => Empty, WorkerError, Later, idempotent
        : "Reports the result of a task; answered when it is stored.";
    List = "worker.list" (OWNER) => Listed, WorkerError, idempotent
        : "Returns the state of the tasks.";
}
