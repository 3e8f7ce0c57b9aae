//! Work of a job and its expected result: both follow from its name alone, by which its
//! directory is called.

use proto::data::Jobspec;
use proto::data::jobspec::Shape;
use serde_json::{Value, json};

use super::CORES;
use super::terms::Terms;
use crate::rng::Rng;

/// Work of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// A job shell runs it for N steps, each with a line of output, and ends with a code.
    Shell { steps: u8, code: u8 },
    /// job-exec pretends for N milliseconds and gives a wait status.
    Pretended { ms: u16, status: i32 },
    /// job-exec pretends that it cannot begin.
    FailsAtInit,
    /// job-exec pretends that it fails while it runs.
    FailsAtRun,
    /// The job asks for more than there is.
    TooLarge,
}

/// A job as it is submitted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JobRequest {
    /// No other job has it; the name that the job goes by may be another.
    pub name: String,
    pub task: Task,
    /// Of each node.
    pub cores: u32,
    /// With a task on each; `None` where it does not matter.
    pub nodes: Option<u32>,
    /// 0 holds it.
    pub urgency: i64,
    /// Seconds; 0 for no limit.
    pub duration: f64,
    pub terms: Terms,
}

impl JobRequest {
    /// A job of chance.
    pub fn new(name: String, nodes: u32, rng: &mut Rng) -> JobRequest {
        let task = match rng.below(12) {
            0..=5 => Task::Shell {
                steps: rng.below(6) as u8,
                code: [0, 0, 1, 7][rng.below(4)],
            },
            6..=8 => Task::Pretended {
                ms: [0, 1, 30, 900][rng.below(4)],
                status: [0, 0, 256, 15][rng.below(4)],
            },
            9 => Task::FailsAtInit,
            10 => Task::FailsAtRun,
            _ => Task::TooLarge,
        };
        JobRequest {
            name,
            cores: match task {
                Task::TooLarge => CORES + 1,
                _ => 1 + rng.below(CORES as usize) as u32,
            },
            nodes: match nodes {
                1 => None,
                most => [None, Some(1 + rng.below(most as usize) as u32)][rng.below(2)],
            },
            urgency: [16, 16, 16, 31, 1, 0][rng.below(6)],
            duration: match rng.below(5) {
                0 => 0.5,
                _ => 0.0,
            },
            terms: Terms::default(),
            task,
        }
    }

    /// Jobspec.
    pub fn jobspec(&self) -> String {
        let command = match self.task {
            Task::Shell { steps, code } => {
                vec!["work".to_owned(), steps.to_string(), code.to_string()]
            }
            _ => vec!["pretend".to_owned()],
        };
        let shape = Shape {
            cores: self.cores,
            nodes: self.nodes,
            ..Shape::default()
        };
        let mut spec = Jobspec::from_command(&command, shape).expect("there are cores");
        let test = match self.task {
            Task::Shell { .. } | Task::TooLarge => Value::Null,
            Task::Pretended { ms, status } => json!({
                "run_duration": format!("{ms}ms"),
                "wait_status": status,
            }),
            Task::FailsAtInit => json!({"mock_exception": "init"}),
            Task::FailsAtRun => json!({"mock_exception": "run"}),
        };
        let mut set = |path: &str, value: Value| spec.set_system(path, value).expect("a path");
        if !test.is_null() {
            set("exec.test", test);
        }
        set("job.name", json!(self.terms.group.unwrap_or(&self.name)));
        set("cwd", json!(self.name));
        set("duration", json!(self.duration));
        let dependencies = self.terms.dependencies();
        if !dependencies.is_empty() {
            set("dependencies", json!(dependencies));
        }
        if let Some(queue) = self.terms.queue {
            set("queue", json!(queue));
        }
        spec.encode()
    }
}

impl Task {
    /// The wait status that it ends with if nothing comes between.
    pub fn status(self) -> Option<i32> {
        match self {
            Task::Shell { code, .. } => Some(i32::from(code) << 8),
            Task::Pretended { status, .. } => Some(status),
            Task::FailsAtInit | Task::FailsAtRun | Task::TooLarge => None,
        }
    }

    /// The type of the exception that it comes to by itself.
    pub fn exception(self) -> Option<&'static str> {
        match self {
            Task::Shell { .. } | Task::Pretended { .. } => None,
            Task::FailsAtInit | Task::FailsAtRun => Some("exec"),
            Task::TooLarge => Some("alloc"),
        }
    }
}

/// Reads the command of a job that a shell runs.
pub(super) fn of_command(command: &[&str]) -> Option<(u8, u8)> {
    match command {
        ["work", steps, code] => Some((steps.parse().ok()?, code.parse().ok()?)),
        _ => None,
    }
}
