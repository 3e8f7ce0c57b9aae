//! All jobs by id, active and inactive, and how many there are of what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::data::JobId;
use proto::data::job::State;

use crate::job::{Job, Packed};
use crate::limits::PLAIN_JOBS_MAX;

/// One job.
#[derive(Debug)]
pub enum Slot {
    /// It is not over.
    Active(Box<Job>),
    /// It is.
    Inactive(Box<Packed>),
}

impl Slot {
    /// User id of its submitter.
    pub fn userid(&self) -> u32 {
        match self {
            Slot::Active(job) => job.life.userid,
            Slot::Inactive(packed) => packed.userid,
        }
    }

    /// Whether it was over at this time, in seconds since the epoch.
    pub fn is_over_by(&self, time: f64) -> bool {
        matches!(self, Slot::Inactive(packed) if packed.t_clean <= time)
    }
}

/// The jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    slots: BTreeMap<JobId, Slot>,
    active: BTreeSet<JobId>,
    /// Inactive jobs, the one that ended first in front. Times are positive, so that
    /// their bits have their order.
    by_age: BTreeSet<(u64, JobId)>,
    /// Jobs that have waited since something happened to them, the longest in front.
    /// Their texts are not packed.
    lined_up: VecDeque<JobId>,
    running: usize,
    max_id: JobId,
}

impl Jobs {
    /// An active job.
    pub fn active(&self, id: JobId) -> Option<&Job> {
        match self.slots.get(&id) {
            Some(Slot::Active(job)) => Some(job),
            _ => None,
        }
    }

    /// An active job to be changed; its state only through [`Jobs::moved`].
    pub fn active_mut(&mut self, id: JobId) -> Option<&mut Job> {
        match self.slots.get_mut(&id) {
            Some(Slot::Active(job)) => Some(job),
            _ => None,
        }
    }

    /// Any job.
    pub fn get(&self, id: JobId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    /// Jobs from this id on, by id.
    pub fn from(&self, id: JobId) -> impl Iterator<Item = (JobId, &Slot)> {
        self.slots.range(id..).map(|(id, slot)| (*id, slot))
    }

    /// Active jobs by id.
    pub fn all_active(&self) -> impl Iterator<Item = &Job> {
        self.active.iter().filter_map(|id| self.active(*id))
    }

    /// Ids of inactive jobs, the one that ended first in front, with the time.
    pub fn by_age(&self) -> impl Iterator<Item = (f64, JobId)> + '_ {
        self.by_age
            .iter()
            .map(|(bits, id)| (f64::from_bits(*bits), *id))
    }

    /// All jobs that ended later than this are among the last `most` that ended.
    pub fn ended_before(&self, most: usize) -> f64 {
        let before = self.by_age.iter().rev().nth(most);
        before.map_or(0.0, |(bits, _)| f64::from_bits(*bits))
    }

    /// Adds a job that was not there.
    pub fn add(&mut self, job: Job) {
        self.note_id(job.id);
        self.active.insert(job.id);
        self.running += usize::from(is_running(job.life.state));
        let id = job.id;
        self.slots.insert(id, Slot::Active(Box::new(job)));
        self.line_up(id);
    }

    /// Takes note that something happened to a job. When it waits, and as many others as
    /// [`PLAIN_JOBS_MAX`] have come after it, its texts are packed.
    pub fn line_up(&mut self, id: JobId) {
        let Some(job) = self.active_mut(id) else {
            return;
        };
        if job.is_lined_up || !job.is_pending() {
            return;
        }
        job.is_lined_up = true;
        self.lined_up.push_back(id);
        if self.lined_up.len() > PLAIN_JOBS_MAX
            && let Some(longest) = self.lined_up.pop_front()
            && let Some(job) = self.active_mut(longest)
        {
            job.is_lined_up = false;
            if job.is_pending() {
                job.texts.pack();
            }
        }
    }

    /// Takes note of a state that was left.
    pub fn moved(&mut self, from: State, to: State) {
        self.running -= usize::from(is_running(from));
        self.running += usize::from(is_running(to));
    }

    /// Puts a packed job in the place of an active one, or adds it.
    pub fn retire(&mut self, id: JobId, packed: Packed) {
        self.note_id(id);
        self.remove(id);
        self.by_age.insert((packed.t_clean.to_bits(), id));
        self.slots.insert(id, Slot::Inactive(Box::new(packed)));
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: JobId) {
        match self.slots.remove(&id) {
            Some(Slot::Active(job)) => {
                self.active.remove(&id);
                self.running -= usize::from(is_running(job.life.state));
            }
            Some(Slot::Inactive(packed)) => {
                self.by_age.remove(&(packed.t_clean.to_bits(), id));
            }
            None => {}
        }
    }

    /// Takes note of an id, also of a job that is not there any more.
    pub fn note_id(&mut self, id: JobId) {
        self.max_id = self.max_id.max(id);
    }

    /// The highest id ever.
    pub fn max_id(&self) -> JobId {
        self.max_id
    }

    /// When the last event of all jobs was, in seconds since the epoch.
    pub fn last_timestamp(&self) -> f64 {
        let inactive = self
            .by_age
            .last()
            .map_or(0.0, |(bits, _)| f64::from_bits(*bits));
        let active = self.all_active().map(Job::last_timestamp);
        active.fold(inactive, f64::max)
    }

    /// How many jobs are not over.
    pub fn n_active(&self) -> usize {
        self.active.len()
    }

    /// How many jobs are over.
    pub fn n_inactive(&self) -> usize {
        self.by_age.len()
    }

    /// How many jobs are in RUN or CLEANUP.
    pub fn n_running(&self) -> usize {
        self.running
    }

    /// Walks the indexes and panics on one that is wrong.
    pub fn check(&self) {
        assert_eq!(self.slots.len(), self.active.len() + self.by_age.len());
        let running = self.all_active().filter(|job| is_running(job.life.state));
        assert_eq!(self.running, running.count());
        let lined_up = self.lined_up.iter().filter_map(|id| self.active(*id));
        assert!(lined_up.into_iter().all(|job| job.is_lined_up));
        assert!(self.lined_up.len() <= PLAIN_JOBS_MAX);
        let plain = self.all_active().filter(|job| !job.texts.is_packed());
        assert!(
            plain
                .into_iter()
                .all(|job| job.is_lined_up || !job.is_pending())
        );
        for id in &self.active {
            assert!(self.active(*id).is_some(), "{id} is in the index only");
        }
    }
}

fn is_running(state: State) -> bool {
    matches!(state, State::Run | State::Cleanup)
}
