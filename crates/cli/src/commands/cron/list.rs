//! `flux cron list`: the entries.

use client::Call;
use command::clock;
use command::error::CliError;
use command::flux::Flux;
use proto::cron::{self, Entry, Task};

use super::when::ago;

/// List entries
#[derive(clap::Args)]
pub(super) struct List {}

impl List {
    pub(super) fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let listed = entries(flux)?;
        let head = row("ID", "CMD/NAME", "STATE", "#RUNS", "LASTRUN", "STATUS");
        flux.line(head)?;
        let now = clock::now();
        for entry in listed {
            let id = entry.id.to_string();
            let state = if entry.stopped { "Stopped" } else { "Active" };
            let runs = match entry.repeat {
                0 => entry.stats.count.to_string(),
                repeat => format!("{}/{repeat}", entry.stats.count),
            };
            let last = match entry.stats.lastrun {
                0.0 => "None".to_owned(),
                last => ago(now - last),
            };
            flux.line(row(&id, &entry.name, state, &runs, &last, &status(&entry)))?;
        }
        Ok(())
    }
}

fn row(id: &str, name: &str, state: &str, runs: &str, last: &str, status: &str) -> String {
    format!("{id:>6} {name:<15} {state:<8} {runs:>9} {last:>18}  {status:<18}")
}

/// Status of the last task of an entry.
fn status(entry: &Entry) -> String {
    let Some(task) = entry.tasks.first() else {
        return "None".to_owned();
    };
    match (task.state.as_str(), task.code) {
        ("Exited", _) => "Success".to_owned(),
        ("Failed", Some(NOT_FOUND)) => "Exec-Error".to_owned(),
        ("Failed", Some(code)) => format!("Failed:rc={code}"),
        (state, _) => state.to_owned(),
    }
}

/// Exit code of a shell that has not found its command.
const NOT_FOUND: i32 = 127;

/// All entries.
pub(super) fn entries(flux: &mut Flux) -> Result<Vec<Entry>, CliError> {
    let listed = flux.connect()?.call(Call::new(&cron::List {}).to(0))?;
    Ok(listed.entries)
}

/// True if a task was started and has not ended.
pub(super) fn runs(task: &Task) -> bool {
    task.start_time.is_some() && task.end_time.is_none()
}
