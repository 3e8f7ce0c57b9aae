//! Resources requested by a job: by numbers, or as a list that is given whole.

use proto::data::Jobspec;
use proto::data::jobspec::Shape;
use serde_json::{Value, json};

use crate::options::Options;
use crate::shape::parse_shape;
use crate::values::whole;
use command::error::{CliError, io_text};

/// The list of resources in the place of all numbers.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct GivenResources {
    /// Request resources by shape, such as node=2/slot=4/[core=2;gpu], instead of all other
    /// resource options
    #[arg(long, value_name = "SHAPE", help_heading = GIVEN)]
    pub resources_shape: Option<String>,
    /// Request resources by a JSON file: a jobspec, or its list of resources
    #[arg(long, value_name = "FILE", help_heading = GIVEN)]
    pub resources_json: Option<String>,
}

const GIVEN: &str = "Resources as a list";

impl GivenResources {
    /// The value of `resources`, if it is given.
    pub fn list(&self) -> Result<Option<Value>, CliError> {
        match (&self.resources_shape, &self.resources_json) {
            (Some(_), Some(_)) => Err(CliError::new(
                "`--resources-shape` and `--resources-json` are mutually exclusive arguments. \
                Use only one.",
            )),
            (Some(shape), None) => match parse_shape(shape) {
                Ok(list) => Ok(Some(list.into())),
                Err(error) => Err(CliError::new(error.to_string())),
            },
            (None, Some(path)) => read(path).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn read(path: &str) -> Result<Value, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::new(format!("{}: '{path}'", io_text(&error))))?;
    let document: Value = serde_json::from_str(&text)
        .map_err(|error| CliError::new(format!("--resources-json: {path}: {error}")))?;
    Ok(match document {
        Value::Object(mut document) => match document.shift_remove("resources") {
            Some(list) => list,
            None => document.into(),
        },
        other => other,
    })
}

impl Options {
    /// A jobspec with the resources and the command, and nothing else.
    pub(crate) fn jobspec(&self) -> Result<Jobspec, CliError> {
        let refuse = |error: String| CliError::new(error);
        let given = self.given.list()?;
        let nodes = match given {
            // As many as make sense of all other numbers, which do not count.
            Some(_) => Some(1),
            None => self.nodes()?,
        };
        let jobspec = Jobspec::from_command(self.words(), self.shape(nodes)?);
        let mut jobspec = jobspec.map_err(|error| refuse(error.to_string()))?;
        if let Some(list) = given {
            let set = jobspec.set("resources", list);
            set.map_err(|error| refuse(error.to_string()))?;
        }
        Ok(jobspec)
    }

    /// Command of the job.
    pub(crate) fn words(&self) -> &[String] {
        match &self.instance {
            Some(instance) => instance.command(),
            None => &self.command,
        }
    }

    /// The number of nodes, if it matters.
    pub fn nodes(&self) -> Result<Option<u32>, CliError> {
        whole("--nodes", self.nodes.as_deref())
    }

    /// Resources by numbers.
    fn shape(&self, nodes: Option<u32>) -> Result<Shape, CliError> {
        let number = |option, text: &Option<String>| whole(option, text.as_deref());
        let [tasks, cores, gpus] = match self.instance {
            None => ["--ntasks", "--cores-per-task", "--gpus-per-task"],
            Some(_) => ["--nslots", "--cores-per-slot", "--gpus-per-slot"],
        };
        // As many tasks as none is said of (protocol/14 section 3.1).
        let slots = number(tasks, &self.ntasks)?.filter(|ntasks| *ntasks > 0);
        let cores_per_task = number(cores, &self.cores_per_task)?;
        let gpus_per_task = number(gpus, &self.gpus_per_task)?;
        if !self.is_per_resource() {
            return Ok(Shape {
                slots,
                nodes,
                cores: cores_per_task.unwrap_or(1),
                gpus: gpus_per_task.unwrap_or(0),
                exclusive: self.exclusive,
            });
        }
        if slots.is_some() || cores_per_task.is_some() || gpus_per_task.is_some() {
            let text = "Per-resource options can't be used with per-task options. \
                (See --help for details)";
            return Err(CliError::new(text));
        }
        let cores = number("--cores", &self.cores)?;
        let gpus_per_node = number("--gpus-per-node", &self.gpus_per_node)?;
        if gpus_per_node.is_some() && nodes.is_none() {
            return Err(CliError::new("--gpus-per-node requires --nodes"));
        }
        if nodes.is_none() && cores.is_none() {
            let text = "must specify node or core count with per_resource";
            return Err(CliError::new(text));
        }
        let (slots, cores) = match (nodes, cores) {
            (None, Some(0)) => return Err(CliError::new("--cores must be >= 1")),
            (None, cores) => (cores, 1),
            // One slot a node, so that its cores come with it.
            (Some(nodes), Some(cores)) if nodes > 0 && cores >= nodes => {
                if !cores.is_multiple_of(nodes) {
                    let text = "number of cores must be evenly divisible by node count";
                    return Err(CliError::new(text));
                }
                (Some(nodes), cores / nodes)
            }
            (Some(_), Some(_)) => {
                return Err(CliError::new("number of cores cannot be less than nnodes"));
            }
            (Some(_), None) => (None, 1),
        };
        Ok(Shape {
            slots,
            nodes,
            cores,
            gpus: gpus_per_node.unwrap_or(0),
            exclusive: self.exclusive,
        })
    }

    fn is_per_resource(&self) -> bool {
        let counts = [
            &self.cores,
            &self.tasks_per_node,
            &self.tasks_per_core,
            &self.gpus_per_node,
        ];
        counts.into_iter().any(Option::is_some)
    }

    /// The option of the shell for the number of tasks on a node or a core.
    pub(crate) fn add_per_resource(&self, jobspec: &mut Jobspec) -> Result<(), CliError> {
        let per_node = whole("--tasks-per-node", self.tasks_per_node.as_deref())?;
        let per_core = whole("--tasks-per-core", self.tasks_per_core.as_deref())?;
        let (kind, count) = match (per_node, per_core) {
            (Some(_), Some(_)) => {
                let text = "Do not specify both the number of tasks per node and per core";
                return Err(CliError::new(text));
            }
            (Some(count), None) => ("node", count),
            (None, Some(count)) => ("core", count),
            (None, None) => return Ok(()),
        };
        if count == 0 {
            return Err(CliError::new(format!("--tasks-per-{kind} must be >= 1")));
        }
        let value = json!({ "type": kind, "count": count });
        jobspec
            .set_shell_option("per-resource", value)
            .map_err(|error| CliError::new(error.to_string()))
    }
}
