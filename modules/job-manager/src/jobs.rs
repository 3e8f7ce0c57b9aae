//! All jobs by id, active and inactive, and the number of each kind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::data::JobId;
use proto::data::job::State;

use crate::job::{Job, Packed};
use crate::limits::PLAIN_JOBS_MAX;
use crate::policy::after::Outcome;
use crate::rows::Shelf;

/// One job.
#[derive(Debug)]
pub enum Slot {
    /// The job is active.
    Active(Box<Job>),
    /// The job is inactive.
    Inactive(Box<Packed>),
    /// The job is inactive, and its row is in the job log only.
    Away(Away),
}

/// Data of an inactive job without its row.
#[derive(Debug, Clone, Copy)]
pub struct Away {
    /// When it became inactive, in seconds since the epoch.
    pub t_clean: f64,
    /// User id of its submitter.
    pub userid: u32,
    /// Outcome.
    pub outcome: Outcome,
}

impl Slot {
    /// User id of its submitter.
    pub fn userid(&self) -> u32 {
        match self {
            Slot::Active(job) => job.life.userid,
            Slot::Inactive(packed) => packed.userid,
            Slot::Away(away) => away.userid,
        }
    }

    /// When it became inactive, if it did, in seconds since the epoch.
    pub fn t_clean(&self) -> Option<f64> {
        match self {
            Slot::Active(_) => None,
            Slot::Inactive(packed) => Some(packed.t_clean),
            Slot::Away(away) => Some(away.t_clean),
        }
    }

    /// True if it had ended by this time, in seconds since the epoch.
    pub fn is_over_by(&self, time: f64) -> bool {
        self.t_clean().is_some_and(|t_clean| t_clean <= time)
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
    /// Bytes of the rows that are here.
    row_bytes: usize,
    /// Up to this one in `by_age` all rows are away.
    away_until: (u64, JobId),
    /// Rows that are away and were asked for.
    shelf: Shelf,
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
        let age = (packed.t_clean.to_bits(), id);
        self.row_bytes += packed.row_bytes();
        self.away_until = self.away_until.min(age);
        let before = self.slots.insert(id, Slot::Inactive(Box::new(packed)));
        self.removed(id, before);
        self.by_age.insert(age);
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: JobId) {
        let gone = self.slots.remove(&id);
        self.removed(id, gone);
    }

    fn removed(&mut self, id: JobId, gone: Option<Slot>) {
        match gone {
            Some(Slot::Active(job)) => {
                self.active.remove(&id);
                self.running -= usize::from(is_running(job.life.state));
            }
            Some(Slot::Inactive(packed)) => {
                self.row_bytes -= packed.row_bytes();
                self.by_age.remove(&(packed.t_clean.to_bits(), id));
            }
            Some(Slot::Away(away)) => {
                self.by_age.remove(&(away.t_clean.to_bits(), id));
            }
            None => {}
        }
    }

    /// Bytes of the rows that are here.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The job whose row is here and that ended first.
    pub fn oldest_row(&mut self) -> Option<JobId> {
        loop {
            let mut rest = self.by_age.range(self.away_until..);
            let (age, id) = *rest.next()?;
            match self.slots.get(&id) {
                Some(Slot::Inactive(_)) => return Some(id),
                _ => self.away_until = *rest.next().unwrap_or(&(age, JobId(u64::MAX))),
            }
        }
    }

    /// Lets go of the row of a job, which is in the log.
    pub fn put_away(&mut self, id: JobId) {
        if let Some(slot) = self.slots.get_mut(&id)
            && let Slot::Inactive(packed) = slot
        {
            self.row_bytes -= packed.row_bytes();
            let away = Away {
                t_clean: packed.t_clean,
                userid: packed.userid,
                outcome: packed.outcome(id).unwrap_or_default(),
            };
            *slot = Slot::Away(away);
        }
    }

    /// A slot with its row: itself, or the slot read from the log; none if it must be
    /// asked for (`rows.rs`).
    pub fn here<'a>(&'a self, id: JobId, slot: &'a Slot) -> Option<&'a Slot> {
        match slot {
            Slot::Away(_) => self.shelf.get(id),
            slot => Some(slot),
        }
    }

    /// Cache of rows that came from the log.
    pub fn shelf_mut(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    /// Jobs whose rows are in the log only.
    #[cfg(test)]
    pub fn n_away(&self) -> usize {
        let away = |slot: &&Slot| matches!(slot, Slot::Away(_));
        self.slots.values().filter(away).count()
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

    /// Number of active jobs.
    pub fn n_active(&self) -> usize {
        self.active.len()
    }

    /// Number of inactive jobs.
    pub fn n_inactive(&self) -> usize {
        self.by_age.len()
    }

    /// Number of jobs in RUN or CLEANUP.
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
        let here = self.slots.values().filter_map(|slot| match slot {
            Slot::Inactive(packed) => Some(packed.row_bytes()),
            _ => None,
        });
        assert_eq!(self.row_bytes, here.sum::<usize>());
        for id in &self.active {
            assert!(self.active(*id).is_some(), "{id} is in the index only");
        }
    }
}

fn is_running(state: State) -> bool {
    matches!(state, State::Run | State::Cleanup)
}
