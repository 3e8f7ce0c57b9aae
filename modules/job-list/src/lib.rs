//! job-list: lists the jobs of the instance and their attributes (protocol/12, RFC 43).
//!
//! Read on in `journal.rs` (where its knowledge comes from), crate `job-fold` (the meaning of
//! events), `table.rs` (how jobs are kept and ordered), `query.rs` (constraints), `scan.rs` (a
//! search in slices) and `handlers/` (one file a method). It learns only from the journal of the
//! job manager; it never reads a job's data from the KVS, and only asks it whether a job is there.

#![forbid(unsafe_code)]

mod attrs;
mod core;
mod followers;
mod groups;
mod handlers;
mod journal;
mod limits;
mod query;
mod scan;
mod stats;
mod table;
mod waits;

use node::{Cx, Host, Module, Routes, StreamId};
use proto::attr::names;
use proto::job_list::{
    Follow, FollowTaken, JobStatePause, JobStateUnpause, JobStats, List, ListAttrs, ListId,
    StatsGet,
};
use proto::job_manager::{JobPurgeInactive, Online};
use proto::{Errno, Object, Refusal};

pub use crate::core::JobList;
use crate::core::Settings;

impl Host for JobList {
    const NAME: &'static str = "job-list";
    type Worker = ();

    fn closed(&mut self, _: &mut Cx<Self>, stream: StreamId) {
        JobList::closed(self, stream);
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        self.settings = Settings::new(conf, size(cx))?;
        Ok(())
    }

    fn check_invariants(&self) {
        self.table.check_invariants();
    }
}

impl Module for JobList {
    fn routes() -> Routes<Self> {
        Routes::new()
            .stream::<List>(handlers::list::list)
            .stream::<Follow>(handlers::follow::follow)
            .on::<FollowTaken>(handlers::follow::follow_taken)
            .later::<ListId>(handlers::list_id::list_id)
            .later::<ListAttrs>(handlers::stats::list_attrs)
            .stream::<JobStats>(handlers::stats::job_stats)
            .later::<StatsGet>(handlers::stats::stats_get)
            .later::<JobStatePause>(handlers::stats::pause)
            .later::<JobStateUnpause>(handlers::stats::unpause)
            .event::<Online>(|core: &mut JobList, cx, _| core.manager_is_there(cx))
            .event::<JobPurgeInactive>(|core: &mut JobList, cx, event| core.purge(cx, &event))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        if let Some(arg) = welcome.args.iter().flatten().next() {
            let text = format!("{arg}: unknown option");
            return Err(Refusal::new(Errno::EINVAL, text));
        }
        let settings = Settings::new(&welcome.conf, size(cx))?;
        // The history comes while we run: loading does not wait for it.
        let mut core = JobList::new(settings);
        journal::follow(&mut core, cx);
        Ok(core)
    }
}

/// Number of ranks of the instance.
fn size(cx: &Cx<JobList>) -> usize {
    let size = cx.attr(&names::SIZE).and_then(|size| size.parse().ok());
    size.unwrap_or(1)
}

#[cfg(test)]
mod tests;
