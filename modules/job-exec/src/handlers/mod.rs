//! One file a method, or a small family of them.

mod controls;
mod expiration;
mod shells;
mod start;
mod stats;

pub(crate) use controls::{critical_ranks, override_};
pub(crate) use expiration::expiration;
pub(crate) use shells::{shell_barrier, shell_exit, shell_hear, shell_hello, shell_tell};
pub(crate) use start::start;
pub(crate) use stats::stats_get;
