//! Brokers to start, and the end of the run.

use std::collections::BTreeMap;
use std::time::Duration;

use node::{Spawn, Stdio};

/// Broker whose exit ends the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitMode {
    /// The first broker that ends; the highest exit code counts.
    Any,
    /// Rank 0, whose exit code counts.
    Leader,
}

/// Brokers that are started at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StartMode {
    /// All.
    All,
    /// Rank 0; the others by `start.run`.
    Leader,
}

/// An instance that is to be started.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of brokers.
    pub size: u32,
    /// The broker and its common arguments, with its wrapper.
    pub broker: Vec<String>,
    /// Host names to pretend, by rank; empty for the true one.
    pub hosts: Vec<String>,
    /// Initial program, for rank 0 alone.
    pub command: Vec<String>,
    /// Ranks that share a host, in the form of PMI; `None` if not given.
    pub mapping: Option<String>,
    /// URI at which `start.*` is answered.
    pub uri: String,
    /// Broker whose exit ends the run.
    pub exit_mode: ExitMode,
    /// Time that the others then have to exit; `None` for no limit.
    pub exit_timeout: Option<Duration>,
    /// Brokers that are started at the beginning.
    pub start_mode: StartMode,
    /// True if command lines are printed.
    pub verbose: bool,
}

/// Variable that names a broker's end of the PMI socket.
pub(crate) const PMI_FD: &str = "PMI_FD";

/// Signal of a broker whose launcher dies: it shuts down.
const SIGTERM: i32 = 15;

impl Plan {
    /// The command line of a broker, for the user.
    pub fn shown(&self, rank: u32) -> String {
        format!("flux-start: {rank}: {}", self.argv(rank).join(" "))
    }

    /// The command line of a broker.
    pub(crate) fn argv(&self, rank: u32) -> Vec<String> {
        let mut argv = self.broker.clone();
        if let Some(host) = self.hosts.get(rank as usize) {
            argv.push(format!("--setattr=hostname={host}"));
        }
        if rank == 0 {
            argv.extend(self.command.iter().cloned());
        }
        argv
    }

    /// Parameters for starting a broker.
    pub(crate) fn spawn(&self, rank: u32) -> Spawn {
        let env = [
            ("PMI_RANK", rank.to_string()),
            ("PMI_SIZE", self.size.to_string()),
            ("FLUX_START_URI", self.uri.clone()),
        ];
        Spawn {
            argv: self.argv(rank),
            env_add: env.map(|(name, value)| (name.to_owned(), value)).into(),
            stdin: Stdio::Inherit,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
            end_with_us: Some(SIGTERM),
            socketpairs: vec![PMI_FD.to_owned()],
            ..Spawn::default()
        }
    }

    /// Initial keys of PMI.
    pub(crate) fn preset(&self) -> BTreeMap<String, String> {
        let mapping = self.mapping.clone();
        let mapping = mapping.map(|mapping| ("PMI_process_mapping".to_owned(), mapping));
        mapping.into_iter().collect()
    }
}
