//! One function a method: refusals first, effect last. Files are by what users do.

mod housekeeping;
mod jobtap;
mod kill;
mod look;
mod notes;
mod post_event;
mod priority;
mod purging;
mod queues;
mod raise;
mod services;
mod submit;
mod update;

pub(crate) use housekeeping::housekeeping_kill;
pub(crate) use jobtap::{jobtap, jobtap_query};
pub(crate) use kill::{kill, killall};
pub(crate) use look::{getattr, getinfo, history_get, list, listed, stats_get};
pub(crate) use notes::{memo, urgency};
pub(crate) use post_event::post_event;
pub(crate) use priority::{reprioritize, update_factors};
pub(crate) use purging::{purge, purge_id};
pub(crate) use queues::{queue_enable, queue_list, queue_start, queue_status};
pub(crate) use raise::{raise, raiseall};
pub(crate) use services::{alloc_query, exec_hello, resource_status, sched_hello, sched_ready};
pub(crate) use submit::{look_at_held, submit};
pub use update::Updates;
pub(crate) use update::update;
