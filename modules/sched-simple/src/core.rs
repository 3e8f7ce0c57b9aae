//! What the module knows and how it decides: the queue in order, the first job that does
//! not fit blocks the others.

use std::collections::BTreeMap;

use node::Cx;
use proto::data::{JobId, Jobspec, Rset};
use proto::feasibility::CheckError;
use proto::sched::{ALLOC_ANNOTATE, ALLOC_CANCEL, ALLOC_DENY, Alloc, AllocReply};
use proto::{Object, Refusal};
use serde_json::json;
use wire::Message;

use crate::batch::{Batch, Decided, respond};
use crate::connect::Link;
use crate::forecast::Forecast;
use crate::place;
use crate::pool::Pool;
use crate::queue::{Queue, Waiting};
use crate::request::Request;
use crate::settings::Settings;

/// Debug bit: deny every request.
pub const DEBUG_FAIL_ALLOC: i64 = 1;
/// Debug bit: say of every job that waits why, and for how many.
pub const DEBUG_ANNOTATE: i64 = 2;
/// Debug bit: refuse every new expiration.
pub const DEBUG_REFUSE_EXPIRATION: i64 = 4;

/// What the module knows.
pub struct SchedSimple {
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    /// `None` until the resource module has handed them over.
    pub(crate) pool: Option<Pool>,
    /// What jobs have.
    pub(crate) held: BTreeMap<JobId, Rset>,
    pub(crate) queue: Queue,
    pub(crate) batch: Batch,
    pub(crate) forecast: Forecast,
    /// Something changed since the queue was last looked at.
    pub(crate) changed: bool,
}

impl SchedSimple {
    pub(crate) fn new(settings: Settings) -> SchedSimple {
        SchedSimple {
            settings,
            link: Link::default(),
            pool: None,
            held: BTreeMap::new(),
            queue: Queue::default(),
            batch: Batch::default(),
            forecast: Forecast::default(),
            changed: false,
        }
    }

    /// A job wants resources.
    pub(crate) fn enqueue(&mut self, cx: &mut Cx<Self>, alloc: Alloc, message: Message) {
        let deny = |cx: &mut Cx<Self>, note: String| {
            let mut reply = AllocReply::new(alloc.id, ALLOC_DENY);
            reply.note = Some(note);
            respond(cx, &message, &reply);
        };
        if cx.debug_bits() & DEBUG_FAIL_ALLOC != 0 {
            return deny(cx, "DEBUG_FAIL_ALLOC".to_owned());
        }
        let request = match self.check(&Jobspec::decode(alloc.jobspec.as_str())) {
            Ok(request) => request,
            Err(error) => return deny(cx, error.to_string()),
        };
        let job = Waiting {
            id: alloc.id,
            request,
            message,
            t_estimate: None,
        };
        self.queue.insert(alloc.priority, job);
        self.changed = true;
    }

    /// Reads what a job wants and whether it could ever have it.
    pub(crate) fn check(
        &mut self,
        jobspec: &Result<Jobspec, proto::data::jobspec::JobspecError>,
    ) -> Result<Request, CheckError> {
        let jobspec = match jobspec {
            Ok(jobspec) => jobspec,
            Err(error) => return Err(CheckError::Malformed(error.to_string())),
        };
        let request = Request::new(jobspec)?;
        if let Some(pool) = &mut self.pool {
            place::check(pool, &request)?;
        }
        Ok(request)
    }

    /// There is less than there was: jobs that wait for more than that wait no longer.
    pub(crate) fn deny_hopeless(&mut self, cx: &mut Cx<Self>) {
        let Some(pool) = &mut self.pool else {
            return;
        };
        let hopeless = self.queue.iter_mut().filter_map(|job| {
            let error = place::check(pool, &job.request).err()?;
            Some((job.id, error.to_string()))
        });
        let hopeless: Vec<(JobId, String)> = hopeless.collect();
        for (id, note) in hopeless {
            if let Some(job) = self.queue.remove(id) {
                let mut reply = AllocReply::new(id, ALLOC_DENY);
                reply.note = Some(note);
                respond(cx, &job.message, &reply);
            }
        }
    }

    /// A request is taken back.
    pub(crate) fn cancel(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.queue.remove(id) {
            let reply = AllocReply::new(id, ALLOC_CANCEL);
            respond(cx, &job.message, &reply);
            self.changed = true;
        }
    }

    /// A job gives resources back: no more than it has.
    pub(crate) fn free(&mut self, id: JobId, back: &Rset, is_final: bool) {
        let Some(held) = self.held.get_mut(&id) else {
            return tracing::error!("free: job {id} has no resources");
        };
        let mut rest = held.clone();
        rest.subtract(back);
        let mut freed = std::mem::replace(held, rest.clone());
        freed.subtract(&rest);
        if is_final || rest.is_empty() {
            self.held.remove(&id);
        }
        if let Some(pool) = &mut self.pool {
            pool.give(&freed);
            if is_final && !rest.is_empty() {
                tracing::error!("free: job {id} is done but keeps {rest}: taken back");
                pool.give(&rest);
            }
        }
        self.changed = true;
    }

    /// Gives resources to as many jobs as can have them, in order.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<Self>) {
        if !std::mem::take(&mut self.changed) || !self.link.is_ready() {
            return;
        }
        while let Some(decided) = self.decide(cx) {
            self.batch.push(decided);
        }
        if cx.debug_bits() & DEBUG_ANNOTATE != 0 {
            self.annotate_waiting(cx);
        }
        self.batch.flush(cx);
        self.forecast_soon(cx);
    }

    /// Decides about the first job; `None` when there is none or it has to wait.
    fn decide(&mut self, cx: &mut Cx<Self>) -> Option<Decided> {
        let pool = self.pool.as_mut()?;
        let first = self.queue.first()?;
        let mut set = place::place(pool, &first.request)?;
        let now = cx.now().wall;
        let expiration = match first.request.duration {
            duration if duration > 0.0 => now + duration,
            _ => pool.expiration(),
        };
        if let Err(error) = set.set_times(now, expiration) {
            // A duration without end: no expiration.
            tracing::debug!("times of {}: {error}", first.id);
        }
        let id = first.id;
        let job = self.queue.remove(id)?;
        let mut sched = json!({ "resource_summary": set.to_string() });
        if job.t_estimate.is_some() {
            sched["t_estimate"] = serde_json::Value::Null;
        }
        let r = set.encode();
        self.held.insert(id, set);
        Some(Decided {
            id,
            r,
            annotations: annotations(sched),
            message: job.message,
        })
    }

    fn annotate_waiting(&mut self, cx: &mut Cx<Self>) {
        for (ahead, job) in self.queue.iter_mut().enumerate() {
            let sched = json!({
                "reason_pending": "insufficient resources",
                "jobs_ahead": ahead,
            });
            annotate(cx, job, sched);
        }
    }

    /// New priorities of jobs that wait.
    pub(crate) fn prioritize(&mut self, jobs: Vec<(JobId, proto::data::job::Priority)>) {
        for (id, priority) in jobs {
            self.queue.prioritize(id, priority);
        }
        self.changed = true;
    }

    /// A running job may end at another time.
    pub(crate) fn set_expiration(&mut self, id: JobId, expiration: f64) -> Result<(), Refusal> {
        let refuse = |text: &'static str| Refusal::new(proto::Errno::EINVAL, text);
        let held = self.held.get_mut(&id);
        let held = held.ok_or_else(|| refuse("job has no resources"))?;
        held.set_expiration(expiration)
            .map_err(|_| refuse("invalid expiration"))
    }

    /// What all jobs have together.
    pub(crate) fn allocated(&self) -> Rset {
        let mut all = Rset::new();
        for held in self.held.values() {
            if let Err(error) = all.add(held) {
                tracing::error!("allocated resources: {error}");
            }
        }
        all
    }
}

/// Annotations of the scheduler, as an object of their own.
fn annotations(sched: serde_json::Value) -> Object {
    let mut object = serde_json::Map::new();
    object.insert("sched".to_owned(), sched);
    Object(object)
}

/// Notes something on a job that waits.
pub fn annotate(cx: &mut Cx<SchedSimple>, job: &Waiting, sched: serde_json::Value) {
    let mut reply = AllocReply::new(job.id, ALLOC_ANNOTATE);
    reply.annotations = Some(annotations(sched));
    respond(cx, &job.message, &reply);
}
