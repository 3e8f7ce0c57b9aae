//! Jobs that wait for resources, by queue. A queue that is stopped keeps its line as it
//! is and is passed over: to stop or start one costs nothing for the jobs that wait in
//! it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use proto::data::JobId;
use proto::data::job::Priority;

use crate::queue::QueueId;

/// Best first: higher priority, then lower id.
pub type Place = (Reverse<Priority>, JobId);

/// The jobs of one queue.
#[derive(Debug, Default)]
pub struct Line {
    /// Not with the scheduler.
    pub queued: BTreeSet<Place>,
    /// With the scheduler, without those taken back.
    pub waiting: BTreeSet<Place>,
}

/// The jobs of all queues.
#[derive(Debug, Default)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// The line of a queue.
    pub fn of(&mut self, queue: QueueId) -> &mut Line {
        if self.0.len() <= queue.index() {
            self.0.resize_with(queue.index() + 1, Line::default);
        }
        &mut self.0[queue.index()]
    }

    /// All of them, with the numbers of their queues.
    pub fn all(&self) -> impl Iterator<Item = (QueueId, &Line)> {
        self.0
            .iter()
            .enumerate()
            .map(|(n, line)| (QueueId::at(n), line))
    }

    /// Forgets who is with the scheduler.
    pub fn clear_waiting(&mut self) {
        for line in &mut self.0 {
            line.waiting.clear();
        }
    }

    /// The worst that the scheduler has.
    pub fn worst_waiting(&self) -> Option<(Place, QueueId)> {
        let lasts = self
            .all()
            .filter_map(|(queue, line)| Some((*line.waiting.last()?, queue)));
        lasts.max()
    }

    /// Number of jobs in the queues that `runs` lets through.
    pub fn n_queued(&self, runs: impl Fn(QueueId) -> bool) -> usize {
        let lines = self
            .all()
            .filter(|(queue, line)| !line.queued.is_empty() && runs(*queue));
        lines.map(|(_, line)| line.queued.len()).sum()
    }

    /// The best that is queued in each of the queues that `runs` lets through.
    pub fn heads(&self, runs: impl Fn(QueueId) -> bool) -> Heads {
        let firsts = self.all().filter_map(|(queue, line)| {
            let first = line.queued.first()?;
            runs(queue).then_some(Reverse((*first, queue)))
        });
        Heads(firsts.collect())
    }

    /// Jobs that are queued in the queues that `runs` lets through, best first.
    pub fn queued(&self, runs: impl Fn(QueueId) -> bool) -> impl Iterator<Item = JobId> + '_ {
        let mut heads = self.heads(runs);
        std::iter::from_fn(move || {
            let (place, queue) = heads.pop()?;
            let line = self.0.get(queue.index())?;
            let after = (std::ops::Bound::Excluded(place), std::ops::Bound::Unbounded);
            heads.push(line.queued.range(after).next(), queue);
            Some(place.1)
        })
    }

    /// Takes the best one out of its line.
    pub fn pop(&mut self, heads: &mut Heads) -> Option<(Place, QueueId)> {
        let (place, queue) = heads.pop()?;
        let line = self.of(queue);
        line.queued.remove(&place);
        heads.push(line.queued.first(), queue);
        Some((place, queue))
    }
}

/// The best of each queue that runs.
#[derive(Debug)]
pub struct Heads(BinaryHeap<Reverse<(Place, QueueId)>>);

impl Heads {
    /// The best of all.
    pub fn first(&self) -> Option<Place> {
        self.0.peek().map(|Reverse((place, _))| *place)
    }

    fn pop(&mut self) -> Option<(Place, QueueId)> {
        self.0.pop().map(|Reverse(head)| head)
    }

    fn push(&mut self, place: Option<&Place>, queue: QueueId) {
        self.0.extend(place.map(|place| Reverse((*place, queue))));
    }
}
