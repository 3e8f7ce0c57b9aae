//! job-manager.raise and raiseall: exceptions that users raise. They are answered once
//! they are stored.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::data::JobId;
use proto::data::job::{Exception, ExceptionType, Severity, States, WaitStatus};
use proto::job_manager::{Counted, JobEvent, Raise, RaiseAll, RaiseAllError, RaiseError};

use crate::JobManager;
use crate::exec::publish_exception;
use crate::jobs::Slot;
use crate::limits::JOB_LOG_BYTES_MAX;

pub(crate) fn raise(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Raise,
    reply: Reply<Raise>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    match raise_one(core, cx, peer, request) {
        Ok(()) => core.answer_stored(peer.number, reply, &Empty),
        Err(refusal) => reply.send(cx, Err(refusal)),
    }
}

fn raise_one(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Raise,
) -> Result<(), RaiseError> {
    let severity = Severity::new(request.severity).map_err(|_| RaiseError::Severity)?;
    let kind = ExceptionType::new(&request.kind).map_err(|_| RaiseError::Type)?;
    let job = match core.known_to(cx, peer, request.id) {
        Some(Slot::Active(job)) => job,
        Some(Slot::Inactive(_) | Slot::Away(_)) => return Err(RaiseError::Inactive),
        None => return Err(RaiseError::UnknownJob),
    };
    if !peer.may_act_for(job.life.userid) {
        return Err(RaiseError::NotYours);
    }
    let exception = Exception {
        kind,
        severity,
        note: request.note.unwrap_or_default(),
        userid: Some(peer.userid),
        wait_status: request.wait_status.map(WaitStatus),
    };
    if !job.has_room_for(&JobEvent::Exception(exception.clone())) {
        return Err(RaiseError::LogFull(JOB_LOG_BYTES_MAX));
    }
    except(core, cx, request.id, exception);
    Ok(())
}

/// Posts an exception, and sends it to the execution service once it is stored: a job that was
/// ended has the reason in its log.
fn except(core: &mut JobManager, cx: &mut Cx<JobManager>, id: JobId, exception: Exception) -> bool {
    let kind = exception.kind.as_str().to_owned();
    let severity = exception.severity.get().into();
    let wait_status = exception.wait_status.map(|status| status.0);
    if !core.post(cx, id, &JobEvent::Exception(exception)) {
        return false;
    }
    core.batch
        .then(move |_, cx| publish_exception(cx, id, kind, severity, wait_status));
    core.run(cx);
    true
}

pub(crate) fn raiseall(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: RaiseAll,
    reply: Reply<RaiseAll>,
) {
    let Some(reply) = core.unless_done(cx, peer, reply) else {
        return;
    };
    match raise_many(core, cx, peer, &request) {
        Ok(counted) => core.answer_stored(peer.number, reply, &counted),
        Err(refusal) => reply.send(cx, Err(refusal)),
    }
}

fn raise_many(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: &RaiseAll,
) -> Result<Counted, RaiseAllError> {
    let severity = Severity::new(request.severity).map_err(|_| RaiseAllError::Severity)?;
    let kind = ExceptionType::new(&request.kind).map_err(|_| RaiseAllError::Type)?;
    let userid = super::kill::user_of(request.userid);
    if !peer.is_owner() && userid != Some(peer.userid) {
        return Err(RaiseAllError::NotYours);
    }
    let states = States::from_bits(request.states & States::ALL.bits()).unwrap_or_default();
    let meant = core.jobs.all_active().filter(|job| {
        states.contains(job.life.state) && userid.is_none_or(|userid| job.life.userid == userid)
    });
    let meant: Vec<JobId> = meant.map(|job| job.id).collect();
    let mut counted = Counted {
        count: meant.len() as u64,
        errors: 0,
    };
    if request.dry_run {
        return Ok(counted);
    }
    for id in meant {
        let exception = Exception {
            kind: kind.clone(),
            severity,
            note: request.note.clone().unwrap_or_default(),
            userid: Some(peer.userid),
            wait_status: None,
        };
        counted.errors += u64::from(!except(core, cx, id, exception));
    }
    Ok(counted)
}
