//! Jobspec (RFC 14, version 1 is RFC 25): the request of a job.
//!
//! Contains the object and typed access for services. It stays the submitter's own JSON, with
//! unknown attributes and key order kept. Resources are counted in `count.rs`, submissions
//! validated in `validate.rs` (with the error texts), the nesting of resources is in `nesting.rs`,
//! bounds of numbers in `bounds.rs`, and jobspecs of the command line in `build.rs`.

mod bounds;
mod build;
mod count;
mod nesting;
mod validate;
mod vertex;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::dotted::{self, DottedError};

pub use build::{Shape, ShapeError};
pub use count::{CountError, Counts};
pub use validate::{Check, Invalid};

/// A jobspec, checked to be a JSON object and no more; see [`Jobspec::validate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Jobspec {
    object: Map<String, Value>,
}

/// Errors of parsing or updating a jobspec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobspecError {
    /// Not JSON. The text follows the refusal of `job-ingest.submit`.
    #[error("jobspec: invalid JSON: {0}")]
    Json(String),
    /// JSON, but not an object.
    #[error("jobspec is not an object")]
    NotAnObject,
    /// An update outside `attributes`, `resources` and `tasks`.
    #[error("jobspec update key '{0}' must begin with attributes, resources or tasks")]
    UpdateKey(String),
    /// An update that cannot be made.
    #[error(transparent)]
    Update(#[from] DottedError),
}

impl Jobspec {
    /// Reads the text of a signed request or of `job.D.jobspec`.
    pub fn decode(json: &str) -> Result<Self, JobspecError> {
        let start = json.trim_start();
        if !start.starts_with(['{', '[']) {
            let near = start
                .split(|c: char| c.is_whitespace())
                .next()
                .unwrap_or_default();
            let near: String = near.chars().take(20).collect();
            return Err(JobspecError::Json(format!(
                "'[' or '{{' expected near '{near}'"
            )));
        }
        match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Ok(Self { object }),
            Ok(_) => Err(JobspecError::NotAnObject),
            Err(error) => Err(JobspecError::Json(error.to_string())),
        }
    }

    /// Takes an object as it is.
    pub const fn from_object(object: Map<String, Value>) -> Self {
        Self { object }
    }

    /// The object.
    pub const fn object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// Returns the object.
    pub fn into_object(self) -> Map<String, Value> {
        self.object
    }

    /// The compact JSON text.
    pub fn encode(&self) -> String {
        serde_json::to_string(&self.object).expect("a JSON object has string keys")
    }

    /// The value at a dotted path, such as `attributes.system.queue`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        dotted::get(&self.object, path)
    }

    /// Sets the value at a dotted path; null removes it.
    pub fn set(&mut self, path: &str, value: Value) -> Result<(), JobspecError> {
        Ok(dotted::set(&mut self.object, path, value)?)
    }

    /// Applies the context of a `jobspec-update` event: dotted paths and their values. Nothing
    /// changes if one of them is refused.
    pub fn update(&mut self, context: &Map<String, Value>) -> Result<(), JobspecError> {
        let mut updated = self.clone();
        for (path, value) in context {
            let top = path.split('.').next().unwrap_or_default();
            if !matches!(top, "attributes" | "resources" | "tasks") {
                return Err(JobspecError::UpdateKey(path.clone()));
            }
            updated.set(path, value.clone())?;
        }
        *self = updated;
        Ok(())
    }

    /// Removes `attributes.system.environment`, which is stored only inside the signed request.
    pub fn redact(&mut self) {
        let system = self
            .object
            .get_mut("attributes")
            .and_then(|a| a.get_mut("system"));
        if let Some(Value::Object(system)) = system {
            system.shift_remove("environment");
        }
    }

    /// A system attribute by its dotted path below `attributes.system`.
    pub fn system(&self, path: &str) -> Option<&Value> {
        let system = self.object.get("attributes")?.get("system")?.as_object()?;
        dotted::get(system, path)
    }

    /// A system attribute that is a string.
    pub fn system_str(&self, path: &str) -> Option<&str> {
        self.system(path)?.as_str()
    }

    /// The time limit in seconds, 0 if there is none.
    pub fn duration(&self) -> f64 {
        self.system("duration")
            .and_then(Value::as_f64)
            .unwrap_or(0.0)
    }

    /// The command of the first task, as far as its words are strings.
    pub fn command(&self) -> Vec<&str> {
        let command = self.task().and_then(|task| task.get("command")?.as_array());
        command
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The working directory.
    pub fn cwd(&self) -> Option<&str> {
        self.system_str("cwd")
    }

    /// The environment; a null value unsets the variable.
    pub fn environment(&self) -> Option<&Map<String, Value>> {
        self.system("environment")?.as_object()
    }

    /// The name that the submitter gave the job.
    pub fn explicit_name(&self) -> Option<&str> {
        self.system_str("job.name")
    }

    /// The name of the job: given, or the last path component of the command.
    pub fn name(&self) -> &str {
        self.explicit_name().unwrap_or_else(|| {
            let program = self.command().first().copied().unwrap_or_default();
            program.rsplit('/').next().unwrap_or_default()
        })
    }

    /// The queue.
    pub fn queue(&self) -> Option<&str> {
        self.system_str("queue")
    }

    /// The bank that is charged.
    pub fn bank(&self) -> Option<&str> {
        self.system_str("bank")
    }

    /// The project within the bank.
    pub fn project(&self) -> Option<&str> {
        self.system_str("project")
    }

    /// The constraints object (RFC 31).
    pub fn constraints(&self) -> Option<&Value> {
        self.system("constraints")
    }

    /// The dependencies (RFC 26).
    pub fn dependencies(&self) -> &[Value] {
        let list = self.system("dependencies").and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    /// One shell option by its dotted path below `shell.options`.
    pub fn shell_option(&self, path: &str) -> Option<&Value> {
        dotted::get(self.system("shell.options")?.as_object()?, path)
    }

    /// The first task.
    fn task(&self) -> Option<&Value> {
        self.object.get("tasks")?.as_array()?.first()
    }
}

impl Serialize for Jobspec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.object.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jobspec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from_object)
    }
}

crate::schema::schema_by_hand!(Jobspec, "Jobspec", named, {
    "type": "object",
    "description": "A jobspec (RFC 14).",
    "properties": {
        "version": { "type": "integer" },
        "resources": { "type": "array" },
        "tasks": { "type": "array" },
        "attributes": { "type": "object" }
    }
});

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Jobspec {
        Jobspec::decode(
            r#"{"resources":[],"tasks":[{"command":["/bin/sleep","5"]}],"attributes":{"system":{"duration":60,"cwd":"/tmp","environment":{"A":"b","C":null},"queue":"batch","shell":{"options":{"rlimit":{"cpu":-1}}}}},"version":1}"#,
        )
        .unwrap()
    }

    #[test]
    fn attributes_are_read() {
        let jobspec = sample();
        assert_eq!(jobspec.duration(), 60.0);
        assert_eq!(jobspec.command(), ["/bin/sleep", "5"]);
        assert_eq!((jobspec.name(), jobspec.explicit_name()), ("sleep", None));
        assert_eq!(
            (jobspec.cwd(), jobspec.queue(), jobspec.bank()),
            (Some("/tmp"), Some("batch"), None)
        );
        assert_eq!(jobspec.environment().unwrap().len(), 2);
        assert_eq!(jobspec.shell_option("rlimit.cpu"), Some(&json!(-1)));
        assert!(jobspec.dependencies().is_empty() && jobspec.constraints().is_none());
    }

    #[test]
    fn an_empty_object_has_no_attributes_and_no_name() {
        let jobspec = Jobspec::decode("{}").unwrap();
        assert_eq!((jobspec.name(), jobspec.duration()), ("", 0.0));
    }

    #[test]
    fn updates_apply_together_or_not_at_all() {
        let mut jobspec = sample();
        let update = |value: Value| value.as_object().unwrap().clone();
        jobspec
            .update(&update(
                json!({"attributes.system.duration": 5, "attributes.system.queue": null}),
            ))
            .unwrap();
        assert_eq!((jobspec.duration(), jobspec.queue()), (5.0, None));
        let before = jobspec.clone();
        let refused = jobspec.update(&update(
            json!({"attributes.system.duration": 9, "version": 2}),
        ));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "jobspec update key 'version' must begin with attributes, resources or tasks"
        );
        assert_eq!(jobspec, before);
        assert!(jobspec.update(&update(json!({"tasks.x": 1}))).is_err());
    }

    #[test]
    fn redaction_removes_the_environment_and_keeps_the_rest_in_order() {
        let mut jobspec = sample();
        let text = jobspec.encode();
        jobspec.redact();
        assert_eq!(
            jobspec.encode(),
            text.replace(r#""environment":{"A":"b","C":null},"#, "")
        );
        jobspec.redact();
        Jobspec::decode("{}").unwrap().redact();
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let jobspec = Jobspec::decode(r#"{"version":[],"tasks":1,"version":1}"#).unwrap();
        assert_eq!(jobspec.encode(), r#"{"version":1,"tasks":1}"#);
    }

    #[test]
    fn texts_that_are_no_objects_are_refused_with_the_reason() {
        for (text, reason) in [
            ("xx", "jobspec: invalid JSON: '[' or '{' expected near 'xx'"),
            ("", "jobspec: invalid JSON: '[' or '{' expected near ''"),
            ("[]", "jobspec is not an object"),
            (
                "{",
                "jobspec: invalid JSON: EOF while parsing an object at line 1 column 1",
            ),
        ] {
            assert_eq!(Jobspec::decode(text).unwrap_err().to_string(), reason);
        }
    }
}
