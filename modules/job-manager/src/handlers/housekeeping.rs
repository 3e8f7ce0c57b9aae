//! job-manager.housekeeping-kill: a signal to the processes on the nodes of jobs that have
//! ended (protocol/25 section 9). It is no error if nothing runs there.

use node::{Cx, Peer};
use proto::Empty;
use proto::data::{IdSet, JobId};
use proto::job_manager::{HousekeepingKill, HousekeepingKillError};

use crate::JobManager;

/// Signals that a subprocess server sends.
const SIGNALS: std::ops::RangeInclusive<i32> = 1..=31;

pub(crate) fn housekeeping_kill(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: HousekeepingKill,
) -> Result<Empty, HousekeepingKillError> {
    if !SIGNALS.contains(&request.signum) {
        return Err(HousekeepingKillError::Signal);
    }
    let ranks = request
        .ranks
        .map(|ranks| ranks.parse::<IdSet>())
        .transpose();
    let ranks = ranks.map_err(|error| HousekeepingKillError::Ranks(error.to_string()))?;
    let id = request.jobid.filter(|id| *id != JobId::ANY);
    core.signal_housekeeping(cx, id, ranks.as_ref(), request.signum);
    Ok(Empty)
}
