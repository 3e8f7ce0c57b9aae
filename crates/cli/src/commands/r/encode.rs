//! `flux R encode`: a set made from ids, or from the resources of a host.

use std::path::PathBuf;

use proto::data::limits::RSET_RANKS_MAX;
use proto::data::rset::Node;
use proto::data::{Hostlist, IdSet, Rset};

use super::{failed, hostname, local, print, property, xml};
use command::error::{CliError, io_text};
use command::flux::Flux;

/// Print a resource set made from options
#[derive(clap::Args)]
pub struct Encode {
    /// Ranks; default: 0, or one for each host
    #[arg(short, long, value_name = "IDSET")]
    ranks: Option<String>,
    /// Cores of each rank; default: 0
    #[arg(short, long, value_name = "IDSET")]
    cores: Option<String>,
    /// GPUs of each rank
    #[arg(short, long, value_name = "IDSET")]
    gpus: Option<String>,
    /// Hosts, one for each rank; default: this host for all
    #[arg(short = 'H', long, value_name = "HOSTLIST")]
    hosts: Option<String>,
    /// Add a property to these ranks; default: to all
    #[arg(short, long, value_name = "NAME[:RANKS]")]
    property: Vec<String>,
    /// Take cores and GPUs from this host
    #[arg(short, long)]
    local: bool,
    /// Take cores and GPUs from an hwloc XML file
    #[arg(short = 'f', long, value_name = "FILE")]
    xml: Option<PathBuf>,
}

impl Encode {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let node = self.node()?;
        let given: Option<Hostlist> = self
            .hosts
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(failed)?;
        let ranks = match (&self.ranks, &given) {
            (Some(ranks), _) => idset("ranks", ranks)?,
            (None, Some(hosts)) => IdSet::first_n(u32::try_from(hosts.len()).unwrap_or(u32::MAX)),
            (None, None) => IdSet::from(0),
        };
        let nranks = ranks.count();
        if nranks > RSET_RANKS_MAX {
            return Err(CliError::new(format!("more than {RSET_RANKS_MAX} ranks")));
        }
        if let (Some(hosts), Some(text)) = (&given, &self.hosts)
            && hosts.len() as u64 != nranks
        {
            let text = format!("hostname count in '{text}' does not match nranks ({nranks})");
            return Err(CliError::new(text));
        }
        let mut hosts = given.iter().flatten();
        let mut set = Rset::new();
        for rank in ranks.iter() {
            let mut node = node.clone();
            if let Some(host) = hosts.next() {
                node.host = host.into();
            }
            set.add_rank(rank, node).map_err(failed)?;
        }
        property::assign(&mut set, &self.property)?;
        print(flux, set)
    }

    /// Resources of each rank, with the default host.
    fn node(&self) -> Result<Node, CliError> {
        let is_found = self.local || self.xml.is_some();
        if is_found && (self.cores.is_some() || self.gpus.is_some()) {
            let text = "do not specify --cores or --gpus with --local or --xml";
            return Err(CliError::new(text));
        }
        if let Some(path) = &self.xml {
            let about = |error: CliError| error.about(path.display());
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| about(CliError::new(io_text(&error))))?;
            let mut node = xml::node(&text).map_err(|error| about(CliError::new(error)))?;
            if node.host.is_empty() {
                node.host = hostname()?.into();
            }
            return Ok(node);
        }
        if self.local {
            return local::node(&hostname()?).ok_or_else(|| CliError::new("no core found"));
        }
        let cores = idset("cores", self.cores.as_deref().unwrap_or("0"))?;
        let mut node = Node::with_cores(&hostname()?, cores);
        node.gpus = idset("gpus", self.gpus.as_deref().unwrap_or_default())?;
        Ok(node)
    }
}

fn idset(option: &str, text: &str) -> Result<IdSet, CliError> {
    let failed = || CliError::new(format!("Failed to decode {option}='{text}' as idset"));
    text.parse().map_err(|_| failed())
}
