//! job-exec.shell-hello, shell-exit and shell-barrier: what job shells ask. The work is
//! in `shells.rs`.

use node::{Cx, Peer, Reply, Stream};
use proto::Empty;
use proto::job_exec::{ShellBarrier, ShellBarrierError, ShellExit, ShellHello};

use crate::JobExec;

/// A shell greets and takes orders.
pub(crate) fn shell_hello(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellHello,
    stream: Stream<ShellHello>,
) {
    core.greet(cx, request, stream);
}

/// A shell's tasks have ended.
pub(crate) fn shell_exit(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellExit,
    reply: Reply<ShellExit>,
) {
    core.last_word(cx, request, reply);
}

/// A shell waits for the others of its job. On one rank there are none.
pub(crate) fn shell_barrier(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: ShellBarrier,
    reply: Reply<ShellBarrier>,
) {
    let job = core.jobs.get_mut(&request.id);
    let Some(job) = job.filter(|job| !cx.hides(peer, job.userid)) else {
        return reply.send(cx, Err(ShellBarrierError::NotFound));
    };
    if !peer.may_act_for(job.userid) {
        return reply.send(cx, Err(ShellBarrierError::NotYours));
    }
    let result = match job.ending {
        Some(_) => Err(ShellBarrierError::Canceled),
        None => Ok(Empty),
    };
    reply.send(cx, result);
}
