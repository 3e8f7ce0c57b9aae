//! All jobs, and the three lists they are shown in (protocol/12 section 6). History is
//! put in without order and sorted once: inserting a million jobs one by one into a
//! sorted list is what makes a start slow.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::job::{Job, List};
use crate::stats::Counts;

/// Where a job is kept.
type Slot = u32;

/// Place on a list: lists are read from the lowest key on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(Reverse<u64>, u64);

/// All jobs.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<Option<Job>>,
    free: Vec<Slot>,
    /// Never iterated.
    by_id: FxHashMap<u64, Slot>,
    pending: BTreeMap<Key, Slot>,
    running: BTreeMap<Key, Slot>,
    inactive: BTreeMap<Key, Slot>,
    /// Jobs by state, result and queue.
    pub counts: Counts,
    /// The lists are in order. Before, jobs are only kept.
    is_sorted: bool,
}

impl Table {
    /// An empty one in the place of `before`: what was purged stays counted.
    pub fn after(before: &Table) -> Table {
        Table {
            counts: before.counts.of_purged(),
            ..Table::default()
        }
    }

    /// A job by its id.
    pub fn get(&self, id: u64) -> Option<&Job> {
        self.slots[*self.by_id.get(&id)? as usize].as_ref()
    }

    /// Changes a job, a new one if there is none, and puts it where it belongs.
    pub fn change(&mut self, id: u64, change: impl FnOnce(&mut Job)) {
        let slot = match self.by_id.get(&id) {
            Some(slot) => *slot,
            None => self.insert(Job::new(id)),
        };
        let Some(job) = &mut self.slots[slot as usize] else {
            return;
        };
        if !self.is_sorted {
            return change(job);
        }
        let before = place(job);
        self.counts.remove(job);
        change(job);
        self.counts.add(job);
        let after = place(job);
        if before != after {
            self.unlist(before);
            self.enlist(after, slot);
        }
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: u64) -> Option<Job> {
        let slot = self.by_id.remove(&id)?;
        self.free.push(slot);
        let job = self.slots[slot as usize].take()?;
        if self.is_sorted {
            self.counts.remove(&job);
            self.unlist(place(&job));
        }
        Some(job)
    }

    /// Sorts and counts everything, once.
    pub fn sort(&mut self) {
        let mut places: [Vec<(Key, Slot)>; 3] = Default::default();
        for (job, slot) in self.slots.iter().zip(0..) {
            let Some(job) = job else { continue };
            self.counts.add(job);
            let (list, key) = place(job);
            if let Some(at) = index(list) {
                places[at].push((key, slot));
            }
        }
        // Built from all at once, a map is sorted once and filled in order.
        let [pending, running, inactive] = places.map(BTreeMap::from_iter);
        (self.pending, self.running, self.inactive) = (pending, running, inactive);
        self.is_sorted = true;
    }

    /// The jobs of a list in order, in none before [`Table::sort`].
    pub fn list(&self, list: List) -> impl Iterator<Item = &Job> {
        let map = match list {
            List::Pending => Some(&self.pending),
            List::Running => Some(&self.running),
            List::Inactive => Some(&self.inactive),
            List::Processing => None,
        };
        let slots = map.into_iter().flat_map(|map| map.values());
        slots.filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// How many jobs are on a list.
    pub fn len(&self, list: List) -> usize {
        match list {
            List::Pending => self.pending.len(),
            List::Running => self.running.len(),
            List::Inactive => self.inactive.len(),
            List::Processing => 0,
        }
    }

    fn insert(&mut self, job: Job) -> Slot {
        let id = job.id;
        if self.is_sorted {
            self.counts.add(&job);
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(job);
                slot
            }
            None => {
                self.slots.push(Some(job));
                (self.slots.len() - 1) as Slot
            }
        };
        self.by_id.insert(id, slot);
        slot
    }

    fn map(&mut self, list: List) -> Option<&mut BTreeMap<Key, Slot>> {
        match list {
            List::Pending => Some(&mut self.pending),
            List::Running => Some(&mut self.running),
            List::Inactive => Some(&mut self.inactive),
            List::Processing => None,
        }
    }

    fn enlist(&mut self, (list, key): (List, Key), slot: Slot) {
        if let Some(map) = self.map(list) {
            map.insert(key, slot);
        }
    }

    fn unlist(&mut self, (list, key): (List, Key)) {
        if let Some(map) = self.map(list) {
            map.remove(&key);
        }
    }

    /// Walks the cross-references and panics on one that is broken.
    pub fn check_invariants(&self) {
        if !self.is_sorted {
            return;
        }
        let mut counts = Counts::default();
        let mut listed = 0;
        for (job, slot) in self.slots.iter().zip(0_u32..) {
            let Some(job) = job else { continue };
            assert_eq!(self.by_id.get(&job.id), Some(&slot));
            counts.add(job);
            let (list, key) = place(job);
            let found = match list {
                List::Pending => self.pending.get(&key),
                List::Running => self.running.get(&key),
                List::Inactive => self.inactive.get(&key),
                List::Processing => continue,
            };
            assert_eq!(found, Some(&slot));
            listed += 1;
        }
        let all = [List::Pending, List::Running, List::Inactive];
        assert_eq!(all.map(|list| self.len(list)).iter().sum::<usize>(), listed);
        assert_eq!(counts.all().job_states, self.counts.all().job_states);
    }
}

fn index(list: List) -> Option<usize> {
    match list {
        List::Pending => Some(0),
        List::Running => Some(1),
        List::Inactive => Some(2),
        List::Processing => None,
    }
}

/// The list that a job is on and its place there.
fn place(job: &Job) -> (List, Key) {
    // Times are not negative, so that their bits sort as they do.
    let newest = |time: f64| Key(Reverse(time.max(0.0).to_bits()), u64::MAX - job.id);
    let list = job.list();
    let key = match list {
        List::Pending | List::Processing => Key(Reverse(job.priority.into()), job.id),
        List::Running => newest(job.times.run),
        List::Inactive => newest(job.times.inactive),
    };
    (list, key)
}

#[cfg(test)]
mod tests {
    use proto::data::job::State;

    use super::*;

    fn put(table: &mut Table, id: u64, state: State, number: u32) {
        table.change(id, |job| {
            job.state = state;
            job.priority = number;
            job.times.run = number.into();
            job.times.inactive = number.into();
        });
        table.check_invariants();
    }

    fn ids(table: &Table, list: List) -> Vec<u64> {
        table.list(list).map(|job| job.id).collect()
    }

    /// The same jobs before and after sorting, or after it.
    fn check(sort_first: bool) {
        let mut table = Table::default();
        if sort_first {
            table.sort();
        }
        for (id, priority) in [(1, 16), (2, 16), (3, 31), (4, 0)] {
            put(&mut table, id, State::Sched, priority);
        }
        for (id, time) in [(5, 10), (6, 30), (7, 20), (8, 0)] {
            put(&mut table, id, State::Run, time);
        }
        for (id, time) in [(9, 10), (10, 30), (11, 10)] {
            put(&mut table, id, State::Inactive, time);
        }
        put(&mut table, 12, State::New, 0);
        if !sort_first {
            table.sort();
        }
        table.check_invariants();
        assert_eq!(ids(&table, List::Pending), [3, 1, 2, 4]);
        assert_eq!(ids(&table, List::Running), [6, 7, 5, 8]);
        assert_eq!(ids(&table, List::Inactive), [10, 11, 9]);
        assert_eq!(ids(&table, List::Processing), [0; 0]);
    }

    #[test]
    fn history_and_events_give_the_same_order() {
        check(true);
        check(false);
    }

    #[test]
    fn jobs_move_from_list_to_list_and_go() {
        let mut table = Table::default();
        table.sort();
        put(&mut table, 1, State::Sched, 16);
        put(&mut table, 2, State::Sched, 16);
        put(&mut table, 2, State::Sched, 20);
        assert_eq!(ids(&table, List::Pending), [2, 1]);
        put(&mut table, 2, State::Run, 20);
        put(&mut table, 2, State::Inactive, 20);
        assert_eq!(ids(&table, List::Inactive), [2]);
        assert!(table.remove(2).is_some());
        assert!(table.remove(2).is_none());
        table.check_invariants();
        put(&mut table, 3, State::Sched, 16);
        assert_eq!(ids(&table, List::Pending), [1, 3]);
        assert_eq!(table.slots.len(), 2);
    }
}
