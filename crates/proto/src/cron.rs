//! cron.*: commands that run at intervals, on events and at set times (protocol/24 section 15).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Never, Object};

/// Creates an entry and starts it. It ends with the module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Create {
    /// Required: `interval`, `event` or `datetime`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Required: name in logs and listings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Required: a command line for sh(1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Required: arguments of the type. `interval`: interval, after; `event`: topic, nth,
    /// after, min_interval; `datetime`: second, minute, hour, mday, month, weekday, year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Object>,
    /// The whole environment of the command; without one, the broker's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environ: BTreeMap<String, String>,
    /// Working directory; without one, the broker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Runs after which the entry stops; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u64>,
    /// Rank to run on; default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Number of past tasks to keep; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_history_count: Option<u64>,
    /// Failures after which the entry stops; 0 for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_on_failure: Option<u64>,
    /// Time limit of a run, in seconds; negative for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
}

/// Deletes an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delete {
    /// Id of the entry.
    pub id: u64,
    /// True to kill its running task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<bool>,
}

/// Stops an entry, but keeps it listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Id of the entry.
    pub id: u64,
}

/// Starts a stopped entry; its counts of runs and failures are reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Start {
    /// Id of the entry.
    pub id: u64,
}

/// Asks for all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct List {}

/// All entries, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// Shows or sets the event that due tasks wait for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sync {
    /// Topic of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// True to let tasks wait for no event; waiting ones run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable: Option<bool>,
    /// Seconds after an event during which a task need not wait for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_epsilon: Option<f64>,
}

/// The event that due tasks wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Synced {
    /// Tasks wait for this event.
    On {
        /// Topic of the event.
        sync_event: String,
        /// Seconds after an event during which a task need not wait for the next.
        sync_epsilon: f64,
    },
    /// Tasks wait for no event.
    Off {
        /// True.
        sync_disabled: bool,
    },
}

/// State of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Id, from 1.
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
    /// Time limit of a run, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Counters since its creation.
    pub stats: Stats,
    /// Schedule.
    pub typedata: TypeData,
    /// The current task, then past ones, latest first.
    pub tasks: Vec<Task>,
}

/// Times, in seconds since the epoch, and counters of an entry.
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
    /// Runs that succeeded.
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
    /// Run at an interval.
    Interval {
        /// Seconds between two runs.
        interval: f64,
        /// Seconds before the first one.
        after: f64,
        /// Time of the next run, in seconds since the epoch; 0 while it is stopped.
        next_wakeup: f64,
    },
    /// Run after an event.
    Event {
        /// Topic of the event.
        topic: String,
        /// Run only after every Nth event; 0 for each event.
        nth: u64,
        /// Number of events before the first run.
        after: u64,
        /// Number of events received.
        counter: u64,
        /// Least number of seconds between two runs.
        min_interval: f64,
    },
    /// Run at times of the calendar.
    Datetime {
        /// Time of the next run, in seconds since the epoch; 0 while it is stopped.
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
    /// Wait status of wait(2).
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
    /// Time at which it began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_time: Option<f64>,
    /// Time at which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
}

crate::refusals! {
    /// Errors of creating an entry.
    pub enum CreateError {
        /// Name, command, type or arguments are missing. The log names the missing key.
        Missing => EPROTO "",
        /// The type is unknown.
        UnknownType => ENOSYS "",
        /// The arguments do not fit the type. The log gives the error.
        BadArguments => EPROTO "",
        /// The time has passed.
        Past => EINVAL "there is no such time in the future",
        /// There is the maximum number of entries.
        TooMany => ENOSPC "too many cron entries",
        /// Command and environment are too long.
        TooLong => E2BIG "",
        /// The history is too long.
        HistoryTooLong(u64) => EINVAL "task-history-count: at most {0}",
        /// The timeout is not a number of seconds.
        BadTimeout => EINVAL "timeout: must be a number of seconds",
    }
}

crate::refusals! {
    /// Errors of deleting an entry.
    pub enum DeleteError {
        /// There is no entry with this id.
        NotFound => ENOENT "",
    }
}

crate::refusals! {
    /// Errors of stopping or starting an entry.
    pub enum SwitchError {
        /// There is no entry with this id.
        NotFound => ENOENT "",
        /// The entry is in this state already.
        AlreadySo => EINVAL "",
        /// The time has passed.
        Past => EINVAL "there is no such time in the future",
    }
}

crate::refusals! {
    /// Errors of `cron.sync`.
    pub enum SyncError {
        /// The topic cannot be subscribed to.
        BadTopic => EINVAL "sync topic must not be empty",
        /// The value is not a number of seconds.
        BadEpsilon => EINVAL "sync_epsilon: must be a number of seconds",
    }
}

crate::json_payloads!(
    Create, Delete, Stop, Start, List, Entries, Sync, Synced, Entry
);

crate::methods! {
    Create = "cron.create" (OWNER) => Entry, CreateError, Later
        : "Creates an entry and starts it.";
    Delete = "cron.delete" (OWNER) => Entry, DeleteError
        : "Deletes an entry; the answer is its last state.";
    Stop = "cron.stop" (OWNER) => Entry, SwitchError
        : "Stops an entry, but keeps it listed.";
    Start = "cron.start" (OWNER) => Entry, SwitchError
        : "Starts a stopped entry.";
    List = "cron.list" (OWNER) => Entries, Never, idempotent
        : "All entries.";
    Sync = "cron.sync" (OWNER) => Synced, SyncError, idempotent
        : "Shows or sets the event that due tasks wait for.";
}
