//! Forgetting inactive jobs, when asked to and by the limits of `[job-manager]`
//! (protocol/11 section 13).

use node::Cx;
use proto::data::{Fsd, JobId};
use proto::job_manager::JobPurgeInactive;
use proto::kvs::Op;
use proto::{Errno, Object, Refusal};

use crate::JobManager;
use crate::joblog::Record;
use crate::limits::PURGE_JOBS_MAX;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Those younger than this, in seconds.
    pub age: Option<f64>,
    /// So many.
    pub number: Option<usize>,
}

impl Limits {
    /// The limits of `[job-manager]` in the configuration.
    pub fn new(conf: &Object) -> Result<Limits, Refusal> {
        let refused = |text: &'static str| Refusal::new(Errno::EINVAL, text);
        let table = conf
            .0
            .get("job-manager")
            .and_then(|table| table.as_object());
        let get = |key: &str| table.and_then(|table| table.get(key));
        let age = match get("inactive-age-limit") {
            None => None,
            Some(value) => {
                let fsd = value.as_str().and_then(|text| text.parse::<Fsd>().ok());
                let invalid = "job-manager.inactive-age-limit: invalid FSD";
                Some(fsd.ok_or_else(|| refused(invalid))?.secs())
            }
        };
        let number = match get("inactive-num-limit") {
            None => None,
            Some(value) => {
                let number = value
                    .as_u64()
                    .and_then(|number| usize::try_from(number).ok());
                let invalid = "job-manager.inactive-num-limit: must be >= 0";
                Some(number.ok_or_else(|| refused(invalid))?)
            }
        };
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
            .filter(|id| !self.waits.is_zombie(*id))
            .take(most)
            .collect()
    }

    /// Forgets jobs, here and in the KVS.
    pub(crate) fn forget(&mut self, ids: Vec<JobId>) {
        if ids.is_empty() {
            return;
        }
        for id in &ids {
            self.jobs.remove(*id);
            self.batch.op(Op::unlink(id.kvs_path()));
        }
        self.batch
            .record(Record::Purged(ids.iter().map(|id| id.0).collect()));
        if ids.contains(&self.jobs.max_id()) {
            self.checkpoint();
        }
        self.batch.then(move |_, cx| {
            tracing::debug!("purged {} inactive jobs", ids.len());
            cx.publish(&JobPurgeInactive { jobs: ids });
        });
    }

    /// Forgets what the configuration does not keep, at every heartbeat.
    pub(crate) fn purge_by_limits(&mut self, cx: &mut Cx<Self>) {
        if self.purge_limits == Limits::default() {
            return;
        }
        let ids = self.to_purge(cx, &self.purge_limits, PURGE_JOBS_MAX);
        self.forget(ids);
    }
}
