//! Room in the job log comes back: its oldest segment is read, and its living records are
//! written again at the end (`joblog/ring.rs`).

use node::Cx;
use proto::data::Tree;
use proto::kvs::{Found, Lookup, PRIMARY};
use proto::{Errno, Refusal};

use crate::JobManager;
use crate::joblog::segment_key;
use crate::limits::COMMIT_RETRY;

impl JobManager {
    /// Reads the oldest segment, if it is to go.
    pub(crate) fn clean_log(&mut self, cx: &mut Cx<Self>) {
        if self.is_ending || self.replay.is_some() {
            return;
        }
        if let Some(segment) = self.joblog.begin_cleaning() {
            let request = Lookup::new(PRIMARY, &segment_key(segment), 0);
            cx.call(&request, move |core, cx, result| {
                core.oldest_came(cx, segment, result);
            });
        }
    }

    fn oldest_came(&mut self, cx: &mut Cx<Self>, segment: u32, found: Result<Found, Refusal>) {
        let bytes = match found.map(|found| found.val) {
            Ok(Tree::Val(bytes)) => bytes,
            Err(error) if error.errno == Errno::EHOSTUNREACH || error.may_pass() => {
                cx.timer(COMMIT_RETRY, |core: &mut Self, _| {
                    core.joblog.not_cleaned(true)
                });
                return;
            }
            Ok(_) => return self.not_cleaned(segment, "it is not a value"),
            Err(error) => return self.not_cleaned(segment, &error.to_string()),
        };
        match self.joblog.clean(segment, &bytes) {
            // Something must be written for it to go with.
            Ok(()) => self.checkpoint(),
            Err(damage) => self.not_cleaned(segment, &damage.to_string()),
        }
    }

    fn not_cleaned(&mut self, segment: u32, why: &str) {
        self.joblog.not_cleaned(false);
        let key = segment_key(segment);
        tracing::error!("{key}: {why}: the next start reads every job's own log");
    }
}
