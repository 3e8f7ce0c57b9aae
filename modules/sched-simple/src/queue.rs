//! Jobs that wait, highest priority first, then lowest id. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use proto::data::JobId;
use proto::data::job::Priority;
use rustc_hash::FxHashMap;
use wire::Message;

use crate::outlook::Estimate;
use crate::request::Request;

/// A job that waits.
#[derive(Debug)]
pub struct Waiting {
    /// Job id.
    pub id: JobId,
    /// Request.
    pub request: Request,
    /// The message to answer.
    pub message: Message,
    /// Last estimate sent.
    pub told: Estimate,
}

/// Place of a job in the queue.
pub type Place = (Reverse<Priority>, JobId);

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    jobs: BTreeMap<Place, Waiting>,
    /// Never iterated.
    priorities: FxHashMap<JobId, Priority>,
}

impl Queue {
    /// Number of jobs.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Adds a job; one that is there already is replaced.
    pub fn insert(&mut self, priority: Priority, job: Waiting) {
        self.remove(job.id);
        self.priorities.insert(job.id, priority);
        self.jobs.insert((Reverse(priority), job.id), job);
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: JobId) -> Option<Waiting> {
        let priority = self.priorities.remove(&id)?;
        self.jobs.remove(&(Reverse(priority), id))
    }

    /// A job.
    pub fn get_mut(&mut self, id: JobId) -> Option<&mut Waiting> {
        let priority = self.priorities.get(&id)?;
        self.jobs.get_mut(&(Reverse(*priority), id))
    }

    /// The same, to look at.
    pub fn get(&self, id: JobId) -> Option<&Waiting> {
        let priority = self.priorities.get(&id)?;
        self.jobs.get(&(Reverse(*priority), id))
    }

    /// Where a job stands, if it waits.
    pub fn place(&self, id: JobId) -> Option<Place> {
        let priority = self.priorities.get(&id)?;
        Some((Reverse(*priority), id))
    }

    /// Moves a job.
    pub fn prioritize(&mut self, id: JobId, priority: Priority) {
        if let Some(job) = self.remove(id) {
            self.insert(priority, job);
        }
    }

    /// The job whose turn it is.
    pub fn first(&self) -> Option<&Waiting> {
        self.jobs.values().next()
    }

    /// All jobs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.jobs.values()
    }

    /// The same, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.jobs.values_mut()
    }

    /// Forgets all jobs.
    pub fn clear(&mut self) {
        self.jobs.clear();
        self.priorities.clear();
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        assert_eq!(self.jobs.len(), self.priorities.len());
        for ((priority, id), job) in &self.jobs {
            assert_eq!(*id, job.id);
            assert_eq!(self.priorities.get(id), Some(&priority.0));
        }
    }
}
