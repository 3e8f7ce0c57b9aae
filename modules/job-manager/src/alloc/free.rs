//! Resources that come without the scheduler, and that go back to it.

use std::rc::Rc;

use node::Cx;
use proto::RawJson;
use proto::data::job::{JobStep, State};
use proto::data::{IdSet, JobId, Rset};
use proto::job_manager::JobEvent;
use proto::sched;
use serde_json::{Map, Value};

use super::send_now;
use crate::JobManager;

impl JobManager {
    /// Gives a job resources that no scheduler knows of.
    pub(crate) fn bypass(&mut self, cx: &mut Cx<Self>, id: JobId, r: RawJson) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        if job.life.state != State::Sched {
            return;
        }
        self.batch.put(&id.kvs_key("R"), r.as_str());
        job.r = Some(without_scheduling(&Rc::new(r)));
        let event = JobEvent::Alloc {
            annotations: job.notes(),
            bypass: true,
        };
        self.post(cx, id, &event);
    }

    /// Gives a job's resources back: the scheduler is notified once that cannot be forgotten,
    /// or a restart would find them in two hands. Where housekeeping runs first, it is
    /// notified when that is done.
    pub(crate) fn free(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let r = job.r.clone().filter(|_| !job.life.bypasses);
        let released = job.life.released.clone();
        self.post(cx, id, &JobEvent::Free);
        if let Some(r) = r
            && !self.keep_house(cx, id, None)
        {
            self.give_back(sched::Free {
                id,
                r: rest_of(&r, &released),
                is_final: true,
            });
        }
    }

    /// Gives back some ranks of a job that goes on with the others.
    pub(crate) fn free_ranks(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: &IdSet) {
        let job = self.jobs.active(id).filter(|job| !job.life.bypasses);
        let Some(r) = job.and_then(|job| job.r.clone()) else {
            return;
        };
        if self.keep_house(cx, id, Some(ranks)) {
            return;
        }
        if let Ok(mut some) = Rset::decode(r.as_str()) {
            some.keep_ranks(ranks);
            self.free_part(id, &some, false);
        }
    }

    /// Gives back a part of a job's resources, its last if `is_final`.
    pub(crate) fn free_part(&mut self, id: JobId, part: &Rset, is_final: bool) {
        if let (false, Ok(r)) = (part.is_empty(), RawJson::new(&part.encode())) {
            self.free_when_stored(sched::Free { id, r, is_final });
        }
    }

    pub(crate) fn free_when_stored(&mut self, request: sched::Free) {
        let hellos = self.alloc.hellos;
        self.batch
            .then(move |core, cx| core.send_free(cx, &request, hellos));
    }

    /// Sends it to the scheduler with this number of hellos, if it is there still.
    pub(crate) fn send_free(&self, cx: &mut Cx<Self>, request: &sched::Free, hellos: u64) {
        if self.alloc.scheduler.is_some() && self.alloc.hellos == hellos {
            send_now(cx, request);
            cx.step(request.id, JobStep::FreeTold);
        }
    }
}

/// R without the part that only the scheduler understands.
pub(crate) fn without_scheduling(r: &Rc<RawJson>) -> Rc<RawJson> {
    if !r.as_str().contains("\"scheduling\"") {
        return r.clone();
    }
    let Ok(mut object) = r.parse::<Map<String, Value>>() else {
        return r.clone();
    };
    object.shift_remove("scheduling");
    RawJson::of(&object).map_or_else(|_| r.clone(), Rc::new)
}

/// R without ranks that were given back before.
fn rest_of(r: &RawJson, released: &IdSet) -> RawJson {
    if released.is_empty() {
        return r.clone();
    }
    let rest = Rset::decode(r.as_str()).ok().and_then(|mut rest| {
        rest.remove_ranks(released);
        RawJson::new(&rest.encode()).ok()
    });
    rest.unwrap_or_else(|| r.clone())
}
