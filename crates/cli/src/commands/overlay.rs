//! `flux overlay`: the tree of brokers, and how they are.

use std::time::{Duration, Instant};

use client::{Arrival, Call, Handle};
use proto::data::{Fsd, Hostlist, IdSet};
use proto::overlay::{Health, HealthReply, Topology, Tree};
use proto::{Payload, Refusal};

use crate::command::{Group, Run, Style};
use crate::error::CliError;
use crate::flux::Flux;

/// Significant digits of the time in a status.
const DIGITS: usize = 3;

/// Show the tree of brokers
#[derive(clap::Parser)]
#[command(after_help = "Examples:
  flux overlay status -v
  flux overlay lookup 0")]
pub struct Overlay {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    Status(Status),
    Lookup(Lookup),
    Parentof(Parentof),
}

impl Run for Overlay {
    const NAME: &'static str = "overlay";
    const GROUP: Group = Group::Instance;
    const STYLE: Style = Style::Bare;

    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        match self.verb {
            Verb::Status(status) => status.run(flux),
            Verb::Lookup(lookup) => lookup.run(flux),
            Verb::Parentof(parentof) => parentof.run(flux),
        }
    }
}

/// Show how the brokers are
#[derive(clap::Args)]
struct Status {
    /// Rank to begin with
    #[arg(short, long, default_value_t = 0, hide_default_value = true)]
    rank: u32,
    /// Show for how long; twice for the time of the question too
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Show the status of the first broker only
    #[arg(short, long)]
    summary: bool,
    /// Leave out brokers that are full
    #[arg(long)]
    down: bool,
    /// Draw no lines
    #[arg(long)]
    no_pretty: bool,
    /// Wait until the first broker has this status
    #[arg(short, long, value_name = "STATUS")]
    wait: Option<String>,
    /// Give up waiting after this time, such as 10s or 5m
    #[arg(short, long, value_name = "DURATION")]
    timeout: Option<Fsd>,
}

impl Status {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if let Some(wanted) = &self.wait {
            self.wait_for(&mut handle, wanted)?;
        }
        let hosts = hosts(&mut handle)?;
        let (health, took) = ask(&mut handle, self.rank)?;
        if self.summary {
            flux.line(&health.status)?;
            return Ok(());
        }
        let mut walk = Walk {
            status: &self,
            handle,
            hosts,
            lines: Vec::new(),
        };
        walk.visit(&health, Some(took), "", "")?;
        for line in walk.lines {
            flux.line(&line)?;
        }
        Ok(())
    }

    fn wait_for(&self, handle: &mut Handle, wanted: &str) -> Result<(), CliError> {
        let limit = self
            .timeout
            .and_then(|t| Duration::try_from_secs_f64(t.secs()).ok());
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let stream = handle.start_stream(Call::new(&Health).to(self.rank));
        loop {
            match handle.next(&[], deadline)? {
                Arrival::Answer(_, answer) => {
                    let health = HealthReply::decode(answer?.payload());
                    let health = health.map_err(|bad| CliError::new(bad.to_string()))?;
                    if health.status == wanted {
                        handle.forget(stream.id());
                        return Ok(());
                    }
                }
                Arrival::Deadline => {
                    return Err(CliError::new(format!(
                        "timed out waiting for status {wanted}"
                    )));
                }
                _ => {}
            }
        }
    }
}

/// A walk down the tree, which asks each broker about its children.
struct Walk<'a> {
    status: &'a Status,
    handle: Handle,
    hosts: Hostlist,
    lines: Vec<String>,
}

impl Walk<'_> {
    fn visit(
        &mut self,
        health: &HealthReply,
        took: Option<Duration>,
        first: &str,
        rest: &str,
    ) -> Result<(), CliError> {
        let line = self.line(health.rank, &health.status, health.duration, took);
        if !(self.status.down && health.status == "full") {
            self.lines.push(format!("{first}{line}"));
        }
        for (at, child) in health.children.iter().enumerate() {
            let is_last = at + 1 == health.children.len();
            let (branch, below) = match (self.status.no_pretty, is_last) {
                (true, _) => ("", ""),
                (false, true) => ("└─ ", "   "),
                (false, false) => ("├─ ", "│  "),
            };
            let (first, below) = (format!("{rest}{branch}"), format!("{rest}{below}"));
            // A broker that is away cannot tell: its parent does.
            let asked = match child.status.as_str() {
                "offline" | "lost" => None,
                _ => ask(&mut self.handle, child.rank).ok(),
            };
            if let Some((health, took)) = asked {
                self.visit(&health, Some(took), &first, &below)?;
                continue;
            }
            let mut line = self.line(child.rank, &child.status, child.duration, None);
            if let Some(error) = &child.error {
                line.push_str(&format!(" {error}"));
            }
            self.lines.push(format!("{first}{line}"));
        }
        Ok(())
    }

    fn line(&self, rank: u32, status: &str, duration: f64, took: Option<Duration>) -> String {
        let host = self.hosts.get(rank as usize).unwrap_or("?");
        let mut line = format!("{rank} {host}: {status}");
        if self.status.verbose > 0 {
            let duration = Fsd::from_secs(duration)
                .unwrap_or(Fsd::ZERO)
                .to_text(DIGITS);
            line.push_str(&format!(" for {duration}"));
        }
        if let (2.., Some(took)) = (self.status.verbose, took) {
            line.push_str(&format!(" ({:.3} ms)", took.as_secs_f64() * 1e3));
        }
        line
    }
}

/// Translate ranks to host names, or host names to ranks
#[derive(clap::Args)]
struct Lookup {
    /// An idset of ranks, or a hostlist
    target: String,
}

impl Lookup {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        let hosts = hosts(&mut handle)?;
        let answer = match self.target.parse::<IdSet>() {
            Ok(ranks) => hosts_of(&ranks, &hosts)?,
            Err(_) => ranks_of(&self.target, &hosts)?,
        };
        flux.line(&answer)?;
        Ok(())
    }
}

fn hosts_of(ranks: &IdSet, hosts: &Hostlist) -> Result<String, CliError> {
    match ranks.last() {
        Some(last) if last as usize >= hosts.len() => Err(not_a_rank(last)),
        _ => Ok(hosts.select(ranks).to_string()),
    }
}

fn ranks_of(target: &str, hosts: &Hostlist) -> Result<String, CliError> {
    let bad = |_| CliError::new(format!("'{target}' is neither ranks nor hosts"));
    let targets: Hostlist = target.parse().map_err(bad)?;
    let mut ranks = IdSet::new();
    for target in targets.iter() {
        let found = hosts.iter().zip(0..).filter(|(host, _)| *host == target);
        let before = ranks.count();
        found.for_each(|(_, rank)| ranks.insert(rank));
        if ranks.count() == before && hosts.find(target).is_none() {
            return Err(CliError::new(format!(
                "{target} is not a host of this instance"
            )));
        }
    }
    Ok(ranks.to_string())
}

/// Print the parent of a rank
#[derive(clap::Args)]
struct Parentof {
    /// Which rank
    rank: u32,
}

impl Parentof {
    fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let mut handle = flux.connect()?;
        if self.rank == 0 {
            return Err(CliError::new("0 has no parent"));
        }
        let tree = handle.call(Call::new(&Topology { rank: 0 }).to(0))?;
        let parent = parent_of(self.rank, &tree).ok_or_else(|| not_a_rank(self.rank))?;
        flux.line(parent)?;
        Ok(())
    }
}

fn parent_of(rank: u32, tree: &Tree) -> Option<u32> {
    if tree.children.iter().any(|child| child.rank == rank) {
        return Some(tree.rank);
    }
    tree.children
        .iter()
        .find_map(|child| parent_of(rank, child))
}

fn not_a_rank(rank: u32) -> CliError {
    CliError::new(format!("{rank} is not a valid rank in this instance"))
}

fn hosts(handle: &mut Handle) -> Result<Hostlist, CliError> {
    let hosts = handle.attr("hostlist")?;
    hosts
        .parse()
        .map_err(|error| CliError::new(format!("{error}")).about("hostlist"))
}

fn ask(handle: &mut Handle, rank: u32) -> Result<(HealthReply, Duration), Refusal> {
    let asked = Instant::now();
    let health = handle.call(Call::new(&Health).to(rank))?;
    Ok((health, asked.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, expect: &str) {
        let hosts: Hostlist = "a[0-2],b,a0".parse().unwrap();
        let outcome = match target.parse::<IdSet>() {
            Ok(ranks) => hosts_of(&ranks, &hosts),
            Err(_) => ranks_of(target, &hosts),
        };
        let outcome = outcome.unwrap_or_else(|error| error.text().to_owned());
        assert_eq!(outcome, expect, "{target}");
    }

    #[test]
    fn ranks_and_hosts_are_translated() {
        check("0", "a0");
        check("1-3", "a[1-2],b");
        check("b", "3");
        check("a[0-1]", "0-1,4");
        check("5", "5 is not a valid rank in this instance");
        check("c", "c is not a host of this instance");
    }

    #[test]
    fn a_parent_is_found_in_the_tree() {
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
        let tree = Tree {
            rank: 0,
            size: 4,
            children: vec![inner, leaf(2)],
        };
        assert_eq!(
            [1, 2, 3, 4].map(|rank| parent_of(rank, &tree)),
            [Some(0), Some(0), Some(1), None]
        );
    }
}
