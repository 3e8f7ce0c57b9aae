//! Telling policies of jobs that were there before them: those of a restart (protocol/25
//! section 1.5). All jobs are sent first and only then their dependencies, by id: a policy
//! that counts jobs has counted all of them.

use node::Cx;
use proto::data::job::{State, WaitStatus};
use proto::data::{JobId, Jobspec};
use proto::job_manager::JobEvent;

use super::outstanding::outstanding;
use super::{Asked, Points, Policies};
use crate::JobManager;

/// Status of processes of a job manager that has ended.
const SIGKILL: i32 = 9;

impl JobManager {
    /// Notifies all policies of all active jobs.
    pub(crate) fn notify_policies(&mut self, cx: &mut Cx<Self>) {
        let active: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
        if self.policies.any_at(Points::CREATE | Points::ACCEPTED) {
            for id in &active {
                self.report_job(cx, *id);
            }
        }
        for id in &active {
            self.report_dependencies(cx, *id);
        }
        self.end_lost_perilogs(&active);
        // It may have changed while nobody was there to be told.
        self.ask_policies(cx, Policies::configured);
        self.apply_wants(cx);
    }

    /// Ends prologs and epilogs that no policy goes on with: jobs would wait for them for ever.
    fn end_lost_perilogs(&mut self, active: &[JobId]) {
        let known = self.policies.perilogs();
        let jobs = active.iter().filter_map(|id| self.jobs.active(*id));
        let waiting = jobs.filter(|job| job.life.perilogs > 0);
        let lost = waiting.flat_map(|job| outstanding(job).into_iter().map(|one| (job.id, one)));
        let lost: Vec<_> = lost.filter(|(_, (_, it))| !known.contains(it)).collect();
        for (id, (is_prolog, description)) in lost {
            let (kind, severity) = match is_prolog {
                true => ("prolog", 0),
                false => ("epilog", 2),
            };
            let status = WaitStatus::killed(SIGKILL);
            let note = format!("{description} was lost: the job manager was started again");
            let wants = self.policies.wants();
            wants.raise(id, kind, severity, note);
            wants.post(
                id,
                match is_prolog {
                    true => JobEvent::PrologFinish {
                        description,
                        status,
                    },
                    false => JobEvent::EpilogFinish {
                        description,
                        status,
                    },
                },
            );
        }
    }

    fn report_job(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.ask_policies(cx, |policies, view| {
            let Some(job) = view.jobs.active(id) else {
                return;
            };
            let Ok(jobspec) = Jobspec::decode(job.jobspec().as_str()) else {
                return;
            };
            let asked = Asked {
                job,
                jobspec: &jobspec,
            };
            // It was accepted once.
            let _ = policies.create(view, asked);
            policies.accepted(view, asked);
        });
    }

    /// Notifies a policy that was loaded just now of all active jobs.
    pub(crate) fn introduce(&mut self, cx: &mut Cx<Self>, number: u64) {
        let active: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
        for id in active {
            let failures = self.ask_policies(cx, |policies, view| {
                let job = view.jobs.active(id)?;
                let jobspec = &Jobspec::decode(job.jobspec().as_str()).ok()?;
                Some(policies.introduce(view, number, Asked { job, jobspec }))
            });
            for text in failures.unwrap_or_default() {
                self.note_failure(id, &text);
            }
        }
        self.apply_wants(cx);
    }

    fn note_failure(&mut self, id: JobId, text: &str) {
        let wants = self.policies.wants();
        wants.raise(id, "dependency", 4, may_be_stuck(text));
    }

    fn report_dependencies(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let waits = matches!(job.life.state, State::New | State::Depend);
        let text = if waits { job.jobspec() } else { return };
        if !text.as_str().contains("\"dependencies\"") {
            return;
        }
        let Ok(jobspec) = Jobspec::decode(text.as_str()) else {
            return;
        };
        for (n, dependency) in jobspec.dependencies().iter().enumerate() {
            let taken = self.ask_policies(cx, |policies, view| {
                let Some(job) = view.jobs.active(id) else {
                    return Ok(());
                };
                let asked = Asked {
                    job,
                    jobspec: &jobspec,
                };
                policies.depend(view, asked, n, dependency)
            });
            if let Err(text) = taken {
                self.note_failure(id, &text);
            }
            self.apply_wants(cx);
        }
    }
}

/// Message about a job that waits for something no longer known.
pub(super) fn may_be_stuck(text: &str) -> String {
    format!("{text} (job may be stuck in DEPEND state)")
}
