//! What the tasks of a job print, from its output log to our own streams (RFC 24).

use std::borrow::Cow;
use std::io::Write;

use proto::data::stdio::{Data, Log, Redirect, StdioEvent};
use proto::data::{Entry, IdSet};

use crate::error::CliError;
use crate::flux::Flux;

/// How output is shown.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// In front of every line, such as `ƒX: `.
    pub prefix: String,
    /// The task's rank in front of every line.
    pub label: bool,
    /// Leave out what the shell says, but for errors.
    pub quiet: bool,
    /// Say where in the shell a message comes from.
    pub verbose: bool,
}

/// The output of one job so far.
#[derive(Debug, Default)]
pub struct Output {
    form: Form,
    /// Ends of streams that are still to come; `None` before the header.
    open: Option<u64>,
}

impl Output {
    /// Before anything has come.
    pub fn new(form: Form) -> Output {
        Output { form, open: None }
    }

    /// Whether every task has closed its output.
    pub fn is_complete(&self) -> bool {
        self.open == Some(0)
    }

    /// Prints an entry of the log. `since` is when the job was submitted.
    pub fn take(&mut self, flux: &mut Flux, entry: &Entry, since: f64) -> Result<(), CliError> {
        let event = StdioEvent::from_entry(entry);
        match event.map_err(|error| CliError::new(format!("guest.output: {error}")))? {
            StdioEvent::Header(header) => {
                self.open = Some(header.count.values().sum());
            }
            StdioEvent::Data(data) => {
                self.print(flux, &data)?;
                if data.is_eof() {
                    self.close(&data.rank);
                }
            }
            StdioEvent::Redirect(redirect) => redirected(flux, &redirect)?,
            StdioEvent::Log(log) => self.log(flux, &log, entry.timestamp() - since)?,
            StdioEvent::Other => {}
        }
        Ok(())
    }

    fn close(&mut self, ranks: &str) {
        let Some(open) = &mut self.open else {
            return;
        };
        // Ranks that cannot be read leave the end to that of the log.
        let count = ranks.parse::<IdSet>().map_or(0, |ranks| ranks.count());
        *open = open.saturating_sub(count);
    }

    fn print(&self, flux: &mut Flux, data: &Data) -> Result<(), CliError> {
        let bytes = data
            .bytes()
            .map_err(|error| CliError::new(format!("guest.output: {error}")))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let bytes = match self.form.label || !self.form.prefix.is_empty() {
            true => Cow::Owned(self.labelled(&data.rank, &bytes)),
            false => Cow::Borrowed(&bytes),
        };
        let out: &mut dyn Write = match data.stream.as_str() {
            "stderr" => {
                flux.out.flush()?;
                &mut flux.err
            }
            _ => &mut flux.out,
        };
        for _ in 0..data.repeat.unwrap_or(1) {
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// With the prefix and the rank in front of every line, and a newline at the end.
    fn labelled(&self, rank: &str, bytes: &[u8]) -> Vec<u8> {
        let label = match self.form.label {
            true => format!("{}{rank}: ", self.form.prefix),
            false => self.form.prefix.clone(),
        };
        let mut labelled = Vec::with_capacity(bytes.len() + label.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            labelled.extend_from_slice(label.as_bytes());
            labelled.extend_from_slice(line);
        }
        if !labelled.ends_with(b"\n") {
            labelled.push(b'\n');
        }
        labelled
    }

    fn log(&self, flux: &mut Flux, log: &Log, seconds: f64) -> Result<(), CliError> {
        const ERROR: i32 = 3;
        if self.form.quiet && log.level > ERROR {
            return Ok(());
        }
        let rank = log.rank.map(|rank| format!("[{rank}]")).unwrap_or_default();
        let level = match log.level {
            0..=2 => "FATAL: ",
            3 => "ERROR: ",
            4 => " WARN: ",
            6 => "DEBUG: ",
            7 => "TRACE: ",
            _ => "",
        };
        let component = log.component.as_ref().map(|name| format!("{name}: "));
        let component = component.unwrap_or_default();
        let place = match (&log.file, log.line) {
            (Some(file), Some(line)) if self.form.verbose => format!("{file}:{line}: "),
            _ => String::new(),
        };
        let message = &log.message;
        flux.out.flush()?;
        writeln!(
            flux.err,
            "{seconds:.3}s: flux-shell{rank}: {level}{place}{component}{message}"
        )?;
        Ok(())
    }
}

fn redirected(flux: &mut Flux, redirect: &Redirect) -> Result<(), CliError> {
    let Redirect { stream, rank, path } = redirect;
    let path = path.as_deref().unwrap_or("somewhere");
    flux.out.flush()?;
    writeln!(flux.err, "{rank}: {stream} redirected to {path}")?;
    Ok(())
}
