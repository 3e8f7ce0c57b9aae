//! `.update-duration`: a job's time limit may be changed (protocol/25 section 4). A guest's must
//! hold the limits, and cannot be changed any more once the job runs; the owner's need not.

use proto::data::job::State;
use serde_json::{Map, Value};

use super::{Accepted, Look, Points, Policy, Update};
use crate::job::Job;

/// The policy.
#[derive(Default)]
pub struct UpdateDuration {
    /// The owner's must hold the limits as well.
    owner_is_held: bool,
}

const KEY: &str = "attributes.system.duration";

impl Policy for UpdateDuration {
    fn name(&self) -> &str {
        ".update-duration"
    }

    fn hears(&self) -> Points {
        Points::UPDATE
    }

    fn set_conf(&mut self, conf: &Map<String, Value>) -> Result<(), String> {
        let allow = match conf.get("owner-allow-any") {
            None => true,
            Some(Value::Bool(allow)) => *allow,
            Some(value) => value.as_i64().ok_or_else(String::new)? != 0,
        };
        self.owner_is_held = !allow;
        Ok(())
    }

    fn update(
        &mut self,
        _: &Look<'_>,
        job: &Job,
        update: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        (update.key == KEY).then(|| self.check(job, update))
    }
}

impl UpdateDuration {
    fn check(&self, job: &Job, update: &Update<'_>) -> Result<Accepted, String> {
        let duration = update.value.as_f64();
        let duration = duration.ok_or_else(|| "plugin args unpack failed".to_owned())?;
        if duration < 0.0 {
            return Err("duration must not be negative".to_owned());
        }
        let is_free = update.is_owner && !self.owner_is_held;
        if !is_free && matches!(job.life.state, State::Run | State::Cleanup) {
            let text = "duration update of running job requires instance owner privileges";
            return Err(text.to_owned());
        }
        Ok(Accepted {
            validated: is_free,
            ..Accepted::default()
        })
    }
}
