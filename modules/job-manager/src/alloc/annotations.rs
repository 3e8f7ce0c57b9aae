//! Annotations: notes of the scheduler, users and policies about a job.

use node::Cx;
use proto::data::{JobId, dotted};
use proto::job_manager::JobEvent;
use serde_json::{Map, Value};

use crate::JobManager;

impl JobManager {
    /// Merges notes into a job's and notifies listeners.
    pub(crate) fn annotate(&mut self, cx: &mut Cx<Self>, id: JobId, notes: &Map<String, Value>) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let mut all = job.notes().unwrap_or_default();
        dotted::merge(&mut all, notes);
        self.set_notes(cx, id, all);
    }

    /// Removes the notes of the scheduler, and notifies listeners if there were any.
    pub(crate) fn clear_sched_notes(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let has_any = |all: &Map<String, Value>| all.contains_key("sched");
        if job.annotations.as_deref().is_some_and(has_any) {
            let mut all = job.notes().unwrap_or_default();
            all.shift_remove("sched");
            self.set_notes(cx, id, all);
        }
    }

    pub(super) fn clear_notes(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if self
            .jobs
            .active(id)
            .is_some_and(|job| job.annotations.is_some())
        {
            self.set_notes(cx, id, Map::new());
        }
    }

    fn set_notes(&mut self, cx: &mut Cx<Self>, id: JobId, all: Map<String, Value>) {
        let all = (!all.is_empty()).then_some(all);
        self.post(cx, id, &JobEvent::Annotations(all));
    }
}
