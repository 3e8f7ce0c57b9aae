//! `flux job taskmap`

use client::Handle;
use proto::data::eventlog::split_log;
use proto::data::{Hostlist, JobId, Rset, TaskMap};
use proto::job_info::{JSON_DECODE, Lookup};
use serde_json::Value;

use super::events::decode;
use command::error::CliError;
use command::flux::Flux;

/// Print the map of a job's tasks to nodes
#[derive(clap::Args)]
pub struct Taskmap {
    /// Print the tasks on this node
    #[arg(long, value_name = "NODEID")]
    taskids: Option<u32>,
    /// Print the number of tasks on this node
    #[arg(long, value_name = "NODEID")]
    ntasks: Option<u32>,
    /// Print the node of this task
    #[arg(long, value_name = "TASKID")]
    nodeid: Option<u32>,
    /// Print the host of this task
    #[arg(long, value_name = "TASKID")]
    hostname: Option<u32>,
    /// Print the map in another form
    #[arg(long, value_name = "FORM")]
    to: Option<Shape>,
    /// Job id, or a task map
    #[arg(value_name = "ID|MAP")]
    target: String,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Raw,
    Pmi,
    Multiline,
    Hosts,
}

impl Taskmap {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut job = Job::find(flux, &self.target)?;
        let no_node = |node: u32| CliError::new(format!("No taskids for node {node}"));
        let no_task = |task: u32| CliError::new(format!("failed to get nodeid for task {task}"));
        if let Some(node) = self.taskids {
            let tasks = job.map.tasks_on(node);
            if tasks.is_empty() {
                return Err(no_node(node));
            }
            flux.line(&tasks)?;
        } else if let Some(node) = self.ntasks {
            let tasks = job.map.tasks_on(node);
            if tasks.is_empty() {
                return Err(no_node(node));
            }
            flux.line(tasks.count())?;
        } else if let Some(task) = self.nodeid {
            let node = job.map.node_of(task).ok_or_else(|| no_task(task))?;
            flux.line(node)?;
        } else if let Some(task) = self.hostname {
            let node = job.map.node_of(task).ok_or_else(|| no_task(task))?;
            let hosts = job.hosts()?;
            flux.line(host(&hosts, node))?;
        } else {
            self.print(flux, &mut job)?;
        }
        Ok(())
    }

    fn print(&self, flux: &mut Flux, job: &mut Job) -> Result<(), CliError> {
        match self.to {
            None => flux.line(&job.map)?,
            Some(Shape::Raw) => flux.line(job.map.to_raw())?,
            Some(Shape::Pmi) => flux.line(job.map.to_pmi())?,
            Some(Shape::Multiline) => {
                for (task, node) in by_task(&job.map) {
                    flux.line(format_args!("{task}: {node}"))?;
                }
            }
            Some(Shape::Hosts) => {
                let hosts = job.hosts()?;
                for (node, tasks) in job.map.nodes().iter().enumerate() {
                    let node = u32::try_from(node).unwrap_or(u32::MAX);
                    flux.line(format_args!("{}: {tasks}", host(&hosts, node)))?;
                }
            }
        }
        Ok(())
    }
}

/// Each task with its node.
fn by_task(map: &TaskMap) -> Vec<(u32, usize)> {
    let nodes = map.nodes();
    let nodes = nodes.iter().enumerate();
    let mut tasks: Vec<(u32, usize)> = nodes
        .flat_map(|(node, tasks)| tasks.iter().map(move |task| (task, node)))
        .collect();
    tasks.sort_unstable();
    tasks
}

fn host(hosts: &Hostlist, node: u32) -> &str {
    let host = usize::try_from(node).ok().and_then(|node| hosts.get(node));
    host.unwrap_or("?")
}

/// A map, and the job that it is of.
struct Job {
    map: TaskMap,
    of: Option<(Handle, JobId)>,
}

impl Job {
    /// A text with a bracket, parenthesis or semicolon is a map, any other a job.
    fn find(flux: &Flux, target: &str) -> Result<Job, CliError> {
        if target.contains(['[', '(', ';', '{']) {
            let map = target.parse::<TaskMap>();
            let map =
                map.map_err(|error| CliError::new(format!("error decoding taskmap: {error}")))?;
            return Ok(Job { map, of: None });
        }
        let id = super::parse_id(target)?;
        let mut handle = flux.connect()?;
        let map = map_of(&mut handle, id)?;
        Ok(Job {
            map,
            of: Some((handle, id)),
        })
    }

    fn hosts(&mut self) -> Result<Hostlist, CliError> {
        let Some((handle, id)) = &mut self.of else {
            return Err(CliError::new(
                "hosts are known only for jobs, not for a map",
            ));
        };
        let r = lookup(handle, *id, "R", JSON_DECODE)?;
        let r: Rset = serde_json::from_value(r)
            .map_err(|error| CliError::new(format!("R of {id}: {error}")))?;
        Ok(r.nodelist())
    }
}

/// The map that the job's first shell has logged.
fn map_of(handle: &mut Handle, id: JobId) -> Result<TaskMap, CliError> {
    let key = "guest.exec.eventlog";
    let missing = || CliError::new(format!("failed to get taskmap for job {id}"));
    let log = lookup(handle, id, key, 0)?;
    let log = log.as_str().unwrap_or_default();
    let lines = split_log(log.as_bytes()).map_err(|error| CliError::new(error.to_string()))?;
    for line in lines {
        let entry = decode(line)?;
        if entry.name() == "shell.start" {
            let map = entry.get("taskmap").ok_or_else(missing)?;
            return TaskMap::from_json(map).map_err(|error| CliError::new(error.to_string()));
        }
    }
    Err(missing())
}

fn lookup(handle: &mut Handle, id: JobId, key: &str, flags: u32) -> Result<Value, CliError> {
    let mut reply = handle.rpc(&Lookup {
        id,
        keys: vec![key.to_owned()],
        flags,
    })?;
    let missing = || CliError::new(format!("{key}: key not found"));
    reply.values.shift_remove(key).ok_or_else(missing)
}
