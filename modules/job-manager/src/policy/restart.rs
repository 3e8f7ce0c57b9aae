//! Telling policies of jobs that were there before them: those of a restart
//! (protocol/25 section 1.5). All jobs are told first and only then what they depend on, by
//! id: a policy that counts jobs has counted all of them.

use node::Cx;
use proto::data::job::State;
use proto::data::{JobId, Jobspec};

use super::{Asked, Points};
use crate::JobManager;

impl JobManager {
    /// Tells all policies of all active jobs.
    pub(crate) fn tell_policies(&mut self, cx: &mut Cx<Self>) {
        let active: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
        if self.policies.hear(Points::CREATE | Points::ACCEPTED) {
            for id in &active {
                self.tell_of_job(cx, *id);
            }
        }
        for id in active {
            self.tell_of_dependencies(cx, id);
        }
        self.apply_wants(cx);
    }

    fn tell_of_job(&mut self, cx: &mut Cx<Self>, id: JobId) {
        self.ask_policies(cx, |policies, look| {
            let Some(job) = look.jobs.active(id) else {
                return;
            };
            let Ok(jobspec) = Jobspec::decode(job.jobspec.as_str()) else {
                return;
            };
            let asked = Asked {
                job,
                jobspec: &jobspec,
            };
            // It was accepted once.
            let _ = policies.create(look, asked);
            policies.accepted(look, asked);
        });
    }

    fn tell_of_dependencies(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.active(id) else {
            return;
        };
        let waits = matches!(job.life.state, State::New | State::Depend);
        if !waits || !job.jobspec.as_str().contains("\"dependencies\"") {
            return;
        }
        let Ok(jobspec) = Jobspec::decode(job.jobspec.as_str()) else {
            return;
        };
        for (n, dependency) in jobspec.dependencies().iter().enumerate() {
            let taken = self.ask_policies(cx, |policies, look| {
                let Some(job) = look.jobs.active(id) else {
                    return Ok(());
                };
                let asked = Asked {
                    job,
                    jobspec: &jobspec,
                };
                policies.depend(look, asked, n, dependency)
            });
            if let Err(text) = taken {
                let note = format!("{text} (job may be stuck in DEPEND state)");
                self.policies.wants().raise(id, "dependency", 4, note);
            }
            self.apply_wants(cx);
        }
    }
}
