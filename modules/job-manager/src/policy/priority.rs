//! `.priority-default`: a job's priority is its urgency.

use proto::data::job::Priority;

use super::{Points, Policy, Rank, View};
use crate::job::Job;

/// The policy.
pub struct PriorityDefault;

impl Policy for PriorityDefault {
    fn name(&self) -> &str {
        ".priority-default"
    }

    fn hears(&self) -> Points {
        Points::PRIORITY
    }

    fn priority(&mut self, _: &View<'_>, job: &Job) -> Rank {
        Rank::Is(Priority(job.life.urgency.get().into()))
    }
}
