//! `.limit-job-size`: limits the number of nodes, cores and GPUs of a job (protocol/25 section
//! 3).

use super::{Asked, Points, Policy, View, Wants, for_queue};

/// The policy.
pub struct LimitJobSize;

impl Policy for LimitJobSize {
    fn name(&self) -> &str {
        ".limit-job-size"
    }

    fn hears(&self) -> Points {
        Points::VALIDATE
    }

    fn validate(
        &mut self,
        view: &View<'_>,
        Asked { jobspec, .. }: Asked<'_>,
        _: &mut Wants,
    ) -> Result<(), String> {
        let queues = view.queues.conf();
        if !queues.count_jobs() {
            return Ok(());
        }
        let counts = jobspec.counts().map_err(|error| error.to_string())?;
        let asked = [counts.nnodes, counts.ncores(), counts.ngpus()];
        let limits = queues.limits(jobspec.queue());
        let refused = |name: &str, asked: u64, how: &str, limit: u64| {
            let queue = for_queue(jobspec);
            Err(format!(
                "requested {name} ({asked}) {how} policy limit of {limit}{queue}"
            ))
        };
        for ((name, limit), asked) in limits.max.all().into_iter().zip(asked) {
            match limit {
                Some(limit) if asked > limit => return refused(name, asked, "exceeds", limit),
                _ => {}
            }
        }
        for ((name, limit), asked) in limits.min.all().into_iter().zip(asked) {
            match limit {
                Some(limit) if asked < limit => return refused(name, asked, "is under", limit),
                _ => {}
            }
        }
        Ok(())
    }
}
