//! job-info: gives a job's data to its user and to the instance owner, who alone may read
//! the KVS directly (protocol/10 section 24, RFC 41).
//!
//! Read on in `watch.rs` (logs as they grow), `update.rs` (R and jobspec as they change)
//! and `handlers/lookup.rs`. It keeps nothing: each request is answered from the KVS.

mod core;
mod handlers;
mod limits;
mod lines;
mod log;
mod update;
mod watch;

use node::{Cx, Host, Module, Routes, StreamId};
use proto::job_info::{EventlogWatch, Lookup, StatsGet, UpdateLookup, UpdateWatch};
use proto::{Errno, Refusal};

pub use crate::core::JobInfo;

impl Host for JobInfo {
    const NAME: &'static str = "job-info";
    type Worker = ();

    fn closed(&mut self, cx: &mut Cx<Self>, stream: StreamId) {
        JobInfo::closed(self, cx, stream);
    }
}

impl Module for JobInfo {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Lookup>(handlers::lookup::lookup)
            .stream::<EventlogWatch>(handlers::watch::eventlog_watch)
            .stream::<UpdateWatch>(handlers::watch::update_watch)
            .later::<UpdateLookup>(handlers::lookup::update_lookup)
            .on::<StatsGet>(handlers::stats_get)
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        if let Some(arg) = cx.welcome().args.iter().flatten().next() {
            let text = format!("{arg}: unknown option");
            return Err(Refusal::new(Errno::EINVAL, text));
        }
        Ok(JobInfo::default())
    }
}

#[cfg(test)]
mod tests;
