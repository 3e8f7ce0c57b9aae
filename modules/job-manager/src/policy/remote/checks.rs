//! Jobs that are to be validated: those that wait, and those that the module was asked about.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use proto::data::JobId;
use proto::job_policy::Job;

use super::out::Out;
use crate::limits::{
    REMOTE_BATCH_BYTES_MAX, REMOTE_BATCH_JOBS_MAX, REMOTE_BYTES_MAX, REMOTE_JOBS_MAX,
};

/// The jobs.
#[derive(Default)]
pub(super) struct Checks {
    waits: VecDeque<(u64, Rc<Job>)>,
    /// Of the jobspecs of those that wait.
    bytes: usize,
    /// Jobs that the module was asked about.
    pub out: Out<(u64, JobId)>,
    tickets: BTreeMap<u64, Ticket>,
}

/// One question of the core's.
#[derive(Default)]
struct Ticket {
    n_left: usize,
    refused: Vec<(JobId, String)>,
}

fn bytes_of(job: &Job) -> usize {
    job.jobspec.as_str().len()
}

impl Checks {
    /// Takes the jobs of a question in, unless there are too many.
    pub fn add(&mut self, ticket: u64, jobs: &[Rc<Job>]) -> bool {
        let bytes: usize = jobs.iter().map(|job| bytes_of(job)).sum();
        let is_full = self.len() + jobs.len() > REMOTE_JOBS_MAX
            || (!self.waits.is_empty() && self.bytes + bytes > REMOTE_BYTES_MAX);
        if is_full {
            return false;
        }
        self.bytes += bytes;
        self.waits
            .extend(jobs.iter().map(|job| (ticket, Rc::clone(job))));
        let open = Ticket {
            n_left: jobs.len(),
            ..Ticket::default()
        };
        self.tickets.insert(ticket, open);
        true
    }

    /// The jobs to ask about now, if no request is out.
    pub fn next(&mut self, token: u64, until: f64) -> Option<Vec<Job>> {
        if self.out.token().is_some() || self.waits.is_empty() {
            return None;
        }
        let (mut jobs, mut asked, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut bytes = 0;
        while jobs.len() < REMOTE_BATCH_JOBS_MAX
            && bytes < REMOTE_BATCH_BYTES_MAX
            // An answer must not be taken for that to another question about the same job.
            && self.waits.front().is_some_and(|(_, job)| ids.insert(job.id))
            && let Some((ticket, job)) = self.waits.pop_front()
        {
            bytes += bytes_of(&job);
            asked.push((ticket, job.id));
            jobs.push(Rc::unwrap_or_clone(job));
        }
        self.bytes -= bytes;
        self.out.send(token, until, asked);
        Some(jobs)
    }

    /// Takes an answer in: questions that have all of theirs, with the jobs that are refused.
    pub fn take(&mut self, said: Vec<(JobId, String)>) -> Vec<(u64, Vec<(JobId, String)>)> {
        let mut said: BTreeMap<JobId, String> = said.into_iter().collect();
        let mut done = Vec::new();
        for (ticket, id) in self.out.take() {
            let Some(open) = self.tickets.get_mut(&ticket) else {
                continue;
            };
            open.refused.extend(said.remove(&id).map(|text| (id, text)));
            open.n_left -= 1;
            if open.n_left == 0 {
                done.extend(self.tickets.remove(&ticket).map(|it| (ticket, it.refused)));
            }
        }
        for id in said.keys() {
            tracing::warn!("a policy rejected job {id}, about which it was not asked");
        }
        done
    }

    /// Forgets all jobs; the questions that they were of.
    pub fn drain(&mut self) -> Vec<u64> {
        let tickets = std::mem::take(self).tickets;
        tickets.into_keys().collect()
    }

    /// Number of jobs that wait for an answer.
    pub fn len(&self) -> usize {
        self.waits.len() + self.out.about().len()
    }

    /// The jobs that were asked about.
    pub fn asked(&self) -> impl Iterator<Item = JobId> + '_ {
        self.out.about().iter().map(|(_, id)| *id)
    }
}
