//! Errors of the job manager.

use crate::{Coded, DeclaredError, Refusal};

crate::refusals! {
    /// Errors of getting an attribute.
    pub enum GetAttrError {
        /// No job has this id.
        UnknownJob => EINVAL "unknown job",
        /// The job belongs to another user.
        NotYours => EPERM "guests can only access their own jobs",
        /// No such attribute.
        UnknownAttr(String) => ENOENT "unknown attr {0}",
        /// The job has no such attribute yet.
        Null(&'static str) => ENOENT "{0} is NULL",
        /// A name is not a string.
        NonString => EPROTO "attribute list contains non-string",
        /// The maximum number of requests wait for rows of the job log.
        Busy => EBUSY "too many requests wait for jobs that are not in memory",
    }
}

crate::refusals! {
    /// Errors of raising an exception.
    pub enum RaiseError {
        /// Not in the range 0 to 7.
        Severity => EPROTO "invalid exception severity",
        /// Empty, or with white space or `=`.
        Type => EPROTO "invalid exception type",
        /// No job has this id.
        UnknownJob => ENOENT "unknown job id",
        /// The job is inactive.
        Inactive => ENOENT "job is inactive",
        /// The job belongs to another user.
        NotYours => EPERM "guests can only raise exceptions on their own jobs",
        /// The job has the maximum number of events, but for those that end it.
        LogFull(usize) => E2BIG "the events of a job may have at most {0} bytes",
    }
}

crate::refusals! {
    /// Errors of raising exceptions on many jobs.
    pub enum RaiseAllError {
        /// Not in the range 0 to 7.
        Severity => EPROTO "invalid exception severity",
        /// Empty, or with white space or `=`.
        Type => EPROTO "invalid exception type",
        /// The jobs belong to another user.
        NotYours => EPERM "guests can only raise exceptions on their own jobs",
    }
}

crate::refusals! {
    /// Errors of sending a signal.
    pub enum KillError {
        /// Not in the range 1 to 64.
        Signal => EINVAL "Invalid signal number",
        /// No job has this id.
        UnknownJob => EINVAL "unknown job id",
        /// The job is inactive.
        Inactive => EINVAL "job is inactive",
        /// The job is pending, or is being cleaned up.
        NotRunning => EINVAL "job is not running",
        /// The job belongs to another user.
        NotYours => EPERM "guests may only send signals to their own jobs",
    }
}

crate::refusals! {
    /// Errors of signalling many jobs.
    pub enum KillAllError {
        /// Not in the range 1 to 64.
        Signal => EINVAL "Invalid signal number",
        /// The jobs belong to another user.
        NotYours => EPERM "guests can only kill their own jobs",
    }
}

crate::refusals! {
    /// Errors of changing the urgency.
    pub enum UrgencyError {
        /// Not in the range 0 to 31.
        Range => EINVAL "urgency value is out of range",
        /// No job has this id.
        UnknownJob => EINVAL "unknown job",
        /// The job is inactive.
        Inactive => EINVAL "job is inactive",
        /// The job has its resources.
        Allocated => EINVAL "urgency cannot be changed once resources are allocated",
        /// The job belongs to another user.
        NotYours => EPERM "guests can only reprioritize their own jobs",
        /// A guest may not go above the default urgency.
        TooHigh => EPERM "guests can only adjust urgency <= default",
        /// The job has too many events, or too long ones.
        LogFull(usize) => E2BIG "the events of a job may have at most {0} bytes",
    }
}

crate::refusals! {
    /// Errors of adding a memo.
    pub enum MemoError {
        /// The memo is not an object.
        Malformed => EINVAL "",
        /// No job has this id.
        UnknownJob => ENOENT "unknown job id",
        /// The job is inactive.
        Inactive => ENOENT "job is inactive",
        /// The job belongs to another user.
        NotYours => EPERM "guests can only add a memo to their own jobs",
        /// The memo is too long, or there were too many events before it.
        LogFull(usize) => E2BIG "the events of a job may have at most {0} bytes",
    }
}

crate::refusals! {
    /// Reasons for refusing an update of a jobspec.
    pub enum UpdateRefused {
        /// Not a part of the jobspec that can be updated.
        Invalid => EINVAL "one or more jobspec updates are invalid",
        /// No job has this id.
        UnknownJob => ENOENT "unknown job id",
        /// The job is inactive.
        Inactive => EINVAL "job is inactive",
        /// The job belongs to another user.
        NotYours => EPERM "guests may only update their own jobs",
        /// The owner has overridden a limit for the job.
        Immutable => EPERM "job is immutable due to previous instance owner update",
        /// No policy handles this key, or the policy refuses the value.
        Policy(String) => EINVAL "{0}",
        /// The job has too many events, or too long ones.
        LogFull(usize) => E2BIG "the events of a job may have at most {0} bytes",
        /// The module is shutting down.
        Stopping => EAGAIN "job manager is shutting down",
    }
}

/// Errors of updating a jobspec: an [`UpdateRefused`], or the error of the scheduler.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateError(pub Refusal);

impl Coded for UpdateError {
    const ALL: &'static [DeclaredError] = UpdateRefused::ALL;
    fn refusal(&self) -> Refusal {
        self.0.clone()
    }
}

impl From<UpdateRefused> for UpdateError {
    fn from(error: UpdateRefused) -> UpdateError {
        UpdateError(error.refusal())
    }
}

crate::refusals! {
    /// Errors of posting an event.
    pub enum PostEventError {
        /// No active job has this id.
        UnknownJob => ENOENT "",
        /// The name or the context is invalid, or the job does not accept the event now.
        Malformed => EINVAL "",
        /// The job has too many events, or too long ones.
        LogFull(usize) => E2BIG "the events of a job may have at most {0} bytes",
    }
}

crate::refusals! {
    /// Error of waiting for jobs when the module is unloaded.
    pub enum UnloadingError {
        /// The module is shutting down.
        Unloading => ENOSYS "job-manager is unloading",
    }
}

crate::refusals! {
    /// Errors of waiting for a job.
    pub enum WaitError {
        /// There is no job left to wait for.
        NoMore => ECHILD "there are no more waitable jobs",
        /// Another client waits for the job.
        HasWaiter => ECHILD "job id already has a waiter",
        /// The job was not submitted as waitable.
        NotWaitable => ECHILD "job was not submitted with FLUX_JOB_WAITABLE",
        /// The job is unknown, or its result was already returned.
        Invalid => ECHILD "invalid job id, or job may be inactive and not waitable",
        /// The module is shutting down.
        Unloading => ENOSYS "job-manager is unloading",
    }
}

crate::refusals! {
    /// Errors of showing or changing a queue.
    pub enum QueueError {
        /// There is no such queue.
        Invalid(String) => EINVAL "'{0}' is not a valid queue",
        /// There is no anonymous queue.
        NameRequired => EINVAL "a named queue is required",
        /// Disabling requires a reason.
        ReasonRequired => EINVAL "reason is required for disable",
        /// More than one queue, and none named.
        UseAll => EINVAL "Use --all to apply this command to all queues",
    }
}

crate::refusals! {
    /// Errors of `exec-hello`.
    pub enum ExecHelloError {
        /// Another service has running jobs.
        Busy => EINVAL "",
    }
}

crate::refusals! {
    /// Errors of the journal.
    pub enum JournalError {
        /// The journal is a stream.
        NeedsStreaming => EPROTO "job-manager.events requires streaming RPC flag",
        /// The filter `allow` is malformed.
        Allow => EPROTO "job-manager.events allow should be an object",
        /// The filter `deny` is malformed.
        Deny => EPROTO "job-manager.events deny should be an object",
        /// Not a position in the journal.
        Since => EPROTO "job-manager.events since should be a number",
        /// Not a user id.
        Userid => EPROTO "job-manager.events userid should be a user id",
        /// Not a valid window.
        Window => EPROTO "job-manager.events window should be from 1 to 1048576",
        /// Packed rows cannot be filtered.
        Packed => EPROTO "job-manager.events packed goes with full and since only",
        /// A guest asks for the jobs of all users.
        NotOwner => EPERM "Request requires owner credentials",
        /// A guest asks for the jobs of another user.
        NotYours => EPERM "guests may follow only their own jobs",
        /// There are too many listeners.
        TooMany => ENOBUFS "too many journal listeners",
    }
}

crate::refusals! {
    /// Errors of purging jobs.
    pub enum PurgeError {
        /// The age is negative.
        Age => EINVAL "if set, age limit must be >= 0",
        /// The number is negative.
        Number => EINVAL "if set, num limit must be >= 0",
        /// The batch is too small or too large.
        Batch => EINVAL "batch must be >= 1 and <= 100",
    }
}

crate::refusals! {
    /// Errors of purging one job.
    pub enum PurgeIdError {
        /// No job has this id.
        NotFound => ENOENT "id not found",
        /// The job is active.
        Active => EINVAL "cannot purge active job",
    }
}

crate::refusals! {
    /// Errors of querying a plugin.
    pub enum JobtapQueryError {
        /// There is no plugin of this name.
        Unknown(String) => EINVAL "{0}: plugin not found",
        /// The request has no name.
        NoName => EINVAL "Protocol error",
    }
}

crate::refusals! {
    /// Errors of the history.
    pub enum HistoryError {
        /// Not a slice.
        Slice => EINVAL "could not parse python-style slice expression",
    }
}

crate::refusals! {
    /// Errors of signalling housekeeping.
    pub enum HousekeepingKillError {
        /// Not in the range 1 to 31.
        Signal => EINVAL "invalid signal number",
        /// The ranks are not an idset: the text names the invalid part.
        Ranks(String) => EINVAL "{0}",
    }
}
