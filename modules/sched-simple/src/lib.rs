//! sched-simple: gives jobs their resources, first come first served (protocol/13
//! sections 1 and 2, RFC 27).
//!
//! Read on in `core.rs` (the queue and the decision), `pool.rs`, `view.rs` and `place.rs`
//! (where a job goes), `batch.rs` (how R gets into the KVS) and `connect.rs` (the handshake with
//! resource and job-manager, at the start and after one of them has died). It is the only
//! writer of `job.*.R`. What it knows of running jobs it was told by the job manager:
//! nothing here outlives it.

mod batch;
mod connect;
mod core;
mod forecast;
mod handlers;
mod limits;
mod place;
mod pool;
mod queue;
mod request;
mod settings;
mod view;

use node::{Cx, Host, Module, Peer, Routes};
use proto::attr::names;
use proto::job_manager::Online;
use proto::sched::{Cancel, Expiration, Free, Prioritize, ResourceStatus};
use proto::{Method as _, Refusal, Role, feasibility, sched};

pub use crate::core::SchedSimple;
use crate::settings::Settings;

impl Host for SchedSimple {
    const NAME: &'static str = "sched-simple";
    type Worker = ();

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.schedule(cx);
    }

    fn disconnected(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        self.manager_gone(cx, gone.sender.as_ref());
    }

    fn check_invariants(&self) {
        self.queue.check_invariants();
        if let Some(pool) = &self.pool {
            pool.check_invariants();
        }
    }
}

impl Module for SchedSimple {
    fn routes() -> Routes<Self> {
        Routes::new()
            .raw(sched::Alloc::TOPIC, Role::OWNER, handlers::alloc)
            .on::<Cancel>(handlers::cancel)
            .on::<Free>(handlers::free)
            .on::<Prioritize>(handlers::prioritize)
            .on::<Expiration>(handlers::expiration)
            .on::<ResourceStatus>(handlers::resource_status)
            .on::<feasibility::Check>(handlers::check)
            .event::<Online>(|core: &mut SchedSimple, cx, online| {
                core.manager_online(cx, &online);
            })
    }

    fn services() -> &'static [&'static str] {
        &["sched", "feasibility"]
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        let core = SchedSimple::new(Settings::new(&args)?);
        // Alone in its instance, the resource module has R when it is asked. With other
        // brokers it waits for theirs, and the start of this one must not wait for that.
        if cx.attr(&names::SIZE).is_none_or(|size| size == "1") {
            cx.hold_start();
        }
        connect::acquire(cx);
        Ok(core)
    }
}

#[cfg(test)]
mod tests;
