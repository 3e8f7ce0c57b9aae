//! `list-attrs`, `job-stats`, `stats-get` and the pause for tests.

use job_fold::List;
use node::{Cx, Peer, Reply, Stream};
use proto::job_list::{
    Attrs, IdSyncCounts, JobStatePause, JobStateUnpause, JobStats, ListAttrs, ListCounts, Stats,
    StatsGet,
};
use proto::{Coded as _, Empty};

use super::when_initialized;
use crate::JobList;

pub fn list_attrs(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    _: &Peer,
    _: ListAttrs,
    reply: Reply<ListAttrs>,
) {
    when_initialized(core, cx, |_, cx| {
        let attrs = crate::attrs::names();
        reply.send(cx, Ok(Attrs { attrs }));
    });
}

/// Answers with the known counts, even before the history is read.
pub fn job_stats(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    _: JobStats,
    stream: Stream<JobStats>,
) {
    if let Err(error) = cx.check_may_count(from) {
        return stream.end(cx, Err(error.refusal()));
    }
    core.watch_stats(cx, stream);
}

pub fn stats_get(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    from: &Peer,
    _: StatsGet,
    reply: Reply<StatsGet>,
) {
    if let Err(error) = cx.check_may_count(from) {
        return reply.send(cx, Err(error));
    }
    when_initialized(core, cx, |core, cx| {
        let (lookups, waits) = core.waits.counts();
        let stats = Stats {
            jobs: ListCounts {
                pending: core.table.len(List::Pending) as u64,
                running: core.table.len(List::Running) as u64,
                inactive: core.table.len(List::Inactive) as u64,
            },
            idsync: IdSyncCounts { lookups, waits },
            stats_watchers: core.n_watchers() as u64,
        };
        reply.send(cx, Ok(stats));
    });
}

pub fn pause(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    _: &Peer,
    _: JobStatePause,
    reply: Reply<JobStatePause>,
) {
    when_initialized(core, cx, |core, cx| {
        core.pause();
        reply.send(cx, Ok(Empty));
    });
}

pub fn unpause(
    core: &mut JobList,
    cx: &mut Cx<JobList>,
    _: &Peer,
    _: JobStateUnpause,
    reply: Reply<JobStateUnpause>,
) {
    when_initialized(core, cx, |core, cx| {
        core.unpause(cx);
        reply.send(cx, Ok(Empty));
    });
}
