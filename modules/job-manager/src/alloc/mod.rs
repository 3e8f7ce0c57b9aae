//! Our half of the allocation protocol (RFC 27, protocol/11 section 7): the queue, the
//! requests that the scheduler has, and its answers. Requests have no matchtag; answers
//! are recognised by the job id.
//!
//! Read on in `lines.rs` (who waits in which queue), `places.rs` (getting in and out),
//! `requests.rs` (requests to the scheduler), `answers.rs` (its responses), `free.rs`
//! (returned resources), and `scheduler.rs` (how it comes and goes).

mod annotations;
mod answers;
mod free;
mod lines;
mod places;
mod requests;
mod scheduler;

use std::collections::BTreeMap;

use node::{Call, Cx};
use proto::Method;
use proto::data::JobId;
use proto::data::job::{Exception, ExceptionType, Priority, Severity};
use proto::job_manager::JobEvent;
use serde_json::{Map, Value};
use wire::{Flags, Message};

use crate::JobManager;
use crate::queue::{QueueId, Queues};
use crate::state::AllocAsk;
pub(crate) use free::without_scheduling;
use lines::{Lines, Place};
pub use scheduler::Mode;
use scheduler::Scheduler;

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
    /// Number of hellos of schedulers: messages for an earlier scheduler are void.
    hellos: u64,
    lines: Lines,
    /// With the scheduler, those taken back and not answered yet too.
    sent: BTreeMap<JobId, Sent>,
    /// Number of them that are not cancelled.
    n_waiting: usize,
    /// New priorities that were not sent to the scheduler yet.
    changed: BTreeMap<JobId, Priority>,
}

impl Alloc {
    /// True if a scheduler accepts requests.
    pub fn is_ready(&self) -> bool {
        matches!(&self.scheduler, Some(s) if s.mode != Mode::NotReady)
    }

    /// Jobs in the queues that run, best first.
    pub fn queued(&self, queues: &Queues) -> impl Iterator<Item = JobId> + '_ {
        self.lines.queued(|queue| queues.runs(queue))
    }

    /// Number of jobs in the queues that run.
    pub fn n_queued(&self, queues: &Queues) -> usize {
        self.lines.n_queued(|queue| queues.runs(queue))
    }

    /// Number of hellos of schedulers.
    pub fn hellos(&self) -> u64 {
        self.hellos
    }

    fn forget_waiting(&mut self, place: Place, queue: QueueId) {
        let was_there = self.lines.of(queue).waiting.remove(&place);
        self.n_waiting -= usize::from(was_there);
    }

    /// Number of requests that the scheduler has.
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

/// A request whose answers are recognised by their payload, failing at once when the
/// service is not there.
pub(crate) fn untagged(topic: &str, payload: bytes::Bytes) -> Message {
    let mut message = Message::request(topic, 0);
    message.set_payload(payload);
    message.set_flag(Flags::USER1, true);
    message
}

/// Sends a request without response to a service, if it is there.
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
