//! `flux overlay`: the tree of brokers, and how they are (protocol/20 section 13).

use std::time::{Duration, Instant};

use client::{Call, Handle};
use proto::data::{Fsd, Hostlist};
use proto::overlay::{Health, HealthReply, Topology, Tree};
use proto::{Delivery, Refusal};

use command::entry::{Group, Run, Style};
use command::error::CliError;
use command::flux::Flux;

mod disconnect;
mod errors;
mod lookup;
mod status;
mod trace;

/// Show the tree of brokers
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux overlay status -v
  flux overlay errors
  flux overlay lookup 0-3
  flux overlay disconnect node12
  flux overlay trace -t request 'kvs.*'")]
pub struct Overlay {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Status(status::Status),
    Errors(errors::Errors),
    Lookup(lookup::Lookup),
    Parentof(lookup::Parentof),
    Disconnect(disconnect::Disconnect),
    Trace(trace::Trace),
}

impl Run for Overlay {
    const NAME: &'static str = "overlay";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Status(status) => status.run(flux),
            Verb::Errors(errors) => errors.run(flux),
            Verb::Lookup(lookup) => lookup.run(flux),
            Verb::Parentof(parentof) => parentof.run(flux),
            Verb::Disconnect(disconnect) => disconnect.run(flux),
            Verb::Trace(trace) => trace.run(flux),
        }
    }
}

/// Default time that a broker has to answer: short, so that a hanging broker does not
/// hold up the display of all others.
const TIMEOUT: &str = "0.5s";

/// The hosts of all ranks.
fn hosts(handle: &mut Handle) -> Result<Hostlist, CliError> {
    let hosts = handle.attr("hostlist")?;
    let hosts = hosts.parse();
    hosts.map_err(|error| CliError::new(format!("{error}")).about("hostlist"))
}

/// The tree below a rank, which is asked itself.
fn tree(handle: &mut Handle, rank: u32) -> Result<Tree, CliError> {
    let tree = handle.call(Call::new(&Topology { rank }).to(rank));
    Ok(tree?)
}

/// Asks a broker for its status and that of its children; returns the time it took too.
fn ask(
    handle: &mut Handle,
    rank: u32,
    limit: Option<Duration>,
) -> Result<(HealthReply, Duration), Refusal> {
    let asked = Instant::now();
    let delivery = Delivery::Wait { deadline: limit };
    let health = handle.call(Call::new(&Health).to(rank).delivery(delivery))?;
    Ok((health, asked.elapsed()))
}

/// A limit of time; 0 and `none` are none.
fn limit(timeout: &str) -> Result<Option<Duration>, String> {
    if timeout.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let seconds = timeout
        .parse::<Fsd>()
        .map_err(|error| error.to_string())?
        .secs();
    let limit = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok((!limit.is_zero()).then_some(limit))
}

fn not_a_rank(rank: impl std::fmt::Display) -> CliError {
    CliError::new(format!("{rank} is not a valid rank in this instance"))
}

/// Rank 3 is below rank 1, which is below rank 0 beside rank 2.
#[cfg(test)]
fn tree_of_four() -> Tree {
    let leaf = |rank| Tree {
        rank,
        size: 1,
        children: vec![],
    };
    let inner = Tree {
        rank: 1,
        size: 2,
        children: vec![leaf(3)],
    };
    Tree {
        rank: 0,
        size: 4,
        children: vec![inner, leaf(2)],
    }
}
