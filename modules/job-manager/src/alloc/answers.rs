//! Responses of the scheduler to our requests.

use std::rc::Rc;

use node::Cx;
use proto::data::job::State;
use proto::data::{JobId, Rset};
use proto::job_manager::JobEvent;
use proto::sched::{self, AllocReply};
use proto::{Object, Payload, RawJson};
use serde_json::{Map, Value};
use wire::{Kind, Message};

use super::free::without_scheduling;
use super::{exception, send_now};
use crate::JobManager;
use crate::batch::Haste;
use crate::state::AllocAsk;

impl JobManager {
    /// Receives an answer to one of our requests, of any kind.
    pub(crate) fn alloc_answered(&mut self, cx: &mut Cx<Self>, response: &Message) {
        if let Kind::Response { errnum: 1.., .. } = response.kind {
            let text = response.error_text().unwrap_or("no such service");
            tracing::debug!("the scheduler disconnected: {text}");
            return self.lose_scheduler(cx);
        }
        let reply = match AllocReply::decode(response.payload()) {
            Ok(reply) => reply,
            Err(bad) => return self.scheduler_erred(cx, &format!("malformed answer: {bad}")),
        };
        match reply.kind {
            sched::ALLOC_SUCCESS => self.allocated(cx, reply),
            sched::ALLOC_ANNOTATE => self.annotated(cx, reply),
            sched::ALLOC_DENY => self.denied(cx, reply),
            sched::ALLOC_CANCEL => self.canceled(cx, reply.id),
            other => self.scheduler_erred(cx, &format!("answer of unknown type {other}")),
        }
        self.run(cx);
    }

    /// True if a job waits for an answer.
    fn waits_for_alloc(&self, id: JobId) -> bool {
        self.jobs.active(id).is_some_and(|job| {
            let is_asked = matches!(job.alloc, AllocAsk::Sent | AllocAsk::Canceling);
            is_asked && job.life.state == State::Sched
        })
    }

    /// The scheduler has answered for the last time. An answer that was on its way when the
    /// scheduler was given up settles nothing: its job is in the queue again.
    fn settle_request(&mut self, id: JobId) {
        let Some(sent) = self.alloc.sent.remove(&id) else {
            return;
        };
        self.alloc.forget_waiting(sent.place, sent.queue);
        if let Some(job) = self.jobs.active_mut(id) {
            job.alloc = AllocAsk::None;
        }
    }

    fn allocated(&mut self, cx: &mut Cx<Self>, reply: AllocReply) {
        let id = reply.id;
        let has_r = self.jobs.active(id).is_some_and(|job| job.r.is_some());
        let (Some(r), false) = (reply.r, has_r) else {
            return self.scheduler_erred(
                cx,
                &format!(
                    "job={id} has R already, or was not \
                allocated any"
                ),
            );
        };
        if let Err(error) = Rset::decode(r.as_str()) {
            return self.scheduler_erred(cx, &format!("job={id}: {error}"));
        }
        let is_stale = self.alloc.sent.get(&id).is_some_and(|sent| sent.is_stale);
        let is_wanted = self.waits_for_alloc(id) && !is_stale;
        self.settle_request(id);
        if !is_wanted {
            // Cancelled or updated while the answer was on its way.
            self.acting.push_back(id);
            return send_now(
                cx,
                &sched::Free {
                    id,
                    r,
                    is_final: true,
                },
            );
        }
        if let Some(Object(notes)) = reply.annotations {
            self.annotate(cx, id, &notes);
        }
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let earlier = job.noted;
        let is_early = self.early.takes(&r);
        // Its shells do not wait for the commit then.
        let haste = if is_early { Haste::Soon } else { Haste::Now };
        let whole = Rc::new(r);
        self.batch.at_most(haste);
        self.gets(cx, id, &whole);
        self.batch.at_most(Haste::Now);
        if is_early {
            self.start_early(id, earlier, &whole);
        }
    }

    /// A job got resources from a job manager before us.
    pub(crate) fn has_got(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        r: RawJson,
        annotations: Option<Map<String, Value>>,
    ) {
        if let Some(notes) = annotations {
            self.annotate(cx, id, &notes);
        }
        self.gets(cx, id, &Rc::new(r));
    }

    /// Gives a job its resources, as the scheduler has said it.
    fn gets(&mut self, cx: &mut Cx<Self>, id: JobId, r: &Rc<RawJson>) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        self.batch.put(&id.kvs_key("R"), r.as_str());
        job.r = Some(without_scheduling(r));
        let event = JobEvent::Alloc {
            annotations: job.notes(),
            bypass: false,
        };
        self.post(cx, id, &event);
    }

    fn annotated(&mut self, cx: &mut Cx<Self>, reply: AllocReply) {
        if let (true, Some(Object(notes))) = (self.waits_for_alloc(reply.id), reply.annotations) {
            self.annotate(cx, reply.id, &notes);
        }
    }

    fn denied(&mut self, cx: &mut Cx<Self>, reply: AllocReply) {
        let is_wanted = self.waits_for_alloc(reply.id);
        self.settle_request(reply.id);
        if is_wanted {
            self.clear_notes(cx, reply.id);
            let note = reply.note.unwrap_or_default();
            if let Some(event) = exception(cx, "alloc", 0, note) {
                self.post(cx, reply.id, &event);
            }
        }
    }

    fn canceled(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.settle_request(id);
        self.clear_sched_notes(cx, id);
        self.acting.push_back(id);
    }
}
