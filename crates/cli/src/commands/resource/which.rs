//! Options that choose nodes: `--include` and `--queue`.

use std::collections::BTreeSet;

use client::Handle;
use proto::data::{Hostlist, IdSet, Rset};
use proto::resource::SchedStatusReply;

use crate::commands::jobs::query::split;
use crate::commands::queue::nodes::QueueNodes;
use command::error::CliError;

/// Selection of nodes.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Which {
    /// Show only these hosts or ranks
    #[arg(short, long, value_name = "HOSTS|RANKS")]
    include: Option<String>,
    /// Show only the nodes of these queues, separated by commas
    #[arg(short, long, value_name = "QUEUE")]
    queue: Vec<String>,
}

impl Which {
    /// The queues that are named.
    pub fn queues(&self) -> Vec<&str> {
        split(&self.queue).collect()
    }

    /// The ranks that are meant; `None` for all.
    pub fn ranks(&self, handle: &mut Handle, r: &Rset) -> Result<Option<IdSet>, CliError> {
        let included = self.include.as_ref().map(|text| included(text, r));
        let included = included.transpose()?;
        let queues = self.queues();
        if queues.is_empty() {
            return Ok(included);
        }
        let nodes = QueueNodes::ask(handle)?;
        let mut ranks = IdSet::default();
        for queue in queues {
            if !nodes.has(queue) {
                return Err(CliError::new(format!("--queue: {queue}: no such queue")));
            }
            ranks.add(&nodes.ranks(Some(queue), r)?);
        }
        Ok(Some(match included {
            Some(included) => ranks.intersection(&included),
            None => ranks,
        }))
    }

    /// Removes the nodes that are not selected from all resources.
    pub fn keep(&self, handle: &mut Handle, all: &mut SchedStatusReply) -> Result<(), CliError> {
        if let Some(ranks) = self.ranks(handle, &all.all)? {
            for set in [&mut all.all, &mut all.down, &mut all.allocated] {
                set.keep_ranks(&ranks);
            }
        }
        Ok(())
    }
}

fn included(text: &str, r: &Rset) -> Result<IdSet, CliError> {
    if let Ok(ranks) = text.parse::<IdSet>() {
        return Ok(ranks);
    }
    let hosts = text.parse::<Hostlist>();
    let hosts = hosts.map_err(|error| CliError::new(format!("--include: {error}")))?;
    let hosts: BTreeSet<&str> = hosts.iter().collect();
    let included = r.nodes().filter(|(_, node)| hosts.contains(&*node.host));
    Ok(included.map(|(rank, _)| rank).collect())
}
