//! The shell's job: the jobspec, the resources, and values computed from them. Made
//! once, when both the job and its environment are known.

use std::rc::Rc;

use proto::data::job_attribute;
use proto::data::jobspec::CountError;
use proto::data::{IdSet, JobId, Jobspec, Rset};
use proto::job_exec::ShellJob;
use serde_json::{Map, Value};

use crate::distribute::{self, first};
use crate::options::{Failure, Options, Remark};

/// A job as its shell sees it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Job id.
    pub id: JobId,
    /// User id of its submitter.
    pub userid: u32,
    /// Namespace in the KVS.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Program and arguments of every task.
    pub command: Vec<String>,
    /// Environment of the job itself; null removes.
    pub environment: Map<String, Value>,
    /// Working directory of tasks.
    pub cwd: Option<String>,
    /// True if tasks are to be killed when no broker is found during the lease.
    pub stops_when_lost: bool,
    /// Tasks in the job, on all nodes.
    pub ntasks: u64,
    /// Nodes, one a shell, in the order of shell ranks.
    pub nodes: Vec<JobNode>,
    /// Place among the job's shells.
    pub place: Place,
    /// Slots of the job, cores of one, and slots of a node if the job has a number of
    /// nodes.
    pub slots: Slots,
    /// Messages about unused resources.
    pub adjusted: Vec<String>,
    /// Shell options of the submitter.
    pub options: Options,
    /// Reason for which it cannot run with these options, unless a script changes them.
    pub failure: Option<Failure>,
    /// Data it is made from.
    pub told: Rc<JobSource>,
    /// Files to write into the temporary directory: name and RFC 37 object.
    pub files: Map<String, Value>,
    /// Attributes of the broker.
    pub attrs: std::collections::BTreeMap<String, String>,
}

/// Data from which a job is made.
#[derive(Debug)]
pub struct JobSource {
    /// The jobspec.
    pub spec: Jobspec,
    /// The resources as they were received.
    pub r: Value,
    rset: Rset,
}

impl JobSource {
    /// The options that the job came with.
    pub fn options(&self) -> Map<String, Value> {
        let given = self.spec.system("shell.options");
        given
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }
}

/// Place of a shell among those of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Rank among them: the index of its broker's rank in R.
    pub rank: u32,
    /// Number of shells.
    pub size: u32,
}

impl Default for Place {
    fn default() -> Place {
        Place { rank: 0, size: 1 }
    }
}

impl Place {
    /// The place of the shell on this broker, of a job with these resources.
    fn new(told: &ShellJob, rset: &Rset) -> Result<Place, JobError> {
        let mut ranks = rset.nodes().map(|(rank, _)| rank);
        let own = told.attrs.get("rank").and_then(|rank| rank.parse().ok());
        let first = rset.nodes().next().map(|(rank, _)| rank);
        let first = first.ok_or_else(|| JobError::Resources("no rank".to_owned()))?;
        let own = own.unwrap_or(first);
        let rank = ranks.position(|rank| rank == own);
        let rank = rank.ok_or(JobError::NotHere(own))?;
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Place {
            rank: small(rank),
            size: small(rset.nnodes()),
        })
    }

    /// The place, and the resources that say so.
    pub fn read(told: &ShellJob) -> Result<(Place, Rset), JobError> {
        let rset: Rset = serde_json::from_value(told.r.clone())
            .map_err(|error| JobError::Resources(error.to_string()))?;
        Ok((Place::new(told, &rset)?, rset))
    }

    /// True if this is the leading shell, which writes for all.
    pub fn is_leader(self) -> bool {
        self.rank == 0
    }
}

/// A node of a job.
#[derive(Debug, Clone, Default)]
pub struct JobNode {
    /// Broker rank.
    pub rank: u32,
    /// Host name.
    pub host: String,
    /// Cores of the job there.
    pub cores: IdSet,
    /// GPUs of the job there.
    pub gpus: IdSet,
    /// Tasks of the job there, before a task map moves them.
    pub ntasks: u32,
}

/// The slots of a job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots {
    /// Number of tasks.
    pub count: u64,
    /// Cores of one.
    pub cores: u64,
    /// Number of tasks per node, if the job gives the number of nodes.
    pub per_node: Option<u64>,
}

/// Reasons for which a job cannot be run here.
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
    /// The number of tasks is unknown.
    #[error("cannot count tasks: {0}")]
    Count(#[from] CountError),
    /// Resources on other nodes than ours.
    #[error("R has no resources on rank {0}")]
    NotHere(u32),
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
    /// Messages to log first.
    pub fn remarks(&self) -> &[Remark] {
        match self {
            JobError::Option(failure) => &failure.remarks,
            _ => &[],
        }
    }

    /// The part of the shell that says so.
    pub fn component(&self) -> Option<&'static str> {
        match self {
            JobError::Option(failure) => failure.component,
            _ => None,
        }
    }
}

impl Job {
    /// Combines the data from job-exec and the environment that the submitter signed.
    pub fn new(
        id: JobId,
        told: ShellJob,
        (place, rset): (Place, Rset),
        environment: Map<String, Value>,
    ) -> Result<Job, JobError> {
        let spec = serde_json::from_value(told.jobspec);
        let spec: Jobspec = spec.map_err(|_| JobError::Jobspec)?;
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
        let options = Options::read_first(given.unwrap_or(&Map::new()), verbose);
        let (options, failure) = options.map_err(JobError::Option)?;
        let counted = count(&spec, &rset, &options, place);
        let (nodes, ntasks, adjusted) = match (counted, &failure) {
            (Err(_), Some(failure)) => return Err(JobError::Option(failure.clone())),
            (counted, _) => counted?,
        };
        let files = spec.system("files").and_then(Value::as_object);
        Ok(Job {
            id,
            userid: told.userid,
            namespace: told.namespace,
            name: spec.name().to_owned(),
            command,
            environment,
            cwd: spec.cwd().map(str::to_owned),
            stops_when_lost: spec
                .get("attributes.system.on-lost-server")
                .and_then(|what| what.as_str())
                == Some("stop"),
            ntasks,
            nodes,
            place,
            slots: slots(&spec),
            adjusted,
            options,
            failure,
            files: files.cloned().unwrap_or_default(),
            attrs: told.attrs,
            told: Rc::new(JobSource {
                spec,
                r: told.r,
                rset,
            }),
        })
    }

    /// The same with the options and the environment that scripts have left.
    pub fn again(
        &self,
        options: Options,
        environment: Map<String, Value>,
    ) -> Result<Job, JobError> {
        let told = &self.told;
        let (nodes, ntasks, adjusted) = count(&told.spec, &told.rset, &options, self.place)?;
        Ok(Job {
            options,
            failure: None,
            environment,
            nodes,
            ntasks,
            adjusted,
            ..self.clone()
        })
    }

    /// Our own node.
    pub fn node(&self) -> &JobNode {
        // The shell rank is a place in this list; a list has one node at least.
        &self.nodes[self.place.rank as usize]
    }

    /// Number of nodes, and so of shells.
    pub fn nnodes(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// True if there are other shells.
    pub fn has_others(&self) -> bool {
        self.nodes.len() > 1
    }

    /// True if this is the leading shell, which writes for all.
    pub fn is_leader(&self) -> bool {
        self.place.is_leader()
    }

    /// The host of a shell; empty if there is no such shell.
    pub fn host_of(&self, shell_rank: u32) -> &str {
        let node = self.nodes.get(shell_rank as usize);
        node.map_or("", |node| node.host.as_str())
    }

    /// An attribute of the broker.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attrs.get(name).map(String::as_str)
    }

    /// True if the instance belongs to the job's own user.
    pub fn is_owners(&self) -> bool {
        self.attr("security.owner") == Some(self.userid.to_string().as_str())
    }
}

/// The nodes of a job, its tasks, and the messages about unused resources.
fn count(
    spec: &Jobspec,
    rset: &Rset,
    options: &Options,
    place: Place,
) -> Result<(Vec<JobNode>, u64, Vec<String>), JobError> {
    let mut nodes = nodes(spec, rset, options)?;
    let ntasks = nodes.iter().map(|node| u64::from(node.ntasks)).sum();
    let own = &mut nodes[place.rank as usize];
    let adjusted = adjust(spec, options, ntasks, own);
    Ok((nodes, ntasks, adjusted))
}

/// The nodes of a job and the default number of tasks on each.
fn nodes(spec: &Jobspec, rset: &Rset, options: &Options) -> Result<Vec<JobNode>, JobError> {
    let tasks = distribute::tasks_of_nodes(spec, rset, options.per_resource)?;
    let nodes = rset
        .nodes()
        .zip(tasks)
        .map(|((rank, node), ntasks)| JobNode {
            rank,
            host: node.host.to_string(),
            cores: node.cores.clone(),
            gpus: node.gpus.clone(),
            ntasks,
        });
    Ok(nodes.collect())
}

fn slots(spec: &Jobspec) -> Slots {
    let counts = spec.counts().unwrap_or_default();
    Slots {
        count: counts.nslots,
        cores: counts.slot_size,
        per_node: counts.nslots.checked_div(counts.nnodes),
    }
}

/// Gives up resources of our node for slots without a task; logs it.
fn adjust(spec: &Jobspec, options: &Options, ntasks: u64, node: &mut JobNode) -> Vec<String> {
    let tasks = (ntasks, node.ntasks);
    let Some((cores, gpus)) = distribute::kept(spec, options.per_resource.is_some(), tasks) else {
        return Vec::new();
    };
    let mut said = Vec::new();
    let kinds = [
        ("cores", cores, &mut node.cores),
        ("gpus", gpus, &mut node.gpus),
    ];
    for (kind, n, ids) in kinds {
        if ids.count() > n {
            let kept = first(ids, n);
            said.push(format!(
                "{}: adjusted {kind} from {ids} to {kept}",
                node.host
            ));
            *ids = kept;
        }
    }
    said
}
