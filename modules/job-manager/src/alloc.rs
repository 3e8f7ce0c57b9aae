//! Our half of the allocation protocol (RFC 27, protocol/11 section 7): the queue, the
//! requests that the scheduler has, and its answers. Requests have no matchtag; answers
//! are told apart by the job id. Read on in `alloc/lines.rs` (who waits in which queue).

mod lines;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use node::{Call, Cx, Peer};
use proto::data::job::{Exception, ExceptionType, Priority, Severity, State};
use proto::data::{IdSet, JobId, Rset, dotted};
use proto::job_manager::JobEvent;
use proto::kvs::Op;
use proto::sched::{self, AllocReply};
use proto::{Method, Object, Payload, RawJson};
use serde_json::{Map, Value};
use wire::{Flags, Identity, Kind, Message};

use crate::JobManager;
use crate::queue::{QueueId, Queues};
use crate::state::AllocAsk;
use lines::{Lines, Place};

/// How many requests the scheduler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It has said hello only.
    NotReady,
    /// All.
    Unlimited,
    /// N at a time.
    Limited(usize),
}

/// The scheduler that said hello last.
#[derive(Debug)]
struct Scheduler {
    sender: Option<Identity>,
    mode: Mode,
}

/// A request that the scheduler has.
#[derive(Debug)]
struct Sent {
    place: Place,
    queue: QueueId,
    /// The job asks for something else by now.
    is_stale: bool,
}

/// Requests for resources.
#[derive(Debug, Default)]
pub struct Alloc {
    scheduler: Option<Scheduler>,
    /// How often a scheduler said hello: what was meant for an earlier one is void.
    hellos: u64,
    lines: Lines,
    /// With the scheduler, those taken back and not answered yet too.
    sent: BTreeMap<JobId, Sent>,
    /// How many of them are not taken back.
    n_waiting: usize,
    /// New priorities that the scheduler is not told of yet.
    changed: BTreeMap<JobId, Priority>,
}

impl Alloc {
    /// Whether a scheduler takes requests.
    pub fn is_ready(&self) -> bool {
        matches!(&self.scheduler, Some(s) if s.mode != Mode::NotReady)
    }

    /// Jobs in the queues that run, best first.
    pub fn queued(&self, queues: &Queues) -> impl Iterator<Item = JobId> + '_ {
        self.lines.queued(|queue| queues.runs(queue))
    }

    /// How many jobs are in the queues that run.
    pub fn n_queued(&self, queues: &Queues) -> usize {
        self.lines.n_queued(|queue| queues.runs(queue))
    }

    fn forget_waiting(&mut self, place: Place, queue: QueueId) {
        let was_there = self.lines.of(queue).waiting.remove(&place);
        self.n_waiting -= usize::from(was_there);
    }

    /// How many requests the scheduler has.
    pub fn n_sent(&self) -> usize {
        self.sent.len()
    }

    /// Walks the tables and panics on a request that a job does not know of.
    pub fn check(&self, ask_of: impl Fn(JobId) -> Option<(AllocAsk, QueueId)>) {
        let mut n_waiting = 0;
        for (queue, line) in self.lines.all() {
            for (_, id) in &line.queued {
                let expect = Some((AllocAsk::Queued, queue));
                assert_eq!(ask_of(*id), expect, "{id} is in the queue");
            }
            for (_, id) in &line.waiting {
                assert_eq!(ask_of(*id), Some((AllocAsk::Sent, queue)), "{id} was sent");
                assert!(self.sent.contains_key(id));
            }
            n_waiting += line.waiting.len();
        }
        assert_eq!(self.n_waiting, n_waiting);
    }
}

impl JobManager {
    /// A scheduler said hello: what an earlier one had is void.
    pub(crate) fn scheduler_hello(&mut self, cx: &mut Cx<Self>, peer: &Peer) {
        self.lose_scheduler(cx);
        self.alloc.hellos += 1;
        self.alloc.scheduler = Some(Scheduler {
            sender: peer.sender.clone(),
            mode: Mode::NotReady,
        });
    }

    /// The scheduler takes requests from now on.
    pub(crate) fn scheduler_ready(&mut self, peer: &Peer, mode: Mode) {
        self.alloc.scheduler = Some(Scheduler {
            sender: peer.sender.clone(),
            mode,
        });
    }

    /// The service that had requests from us may be gone.
    pub(crate) fn scheduler_gone(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        let scheduler = self.alloc.scheduler.as_ref();
        if gone.sender.is_some() && scheduler.is_some_and(|s| s.sender == gone.sender) {
            self.lose_scheduler(cx);
        }
    }

    /// Takes all requests back into the queue and waits for another hello.
    fn lose_scheduler(&mut self, cx: &mut Cx<Self>) {
        if self.alloc.scheduler.take().is_none() {
            return;
        }
        self.alloc.lines.clear_waiting();
        self.alloc.n_waiting = 0;
        for (id, _) in std::mem::take(&mut self.alloc.sent) {
            if let Some(job) = self.jobs.active_mut(id) {
                job.alloc = AllocAsk::None;
                self.clear_sched_notes(cx, id);
                self.acting.push_back(id);
            }
        }
        self.run(cx);
    }

    pub(crate) fn enqueue(&mut self, id: JobId) {
        if let Some(job) = self.jobs.active_mut(id) {
            job.alloc = AllocAsk::Queued;
            let priority = job.life.priority.unwrap_or_default();
            let line = self.alloc.lines.of(job.queue);
            line.queued.insert((Reverse(priority), id));
        }
    }

    /// Gets a job out of the queue, or back from the scheduler.
    pub(crate) fn dequeue(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        match job.alloc {
            AllocAsk::Queued => {
                // In the queue under the priority that it had then, which is the one it
                // has: a new one comes only after this.
                let place = (Reverse(job.life.priority.unwrap_or_default()), id);
                let was_there = self.alloc.lines.of(job.queue).queued.remove(&place);
                debug_assert!(was_there, "{id} is not where it was queued");
                job.alloc = AllocAsk::None;
            }
            AllocAsk::Sent => self.take_back(cx, id),
            AllocAsk::None | AllocAsk::Canceling => {}
        }
        self.clear_sched_notes(cx, id);
    }

    /// Gets a job out of its line before an event changes its place: it gets in again when
    /// it is asked what it needs.
    pub(crate) fn step_out_of_line(&mut self, cx: &mut Cx<Self>, id: JobId, event: &JobEvent) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let steps_out = match event {
            JobEvent::JobspecUpdate(_) => true,
            JobEvent::Priority(_) => job.alloc == AllocAsk::Queued,
            _ => false,
        };
        if let (JobEvent::JobspecUpdate(_), Some(sent)) = (event, self.alloc.sent.get_mut(&id)) {
            sent.is_stale = true;
        }
        if steps_out {
            self.dequeue(cx, id);
        }
    }

    /// Tells the scheduler of a new priority of a job that it has: a job that is held now is
    /// taken back.
    pub(crate) fn tell_priority(&mut self, cx: &mut Cx<Self>, id: JobId, priority: Priority) {
        if self.jobs.active(id).map(|job| job.alloc) != Some(AllocAsk::Sent) {
            return;
        }
        if priority == Priority::MIN {
            self.take_back(cx, id);
            return self.clear_sched_notes(cx, id);
        }
        if let Some(sent) = self.alloc.sent.get_mut(&id) {
            let waiting = &mut self.alloc.lines.of(sent.queue).waiting;
            waiting.remove(&sent.place);
            sent.place = (Reverse(priority), id);
            waiting.insert(sent.place);
            self.alloc.changed.insert(id, priority);
        }
    }

    /// Tells the scheduler of all new priorities in one message.
    fn tell_changed(&mut self, cx: &mut Cx<Self>) {
        let changed = std::mem::take(&mut self.alloc.changed).into_iter();
        let is_sent = |id: JobId| self.jobs.active(id).map(|job| job.alloc) == Some(AllocAsk::Sent);
        let jobs: Vec<(JobId, Priority)> = changed.filter(|(id, _)| is_sent(*id)).collect();
        if !jobs.is_empty() {
            send_now(cx, &sched::Prioritize { jobs });
        }
    }

    fn take_back(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if let (Some(job), Some(sent)) = (self.jobs.active_mut(id), self.alloc.sent.get(&id)) {
            job.alloc = AllocAsk::Canceling;
            let (place, queue) = (sent.place, sent.queue);
            self.alloc.forget_waiting(place, queue);
            send_now(cx, &sched::Cancel { id });
        }
    }

    /// Takes the requests of queues that do not run back from the scheduler.
    pub(crate) fn take_stopped_back(&mut self, cx: &mut Cx<Self>) {
        let lines = self.alloc.lines.all();
        let stopped =
            lines.filter(|(queue, line)| !line.waiting.is_empty() && !self.queues.runs(*queue));
        let waiting = stopped.flat_map(|(_, line)| line.waiting.iter());
        let waiting: Vec<JobId> = waiting.map(|(_, id)| *id).collect();
        for id in waiting {
            self.take_back(cx, id);
            self.clear_sched_notes(cx, id);
        }
    }

    /// Sends what the scheduler takes, best first. When it takes no more and a better one
    /// has come, the worst that it has is taken back.
    pub(crate) fn pump(&mut self, cx: &mut Cx<Self>) {
        self.tell_changed(cx);
        let limit = match &self.alloc.scheduler {
            Some(Scheduler {
                mode: Mode::Unlimited,
                ..
            }) => usize::MAX,
            Some(Scheduler {
                mode: Mode::Limited(limit),
                ..
            }) => *limit,
            _ => return,
        };
        let is_taking_back = self.alloc.sent.len() > self.alloc.n_waiting;
        if is_taking_back && self.alloc.sent.len() >= limit {
            return;
        }
        let mut heads = self.alloc.lines.heads(|queue| self.queues.runs(queue));
        while self.alloc.sent.len() < limit
            && let Some((place, queue)) = self.alloc.lines.pop(&mut heads)
        {
            self.send_alloc(cx, place, queue);
        }
        let is_taking_back = self.alloc.sent.len() > self.alloc.n_waiting;
        if let (false, Some(best)) = (is_taking_back, heads.first())
            && let Some((worst, _)) = self.alloc.lines.worst_waiting()
            && best.0 < worst.0
        {
            self.take_back(cx, worst.1);
        }
    }

    fn send_alloc(&mut self, cx: &mut Cx<Self>, place: Place, queue: QueueId) {
        let (Reverse(priority), id) = place;
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        job.alloc = AllocAsk::Sent;
        let request = sched::Alloc {
            id,
            priority,
            userid: job.life.userid,
            t_submit: job.life.t_submit,
            jobspec: RawJson::clone(&job.jobspec),
        };
        let is_debug = job.life.is_debug();
        let sent = Sent {
            place,
            queue,
            is_stale: false,
        };
        self.alloc.sent.insert(id, sent);
        self.alloc.lines.of(queue).waiting.insert(place);
        self.alloc.n_waiting += 1;
        cx.send(untagged(sched::Alloc::TOPIC, request.encode()));
        if is_debug {
            self.emit(cx, id, &debug("debug.alloc-request", None));
        }
    }

    /// Takes in an answer to one of our requests, whichever it is for.
    pub(crate) fn alloc_answered(&mut self, cx: &mut Cx<Self>, response: &Message) {
        if let Kind::Response { errnum: 1.., .. } = response.kind {
            let text = response.error_text().unwrap_or("no such service");
            tracing::debug!("the scheduler is gone: {text}");
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

    fn scheduler_erred(&mut self, cx: &mut Cx<Self>, what: &str) {
        tracing::error!("sched.alloc: {what}");
        self.lose_scheduler(cx);
    }

    /// Whether a job waits for an answer.
    fn waits_for_alloc(&self, id: JobId) -> bool {
        self.jobs.active(id).is_some_and(|job| {
            let is_asked = matches!(job.alloc, AllocAsk::Sent | AllocAsk::Canceling);
            is_asked && job.life.state == State::Sched
        })
    }

    /// The scheduler has answered for the last time.
    fn settle_request(&mut self, id: JobId) {
        if let Some(sent) = self.alloc.sent.remove(&id) {
            self.alloc.forget_waiting(sent.place, sent.queue);
        }
        if let Some(job) = self.jobs.active_mut(id) {
            job.alloc = AllocAsk::None;
        }
    }

    fn allocated(&mut self, cx: &mut Cx<Self>, reply: AllocReply) {
        let id = reply.id;
        let has_r = self.jobs.active(id).is_some_and(|job| job.r.is_some());
        let (Some(r), false) = (reply.r, has_r) else {
            return self.scheduler_erred(cx, &format!("job={id} has R already, or got none"));
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
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        job.r = Some(Rc::new(without_scheduling(r)));
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

    /// Merges notes into a job's and tells listeners.
    pub(crate) fn annotate(&mut self, cx: &mut Cx<Self>, id: JobId, notes: &Map<String, Value>) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let mut all = job.annotations.clone();
        dotted::merge(&mut all, notes);
        self.set_notes(cx, id, all);
    }

    /// Removes what the scheduler noted, and tells listeners if there was anything.
    pub(crate) fn clear_sched_notes(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        if job.annotations.contains_key("sched") {
            let mut all = job.annotations.clone();
            all.shift_remove("sched");
            self.set_notes(cx, id, all);
        }
    }

    fn clear_notes(&mut self, cx: &mut Cx<Self>, id: JobId) {
        if self
            .jobs
            .active(id)
            .is_some_and(|job| !job.annotations.is_empty())
        {
            self.set_notes(cx, id, Map::new());
        }
    }

    fn set_notes(&mut self, cx: &mut Cx<Self>, id: JobId, all: Map<String, Value>) {
        let all = (!all.is_empty()).then_some(all);
        self.post(cx, id, &JobEvent::Annotations(all));
    }

    /// Gives a job resources that no scheduler knows of.
    pub(crate) fn bypass(&mut self, cx: &mut Cx<Self>, id: JobId, r: RawJson) {
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        if job.life.state != State::Sched {
            return;
        }
        self.batch
            .op(Op::put(id.kvs_key("R"), r.as_str().to_owned()));
        job.r = Some(Rc::new(without_scheduling(r)));
        let event = JobEvent::Alloc {
            annotations: job.notes(),
            bypass: true,
        };
        self.post(cx, id, &event);
    }

    /// Gives a job's resources back: the scheduler hears of it once `free` is stored,
    /// or a restart would find them in two hands. Where nodes are looked after first, it
    /// hears when that is done.
    pub(crate) fn free(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let r = job.r.clone().filter(|_| !job.life.bypasses);
        let released = job.life.released.clone();
        self.post(cx, id, &JobEvent::Free);
        if let (Some(r), false) = (r, self.keep_house(cx, id, None)) {
            self.free_when_stored(sched::Free {
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

    /// Gives back a part of what a job had, its last if `is_final`.
    pub(crate) fn free_part(&mut self, id: JobId, part: &Rset, is_final: bool) {
        if let (false, Ok(r)) = (part.is_empty(), RawJson::new(&part.encode())) {
            self.free_when_stored(sched::Free { id, r, is_final });
        }
    }

    fn free_when_stored(&mut self, request: sched::Free) {
        let hellos = self.alloc.hellos;
        self.batch.then(move |core, cx| {
            if core.alloc.scheduler.is_some() && core.alloc.hellos == hellos {
                send_now(cx, &request);
            }
        });
    }
}

/// A request whose answers are told apart by their payload, failing at once when the
/// service is not there.
pub(crate) fn untagged(topic: &str, payload: bytes::Bytes) -> Message {
    let mut message = Message::request(topic, 0);
    message.set_payload(payload);
    message.set_flag(Flags::USER1, true);
    message
}

/// Sends what needs no answer to a service, if it is there.
fn send_now<M: Method>(cx: &mut Cx<JobManager>, request: &M) {
    cx.notify_with(Call::new(request).delivery(node::Delivery::Now));
}

/// A `debug.*` event.
pub(crate) fn debug(name: &str, context: Option<Map<String, Value>>) -> JobEvent {
    JobEvent::Debug(name.to_owned(), context)
}

/// An exception raised by us or by another service.
pub(crate) fn exception(
    cx: &Cx<JobManager>,
    kind: &str,
    severity: i64,
    note: String,
) -> Option<JobEvent> {
    Some(JobEvent::Exception(Exception {
        kind: ExceptionType::new(kind).ok()?,
        severity: Severity::new(severity).ok()?,
        note,
        userid: Some(cx.owner()),
        wait_status: None,
    }))
}

/// R without what only the scheduler understands.
pub(crate) fn without_scheduling(r: RawJson) -> RawJson {
    if !r.as_str().contains("\"scheduling\"") {
        return r;
    }
    let Ok(mut object) = r.parse::<Map<String, Value>>() else {
        return r;
    };
    object.shift_remove("scheduling");
    RawJson::of(&object).unwrap_or(r)
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
