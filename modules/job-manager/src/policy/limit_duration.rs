//! `.limit-duration`: how long a job may ask for (protocol/25 section 3).

use proto::data::Fsd;

use super::{Asked, Points, Policy, View, Wants, for_queue};

/// The policy.
pub struct LimitDuration;

/// Significant digits of a duration in a refusal.
pub const DIGITS: usize = 2;

impl Policy for LimitDuration {
    fn name(&self) -> &str {
        ".limit-duration"
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
        let limits = view.queues.conf().limits(jobspec.queue());
        let Some(limit) = limits.duration_max() else {
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
