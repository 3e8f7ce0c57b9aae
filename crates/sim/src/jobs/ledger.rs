//! Facts about jobs known from outside: requests, answers, and runs.

use std::collections::{BTreeMap, BTreeSet};

use proto::data::JobId;

use super::easy::Easy;
use super::reader::Sight;
use super::rules::Refused;
use super::site::{Queue, Site};
use super::task::JobRequest;

/// The ledger of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Submissions by name, in order.
    submissions: BTreeMap<String, Submission>,
    /// Acknowledged jobs, in the order of the acknowledgements.
    pub(super) jobs: Vec<JobId>,
    /// Jobs without an answer: their submitters were cut off.
    pub(super) strays: Vec<JobId>,
    /// Jobs in the journal: some may have come to nothing.
    pub(super) told: BTreeSet<JobId>,
    /// Somebody has asked for the end of these.
    pub(super) canceled: BTreeSet<JobId>,
    /// Whom these have been found inactive by.
    pub(super) inactive: BTreeSet<JobId>,
    /// Work of shells, by job.
    pub(super) shells: BTreeMap<JobId, Run>,
    /// Cores under a shell that runs, by rank and number.
    busy: BTreeMap<(u32, u32), JobId>,
    /// Everything has died at once, this often.
    pub(super) n_crashes: u64,
    /// job-exec has died this often while the job manager that it had told everything was dead
    /// too: its own knowledge is forgotten.
    pub(crate) n_forgotten: u64,
    /// Ranks of nodes that were lost at some time.
    pub(super) lost: BTreeSet<usize>,
    /// Number of times that the job manager was killed, or ended because it could not store events
    /// that it had announced.
    pub(crate) n_kills_of_manager: u64,
    /// Exceptions whose request was acknowledged.
    pub(super) raised: BTreeSet<JobId>,
    /// States of jobs seen while they were active.
    pub(super) sights: Vec<(JobId, Sight)>,
    /// Jobs whose output was looked at.
    pub(super) outputs: BTreeSet<JobId>,
    /// The time, in seconds since the epoch.
    pub(crate) now: f64,
    /// Requests of the operator.
    pub(crate) site: Site,
    /// Jobs with a request to change the jobspec.
    pub(super) updated: BTreeSet<JobId>,
    /// Submissions that were refused.
    pub(super) refused: Vec<Refused>,
    /// Inputs and decisions of schedulers.
    pub(crate) easy: Easy,
    /// Modules were removed and loaded again, this often.
    pub(crate) n_reloads: u64,
}

/// One submission.
#[derive(Debug, Clone)]
pub(super) struct Submission {
    pub request: JobRequest,
    /// The job that was acknowledged.
    pub id: Option<JobId>,
    /// Not answered yet.
    pub is_open: bool,
    /// Time of the request.
    pub asked: f64,
    /// The answer was that there is no job.
    pub is_refused: bool,
}

/// Work of shells for a job.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// Ranks of the shells that received the job.
    pub begun: BTreeSet<u32>,
    /// Lines of output that are stored for sure.
    pub stored: Vec<String>,
    /// Lines of output that may be stored besides.
    pub open: Vec<String>,
    /// The code was taken as the outcome.
    pub outcome: Option<u8>,
    /// The process of one was killed, with the tasks.
    pub is_killed: bool,
    /// A node was lost with one that had not ended.
    pub lost: BTreeSet<usize>,
    /// job-exec did not want one any more while its tasks ran.
    pub is_sent_away: bool,
}

impl Ledger {
    /// A job is being submitted.
    pub(super) fn submit(&mut self, request: JobRequest) {
        let submission = Submission {
            id: None,
            is_open: true,
            asked: self.now,
            is_refused: false,
            request,
        };
        let name = submission.request.name.clone();
        self.submissions.insert(name, submission);
    }

    fn answered(&mut self, name: &str) -> &mut Submission {
        let submission = self.submissions.get_mut(name).expect("it was submitted");
        submission.is_open = false;
        submission
    }

    /// A submission was acknowledged.
    /// It comes with when the job was submitted.
    pub(super) fn acknowledge(&mut self, name: &str, id: JobId) -> f64 {
        assert!(!self.jobs.contains(&id), "{id} was given out twice");
        self.jobs.push(id);
        let submission = self.answered(name);
        submission.id = Some(id);
        submission.asked
    }

    /// A submission was refused.
    pub(super) fn refuse(&mut self, name: &str, text: &str) {
        let answered = self.now;
        let submission = self.answered(name);
        submission.is_refused = true;
        let refused = Refused {
            request: submission.request.clone(),
            text: text.to_owned(),
            asked: submission.asked,
            answered,
        };
        self.refused.push(refused);
    }

    /// The operator's book of a queue.
    pub(super) fn queue(&mut self, name: &str) -> &mut Queue {
        self.site
            .queues
            .get_mut(name)
            .expect("a queue that is known")
    }

    /// The job manager asks for resources for a job in a queue.
    pub(crate) fn asks_for_resources(&self, id: JobId, queue: Option<&str>) {
        let is_stopped = queue.is_some_and(|queue| self.site.is_stopped(queue));
        assert!(!is_stopped, "{id} is to run in {queue:?}, which is stopped");
    }

    /// Nobody will receive the result of a submission.
    pub(super) fn give_up(&mut self, name: &str) {
        self.answered(name);
    }

    /// All submissions.
    pub(super) fn submissions(&self) -> impl Iterator<Item = &Submission> {
        self.submissions.values()
    }

    /// The submission of a job name.
    pub(super) fn of_name(&self, name: &str) -> Option<&Submission> {
        self.submissions.get(name)
    }

    /// Work of the shells of a job.
    pub(super) fn run(&mut self, id: JobId) -> &mut Run {
        self.shells.entry(id).or_default()
    }

    /// The shell of this rank among those of a job begins to run it on these cores.
    pub(super) fn begin(&mut self, id: JobId, shell: u32, cores: &[(u32, u32)]) {
        let is_first = self.run(id).begun.insert(shell);
        assert!(is_first, "shell {shell} of {id} runs a second time");
        for core in cores {
            let before = self.busy.insert(*core, id);
            assert_eq!(before, None, "{id} runs on core {core:?}, which is in use");
        }
    }

    /// The shell of a job on a node does not run anything any more.
    pub(super) fn end(&mut self, id: JobId, rank: usize) {
        self.busy
            .retain(|core, job| *job != id || core.0 != rank as u32);
    }

    /// Records the loss of a node. It has no job when it comes again.
    pub(super) fn lose(&mut self, rank: usize) {
        self.lost.insert(rank);
        self.busy.retain(|core, _| core.0 != rank as u32);
    }

    /// Everything has died at once.
    pub(super) fn crash(&mut self) {
        self.n_crashes += 1;
        self.busy.clear();
        // The file is what counts then.
        self.site.confs.known(self.now);
    }

    /// True if every submission is answered, and all acknowledged jobs have ended, as far as
    /// anyone knows.
    pub(super) fn is_over(&self) -> bool {
        let is_still = self
            .submissions
            .values()
            .all(|submission| !submission.is_open);
        is_still && self.jobs.iter().all(|id| self.inactive.contains(id))
    }
}
