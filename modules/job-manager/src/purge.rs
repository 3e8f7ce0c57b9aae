//! Forgetting inactive jobs, when asked to and by the limits of `[job-manager]`
//! (protocol/11 section 13).

use node::Cx;
use proto::config::keys;
use proto::data::{Fsd, JobId};
use proto::job_manager::JobPurgeInactive;
use proto::kvs::Op;
use proto::{Object, Refusal};

use crate::JobManager;
use crate::joblog::Record;
use crate::limits::PURGE_JOBS_MAX;

/// Jobs to keep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Keeps inactive jobs younger than this, in seconds.
    pub age: Option<f64>,
    /// N of them.
    pub number: Option<usize>,
}

impl Limits {
    /// The limits of `[job-manager]` in the configuration.
    pub fn new(conf: &Object) -> Result<Limits, Refusal> {
        let age: Option<Fsd> = keys::JOB_MANAGER_INACTIVE_AGE_LIMIT.read(conf)?;
        let age = age.map(Fsd::secs);
        let number = keys::JOB_MANAGER_INACTIVE_NUM_LIMIT.read(conf)?;
        Ok(Limits { age, number })
    }
}

impl JobManager {
    /// The jobs that `limits` do not keep, oldest first, at most `most`.
    pub(crate) fn to_purge(&self, cx: &Cx<Self>, limits: &Limits, most: usize) -> Vec<JobId> {
        let n_over = limits
            .number
            .map_or(0, |keep| self.jobs.n_inactive().saturating_sub(keep));
        let born_before = limits.age.map(|age| cx.now().wall - age);
        let is_old = |t_clean: f64| born_before.is_some_and(|before| t_clean < before);
        let oldest = self.jobs.by_age().enumerate();
        let meant = oldest.take_while(|(n, (t_clean, _))| *n < n_over || is_old(*t_clean));
        meant
            .map(|(_, (_, id))| id)
            .filter(|id| !self.is_needed(*id))
            .take(most)
            .collect()
    }

    /// True if an inactive job must not be purged: a client may wait for it, or a scheduler
    /// that comes up before its nodes are free needs its R.
    pub(crate) fn is_needed(&self, id: JobId) -> bool {
        self.waits.is_zombie(id) || self.housekeeping.has(id)
    }

    /// Forgets jobs, here and in the KVS.
    pub(crate) fn forget(&mut self, ids: Vec<JobId>) {
        if ids.is_empty() {
            return;
        }
        let mut is_later = false;
        for id in &ids {
            is_later |= self.journal_forgets(*id);
            self.jobs.remove(*id);
            self.policies.purged(*id);
            self.batch.op(Op::unlink(id.kvs_path()));
        }
        self.batch
            .record(Record::Purged(ids.iter().map(|id| id.0).collect()));
        if is_later || ids.contains(&self.jobs.max_id()) {
            self.checkpoint();
        }
        self.batch.then(move |_, cx| {
            tracing::debug!("purged {} inactive jobs", ids.len());
            cx.publish(&JobPurgeInactive { jobs: ids });
        });
    }

    /// Forgets the jobs that the configuration does not keep, at every heartbeat.
    pub(crate) fn purge_by_limits(&mut self, cx: &mut Cx<Self>) {
        if self.purge_limits == Limits::default() {
            return;
        }
        let ids = self.to_purge(cx, &self.purge_limits, PURGE_JOBS_MAX);
        self.forget(ids);
    }
}
