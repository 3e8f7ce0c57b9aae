//! EASY backfill (protocol/25 section 12.2): the first job that waits has a reservation, and
//! a job behind it starts if it is done by then. Looks at all jobs only when any may start,
//! else at those that have come.

use node::Cx;
use proto::data::{JobId, Rset};
use rustc_hash::FxHashSet;
use serde_json::json;

use crate::changes::Changes;
use crate::core::Scheduler;
use crate::limits::{BACKFILL_JOBS_MAX, MISFITS_MAX};
use crate::place;
use crate::plan;
use crate::pool::Pool;
use crate::program::Program;
use crate::queue::{Queue, Waiting};
use crate::shape::Shape;

/// Resources reserved for the first job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reservation {
    /// The job.
    pub id: JobId,
    /// When it starts at the latest, as far as is known.
    pub start: Option<f64>,
}

impl<P: Program> Scheduler<P> {
    /// Starts jobs behind the first one, which does not fit now.
    pub(crate) fn backfill(&mut self, cx: &mut Cx<Self>, changes: &Changes) {
        let (Some(pool), Some(first)) = (&mut self.pool, self.queue.first()) else {
            self.reservation = None;
            return;
        };
        let now = cx.now().wall;
        let head = first.id;
        let known = self.reservation.filter(|known| known.id == head);
        let picked = match known.zip(changes.only_arrivals()) {
            Some((known, arrivals)) => {
                let jobs = arrivals.iter().filter_map(|id| self.queue.get(*id));
                let mut jobs: Vec<&Waiting> = jobs.filter(|job| job.id != head).collect();
                jobs.sort_by_key(|job| self.queue.place(job.id));
                pick(pool, jobs.into_iter(), known.start, now)
            }
            None => {
                let start = plan::earliest(pool, &self.held, &first.request, now);
                self.reservation = Some(Reservation { id: head, start });
                pick(pool, behind(&self.queue), start, now)
            }
        };
        for (id, set) in picked {
            let note = json!({ "backfill": head.to_string() });
            if let Some(decided) = self.start_job(cx, id, set, note) {
                decided.send(cx);
            }
        }
    }
}

fn behind(queue: &Queue) -> impl Iterator<Item = &Waiting> {
    queue.iter().skip(1).take(BACKFILL_JOBS_MAX)
}

/// Takes resources for the jobs that are done by `until`; without a time, for those that end
/// at all, so that none keeps the first job out for ever.
fn pick<'q>(
    pool: &mut Pool,
    jobs: impl Iterator<Item = &'q Waiting>,
    until: Option<f64>,
    now: f64,
) -> Vec<(JobId, Rset)> {
    let mut picked = Vec::new();
    // In a pass resources only get fewer: what did not fit once does not fit again.
    let mut misfits: FxHashSet<Shape> = FxHashSet::default();
    for job in jobs {
        let request = &job.request;
        let in_time = until.is_none_or(|until| now + request.duration <= until);
        if request.duration <= 0.0 || !in_time {
            continue;
        }
        let is_plain = request.constraint.is_none();
        if is_plain && misfits.contains(&request.shape) {
            continue;
        }
        match place::place(pool, request) {
            Some(set) => picked.push((job.id, set)),
            None if is_plain && misfits.len() < MISFITS_MAX => {
                misfits.insert(request.shape);
            }
            None => {}
        }
    }
    picked
}
