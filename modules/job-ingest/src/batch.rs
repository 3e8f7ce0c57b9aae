//! Jobs that travel together: one commit, then one request to the job manager.
//!
//! One commit is in flight at a time; jobs that come meanwhile are the next batch. The job
//! manager may have several. Both steps may be done twice without harm, so each is done again
//! when the service was lost on the way: the keys hold what they held, and the job manager
//! takes no job twice. Unless we end, and not on rank 0: then it is the parent that is lost,
//! which does not come back.

use std::collections::BTreeMap;

use node::{Call, Cx, Reply};
use proto::data::JobId;
use proto::data::job::JobStep;
use proto::job_ingest::{Submit, SubmitError, Submitted};
use proto::job_manager::SubmitJob;
use proto::kvs::{Commit, Op, PRIMARY};
use proto::{Coded, Errno, Payload, Refusal};

use crate::JobIngest;
use crate::core::Incoming;
use crate::limits::{BATCH_BYTES_MAX, RETRY};
use crate::saved;

/// Submitters who wait for a batch.
struct Submitters {
    batch: u64,
    /// The job manager may have taken jobs of the batch: it was asked before.
    may_be_taken: bool,
    replies: Vec<(JobId, Reply<Submit>)>,
}

impl JobIngest {
    /// Sends off everything that waits, unless a batch is being stored.
    pub(crate) fn send_off(&mut self, cx: &mut Cx<Self>) {
        if self.is_storing || self.waiting.is_empty() {
            return;
        }
        let mut commit = Commit::new(PRIMARY);
        self.n_batches += 1;
        let batch = self.n_batches;
        let (mut jobs, mut replies) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut may_be_taken = false;
        while jobs.len() < self.settings.batch_jobs
            && bytes < BATCH_BYTES_MAX
            && let Some(incoming) = self.waiting.pop_front()
        {
            let Incoming {
                job,
                number,
                may_be_taken: comes_again,
                j,
                reply,
            } = incoming;
            may_be_taken |= comes_again;
            bytes += j.len() + job.jobspec.as_str().len();
            let jobspec = job.jobspec.as_str().to_owned();
            let cuts = self.parts.cuts(&j);
            commit = commit.op(Op::put(job.id.kvs_key("J"), j).cut(cuts));
            commit = commit.put(job.id.kvs_key("jobspec"), jobspec);
            self.recall.note(batch, number, job.id);
            cx.step(job.id, JobStep::StoreAsked);
            replies.push((job.id, reply));
            jobs.push(job);
        }
        commit
            .ops
            .extend(saved::write(&self.recall, cx.rank(), batch));
        self.is_storing = true;
        let submitters = Submitters {
            batch,
            may_be_taken,
            replies,
        };
        store(cx, Call::new(&commit), jobs, submitters);
    }

    fn stored(&mut self, cx: &mut Cx<Self>, jobs: Vec<SubmitJob>, submitters: Submitters) {
        self.is_storing = false;
        self.n_handing_over += 1;
        jobs.iter().for_each(|job| cx.step(job.id, JobStep::Stored));
        let request = proto::job_manager::Submit { jobs };
        hand_over(cx, Call::with_payload(request.encode()), submitters);
    }

    /// Answers each submitter with the result of its job.
    fn answered(
        &mut self,
        cx: &mut Cx<Self>,
        submitters: Submitters,
        errors: Vec<(JobId, String)>,
    ) {
        let mut errors: BTreeMap<JobId, String> = errors.into_iter().collect();
        let mut refused = Vec::new();
        for (id, reply) in submitters.replies {
            let result = match errors.remove(&id) {
                None => {
                    cx.step(id, JobStep::Answered);
                    Ok(Submitted { id })
                }
                Some(text) => {
                    refused.push(id);
                    Err(SubmitError::Rejected(text))
                }
            };
            reply.send(cx, result);
        }
        self.recall.answered(submitters.batch);
        unlink(cx, refused);
    }

    /// True if a service that was lost on the way may be back.
    fn may_ask_again(&self, cx: &Cx<Self>, error: &Refusal) -> bool {
        error.errno == Errno::EHOSTUNREACH && (cx.rank() == 0 || !self.is_ending)
    }

    /// Refuses all jobs of a failed batch, with the number of the error below.
    fn refuse(
        &mut self,
        cx: &mut Cx<Self>,
        submitters: Submitters,
        errno: Errno,
        why: &SubmitError,
    ) {
        for (_, reply) in submitters.replies {
            let refusal = Refusal {
                errno,
                ..why.refusal()
            };
            reply.send_refusal(cx, Err(refusal));
        }
        self.recall.answered(submitters.batch);
    }
}

fn store(cx: &mut Cx<JobIngest>, call: Call<Commit>, jobs: Vec<SubmitJob>, submitters: Submitters) {
    let again = call.clone();
    cx.call_with(call, move |core, cx, result| match result {
        Ok(_) => core.stored(cx, jobs, submitters),
        Err(error) if core.may_ask_again(cx, &error) => store(cx, again, jobs, submitters),
        Err(error) => {
            core.is_storing = false;
            tracing::error!("KVS commit failed: {error}");
            core.refuse(cx, submitters, error.errno, &SubmitError::Commit);
        }
    });
}

fn hand_over(
    cx: &mut Cx<JobIngest>,
    call: Call<proto::job_manager::Submit>,
    mut submitters: Submitters,
) {
    let again = call.clone();
    cx.call_with(call, move |core, cx, result| match result {
        Ok(answer) => {
            core.n_handing_over -= 1;
            core.answered(cx, submitters, answer.errors);
        }
        Err(error) if core.may_ask_again(cx, &error) => {
            submitters.may_be_taken = true;
            hand_over(cx, again, submitters);
        }
        // The one that was asked before may have taken them: only its successor knows.
        Err(error)
            if submitters.may_be_taken && error.is_absence_of_service() && !core.is_ending =>
        {
            cx.timer(RETRY, move |_: &mut JobIngest, cx| {
                hand_over(cx, again, submitters);
            });
        }
        Err(error) => {
            core.n_handing_over -= 1;
            tracing::error!("job-manager.submit: {error}");
            // One that was lost on the way may have been taken.
            if !submitters.may_be_taken && error.errno != Errno::EHOSTUNREACH {
                unlink(cx, submitters.replies.iter().map(|(id, _)| *id).collect());
            }
            core.refuse(cx, submitters, error.errno, &SubmitError::Submit);
        }
    });
}

/// Removes from the KVS the keys of jobs that were not accepted.
fn unlink(cx: &mut Cx<JobIngest>, jobs: Vec<JobId>) {
    if jobs.is_empty() {
        return;
    }
    let mut commit = Commit::new(PRIMARY);
    for id in jobs {
        commit = commit.unlink(id.kvs_path());
    }
    cx.call(&commit, |_, _, result| {
        if let Err(error) = result {
            tracing::error!("jobs that were rejected stay in the KVS: {error}");
        }
    });
}
