//! Estimates for pending jobs: the reason for waiting, the number of jobs ahead, and the
//! expected start. Looked at only after a job has waited a while, and never more often than once
//! a period: a job that runs through quickly costs nothing here. Only changes are sent of each
//! job, and of no more than `OUTLOOK_JOBS` jobs.

use std::borrow::Cow;
use std::collections::BTreeSet;

use node::Cx;
use proto::data::{JobId, Rset};
use serde_json::{Map, Value, json};

use crate::core::{Scheduler, annotate};
use crate::held::Held;
use crate::limits::{OUTLOOK_ENDS_MAX, OUTLOOK_JOBS, OUTLOOK_PERIOD};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::program::{Policy, Program};
use crate::queue::Queue;

/// Reason of a job that waits.
pub const INSUFFICIENT: &str = "insufficient resources";

/// Reason of a job that waits although there are resources.
pub const IN_THE_WAY: &str = "would delay the first job";

/// Last estimate sent for a pending job.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Expected start.
    pub t_estimate: Option<f64>,
    /// Reason for waiting.
    pub reason: Option<&'static str>,
    /// Number of jobs ahead of it.
    pub jobs_ahead: Option<u64>,
}

impl Estimate {
    fn words(&self) -> [(&'static str, Value); 3] {
        [
            ("t_estimate", json!(self.t_estimate)),
            ("reason_pending", json!(self.reason)),
            ("jobs_ahead", json!(self.jobs_ahead)),
        ]
    }

    /// Annotations that change the last estimate into `new`: null removes one.
    pub fn changes(&self, new: &Estimate) -> Map<String, Value> {
        let pairs = self.words().into_iter().zip(new.words());
        let changed = pairs.filter(|((_, old), (_, new))| old != new);
        changed
            .map(|(_, (word, new))| (word.to_owned(), new))
            .collect()
    }
}

/// State of estimates: whether a pass is due, and the jobs with estimates.
#[derive(Debug, Default)]
pub struct Outlook {
    is_due: bool,
    told: BTreeSet<JobId>,
}

impl<P: Program> Scheduler<P> {
    /// Looks a period from now, if there is anything to look at.
    pub(crate) fn look_soon(&mut self, cx: &mut Cx<Self>) {
        if self.outlook.is_due || self.queue.first().is_none() {
            return;
        }
        self.outlook.is_due = true;
        cx.timer(OUTLOOK_PERIOD, |core: &mut Scheduler<P>, cx| {
            core.outlook.is_due = false;
            core.look(cx);
        });
    }

    fn look(&mut self, cx: &mut Cx<Self>) {
        let (Some(pool), true) = (&mut self.pool, self.link.is_ready()) else {
            return;
        };
        self.counters.look();
        let now = cx.now().wall;
        let estimates = match P::TRAITS.policy {
            Policy::Fifo => estimates(pool, &self.held, &self.queue, now),
            Policy::Backfill => {
                let start = self.reservation.as_ref().and_then(|first| first.start);
                start.into_iter().collect()
            }
        };
        let mut estimates = estimates.into_iter();
        let mut before = std::mem::take(&mut self.outlook.told);
        let mut notes = Vec::new();
        for (ahead, job) in (0..).zip(self.queue.iter_mut().take(OUTLOOK_JOBS)) {
            let is_in_the_way = P::TRAITS.policy == Policy::Backfill
                && ahead > 0
                && crate::place::fits(pool, &job.request);
            let new = Estimate {
                t_estimate: estimates.next(),
                reason: Some(if is_in_the_way {
                    IN_THE_WAY
                } else {
                    INSUFFICIENT
                }),
                jobs_ahead: Some(ahead),
            };
            before.remove(&job.id);
            self.outlook.told.insert(job.id);
            notes.push((job.id, new));
        }
        // Others have come before these: what was said of them is not kept up to date.
        notes.extend(before.into_iter().map(|id| (id, Estimate::default())));
        for (id, new) in notes {
            if let Some(job) = self.queue.get_mut(id) {
                annotate(cx, job, &new);
            }
        }
    }

    /// Annotates all jobs at once with the reason why they wait: requested by tests.
    pub(crate) fn notify_all(&mut self, cx: &mut Cx<Self>) {
        for (ahead, job) in (0..).zip(self.queue.iter_mut()) {
            let new = Estimate {
                reason: Some(INSUFFICIENT),
                jobs_ahead: Some(ahead),
                ..job.told
            };
            annotate(cx, job, &new);
        }
    }
}

/// When the first jobs start if running ones end when they must: one after the other, none
/// before the one in front of it. The list ends behind a job whose end is not known.
fn estimates(pool: &mut Pool, held: &Held, queue: &Queue, now: f64) -> Vec<f64> {
    let mut ends = ends(held);
    let mut plan = Plan::new(pool);
    let mut time = now;
    let mut estimates = Vec::new();
    for job in queue.iter().take(OUTLOOK_JOBS) {
        // Time goes on until the job fits.
        let set = loop {
            if let Some(set) = plan.take(&job.request) {
                break set;
            }
            let Some((end, set)) = ends.pop() else {
                return estimates;
            };
            time = time.max(end);
            plan.give(Cow::Owned(set));
        };
        estimates.push(time);
        if job.request.duration <= 0.0 {
            return estimates;
        }
        let end = time + job.request.duration;
        let at = ends.partition_point(|(other, _)| *other > end);
        ends.insert(at, (end, set));
    }
    estimates
}

/// Resources that will be freed, the soonest last.
fn ends(held: &Held) -> Vec<(f64, Rset)> {
    let mut ends: Vec<(f64, Rset)> = held
        .by_end()
        .take(OUTLOOK_ENDS_MAX + 1)
        .map(|(end, set)| (end, set.clone()))
        .collect();
    if ends.len() > OUTLOOK_ENDS_MAX {
        return Vec::new();
    }
    ends.reverse();
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_is_said() {
        let old = Estimate {
            t_estimate: Some(5.0),
            reason: Some(INSUFFICIENT),
            jobs_ahead: None,
        };
        let check = |new: Estimate, expect: &str| {
            assert_eq!(Value::Object(old.changes(&new)).to_string(), expect);
        };
        check(old, "{}");
        let later = Estimate {
            t_estimate: Some(6.5),
            jobs_ahead: Some(0),
            ..old
        };
        check(later, r#"{"t_estimate":6.5,"jobs_ahead":0}"#);
        check(
            Estimate::default(),
            r#"{"t_estimate":null,"reason_pending":null}"#,
        );
    }
}
