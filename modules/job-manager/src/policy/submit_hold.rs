//! `submit-hold`: every job is held when it is submitted, until its user or the owner changes its
//! urgency (protocol/25 section 7).

use proto::data::job::{State, Urgency};
use proto::job_manager::JobEvent;

use super::{Points, Policy, Step, View, Wants};
use crate::job::Job;

/// The policy.
pub struct SubmitHold;

impl Policy for SubmitHold {
    fn name(&self) -> &str {
        "submit-hold"
    }

    fn hears(&self) -> Points {
        Points::STATE
    }

    fn event(&mut self, view: &View<'_>, job: &Job, step: &Step<'_>, wants: &mut Wants) {
        if step.is_into(State::Depend) && job.life.urgency != Urgency::HOLD {
            let hold = JobEvent::Urgency {
                userid: view.owner,
                urgency: Urgency::HOLD,
            };
            wants.post(job.id, hold);
        }
    }
}
