//! The plugin `constraints`: a job runs where its queue has its nodes.

use proto::Refusal;
use proto::config::Queues;
use proto::data::Jobspec;
use serde_json::{Map, Value, json};

use crate::defaults::set;
use crate::frobnicator::invalid;

const PATH: &str = "attributes.system.constraints";

pub(crate) fn apply(jobspec: &mut Jobspec, queues: &Queues) -> Result<(), Refusal> {
    let required = jobspec
        .queue()
        .map_or(&[][..], |queue| queues.requires(queue));
    if required.is_empty() {
        return Ok(());
    }
    let own = match jobspec.constraints() {
        None => Map::new(),
        Some(Value::Object(own)) => own.clone(),
        Some(_) => return Err(invalid("constraints must be a mapping")),
    };
    let joined = join(own, required)?;
    set(jobspec, PATH, joined)
}

/// Constraint of the job joined with that of its queue: the job's own first, and nothing
/// twice.
fn join(mut own: Map<String, Value>, required: &[String]) -> Result<Value, Refusal> {
    if own.is_empty() {
        return Ok(json!({ "properties": required }));
    }
    let Some(properties) = own.get_mut("properties") else {
        return Ok(json!({ "and": [own, { "properties": required }] }));
    };
    let text = "argument to constraint properties must be a sequence";
    let properties = properties.as_array_mut().ok_or_else(|| invalid(text))?;
    for name in required {
        if !properties.iter().any(|own| own == name) {
            properties.push(Value::from(name.as_str()));
        }
    }
    Ok(Value::Object(own))
}
