//! job-manager.reprioritize and priority-factor.update: priorities are found out again
//! (protocol/25 section 5).

use node::{Cx, Peer};
use proto::job_manager::{Reprioritize, UpdateFactors, UpdateFactorsError};
use proto::{Empty, Never};

use crate::JobManager;

pub(crate) fn reprioritize(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    _: Reprioritize,
) -> Result<Empty, Never> {
    core.policies.rank_all();
    core.run(cx);
    Ok(Empty)
}

pub(crate) fn update_factors(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: UpdateFactors,
) -> Result<Empty, UpdateFactorsError> {
    let taken = core.policies.update_factors(&request);
    taken
        .ok_or(UpdateFactorsError::NotLoaded)?
        .map_err(UpdateFactorsError::Malformed)?;
    core.policies.rank_all();
    core.run(cx);
    Ok(Empty)
}
