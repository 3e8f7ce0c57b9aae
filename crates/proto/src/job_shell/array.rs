//! Messages between the shells of an array, and requests of clients to the leading one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;

/// A shell asks the leading one for elements to run. Answered when there are some, or when there
/// will be none. A repeated request whose answer was lost gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayNext {
    /// The shell's rank in the job.
    pub shell: u32,
    /// Number of the last answer that it has, 0 for none.
    pub after: u64,
    /// Number of elements that it can run at once.
    pub slots: u64,
    /// Number of further elements wanted in advance.
    pub want: u64,
}

/// Elements that a shell is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayHanded {
    /// Number of this answer.
    pub seq: u64,
    /// Idset of their indices.
    pub indices: String,
    /// Number of earlier starts of some of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tries: BTreeMap<u32, u32>,
    /// True if the array has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_over: bool,
}

/// Reports ends of elements to the leading shell. May be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayEnded {
    /// The shell's rank in the job.
    pub shell: u32,
    /// A line in the form of the array's log.
    pub line: String,
}

/// Cancels elements of an array. The leading shell passes the request on to the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayCancel {
    /// Idset of their indices.
    pub indices: String,
}

/// Result of a request about elements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayChanged {
    /// Idset of elements that had not begun: they never will, or are pending again.
    pub waiting: String,
    /// Idset of elements that shells have, which are being killed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub running: String,
}

/// Reruns elements that have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayRetry {
    /// Idset of their indices; other elements in it are left alone.
    pub indices: String,
}

/// Asks for the progress of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ArrayState {}

/// Progress of an array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayProgress {
    /// Number of elements that succeeded.
    pub good: u64,
    /// Number of elements that failed.
    pub failed: u64,
    /// Idsets of elements that shells have, by the shell's rank.
    pub out: BTreeMap<u32, String>,
}

crate::refusals! {
    /// Errors of requests about elements of an array.
    pub enum ArrayError {
        /// The job belongs to another user.
        NotYours => EPERM "",
        /// The job has no elements, or is not known here yet.
        NoArray => ENOENT "the job is not an array, or has not begun",
        /// Another shell hands out its elements.
        NotLeading => EINVAL "only the leading shell keeps the array's book",
        /// Not an idset.
        Malformed => EPROTO "not an idset",
        /// The array has no such indices.
        NoElement => ENOENT "the array has no such element",
        /// The last element has ended, or the job is being ended.
        Over => EINVAL "the array has ended: elements can be run again only while it runs",
    }
}

crate::json_payloads!(
    ArrayNext,
    ArrayHanded,
    ArrayEnded,
    ArrayCancel,
    ArrayChanged,
    ArrayRetry,
    ArrayState,
    ArrayProgress,
);
