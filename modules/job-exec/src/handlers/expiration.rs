//! job-exec.expiration: moves the end of a running job's time.

use node::{Cx, Peer};
use proto::Empty;
use proto::job_exec::{Expiration, ExpirationError, ShellOrder};

use crate::JobExec;

/// Sets the timer again and tells the shell; 0 is never.
pub(crate) fn expiration(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    _: &Peer,
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
    let order = ShellOrder {
        expiration: Some(request.expiration),
        ..ShellOrder::default()
    };
    if let Some(orders) = job.shell().and_then(|shell| shell.orders.as_mut()) {
        orders.send(cx, &order);
    }
    core.arm_expiry(cx, request.id);
    Ok(Empty)
}
