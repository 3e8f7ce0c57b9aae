//! All jobs, and the three lists they are shown in (protocol/12 section 6).
//!
//! A job is a row of fixed size; data that jobs have in common is kept once. Active jobs are on
//! two lists. Inactive jobs, of which there may be millions, are in groups (`groups.rs`) that
//! serve their order and searches at once. History is put in without order and sorted once: a
//! start would be slow if a million jobs were inserted one by one into a sorted list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use job_fold::{Job, List};

use crate::groups::{Ended, Groups};
use crate::stats::Counts;

/// Index of a job.
pub type Slot = u32;

/// The rows.
pub type Slots = Vec<Option<Job>>;

/// Place on a list: lists are read from the lowest key on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(Reverse<u64>, u64);

/// All jobs.
#[derive(Debug, Default)]
pub struct Table {
    slots: Slots,
    free: Vec<Slot>,
    /// Active jobs by id.
    active: BTreeMap<u64, Slot>,
    /// Inactive jobs, by id.
    ended: BTreeMap<u64, Slot>,
    /// Inactive jobs of the history, by id, until it is sorted.
    loading: Vec<(u64, Slot)>,
    pending: BTreeMap<Key, Slot>,
    running: BTreeMap<Key, Slot>,
    groups: Groups,
    /// Jobs by state, result and queue.
    pub counts: Counts,
    /// The lists are in order. Before, jobs are only kept.
    is_sorted: bool,
}

impl Table {
    /// A job by its id.
    pub fn get(&self, id: u64) -> Option<&Job> {
        self.slots[self.slot_of(id)? as usize].as_ref()
    }

    fn slot_of(&self, id: u64) -> Option<Slot> {
        let known = self.active.get(&id).or_else(|| self.ended.get(&id));
        known.copied().or_else(|| {
            let at = self.loading.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            Some(self.loading[at].1)
        })
    }

    /// Adds an inactive job of the history.
    pub fn add_ended(&mut self, job: Job) {
        let id = job.id;
        if self.is_sorted || self.loading.last().is_some_and(|(last, _)| *last >= id) {
            // Not the order of a history: one by one.
            return self.change(id, |known| *known = job);
        }
        if self.active.contains_key(&id) || self.ended.contains_key(&id) {
            self.remove(id);
        }
        let slot = self.keep(job);
        self.loading.push((id, slot));
    }

    /// Changes a job, a new one if there is none, and puts it where it belongs.
    pub fn change(&mut self, id: u64, change: impl FnOnce(&mut Job)) {
        let slot = match self.slot_of(id) {
            Some(slot) => slot,
            None => {
                let job = Job::new(id);
                if self.is_sorted {
                    self.counts.add(&job);
                }
                let slot = self.keep(job);
                self.active.insert(id, slot);
                slot
            }
        };
        let Some(job) = &mut self.slots[slot as usize] else {
            return;
        };
        if !self.is_sorted {
            return change(job);
        }
        let before = place(job);
        self.counts.remove(job);
        if before.is_none() {
            self.leave_group(slot);
        }
        let Some(job) = &mut self.slots[slot as usize] else {
            return;
        };
        change(job);
        self.counts.add(job);
        let after = place(job);
        if before != after {
            self.unlist(before);
            self.enlist(after, slot);
        }
        match after {
            None => {
                self.active.remove(&id);
                self.ended.insert(id, slot);
                self.join_group(slot);
            }
            Some(_) if before.is_none() => {
                self.ended.remove(&id);
                self.active.insert(id, slot);
            }
            Some(_) => {}
        }
    }

    fn join_group(&mut self, slot: Slot) {
        if let Some(job) = &self.slots[slot as usize] {
            self.groups.add(job, slot, &self.slots);
        }
    }

    fn leave_group(&mut self, slot: Slot) {
        if let Some(job) = &self.slots[slot as usize] {
            self.groups.remove(job, &self.slots);
        }
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: u64) -> Option<Job> {
        let slot = self.slot_of(id)?;
        if self.is_sorted && self.ended.contains_key(&id) {
            self.leave_group(slot);
        }
        let job = self.slots[slot as usize].take()?;
        self.free.push(slot);
        self.active.remove(&id);
        self.ended.remove(&id);
        self.loading.retain(|(known, _)| *known != id);
        if self.is_sorted {
            self.counts.remove(&job);
            self.unlist(place(&job));
        }
        Some(job)
    }

    /// Sorts and counts everything, once.
    pub fn sort(&mut self) {
        let mut loaded = BTreeMap::from_iter(std::mem::take(&mut self.loading));
        self.ended.append(&mut loaded);
        let mut places: [Vec<(Key, Slot)>; 2] = Default::default();
        let slots = &self.slots;
        self.active.retain(|id, slot| {
            let place = slots[*slot as usize].as_ref().map(place);
            match place.flatten() {
                Some((List::Pending, key)) => places[0].push((key, *slot)),
                Some((List::Running, key)) => places[1].push((key, *slot)),
                Some(_) => {}
                None => {
                    self.ended.insert(*id, *slot);
                    return false;
                }
            }
            true
        });
        for job in self.slots.iter().flatten() {
            self.counts.add(job);
        }
        let jobs = self.ended.values().filter_map(|slot| {
            let job = self.slots[*slot as usize].as_ref()?;
            Some((job, *slot))
        });
        self.groups = Groups::of(jobs);
        // Built from all at once, a map is sorted once and filled in order.
        let [pending, running] = places.map(BTreeMap::from_iter);
        (self.pending, self.running) = (pending, running);
        self.is_sorted = true;
    }

    /// Begins again, with those that ended by `time` or with none: all others will be sent. Purged
    /// jobs stay counted. Returns the number of those left.
    pub fn keep_ended_by(&mut self, time: Option<f64>) -> u64 {
        let counts = self.counts.of_purged();
        // Rows of a history that was cut off mean nothing.
        let time = time.filter(|_| self.is_sorted);
        let Some(time) = time else {
            *self = Table::default();
            self.counts = counts;
            return 0;
        };
        let later = self.newest(|_| true, Ended::LAST);
        let later = later.take_while(|job| job.times.inactive > time);
        let later: Vec<u64> = later.map(|job| job.id).collect();
        let active: Vec<u64> = self.active.keys().copied().collect();
        for id in active.into_iter().chain(later) {
            self.remove(id);
        }
        self.counts = counts;
        self.is_sorted = false;
        self.ended.len() as u64
    }

    /// Jobs of a list in order, none before [`Table::sort`]. For inactive jobs, see
    /// [`Table::newest`].
    pub fn list(&self, list: List) -> impl Iterator<Item = &Job> {
        let map = match list {
            List::Pending => Some(&self.pending),
            List::Running => Some(&self.running),
            List::Inactive | List::Processing => None,
        };
        let slots = map.into_iter().flat_map(|map| map.values());
        slots.filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// Active jobs from this id on, by id.
    pub fn active_from(&self, id: u64) -> impl Iterator<Item = &Job> {
        let slots = self.active.range(id..).map(|(_, slot)| *slot);
        slots.filter_map(|slot| self.slots[slot as usize].as_ref())
    }

    /// Inactive jobs, of selected groups: those that ended before `end`, the last first.
    pub fn newest(
        &self,
        wanted: impl Fn(&crate::query::Facts<'_>) -> bool,
        end: Ended,
    ) -> impl Iterator<Item = &Job> {
        let slots = self.groups.newest(wanted, end, &self.slots);
        slots.filter_map(|slot| self.slots[slot as usize].as_ref())
    }

    /// Longest time by which another time of a job is later than its end.
    pub fn lead(&self) -> f64 {
        self.groups.lead()
    }

    /// Number of jobs on a list.
    pub fn len(&self, list: List) -> usize {
        match list {
            List::Pending => self.pending.len(),
            List::Running => self.running.len(),
            List::Inactive => self.ended.len(),
            List::Processing => 0,
        }
    }

    fn keep(&mut self, job: Job) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(job);
                slot
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    // By an eighth: of a million jobs half is much.
                    self.slots.reserve_exact(self.slots.len() / 8 + 64);
                }
                self.slots.push(Some(job));
                (self.slots.len() - 1) as Slot
            }
        }
    }

    fn map(&mut self, list: List) -> Option<&mut BTreeMap<Key, Slot>> {
        match list {
            List::Pending => Some(&mut self.pending),
            List::Running => Some(&mut self.running),
            List::Inactive | List::Processing => None,
        }
    }

    fn enlist(&mut self, place: Option<(List, Key)>, slot: Slot) {
        if let Some((list, key)) = place
            && let Some(map) = self.map(list)
        {
            map.insert(key, slot);
        }
    }

    fn unlist(&mut self, place: Option<(List, Key)>) {
        if let Some((list, key)) = place
            && let Some(map) = self.map(list)
        {
            map.remove(&key);
        }
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        if !self.is_sorted {
            return;
        }
        let mut counts = Counts::default();
        let (mut listed, mut over) = (0, 0);
        for (job, slot) in self.slots.iter().zip(0_u32..) {
            let Some(job) = job else { continue };
            assert_eq!(self.slot_of(job.id), Some(slot));
            counts.add(job);
            match place(job) {
                Some((List::Pending, key)) => assert_eq!(self.pending.get(&key), Some(&slot)),
                Some((List::Running, key)) => assert_eq!(self.running.get(&key), Some(&slot)),
                Some(_) => continue,
                None => {
                    over += 1;
                    continue;
                }
            }
            listed += 1;
        }
        assert_eq!(self.pending.len() + self.running.len(), listed);
        assert_eq!(self.ended.len(), over);
        self.groups.check(&self.slots, over);
        assert_eq!(counts.all().job_states, self.counts.all().job_states);
    }
}

/// The list that an active job is on and its place there.
fn place(job: &Job) -> Option<(List, Key)> {
    let list = job.list();
    let key = match list {
        List::Pending | List::Processing => Key(Reverse(job.priority.into()), job.id),
        // Times are not negative, so that their bits sort as they do.
        List::Running => Key(Reverse(job.times.run.max(0.0).to_bits()), u64::MAX - job.id),
        List::Inactive => return None,
    };
    Some((list, key))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
