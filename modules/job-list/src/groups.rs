//! Inactive jobs, in groups of the same user, result and queue, each in the order in which they
//! ended. All groups together are the list of inactive jobs; a search by user, result, queue
//! and time looks only at those that fit.

use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use job_fold::Job;
use proto::data::job::JobResult;

use crate::query::Facts;
use crate::table::{Slot, Slots};

/// End time of a job; of jobs that ended at the same time the one with the higher id counts as
/// the later one. Times are not negative, so that their bits sort as they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended(pub u64, pub u64);

/// Values common to the jobs of a group, but for the name of the queue.
type Common = (u32, JobResult, bool);

/// Data of each group.
type ByCommon<T> = BTreeMap<Common, BTreeMap<Box<str>, T>>;

/// The groups.
#[derive(Debug, Default)]
pub struct Groups {
    /// By user, result, whether there is a queue, and queue.
    groups: ByCommon<VecDeque<Slot>>,
    /// Longest time by which another time of a job is later than its end: where clocks
    /// differ.
    lead: f64,
}

impl Ended {
    /// Later than every job.
    pub const LAST: Ended = Ended(u64::MAX, u64::MAX);

    /// End time of a job.
    pub fn of(job: &Job) -> Ended {
        Ended(job.times.inactive.max(0.0).to_bits(), job.id)
    }

    /// Just later than this.
    pub fn next(self) -> Ended {
        match self.1.checked_add(1) {
            Some(id) => Ended(self.0, id),
            None => Ended(self.0.saturating_add(1), 0),
        }
    }

    /// Ended later than this time, in seconds since the epoch.
    pub fn after(time: f64) -> Ended {
        Ended(time.max(0.0).to_bits(), u64::MAX)
    }
}

fn common(job: &Job) -> (Common, &str) {
    let result = job.result.unwrap_or(JobResult::Failed);
    let queue = job.queue();
    let common = (job.userid, result, queue.is_some());
    (common, queue.unwrap_or_default())
}

/// The place of a key in a group.
fn place(group: &VecDeque<Slot>, end: Ended, slots: &Slots) -> usize {
    group.partition_point(|slot| ended(*slot, slots) < end)
}

fn ended(slot: Slot, slots: &Slots) -> Ended {
    let job = slots[slot as usize].as_ref();
    job.map_or(Ended::LAST, Ended::of)
}

impl Groups {
    /// Groups of many jobs, sorted once.
    pub fn of<'a>(jobs: impl Iterator<Item = (&'a Job, Slot)>) -> Groups {
        let mut lead: f64 = 0.0;
        let mut unsorted: ByCommon<Vec<(Ended, Slot)>> = BTreeMap::new();
        for (job, slot) in jobs {
            lead = lead.max(lead_of(job));
            let (common, queue) = common(job);
            let queues = unsorted.entry(common).or_default();
            let entry = (Ended::of(job), slot);
            match queues.get_mut(queue) {
                Some(group) => group.push(entry),
                None => drop(queues.insert(queue.into(), vec![entry])),
            }
        }
        let sorted = |mut group: Vec<(Ended, Slot)>| {
            group.sort_unstable();
            group.into_iter().map(|(_, slot)| slot).collect()
        };
        let groups = unsorted.into_iter().map(|(common, queues)| {
            let queues = queues.into_iter();
            (
                common,
                queues.map(|(q, group)| (q, sorted(group))).collect(),
            )
        });
        Groups {
            groups: groups.collect(),
            lead,
        }
    }

    /// Longest time by which another time of a job is later than its end.
    pub fn lead(&self) -> f64 {
        self.lead
    }

    /// Adds a job, which is usually the last that ended.
    pub fn add(&mut self, job: &Job, slot: Slot, slots: &Slots) {
        self.lead = self.lead.max(lead_of(job));
        let (common, queue) = common(job);
        let queues = self.groups.entry(common).or_default();
        let group = match queues.get_mut(queue) {
            Some(group) => group,
            None => queues.entry(queue.into()).or_default(),
        };
        let at = place(group, Ended::of(job), slots);
        group.insert(at, slot);
    }

    /// Takes a job out, before its slot changes.
    pub fn remove(&mut self, job: &Job, slots: &Slots) {
        let (common, queue) = common(job);
        let Some(queues) = self.groups.get_mut(&common) else {
            return;
        };
        if let Some(group) = queues.get_mut(queue) {
            let at = place(group, Ended::of(job), slots);
            group.remove(at);
            if group.is_empty() {
                queues.remove(queue);
            }
        }
        if queues.is_empty() {
            self.groups.remove(&common);
        }
    }

    /// Slots of jobs in groups that are wanted, of those that ended before `end`, the last first.
    pub fn newest(
        &self,
        wanted: impl Fn(&Facts<'_>) -> bool,
        end: Ended,
        slots: &Slots,
    ) -> impl Iterator<Item = Slot> {
        let mut groups = Vec::new();
        for ((userid, result, has_queue), queues) in &self.groups {
            for (queue, group) in queues {
                let facts = Facts {
                    userid: *userid,
                    result: *result,
                    queue: has_queue.then_some(queue),
                };
                if wanted(&facts) {
                    groups.push(group);
                }
            }
        }
        // The last job of each group that is not given out yet, and its place there.
        let last = |group: &VecDeque<Slot>, at: usize, below: usize| {
            let at_place = below.checked_sub(1)?;
            Some((ended(*group.get(at_place)?, slots), at, at_place))
        };
        let heads = groups.iter().enumerate();
        let heads = heads.filter_map(|(at, group)| last(group, at, place(group, end, slots)));
        let mut heap: BinaryHeap<(Ended, usize, usize)> = heads.collect();
        std::iter::from_fn(move || {
            let mut head = heap.peek_mut()?;
            let (_, at, place) = *head;
            let slot = *groups[at].get(place)?;
            match last(groups[at], at, place) {
                Some(next) => *head = next,
                None => drop(std::collections::binary_heap::PeekMut::pop(head)),
            }
            Some(slot)
        })
    }

    /// Panics on a group that is not in order, or when there are more or fewer jobs than `count`.
    pub fn check(&self, slots: &Slots, count: usize) {
        let mut counted = 0;
        for (key, queues) in &self.groups {
            for (queue, group) in queues {
                counted += group.len();
                let jobs = group.iter().map(|slot| slots[*slot as usize].as_ref());
                let jobs: Vec<&Job> = jobs.map(|job| job.expect("a job")).collect();
                assert!(jobs.is_sorted_by_key(|job| Ended::of(job)));
                assert!(jobs.iter().all(|job| common(job) == (*key, &**queue)));
            }
        }
        assert_eq!(counted, count);
    }
}

fn lead_of(job: &Job) -> f64 {
    let latest = job.times.all().into_iter().fold(0.0, f64::max);
    latest - job.times.inactive
}
