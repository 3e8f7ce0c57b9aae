//! job-manager.purge and purge-id: forgetting inactive jobs (protocol/11 section 13).

use node::{Cx, Peer, Reply};
use proto::job_manager::{Purge, PurgeError, PurgeId, PurgeIdError, Purged};

use crate::JobManager;
use crate::jobs::Slot;
use crate::limits::PURGE_JOBS_MAX;
use crate::purge::Limits;

pub(crate) fn purge(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: Purge,
    reply: Reply<Purge>,
) {
    let limits = match limits(&request) {
        Ok(limits) => limits,
        Err(refusal) => return reply.send(cx, Err(refusal)),
    };
    if !request.force {
        let count = core.to_purge(cx, &limits, usize::MAX).len() as u64;
        return reply.send(cx, Ok(Purged { count }));
    }
    let batch = usize::try_from(request.batch).unwrap_or(PURGE_JOBS_MAX);
    let ids = core.to_purge(cx, &limits, batch);
    let count = ids.len() as u64;
    core.forget(ids);
    core.batch
        .then(move |_, cx| reply.send(cx, Ok(Purged { count })));
}

fn limits(request: &Purge) -> Result<Limits, PurgeError> {
    let is_unset = |limit: f64| limit == -1.0;
    if !is_unset(request.age_limit) && request.age_limit < 0.0 {
        return Err(PurgeError::Age);
    }
    if request.num_limit < -1 {
        return Err(PurgeError::Number);
    }
    if !(1..=PURGE_JOBS_MAX as i64).contains(&request.batch) {
        return Err(PurgeError::Batch);
    }
    let limits = Limits {
        age: (!is_unset(request.age_limit)).then_some(request.age_limit),
        number: usize::try_from(request.num_limit).ok(),
    };
    // Without limits, everything goes.
    Ok(match limits {
        Limits {
            age: None,
            number: None,
        } => Limits {
            age: None,
            number: Some(0),
        },
        limits => limits,
    })
}

pub(crate) fn purge_id(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: PurgeId,
    reply: Reply<PurgeId>,
) {
    match core.jobs.get(request.id) {
        None => return reply.send(cx, Err(PurgeIdError::NotFound)),
        Some(Slot::Active(_)) => return reply.send(cx, Err(PurgeIdError::Active)),
        Some(_) if core.is_needed(request.id) => {
            return reply.send(cx, Err(PurgeIdError::Active));
        }
        Some(_) => {}
    }
    if request.force != 0 {
        core.forget(vec![request.id]);
    }
    core.batch
        .then(|_, cx| reply.send(cx, Ok(Purged { count: 1 })));
}
