//! State of job-ingest: the generator of job ids, and the jobs that are not handed over yet.
//! A job comes in here (`submit`), passes the stages of `pipeline.rs`, and gets its id
//! (`finish`).

use std::collections::VecDeque;

use node::{Cx, Peer, Recall, Reply};
use proto::data::JobId;
use proto::data::job::JobStep;
use proto::data::jobid::{FluidError, FluidGenerator};
use proto::job_ingest::{Info, Pipeline, Stats, Submit, SubmitError};
use proto::job_manager::SubmitJob;
use proto::{Coded as _, Errno, RawJson, Refusal};

use crate::check::{Checked, Requestor, check};
use crate::config::{Settings, Stage};
use crate::follow;
use crate::limits::{IDS_AHEAD_MS_MAX, WAITING_JOBS_MAX};
use crate::parts::Parts;
use crate::pipeline::{Candidate, pass_again};
use crate::saved;

/// A job on its way in.
pub(crate) struct Incoming {
    /// As the job manager gets it.
    pub job: SubmitJob,
    /// By which the request is known when it comes again.
    pub number: Option<u64>,
    /// The job has come again: the job manager may have the job.
    pub may_be_taken: bool,
    /// As it was signed.
    pub j: String,
    pub reply: Reply<Submit>,
}

/// The module.
pub struct JobIngest {
    pub(crate) settings: Settings,
    /// `None` where the rank is too high to make ids, and before the start.
    ids: Option<FluidGenerator>,
    /// Jobs between their request and their id, and the bytes of their jobspecs.
    pub(crate) n_passing: usize,
    pub(crate) passing_bytes: usize,
    /// Jobs that are not on their way to the KVS yet.
    pub(crate) waiting: VecDeque<Incoming>,
    /// True if a batch is on its way to the KVS.
    pub(crate) is_storing: bool,
    /// Batches made so far.
    pub(crate) n_batches: u64,
    /// Ids of jobs whose submitters may not have been answered.
    pub(crate) recall: Recall<JobId>,
    /// Cut points of signed jobspecs.
    pub(crate) parts: Parts,
    /// Batches that the job manager has not answered.
    pub(crate) n_handing_over: usize,
    /// Asked to stop: ends when nothing is on its way.
    pub(crate) is_ending: bool,
    pub(crate) stats: Pipeline,
}

impl JobIngest {
    /// Begins the start: ids go on where they were.
    pub(crate) fn begin(cx: &mut Cx<Self>, settings: Settings) -> Result<Self, Refusal> {
        let rank = cx.rank();
        cx.hold_requests();
        if rank > settings.max_generator {
            tracing::debug!("rank {rank} generates no job ids: jobs go upstream");
            cx.exit(Ok(()));
        } else if rank == 0 {
            saved::read(cx, |_, cx| {
                cx.call(&proto::job_manager::GetInfo, |core, cx, result| {
                    // The job manager does not know yet of jobs that a predecessor has
                    // stored and not handed over: they will come again with their ids.
                    let stored = core.recall.carried().copied();
                    let start = result.map(|info| {
                        let max = stored.fold(info.max_jobid, JobId::max);
                        max.timestamp_ms() + 1
                    });
                    let start = start.map_err(|refusal| unless_loaded(refusal, MANAGER));
                    core.begin_ids(cx, start, now_ms(cx));
                });
            });
        } else {
            follow::begin(cx);
        }
        Ok(JobIngest {
            settings,
            ids: None,
            n_passing: 0,
            passing_bytes: 0,
            waiting: VecDeque::new(),
            is_storing: false,
            n_batches: 0,
            recall: Recall::default(),
            parts: Parts::default(),
            n_handing_over: 0,
            is_ending: false,
            stats: Pipeline::default(),
        })
    }

    /// Ids begin at timestamp `start`, which it was at `at_ms`.
    pub(crate) fn begin_ids(&mut self, cx: &mut Cx<Self>, start: Result<u64, Refusal>, at_ms: u64) {
        let ids = start.and_then(|start| {
            let ids = FluidGenerator::new(cx.rank(), start, at_ms);
            ids.map_err(|error| Refusal::new(Errno::EOVERFLOW, error.to_string()))
        });
        match ids {
            Ok(ids) => {
                self.ids = Some(ids);
                cx.started(Ok(()));
            }
            Err(error) => cx.started(Err(error)),
        }
    }

    /// `job-ingest.submit`.
    pub(crate) fn submit(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        request: Submit,
        reply: Reply<Submit>,
    ) {
        let known = self.recall.done(peer).copied();
        let checked = match self.take(cx, peer, &request, known.is_some()) {
            Ok(checked) => checked,
            Err(error) => return reply.send(cx, Err(error)),
        };
        let job = Candidate {
            userid: peer.userid,
            is_owner: peer.is_owner(),
            t_submit: cx.now().wall,
            known,
            number: peer.number,
            j: request.j,
            bytes: checked.bytes,
            checked,
            reply,
        };
        self.n_passing += 1;
        self.passing_bytes += job.bytes;
        match known {
            Some(id) => pass_again(cx, id, job),
            None => self.pass(cx, job),
        }
    }

    /// Checks a request, and that there is room for its job. One that comes again had room.
    fn take(
        &mut self,
        cx: &Cx<Self>,
        peer: &Peer,
        request: &Submit,
        comes_again: bool,
    ) -> Result<Checked, SubmitError> {
        if self.is_ending || self.ids.is_none() {
            return Err(SubmitError::Stopped);
        }
        if !comes_again && self.waiting.len() + self.n_passing >= WAITING_JOBS_MAX {
            return Err(SubmitError::Busy);
        }
        let from = Requestor {
            userid: peer.userid,
            is_owner: peer.is_owner(),
        };
        let checked = check(request, from, cx.owner(), &self.settings)?;
        let is_buffered =
            self.settings.frobnicator != Stage::Off || self.settings.validator != Stage::Off;
        let room = self.settings.buffer_bytes;
        match is_buffered && !comes_again {
            true if checked.bytes > room => Err(SubmitError::TooLong(room)),
            true if self.passing_bytes + checked.bytes > room => Err(SubmitError::Busy),
            _ => Ok(checked),
        }
    }

    /// A job has passed, or has not: it gets an id, the one that it had if it comes again.
    pub(crate) fn finish(
        &mut self,
        cx: &mut Cx<Self>,
        mut job: Candidate,
        passed: Result<(), Refusal>,
    ) {
        self.n_passing -= 1;
        self.passing_bytes -= job.bytes;
        let taken = passed.and_then(|()| {
            let taken = self.identify(cx, &mut job);
            taken.map_err(|error| error.refusal())
        });
        match taken {
            Ok(taken) => {
                cx.step(taken.id, JobStep::Numbered);
                self.waiting.push_back(Incoming {
                    job: taken,
                    number: job.number,
                    may_be_taken: job.known.is_some(),
                    j: job.j,
                    reply: job.reply,
                });
            }
            Err(refusal) => job.reply.send_refusal(cx, Err(refusal)),
        }
    }

    fn identify(&mut self, cx: &Cx<Self>, job: &mut Candidate) -> Result<SubmitJob, SubmitError> {
        job.checked.jobspec.redact();
        let id = match job.known {
            Some(id) => id,
            None => self.next_id(now_ms(cx))?,
        };
        let jobspec = RawJson::of(job.checked.jobspec.object())
            .map_err(|error| SubmitError::Invalid(error.to_string()))?;
        Ok(SubmitJob {
            id,
            userid: job.userid,
            urgency: job.checked.urgency.get().into(),
            t_submit: job.t_submit,
            flags: job.checked.flags.bits(),
            jobspec,
        })
    }

    /// The clock stands still within a turn: when a millisecond is used up, the next one
    /// is begun early. Ids stay unique and in order.
    fn next_id(&mut self, now_ms: u64) -> Result<JobId, SubmitError> {
        let ids = self.ids.as_mut().ok_or(SubmitError::Stopped)?;
        for early in 0..=IDS_AHEAD_MS_MAX {
            match ids.next(now_ms + early) {
                Err(FluidError::Exhausted) => {}
                Err(error) => return Err(SubmitError::Ids(error.to_string())),
                Ok(id) => return Ok(id),
            }
        }
        Err(SubmitError::Busy)
    }

    /// `job-ingest.getinfo`.
    pub(crate) fn info(&self, cx: &Cx<Self>) -> Info {
        let ids = self.ids.as_ref();
        Info {
            timestamp: ids.map_or(0, |ids| ids.timestamp(now_ms(cx))),
        }
    }

    /// `job-ingest.stats-get`.
    pub(crate) fn stats(&self) -> Stats {
        let mut pipeline = self.stats.clone();
        for stage in [&mut pipeline.frobnicator, &mut pipeline.validator] {
            stage.pids = vec![0; 4];
        }
        // The changes are made at once: who waits, waits to be checked.
        pipeline.validator.backlog = self.n_passing as u64;
        Stats { pipeline }
    }

    /// Ends when nothing is on its way.
    pub(crate) fn look_at_end(&mut self, cx: &mut Cx<Self>) {
        let is_busy = self.is_storing
            || self.n_handing_over > 0
            || self.n_passing > 0
            || !self.waiting.is_empty();
        if self.is_ending && !is_busy {
            cx.exit(Ok(()));
        }
    }
}

const MANAGER: &str = "job-manager must be loaded first";

/// Error text for a refusal that means that the service is not loaded.
pub(crate) fn unless_loaded(refusal: Refusal, text: &'static str) -> Refusal {
    match refusal.errno {
        Errno::ENOSYS => Refusal::new(Errno::ENOSYS, text),
        _ => refusal,
    }
}

pub(crate) fn now_ms(cx: &Cx<JobIngest>) -> u64 {
    u64::try_from(cx.now().mono.as_millis()).unwrap_or(u64::MAX)
}
