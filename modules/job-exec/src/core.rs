//! What job-exec knows, and the few things that several handlers do with it.

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
    /// What it has to do with shells, its own and those of others.
    pub(crate) hand: Hand,
    /// Shells whose job nobody has asked for yet.
    pub(crate) strays: BTreeMap<JobId, Stray>,
    /// What waits to be written to the KVS.
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
    /// Jobs that have begun and of which the KVS does not say so yet.
    pub(crate) begun: Begun,
    /// Who asks for jobs.
    pub(crate) manager: Option<Identity>,
    /// How the latest jobs ended.
    pub(crate) outcomes: Outcomes,
    /// Program to run as job shell unless a setting says another.
    pub(crate) job_shell: String,
    /// How many shells were started, for the number of each.
    pub(crate) leases: u64,
    /// Whether the start is over.
    pub(crate) has_started: bool,
    /// We were asked to stop, and wait for what is being stored.
    pub(crate) is_stopping: bool,
}

/// A shell whose job nobody has asked for yet.
#[derive(Default)]
pub struct Stray {
    /// Its greeting, and the stream for its orders.
    pub hello: Option<(ShellHello, Stream<ShellHello>)>,
    /// Its last word.
    pub exit: Option<(ShellExit, Reply<ShellExit>)>,
    /// What job-execs below have of the job.
    pub held: BTreeMap<u32, Held>,
    /// When it is sent away.
    pub timer: Option<TimerId>,
}

/// What the process around us knows: where the job shell is, and which processes run.
pub struct Surroundings {
    /// Path of the job shell beside our own executable.
    pub job_shell: String,
    /// The processes of this host.
    pub processes: Box<dyn Processes>,
    /// Which jobs have begun.
    pub begun: Box<dyn ahead::Log>,
}

/// The delay before a service that is not there is asked again.
pub(crate) const RETRY: Duration = Duration::from_millis(RETRY_DELAY_MS);

impl JobExec {
    /// Tells the job manager of something wrong, of type `exec`.
    pub(crate) fn raise(&mut self, cx: &mut Cx<Self>, id: JobId, severity: u32, note: &str) {
        self.raise_as(cx, id, "exec", severity, note);
    }

    /// Tells the job manager of something wrong.
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

    /// A job cannot go on: says why and lets it end.
    pub(crate) fn fail(&mut self, cx: &mut Cx<Self>, id: JobId, note: &str) {
        self.raise(cx, id, 0, note);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.ending.get_or_insert_default();
        }
        self.end(cx, id, 0);
    }

    /// Whether something of a job may be there that an earlier job-exec has left.
    pub(crate) fn may_have_begun(&mut self, id: JobId) -> bool {
        self.leftovers.remove(&id) || self.last_before.is_none_or(|last| id <= last)
    }

    /// Whether a call failed because its service went away, so that asking again helps.
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
