//! Request of a job, as the few numbers that placing it takes. Pure.

use proto::data::constraint::ConstraintError;
use proto::data::shape::{mismatch, not_found};
use proto::data::{Constraint, Jobspec};
use proto::feasibility::CheckError;
use serde_json::Value;

use crate::shape::{Shape, ShapeError};

/// A job's request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Nodes, slots and their contents.
    pub shape: Shape,
    /// Time limit in seconds; 0 for none.
    pub duration: f64,
    /// Ranks that are suitable; `None` for all.
    pub constraint: Option<Constraint>,
}

impl Request {
    /// Reads a jobspec.
    pub fn new(jobspec: &Jobspec) -> Result<Request, CheckError> {
        let resources = jobspec.get("resources").and_then(Value::as_array);
        let resources = resources.filter(|all| !all.is_empty());
        let resources = resources.ok_or(CheckError::NoResources)?;
        let duration = duration(jobspec).map_err(CheckError::Malformed)?;
        let shape = Shape::new(resources).map_err(|error| match error {
            ShapeError::Malformed(text) => CheckError::Malformed(text),
            ShapeError::Discrete(kind) => CheckError::Discrete(kind.to_owned()),
        })?;
        let constraint = match jobspec.constraints() {
            None | Some(Value::Null) => None,
            Some(value) => {
                let constraint = Constraint::parse(value).map_err(|error| match error {
                    ConstraintError::Operator(name) => CheckError::Operator(name),
                    other => CheckError::Malformed(other.to_string()),
                })?;
                (!constraint.is_any()).then_some(constraint)
            }
        };
        Ok(Request {
            shape,
            duration,
            constraint,
        })
    }

    /// Cores and GPUs on each node at least, when nodes are asked for.
    pub fn per_node(&self) -> (u64, u64) {
        let slots = self.shape.nslots.min;
        (
            slots.saturating_mul(self.shape.slot_cores),
            slots.saturating_mul(self.shape.slot_gpus),
        )
    }

    /// Cores that the job needs at least.
    pub fn cores_min(&self) -> u64 {
        self.per_node()
            .0
            .saturating_mul(self.shape.nnodes.min.max(1))
    }

    /// Number of slots that fit into these cores and GPUs.
    pub fn slots_in(&self, cores: u64, gpus: u64) -> u64 {
        let by_cores = cores / self.shape.slot_cores.max(1);
        match self.shape.slot_gpus {
            0 => by_cores,
            slot_gpus => by_cores.min(gpus / slot_gpus),
        }
    }
}

/// The time limit. Version 1 must have it.
fn duration(jobspec: &Jobspec) -> Result<f64, String> {
    let must_be_there = jobspec.get("version").and_then(Value::as_i64) == Some(1);
    let missing = |key: &str| match must_be_there {
        true => Err(format!("getting duration: {}", not_found(key))),
        false => Ok(0.0),
    };
    let system = jobspec.get("attributes").and_then(|all| all.get("system"));
    let Some(system) = system else {
        return missing("system");
    };
    let Some(duration) = system.get("duration") else {
        return missing("duration");
    };
    let number = duration.as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| {
        format!(
            "getting duration: {}",
            mismatch("real or integer", duration)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobspec: &str, expect: &str) {
        let outcome = match Request::new(&Jobspec::decode(jobspec).unwrap()) {
            Ok(r) => format!(
                "{} {} {}",
                r.cores_min(),
                r.duration,
                r.constraint.is_some()
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect);
    }

    const SLOT: &str = r#"{"type":"slot","count":2,"label":"task","with":[{"type":"core","count":3},{"type":"gpu","count":1}]}"#;

    fn with(resource: &str, attributes: &str) -> String {
        let tasks = r#""tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}]"#;
        format!(r#"{{"resources":[{resource}],{tasks},"attributes":{attributes},"version":1}}"#)
    }

    #[test]
    fn a_jobspec_comes_down_to_numbers() {
        let attributes = r#"{"system":{"duration":60,"constraints":{"ranks":["0"]}}}"#;
        check(&with(SLOT, attributes), "6 60 true");
        let node = format!(r#"{{"type":"node","count":4,"exclusive":true,"with":[{SLOT}]}}"#);
        check(&with(&node, attributes), "24 60 true");
        let free = r#"{"system":{"duration":0.5,"constraints":{"and":[]}}}"#;
        check(&with(SLOT, free), "6 0.5 false");
    }

    #[test]
    fn nonsense_is_refused() {
        check("{}", "jobspec has no resources");
        check(r#"{"resources":[]}"#, "jobspec has no resources");
        let ok = r#"{"system":{"duration":0}}"#;
        let cannot = "cannot parse jobspec: ";
        check(
            &with(r#"{"type":"cow"}"#, ok),
            &format!("{cannot}Unable to determine slot count"),
        );
        let duration = "getting duration: Object item not found: ";
        check(&with(SLOT, "{}"), &format!("{cannot}{duration}system"));
        check(
            &with(SLOT, r#"{"system":{}}"#),
            &format!("{cannot}{duration}duration"),
        );
        let text = "getting duration: Expected real or integer, got string";
        check(
            &with(SLOT, r#"{"system":{"duration":"1m"}}"#),
            &format!("{cannot}{text}"),
        );
        let operator = r#"{"system":{"duration":0,"constraints":{"foo":[]}}}"#;
        check(
            &with(SLOT, operator),
            "unknown constraint operator(s): ['foo']",
        );
        let ranks = r#"{"system":{"duration":0,"constraints":{"ranks":["x"]}}}"#;
        let text = "ranks constraint contains invalid ranks: error parsing range 'x'";
        check(&with(SLOT, ranks), &format!("{cannot}{text}"));
        let discrete = SLOT.replace(r#""count":2"#, r#""count":"2,4""#);
        let text = "slot count specifies discrete valid values that this scheduler does not support; use a simple min-max range instead";
        check(&with(&discrete, ok), text);
    }

    #[test]
    fn a_jobspec_of_another_version_need_not_say_a_duration() {
        let other = with(SLOT, "{}").replace(r#""version":1"#, r#""version":999"#);
        check(&other, "6 0 false");
    }
}
