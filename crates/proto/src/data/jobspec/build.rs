//! Jobspecs made by the command line: resources and tasks from a few numbers.
//!
//! Key order is that of the standard client, because users and scripts read `--dry-run`.

use serde_json::{Map, Value, json};

use super::{Jobspec, JobspecError};

/// Resources and tasks of a job to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Slots: tasks of `run` and `submit`, slots of `batch` and `alloc`. None and 0 mean one, or
    /// one per node if nodes are given (protocol/14 section 3.1).
    pub slots: Option<u32>,
    /// Nodes, if set.
    pub nodes: Option<u32>,
    /// Cores of each slot.
    pub cores: u32,
    /// GPUs of each slot.
    pub gpus: u32,
    /// True for whole nodes.
    pub exclusive: bool,
}

/// Reasons for which numbers make no jobspec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Fewer slots than nodes.
    #[error("node count must not be greater than task count")]
    MoreNodesThanTasks,
    /// Whole nodes without a number of nodes.
    #[error("exclusive can only be set with a node count")]
    ExclusiveWithoutNodes,
    /// A number that must not be zero.
    #[error("{0} must be greater than zero")]
    Zero(&'static str),
}

impl Default for Shape {
    /// One slot of one core.
    fn default() -> Self {
        Self {
            slots: None,
            nodes: None,
            cores: 1,
            gpus: 0,
            exclusive: false,
        }
    }
}

impl Jobspec {
    /// A jobspec that runs `command` once in each slot of `shape`, without a time limit, directory
    /// or environment; set those with the `set_` methods.
    pub fn from_command(command: &[String], shape: Shape) -> Result<Self, ShapeError> {
        let (resources, count) = shape.resources()?;
        let tasks = json!([{ "command": command, "slot": "task", "count": count }]);
        let mut object = Map::new();
        object.insert("resources".to_owned(), json!([resources]));
        object.insert("tasks".to_owned(), tasks);
        object.insert(
            "attributes".to_owned(),
            json!({ "system": { "duration": 0 } }),
        );
        object.insert("version".to_owned(), json!(1));
        Ok(Self::from_object(object))
    }

    /// Sets an attribute by its dotted path below `attributes.system`; null removes it.
    pub fn set_system(&mut self, path: &str, value: Value) -> Result<(), JobspecError> {
        self.set(&format!("attributes.system.{path}"), value)
    }

    /// Sets the number of times the command runs: `{"per_slot": N}` or `{"total": N}`.
    pub fn set_task_count(&mut self, count: Value) {
        let tasks = self.object.get_mut("tasks").and_then(Value::as_array_mut);
        if let Some(Value::Object(task)) = tasks.and_then(|tasks| tasks.first_mut()) {
            task.insert("count".to_owned(), count);
        }
    }

    /// Sets the option of the job shell at a dotted path; null removes it.
    pub fn set_shell_option(&mut self, path: &str, value: Value) -> Result<(), JobspecError> {
        self.set(&format!("attributes.system.shell.options.{path}"), value)
    }
}

impl Shape {
    /// The one top-level resource, and the count of tasks.
    fn resources(self) -> Result<(Value, Value), ShapeError> {
        let slots = self.slots.filter(|slots| *slots > 0);
        let counts = [(Some(self.cores), "core count"), (self.nodes, "node count")];
        if let Some((_, name)) = counts.into_iter().find(|(count, _)| *count == Some(0)) {
            return Err(ShapeError::Zero(name));
        }
        let per_slot = json!({ "per_slot": 1 });
        let Some(nodes) = self.nodes else {
            if self.exclusive {
                return Err(ShapeError::ExclusiveWithoutNodes);
            }
            return Ok((self.slot(slots.unwrap_or(1)), per_slot));
        };
        let is_exclusive = self.exclusive || slots.is_none();
        let slots = slots.unwrap_or(nodes);
        if slots < nodes {
            return Err(ShapeError::MoreNodesThanTasks);
        }
        let mut node = Map::new();
        node.insert("type".to_owned(), json!("node"));
        node.insert("count".to_owned(), json!(nodes));
        if is_exclusive {
            node.insert("exclusive".to_owned(), json!(true));
        }
        node.insert("with".to_owned(), json!([self.slot(slots.div_ceil(nodes))]));
        let is_even = slots.is_multiple_of(nodes);
        Ok((
            Value::Object(node),
            if is_even {
                per_slot
            } else {
                json!({ "total": slots })
            },
        ))
    }

    fn slot(self, count: u32) -> Value {
        let mut with = vec![json!({ "type": "core", "count": self.cores })];
        if self.gpus > 0 {
            with.push(json!({ "type": "gpu", "count": self.gpus }));
        }
        json!({ "type": "slot", "count": count, "with": with, "label": "task" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The resource and the task count of a shape, or the error.
    fn check(shape: Shape, expect: &str) {
        let command = ["true".to_owned()];
        let outcome = match Jobspec::from_command(&command, shape) {
            Err(error) => error.to_string(),
            Ok(jobspec) => {
                assert_eq!(jobspec.validate(), Ok(()));
                let tasks = &jobspec.object()["tasks"][0]["count"];
                format!("{} {tasks}", jobspec.object()["resources"][0])
            }
        };
        assert_eq!(outcome, expect);
    }

    const ONE: Shape = Shape {
        slots: None,
        nodes: None,
        cores: 1,
        gpus: 0,
        exclusive: false,
    };

    #[test]
    fn shapes_become_resources() {
        let core = r#""with":[{"type":"core","count":1}],"label":"task"}"#;
        check(
            ONE,
            &format!(r#"{{"type":"slot","count":1,{core} {{"per_slot":1}}"#),
        );
        check(
            Shape {
                slots: Some(4),
                nodes: Some(2),
                ..ONE
            },
            &format!(
                r#"{{"type":"node","count":2,"with":[{{"type":"slot","count":2,{core}]}} {{"per_slot":1}}"#
            ),
        );
        check(
            Shape {
                slots: Some(5),
                nodes: Some(2),
                ..ONE
            },
            &format!(
                r#"{{"type":"node","count":2,"with":[{{"type":"slot","count":3,{core}]}} {{"total":5}}"#
            ),
        );
        check(
            Shape {
                nodes: Some(2),
                ..ONE
            },
            &format!(
                r#"{{"type":"node","count":2,"exclusive":true,"with":[{{"type":"slot","count":1,{core}]}} {{"per_slot":1}}"#
            ),
        );
        check(
            Shape {
                slots: Some(2),
                cores: 4,
                gpus: 1,
                ..ONE
            },
            r#"{"type":"slot","count":2,"with":[{"type":"core","count":4},{"type":"gpu","count":1}],"label":"task"} {"per_slot":1}"#,
        );
    }

    #[test]
    fn no_slots_are_as_if_nothing_was_said() {
        let command = ["true".to_owned()];
        for nodes in [None, Some(2)] {
            let make = |slots| {
                let shape = Shape {
                    slots,
                    nodes,
                    ..ONE
                };
                Jobspec::from_command(&command, shape).unwrap()
            };
            assert_eq!(make(Some(0)), make(None));
        }
    }

    #[test]
    fn impossible_shapes_are_refused_with_the_reason() {
        check(
            Shape {
                slots: Some(1),
                nodes: Some(2),
                ..ONE
            },
            "node count must not be greater than task count",
        );
        check(
            Shape {
                exclusive: true,
                ..ONE
            },
            "exclusive can only be set with a node count",
        );
        check(
            Shape { cores: 0, ..ONE },
            "core count must be greater than zero",
        );
        check(
            Shape {
                nodes: Some(0),
                ..ONE
            },
            "node count must be greater than zero",
        );
    }

    #[test]
    fn attributes_come_in_the_order_they_are_set() {
        let mut jobspec = Jobspec::from_command(&["a".to_owned()], ONE).unwrap();
        jobspec.set_system("cwd", json!("/")).unwrap();
        jobspec
            .set_system("environment", json!({"A": "b"}))
            .unwrap();
        jobspec
            .set_shell_option("rlimit", json!({"cpu": -1}))
            .unwrap();
        jobspec.set_system("duration", json!(60)).unwrap();
        assert_eq!(
            jobspec.object()["attributes"].to_string(),
            r#"{"system":{"duration":60,"cwd":"/","environment":{"A":"b"},"shell":{"options":{"rlimit":{"cpu":-1}}}}}"#
        );
        assert_eq!(jobspec.ntasks(), Ok(1));
    }
}
