//! job-manager.queue-*: whether jobs are taken and run. A change is answered once it would
//! survive us.

use node::{Cx, Peer, Reply};
use proto::job_manager::{
    QueueEnable, QueueError, QueueList, QueueStart, QueueState, QueueStatus, Queues,
};
use proto::{Empty, Never};

use crate::JobManager;

pub(crate) fn queue_list(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    _: QueueList,
) -> Result<Queues, Never> {
    let names = core.queues.all().filter_map(|id| core.queues.name(id));
    Ok(Queues {
        queues: names.map(str::to_owned).collect(),
    })
}

pub(crate) fn queue_status(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    request: QueueStatus,
) -> Result<QueueState, QueueError> {
    let id = core.queues.find(request.name.as_deref())?;
    let state = core.queues.state(id, core.alloc.is_ready());
    state.ok_or(QueueError::NameRequired)
}

pub(crate) fn queue_enable(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: QueueEnable,
    reply: Reply<QueueEnable>,
) {
    if !request.enable && request.reason.is_none() {
        return reply.send(cx, Err(QueueError::ReasonRequired));
    }
    let meant = match core.queues.meant(request.name.as_deref(), request.all) {
        Ok(meant) => meant,
        Err(refusal) => return reply.send(cx, Err(refusal)),
    };
    for id in meant {
        core.queues
            .set_enable(id, request.enable, request.reason.clone());
    }
    core.checkpoint();
    core.batch.then(|_, cx| reply.send(cx, Ok(Empty)));
}

pub(crate) fn queue_start(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: QueueStart,
    reply: Reply<QueueStart>,
) {
    let meant = match core.queues.meant(request.name.as_deref(), request.all) {
        Ok(meant) => meant,
        Err(refusal) => return reply.send(cx, Err(refusal)),
    };
    let is_kept = !request.nocheckpoint.unwrap_or(false);
    for id in meant {
        core.queues
            .set_start(id, request.start, request.reason.clone(), is_kept);
    }
    if !request.start {
        core.take_stopped_back(cx);
        core.run(cx);
    }
    core.checkpoint();
    core.batch.then(|_, cx| reply.send(cx, Ok(Empty)));
}
