//! job-ingest.*: submission of jobs, on every rank (protocol/11 section 2).

use serde::{Deserialize, Serialize};

use crate::common::HiddenError;
use crate::data::JobId;
use crate::schema::JsonSchema;
use crate::{BadPayload, Coded as _, Never, Refusal};

/// Submits a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submit {
    /// The signed jobspec (protocol/11 section 1).
    #[serde(rename = "J")]
    pub j: String,
    /// 0 (hold) to 31 (expedite); guests may go up to 16.
    pub urgency: i64,
    /// Bits of [`crate::data::job::SubmitFlags`].
    pub flags: i64,
}

/// The job is in the KVS and was handed over to the job manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submitted {
    /// Job id.
    pub id: JobId,
}

/// Asks for the current timestamp of job ids, to begin another generator of them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GetInfo;

/// State of the generator of job ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// Timestamp part of an id made now, in milliseconds.
    pub timestamp: u64,
}

/// Asks for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsGet;

/// Counters of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stats {
    /// Pipeline that a job passes before it gets an id.
    pub pipeline: Pipeline,
}

/// The two stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Pipeline {
    /// Stage that fills in defaults.
    pub frobnicator: Stage,
    /// Stage that validates.
    pub validator: Stage,
}

/// One stage. Ours runs in the module itself, without worker processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Stage {
    /// Worker processes.
    pub running: u64,
    /// Jobs seen.
    pub requests: u64,
    /// Jobs refused.
    pub errors: u64,
    /// Workers waiting to be reaped.
    pub trash: u64,
    /// Jobs under way.
    pub backlog: u64,
    /// Process ids of the workers, 0 for none.
    pub pids: Vec<i64>,
}

crate::refusals! {
    /// Errors of submitting a job. Refusals of the job manager are passed on, and those of
    /// the plugins that change and check jobspecs: EPERM, EINVAL, or the number of the
    /// scheduler.
    pub enum SubmitError {
        /// The payload is malformed.
        Malformed => EPROTO "error decoding job request: Protocol error",
        /// A flag for clients only, or an unknown one.
        Flags => EPROTO "invalid job flags",
        /// A guest may not skip validation.
        NovalidateNotYours => EPERM
            "only the instance owner can submit with FLUX_JOB_NOVALIDATE",
        /// Out of range.
        UrgencyRange => EINVAL "urgency range is [0:31]",
        /// A guest may not go above the default urgency.
        UrgencyNotYours => EINVAL "only the instance owner can submit with urgency >16",
        /// Only the owner may wait for jobs.
        WaitableNotYours => EINVAL
            "only the instance owner can submit with FLUX_JOB_WAITABLE",
        /// Not a signed jobspec; the text gives the error.
        Unwrap(String) => EINVAL "could not unwrap jobspec: {0}",
        /// Signed by another user than the sender.
        Signer(u32, u32) => EPERM "signer={0} != requestor={1}",
        /// A guest must use a real signature.
        SignType => EPERM "only instance owner can use sign-type=none",
        /// The signed text is not JSON; the text is the error of the parser.
        InvalidJson(String) => EINVAL "jobspec: invalid JSON: {0}",
        /// The owner is not root and has not allowed it.
        Root => EINVAL "submission of jobs as user root not supported",
        /// A rule of the jobspec is broken; the text gives it.
        Invalid(String) => EPERM "{0}",
        /// Neither list of the policy of the instance names the user or a group of theirs.
        NotHere(String) => EPERM "user {0} may not submit jobs",
        /// Neither list of the policy in effect in the queue names the user or a group of
        /// theirs.
        NotInQueue(String, String) => EPERM "user {0} may not submit to queue {1}",
        /// The jobspec exceeds the buffer of those being validated.
        TooLong(usize) => ENOSPC "jobspec is longer than ingest.buffer-size, {0} bytes",
        /// A plugin that changes or validates jobspecs does not exist, or has an invalid
        /// argument: the log gives the error.
        Worker => EPROTO "Unrecoverable error: worker unexpectedly exited",
        /// The job manager refuses the job; the text is its own.
        Rejected(String) => EINVAL "{0}",
        /// The job's data could not be stored.
        Commit => EIO "KVS commit failed",
        /// The job manager could not be reached.
        Submit => EIO "error sending job-manager.submit RPC",
        /// No ids are left.
        Ids(String) => EOVERFLOW "{0}",
        /// Too many jobs are under way.
        Busy => EAGAIN "too many jobs are being submitted",
        /// The service is shutting down, or this rank cannot make ids.
        Stopped => ENOSYS "",
    }
}

crate::json_payloads!(Submit, Submitted, Info, Stats);
crate::no_payloads!(GetInfo, StatsGet);

crate::methods! {
    Submit = "job-ingest.submit" (USER) => Submitted, SubmitError, recognised, Later
        : "Submits a job; answered when it can no longer be lost." {
            fn bad_payload(_: &BadPayload) -> Refusal {
                SubmitError::Malformed.refusal()
            }
        };
    GetInfo = "job-ingest.getinfo" (USER) => Info, Never, idempotent
        : "Current timestamp of the generator of job ids.";
    StatsGet = "job-ingest.stats-get" (USER) => Stats, HiddenError, idempotent
        : "Counters of the service.";
}
