//! job-manager.stats-get and getinfo: counts of all jobs, and the highest job id.

use node::{Cx, Peer};
use proto::common::HiddenError;
use proto::job_manager::{GetInfo, Info, JournalStats, Stats, StatsGet};

use crate::JobManager;

pub(crate) fn stats_get(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    _: StatsGet,
) -> Result<Stats, HiddenError> {
    cx.check_may_count(peer)?;
    Ok(Stats {
        journal: JournalStats {
            listeners: core.journal.n_listeners() as u64,
            events: core.journal.n_events(),
        },
        active_jobs: core.jobs.n_active() as u64,
        inactive_jobs: core.jobs.n_inactive() as u64,
        max_jobid: core.jobs.max_id(),
        housekeeping: core.housekeeping.stats(),
    })
}

pub(crate) fn getinfo(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    _: GetInfo,
) -> Result<Info, HiddenError> {
    cx.check_may_count(peer)?;
    Ok(Info {
        max_jobid: core.jobs.max_id(),
    })
}
