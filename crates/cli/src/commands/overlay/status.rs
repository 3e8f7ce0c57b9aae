//! `flux overlay status`: a picture of the tree, asked from the top down.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use client::{Arrival, Call, Handle};
use proto::Payload;
use proto::data::{Fsd, Hostlist, IdSet};
use proto::overlay::{Health, HealthReply, Status as State, Tree};

use super::lookup::ranks_of;
use super::{TIMEOUT, ask, hosts, limit, not_a_rank, tree};
use command::error::CliError;
use command::flux::Flux;

/// Significant digits of the time in a status.
const DIGITS: usize = 3;

/// Show the status of the brokers
#[derive(clap::Args)]
pub(super) struct Status {
    /// Start at this rank
    #[arg(short, long, default_value_t = 0, hide_default_value = true)]
    rank: u32,
    /// Show how long each status has lasted; twice, ask every broker and show the
    /// round-trip time
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Wait at most this long for a broker to answer, or for --wait (0 = no limit)
    #[arg(short, long, value_name = "FSD", default_value = TIMEOUT)]
    timeout: String,
    /// Show only the status of the first broker
    #[arg(short, long)]
    summary: bool,
    /// Leave out brokers with status full
    #[arg(long)]
    down: bool,
    /// Draw no lines
    #[arg(long)]
    no_pretty: bool,
    /// Leave out brokers below those that are offline
    #[arg(long)]
    no_ghost: bool,
    /// Highlight these ranks or hosts and their ancestors
    #[arg(short = 'H', long, value_name = "TARGET")]
    highlight: Option<String>,
    /// Use colour: always, never or auto
    #[arg(short = 'L', long, value_name = "WHEN", default_value = "auto", num_args = 0..=1,
        require_equals = true, default_missing_value = "always")]
    color: clap::ColorChoice,
    /// Wait until the first broker has this status
    #[arg(short, long, value_name = "STATUS")]
    wait: Option<String>,
}

impl Status {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let limit =
            limit(&self.timeout).map_err(|error| CliError::new(error).about("--timeout"))?;
        let mut handle = flux.connect()?;
        if let Some(wanted) = &self.wait {
            self.wait_for(&mut handle, wanted, limit)?;
        }
        let hosts = hosts(&mut handle)?;
        let (health, took) = ask(&mut handle, self.rank, limit)?;
        if self.summary {
            flux.line(health.status.name())?;
            return Ok(());
        }
        let tree = tree(&mut handle, self.rank)?;
        let marked = self.marked(&tree, &hosts)?;
        let mut walk = Walk {
            is_coloured: flux.wants_color(self.color),
            status: &self,
            limit,
            handle,
            hosts,
            marked,
            lines: Vec::new(),
        };
        walk.visit(&tree, &health, Some(took), "", "");
        for line in walk.lines {
            flux.line(&line)?;
        }
        Ok(())
    }

    fn wait_for(
        &self,
        handle: &mut Handle,
        wanted: &str,
        limit: Option<Duration>,
    ) -> Result<(), CliError> {
        let states = [
            State::Full,
            State::Partial,
            State::Degraded,
            State::Lost,
            State::Offline,
        ];
        let Some(wanted) = states.into_iter().find(|state| state.name() == wanted) else {
            return Err(CliError::new("invalid --wait state"));
        };
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
                    let text = format!("timed out waiting for status {}", wanted.name());
                    return Err(CliError::new(text));
                }
                _ => {}
            }
        }
    }

    /// The ranks that are to be marked: those that are named, and all above them.
    fn marked(&self, tree: &Tree, hosts: &Hostlist) -> Result<BTreeSet<u32>, CliError> {
        let mut marked = BTreeSet::new();
        let Some(target) = &self.highlight else {
            return Ok(marked);
        };
        let ranks = match target.parse::<IdSet>() {
            Ok(ranks) => ranks,
            Err(_) => ranks_of(target, hosts)?,
        };
        for rank in ranks.iter() {
            let size = hosts.len();
            if rank as usize >= size {
                return Err(not_a_rank(rank));
            }
            mark(rank, tree, &mut marked);
        }
        Ok(marked)
    }
}

/// Marks a rank and its ancestors; returns whether it is in the tree.
fn mark(rank: u32, tree: &Tree, marked: &mut BTreeSet<u32>) -> bool {
    let is_here = tree.rank == rank || tree.children.iter().any(|child| mark(rank, child, marked));
    if is_here {
        marked.insert(tree.rank);
    }
    is_here
}

/// A walk down the tree, which asks each broker about its children.
struct Walk<'a> {
    status: &'a Status,
    limit: Option<Duration>,
    handle: Handle,
    hosts: Hostlist,
    marked: BTreeSet<u32>,
    is_coloured: bool,
    lines: Vec<String>,
}

/// One broker as it is shown.
struct Shown<'a> {
    rank: u32,
    state: State,
    duration: Option<f64>,
    error: Option<&'a str>,
    took: Option<Duration>,
}

impl Walk<'_> {
    /// A broker that has answered, and all below it.
    fn visit(
        &mut self,
        tree: &Tree,
        health: &HealthReply,
        took: Option<Duration>,
        first: &str,
        rest: &str,
    ) {
        let shown = Shown {
            rank: health.rank,
            state: health.status,
            duration: Some(health.duration),
            error: None,
            took,
        };
        self.show(first, &shown);
        for (at, child) in health.children.iter().enumerate() {
            let is_last = at + 1 == health.children.len();
            let (first, below) = self.branches(rest, is_last);
            let subtree = tree.children.iter().find(|tree| tree.rank == child.rank);
            let is_leaf = subtree.is_none_or(|tree| tree.children.is_empty());
            let shown = Shown {
                rank: child.rank,
                state: child.status,
                duration: Some(child.duration),
                error: child.error.as_deref(),
                took: None,
            };
            // A broker that is away cannot tell: its parent does. And of a leaf it has told
            // all there is.
            if !child.status.is_online() || (is_leaf && self.status.verbose < 2) {
                self.show(&first, &shown);
                if let Some(subtree) = subtree.filter(|_| !self.status.no_ghost) {
                    self.show_ghosts(subtree, child.status, &below);
                }
                continue;
            }
            match (ask(&mut self.handle, child.rank, self.limit), subtree) {
                (Ok((health, took)), Some(subtree)) => {
                    self.visit(subtree, &health, Some(took), &first, &below);
                }
                (Ok(_), None) => self.show(&first, &shown),
                (Err(refusal), _) => {
                    let name = self.name(child.rank);
                    self.lines.push(format!("{first}{name}: {refusal}"));
                }
            }
        }
    }

    /// Brokers below one that is not there share its state.
    fn show_ghosts(&mut self, tree: &Tree, state: State, rest: &str) {
        for (at, child) in tree.children.iter().enumerate() {
            let (first, below) = self.branches(rest, at + 1 == tree.children.len());
            let shown = Shown {
                rank: child.rank,
                state,
                duration: None,
                error: None,
                took: None,
            };
            self.show(&first, &shown);
            self.show_ghosts(child, state, &below);
        }
    }

    fn branches(&self, rest: &str, is_last: bool) -> (String, String) {
        let (branch, below) = match (self.status.no_pretty, is_last) {
            (true, _) => ("", ""),
            (false, true) => ("└─ ", "   "),
            (false, false) => ("├─ ", "│  "),
        };
        (format!("{rest}{branch}"), format!("{rest}{below}"))
    }

    fn show(&mut self, first: &str, shown: &Shown<'_>) {
        if self.status.down && shown.state == State::Full {
            return;
        }
        let mut line = format!("{first}{}: {}", self.name(shown.rank), shown.state.name());
        if let Some(duration) = shown.duration.filter(|_| self.status.verbose > 0) {
            let duration = Fsd::from_secs(duration).unwrap_or(Fsd::ZERO);
            line.push_str(&format!(" for {}", duration.to_text(DIGITS)));
        }
        if let Some(error) = shown.error {
            line.push_str(&format!(" {error}"));
        }
        if let (2.., Some(took)) = (self.status.verbose, shown.took) {
            line.push_str(&format!(" ({:.3} ms)", took.as_secs_f64() * 1e3));
        }
        self.lines.push(line);
    }

    /// A rank and its host, marked if they are to be.
    fn name(&self, rank: u32) -> String {
        let host = self.hosts.get(rank as usize).unwrap_or("?");
        match (self.marked.contains(&rank), self.is_coloured) {
            (false, _) => format!("{rank} {host}"),
            (true, false) => format!("<<{rank} {host}>>"),
            (true, true) => format!("\u{1b}[01;34m{rank} {host}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_marked_with_all_above_it() {
        let tree = super::super::tree_of_four();
        let marked = |rank| {
            let mut marked = BTreeSet::new();
            mark(rank, &tree, &mut marked);
            marked.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(marked(3), [0, 1, 3]);
        assert_eq!(marked(2), [0, 2]);
        assert_eq!(marked(0), [0]);
        assert_eq!(marked(9), [0; 0]);
    }
}
