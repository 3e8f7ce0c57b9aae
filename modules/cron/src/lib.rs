//! cron: runs commands at intervals, on events and at set times (protocol/24 section 15).
//!
//! It owns the entries and the tasks that they have become; the processes are those of the
//! brokers' subprocess servers (`rexec`). Nothing outlives it: entries end with the module, as
//! clients expect, and its broker then kills running tasks.
//!
//! Read on in `rule.rs` (when an entry runs), `schedule.rs` (how it becomes due), `tasks.rs`
//! (how its command runs) and `handlers.rs` (the methods). `ranges.rs` and `datetime.rs` know
//! the calendar.
//!
//! An instance starts it with the others, and not when it is asked for first: `flux module list`
//! has it, and a service that is there only now and then is one more case for every client.
//! Measured, it costs 0.4 MB of memory that it shares with nobody, and 3 ms of processor time at the
//! start, beside modules that take longer.

#![forbid(unsafe_code)]

mod config;
mod core;
mod datetime;
mod entry;
mod handlers;
pub mod limits;
mod ranges;
mod rule;
mod schedule;
mod tasks;

#[cfg(test)]
mod tests;

use node::{Cx, Host, Module, Routes};
use proto::cron::{Create, Delete, List, Start, Stop, Sync};
use proto::{Refusal, Role};
use wire::Message;

use config::Settings;
pub use core::Cron;

impl Host for Cron {
    const NAME: &'static str = "cron";
    /// The zone in which times are meant.
    type Worker = jiff::tz::TimeZone;

    fn event(&mut self, cx: &mut Cx<Self>, event: &Message) {
        // Others must not have our commands run.
        if event.rolemask.meets(Role::OWNER) {
            self.happened(cx, event.topic());
        }
    }

    fn check_invariants(&self) {
        self.check();
    }
}

impl Module for Cron {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Create>(handlers::create)
            .on::<Delete>(handlers::delete)
            .on::<Stop>(handlers::stop)
            .on::<Start>(handlers::start)
            .on::<List>(handlers::list)
            .on::<Sync>(handlers::sync)
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        let args = cx.welcome().args.clone().unwrap_or_default();
        Settings::new(&args).map(|settings| Cron::new(cx, settings))
    }
}
