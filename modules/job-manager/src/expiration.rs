//! The end of the instance's own time, which `resource.R` has and may change (protocol/25
//! section 4): jobs without a time limit of their own have until then.

use node::{Call, Cx};
use proto::data::job::State;
use proto::data::{Fsd, JobId, Jobspec, Rset};
use proto::job_manager::JobEvent;
use proto::resource::R_KEY;
use proto::{Errno, kvs, kvs_watch};

use crate::JobManager;

impl JobManager {
    /// Follows it from now on.
    pub(crate) fn follow_expiration(cx: &mut Cx<Self>) {
        let flags = kvs::WATCH | kvs::WAITCREATE;
        let call = Call::new(&kvs_watch::Lookup::new(kvs::PRIMARY, R_KEY, flags));
        cx.stream_with(call, |core: &mut Self, cx, watched| match watched {
            Ok(watched) => {
                let bytes = watched.bytes();
                let text = bytes.as_deref().and_then(|it| std::str::from_utf8(it).ok());
                if let Some(Ok(r)) = text.map(Rset::decode) {
                    core.set_expiration(cx, r.expiration());
                }
            }
            // kvs-watch died.
            Err(error) if error.errno == Errno::EHOSTUNREACH => Self::follow_expiration(cx),
            Err(error) => tracing::debug!("{R_KEY}: {error}"),
        });
    }

    fn set_expiration(&mut self, cx: &mut Cx<Self>, to: f64) {
        let from = std::mem::replace(&mut self.expiration, to);
        if from == to || !self.is_expiration_known {
            self.is_expiration_known = true;
            return;
        }
        let change = change_of(from, to);
        tracing::info!("resource expiration updated from {from:.1} to {to:.1} ({change})");
        let running = self.jobs.all_active();
        let running = running.filter(|job| job.life.state == State::Run);
        let running: Vec<JobId> = running.map(|job| job.id).collect();
        for id in running {
            let Some(before) = self.shared_expiration(id) else {
                continue;
            };
            self.post(cx, id, &JobEvent::ResourceUpdate { expiration: to });
            let change = change_of(before, to);
            tracing::info!("updated expiration of {id} from {before:.1} to {to:.1} ({change})");
        }
        self.run(cx);
    }

    /// The end of a job that has none of its own, from its R.
    fn shared_expiration(&self, id: JobId) -> Option<f64> {
        let job = self.jobs.active(id)?;
        let r = Rset::decode(job.r.as_ref()?.as_str()).ok()?;
        let jobspec = Jobspec::decode(job.jobspec().as_str()).ok()?;
        let is_shared = r.expiration() > 0.0 && jobspec.duration() == 0.0;
        is_shared.then_some(r.expiration())
    }
}

/// Change of an expiration in words; 0 is none.
fn change_of(from: f64, to: f64) -> String {
    let text =
        |secs: f64| Fsd::from_secs(secs).map_or_else(|_| "inf".to_owned(), |fsd| fsd.to_text(2));
    match (from, to) {
        (_, 0.0) => "+inf".to_owned(),
        (0.0, _) => "-inf".to_owned(),
        _ if to >= from => format!("+{}", text(to - from)),
        _ => format!("-{}", text(from - to)),
    }
}

#[cfg(test)]
mod tests {
    use super::change_of;

    #[test]
    fn a_change_is_told_with_its_direction() {
        let check = |from: f64, to: f64, expect: &str| assert_eq!(change_of(from, to), expect);
        check(1000.0, 1060.0, "+1m");
        check(1060.0, 1000.0, "-1m");
        check(0.0, 1000.0, "-inf");
        check(1000.0, 0.0, "+inf");
    }
}
