//! `.validate-duration`: no job is longer than the rest of the instance's time
//! (protocol/25 section 3).

use proto::data::Fsd;

use super::limit_duration::DIGITS;
use super::{Asked, Points, Policy, View, Wants};

/// The policy.
pub struct ValidateDuration;

impl Policy for ValidateDuration {
    fn name(&self) -> &str {
        ".validate-duration"
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
        let duration = jobspec.duration();
        if view.expiration <= 0.0 || duration <= 0.0 {
            return Ok(());
        }
        let left = view.expiration - view.now.wall;
        if duration <= left {
            return Ok(());
        }
        let text = |secs: f64| Fsd::from_secs(secs).map(|fsd| fsd.to_text(DIGITS));
        Err(match (text(duration), text(left.max(0.0))) {
            (Ok(duration), Ok(left)) => {
                format!("job duration ({duration}) exceeds remaining instance lifetime ({left})")
            }
            _ => "duration exceeds instance lifetime".to_owned(),
        })
    }
}
