//! job-exec.join and report: the requests of the job-execs of brokers below. The work is
//! in `hand/links.rs`.

use node::{Cx, Peer, Reply, Stream};
use proto::job_exec::{Join, Report};

use crate::JobExec;

/// One joins, and takes orders.
pub(crate) fn join(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: Join,
    stream: Stream<Join>,
) {
    core.joins(cx, peer, request, stream);
}

/// A job-exec below reports news.
pub(crate) fn report(
    core: &mut JobExec,
    cx: &mut Cx<JobExec>,
    peer: &Peer,
    request: Report,
    reply: Reply<Report>,
) {
    core.reported(cx, peer, request, reply);
}
