//! When jobs that wait may start, as far as the ends of running jobs tell. Looked at only
//! after a job has waited a while, and never more often than once a period: what runs
//! through quickly costs nothing here.

use node::Cx;
use proto::data::{JobId, Rset};
use serde_json::json;

use crate::core::{SchedSimple, annotate};
use crate::limits::{FORECAST_ENDS_MAX, FORECAST_JOBS, FORECAST_PERIOD};
use crate::place;

/// Whether a look is due.
#[derive(Debug, Default)]
pub struct Forecast {
    is_due: bool,
}

impl SchedSimple {
    /// Looks a period from now, if there is anything to look at.
    pub(crate) fn forecast_soon(&mut self, cx: &mut Cx<Self>) {
        if self.forecast.is_due || self.queue.first().is_none() {
            return;
        }
        self.forecast.is_due = true;
        cx.timer(FORECAST_PERIOD, |core: &mut SchedSimple, cx| {
            core.forecast.is_due = false;
            core.forecast_now(cx);
        });
    }

    fn forecast_now(&mut self, cx: &mut Cx<Self>) {
        let (Some(pool), true) = (&self.pool, self.link.is_ready()) else {
            return;
        };
        let mut pool = pool.clone();
        let mut ends = ends(&self.held);
        let mut now = cx.now().wall;
        for job in self.queue.iter_mut().take(FORECAST_JOBS) {
            // Time goes on until the job fits.
            let placed = loop {
                if let Some(set) = place::place(&mut pool, &job.request) {
                    break Some(set);
                }
                let Some((end, set)) = ends.pop() else {
                    break None;
                };
                now = now.max(end);
                pool.give(&set);
            };
            let Some(set) = placed else {
                return;
            };
            if job.t_estimate != Some(now) {
                job.t_estimate = Some(now);
                annotate(cx, job, json!({ "t_estimate": now }));
            }
            if job.request.duration > 0.0 {
                let end = now + job.request.duration;
                let at = ends.partition_point(|(other, _)| *other > end);
                ends.insert(at, (end, set));
            }
        }
    }
}

/// What comes free, the soonest last.
fn ends(held: &std::collections::BTreeMap<JobId, Rset>) -> Vec<(f64, Rset)> {
    if held.len() > FORECAST_ENDS_MAX {
        return Vec::new();
    }
    let limited = held.values().filter(|set| set.expiration() > 0.0);
    let mut ends: Vec<(f64, Rset)> = limited.map(|set| (set.expiration(), set.clone())).collect();
    ends.sort_by(|a, b| b.0.total_cmp(&a.0));
    ends
}
