//! job-manager.kill and killall: signals to the tasks of running jobs.

use node::{Cx, Peer};
use proto::Empty;
use proto::data::JobId;
use proto::data::job::State;
use proto::job_manager::{Counted, Kill, KillAll, KillAllError, KillError, ShellKill, USERID_ANY};

use crate::JobManager;
use crate::jobs::Slot;

/// Signals that there are.
const SIGNALS: std::ops::RangeInclusive<i64> = 1..=64;

pub(crate) fn kill(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: Kill,
) -> Result<Empty, KillError> {
    if !SIGNALS.contains(&request.signum) {
        return Err(KillError::Signal);
    }
    let job = match core.known_to(cx, peer, request.id) {
        Some(Slot::Active(job)) => job,
        Some(Slot::Inactive(_) | Slot::Away(_)) => return Err(KillError::Inactive),
        None => return Err(KillError::UnknownJob),
    };
    if !peer.may_act_for(job.life.userid) {
        return Err(KillError::NotYours);
    }
    if job.life.state != State::Run {
        return Err(KillError::NotRunning);
    }
    publish(cx, request.id, request.signum);
    Ok(Empty)
}

fn publish(cx: &mut Cx<JobManager>, id: JobId, signum: i64) {
    cx.publish_for(&id.get().to_string(), &ShellKill { signum });
}

pub(crate) fn killall(
    core: &mut JobManager,
    cx: &mut Cx<JobManager>,
    peer: &Peer,
    request: KillAll,
) -> Result<Counted, KillAllError> {
    if !SIGNALS.contains(&request.signum) {
        return Err(KillAllError::Signal);
    }
    let userid = user_of(request.userid);
    if !peer.is_owner() && userid != Some(peer.userid) {
        return Err(KillAllError::NotYours);
    }
    let meant = core.jobs.all_active().filter(|job| {
        job.life.state == State::Run && userid.is_none_or(|userid| job.life.userid == userid)
    });
    let meant: Vec<JobId> = meant.map(|job| job.id).collect();
    if !request.dry_run {
        for id in &meant {
            publish(cx, *id, request.signum);
        }
    }
    Ok(Counted {
        count: meant.len() as u64,
        errors: 0,
    })
}

/// The user that a request names; `None` for all. Clients write "all" as -1 too.
pub(crate) fn user_of(userid: i64) -> Option<u32> {
    match u32::try_from(userid) {
        Ok(USERID_ANY) | Err(_) => None,
        Ok(userid) => Some(userid),
    }
}
