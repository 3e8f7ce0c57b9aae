//! resource: knows the resources of the instance and the usable ones among them, keeps
//! the log of both, and hands them to one scheduler (protocol/13 sections 3 and 4).
//!
//! Read on in `core.rs` (its state), `start.rs` (the source of its state), `discovery.rs`
//! (resources found by ranks, which `follower.rs` reports to rank 0), `scheduler.rs`
//! (messages to a scheduler) and `handlers/` (one file a method, or two that belong
//! together). It is the only writer of `resource.R` and `resource.eventlog`. It never
//! knows the resources of jobs: those are known to the job manager.

mod config;
mod core;
mod discovery;
mod drains;
mod fake;
mod follower;
mod handlers;
mod hosts;
mod inventory;
mod journal;
mod limits;
mod machine;
mod monitor;
mod scheduler;
mod start;
mod store;
mod verify;
mod xml;

use node::{Cx, Host, Module, Routes, StreamId};
use proto::resource::{
    Acquire, AcquireMute, Drain, ExpirationUpdate, Get, Journal, MonitorForceDown, MonitorWaitup,
    Reload, SchedStatus, Status, TopoGet, TopoReduce, Undrain,
};
use proto::{Object, Refusal};

use crate::config::Settings;
pub use crate::core::Resource;
pub use crate::machine::{Found, Machine, ThisMachine};

/// State of the worker thread.
pub type Worker = Box<dyn Machine>;

impl Host for Resource {
    const NAME: &'static str = "resource";
    type Worker = Worker;

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.store.flush(cx);
        follower::send_due(self, cx);
    }

    fn closed(&mut self, _: &mut Cx<Self>, stream: StreamId) {
        self.journal.closed(stream);
        self.monitor.closed(stream);
        self.discovery.closed(stream);
        self.reduce.closed(stream);
        self.forget_waiting(stream);
        if let Some(scheduler) = self.scheduler.take_if(|s| s.stream.id() == stream) {
            scheduler.stream.forget();
        }
    }

    fn configure(&mut self, cx: &mut Cx<Self>, conf: &Object) -> Result<(), Refusal> {
        self.adopt(cx, conf)
    }
}

impl Module for Resource {
    fn routes() -> Routes<Self> {
        Routes::new()
            .stream::<Acquire>(handlers::acquire::acquire)
            .on::<AcquireMute>(handlers::acquire::mute)
            .later::<Status>(handlers::status::status)
            .later::<SchedStatus>(handlers::status::sched_status)
            .later::<Get>(handlers::status::get)
            .later::<Drain>(handlers::drain::drain)
            .later::<Undrain>(handlers::drain::undrain)
            .later::<Reload>(handlers::reload::reload)
            .on::<ExpirationUpdate>(handlers::expiration::expiration_update)
            .stream::<Journal>(handlers::journal::journal)
            .later::<TopoReduce>(handlers::topology::topo_reduce)
            .later::<TopoGet>(handlers::topology::topo_get)
            .later::<MonitorWaitup>(handlers::monitor::waitup)
            .on::<MonitorForceDown>(handlers::monitor::force_down)
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let welcome = cx.welcome();
        let args = welcome.args.clone().unwrap_or_default();
        let settings = Settings::new(&args, &welcome.conf, crate::core::hostname(cx))?;
        let core = Resource::new(cx, settings);
        cx.hold_start();
        match cx.rank() {
            0 => start::begin(cx),
            _ => start::discover(cx, None),
        }
        Ok(core)
    }
}

#[cfg(test)]
mod tests;
