//! Requests that wait for jobs to end: `wait` for one, `drain` and `idle` for all
//! (protocol/11 section 4.3).

use std::collections::BTreeMap;

use node::{Cx, Peer, Reply, StreamId};
use proto::Empty;
use proto::data::JobId;
use proto::data::job::SubmitFlags;
use proto::job_manager::{
    Drain, Idle, ListedJob, Pending, UnloadingError, Wait, WaitError, Waited,
};
use serde::{Deserialize, Serialize};

use crate::JobManager;
use crate::job::Job;
use crate::joblog::{Blob, Record};
use crate::jobs::Jobs;
use crate::limits::UNWAITED_MAX;
use crate::state::{End, Life};

/// One `wait` that is not answered.
struct Waiter {
    reply: Reply<Wait>,
    /// By which the request is known when it comes again.
    number: Option<u64>,
}

/// A waitable job that has ended and that nobody has waited for yet; in the job log as
/// JSON.
#[derive(Serialize, Deserialize)]
pub struct Zombie {
    /// The answer.
    pub waited: Waited,
    /// The job as it is listed.
    pub listed: ListedJob,
}

/// An answer to a `wait`, to be sent when the state in it is stored.
type Answer = (Option<u64>, Reply<Wait>, Waited);

/// Everyone who waits.
#[derive(Default)]
pub struct Waits {
    /// Over, and not waited for yet.
    zombies: BTreeMap<JobId, Zombie>,
    one: BTreeMap<JobId, Waiter>,
    one_by_request: BTreeMap<StreamId, JobId>,
    /// Oldest first.
    any: BTreeMap<StreamId, Waiter>,
    /// Waitable jobs that are not over.
    n_active: usize,
    drains: BTreeMap<StreamId, Reply<Drain>>,
    idles: BTreeMap<StreamId, Reply<Idle>>,
}

impl Waits {
    /// A job was submitted, or read at the start.
    pub fn begun(&mut self, job: &Job) {
        self.n_active += usize::from(is_waitable(&job.life));
    }

    /// Handles the end of a job: returns the answer to send once it is stored.
    pub fn ended(&mut self, job: &Job) -> Option<Answer> {
        if !is_waitable(&job.life) {
            return None;
        }
        self.n_active -= 1;
        let waited = outcome(job.id, &job.life);
        let any = || self.any.pop_first().map(|(_, waiter)| waiter);
        if let Some(waiter) = self.one.remove(&job.id).or_else(any) {
            self.one_by_request.remove(&waiter.reply.id());
            return Some((waiter.number, waiter.reply, waited));
        }
        let listed = crate::handlers::listed(job);
        self.zombies.insert(job.id, Zombie { waited, listed });
        None
    }

    /// Reads the record of a job in the job log.
    pub fn read(&mut self, id: JobId, told: &[u8]) {
        match serde_json::from_slice(told) {
            Ok(zombie) => drop(self.zombies.insert(id, zombie)),
            Err(error) => tracing::error!(
                "job={id}: its result cannot be kept for waiting: \
                {error}"
            ),
        }
    }

    /// Takes a `wait` in, refuses it, or gives the answer.
    pub fn wait(
        &mut self,
        cx: &mut Cx<JobManager>,
        jobs: &Jobs,
        peer: &Peer,
        id: JobId,
        reply: Reply<Wait>,
    ) -> Option<Answer> {
        let zombie = match id.is_any() {
            true => self.zombies.pop_first().map(|(_, zombie)| zombie),
            false => self.zombies.remove(&id),
        };
        let refusal = match (zombie, id.is_any()) {
            (Some(zombie), _) => return Some((peer.number, reply, zombie.waited)),
            // Those already spoken for are not for anyone.
            (None, true) if self.one.len() + self.any.len() >= self.n_active => {
                Some(WaitError::NoMore)
            }
            (None, true) => None,
            (None, false) => match jobs.active(id) {
                None => Some(WaitError::Invalid),
                Some(job) if !is_waitable(&job.life) => Some(WaitError::NotWaitable),
                Some(_) if self.one.contains_key(&id) => Some(WaitError::HasWaiter),
                Some(_) => None,
            },
        };
        if let Some(refusal) = refusal {
            reply.send(cx, Err(refusal));
            return None;
        }
        let waiter = Waiter {
            reply,
            number: peer.number,
        };
        match id.is_any() {
            true => self.any.insert(waiter.reply.id(), waiter),
            false => {
                self.one_by_request.insert(waiter.reply.id(), id);
                self.one.insert(id, waiter)
            }
        };
        None
    }

    /// A request was cancelled, or its client disconnected: its result is for another
    /// client.
    pub fn closed(&mut self, request: StreamId) {
        if let Some(id) = self.one_by_request.remove(&request)
            && let Some(waiter) = self.one.remove(&id)
        {
            waiter.reply.forget();
        }
        if let Some(waiter) = self.any.remove(&request) {
            waiter.reply.forget();
        }
        if let Some(drain) = self.drains.remove(&request) {
            drain.forget();
        }
        if let Some(idle) = self.idles.remove(&request) {
            idle.forget();
        }
    }

    /// Nobody needs to wait any longer: we are going down.
    pub fn end(&mut self, cx: &mut Cx<JobManager>) {
        self.one_by_request.clear();
        let one = std::mem::take(&mut self.one).into_values();
        for waiter in one.chain(std::mem::take(&mut self.any).into_values()) {
            waiter.reply.send(cx, Err(WaitError::Unloading));
        }
        for reply in std::mem::take(&mut self.drains).into_values() {
            reply.send(cx, Err(UnloadingError::Unloading));
        }
        for reply in std::mem::take(&mut self.idles).into_values() {
            reply.send(cx, Err(UnloadingError::Unloading));
        }
    }

    /// Jobs that have ended and were not waited for.
    pub fn zombies(&self) -> impl Iterator<Item = &ListedJob> {
        self.zombies.values().map(|zombie| &zombie.listed)
    }

    /// True if a job has ended and was not waited for.
    pub fn is_zombie(&self, id: JobId) -> bool {
        self.zombies.contains_key(&id)
    }

    /// Takes a `drain` in.
    pub fn drain(&mut self, reply: Reply<Drain>) {
        self.drains.insert(reply.id(), reply);
    }

    /// Takes an `idle` in.
    pub fn idle(&mut self, reply: Reply<Idle>) {
        self.idles.insert(reply.id(), reply);
    }
}

impl JobManager {
    /// Somebody waits for a job, or for any.
    pub(crate) fn wait(&mut self, cx: &mut Cx<Self>, peer: &Peer, id: JobId, reply: Reply<Wait>) {
        if let Some((number, reply, waited)) = self.waits.wait(cx, &self.jobs, peer, id, reply) {
            self.batch.record(Record::Waited(waited.id.0));
            self.answer_stored(number, reply, &waited);
        }
    }

    /// Stores the answer about a job that has ended, if nobody received it.
    pub(crate) fn keep_unwaited(&mut self, id: JobId) {
        let Some(zombie) = self.waits.zombies.get(&id) else {
            return;
        };
        let told = serde_json::to_vec(zombie).unwrap_or_default();
        self.batch.record(Record::Unwaited(id.0, Blob(told.into())));
        if self.waits.zombies.len() > UNWAITED_MAX
            && let Some((oldest, _)) = self.waits.zombies.pop_first()
        {
            self.batch.record(Record::Waited(oldest.0));
        }
    }

    /// Answers `drain` and `idle` if it is time, once everything so far is stored.
    pub(crate) fn look_at_waits(&mut self) {
        if self.jobs.n_active() == 0 && !self.waits.drains.is_empty() {
            let drains = std::mem::take(&mut self.waits.drains);
            self.batch.then(move |_, cx| {
                for reply in drains.into_values() {
                    reply.send(cx, Ok(Empty));
                }
            });
        }
        let is_idle = self.jobs.n_running() == 0 && self.alloc.n_sent() == 0;
        if is_idle && !self.waits.idles.is_empty() {
            let idles = std::mem::take(&mut self.waits.idles);
            let pending = self.jobs.n_active() as u64;
            self.batch.then(move |_, cx| {
                for reply in idles.into_values() {
                    reply.send(cx, Ok(Pending { pending }));
                }
            });
        }
    }
}

fn is_waitable(life: &Life) -> bool {
    life.flags.contains(SubmitFlags::WAITABLE)
}

fn outcome(id: JobId, life: &Life) -> Waited {
    let errstr = match &life.end {
        Some(End::Finish(status)) => status.failure_text(),
        Some(End::Exception { kind, note }) => Some(format!("Fatal exception type={kind} {note}")),
        None => None,
    };
    Waited {
        id,
        success: errstr.is_none(),
        errstr: errstr.unwrap_or_default(),
    }
}
