//! Requests of job shells. The work is in `hand/`.

use node::{Cx, Peer, Reply, Stream};
use proto::Coded;
use proto::data::JobId;
use proto::job_exec::{
    ShellBarrier, ShellBarrierError, ShellError, ShellExit, ShellHear, ShellHello, ShellTell,
};

use super::climb;
use crate::JobExec;
use crate::job::{Job, TESTEXEC};

/// A shell greets and takes orders.
pub(crate) fn shell_hello(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: ShellHello,
    stream: Stream<ShellHello>,
) {
    if is_of_below(core, peer, request.id) {
        return stream.end(cx, Err(ShellError::Busy.refusal()));
    }
    core.greet(cx, request, stream);
}

/// A shell's tasks have ended.
pub(crate) fn shell_exit(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: ShellExit,
    reply: Reply<ShellExit>,
) {
    if is_of_below(core, peer, request.id) {
        return reply.send(cx, Err(ShellError::Busy));
    }
    core.last_word(cx, request, reply);
}

/// True if a shell of a running job is not that of our own rank: it may not know its own
/// place yet.
fn is_of_below(core: &JobExec, peer: &Peer, id: JobId) -> bool {
    let has_ended = core.jobs.get(&id).is_some_and(Job::has_ended);
    !has_ended && core.hand.is_from_below(peer)
}

/// A shell waits for the others of its job.
pub(crate) fn shell_barrier(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: ShellBarrier,
    reply: Reply<ShellBarrier>,
) {
    let part = core.hand.parts.get(&request.id);
    if part.is_none() && request.lease.is_none() && cx.rank() != 0 {
        // Rank 0 can tell the reason for a refusal.
        return climb(cx, peer, &request, reply);
    }
    let mock = core.jobs.get(&request.id).filter(|job| job.is_mock());
    if mock.is_some_and(|job| peer.may_act_for(job.userid)) {
        return reply.send(cx, Err(ShellBarrierError::NotSupported(TESTEXEC)));
    }
    let userid = part
        .and_then(|part| part.task.as_ref())
        .map(|task| task.userid);
    // As long as the job is not known, its owner is not.
    let userid = userid.unwrap_or(cx.owner());
    if part.is_none() && request.lease.is_some() && peer.is_owner() {
        let has_ended = core
            .jobs
            .get(&request.id)
            .is_some_and(|job| job.has_ended());
        return reply.send(
            cx,
            Err(match has_ended {
                true => ShellBarrierError::Canceled,
                false => ShellBarrierError::NotReady,
            }),
        );
    }
    if part.is_none() || cx.hides(peer, userid) {
        return reply.send(cx, Err(ShellBarrierError::NotFound));
    }
    if !peer.may_act_for(userid) {
        return reply.send(cx, Err(ShellBarrierError::NotYours));
    }
    core.come_to_barrier(cx, request, reply);
}

/// A shell sends the leading one messages.
pub(crate) fn shell_tell(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellTell,
    reply: Reply<ShellTell>,
) {
    core.send_letter(cx, request, reply);
}

/// The leading shell asks for messages.
pub(crate) fn shell_hear(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellHear,
    reply: Reply<ShellHear>,
) {
    core.receive_letters(cx, request, reply);
}
