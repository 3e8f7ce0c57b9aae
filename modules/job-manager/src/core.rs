//! State of the job manager, and its shutdown.

use std::collections::VecDeque;

use job_fold::Folder;
use node::{Call, Cx, Peer, Recall, Reply};
use proto::data::{JobId, Stamps};
use proto::job_manager::{CHECKPOINT_KEY, Checkpoint, Submit};
use proto::kvs::Op;
use proto::{Errno, Method, Object, Payload, Refusal, state_machine};

use crate::alloc::Alloc;
use crate::batch::Batch;
use crate::bulk::Bulk;
use crate::early::Early;
use crate::exec::Exec;
use crate::handlers::Updates;
use crate::housekeeping::Housekeeping;
use crate::joblog::JobLog;
use crate::jobs::{Jobs, Slot};
use crate::journal::Journal;
use crate::policy::{Policies, Verdicts};
use crate::purge::Limits;
use crate::queue::Queues;
use crate::replay::Replay;
use crate::rows::Rows;
use crate::waits::Waits;

/// The job manager.
#[derive(Default)]
pub struct JobManager {
    /// User id of the instance owner.
    pub(crate) owner: u32,
    /// The end of the instance's time in seconds since the epoch; 0 is none.
    pub(crate) expiration: f64,
    pub(crate) is_expiration_known: bool,
    /// The broker is on its way to the end.
    pub(crate) broker_ends: bool,
    pub(crate) jobs: Jobs,
    /// Jobs with a change, whose next step is to be decided.
    pub(crate) acting: VecDeque<JobId>,
    /// Of all logs together: the journal is one log too.
    pub(crate) stamps: Stamps,
    pub(crate) batch: Batch,
    pub(crate) early: Early,
    /// Submissions that wait for room, and how often was tried to store something before.
    pub(crate) held: Vec<(Submit, Reply<Submit>, u64)>,
    /// Requests that are recognised when they come again, with their answers as they travel.
    pub(crate) recall: Recall<String>,
    pub(crate) joblog: JobLog,
    pub(crate) rows: Rows,
    pub(crate) journal: Journal,
    /// Makes the job-list rows of inactive jobs.
    pub(crate) folder: Folder,
    pub(crate) alloc: Alloc,
    pub(crate) exec: Exec,
    /// Commands on many ranks.
    pub(crate) bulk: Bulk,
    pub(crate) housekeeping: Housekeeping,
    pub(crate) waits: Waits,
    pub(crate) queues: Queues,
    pub(crate) stops_queues_on_restart: bool,
    /// Updates that others are asked about.
    pub(crate) updates: Updates,
    pub(crate) policies: Policies,
    pub(crate) verdicts: Verdicts,
    pub(crate) purge_limits: Limits,
    /// From the start until all jobs are read.
    pub(crate) replay: Option<Box<Replay>>,
    /// Asked to stop: ends when everything is stored.
    pub(crate) is_ending: bool,
}

impl JobManager {
    /// Gives the configuration to all policies.
    pub(crate) fn configure_policies(&mut self, conf: &Object) -> Result<(), Refusal> {
        let taken = self.policies.configure(conf);
        taken.map_err(|text| Refusal::new(Errno::EINVAL, text))?;
        self.policies.warn_of_idle(conf);
        Ok(())
    }

    /// Takes note of when the broker begins to end.
    pub(crate) fn follow_broker(cx: &mut Cx<Self>) {
        let call = Call::new(&state_machine::Monitor::default()).to(cx.rank());
        cx.stream_with(call, |core: &mut Self, _, told| {
            if let Ok(now) = told {
                core.broker_ends = now.state > state_machine::RUN;
            }
        });
    }

    /// Writes the data that survives a restart besides the jobs.
    pub(crate) fn checkpoint(&mut self) {
        let checkpoint = Checkpoint {
            version: 1,
            max_jobid: self.jobs.max_id(),
            queue: self.queues.checkpoint(),
            log: Some(1),
            purged: self.journal.purged(),
        };
        if let Ok(text) = serde_json::to_string(&checkpoint) {
            self.batch.op(Op::put(CHECKPOINT_KEY, text));
        }
    }

    /// Gives the right to answer back, unless the request was done by a predecessor: then it
    /// gets the answer that it had.
    pub(crate) fn unless_done<M: Method>(
        &self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        reply: Reply<M>,
    ) -> Option<Reply<M>> {
        let Some(answer) = self.recall.done(peer) else {
            return Some(reply);
        };
        reply.send_bytes(cx, Ok(answer.clone().into()));
        None
    }

    /// Answers once everything said so far is stored, the answer with it.
    pub(crate) fn answer_stored<M: Method>(
        &mut self,
        number: Option<u64>,
        reply: Reply<M>,
        answer: &M::Response,
    ) {
        let payload = answer.encode();
        let text = String::from_utf8_lossy(&payload).into_owned();
        self.recall.note(self.batch.number(), number, text);
        self.batch
            .then(move |_, cx| reply.send_bytes(cx, Ok(payload)));
    }

    /// Asked to stop: answers all who wait, and stores all changes.
    pub(crate) fn begin_end(&mut self, cx: &mut Cx<Self>) {
        self.journal.end(cx);
        self.waits.end(cx);
        self.updates.end(cx);
        // job-ingest asks the next one.
        for (_, reply, _) in std::mem::take(&mut self.held) {
            reply.send(cx, Err(Refusal::bare(Errno::EHOSTUNREACH)));
        }
        if self.replay.take().is_some() {
            return cx.exit(Ok(()));
        }
        self.checkpoint();
        self.is_ending = true;
    }

    /// Ends when everything is stored.
    pub(crate) fn look_at_end(&mut self, cx: &mut Cx<Self>) {
        if self.is_ending && self.batch.is_idle() {
            cx.exit(Ok(()));
        }
    }

    /// A job, unless `peer` must not learn that it is there.
    pub(crate) fn known_to(&self, cx: &Cx<Self>, peer: &Peer, id: JobId) -> Option<&Slot> {
        let slot = self.jobs.get(id)?;
        (!cx.hides(peer, slot.userid())).then_some(slot)
    }

    /// Walks the cross-references and panics on one that is broken.
    pub(crate) fn check(&self) {
        self.jobs.check();
        self.bulk.check();
        self.alloc
            .check(|id| self.jobs.active(id).map(|job| (job.alloc, job.queue)));
        self.exec
            .check(|id| self.jobs.active(id).map(|job| job.exec));
    }
}
