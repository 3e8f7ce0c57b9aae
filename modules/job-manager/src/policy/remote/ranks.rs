//! Priorities: those that the module has sent, and jobs that wait for theirs.

use std::collections::{BTreeMap, BTreeSet};

use proto::data::JobId;
use proto::data::job::Priority;
use proto::job_policy;

use super::out::{Out, is_due};
use crate::limits::{REMOTE_BATCH_BYTES_MAX, REMOTE_BATCH_JOBS_MAX};
use crate::policy::{Rank, View};

/// Answer known for an active job. A job without an entry was never asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The job is to be asked about.
    Wanted,
    /// The job was asked about.
    Asked,
    /// The module has sent this, or that it does not know for now.
    Told(Option<Priority>),
    /// The module did not answer: other policies have their way.
    Passed,
}

/// The priorities.
#[derive(Default)]
pub(super) struct Ranks {
    known: BTreeMap<JobId, Known>,
    wanted: BTreeSet<JobId>,
    /// Jobs that the module was asked about.
    pub out: Out<JobId>,
    /// Nothing is asked before this time.
    pause: Option<f64>,
}

impl Ranks {
    /// Answer known for a job's priority; asks for it if there is none.
    pub fn rank(&mut self, id: JobId) -> Rank {
        match self.known.get(&id) {
            Some(Known::Told(Some(priority))) => Rank::Is(*priority),
            Some(Known::Passed) => Rank::Pass,
            Some(_) => Rank::Unavailable,
            None => {
                self.known.insert(id, Known::Wanted);
                self.wanted.insert(id);
                Rank::Unavailable
            }
        }
    }

    /// Forgets the rank of a job, and an answer that may still come.
    pub fn forget(&mut self, id: JobId) {
        self.known.remove(&id);
        self.wanted.remove(&id);
    }

    /// Forgets the ranks of all jobs.
    pub fn forget_all(&mut self) {
        self.known.clear();
        self.wanted.clear();
    }

    /// The jobs to ask about now, if no request is out.
    pub fn next(
        &mut self,
        view: &View<'_>,
        token: u64,
        until: f64,
    ) -> Option<Vec<job_policy::Job>> {
        if self.out.token().is_some() || self.pause.is_some() {
            return None;
        }
        let (mut jobs, mut asked, mut bytes) = (Vec::new(), Vec::new(), 0);
        while jobs.len() < REMOTE_BATCH_JOBS_MAX
            && bytes < REMOTE_BATCH_BYTES_MAX
            && let Some(id) = self.wanted.pop_first()
        {
            let Some(job) = view.jobs.active(id) else {
                self.known.remove(&id);
                continue;
            };
            let jobspec = job.jobspec();
            bytes += jobspec.as_str().len();
            self.known.insert(id, Known::Asked);
            asked.push(id);
            jobs.push(job.asked_about((*jobspec).clone()));
        }
        if jobs.is_empty() {
            return None;
        }
        self.out.send(token, until, asked);
        Some(jobs)
    }

    /// Takes an answer in: the jobs that are to be ranked.
    pub fn take(&mut self, priorities: Vec<(JobId, Priority)>) -> Vec<JobId> {
        let told: BTreeMap<JobId, Priority> = priorities.into_iter().collect();
        self.settle(|id| Known::Told(told.get(&id).copied()))
    }

    /// There is no answer: other policies have their way.
    pub fn pass(&mut self) -> Vec<JobId> {
        self.settle(|_| Known::Passed)
    }

    /// There is no answer: the jobs are asked about again at this time.
    pub fn put_back(&mut self, at: f64) {
        let ids = self.settle(|_| Known::Wanted);
        self.wanted.extend(ids);
        self.pause = Some(at);
    }

    /// Settles jobs that were asked about and are still awaited.
    fn settle(&mut self, known: impl Fn(JobId) -> Known) -> Vec<JobId> {
        let mut ids = self.out.take();
        ids.retain(|id| self.known.get(id) == Some(&Known::Asked));
        for id in &ids {
            self.known.insert(*id, known(*id));
        }
        ids
    }

    /// Number of jobs that wait for an answer.
    pub fn len(&self) -> usize {
        self.wanted.len() + self.out.about().len()
    }

    /// Time at which jobs are asked about again.
    pub fn pause(&self) -> Option<f64> {
        self.pause
    }

    /// Lets jobs be asked about again if it is time.
    pub fn end_pause(&mut self, now: f64) {
        self.pause = self.pause.filter(|at| !is_due(*at, now));
    }
}
