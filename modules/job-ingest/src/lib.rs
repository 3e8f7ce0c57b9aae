//! job-ingest: where jobs come in, on every rank (protocol/11 section 2).
//!
//! It checks a job, gives it an id, puts it into the KVS and hands it to the job manager.
//! It answers when both have it. A submission whose answer was lost with it gets the id that
//! it had.
//!
//! Read on in `core.rs` (its state), `check.rs` (which requests may go on), `pipeline.rs` (how
//! their jobs are changed and checked), `users.rs` (who may submit), `batch.rs` (how jobs travel
//! together), `parts.rs` (how what they share is stored once), `saved.rs` (what survives a restart)
//! and `follow.rs` (the start on other ranks than 0). It never waits for company: a batch is the
//! set of jobs that came in one turn, or while the batch before was being stored.

mod batch;
mod check;
mod config;
mod core;
mod follow;
pub mod limits;
mod parts;
mod pipeline;
mod saved;
#[cfg(test)]
mod tests;
mod users;

use node::{Cx, Host, Module, Routes};
use proto::job_ingest::{GetInfo, StatsGet, Submit};
use proto::{Object, Refusal};

use config::Settings;
pub use core::JobIngest;
pub use users::{Directory, Names, names_of};

impl Host for JobIngest {
    const NAME: &'static str = "job-ingest";
    type Worker = Directory;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.send_off(cx);
        self.look_at_end(cx);
    }

    fn configure(&mut self, _cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        self.settings = self.settings.changed(conf)?;
        Ok(())
    }

    fn stop(&mut self, _cx: &mut Cx<Self>) {
        self.is_ending = true;
    }

    fn clear_stats(&mut self) {
        self.stats = Default::default();
    }
}

impl Module for JobIngest {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Submit>(JobIngest::submit)
            .on::<GetInfo>(|core, cx, _, _| Ok(core.info(cx)))
            .on::<StatsGet>(|core, cx, peer, _| {
                cx.check_may_count(peer)?;
                Ok(core.stats())
            })
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let settings = Settings::new(&args, &welcome.conf)?;
        JobIngest::begin(cx, settings)
    }
}
