//! `alloc-check`: ends a job that is given resources which another one has: a scheduler that
//! does that is to be found out (protocol/25 section 7). Resources allocated before it was
//! loaded are not checked.

use std::collections::BTreeMap;

use proto::data::{JobId, Rset};
use proto::job_manager::JobEvent;

use super::{Points, Policy, Step, View, Wants};
use crate::job::Job;

/// The policy.
#[derive(Default)]
pub struct AllocCheck {
    /// Resources of all jobs together.
    taken: Rset,
    by_job: BTreeMap<JobId, Rset>,
}

impl Policy for AllocCheck {
    fn name(&self) -> &str {
        "alloc-check"
    }

    fn hears(&self) -> Points {
        Points::EVENT
    }

    fn event(&mut self, _: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        match step.event {
            JobEvent::Alloc { .. } => {
                let r = job.r.as_ref().map(|r| Rset::decode(r.as_str()));
                let Some(Ok(r)) = r else { return };
                if self.taken.overlaps(&r) || self.taken.add(&r).is_err() {
                    let note = "resources already allocated".to_owned();
                    return wants.raise(job.id, "alloc-check", 0, note);
                }
                self.by_job.insert(job.id, r);
            }
            JobEvent::Free => self.free(job.id),
            JobEvent::Exception(it) if it.kind.as_str() == "scheduler-restart" => {
                self.free(job.id);
            }
            _ => {}
        }
    }
}

impl AllocCheck {
    fn free(&mut self, id: JobId) {
        if let Some(r) = self.by_job.remove(&id) {
            self.taken.subtract(&r);
        }
    }
}
