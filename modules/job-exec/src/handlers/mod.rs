//! One file a method, or a small family of them.

mod controls;
mod expiration;
mod hands;
mod shells;
mod start;
mod stats;

use node::{Call, Cx, Peer, Reply};
use proto::Method;

use crate::JobExec;

pub(crate) use controls::{critical_ranks, kept, make_namespace, override_};
pub(crate) use expiration::expiration;
pub(crate) use hands::{join, report};
pub(crate) use shells::{shell_barrier, shell_exit, shell_hear, shell_hello, shell_tell};
pub(crate) use start::start;
pub(crate) use stats::stats_get;

/// Asks the head in the name of who asks us: it alone has the jobs.
fn climb<M: Method>(cx: &mut Cx<JobExec>, peer: &Peer, request: &M, reply: Reply<M>) {
    let call = Call::new(request).to(0);
    let call = call.as_user(peer.userid, peer.rolemask);
    cx.call_with(call, |_: &mut JobExec, cx, result| {
        reply.send_refusal(cx, result)
    });
}
