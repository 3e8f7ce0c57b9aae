//! `flux job trace`: the way of one job through all services.
//!
//! Read on in `gather.rs` (who is asked), `row.rs` (what is known, in one order), `phases.rs`
//! (the same in a few lines) and `chrome.rs` (the same for a viewer).

mod chrome;
mod gather;
mod phases;
mod row;

use std::path::PathBuf;

use serde::Serialize;

use super::parse_id;
use crate::uri;
use command::clock;
use command::error::{CliError, io_text};
use command::flux::Flux;
use gather::Gathered;
use phases::{Phase, phases};
use row::Row;

/// Print a job's way through all services, and the time it took
///
/// One line a step, from its logs and from notes of services. BEGAN is the time since it was
/// submitted, WAITED that since the line before, TOOK how long the service handled the step, with
/// all that it handled at once; all in seconds. WHERE is a service and a rank. Notes of services
/// are told to the owner of the instance, and forgotten after some thousand steps.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  flux job trace ƒABC
  flux job trace --phases $(flux job last)
  flux job trace --follow --chrome=trace.json ƒABC
  flux job trace ƒABC/ƒDEF")]
pub struct Trace {
    /// Wait until the job has ended
    #[arg(short = 'F', long)]
    follow: bool,
    /// Print only the phases of its life, and how long each took
    #[arg(short, long)]
    phases: bool,
    /// Print everything as one JSON object
    #[arg(short, long, conflicts_with = "phases")]
    json: bool,
    /// Write it to FILE in the Trace Event Format, for chrome://tracing and Perfetto
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["phases", "json"])]
    chrome: Option<PathBuf>,
    /// The job; or a path of jobs, the last of which is run by the instance that is the one before
    id: String,
}

/// All of it, for programs.
#[derive(Serialize)]
struct Whole<'a> {
    /// The job.
    id: u64,
    /// When it was submitted, in seconds since the epoch.
    submitted: f64,
    /// True if the job has ended.
    over: bool,
    steps: &'a [Row],
    phases: &'a [Phase],
}

impl Trace {
    pub fn run(self, flux: &mut Flux) -> Result<(), CliError> {
        let (target, id) = match self.id.rsplit_once('/') {
            Some((target, id)) => (Some(target), id),
            None => (None, self.id.as_str()),
        };
        let job = parse_id(id)?;
        let mut handle = uri::open_target(flux, target)?;
        let Gathered {
            rows,
            submitted,
            is_over,
            notes,
        } = gather::gather(&mut handle, job, &self.id, self.follow)?;
        for note in notes {
            flux.note(format_args!("{}: {note}", flux.program().to_owned()))?;
        }
        let phases = phases(&rows, clock::now() - submitted);
        if let Some(path) = &self.chrome {
            let trace = chrome::trace(&self.id, submitted, &rows, &phases);
            let written = std::fs::write(path, format!("{trace}\n"));
            let failed = |error| CliError::new(io_text(&error)).about(path.display());
            return written.map_err(failed);
        }
        if self.json {
            let whole = Whole {
                id: job.get(),
                submitted,
                over: is_over,
                steps: &rows,
                phases: &phases,
            };
            serde_json::to_writer(&mut flux.out, &whole).map_err(std::io::Error::from)?;
            writeln!(flux.out)?;
            return Ok(());
        }
        let lines = match self.phases {
            true => phases::table(&phases),
            false => row::table(&rows),
        };
        for line in lines {
            flux.line(line)?;
        }
        Ok(())
    }
}
