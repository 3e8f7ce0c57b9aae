//! The checks of a submission and the text of the first that fails (protocol/10 section 9).
//!
//! The order of the checks is part of the interface: a submitter sees only the first error.
//! Resources are checked in `vertex.rs`.

use serde_json::{Map, Value};

use super::Jobspec;
use super::vertex::{check_integer_counts, check_vertices};
use crate::data::constraint::Constraint;

/// The text of the first rule that a jobspec breaks. Submission answers it with errno
/// EPERM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

/// Outcome of one check.
pub type Check = Result<(), Invalid>;

/// The top-level keys, in the order in which a missing one is named.
const KEYS: [&str; 4] = ["resources", "tasks", "attributes", "version"];

impl Jobspec {
    /// Checks everything a V1 submission must satisfy.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.validate_as(true)
    }

    /// The same, except the rules of version 1 only: its number, and counts that are
    /// integers.
    pub fn validate_any_version(&self) -> Result<(), Invalid> {
        self.validate_as(false)
    }

    fn validate_as(&self, is_v1: bool) -> Result<(), Invalid> {
        let object = self.object();
        check_keys(object)?;
        check_version(object)?;
        let resources = array(object, "resources", "resources must be a sequence")?;
        let tasks = array(object, "tasks", "tasks must be a sequence")?;
        let attributes = object
            .get("attributes")
            .and_then(Value::as_object)
            .ok_or_else(|| invalid("attributes must be a mapping"))?;
        check_vertices(resources)?;
        tasks.iter().try_for_each(check_task)?;
        if is_v1 {
            ensure(
                object.get("version") == Some(&Value::from(1)),
                "version must be 1",
            )?;
            check_integer_counts(resources)?;
        }
        check_attributes(attributes)?;
        self.check_bounds(resources, tasks)
    }
}

/// The refusal with this text.
pub(super) fn invalid(text: impl ToString) -> Invalid {
    Invalid(text.to_string())
}

/// Refuses with `text` unless `is_good`.
pub(super) fn ensure(is_good: bool, text: &str) -> Check {
    if is_good { Ok(()) } else { Err(invalid(text)) }
}

fn check_keys(object: &Map<String, Value>) -> Check {
    if let Some(missing) = KEYS.iter().find(|key| !object.contains_key(**key)) {
        return Err(invalid(format!("Missing key ({missing})")));
    }
    match object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(extra) => Err(invalid(format!("Extraneous key ({extra})"))),
        None => Ok(()),
    }
}

fn check_version(object: &Map<String, Value>) -> Check {
    let version = object.get("version").and_then(Value::as_i64);
    let version = version.ok_or_else(|| invalid("version must be an integer"))?;
    ensure(version >= 1, "version must be >= 1")
}

fn array<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    text: &str,
) -> Result<&'a [Value], Invalid> {
    object
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| invalid(text))
}

fn check_task(task: &Value) -> Check {
    let task = task
        .as_object()
        .ok_or_else(|| invalid("task must be a mapping"))?;
    for key in ["command", "slot", "count"] {
        if !task.contains_key(key) {
            return Err(invalid(format!("Missing key ({key})")));
        }
    }
    let count = task.get("count").and_then(Value::as_object);
    check_task_count(count.ok_or_else(|| invalid("count must be a mapping"))?)?;
    ensure(
        task.get("slot").is_some_and(Value::is_string),
        "slot must be a string",
    )?;
    match task.get("command") {
        Some(Value::Array(words)) if words.is_empty() => {
            Err(invalid("command array cannot have length of zero"))
        }
        Some(Value::Array(words)) if words.iter().all(Value::is_string) => Ok(()),
        _ => Err(invalid("command must be a list of strings")),
    }
}

fn check_task_count(count: &Map<String, Value>) -> Check {
    ensure(count.len() == 1, "count must have exactly one key set")?;
    let known = ["per_slot", "total"];
    let key = known.into_iter().find(|key| count.contains_key(*key));
    let key = key.ok_or_else(|| invalid("count per_slot or total must be set"))?;
    match count.get(key).and_then(Value::as_i64) {
        None => Err(invalid(format!("count {key} must be an int"))),
        Some(number) if number <= 0 => Err(invalid(format!("count {key} must be > 0"))),
        Some(_) => Ok(()),
    }
}

fn check_attributes(attributes: &Map<String, Value>) -> Check {
    let system = attributes.get("system");
    let system = system.ok_or_else(|| invalid("attributes.system is a required key"))?;
    let system = system
        .as_object()
        .ok_or_else(|| invalid("attributes.system must be a mapping"))?;
    match system.get("duration") {
        None => return Err(invalid("attributes.system.duration is a required key")),
        Some(duration) => match duration.as_f64() {
            None => return Err(invalid("attributes.system.duration must be a number")),
            Some(seconds) => ensure(seconds >= 0.0, "attributes.system.duration must be >= 0")?,
        },
    }
    if let Some(dependencies) = system.get("dependencies") {
        let list = dependencies.as_array();
        let list = list.ok_or_else(|| invalid("attributes.system.dependencies must be a list"))?;
        list.iter().try_for_each(check_dependency)?;
    }
    match system.get("constraints") {
        Some(value) => Constraint::parse(value)
            .map(drop)
            .map_err(|e| invalid(e.to_string())),
        None => Ok(()),
    }
}

fn check_dependency(dependency: &Value) -> Check {
    let is_text = |key: &str| dependency.get(key).is_some_and(Value::is_string);
    ensure(is_text("scheme"), "dependency scheme must be a string")?;
    ensure(is_text("value"), "dependency value must be a string")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "resources": [{"type": "slot", "count": 1, "label": "task",
                           "with": [{"type": "core", "count": 1}]}],
            "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
            "attributes": {"system": {"duration": 0}},
            "version": 1
        })
    }

    fn outcome(jobspec: &Value) -> String {
        let jobspec = Jobspec::from_object(jobspec.as_object().unwrap().clone());
        jobspec
            .validate()
            .map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    /// A valid jobspec with the value at a JSON pointer replaced.
    fn check(pointer: &str, value: Value, expect: &str) {
        let mut jobspec = good();
        *jobspec.pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(outcome(&jobspec), expect, "{pointer} = {value}");
    }

    #[test]
    fn a_good_jobspec_passes() {
        assert_eq!(outcome(&good()), "ok");
        check("/attributes/system/duration", json!(1.5), "ok");
        check("/tasks/0/count", json!({"total": 3}), "ok");
        check(
            "/attributes/system",
            json!({"duration": 0, "constraints": {"properties": ["a"]}}),
            "ok",
        );
        let dependency = json!({"scheme": "afterok", "value": "ƒ1"});
        check(
            "/attributes/system",
            json!({"duration": 0, "dependencies": [dependency]}),
            "ok",
        );
    }

    #[test]
    fn top_level_rules_have_their_sentences() {
        check("", json!({}), "Missing key (resources)");
        let mut more = good();
        more["extra"] = json!(1);
        assert_eq!(outcome(&more), "Extraneous key (extra)");
        check("/version", json!("1"), "version must be an integer");
        check("/version", json!(1.0), "version must be an integer");
        check("/version", json!(0), "version must be >= 1");
        check("/version", json!(2), "version must be 1");
        check("/resources", json!({}), "resources must be a sequence");
        check("/tasks", json!({}), "tasks must be a sequence");
        check("/attributes", json!([]), "attributes must be a mapping");
    }

    #[test]
    fn task_rules_have_their_sentences() {
        check("/tasks/0", json!(1), "task must be a mapping");
        check(
            "/tasks/0",
            json!({"command": ["x"], "slot": "t"}),
            "Missing key (count)",
        );
        check("/tasks/0/count", json!(1), "count must be a mapping");
        check(
            "/tasks/0/count",
            json!({}),
            "count must have exactly one key set",
        );
        check(
            "/tasks/0/count",
            json!({"per_slot": 1, "total": 1}),
            "count must have exactly one key set",
        );
        check(
            "/tasks/0/count",
            json!({"x": 1}),
            "count per_slot or total must be set",
        );
        check(
            "/tasks/0/count",
            json!({"per_slot": "1"}),
            "count per_slot must be an int",
        );
        check(
            "/tasks/0/count",
            json!({"per_slot": 0}),
            "count per_slot must be > 0",
        );
        check(
            "/tasks/0/count",
            json!({"total": 1.5}),
            "count total must be an int",
        );
        check(
            "/tasks/0/count",
            json!({"total": -1}),
            "count total must be > 0",
        );
        check("/tasks/0/slot", json!(1), "slot must be a string");
        check(
            "/tasks/0/command",
            json!([]),
            "command array cannot have length of zero",
        );
        check(
            "/tasks/0/command",
            json!([1]),
            "command must be a list of strings",
        );
        check(
            "/tasks/0/command",
            json!("true"),
            "command must be a list of strings",
        );
    }

    #[test]
    fn attribute_rules_have_their_sentences() {
        let system = "/attributes/system";
        check(
            "/attributes",
            json!({}),
            "attributes.system is a required key",
        );
        check(system, json!([]), "attributes.system must be a mapping");
        check(
            system,
            json!({}),
            "attributes.system.duration is a required key",
        );
        check(
            "/attributes/system/duration",
            json!("1"),
            "attributes.system.duration must be a number",
        );
        check(
            "/attributes/system/duration",
            json!(-1),
            "attributes.system.duration must be >= 0",
        );
        let with = |key: &str, value: Value| json!({"duration": 0, key: value});
        check(
            system,
            with("dependencies", json!({})),
            "attributes.system.dependencies must be a list",
        );
        check(
            system,
            with("dependencies", json!([{"value": "x"}])),
            "dependency scheme must be a string",
        );
        check(
            system,
            with("dependencies", json!([{"scheme": "x", "value": 1}])),
            "dependency value must be a string",
        );
        check(
            system,
            with("constraints", json!([])),
            "constraints must be a mapping",
        );
        check(
            system,
            with("constraints", json!({"foo": []})),
            "unknown constraint operator 'foo'",
        );
        check(
            system,
            with("constraints", json!({"properties": ["a&b"]})),
            "invalid character in property 'a&b'",
        );
    }

    #[test]
    fn the_first_broken_rule_is_named() {
        let mut jobspec = good();
        jobspec["tasks"][0]["slot"] = json!(1);
        jobspec["attributes"] = json!({});
        assert_eq!(outcome(&jobspec), "slot must be a string");
        jobspec["resources"][0]["count"] = json!(0);
        assert_eq!(outcome(&jobspec), "node, slot, or core count must be > 0");
    }
}
