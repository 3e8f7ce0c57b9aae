//! `flux cron delete`, `flux cron stop` and `flux cron start`.

use client::Call;
use command::clock;
use command::error::CliError;
use command::flux::Flux;
use proto::cron::{self, Entry};

use super::list::runs;
use super::when::{ago, took};

/// Delete entries
#[derive(clap::Args)]
pub(super) struct Delete {
    /// Kill their running tasks
    #[arg(short, long)]
    kill: bool,
    /// Ids of entries
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Stop entries, but keep them listed
#[derive(clap::Args)]
pub(super) struct Stop {
    /// Ids of entries
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// Start stopped entries
#[derive(clap::Args)]
pub(super) struct Start {
    /// Ids of entries
    #[arg(value_name = "ID")]
    ids: Vec<String>,
}

/// The entries that are meant: `2`, or `cron-2`.
pub(super) fn ids(words: &[String]) -> Result<Vec<u64>, CliError> {
    if words.is_empty() {
        return Err(CliError::new("ID required"));
    }
    let id = |word: &String| {
        let number = word.strip_prefix("cron-").unwrap_or(word);
        let bad = |_| CliError::new(format!("Invalid ID '{word}'"));
        number.parse::<u64>().map_err(bad)
    };
    words.iter().map(id).collect()
}

impl Delete {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let kill = self.kill.then_some(true);
        let ids = ids(&self.ids)?;
        let mut handle = flux.connect()?;
        for id in ids {
            let was = handle.call(Call::new(&cron::Delete { id, kill }).to(0))?;
            flux.line(removed(&was, clock::now()))?;
        }
        Ok(())
    }
}

/// Message about an entry that was deleted.
fn removed(was: &Entry, now: f64) -> String {
    let what = format!("Removed cron-{}: {}", was.id, was.name);
    let last = was.tasks.first();
    match last.and_then(|task| Some((task, task.running_time.or(task.start_time)?))) {
        None => what,
        Some((task, began)) if runs(task) => {
            format!("{what} still running. Started {}", ago(now - began))
        }
        Some((task, began)) => {
            let took = took(task.end_time.unwrap_or(began) - began);
            format!("{what} last ran {} for {took}", ago(now - began))
        }
    }
}

impl Stop {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = ids(&self.ids)?;
        let mut handle = flux.connect()?;
        for id in ids {
            handle.call(Call::new(&cron::Stop { id }).to(0))?;
            flux.line(format_args!("Stopped cron-{id}"))?;
        }
        Ok(())
    }
}

impl Start {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let ids = ids(&self.ids)?;
        let mut handle = flux.connect()?;
        for id in ids {
            handle.call(Call::new(&cron::Start { id }).to(0))?;
            flux.line(format_args!("Started cron-{id}"))?;
        }
        Ok(())
    }
}
