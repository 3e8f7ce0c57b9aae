//! The programs that this crate is: one scheduler, under a name for each policy.

use proto::config::{Key, keys};

use crate::limits::QUEUE_DEPTH;

/// Jobs that may start before the first one in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// None.
    Fifo,
    /// Jobs that are done before the first one can start.
    Backfill,
}

/// Name and default settings of a program of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// Name as a module.
    pub name: &'static str,
    /// Policy.
    pub policy: Policy,
    /// Requests that the job manager may have here at a time; `None` for all.
    pub depth: Option<u32>,
    /// True if it has the argument `test-hello-nopartial`.
    pub has_test_arguments: bool,
    /// Keys of the configuration, by their last word.
    pub keys: [(&'static str, &'static Key); 3],
}

/// A program.
pub trait Program: Sized + 'static {
    /// Traits of the program.
    const TRAITS: Traits;
}

/// `sched-simple`, which an instance has unless it is configured otherwise.
#[derive(Debug)]
pub struct Simple;

/// `sched-fifo`, the same under another name.
#[derive(Debug)]
pub struct Fifo;

/// `sched-backfill`.
#[derive(Debug)]
pub struct Backfill;

impl Program for Simple {
    const TRAITS: Traits = Traits {
        name: "sched-simple",
        policy: Policy::Fifo,
        depth: Some(QUEUE_DEPTH),
        has_test_arguments: true,
        keys: [
            ("queue-depth", &keys::SCHED_SIMPLE_QUEUE_DEPTH),
            ("log-level", &keys::SCHED_SIMPLE_LOG_LEVEL),
            ("pool-class", &keys::SCHED_SIMPLE_POOL_CLASS),
        ],
    };
}

impl Program for Fifo {
    const TRAITS: Traits = Traits {
        name: "sched-fifo",
        policy: Policy::Fifo,
        depth: Some(QUEUE_DEPTH),
        has_test_arguments: false,
        keys: [
            ("queue-depth", &keys::SCHED_FIFO_QUEUE_DEPTH),
            ("log-level", &keys::SCHED_FIFO_LOG_LEVEL),
            ("pool-class", &keys::SCHED_FIFO_POOL_CLASS),
        ],
    };
}

impl Program for Backfill {
    const TRAITS: Traits = Traits {
        name: "sched-backfill",
        policy: Policy::Backfill,
        depth: None,
        has_test_arguments: false,
        keys: [
            ("queue-depth", &keys::SCHED_BACKFILL_QUEUE_DEPTH),
            ("log-level", &keys::SCHED_BACKFILL_LOG_LEVEL),
            ("pool-class", &keys::SCHED_BACKFILL_POOL_CLASS),
        ],
    };
}
