//! `.update-queue`: a job that waits may move to another queue (protocol/25 section 4).
//!
//! Its constraints must be those of its queue and no others: they are replaced by those of
//! the new one.

use proto::data::job::State;
use proto::job_manager::QueueError;
use serde_json::{Map, Value, json};

use super::{Accepted, Points, Policy, Update, View};
use crate::job::Job;
use crate::queue::{QueueId, Queues};

/// The value that it looks after.
pub const QUEUE: &str = "attributes.system.queue";

const CONSTRAINTS: &str = "attributes.system.constraints";

/// The policy.
pub struct UpdateQueue;

impl Policy for UpdateQueue {
    fn name(&self) -> &str {
        ".update-queue"
    }

    fn hears(&self) -> Points {
        Points::UPDATE
    }

    fn update(
        &mut self,
        view: &View<'_>,
        job: &Job,
        update: &Update<'_>,
    ) -> Option<Result<Accepted, String>> {
        (update.key == QUEUE).then(|| move_to(view.queues, job, update.value))
    }
}

fn move_to(queues: &Queues, job: &Job, value: &Value) -> Result<Accepted, String> {
    let Some(name) = value.as_str() else {
        return Err("plugin args unpack failed".to_owned());
    };
    if matches!(job.life.state, State::Run | State::Cleanup) {
        return Err("update of queue for running job not supported".to_owned());
    }
    if queues.name(job.queue) == Some(name) {
        return Err(format!("job queue is already set to {name}"));
    }
    let new = queues.find(Some(name)).map_err(|error| error.to_string())?;
    if queues.admits(new).is_err() {
        return Err(format!("queue {name} is currently disabled"));
    }
    let old = queues.name(job.queue).unwrap_or_default();
    if job.queue == QueueId::ANONYMOUS {
        return Err(QueueError::NameRequired.to_string());
    }
    if constraints_of(job) != constraints(queues.requires(job.queue)) {
        return Err(format!(
            "job appears to have non-queue constraints, unable to update queue to {old}"
        ));
    }
    let constraints = Value::Object(constraints(queues.requires(new)));
    Ok(Accepted {
        validated: false,
        feasibility: true,
        updates: Map::from_iter([(CONSTRAINTS.to_owned(), constraints)]),
    })
}

/// Constraint of a queue on nodes.
fn constraints(requires: &[String]) -> Map<String, Value> {
    match requires.is_empty() {
        true => Map::new(),
        false => Map::from_iter([("properties".to_owned(), json!(requires))]),
    }
}

fn constraints_of(job: &Job) -> Map<String, Value> {
    let jobspec = job
        .jobspec()
        .parse::<Map<String, Value>>()
        .unwrap_or_default();
    let constraints = proto::data::dotted::get(&jobspec, CONSTRAINTS);
    let constraints = constraints.and_then(Value::as_object);
    constraints.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proto::config;
    use proto::data::JobId;
    use proto::data::job::{SubmitFlags, Urgency};
    use proto::job_manager::JobEvent;
    use proto::{Object, RawJson};

    use super::*;
    use crate::state::Life;

    const CONF: &str = r#"{"queues":{"batch":{"requires":["b"]},"debug":{"requires":["d","x"]},
        "night":{"parent":"debug"},"open":{}}}"#;

    fn check(queue: &str, constraints: &str, state: State, value: Value, expect: &str) {
        let conf: Object = serde_json::from_str(CONF).unwrap();
        let mut queues = Queues::default();
        queues.configure(config::Queues::parse(&conf).unwrap());
        let open = queues.find(Some("open")).unwrap();
        queues.set_enable(open, false, Some("x".to_owned()));
        let system = format!(r#"{{{queue}"constraints":{constraints}}}"#);
        let jobspec = format!(r#"{{"attributes":{{"system":{system}}}}}"#);
        let submit = JobEvent::Submit {
            userid: 1,
            urgency: Urgency::DEFAULT,
            flags: SubmitFlags::NONE,
            version: Some(1),
        };
        let life = Life::begin(&submit, 1.0).unwrap();
        let jobspec = Rc::new(RawJson::new(&jobspec).unwrap());
        let mut job = Job::new(JobId(1), life, String::new(), jobspec, None);
        job.queue = queues.intern(job.queue_name().as_deref());
        job.life.state = state;
        let said = move_to(&queues, &job, &value).map(|accepted| {
            assert!(accepted.feasibility && !accepted.validated);
            Value::Object(accepted.updates).to_string()
        });
        assert_eq!(said.unwrap_or_else(|text| text), expect);
    }

    #[test]
    fn a_job_moves_with_the_constraints_of_its_queue() {
        let batch = r#""queue":"batch","#;
        let properties = r#"{"properties":["b"]}"#;
        let debug = r#"{"attributes.system.constraints":{"properties":["d","x"]}}"#;
        check(batch, properties, State::Sched, json!("debug"), debug);
        check(batch, properties, State::Depend, json!("night"), debug);
        let none = r#"{"attributes.system.constraints":{"properties":["b"]}}"#;
        check(
            r#""queue":"open","#,
            "{}",
            State::Sched,
            json!("batch"),
            none,
        );
        let refusals = [
            (
                State::Run,
                json!("debug"),
                "update of queue for running job not supported",
            ),
            (
                State::Sched,
                json!("batch"),
                "job queue is already set to batch",
            ),
            (State::Sched, json!("other"), "'other' is not a valid queue"),
            (
                State::Sched,
                json!("open"),
                "queue open is currently disabled",
            ),
            (State::Sched, json!(1), "plugin args unpack failed"),
        ];
        for (state, value, expect) in refusals {
            check(batch, properties, state, value, expect);
        }
        for other in ["{}", r#"{"properties":["b","c"]}"#, r#"{"not":[]}"#] {
            let expect =
                "job appears to have non-queue constraints, unable to update queue to batch";
            check(batch, other, State::Sched, json!("debug"), expect);
        }
        check(
            "",
            "{}",
            State::Sched,
            json!("debug"),
            "a named queue is required",
        );
    }
}
