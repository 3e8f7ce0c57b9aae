//! Requests of schedulers and execution services (protocol/11 sections 7 and 8).

use node::{Cx, Peer, Stream};
use proto::common::HiddenError;
use proto::data::Rset;
use proto::job_manager::{
    AllocCounts, AllocQuery, Allocated, ExecHello, ExecHelloError, ResourceStatus, SchedHello,
    SchedReady, SchedReadyReply,
};
use proto::{Empty, Errno, Never, RawJson, Refusal};

use crate::JobManager;
use crate::alloc::Mode;
use crate::housekeeping::hello;

pub(crate) fn sched_hello(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: SchedHello,
    stream: Stream<SchedHello>,
) {
    core.scheduler_hello(cx, peer);
    // It looks for R in the KVS.
    core.batch.then(move |core, cx| {
        answer_allocated(core, cx, request.partial_ok == Some(true), stream);
    });
}

/// Sends a scheduler the jobs that have resources of its kind.
fn answer_allocated(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    partial_ok: bool,
    mut stream: Stream<SchedHello>,
) {
    for job in core
        .jobs
        .all_active()
        .filter(|job| job.life.has_scheduled())
    {
        let free = core.given_back(job);
        let free = (!free.is_empty()).then(|| free.to_string());
        stream.send(cx, &hello(job, free));
    }
    core.hello_of_housekeeping(cx, partial_ok, &mut stream);
    stream.end(cx, Ok(()));
}

pub(crate) fn sched_ready(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    peer: &Peer,
    request: SchedReady,
) -> Result<SchedReadyReply, Refusal> {
    let limit = request.limit.and_then(|limit| usize::try_from(limit).ok());
    let mode = match (request.mode.as_str(), limit) {
        ("unlimited", _) => Mode::Unlimited,
        ("limited", Some(limit)) if limit > 0 => Mode::Limited(limit),
        _ => return Err(Refusal::bare(Errno::EPROTO)),
    };
    core.scheduler_ready(peer, mode);
    Ok(SchedReadyReply {
        count: core.alloc.n_queued(&core.queues) as u64,
    })
}

pub(crate) fn exec_hello(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: ExecHello,
) -> Result<Empty, ExecHelloError> {
    if core.exec.is_busy_elsewhere(&request.service) {
        return Err(ExecHelloError::Busy);
    }
    core.exec_hello(cx, peer, request.service);
    Ok(Empty)
}

pub(crate) fn alloc_query(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    _: AllocQuery,
) -> Result<AllocCounts, HiddenError> {
    cx.check_may_count(peer)?;
    Ok(AllocCounts {
        queue_length: core.alloc.n_queued(&core.queues) as u64,
        alloc_pending: core.alloc.n_sent() as u64,
        running: core.jobs.n_running() as u64,
    })
}

pub(crate) fn resource_status(
    core: &mut JobManager,
    _: &mut Cx<JobManager>,
    _: &Peer,
    _: ResourceStatus,
) -> Result<Allocated, Never> {
    let mut all = Rset::new();
    let of_jobs = core.jobs.all_active().filter_map(|job| {
        let r = job.r.as_ref().filter(|_| job.life.has_scheduled())?;
        let mut r = Rset::decode(r.as_str()).ok()?;
        r.remove_ranks(&core.given_back(job));
        Some(r)
    });
    for r in of_jobs.chain(core.housekeeping.allocated()) {
        if let Err(error) = all.add(&r) {
            tracing::error!("resource-status: {error}");
        }
    }
    let empty = r#"{"version":1,"execution":{"R_lite":[],"nodelist":[""],"starttime":0.0,"expiration":0.0}}"#;
    let text = if all.is_empty() {
        empty.to_owned()
    } else {
        all.encode()
    };
    let allocated = RawJson::new(&text).unwrap_or_else(|_| unreachable!("an encoded R is JSON"));
    Ok(Allocated { allocated })
}
