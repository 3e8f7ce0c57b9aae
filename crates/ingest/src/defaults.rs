//! The plugin `defaults`: the queue and the time limit of jobs that do not say.

use proto::Refusal;
use proto::config::Queues;
use proto::data::{Fsd, Jobspec};
use serde_json::Value;

use crate::frobnicator::{invalid, refused};

pub(crate) fn apply(jobspec: &mut Jobspec, queues: &Queues) -> Result<(), Refusal> {
    set_queue(jobspec, queues)?;
    let default = queues.default_duration(jobspec.queue());
    let Some(default) = default.filter(|_| jobspec.duration() == 0.0) else {
        return Ok(());
    };
    set(jobspec, "attributes.system.duration", number(default))
}

fn set_queue(jobspec: &mut Jobspec, queues: &Queues) -> Result<(), Refusal> {
    match (jobspec.queue(), queues.default_queue()) {
        _ if queues.named.is_empty() => Ok(()),
        (Some(queue), _) if queues.get(queue).is_some() => Ok(()),
        (Some(queue), _) => Err(refused(format!("Invalid queue '{queue}' specified"))),
        (None, None) => Err(refused("no queue specified".to_owned())),
        (None, Some(default)) => set(jobspec, "attributes.system.queue", default.into()),
    }
}

/// Seconds, as a whole number where they are one. One without end is none.
fn number(duration: Fsd) -> Value {
    let seconds = duration.secs();
    match seconds {
        _ if duration.is_infinite() => Value::from(0),
        _ if seconds.fract() == 0.0 && seconds < 1e15 => Value::from(seconds as u64),
        _ => Value::from(seconds),
    }
}

/// Sets a value below a path that [`super::frobnicator`] has checked to be a mapping.
pub(crate) fn set(jobspec: &mut Jobspec, path: &str, value: Value) -> Result<(), Refusal> {
    jobspec
        .set(path, value)
        .map_err(|error| invalid(&error.to_string()))
}
