//! One function for each method: refusals first, effect last. Files are named for their method.

mod getattr;
mod history;
mod housekeeping;
mod jobtap;
mod kill;
mod list;
mod memo;
mod post_event;
mod priority;
mod purge;
mod queue;
mod raise;
mod services;
mod stats;
mod submit;
mod update;
mod urgency;

pub(crate) use getattr::getattr;
pub(crate) use history::history_get;
pub(crate) use housekeeping::housekeeping_kill;
pub(crate) use jobtap::{jobtap, jobtap_query};
pub(crate) use kill::{kill, killall};
pub(crate) use list::{list, listed};
pub(crate) use memo::memo;
pub(crate) use post_event::post_event;
pub(crate) use priority::{reprioritize, update_factors};
pub(crate) use purge::{purge, purge_id};
pub(crate) use queue::{queue_enable, queue_list, queue_start, queue_status};
pub(crate) use raise::{raise, raiseall};
pub(crate) use services::{alloc_query, exec_hello, resource_status, sched_hello, sched_ready};
pub(crate) use stats::{getinfo, stats_get};
pub(crate) use submit::{look_at_held, submit};
pub use update::Updates;
pub(crate) use update::update;
pub(crate) use urgency::urgency;
