//! job-manager.list: active jobs, and waitable ones that nobody has waited for.

use node::{Cx, Peer};
use proto::job_manager::{List, Listed, ListedJob};
use proto::{Never, Object};

use crate::JobManager;
use crate::job::Job;
use crate::state::AllocAsk;

pub(crate) fn list(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    request: List,
) -> Result<Listed, Never> {
    let limit = match request.max_entries {
        0 => usize::MAX,
        limit => usize::try_from(limit).unwrap_or(usize::MAX),
    };
    let queued = core.alloc.queued(&core.queues);
    let queued = queued.filter_map(|id| core.jobs.active(id));
    let others = core
        .jobs
        .all_active()
        .filter(|job| job.alloc != AllocAsk::Queued || !core.queues.runs(job.queue));
    let active = queued.chain(others).map(listed);
    let zombies = core.waits.zombies().cloned();
    Ok(Listed {
        jobs: active.chain(zombies).take(limit).collect(),
    })
}

/// A job as it is listed.
pub(crate) fn listed(job: &Job) -> ListedJob {
    let life = &job.life;
    ListedJob {
        id: job.id,
        userid: life.userid,
        urgency: life.urgency.get().into(),
        priority: life.priority.map_or(-1, |priority| priority.0.into()),
        t_submit: life.t_submit,
        state: life.state,
        annotations: job.notes().map(Object),
        dependencies: life.ever_waited.then(|| life.dependencies.clone()),
    }
}
