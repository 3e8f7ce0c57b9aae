//! Options of `eventlog` and `wait-event`: the log, and the form of its entries.

use client::Refusal;
use proto::Errno;
use proto::data::Entry;
use proto::data::eventlog::{EntryFormatter, TimeForm};

use command::clock;
use command::error::CliError;
use command::flux::Flux;
use command::plain::Plain;

/// Form of entries.
#[derive(clap::Args)]
pub struct Shape {
    /// Print entries in this form
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    format: EntryShape,
    /// Print times in this form
    #[arg(short = 'T', long, value_name = "FORM", default_value = "raw")]
    time_format: TimeShape,
    /// Print times in a readable form
    #[arg(short = 'H', long)]
    human: bool,
    /// Colour times, names and keys
    #[arg(short = 'L', long, value_name = "WHEN", default_value = "auto")]
    color: clap::ColorChoice,
}

/// Log of a job, and the form of its entries.
#[derive(clap::Args)]
pub struct Form {
    #[command(flatten)]
    shape: Shape,
    /// Read this log: eventlog, exec, output, input, or a key of the job
    #[arg(short, long, value_name = "PATH", default_value = "eventlog")]
    path: String,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum EntryShape {
    Text,
    Json,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum TimeShape {
    Raw,
    Iso,
    Offset,
    Human,
}

impl Form {
    /// The key of the log.
    pub fn path(&self) -> &str {
        match self.path.as_str() {
            "exec" => "guest.exec.eventlog",
            "output" => "guest.output",
            "input" => "guest.input",
            path => path,
        }
    }

    /// Prints entries from the beginning of the log.
    pub fn printer(&self, flux: &Flux) -> Printer {
        self.shape.printer(flux)
    }

    /// Error of reading a log.
    pub fn failed(&self, id: &str, refusal: Refusal) -> CliError {
        let is_job = refusal.text.as_deref() == Some("invalid job id") || self.path == "eventlog";
        match refusal.errno {
            Errno::ENOENT if is_job => CliError::new(format!("job {id} not found")),
            Errno::ENOENT => CliError::new(format!("eventlog path {} not found", self.path)),
            _ => refusal.into(),
        }
    }
}

impl Shape {
    /// Prints entries from the beginning of a log.
    pub fn printer(&self, flux: &Flux) -> Printer {
        let form = match self.time_format {
            _ if self.human => TimeForm::Human,
            TimeShape::Raw => TimeForm::Raw,
            TimeShape::Iso => TimeForm::Iso,
            TimeShape::Offset => TimeForm::Offset,
            TimeShape::Human => TimeForm::Human,
        };
        Printer::new(flux, form, self.format == EntryShape::Json, self.color)
    }
}

/// Prints entries of one log in order.
pub struct Printer {
    formatter: EntryFormatter,
    is_json: bool,
    is_coloured: bool,
}

impl Printer {
    /// Prints entries from the beginning of a log.
    pub fn new(flux: &Flux, time: TimeForm, is_json: bool, color: clap::ColorChoice) -> Printer {
        let offset = clock::utc_offset(&clock::zone(&flux.env), clock::now());
        Printer {
            formatter: EntryFormatter::new(time, offset),
            is_json,
            is_coloured: flux.wants_color(color),
        }
    }

    /// Takes note of an entry that is not printed: later times may be relative to it.
    pub fn pass_over(&mut self, entry: &Entry) {
        self.formatter.time(entry.timestamp());
    }

    /// Prints an entry.
    pub fn print(&mut self, flux: &mut Flux, entry: &Entry) -> Result<(), CliError> {
        match (self.is_json, self.is_coloured) {
            (true, _) => writeln!(flux.out, "{}", entry.to_json())?,
            (false, false) => flux.line(self.formatter.line(entry))?,
            (false, true) => {
                let time = self.formatter.time(entry.timestamp());
                writeln!(flux.out, "{}", coloured(&time, entry, flux.plain()))?;
            }
        }
        Ok(())
    }
}

/// The same line as without colours, but for them. Exceptions stand out.
fn coloured(time: &str, entry: &Entry, plain: Plain) -> String {
    let name_on = match entry.name() {
        "exception" => "\x1b[1;31m",
        _ => "\x1b[33m",
    };
    let name = plain.line(entry.name());
    let mut line = format!("\x1b[32m{time}\x1b[0m {name_on}{name}\x1b[0m");
    for (key, value) in entry.context().into_iter().flatten() {
        let (key, value) = (plain.line(key), value.to_string());
        let value = plain.line(&value);
        line.push_str(&format!(" \x1b[34m{key}\x1b[0m={value}"));
    }
    line
}

/// `KEY=VALUE`, which an entry has in its context or not.
pub struct Matcher {
    key: String,
    value: String,
}

impl Matcher {
    /// From the command line.
    pub fn parse(text: &str) -> Result<Matcher, CliError> {
        let bad = || {
            CliError::usage(format!(
                "invalid context match '{text}': expected KEY=VALUE"
            ))
        };
        let (key, value) = text.split_once('=').ok_or_else(bad)?;
        Ok(Matcher {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }

    /// True if the entry has it: a text as it is, anything as JSON.
    pub fn accepts(&self, entry: &Entry) -> bool {
        entry.get(&self.key).is_some_and(|found| {
            let json = found.to_string();
            found.as_str() == Some(&self.value) || json == self.value
        })
    }
}

/// One entry of a log.
pub fn decode(line: &str) -> Result<Entry, CliError> {
    Entry::decode(line).map_err(|error| CliError::new(error.to_string()))
}
