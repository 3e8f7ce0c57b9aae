//! `flux overlay errors`: why brokers are not there, host by host.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Handle;
use proto::data::{Hostlist, IdSet};
use proto::overlay::{Status, Tree};

use super::{TIMEOUT, ask, hosts, limit, tree};
use command::error::CliError;
use command::flux::Flux;

/// Show why brokers are offline
#[derive(clap::Args)]
pub(super) struct Errors {
    /// Wait at most this long for a broker to answer (0 = no limit)
    #[arg(short, long, value_name = "FSD", default_value = TIMEOUT)]
    timeout: String,
}

/// Of the brokers below one that was lost.
const LOST_PARENT: &str = "lost parent";

impl Errors {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let limit =
            limit(&self.timeout).map_err(|error| CliError::new(error).about("--timeout"))?;
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let tree = tree(&mut handle, 0)?;
        let mut found = Found::default();
        found.look(&mut handle, &tree, limit);
        for (text, ranks) in found.by_text {
            let names: Hostlist = hosts.select(&ranks);
            flux.line(format!("{names}: {text}"))?;
        }
        Ok(())
    }
}

/// Missing brokers, by the error reported.
#[derive(Default)]
struct Found {
    by_text: BTreeMap<String, IdSet>,
}

impl Found {
    /// Asks each broker that has children, from the top down.
    fn look(&mut self, handle: &mut Handle, tree: &Tree, limit: Option<Duration>) {
        if tree.children.is_empty() {
            return;
        }
        let health = match ask(handle, tree.rank, limit) {
            Ok((health, _)) => health,
            Err(refusal) => return self.add(tree.rank, &refusal.to_string()),
        };
        for child in &health.children {
            let below = tree.children.iter().find(|below| below.rank == child.rank);
            match (child.status, &child.error) {
                (Status::Lost, error) => {
                    self.add(child.rank, error.as_deref().unwrap_or("lost"));
                    self.add_below(below, LOST_PARENT);
                }
                (Status::Offline, Some(error)) => self.add(child.rank, error),
                (Status::Offline, None) => {}
                _ => {
                    if let Some(below) = below {
                        self.look(handle, below, limit);
                    }
                }
            }
        }
    }

    fn add(&mut self, rank: u32, text: &str) {
        self.by_text
            .entry(text.to_owned())
            .or_default()
            .insert(rank);
    }

    fn add_below(&mut self, tree: Option<&Tree>, text: &str) {
        for child in tree.into_iter().flat_map(|tree| &tree.children) {
            self.add(child.rank, text);
            self.add_below(Some(child), text);
        }
    }
}
