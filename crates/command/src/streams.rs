//! Files that stand in for the streams of a command: `--log` and `--log-stderr`.
//!
//! They are opened for each piece that is written: there may be one a job, and more jobs
//! than a process may have files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::mem;

use crate::error::{CliError, io_text};
use crate::flux::Flux;

/// Files for the messages about one job; `None` for the command's own streams.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    out: Option<String>,
    err: Option<String>,
}

/// The files that have been begun.
#[derive(Debug, Default)]
pub struct LogFiles {
    begun: BTreeSet<String>,
}

impl LogFiles {
    /// Streams to the file `out`, to which errors go too unless `err` is another file.
    /// Earlier contents of the files are lost.
    pub fn streams(&mut self, out: Option<&str>, err: Option<&str>) -> Result<Streams, CliError> {
        for path in out.into_iter().chain(err) {
            if self.begun.insert(path.to_owned()) {
                File::create(path).map_err(|error| about(path, &error))?;
            }
        }
        Ok(Streams {
            out: out.map(str::to_owned),
            err: err.or(out).map(str::to_owned),
        })
    }
}

impl Streams {
    /// Does something with these streams in the place of the command's own.
    pub fn with<T>(
        &self,
        flux: &mut Flux,
        act: impl FnOnce(&mut Flux) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let (out, err) = (open(self.out.as_deref())?, open(self.err.as_deref())?);
        let out = out.map(|file| mem::replace(&mut flux.out, file));
        let err = err.map(|file| mem::replace(&mut flux.err, file));
        let outcome = act(flux);
        if let Some(out) = out {
            flux.out = out;
        }
        if let Some(err) = err {
            flux.err = err;
        }
        outcome
    }
}

fn open(path: Option<&str>) -> Result<Option<Box<dyn Write>>, CliError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let file = File::options().append(true).open(path);
    let file = file.map_err(|error| about(path, &error))?;
    Ok(Some(Box::new(file)))
}

fn about(path: &str, error: &io::Error) -> CliError {
    CliError::new(format!("{path}: {}", io_text(error)))
}
