//! `flux housekeeping`: commands on the nodes of jobs that have ended.

mod kill;
mod list;

use client::Handle;
use proto::data::{Hostlist, IdSet};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

/// List and signal housekeeping commands, which run on nodes between jobs
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
    let (ranks, unknown) = split_targets(text, hosts)?;
    match unknown {
        None => Ok(ranks),
        Some(name) => {
            let text = format!("didn't find {name} in instance hostlist");
            Err(CliError::new(text))
        }
    }
}

/// The same without the hosts that are not of the instance.
fn known_ranks(text: &str, hosts: &Hostlist) -> Result<IdSet, CliError> {
    Ok(split_targets(text, hosts)?.0)
}

/// The ranks, and the first host that is not of the instance.
fn split_targets(text: &str, hosts: &Hostlist) -> Result<(IdSet, Option<String>), CliError> {
    if let Ok(ranks) = text.parse::<IdSet>() {
        return Ok((ranks, None));
    }
    let named = text.parse::<Hostlist>();
    let named = named.map_err(|error| CliError::new(format!("{error}")))?;
    let (mut ranks, mut unknown) = (IdSet::new(), None);
    for name in named.iter() {
        let of_host = hosts.iter().zip(0..).filter(|(host, _)| *host == name);
        let of_host: IdSet = of_host.map(|(_, rank)| rank).collect();
        if of_host.is_empty() && unknown.is_none() {
            unknown = Some(name.to_owned());
        }
        ranks.add(&of_host);
    }
    Ok((ranks, unknown))
}
