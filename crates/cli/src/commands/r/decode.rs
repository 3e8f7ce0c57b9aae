//! `flux R decode`: the contents of a set, all of it or a part.

use proto::data::constraint::Universe;
use proto::data::{Constraint, IdSet, Rset};
use serde_json::json;

use super::{failed, print, read};
use command::error::CliError;
use command::flux::Flux;

/// Print the union of all sets, or parts of it
#[derive(clap::Args)]
pub struct Decode {
    /// Print a line such as rank0/core[0-3]
    #[arg(short, long)]
    short: bool,
    /// Print the hosts
    #[arg(short, long)]
    nodelist: bool,
    /// Print the ranks
    #[arg(short, long)]
    ranks: bool,
    /// Print the number of resources of this type: node, core or gpu
    #[arg(short, long, value_name = "TYPE")]
    count: Option<String>,
    /// Keep only these ranks
    #[arg(short, long, value_name = "RANKS")]
    include: Option<String>,
    /// Leave out these ranks
    #[arg(short = 'x', long, value_name = "RANKS")]
    exclude: Option<String>,
    /// Keep only ranks with these properties, separated by commas; ^NAME for those
    /// without
    #[arg(short, long, value_name = "LIST")]
    properties: Option<String>,
}

impl Decode {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut set = read::union(flux)?;
        self.filter(&mut set)?;
        let mut lines = Vec::new();
        if self.short {
            lines.push(set.to_string());
        }
        if self.nodelist {
            lines.push(set.nodelist().to_string());
        }
        if self.ranks {
            lines.push(set.ranks().to_string());
        }
        if let Some(kind) = &self.count {
            lines.push(count(&set, kind)?.to_string());
        }
        if lines.is_empty() {
            return print(flux, set);
        }
        for line in lines {
            flux.line(line)?;
        }
        Ok(())
    }

    fn filter(&self, set: &mut Rset) -> Result<(), CliError> {
        let before = set.nnodes();
        if let Some(list) = &self.properties {
            let names: Vec<&str> = list.split(',').collect();
            let constraint = Constraint::parse(&json!({ "properties": names })).map_err(failed)?;
            let matching = constraint.ranks(&Ranks {
                all: set.ranks(),
                set,
            });
            set.keep_ranks(&matching);
        }
        if let Some(ranks) = &self.include {
            set.keep_ranks(&idset("include", ranks)?);
        }
        if let Some(ranks) = &self.exclude {
            set.remove_ranks(&idset("exclude", ranks)?);
        }
        if set.nnodes() != before {
            read::forget_shape(set);
        }
        Ok(())
    }
}

/// The ranks that properties choose from.
struct Ranks<'s> {
    all: IdSet,
    set: &'s Rset,
}

impl Universe for Ranks<'_> {
    fn all(&self) -> &IdSet {
        &self.all
    }

    /// Hosts are not asked for.
    fn on_host(&self, _: &str) -> Option<&IdSet> {
        None
    }

    fn with_property(&self, name: &str) -> Option<&IdSet> {
        self.set.property(name)
    }
}

fn idset(option: &str, text: &str) -> Result<IdSet, CliError> {
    let text_of_refusal = || CliError::new(format!("--{option}: invalid idset '{text}'"));
    text.parse().map_err(|_| text_of_refusal())
}

fn count(set: &Rset, kind: &str) -> Result<u64, CliError> {
    match kind {
        "node" => Ok(set.nnodes() as u64),
        "core" => Ok(set.ncores()),
        "gpu" => Ok(set.ngpus()),
        _ => {
            let text = format!("--count: unknown type '{kind}', expected node, core or gpu");
            Err(CliError::new(text))
        }
    }
}
