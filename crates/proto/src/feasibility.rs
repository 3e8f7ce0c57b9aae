//! feasibility.*: check that a job could ever run here (protocol/13 section 2). The
//! scheduler offers it under a name of its own, for job-ingest and job-manager.

use serde::{Deserialize, Serialize};

use crate::schema::JsonSchema;
use crate::{Empty, Object};

/// Asks whether a job could run if all resources were free and up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Jobspec of the job.
    pub jobspec: Object,
}

crate::refusals! {
    /// Reasons for which a job can never run.
    pub enum CheckError {
        /// The jobspec requests no resources.
        NoResources => EINVAL "jobspec has no resources",
        /// The jobspec is malformed.
        Malformed(String) => EINVAL "cannot parse jobspec: {0}",
        /// The jobspec requests one of several counts, which the scheduler does not support.
        Discrete(String) => EINVAL "{0} count specifies discrete valid values that this scheduler does not support; use a simple min-max range instead",
        /// The constraint has an unknown operator.
        Operator(String) => EINVAL "unknown constraint operator(s): ['{0}']",
        /// The jobspec requests more than there is; the text gives the resource.
        Unsatisfiable(String) => EOVERFLOW "unsatisfiable request: {0}",
    }
}

crate::json_payloads!(Check);

crate::methods! {
    Check = "feasibility.check" (USER) => Empty, CheckError, idempotent
        : "Answers if a job could ever run here.";
}
