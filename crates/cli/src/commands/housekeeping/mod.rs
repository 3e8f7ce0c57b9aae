//! `flux housekeeping`: what runs on the nodes of jobs that have ended.

mod kill;
mod list;

use client::Handle;
use proto::data::{Hostlist, IdSet};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// List and signal commands that run on nodes between two jobs
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux housekeeping list
  flux housekeeping kill --targets node[3-7]
  flux housekeeping kill --signal KILL --jobid f3Kq5yo")]
pub struct Housekeeping {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    List(list::List),
    Kill(kill::Kill),
}

impl Run for Housekeeping {
    const NAME: &'static str = "housekeeping";
    const GROUP: Group = Group::Jobs;
    const STYLE: Style = Style::Tagged;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::List(list) => list.run(flux),
            Verb::Kill(kill) => kill.run(flux),
        }
    }
}

/// The hosts of the instance, by rank.
fn hosts(handle: &mut Handle) -> Result<Hostlist, CliError> {
    let hosts = handle.attr("hostlist")?.parse::<Hostlist>();
    hosts.map_err(|error| CliError::new(format!("{error}")).about("hostlist"))
}

/// Ranks that are given as such, or as hosts.
fn ranks_of(text: &str, hosts: &Hostlist) -> Result<IdSet, CliError> {
    if let Ok(ranks) = text.parse::<IdSet>() {
        return Ok(ranks);
    }
    let named = text.parse::<Hostlist>();
    let named = named.map_err(|error| CliError::new(format!("{error}")))?;
    let mut ranks = IdSet::new();
    for name in named.iter() {
        let of_host = hosts.iter().zip(0..).filter(|(host, _)| *host == name);
        let of_host: IdSet = of_host.map(|(_, rank)| rank).collect();
        if of_host.is_empty() {
            let text = format!("didn't find {name} in instance hostlist");
            return Err(CliError::new(text));
        }
        ranks.add(&of_host);
    }
    Ok(ranks)
}
