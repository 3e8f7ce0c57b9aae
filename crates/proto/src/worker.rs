//! worker.*: what workers of a site's own, and those who have tasks for them, ask a server of a
//! site's own, which answers as a service under a name of the site's: `NAME.take`, ...
//! (doc/howto/write-a-worker.md).
//!
//! A task has a name that its giver has chosen. Who takes it gets a lease of it with a fencing
//! number, which is larger each time the task is given out: what is said with another number
//! than the last is said by a worker in whose place another was put.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Empty;
use crate::schema::JsonSchema;

/// Gives tasks: text by name. A name that is known already is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Add {
    /// What the worker is to read.
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
    /// What its giver says.
    pub text: String,
    /// The fencing number.
    pub fence: u64,
    /// Seconds after which it goes to somebody else, unless renewed.
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

/// How tasks stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// How many wait for a worker.
    pub waiting: u64,
    /// How many are being worked on.
    pub leased: u64,
    /// What came of those that are done, by name.
    pub done: BTreeMap<String, Value>,
    /// Completions that were refused, since the server was started.
    pub refused: u64,
}

crate::json_payloads!(Add, Take, Task, Renew, Complete, Listed);
crate::no_payloads!(List);

crate::refusals! {
    /// Why a worker or a giver is refused.
    pub enum WorkerError {
        /// There is no such task.
        Unknown => ENOENT "no such task",
        /// Its lease is over, or it was given to another worker.
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
