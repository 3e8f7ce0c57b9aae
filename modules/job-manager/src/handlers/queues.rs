//! job-manager.queue-*: whether jobs are taken and run. A change is answered once it would
//! survive us.

use node::{Cx, Peer, Reply};
use proto::job_manager::{
    QueueEnable, QueueError, QueueList, QueueStart, QueueState, QueueStatus, Queues,
};
use proto::{Empty, Never};

use crate::JobManager;
use crate::queue::Queue;

pub(crate) fn queue_list(
    _: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    _: QueueList,
) -> Result<Queues, Never> {
    Ok(Queues { queues: Vec::new() })
}

pub(crate) fn queue_status(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    request: QueueStatus,
) -> Result<QueueState, QueueError> {
    Queue::is_meant(request.name.as_deref())?;
    Ok(core.queue.state(core.alloc.is_ready()))
}

pub(crate) fn queue_enable(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    _: &Peer,
    request: QueueEnable,
    reply: Reply<QueueEnable>,
) {
    if let Err(refusal) = Queue::is_meant(request.name.as_deref()) {
        return reply.send(cx, Err(refusal));
    }
    if !request.enable && request.reason.is_none() {
        return reply.send(cx, Err(QueueError::ReasonRequired));
    }
    core.queue.set_enable(request.enable, request.reason);
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
    if let Err(refusal) = Queue::is_meant(request.name.as_deref()) {
        return reply.send(cx, Err(refusal));
    }
    let is_kept = !request.nocheckpoint.unwrap_or(false);
    core.queue.set_start(request.start, request.reason, is_kept);
    if !request.start {
        core.take_all_back(cx);
        core.run(cx);
    }
    core.checkpoint();
    core.batch.then(|_, cx| reply.send(cx, Ok(Empty)));
}
