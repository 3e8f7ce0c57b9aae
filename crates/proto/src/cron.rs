//! cron.*: commands that run at intervals, on events and at set times (protocol/24 section 15).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Never, Object};

/// Makes an entry and starts it. It is not kept across the end of the module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Create {
    /// Required: `interval`, `event` or `datetime`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Required: what logs and listings call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Required: a command line for sh(1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Required: what its type asks for. `interval`: interval, after; `event`: topic, nth,
    /// after, min_interval; `datetime`: second, minute, hour, mday, month, weekday, year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Object>,
    /// The whole environment of the command; without one, the broker's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environ: BTreeMap<String, String>,
    /// Its working directory; without one, the broker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Runs after which the entry stops; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u64>,
    /// Rank to run on; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Tasks of the past that are kept; 1 if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_history_count: Option<u64>,
    /// Failures after which the entry stops; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_on_failure: Option<u64>,
    /// Seconds that a run may take; negative for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
}

/// Takes an entry away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delete {
    /// The entry.
    pub id: u64,
    /// True to kill its running task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<bool>,
}

/// Stops an entry, which stays listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// The entry.
    pub id: u64,
}

/// Starts an entry that is stopped; its count of runs and that of failures begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// The entry.
    pub id: u64,
}

/// Asks for all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// All entries, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// Says, or sets, for which event a task that is due has to wait.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sync {
    /// Topic of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Tasks wait for no event, those that do are run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable: Option<bool>,
    /// Seconds after an event in which a task need not wait for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_epsilon: Option<f64>,
}

/// For which event a task that is due has to wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Synced {
    /// For this one.
    On {
        /// Topic of the event.
        sync_event: String,
        /// Seconds after an event in which a task need not wait for the next.
        sync_epsilon: f64,
    },
    /// For none.
    Off {
        /// True.
        sync_disabled: bool,
    },
}

/// An entry as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its number, from 1.
    pub id: u64,
    /// Rank that it runs on.
    pub rank: u32,
    /// Name in logs and listings.
    pub name: String,
    /// The command line.
    pub command: String,
    /// Runs after which it stops; 0 for no limit.
    pub repeat: u64,
    /// True if it is stopped.
    pub stopped: bool,
    /// `interval`, `event` or `datetime`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds that a run may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Counters since its creation.
    pub stats: Stats,
    /// Schedule.
    pub typedata: TypeData,
    /// The task that there is, then those of the past, the last one first.
    pub tasks: Vec<Task>,
}

/// Times, in seconds since the epoch, and numbers of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Time of creation.
    pub ctime: f64,
    /// Time of the last start.
    pub starttime: f64,
    /// Time at which its last task started; 0 for never.
    pub lastrun: f64,
    /// Runs since it was started.
    pub count: u64,
    /// Failures since it was started.
    pub failcount: u64,
    /// Runs.
    pub total: u64,
    /// Runs that ended well.
    pub success: u64,
    /// Runs that failed.
    pub failure: u64,
    /// Runs that waited for an event.
    pub deferred: u64,
}

/// Schedule of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TypeData {
    /// Again and again.
    Interval {
        /// Seconds between two runs.
        interval: f64,
        /// Seconds before the first one.
        after: f64,
        /// When it runs next, in seconds since the epoch; 0 while it is stopped.
        next_wakeup: f64,
    },
    /// Run after an event.
    Event {
        /// Topic of the event.
        topic: String,
        /// Only each N-th time; 0 for each time.
        nth: u64,
        /// Not before it has happened so often.
        after: u64,
        /// Number of events received.
        counter: u64,
        /// Seconds between two runs at least.
        min_interval: f64,
    },
    /// At set times.
    Datetime {
        /// When it runs next, in seconds since the epoch; 0 while it is stopped.
        next_wakeup: f64,
        /// Seconds, as ranges like all that follow.
        second: String,
        /// Minutes.
        minute: String,
        /// Hours.
        hour: String,
        /// Days of a month.
        mday: String,
        /// Months from 0.
        month: String,
        /// Days of a week, Sunday is 0.
        weekday: String,
        /// Years from 1900.
        year: String,
    },
}

/// One run of an entry. Times are in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Task {
    /// Rank that it ran on.
    pub rank: u32,
    /// Process id; 0 before it has one.
    pub pid: i32,
    /// As wait(2) gives it.
    pub status: i32,
    /// `Deferred`, `Running`, `Exited`, `Failed`, `Timeout` or `Rexec Failure`.
    pub state: String,
    /// Exit code, or 128 and the signal, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Time at which it became due.
    pub create_time: f64,
    /// Time at which it was sent to rexec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_time: Option<f64>,
    /// Time at which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
}

crate::refusals! {
    /// Errors of creating an entry.
    pub enum CreateError {
        /// Name, command, type or arguments are missing. The log says which.
        Missing => EPROTO "",
        /// There is no such type.
        UnknownType => ENOSYS "",
        /// The arguments are none of the type. The log says why.
        BadArguments => EPROTO "",
        /// The time has passed.
        Past => EINVAL "there is no such time in the future",
        /// There are as many entries as there may be.
        TooMany => ENOSPC "too many cron entries",
        /// Command and environment are too long.
        TooLong => E2BIG "",
        /// More of the past cannot be kept.
        HistoryTooLong(u64) => EINVAL "task-history-count: at most {0}",
        /// Seconds that are none.
        BadTimeout => EINVAL "timeout: must be a number of seconds",
    }
}

crate::refusals! {
    /// Errors of deleting an entry.
    pub enum DeleteError {
        /// There is none of this number.
        NotFound => ENOENT "",
    }
}

crate::refusals! {
    /// Errors of stopping or starting an entry.
    pub enum SwitchError {
        /// There is none of this number.
        NotFound => ENOENT "",
        /// It is so already.
        AlreadySo => EINVAL "",
        /// Its time has passed.
        Past => EINVAL "there is no such time in the future",
    }
}

crate::refusals! {
    /// Errors of `cron.sync`.
    pub enum SyncError {
        /// It cannot be waited for.
        BadTopic => EINVAL "sync topic must not be empty",
        /// Seconds that are none.
        BadEpsilon => EINVAL "sync_epsilon: must be a number of seconds",
    }
}

crate::json_payloads!(
    Create, Delete, Stop, Start, List, Entries, Sync, Synced, Entry
);

crate::methods! {
    Create = "cron.create" (OWNER) => Entry, CreateError, Later
        : "Makes an entry and starts it.";
    Delete = "cron.delete" (OWNER) => Entry, DeleteError
        : "Takes an entry away; the answer is what it was.";
    Stop = "cron.stop" (OWNER) => Entry, SwitchError
        : "Stops an entry, which stays listed.";
    Start = "cron.start" (OWNER) => Entry, SwitchError
        : "Starts an entry that is stopped.";
    List = "cron.list" (OWNER) => Entries, Never, idempotent
        : "All entries.";
    Sync = "cron.sync" (OWNER) => Synced, SyncError, idempotent
        : "Says, or sets, for which event a task that is due has to wait.";
}
