//! worker.*: what workers of a site's own, and those who have tasks for them, ask a server of a
//! site's own, which answers as a service under a name of the site's: `NAME.take`, ...
//! (doc/howto/write-a-worker.md).
//!
//! A task has a name that its giver has chosen. A worker that takes it gets a lease of it with
//! a fencing number, which grows each time the task is given out: messages with an older
//! number come from a replaced worker.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Empty;
use crate::schema::JsonSchema;

/// Gives tasks: text by name. A name that is known already is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// Tasks for the worker to read.
    pub tasks: BTreeMap<String, String>,
}

/// Asks for a task to work on; answered when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Take {
    /// Name of the worker. It has one task at a time: what it had before goes back.
    pub worker: String,
    /// Larger each time that the worker asks for another task. One that asks again with the same
    /// number gets the same task.
    pub ticket: u64,
}

/// A task that was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Text from the owner of the task.
    pub text: String,
    /// The fencing number.
    pub fence: u64,
    /// Seconds after which it goes to another worker, unless renewed.
    pub lease: f64,
}

/// Says that a worker is still at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renew {
    /// Name of the task.
    pub name: String,
    /// With which it was taken.
    pub fence: u64,
}

/// Says what came of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Complete {
    /// Name of the task.
    pub name: String,
    /// With which it was taken.
    pub fence: u64,
    /// Anything that the giver understands.
    pub result: Value,
}

/// Asks how tasks stand.
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
    /// Completions that were refused, since the server was started.
    pub refused: u64,
}

crate::json_payloads!(Add, Take, Task, Renew, Complete, Listed);
crate::no_payloads!(List);

crate::refusals! {
    /// Errors of a worker or an owner of tasks.
    pub enum WorkerError {
        /// There is no such task.
        Unknown => ENOENT "no such task",
        /// Its lease expired, or the task was given to another worker.
        TakenOver => EEXIST "another worker has taken over",
        /// Another process has this worker's name, and has asked later.
        Replaced => EEXIST "another process has the name of this worker",
        /// There are as many tasks as there may be.
        Full => ENOSPC "too many tasks",
        /// Names and texts have limits.
        TooLong => EMSGSIZE "a name, text or result is too long",
        /// The server could not store it.
        NotStored => EIO "it could not be stored",
    }
}

crate::methods! {
    Add = "worker.add" (OWNER) => Empty, WorkerError, Later, idempotent
        : "Gives tasks to workers; answered when they are stored.";
    Take = "worker.take" (OWNER) => Task, WorkerError, Later, idempotent
        : "Asks for a task to work on; answered when there is one.";
    Renew = "worker.renew" (OWNER) => Empty, WorkerError, idempotent
        : "Says that a worker is still at work.";
    Complete = "worker.complete" (OWNER) => Empty, WorkerError, Later, idempotent
        : "Says what came of a task; answered when that is stored.";
    List = "worker.list" (OWNER) => Listed, WorkerError, idempotent
        : "Asks how tasks stand.";
}
