//! What job shells ask. The work is in `shells.rs` and `mail.rs`.

use std::collections::BTreeMap;

use node::{Cx, Peer, Reply, Stream};
use proto::Empty;
use proto::job_exec::{
    BarrierOpen, ShellBarrier, ShellBarrierError, ShellExit, ShellHear, ShellHello, ShellTell,
    ShellTellError, Told,
};

use crate::JobExec;
use crate::job::Shell;
use crate::limits::{BARRIER_BYTES_MAX, TELL_BYTES_MAX};
use crate::mail::bytes_of;

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
    let is_other = |lease: &String| job.shell().is_some_and(|shell| shell.lease != *lease);
    let result = match job.ending {
        _ if request.lease.as_ref().is_some_and(is_other) => Err(ShellBarrierError::Replaced),
        Some(_) => Err(ShellBarrierError::Canceled),
        None if data_bytes(&request.data) > BARRIER_BYTES_MAX => Err(ShellBarrierError::TooMuch),
        None => Ok(BarrierOpen { data: request.data }),
    };
    reply.send(cx, result);
}

fn data_bytes(data: &BTreeMap<String, String>) -> usize {
    data.iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}

/// A shell tells the leading one something.
pub(crate) fn shell_tell(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellTell,
    reply: Reply<ShellTell>,
) {
    let shell = match shell_of(core, &request.lease, request.id) {
        Ok(shell) => shell,
        Err(error) => return reply.send(cx, Err(error)),
    };
    let seq = request.seq;
    let told = Told {
        rank: 0,
        seq,
        words: request.words,
    };
    if bytes_of(&told) > TELL_BYTES_MAX {
        return reply.send(cx, Err(ShellTellError::TooLong));
    }
    if !shell.exits.is_empty() {
        return reply.send(cx, Err(ShellTellError::NoReader));
    }
    match shell.mail.put(cx, 0, told) {
        Ok(()) => {
            if let Some((_, before)) = shell.tells.replace((seq, reply)) {
                before.send(cx, Err(ShellTellError::Again));
            }
        }
        Err(error) => reply.send(cx, Err(error)),
    }
}

/// The leading shell asks what it is told.
pub(crate) fn shell_hear(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
    request: ShellHear,
    reply: Reply<ShellHear>,
) {
    let shell = match shell_of(core, &request.lease, request.id) {
        Ok(shell) => shell,
        Err(error) => return reply.send(cx, Err(error)),
    };
    for taken in shell.mail.hear(cx, request.after, reply) {
        if let Some((_, reply)) = shell.tells.take_if(|(seq, _)| *seq == taken.seq) {
            reply.send(cx, Ok(Empty));
        }
    }
}

/// The shell of a job, if it has this lease.
fn shell_of<'a>(
    core: &'a mut JobExec,
    lease: &str,
    id: proto::data::JobId,
) -> Result<&'a mut Shell, ShellTellError> {
    let job = core.jobs.get_mut(&id).ok_or(ShellTellError::Unknown)?;
    let shell = job.shell().ok_or(ShellTellError::Unknown)?;
    match shell.lease == lease {
        true => Ok(shell),
        false => Err(ShellTellError::Replaced),
    }
}
