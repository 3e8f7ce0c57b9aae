//! Arrays: one job whose shells run many elements over its slots (`doc/arrays.md`).
//!
//! Each shell has slots, and starts the next element in one as soon as the last has ended. The
//! leading shell keeps the book (`book.rs`) and hands elements out: to its own slots one by one,
//! to other shells by the supply. They ask it directly, shell to shell, not by way of job-exec.
//!
//! Shared preparations are in `begin.rs`, an element in its slot in `run.rs`, the messages
//! between the two kinds of shells in `lead.rs` and `follow.rs`, and the requests of clients in
//! `clients.rs`.

mod begin;
mod book;
mod clients;
mod follow;
mod lead;
mod run;

use std::time::Duration;

use node::TimerId;
use proto::data::IdSet;
use proto::data::array::ArraySpec;

use crate::JobShell;
use begin::Mold;
use book::Item;
use follow::Supply;
use lead::Lead;

/// An array, as its shell knows it.
#[derive(Debug)]
pub(crate) struct Array {
    /// Request of the job.
    spec: ArraySpec,
    /// Settings shared by all elements, once known.
    mold: Option<Mold>,
    /// Elements that run here, by slot.
    running: Vec<Option<Running>>,
    /// Slots without one.
    free: Vec<usize>,
    part: Part,
    /// Elements that were started here and have ended.
    n_ended: u64,
}

/// Role of a shell in it.
#[derive(Debug)]
enum Part {
    Lead(Box<Lead>),
    Follow(Supply),
}

/// An element that runs.
#[derive(Debug)]
struct Running {
    item: Item,
    /// When it was started: seconds since the epoch, and by the clock that never goes back.
    start: f64,
    since: Duration,
    /// When it had ended, by that clock. Its streams may still be open.
    until: Option<Duration>,
    timer: Option<TimerId>,
    /// Reason for which we ended it, if we did.
    cause: Option<Cause>,
}

/// Reason for which we end an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    TimedOut,
    Canceled,
}

impl Array {
    /// The part of a shell in an array.
    pub(crate) fn new(spec: ArraySpec, is_leader: bool) -> Array {
        let part = match is_leader {
            true => Part::Lead(Box::new(Lead::new(&spec))),
            false => Part::Follow(Supply::default()),
        };
        Array {
            spec,
            mold: None,
            running: Vec::new(),
            free: Vec::new(),
            part,
            n_ended: 0,
        }
    }

    /// Indices of its elements.
    pub(crate) fn indices(&self) -> &IdSet {
        &self.spec.indices
    }

    /// True if elements run, or may yet.
    fn is_open(&self) -> bool {
        match &self.part {
            Part::Lead(lead) => !lead.book.is_done(),
            Part::Follow(supply) => !supply.is_done(),
        }
    }
}

impl JobShell {
    /// True if the job is an array with elements left.
    pub(crate) fn is_array_open(&self) -> bool {
        self.array.as_ref().is_some_and(Array::is_open)
    }

    /// Starts no further element: the job is being ended. Those that run are stopped in
    /// another way.
    pub(crate) fn stop_array(&mut self) {
        let Some(array) = &mut self.array else {
            return;
        };
        match &mut array.part {
            Part::Lead(lead) => lead.book.stop(),
            Part::Follow(supply) => supply.stop(),
        }
    }

    /// Walks the cross-references.
    pub(crate) fn check_array(&self) {
        let Some(array) = &self.array else {
            return;
        };
        for slot in &array.free {
            assert!(array.running[*slot].is_none(), "a free slot has an element");
        }
    }
}
