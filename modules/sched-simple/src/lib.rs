//! The schedulers of an instance: they give jobs their resources, first come first served
//! (`sched-simple`, `sched-fifo`) or with others let through meanwhile (`sched-backfill`); see
//! protocol/13 sections 1 and 2, protocol/25 section 12, RFC 27.
//!
//! One crate, one program a policy (`program.rs`). Read on in `core.rs` (the queue and the
//! decision), `backfill.rs`, `pool.rs`, `view.rs` and `place.rs` (where a job goes), `plan.rs` and
//! `outlook.rs` (when it may), `answer.rs` (answers to jobs) and `handshake.rs` (the handshake
//! with resource and job-manager, at the start and after one of them has died). Running jobs are
//! known from the job manager, which stores R: no state here outlives the module.

mod answer;
mod backfill;
mod changes;
mod config;
mod core;
mod handlers;
mod handshake;
mod held;
mod limits;
mod log;
mod outlook;
mod place;
mod plan;
mod pool;
mod program;
mod queue;
mod request;
mod shape;
mod stats;
mod view;

use node::{Cx, Host, Module, Peer, Routes};
use proto::attr::names;
use proto::job_manager::Online;
use proto::sched::{BackfillStats, Cancel, Expiration, FifoStats, Free};
use proto::sched::{Prioritize, ResourceStatus, SimpleStats};
use proto::{Method as _, Object, Refusal, Role, feasibility, sched};

use crate::config::Settings;

pub use crate::core::Scheduler;
pub use crate::program::{Backfill, Fifo, Policy, Program, Simple, Traits};

/// The module `sched-simple`.
pub type SchedSimple = Scheduler<Simple>;
/// The module `sched-fifo`.
pub type SchedFifo = Scheduler<Fifo>;
/// The module `sched-backfill`.
pub type SchedBackfill = Scheduler<Backfill>;

impl<P: Program> Host for Scheduler<P> {
    const NAME: &'static str = P::TRAITS.name;
    type Worker = ();

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.schedule(cx);
    }

    fn disconnected(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        self.manager_gone(cx, gone.sender.as_ref());
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let settings = Settings::new(&P::TRAITS, &args, conf)?;
        // The job manager was told the others, and hears them again at the next start.
        self.settings.log_level = settings.log_level;
        Ok(())
    }

    fn clear_stats(&mut self) {
        self.counters = Default::default();
    }

    fn check_invariants(&self) {
        self.queue.check_invariants();
        self.held.check_invariants();
        if let Some(pool) = &self.pool {
            pool.check_invariants();
        }
    }
}

impl<P: Program> Module for Scheduler<P> {
    fn routes() -> Routes<Self> {
        Routes::new()
            .raw(sched::Alloc::TOPIC, Role::OWNER, handlers::alloc)
            .on::<Cancel>(handlers::cancel)
            .on::<Free>(handlers::free)
            .on::<Prioritize>(handlers::prioritize)
            .on::<Expiration>(handlers::expiration)
            .on::<ResourceStatus>(handlers::resource_status)
            .on::<feasibility::Check>(handlers::check)
            .on::<SimpleStats>(handlers::stats)
            .on::<FifoStats>(handlers::stats)
            .on::<BackfillStats>(handlers::stats)
            .event::<Online>(|core: &mut Scheduler<P>, cx, online| {
                core.manager_online(cx, &online);
            })
    }

    fn services() -> &'static [&'static str] {
        &["sched", "feasibility"]
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let core = Scheduler::new(Settings::new(&P::TRAITS, &args, &welcome.conf)?);
        // Alone in its instance, the resource module has R when it is asked. With other
        // brokers it waits for theirs, and the start of this one must not wait for that.
        if cx.attr(&names::SIZE).is_none_or(|size| size == "1") {
            cx.hold_start();
        }
        handshake::acquire(cx);
        Ok(core)
    }
}

#[cfg(test)]
mod tests;
