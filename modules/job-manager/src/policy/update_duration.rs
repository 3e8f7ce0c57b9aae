//! `.update-duration`: a job's time limit may be changed (protocol/25 section 4). A guest's must
//! hold the limits, and cannot be changed any more once the job runs; the owner's need not.

use proto::data::Rset;
use proto::data::job::State;
use proto::data::limits::JOBSPEC_DURATION_S_MAX;
use serde_json::{Map, Value};

use super::{Accepted, Points, Policy, Update, View};
use crate::job::Job;

/// The value that it looks after.
pub const DURATION: &str = "attributes.system.duration";

/// The policy.
#[derive(Default)]
pub struct UpdateDuration {
    /// The owner's must hold the limits as well.
    owner_is_held: bool,
}

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
        view: &View<'_>,
        job: &Job,
        update: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        (update.key == DURATION).then(|| self.check(view.now.wall, job, update))
    }
}

impl UpdateDuration {
    fn check(&self, now: f64, job: &Job, update: &Update<'_>) -> Result<Accepted, String> {
        let duration = update.value.as_f64();
        let duration = duration.ok_or_else(|| "plugin args unpack failed".to_owned())?;
        if duration < 0.0 {
            return Err("duration must not be negative".to_owned());
        }
        if duration > JOBSPEC_DURATION_S_MAX {
            return Err(format!("duration must be <= {JOBSPEC_DURATION_S_MAX}"));
        }
        let is_free = update.is_owner && !self.owner_is_held;
        if is_running(job) {
            if !is_free {
                let text = "duration update of running job requires instance owner privileges";
                return Err(text.to_owned());
            }
            let end = expiration(job, duration)?;
            if end > 0.0 && end <= now {
                let text = "requested duration places job expiration in the past";
                return Err(text.to_owned());
            }
        }
        Ok(Accepted {
            validated: is_free,
            ..Accepted::default()
        })
    }
}

/// True if a job has resources that can expire.
pub fn is_running(job: &Job) -> bool {
    matches!(job.life.state, State::Run | State::Cleanup)
}

/// When the time of a running job ends, in seconds since the epoch; 0 for never.
pub fn expiration(job: &Job, duration: f64) -> Result<f64, String> {
    let r = job.r.as_ref().and_then(|r| Rset::decode(r.as_str()).ok());
    let start = r.and_then(|r| r.starttime());
    let start = start.ok_or("unable to get job starttime")?;
    Ok(if duration > 0.0 {
        start + duration
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proto::RawJson;
    use proto::data::JobId;
    use proto::data::job::{SubmitFlags, Urgency};
    use proto::job_manager::JobEvent;
    use serde_json::json;

    use super::*;
    use crate::state::Life;

    fn try_it(state: State, r: Option<&str>, is_owner: bool, value: &Value) -> String {
        let submit = JobEvent::Submit {
            userid: 1,
            urgency: Urgency::DEFAULT,
            flags: SubmitFlags::NONE,
            version: Some(1),
        };
        let life = Life::begin(&submit, 1.0).unwrap();
        let json = |text| Rc::new(RawJson::new(text).unwrap());
        let mut job = Job::new(JobId(1), life, String::new(), json("{}"), r.map(json));
        job.life.state = state;
        let update = Update {
            key: DURATION,
            value,
            userid: 1,
            is_owner,
        };
        match UpdateDuration::default().check(1000.0, &job, &update) {
            Ok(accepted) if accepted.validated => "validated".to_owned(),
            Ok(_) => "to be validated".to_owned(),
            Err(text) => text,
        }
    }

    #[test]
    fn durations_are_numbers_and_end_in_the_future() {
        let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0"}}],
            "nodelist":["h"],"starttime":900.0,"expiration":0.0}}"#;
        for (state, r, is_owner, value, expect) in [
            (State::Sched, None, false, json!(60), "to be validated"),
            (State::Sched, None, true, json!(60.5), "validated"),
            (State::Sched, None, true, json!(0), "validated"),
            (
                State::Sched,
                None,
                true,
                json!(-1),
                "duration must not be negative",
            ),
            (
                State::Sched,
                None,
                true,
                json!(1e13),
                "duration must be <= 1000000000000",
            ),
            (
                State::Sched,
                None,
                true,
                json!("1m"),
                "plugin args unpack failed",
            ),
            (
                State::Run,
                Some(r),
                false,
                json!(200),
                "duration update of running job requires instance owner privileges",
            ),
            (State::Run, Some(r), true, json!(200), "validated"),
            (State::Run, Some(r), true, json!(0), "validated"),
            (
                State::Run,
                Some(r),
                true,
                json!(100),
                "requested duration places job expiration in the past",
            ),
            (
                State::Run,
                None,
                true,
                json!(200),
                "unable to get job starttime",
            ),
        ] {
            assert_eq!(try_it(state, r, is_owner, &value), expect);
        }
    }
}
