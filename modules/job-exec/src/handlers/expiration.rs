//! job-exec.expiration: moves the end of a running job's time.

use node::{Cx, Peer, Reply};
use proto::Empty;
use proto::job_exec::{Expiration, ExpirationError};

use super::climb;
use crate::JobExec;

/// Sets the timer again and notifies the shells; 0 is never.
pub(crate) fn expiration(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: Expiration,
    reply: Reply<Expiration>,
) {
    if cx.rank() != 0 {
        return climb(cx, peer, &request, reply);
    }
    let result = set(core, cx, request);
    reply.send(cx, result);
}

fn set(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    request: Expiration,
) -> Result<Empty, ExpirationError> {
    let job = core
        .jobs
        .get_mut(&request.id)
        .ok_or(ExpirationError::NotFound)?;
    if !(request.expiration >= 0.0 && request.expiration.is_finite()) {
        return Err(ExpirationError::Malformed);
    }
    job.expiration = request.expiration;
    core.order_all(cx, request.id, |order| {
        order.expiration = Some(request.expiration);
    });
    core.arm_expiry(cx, request.id);
    Ok(Empty)
}
