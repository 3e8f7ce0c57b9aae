//! State of job-exec, and operations on it shared by several handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use node::{Cx, Reply, Stream, TimerId};
use proto::Refusal;
use proto::data::JobId;
use proto::job_exec::{Held, ShellExit, ShellHello, Step};
use wire::Identity;

use crate::begun::Begun;
use crate::config::Config;
use crate::hand::Hand;
use crate::job::Job;
use crate::limits::RETRY_DELAY_MS;
use crate::outcomes::Outcomes;
use crate::process::Processes;
use crate::state::State;
use crate::store::Store;

/// job-exec: owns the execution of every running job.
#[derive(Default)]
pub struct JobExec {
    /// The settings in force.
    pub(crate) config: Config,
    /// Jobs from their start request to their final release.
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Shells, those of this rank and those of others.
    pub(crate) hand: Hand,
    /// Shells whose job nobody has asked for yet.
    pub(crate) strays: BTreeMap<JobId, Stray>,
    /// Writes that wait for the KVS.
    pub(crate) store: Store,
    /// Jobs whose guest log has something to be sent off.
    pub(crate) dirty: BTreeSet<JobId>,
    /// Jobs that wait for a shell of an earlier time, of which is to be seen whether it runs.
    pub(crate) unseen: BTreeSet<JobId>,
    /// Runs until that is looked at again.
    pub(crate) look: Option<TimerId>,
    /// Jobs of which a namespace was there when we came.
    pub(crate) leftovers: BTreeSet<JobId>,
    /// The highest job id when we came: up to it every job may have been begun before us.
    /// Before that is known any job may.
    pub(crate) last_before: Option<JobId>,
    /// Jobs that have begun and whose start is not in the KVS yet.
    pub(crate) begun: Begun,
    /// Client that asks for jobs.
    pub(crate) manager: Option<Identity>,
    /// Results of the latest jobs.
    pub(crate) outcomes: Outcomes,
    /// Default program of the job shell.
    pub(crate) job_shell: String,
    /// Number of shells started, which numbers each.
    pub(crate) leases: u64,
    /// True if the start is finished.
    pub(crate) has_started: bool,
    /// We were asked to stop, and wait for the commits under way.
    pub(crate) is_stopping: bool,
}

/// A shell whose job nobody has asked for yet.
#[derive(Default)]
pub struct Stray {
    /// Greeting, and the stream for its orders.
    pub hello: Option<(ShellHello, Stream<ShellHello>)>,
    /// Last word.
    pub exit: Option<(ShellExit, Reply<ShellExit>)>,
    /// Parts of the job held by job-execs below.
    pub held: BTreeMap<u32, Held>,
    /// Timer of its dismissal.
    pub timer: Option<TimerId>,
}

/// Facts about the process: the path of the job shell, and the running processes.
pub struct Surroundings {
    /// Path of the job shell beside our own executable.
    pub job_shell: String,
    /// The processes of this host.
    pub processes: Box<dyn Processes>,
    /// Log of jobs that have begun.
    pub begun: Box<dyn ahead::Log>,
}

/// The delay before a service that is not there is asked again.
pub(crate) const RETRY: Duration = Duration::from_millis(RETRY_DELAY_MS);

impl JobExec {
    /// Reports an error to the job manager, of type `exec`.
    pub(crate) fn raise(&mut self, cx: &mut Cx<Self>, id: JobId, severity: u32, note: &str) {
        self.raise_as(cx, id, "exec", severity, note);
    }

    /// Reports an error to the job manager.
    pub(crate) fn raise_as(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        kind: &str,
        severity: u32,
        note: &str,
    ) {
        if let Some(job) = self.jobs.get_mut(&id) {
            let exception = Step::Exception {
                kind: kind.to_owned(),
                severity,
                note: note.to_owned(),
            };
            if severity == 0 {
                job.exception.get_or_insert_with(|| exception.clone());
            }
            job.answer(cx, exception);
        }
    }

    /// A job cannot go on: reports the reason and lets it end.
    pub(crate) fn fail(&mut self, cx: &mut Cx<Self>, id: JobId, note: &str) {
        self.raise(cx, id, 0, note);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.ending.get_or_insert_default();
        }
        self.end(cx, id, 0);
    }

    /// True if data of a job may exist that an earlier job-exec has left.
    pub(crate) fn may_have_begun(&mut self, id: JobId) -> bool {
        self.leftovers.remove(&id) || self.last_before.is_none_or(|last| id <= last)
    }

    /// True if a call failed because its service was lost, so that a retry helps.
    pub(crate) fn is_gone(error: &Refusal) -> bool {
        error.errno == wire::Errno::EHOSTUNREACH
    }

    /// Walks the cross-references.
    pub(crate) fn check(&self) {
        self.hand.check();
        for id in self.hand.streams.values() {
            assert!(
                self.hand.parts.contains_key(id) || self.strays.contains_key(id),
                "a stream leads to no job"
            );
        }
        for id in &self.dirty {
            assert!(
                self.jobs.contains_key(id),
                "a job that is gone has a log to send"
            );
        }
        for (id, job) in &self.jobs {
            assert_eq!(*id, job.id);
            assert_ne!(job.state(), State::Released, "a released job is kept");
        }
    }
}
