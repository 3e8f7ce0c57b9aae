//! Our half of the execution protocol (RFC 32, protocol/11 section 8): start requests and
//! their responses. Requests have no matchtag; answers are recognised by the job id.

use std::collections::BTreeSet;

use node::{Call, Cx, Delivery, Peer};
use proto::data::eventlog::decode_log;
use proto::data::job::{ExceptionType, JobStep, State, WaitStatus};
use proto::data::{IdSet, JobId};
use proto::job_exec::{GuestLines, JobException, Kept, Progress, Step};
use proto::job_manager::JobEvent;
use proto::{Payload, RawJson};
use serde::Serialize;
use serde_json::{Map, Value};
use wire::{Identity, Kind, Message};

use crate::JobManager;
use crate::alloc::{debug, exception, untagged};
use crate::batch::Haste;
use crate::state::{End, ExecAsk};

/// The service that runs jobs.
#[derive(Debug, Default)]
pub struct Exec {
    service: Option<String>,
    sender: Option<Identity>,
    /// Jobs that it has.
    sent: BTreeSet<JobId>,
    /// Jobs whose guest logs it left to us, and are stored.
    kept: Vec<JobId>,
}

impl Exec {
    /// True if a service accepts jobs.
    pub fn is_there(&self) -> bool {
        self.service.is_some()
    }

    /// Name.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// True if another service than `name` has jobs.
    pub fn is_busy_elsewhere(&self, name: &str) -> bool {
        !self.sent.is_empty() && self.service.as_deref() != Some(name)
    }

    /// Removes a job that has ended.
    pub fn forget(&mut self, id: JobId) {
        self.sent.remove(&id);
    }

    /// True if `topic` is that of our start requests.
    pub fn is_start(&self, topic: &str) -> bool {
        let service = self.service.as_deref().unwrap_or("job-exec");
        topic.strip_prefix(service) == Some(".start")
    }

    /// Walks the table and panics on a job that does not know of its request.
    pub fn check(&self, ask_of: impl Fn(JobId) -> Option<ExecAsk>) {
        for id in &self.sent {
            assert_eq!(ask_of(*id), Some(ExecAsk::Sent), "{id} was sent to run");
        }
    }
}

/// `SERVICE.start` with jobspec and R as texts; the same keys as [`proto::job_exec::Start`].
#[derive(Serialize)]
struct Start<'a> {
    id: JobId,
    userid: u32,
    jobspec: &'a RawJson,
    reattach: bool,
    #[serde(rename = "R")]
    r: &'a RawJson,
    together: bool,
}

impl JobManager {
    /// A service accepts jobs from now on: jobs of an earlier one are requested again.
    pub(crate) fn exec_hello(&mut self, cx: &mut Cx<Self>, peer: &Peer, service: String) {
        self.lose_exec(cx, "exec-hello");
        self.exec.service = Some(service);
        self.exec.sender = peer.sender.clone();
        let in_hand = self.jobs.all_active();
        let in_hand = in_hand.filter(|job| matches!(job.life.state, State::Run | State::Cleanup));
        self.acting.extend(in_hand.map(|job| job.id));
    }

    /// Handles a disconnect of a service that may be the execution service.
    pub(crate) fn exec_gone(&mut self, cx: &mut Cx<Self>, gone: &Peer) {
        if gone.sender.is_some() && self.exec.sender == gone.sender {
            self.lose_exec(cx, "execution service is gone");
        }
    }

    fn lose_exec(&mut self, cx: &mut Cx<Self>, note: &str) {
        self.exec.service = None;
        self.exec.sender = None;
        for id in std::mem::take(&mut self.exec.sent) {
            let Some(job) = self.jobs.active_mut(id) else {
                continue;
            };
            job.exec = ExecAsk::Lost;
            if job.life.is_debug() {
                let context = Map::from_iter([("note".to_owned(), Value::from(note))]);
                self.post(cx, id, &debug("debug.start-lost", Some(context)));
            }
        }
    }

    /// Asks for a job to be run, or to be found again.
    pub(crate) fn start_job(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(service) = self.exec.service.as_deref() else {
            return;
        };
        let Some(job) = self.jobs.active_mut(id) else {
            return;
        };
        let Some(r) = job.r.as_deref() else {
            return tracing::error!("job={id} is to run without R");
        };
        let reattach = job.life.started;
        let request = Start {
            id,
            userid: job.life.userid,
            jobspec: &job.jobspec(),
            reattach,
            r,
            together: true,
        };
        let payload = proto::payload::encode_json(&request);
        cx.send(untagged(&format!("{service}.start"), payload));
        cx.step(id, JobStep::StartAsked);
        job.exec = ExecAsk::Sent;
        self.exec.sent.insert(id);
        let (is_debug, end) = (job.life.is_debug(), job.life.end.clone());
        if let Some(End::Exception { kind, .. }) = end {
            // It was cancelled while the service was away.
            let kind = kind.into();
            self.batch
                .then(move |_, cx| publish_exception(cx, id, kind, 0, None));
        }
        if is_debug && reattach {
            let context = Map::from_iter([("id".to_owned(), Value::from(id.0 as i64))]);
            self.post(cx, id, &debug("debug.exec-reattach-start", Some(context)));
        } else if is_debug {
            self.post(cx, id, &debug("debug.start-request", None));
        }
    }

    /// Receives an answer to one of our start requests, of any kind.
    pub(crate) fn exec_answered(&mut self, cx: &mut Cx<Self>, response: &Message) {
        if let Kind::Response { errnum: 1.., .. } = response.kind {
            let text = response
                .error_text()
                .unwrap_or("no such service")
                .to_owned();
            tracing::debug!("the execution service disconnected: {text}");
            self.lose_exec(cx, &text);
            return self.run(cx);
        }
        match Progress::decode(response.payload()) {
            Ok(progress) if self.jobs.active(progress.id).is_some() => {
                let is_over = matches!(progress.step, Step::Over { .. });
                self.batch
                    .at_most(if is_over { Haste::Soon } else { Haste::Now });
                self.progress(cx, progress.id, progress.step);
                self.run(cx);
                self.batch.at_most(Haste::Now);
            }
            // Said again to us: it is on its way into the store, or there.
            Ok(Progress {
                id,
                step: Step::Over { .. },
            }) => self.keep(id),
            // The same, heard from the same service or the one before.
            Ok(progress) => tracing::debug!("job={} is inactive but running", progress.id),
            Err(bad) => tracing::error!("{}: malformed answer: {bad}", response.topic()),
        }
    }

    /// True if a job's log has this exception already.
    fn has_exception(&self, id: JobId, kind: &str, note: &str) -> bool {
        let Some(job) = self.jobs.active(id) else {
            return false;
        };
        let entries = decode_log(job.log().as_bytes()).unwrap_or_default();
        entries.iter().any(|entry| {
            entry.name() == "exception"
                && entry.get_str("type") == Some(kind)
                && entry.get_str("note") == Some(note)
        })
    }

    fn progress(&mut self, cx: &mut Cx<Self>, id: JobId, step: Step) {
        let Some(life) = self.jobs.active(id).map(|job| &job.life) else {
            return;
        };
        match step {
            // Said again to us, by a service that does not know what our log has.
            Step::Exception { kind, note, .. } if self.has_exception(id, &kind, &note) => {}
            Step::Start(_) if life.started => {}
            Step::Finish { .. } if life.finished => {}
            Step::Release { .. } if life.exec_done => {}
            Step::Start(_) => {
                self.post(cx, id, &JobEvent::Start);
            }
            Step::Over { status, lines } => self.over(cx, id, status, lines),
            Step::Reattached(_) => {
                let is_debug = self.jobs.active(id).is_some_and(|job| job.life.is_debug());
                if is_debug {
                    self.post(cx, id, &debug("debug.exec-reattach-finish", None));
                }
            }
            Step::Exception {
                kind,
                severity,
                note,
            } => match exception(cx, &kind, i64::from(severity), note) {
                Some(event) => {
                    self.post(cx, id, &event);
                }
                None => tracing::error!("job={id} malformed exception of type '{kind}'"),
            },
            Step::Finish { status } => {
                self.post(cx, id, &JobEvent::Finish(WaitStatus(status)));
            }
            Step::Release { ranks, is_final } => self.released(cx, id, ranks, is_final),
        }
    }

    /// Handles a job that ended soon: all its events go into one commit.
    pub(crate) fn over(&mut self, cx: &mut Cx<Self>, id: JobId, status: i32, lines: GuestLines) {
        let Some(life) = self.jobs.active(id).map(|job| &job.life) else {
            return;
        };
        let (started, finished, done) = (life.started, life.finished, life.exec_done);
        if !started {
            self.post(cx, id, &JobEvent::Start);
        }
        if !finished {
            // Actions of policies then come before the release.
            self.emit(cx, id, &JobEvent::Finish(WaitStatus(status)));
        }
        if !done {
            self.ends_early(id, status, &lines);
            for (name, text) in lines.by_name() {
                self.batch.put(&id.kvs_key(&format!("guest.{name}")), &text);
            }
            self.released(cx, id, "all".to_owned(), true);
        }
        self.keep(id);
    }

    /// The execution service is notified when all of a job that it left to us is stored.
    fn keep(&mut self, id: JobId) {
        self.batch
            .then_at_ease(move |core, _| core.exec.kept.push(id));
    }

    /// Sends the execution service the ids of stored jobs.
    pub(crate) fn send_kept(&mut self, cx: &mut Cx<Self>) {
        let ids = std::mem::take(&mut self.exec.kept);
        if let (false, Some(service)) = (ids.is_empty(), self.exec.service()) {
            let call = Call::new(&Kept { ids }).topic(&format!("{service}.kept"));
            cx.notify_with(call.delivery(Delivery::Now));
        }
    }

    fn released(&mut self, cx: &mut Cx<Self>, id: JobId, ranks: String, is_final: bool) {
        let some = ranks.parse::<IdSet>().ok();
        if !self.post(cx, id, &JobEvent::Release { ranks, is_final }) {
            return;
        }
        if is_final {
            self.exec.sent.remove(&id);
        } else if let Some(some) = some {
            self.free_ranks(cx, id, &some);
        }
    }
}

/// Notifies the execution service of a job of an exception.
pub(crate) fn publish_exception(
    cx: &mut Cx<JobManager>,
    id: JobId,
    kind: String,
    severity: u32,
    wait_status: Option<i32>,
) {
    debug_assert!(ExceptionType::new(&kind).is_ok());
    let event = JobException {
        id,
        kind,
        severity,
        wait_status,
    };
    cx.publish(&event);
}
