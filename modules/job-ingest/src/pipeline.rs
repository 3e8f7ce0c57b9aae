//! Stages between a submit request and its id: the jobspec is changed, the submitter's
//! access to the queue is checked, and the jobspec is validated. Two of the steps may need
//! answers from others, so each calls the next.

use ingest::Broken;
use node::{Call, Cx, Reply};
use proto::data::job::SubmitFlags;
use proto::data::{JobId, Jobspec};
use proto::feasibility::Check;
use proto::job_ingest::{Submit, SubmitError};
use proto::kvs::{Lookup, PRIMARY};
use proto::{Coded as _, Errno, Object, Refusal};

use crate::JobIngest;
use crate::check::Checked;
use crate::config::Stage;
use crate::users;

/// A job that has no id yet.
pub(crate) struct Candidate {
    pub checked: Checked,
    pub userid: u32,
    pub is_owner: bool,
    /// When the request came, in seconds since 1970.
    pub t_submit: f64,
    /// The id that it had when the request came before.
    pub known: Option<JobId>,
    /// By which the request is known when it comes again.
    pub number: Option<u64>,
    /// As it was signed.
    pub j: String,
    /// Bytes of the buffer that it has.
    pub bytes: usize,
    pub reply: Reply<Submit>,
}

impl Candidate {
    fn is_validated(&self) -> bool {
        !self.checked.flags.contains(SubmitFlags::NOVALIDATE)
    }
}

impl JobIngest {
    /// Begins with a job that is in the buffer.
    pub(crate) fn pass(&mut self, cx: &mut Cx<Self>, mut job: Candidate) {
        let changed = match &self.settings.frobnicator {
            Stage::Off => Ok(()),
            Stage::On(chain) => chain.apply(&mut job.checked.jobspec),
            Stage::Broken(broken) => Err(broken_down("frobnicator", broken)),
        };
        if self.settings.frobnicator != Stage::Off {
            self.stats.frobnicator.requests += 1;
            self.stats.frobnicator.errors += u64::from(changed.is_err());
        }
        match changed {
            Ok(()) => self.check_access(cx, job),
            Err(refusal) => self.finish(cx, job, Err(refusal)),
        }
    }

    fn check_access(&mut self, cx: &mut Cx<Self>, job: Candidate) {
        let access = self.settings.queues.access(job.checked.jobspec.queue());
        if job.is_owner || !users::is_limited(&access) {
            return self.ask_feasibility(cx, job);
        }
        let uid = job.userid;
        cx.work(
            move |directory| directory(uid),
            move |core: &mut JobIngest, cx, names| {
                let queue = job.checked.jobspec.queue();
                match users::check(&access, queue, uid, &names) {
                    Ok(()) => core.ask_feasibility(cx, job),
                    Err(error) => core.finish(cx, job, Err(error.refusal())),
                }
            },
        );
    }

    fn ask_feasibility(&mut self, cx: &mut Cx<Self>, job: Candidate) {
        let asks = match &self.settings.validator {
            Stage::On(chain) => job.is_validated() && chain.asks_feasibility(),
            _ => false,
        };
        if !asks {
            return self.validate(cx, job, Ok(()));
        }
        let mut jobspec = job.checked.jobspec.clone();
        jobspec.redact();
        let request = Check {
            jobspec: Object(jobspec.into_object()),
        };
        ask(cx, Call::new(&request), job);
    }

    fn validate(&mut self, cx: &mut Cx<Self>, job: Candidate, feasible: Result<(), Refusal>) {
        let checked = match &self.settings.validator {
            _ if !job.is_validated() => Ok(()),
            Stage::Off => Ok(()),
            Stage::On(chain) => chain.check(&job.checked.jobspec, feasible).result(),
            Stage::Broken(broken) => Err(broken_down("validator", broken)),
        };
        if job.is_validated() && self.settings.validator != Stage::Off {
            self.stats.validator.requests += 1;
            self.stats.validator.errors += u64::from(checked.is_err());
        }
        self.finish(cx, job, checked);
    }
}

/// Goes on with a job that has passed before, as it was then: the job manager may have it, so
/// the present configuration neither changes nor refuses it. One that is not stored any more was
/// refused then, and comes as if for the first time.
pub(crate) fn pass_again(cx: &mut Cx<JobIngest>, id: JobId, mut job: Candidate) {
    let stored = Lookup::new(PRIMARY, &id.kvs_key("jobspec"), 0);
    cx.call(&stored, move |core: &mut JobIngest, cx, result| {
        let text = match result {
            Ok(found) => found.bytes().unwrap_or_default(),
            Err(lost) if lost.errno == Errno::EHOSTUNREACH => return pass_again(cx, id, job),
            Err(refusal) if refusal.errno == Errno::ENOENT => return core.pass(cx, job),
            Err(refusal) => {
                let errno = refusal.errno;
                let refusal = Refusal {
                    errno,
                    ..SubmitError::Commit.refusal()
                };
                return core.finish(cx, job, Err(refusal));
            }
        };
        match Jobspec::decode(&String::from_utf8_lossy(&text)) {
            Ok(jobspec) => {
                job.checked.jobspec = jobspec;
                core.finish(cx, job, Ok(()));
            }
            Err(error) => {
                tracing::error!("{}: {error}", id.kvs_key("jobspec"));
                core.pass(cx, job);
            }
        }
    });
}

fn ask(cx: &mut Cx<JobIngest>, call: Call<Check>, job: Candidate) {
    let again = call.clone();
    cx.call_with(call, move |core: &mut JobIngest, cx, result| match result {
        Ok(_) => core.validate(cx, job, Ok(())),
        Err(lost) if lost.errno == Errno::EHOSTUNREACH => ask(cx, again, job),
        Err(refusal) => core.validate(cx, job, Err(refusal)),
    });
}

/// Refusal and log messages when a stage cannot be made: those of the processes of Flux.
fn broken_down(stage: &str, broken: &Broken) -> Refusal {
    let Broken { text, code } = broken;
    tracing::error!("job-{stage}[0]: flux-job-{stage}: {text}");
    tracing::error!("job-{stage}[0]: exited with rc={code}");
    SubmitError::Worker.refusal()
}

#[cfg(test)]
mod tests;
