//! The plugin `require-instance`: large jobs must be instances of their own, so that the many
//! small ones in them are none of ours.

use proto::config::ingest::RequireInstance as Conf;
use proto::data::Jobspec;
use proto::{Errno, Refusal};

use crate::Broken;
use crate::options::Options;

pub(crate) const MINNODES: &str = "--require-instance-minnodes";
pub(crate) const MINCORES: &str = "--require-instance-mincores";

/// Cores of a node, unless the site says how many are many.
const CORES_PER_NODE: u64 = 16;

/// From which size on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequireInstance {
    /// Every job.
    All,
    /// Jobs of this size.
    From {
        /// Nodes, if they count.
        nodes: Option<u64>,
        /// Cores.
        cores: u64,
    },
}

impl RequireInstance {
    /// Arguments come before the configuration.
    pub fn new(options: &Options, conf: Conf) -> Result<RequireInstance, Broken> {
        let nodes = options.number(MINNODES)?.or(conf.minnodes);
        let cores = options.number(MINCORES)?.or(conf.mincores);
        Ok(match (nodes, cores) {
            (None, None) | (Some(0), _) | (None, Some(0)) => RequireInstance::All,
            (Some(nodes), cores) => RequireInstance::From {
                nodes: Some(nodes),
                cores: cores.unwrap_or_else(|| nodes.saturating_mul(CORES_PER_NODE)),
            },
            (None, Some(cores)) => RequireInstance::From { nodes: None, cores },
        })
    }

    pub fn check(self, jobspec: &Jobspec) -> Result<(), Refusal> {
        let refused = |text: String| Err(Refusal::new(Errno::EINVAL, text));
        if is_instance(jobspec) {
            return Ok(());
        }
        let please = "Please use flux-batch(1) or flux-alloc(1)";
        let (nodes, cores) = match self {
            RequireInstance::All => {
                return refused(format!(
                    "Direct job submission is disabled for all jobs in this instance. {please}"
                ));
            }
            RequireInstance::From { nodes, cores } => (nodes, cores),
        };
        let counts = match jobspec.counts() {
            Ok(counts) => counts,
            Err(error) => return refused(error.to_string()),
        };
        let is_large =
            nodes.is_some_and(|nodes| counts.nnodes >= nodes) || counts.ncores() >= cores;
        if !is_large {
            return Ok(());
        }
        let nodes = nodes.map_or(String::new(), |nodes| format!("{nodes} nodes or "));
        refused(format!(
            "Direct job submission disabled for jobs >= {nodes}{cores} cores. {please}"
        ))
    }
}

/// True if a job starts an instance.
fn is_instance(jobspec: &Jobspec) -> bool {
    let command = jobspec.command();
    let is_start = match command.as_slice() {
        [program, "broker" | "start", ..] => program.rsplit('/').next() == Some("flux"),
        _ => false,
    };
    is_start || jobspec.system("batch").is_some()
}
