//! Where the shells of a job meet: each job-exec counts those of its own rank and below, and
//! reports to the one above when all are there. The one of rank 0 opens.

use std::collections::BTreeMap;

use node::{Cx, Reply};
use proto::Errno;
use proto::data::job::JobStep;
use proto::data::{IdSet, JobId};
use proto::job_exec::{AtBarrier, BarrierOpen, Open, Order, ShellBarrier, ShellBarrierError};

use super::part::Part;
use crate::JobExec;
use crate::limits::{BARRIER_BYTES_MAX, BARRIERS_BYTES_MAX};

/// The barriers of one job, one after the other.
#[derive(Default)]
pub struct Barrier {
    /// Shells at the next barrier, with their data.
    pub here: AtBarrier,
    bytes: usize,
    /// The one that opened last, if one did, for who asks again.
    pub opened: Option<Open>,
    opened_bytes: usize,
    /// True if it was reported to the job-exec above.
    pub is_told: bool,
    /// The shell of our own rank, while it waits, and for which.
    own: Option<(u32, Reply<ShellBarrier>)>,
}

impl Barrier {
    /// Number of the next one to open.
    pub fn next(&self) -> u32 {
        self.opened
            .as_ref()
            .map_or(0, |open| open.seq.saturating_add(1))
    }

    /// True if no barrier opens any more.
    pub fn is_broken(&self) -> bool {
        self.opened.as_ref().is_some_and(|open| open.errnum != 0)
    }

    /// Shells have come to it. Those of a barrier that is open are not counted.
    fn join(&mut self, more: AtBarrier, room: usize) {
        // The last one opened before we were started is unknown until one comes.
        let is_next = match self.opened {
            Some(_) => more.seq == self.next(),
            None => more.seq >= self.here.seq,
        };
        if !is_next || self.is_broken() {
            return;
        }
        if more.seq != self.here.seq {
            self.here = AtBarrier::default();
            self.bytes = 0;
        }
        self.here.seq = more.seq;
        let fresh = more.ranks.difference(&self.here.ranks);
        if fresh.is_empty() {
            return;
        }
        self.is_told = false;
        self.here.ranks.add(&fresh);
        // A part that has grown tells again what it had told.
        for (key, value) in more.data {
            let bytes = key.len() + value.len();
            if self.here.data.insert(key, value).is_none() {
                self.bytes += bytes;
            }
        }
        self.here.too_much |= more.too_much || self.bytes > room;
        if self.here.too_much {
            self.here.data.clear();
        }
    }

    /// A barrier is open, or none opens any more.
    fn open(&mut self, cx: &mut Cx<JobExec>, open: &Open) {
        if self.opened.as_ref().is_some_and(|last| last.seq > open.seq) || self.is_broken() {
            return;
        }
        self.opened = Some(open.clone());
        self.opened_bytes = bytes_of(&open.data);
        let is_over = |seq: u32| seq <= open.seq || open.errnum != 0;
        if is_over(self.here.seq) {
            self.here = AtBarrier::default();
            self.bytes = 0;
            self.is_told = false;
        }
        if let Some((_, reply)) = self.own.take_if(|(seq, _)| is_over(*seq)) {
            reply.send(cx, passed(open));
        }
    }

    /// The job ends: who waits need not any more.
    pub fn close(&mut self, cx: &mut Cx<JobExec>) {
        if let Some((_, reply)) = self.own.take() {
            reply.send(cx, Err(ShellBarrierError::Canceled));
        }
    }
}

fn passed(open: &Open) -> Result<BarrierOpen, ShellBarrierError> {
    match Errno(open.errnum) {
        Errno(0) => Ok(BarrierOpen {
            data: open.data.clone(),
        }),
        Errno::EMSGSIZE => Err(ShellBarrierError::TooMuch),
        _ => Err(ShellBarrierError::Broken),
    }
}

fn bytes_of(data: &BTreeMap<String, String>) -> usize {
    data.iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}

impl Part {
    /// Shells at the barrier, if to be reported above.
    pub fn barrier_news(&mut self) -> Option<AtBarrier> {
        let here = &self.barrier.here;
        let is_greeting = here.ranks.is_empty()
            && self.hurry
            && self.all.count() == 1
            && self.barrier.opened.is_none()
            && self.shell.has_greeted();
        if is_greeting && !std::mem::replace(&mut self.barrier.is_told, true) {
            // A shell that is alone has nobody to meet: its greeting says as much.
            let ranks = self.ranks.clone();
            return Some(AtBarrier {
                ranks,
                ..AtBarrier::default()
            });
        }
        let is_due = self.ranks.is_subset(&here.ranks) || self.hurry;
        let is_new = !here.ranks.is_empty() && !self.barrier.is_told;
        (is_due && is_new).then(|| {
            self.barrier.is_told = true;
            self.barrier.here.clone()
        })
    }

    /// True if all shells of the part are at the barrier.
    pub fn has_met(&self) -> bool {
        !self.ranks.is_empty() && self.ranks.is_subset(&self.barrier.here.ranks)
    }
}

impl JobExec {
    /// A shell of our own rank has come to a barrier.
    pub(crate) fn come_to_barrier(
        &mut self,
        cx: &mut Cx<Self>,
        request: ShellBarrier,
        reply: Reply<ShellBarrier>,
    ) {
        let (id, rank) = (request.id, cx.rank());
        let bytes = bytes_of(&request.data);
        let Some(part) = self.hand.parts.get_mut(&id) else {
            return reply.send(cx, Err(ShellBarrierError::NotFound));
        };
        let barrier = &mut part.barrier;
        // Those of others do not count them.
        let seq = request.seq.unwrap_or(barrier.next());
        let lease = request.lease.as_ref();
        let is_ahead = barrier.opened.is_some() && seq > barrier.next();
        // One that may be told its place comes again after a loss; the others do not.
        let is_there = lease.is_none() && barrier.own.as_ref().is_some_and(|(at, _)| *at == seq);
        let refusal = if part.task.is_none() || part.lease.is_empty() {
            Some(ShellBarrierError::NotReady)
        } else if lease.is_some_and(|lease| *lease != part.lease) {
            Some(ShellBarrierError::Replaced)
        } else if lease.is_none() && request.rank != rank
            || !part.ranks.contains(rank)
            || is_ahead
            || is_there
        {
            Some(ShellBarrierError::NotPending(request.rank))
        } else if bytes > BARRIER_BYTES_MAX {
            Some(ShellBarrierError::TooMuch)
        } else if part.press.is_some() {
            Some(ShellBarrierError::Canceled)
        } else {
            None
        };
        if let Some(error) = refusal {
            return reply.send(cx, Err(error));
        }
        if let Some(open) = barrier
            .opened
            .as_ref()
            .filter(|open| open.seq >= seq || open.errnum != 0)
        {
            return reply.send(cx, passed(open));
        }
        if let Some((_, before)) = barrier.own.replace((seq, reply)) {
            before.send(cx, Err(ShellBarrierError::NotPending(request.rank)));
        }
        cx.step(id, JobStep::BarrierCome);
        let here = AtBarrier {
            seq,
            ranks: IdSet::from_range(rank, rank),
            data: request.data,
            too_much: false,
        };
        self.at_barrier(id, here);
        self.news(cx, id);
    }

    /// Shells here or below have come to a barrier.
    pub(crate) fn at_barrier(&mut self, id: JobId, here: AtBarrier) {
        let held = |part: &Part| part.barrier.bytes + part.barrier.opened_bytes;
        let all: usize = self.hand.parts.values().map(held).sum();
        if let Some(part) = self.hand.parts.get_mut(&id) {
            let others = all - part.barrier.bytes;
            let room = BARRIERS_BYTES_MAX
                .saturating_sub(others)
                .min(BARRIER_BYTES_MAX);
            part.barrier.join(here, room);
        }
    }

    /// A barrier of a job is open, here and below.
    pub(crate) fn barrier_open(&mut self, cx: &mut Cx<Self>, id: JobId, open: &Open) {
        if let Some(part) = self.hand.parts.get_mut(&id) {
            cx.step(id, JobStep::BarrierOpen);
            part.barrier.open(cx, open);
        }
    }

    /// On rank 0: opens the barrier at which all shells of a job are.
    pub(crate) fn open_if_met(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get(&id).filter(|part| part.has_met()) else {
            return;
        };
        let here = &part.barrier.here;
        let open = Open {
            seq: here.seq,
            data: here.data.clone(),
            errnum: if here.too_much { Errno::EMSGSIZE.0 } else { 0 },
        };
        self.order_all(cx, id, |order| order.open = Some(open));
    }

    /// On rank 0: breaks the barriers of a job, because a shell was lost. Does not matter
    /// where there is only one.
    pub(crate) fn break_barriers(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(part) = self.hand.parts.get(&id) else {
            return;
        };
        if part.barrier.is_broken() || part.all.count() < 2 {
            return;
        }
        let open = Open {
            seq: part.barrier.next(),
            errnum: Errno::EIO.0,
            ..Open::default()
        };
        self.order_all(cx, id, |order: &mut Order| order.open = Some(open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ranks: &str, key: &str) -> AtBarrier {
        AtBarrier {
            seq: 0,
            ranks: ranks.parse().unwrap(),
            data: BTreeMap::from([(key.to_owned(), "12345".to_owned())]),
            ..AtBarrier::default()
        }
    }

    #[test]
    fn what_is_told_again_counts_once() {
        let mut barrier = Barrier::default();
        for (ranks, key) in [("0", "a"), ("0-1", "a"), ("2", "b")] {
            barrier.join(at(ranks, key), 12);
        }
        assert_eq!((barrier.bytes, barrier.here.too_much), (12, false));
        barrier.join(at("3", "c"), 12);
        assert!(barrier.here.too_much && barrier.here.data.is_empty());
    }

    #[test]
    fn the_last_number_has_no_next() {
        let opened = Some(Open {
            seq: u32::MAX,
            ..Open::default()
        });
        let barrier = Barrier {
            opened,
            ..Barrier::default()
        };
        assert_eq!(barrier.next(), u32::MAX);
    }
}
