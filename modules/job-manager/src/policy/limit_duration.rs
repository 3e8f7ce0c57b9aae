//! `.limit-duration`: how long a job may ask for (protocol/25 section 3).

use proto::Object;
use proto::config::Queues;
use proto::data::Fsd;

use super::{Asked, Look, Points, Policy, Wants, for_queue};

/// The policy.
#[derive(Default)]
pub struct LimitDuration {
    queues: Queues,
}

/// Significant digits of a duration in a refusal.
pub const DIGITS: usize = 2;

impl Policy for LimitDuration {
    fn name(&self) -> &str {
        ".limit-duration"
    }

    fn hears(&self) -> Points {
        Points::VALIDATE
    }

    fn configure(&mut self, conf: &Object) -> Result<(), String> {
        self.queues = Queues::parse(conf).map_err(|refusal| refusal.to_string())?;
        Ok(())
    }

    fn validate(
        &mut self,
        _: &Look<'_>,
        Asked { jobspec, .. }: Asked<'_>,
        _: &mut Wants,
    ) -> Result<(), String> {
        let Some(limit) = self.queues.limits(jobspec.queue()).duration_max() else {
            return Ok(());
        };
        let duration = jobspec.duration();
        let asked = match Fsd::from_secs(duration) {
            Ok(asked) if duration > 0.0 && asked <= limit => return Ok(()),
            Ok(asked) if duration > 0.0 => asked.to_text(DIGITS),
            _ => "unlimited".to_owned(),
        };
        let limit = limit.to_text(DIGITS);
        let queue = for_queue(jobspec);
        Err(format!(
            "requested duration ({asked}) exceeds policy limit of {limit}{queue}"
        ))
    }
}
