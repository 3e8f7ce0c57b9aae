//! Jobs by state and result, in all and by queue (protocol/12 section 8).

use std::collections::BTreeMap;

use job_fold::Job;
use proto::data::job::{JobResult, State};
use proto::job_list::{JobCounts, JobStatsReply, QueueCounts};

/// The counts, kept as jobs change.
#[derive(Debug, Default)]
pub struct Counts {
    all: JobCounts,
    queues: BTreeMap<Box<str>, JobCounts>,
    /// Something changed since this was last false.
    pub changed: bool,
}

impl Counts {
    /// Counts a job.
    pub fn add(&mut self, job: &Job) {
        self.count(job, 1);
    }

    /// Takes a job out of the counts.
    pub fn remove(&mut self, job: &Job) {
        self.count(job, u64::MAX);
    }

    /// Counts a job that was purged.
    pub fn purged(&mut self, job: &Job) {
        self.changed = true;
        self.all.inactive_purged += 1;
        if let Some(queue) = job.queue() {
            let counts = self.queues.entry(queue.into()).or_default();
            counts.inactive_purged += 1;
        }
    }

    /// Counts of purged jobs, which no history contains.
    pub fn of_purged(&self) -> Counts {
        let purged = |counts: &JobCounts| JobCounts {
            inactive_purged: counts.inactive_purged,
            ..JobCounts::default()
        };
        let queues = self.queues.iter();
        Counts {
            all: purged(&self.all),
            queues: queues.map(|(q, n)| (q.clone(), purged(n))).collect(),
            changed: true,
        }
    }

    /// The counts in all.
    pub fn all(&self) -> JobCounts {
        self.all
    }

    /// A snapshot; queues of the configuration are there even without jobs.
    pub fn snapshot<'a>(&self, queues: impl Iterator<Item = &'a String>) -> JobStatsReply {
        let mut by_name: BTreeMap<&str, JobCounts> = BTreeMap::new();
        for queue in queues {
            by_name.insert(queue, JobCounts::default());
        }
        for (queue, counts) in &self.queues {
            if *counts != JobCounts::default() {
                by_name.insert(queue, *counts);
            }
        }
        let queues = by_name.into_iter().map(|(name, counts)| QueueCounts {
            counts,
            name: name.to_owned(),
        });
        JobStatsReply {
            all: self.all,
            queues: queues.collect(),
        }
    }

    /// `by` is 1, or -1 in wrapping arithmetic.
    fn count(&mut self, job: &Job, by: u64) {
        self.changed = true;
        tally(&mut self.all, job, by);
        if let Some(queue) = job.queue() {
            match self.queues.get_mut(queue) {
                Some(counts) => tally(counts, job, by),
                None => {
                    let mut counts = JobCounts::default();
                    tally(&mut counts, job, by);
                    self.queues.insert(queue.into(), counts);
                }
            }
        }
    }
}

fn tally(counts: &mut JobCounts, job: &Job, by: u64) {
    let states = &mut counts.job_states;
    let state = match job.state {
        State::New => return,
        State::Depend => &mut states.depend,
        State::Priority => &mut states.priority,
        State::Sched => &mut states.sched,
        State::Run => &mut states.run,
        State::Cleanup => &mut states.cleanup,
        State::Inactive => &mut states.inactive,
    };
    *state = state.wrapping_add(by);
    states.total = states.total.wrapping_add(by);
    let result = match job.result {
        None => return,
        Some(JobResult::Completed) => &mut counts.successful,
        Some(JobResult::Failed) => &mut counts.failed,
        Some(JobResult::Canceled) => &mut counts.canceled,
        Some(JobResult::Timeout) => &mut counts.timeout,
    };
    *result = result.wrapping_add(by);
}
