//! What the shell knows of its job: the jobspec, the resources, and what follows from
//! them. Made once, when both the job and its environment are known.

use proto::data::job_attribute;
use proto::data::jobspec::CountError;
use proto::data::{IdSet, JobId, Jobspec, Rset};
use proto::job_exec::ShellJob;
use serde_json::{Map, Value};

use crate::limits::TASKS_MAX;
use crate::options::{Failure, Options, PerResource, Remark};

/// A job as its shell sees it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// Its namespace in the KVS.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Program and arguments of every task.
    pub command: Vec<String>,
    /// Its own environment; null removes.
    pub environment: Map<String, Value>,
    /// Where tasks start.
    pub cwd: Option<String>,
    /// Tasks in the job, all of them here.
    pub ntasks: u64,
    /// Nodes in the job.
    pub nnodes: u64,
    /// Broker rank of our node.
    pub rank: u32,
    /// Our host name.
    pub host: String,
    /// Cores of the job here.
    pub cores: IdSet,
    /// GPUs of the job here.
    pub gpus: IdSet,
    /// What the submitter asked of the shell.
    pub options: Options,
    /// Files to write into the temporary directory: name and RFC 37 object.
    pub files: Map<String, Value>,
    /// Attributes of the broker.
    pub attrs: std::collections::BTreeMap<String, String>,
}

/// Why a job cannot be run here.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum JobError {
    /// The jobspec is no object.
    #[error("malformed jobspec")]
    Jobspec,
    /// There is no command.
    #[error("jobspec has no command")]
    NoCommand,
    /// The resources are malformed.
    #[error("malformed R: {0}")]
    Resources(String),
    /// How many tasks to run cannot be told.
    #[error("cannot count tasks: {0}")]
    Count(#[from] CountError),
    /// More tasks than one shell can run.
    #[error("too many tasks for one shell: {0}")]
    TooMany(u64),
    /// An attribute of another type than it must be. Only a job that was not validated has one.
    #[error("{0}")]
    Attribute(String),
    /// A shell option that makes no sense.
    #[error("{}", .0.fatal)]
    Option(Failure),
}

impl JobError {
    /// What is to be said before.
    pub fn remarks(&self) -> &[Remark] {
        match self {
            JobError::Option(failure) => &failure.remarks,
            _ => &[],
        }
    }
}

impl Job {
    /// Puts together what job-exec said and the environment that the submitter signed.
    pub fn new(
        id: JobId,
        told: ShellJob,
        environment: Map<String, Value>,
    ) -> Result<Job, JobError> {
        let spec: Jobspec = serde_json::from_value(told.jobspec).map_err(|_| JobError::Jobspec)?;
        let rset: Rset = serde_json::from_value(told.r)
            .map_err(|error| JobError::Resources(error.to_string()))?;
        let (rank, node) = rset
            .nodes()
            .next()
            .ok_or_else(|| JobError::Resources("no rank".to_owned()))?;
        if spec.get("version").and_then(Value::as_u64) != Some(1) {
            return Err(JobError::Attribute("version must be 1".to_owned()));
        }
        spec.check_attributes()
            .map_err(|invalid| JobError::Attribute(invalid.0))?;
        let command: Vec<String> = spec.command().into_iter().map(str::to_owned).collect();
        if command.is_empty() {
            return Err(JobError::NoCommand);
        }
        job_attribute::check_supported(&spec)
            .map_err(|refused| JobError::Attribute(refused.to_string()))?;
        let given = spec.system("shell.options").and_then(Value::as_object);
        let verbose = spec.system("shell.verbose");
        let options = Options::read(given.unwrap_or(&Map::new()), verbose);
        let options = options.map_err(JobError::Option)?;
        let ntasks = count_tasks(&spec, &rset, &options)?;
        if ntasks > TASKS_MAX {
            return Err(JobError::TooMany(ntasks));
        }
        let files = spec.system("files").and_then(Value::as_object);
        Ok(Job {
            id,
            userid: told.userid,
            namespace: told.namespace,
            name: spec.name().to_owned(),
            command,
            environment,
            cwd: spec.cwd().map(str::to_owned),
            ntasks,
            nnodes: rset.nnodes() as u64,
            rank,
            host: node.host.to_string(),
            cores: node.cores.clone(),
            gpus: node.gpus.clone(),
            options,
            files: files.cloned().unwrap_or_default(),
            attrs: told.attrs,
        })
    }

    /// The ranks of its tasks here: all of them.
    pub fn task_ids(&self) -> IdSet {
        IdSet::first_n(u32::try_from(self.ntasks).unwrap_or(u32::MAX))
    }

    /// An attribute of the broker.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.get(name).map(String::as_str)
    }

    /// Whether the instance belongs to the job's own user.
    pub fn is_owners(&self) -> bool {
        self.attr("security.owner") == Some(self.userid.to_string().as_str())
    }
}

/// How many tasks to run: as the jobspec says, or N for each resource that the job
/// was given.
fn count_tasks(spec: &Jobspec, rset: &Rset, options: &Options) -> Result<u64, JobError> {
    let count = spec
        .get("tasks")
        .and_then(|tasks| tasks.get(0)?.get("count"));
    if count.is_some_and(|count| !count.is_object()) {
        let text = "task count must be a mapping";
        return Err(JobError::Attribute(text.to_owned()));
    }
    let is_number = |key: &str| {
        let count = count.and_then(|count| count.get(key));
        count.is_none_or(|count| count.as_u64().is_some_and(|count| count > 0))
    };
    if !is_number("total") || !is_number("per_slot") {
        let text = "task count must be an int > 0";
        return Err(JobError::Attribute(text.to_owned()));
    }
    let total = count.and_then(|count| count.get("total"));
    Ok(match (total, options.per_resource) {
        (None, Some((PerResource::Node, count))) => count.saturating_mul(rset.nnodes() as u64),
        (None, Some((PerResource::Core, count))) => count.saturating_mul(rset.ncores()),
        _ => spec.ntasks()?,
    })
}
