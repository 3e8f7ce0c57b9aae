//! `flux job-validator` and `flux job-frobnicator`: the stages of job-ingest, by hand.

mod frobnicator;
mod validator;

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::mem;

use ingest::{About, Answer, Broken, Line};
use proto::Refusal;
use proto::data::Jobspec;

use crate::limits::JOBSPEC_LINE_BYTES_MAX;
use command::error::CliError;
use command::flux::Flux;

pub use frobnicator::JobFrobnicator;
pub use validator::JobValidator;

/// Options of both commands.
#[derive(clap::Args)]
struct Common {
    /// Read a jobspec on each line, without information about its submitter
    #[arg(long)]
    jobspec_only: bool,
    /// List the available plugins
    #[arg(long)]
    list_plugins: bool,
    /// Use these plugins, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    plugins: Option<Vec<String>>,
}

/// A line for each plugin.
fn list(flux: &mut Flux, plugins: &[About]) -> Result<(), CliError> {
    let width = plugins.iter().map(|plugin| plugin.name.len()).max();
    let width = width.unwrap_or_default();
    for About { name, about } in plugins {
        flux.line(format_args!("{name:<width$}  {about}"))?;
    }
    Ok(())
}

/// Error that ends the command when the chain cannot be built.
fn ended(flux: &mut Flux, broken: &Broken) -> Result<CliError, CliError> {
    let program = flux.program().to_owned();
    flux.note(format_args!("{program}: {}", broken.text))?;
    Ok(CliError::exit(broken.code))
}

/// Reads jobspecs and writes the answers of `act`, a line each. With `is_bare` a line that
/// is refused is a failure.
fn answer_lines(
    flux: &mut Flux,
    is_bare: bool,
    mut act: impl FnMut(Jobspec) -> Result<Option<Jobspec>, Refusal>,
) -> Result<(), CliError> {
    let nothing = Box::new(Cursor::new(Vec::new()));
    let mut input = BufReader::new(mem::replace(&mut flux.input, nothing));
    let mut has_failed = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = (&mut input)
            .take(JOBSPEC_LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if n == 0 {
            break;
        }
        if !line.ends_with(b"\n") && n as u64 == JOBSPEC_LINE_BYTES_MAX {
            return Err(CliError::new("a line is too long for a jobspec"));
        }
        let text = String::from_utf8_lossy(&line);
        let answer = Line::read(text.trim_end(), is_bare).and_then(|Line(jobspec)| act(jobspec));
        has_failed |= answer.is_err();
        flux.line(Answer(answer).write())?;
        // The writer of the line may wait for the answer.
        flux.out.flush()?;
    }
    match has_failed && is_bare {
        true => Err(CliError::exit(1)),
        false => Ok(()),
    }
}
