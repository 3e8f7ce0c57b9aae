//! State and decisions of the module: the queue in order; the first job that does not fit
//! blocks the others, unless the policy lets some of them pass (`backfill.rs`).

use std::marker::PhantomData;
use std::time::Duration;

use node::Cx;
use proto::data::job::JobStep;
use proto::data::{JobId, Jobspec, Rset};
use proto::feasibility::CheckError;
use proto::sched::{ALLOC_ANNOTATE, ALLOC_CANCEL, ALLOC_DENY, Alloc, AllocReply};
use proto::{Object, Refusal};
use serde_json::{Map, Value, json};
use wire::Message;

use crate::answer::{Decided, respond};
use crate::backfill::Reservation;
use crate::changes::Changes;
use crate::config::Settings;
use crate::handshake::Link;
use crate::held::Held;
use crate::log::Log;
use crate::outlook::{Estimate, Outlook};
use crate::place;
use crate::pool::Pool;
use crate::program::{Policy, Program};
use crate::queue::{Queue, Waiting};
use crate::request::Request;
use crate::stats::Counters;

/// Debug bit: deny every request.
pub const DEBUG_FAIL_ALLOC: i64 = 1;
/// Debug bit: annotate every waiting job at once with the reason, and the number of jobs
/// ahead.
pub const DEBUG_ANNOTATE: i64 = 2;
/// Debug bit: refuse every new expiration.
pub const DEBUG_REFUSE_EXPIRATION: i64 = 4;

/// State of the module.
pub struct Scheduler<P> {
    pub(crate) settings: Settings,
    pub(crate) link: Link,
    /// `None` until the resource module has handed them over.
    pub(crate) pool: Option<Pool>,
    /// Resources of jobs.
    pub(crate) held: Held,
    pub(crate) queue: Queue,
    /// Of the first job, if others may pass it.
    pub(crate) reservation: Option<Reservation>,
    pub(crate) outlook: Outlook,
    pub(crate) counters: Counters,
    /// Changes since the last pass over the queue.
    pub(crate) changes: Changes,
    program: PhantomData<P>,
}

impl<P: Program> Scheduler<P> {
    pub(crate) fn new(settings: Settings) -> Self {
        Scheduler {
            settings,
            link: Link::default(),
            pool: None,
            held: Held::default(),
            queue: Queue::default(),
            reservation: None,
            outlook: Outlook::default(),
            counters: Counters::default(),
            changes: Changes::default(),
            program: PhantomData,
        }
    }

    pub(crate) fn log(&self) -> Log {
        Log(self.settings.log_level)
    }

    /// A job wants resources.
    pub(crate) fn enqueue(&mut self, cx: &mut Cx<Self>, alloc: Alloc, message: Message) {
        if cx.debug_bits() & DEBUG_FAIL_ALLOC != 0 {
            return deny(cx, alloc.id, &message, "DEBUG_FAIL_ALLOC".to_owned());
        }
        let request = match self.check(&Jobspec::decode(alloc.jobspec.as_str())) {
            Ok(request) => request,
            Err(error) => return deny(cx, alloc.id, &message, note_of(&error)),
        };
        let job = Waiting {
            id: alloc.id,
            request,
            message,
            told: Estimate::default(),
        };
        cx.step(job.id, JobStep::Queued);
        self.queue.insert(alloc.priority, job);
        self.changes.arrival(alloc.id);
    }

    /// Reads the request of a job, and checks whether it could ever be met.
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
        let hopeless = self.queue.iter().filter_map(|job| {
            let error = place::check(pool, &job.request).err()?;
            Some((job.id, note_of(&error)))
        });
        let hopeless: Vec<(JobId, String)> = hopeless.collect();
        for (id, note) in hopeless {
            if let Some(job) = self.queue.remove(id) {
                deny(cx, id, &job.message, note);
            }
        }
    }

    /// A request is taken back.
    pub(crate) fn cancel(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let Some(job) = self.queue.remove(id) {
            let reply = AllocReply::new(id, ALLOC_CANCEL);
            respond(cx, &job.message, &reply);
            self.changes.all();
        }
    }

    /// A job gives resources back: no more than it has. While the allocations are still being
    /// read, that is put off.
    pub(crate) fn free(&mut self, id: JobId, back: Rset, is_final: bool) {
        match self.link.early_frees() {
            Some(early) => early.push((id, back, is_final)),
            None => self.free_now(id, &back, is_final),
        }
    }

    pub(crate) fn free_now(&mut self, id: JobId, back: &Rset, is_final: bool) {
        let Some(freed) = self.held.free(id, back, is_final) else {
            return self
                .log()
                .debug(format_args!("free: {id} has no resources"));
        };
        if let Some(complaint) = freed.complaint {
            tracing::error!("free: {id}: {complaint}");
        }
        if let Some(pool) = &mut self.pool {
            pool.give(&freed.set);
        }
        self.changes.all();
    }

    /// Gives resources to as many jobs as can have them, in order.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<Self>) {
        if !self.changes.any() || !self.link.is_ready() {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        self.count_pass(cx);
        while let Some(decided) = self.start_first(cx) {
            // Those behind it may have to wait longer.
            self.reservation = None;
            decided.send(cx);
        }
        if P::TRAITS.policy == Policy::Backfill {
            self.backfill(cx, &changes);
        }
        if cx.debug_bits() & DEBUG_ANNOTATE != 0 {
            self.notify_all(cx);
        }
        self.look_soon(cx);
    }

    /// Counts a look at the queue. It has taken as long as until the next turn begins.
    fn count_pass(&mut self, cx: &mut Cx<Self>) {
        let start = cx.now().mono;
        if self.counters.pass(start) {
            cx.timer(Duration::ZERO, move |core: &mut Scheduler<P>, cx| {
                core.counters.timed(cx.now().mono.saturating_sub(start));
            });
        }
    }

    /// Starts the first job; `None` when there is none or it has to wait.
    fn start_first(&mut self, cx: &mut Cx<Self>) -> Option<Decided> {
        let pool = self.pool.as_mut()?;
        let first = self.queue.first()?;
        let set = place::place(pool, &first.request)?;
        let id = first.id;
        self.start_job(cx, id, set, json!({}))
    }

    /// A job that waits has resources; `note` is shown with them.
    pub(crate) fn start_job(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        mut set: Rset,
        mut note: Value,
    ) -> Option<Decided> {
        let job = self.queue.remove(id)?;
        let pool = self.pool.as_ref()?;
        let now = cx.now().wall;
        let expiration = match job.request.duration {
            duration if duration > 0.0 => now + duration,
            _ => pool.expiration(),
        };
        if let Err(error) = set.set_times(now, expiration) {
            // A duration without end: no expiration.
            self.log().debug(format_args!("times of {id}: {error}"));
        }
        set.set_scheduling(pool.set().scheduling().cloned());
        note["resource_summary"] = json!(set.to_string());
        for (word, gone) in job.told.changes(&Estimate::default()) {
            note[word] = gone;
        }
        let r = set.encode();
        self.held.insert(id, set);
        Some(Decided {
            id,
            r,
            annotations: annotations(note),
            message: job.message,
        })
    }

    /// New priorities of jobs that wait.
    pub(crate) fn prioritize(&mut self, jobs: Vec<(JobId, proto::data::job::Priority)>) {
        for (id, priority) in jobs {
            self.queue.prioritize(id, priority);
        }
        self.changes.all();
    }

    /// A running job may end at another time. One that is not known here may, too.
    pub(crate) fn set_expiration(&mut self, id: JobId, expiration: f64) -> Result<(), Refusal> {
        let invalid = |_| {
            let text = format!("invalid expiration {expiration}");
            Refusal::new(proto::Errno::EINVAL, text)
        };
        Rset::new().set_expiration(expiration).map_err(invalid)?;
        self.held.set_expiration(id, expiration).map_err(invalid)?;
        self.changes.all();
        Ok(())
    }

    /// Resources of all jobs together.
    pub(crate) fn allocated(&self) -> Rset {
        let mut all = Rset::new();
        for held in self.held.sets() {
            if let Err(error) = all.add(held) {
                tracing::error!("allocated resources: {error}");
            }
        }
        all
    }
}

/// The note of a job that is denied.
fn note_of(error: &CheckError) -> String {
    match error {
        CheckError::NoResources => format!("cannot parse jobspec: {error}"),
        error => error.to_string(),
    }
}

fn deny<P: Program>(cx: &mut Cx<Scheduler<P>>, id: JobId, message: &Message, note: String) {
    let mut reply = AllocReply::new(id, ALLOC_DENY);
    reply.note = Some(note);
    respond(cx, message, &reply);
}

/// Annotations of the scheduler, as an object of their own.
fn annotations(sched: Value) -> Object {
    let mut object = Map::new();
    object.insert("sched".to_owned(), sched);
    Object(object)
}

/// Annotates a waiting job with the changes, if there are any.
pub fn annotate<P: Program>(cx: &mut Cx<Scheduler<P>>, job: &mut Waiting, new: &Estimate) {
    let changes = job.told.changes(new);
    job.told = *new;
    if changes.is_empty() {
        return;
    }
    let mut reply = AllocReply::new(job.id, ALLOC_ANNOTATE);
    reply.annotations = Some(annotations(Value::Object(changes)));
    respond(cx, &job.message, &reply);
}
