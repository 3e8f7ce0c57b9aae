//! Context of a sub-command: its environment, its streams, and a way to the instance.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, LineWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use client::{Handle, OpenError, Options};

use crate::entry::Style;
use crate::env::Env;
use crate::error::CliError;
use crate::plain::Plain;

/// Columns of a terminal that does not say how wide it is.
const COLUMNS_DEFAULT: usize = 80;
/// Rows of one that does not say how tall it is.
const ROWS_DEFAULT: usize = 24;

/// Bytes of output that are gathered before they are written to something that is no
/// terminal.
const OUTPUT_BYTES: usize = 64 * 1024;

/// Standard input, which may be a descriptor that can be waited for.
pub trait Input: Read {
    /// The descriptor; `None` when reading never blocks.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Input for io::Stdin {
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

impl<T: AsRef<[u8]>> Input for io::Cursor<T> {}

/// The streams of a command.
pub struct Io {
    /// Standard input.
    pub input: Box<dyn Input>,
    /// Standard output, buffered: a command that waits flushes first.
    pub out: Box<dyn Write>,
    /// Standard error.
    pub err: Box<dyn Write>,
    /// True if standard output is a terminal.
    pub out_is_tty: bool,
    /// True if standard error is a terminal.
    pub err_is_tty: bool,
}

impl Io {
    /// The standard streams of the process.
    pub fn standard() -> Io {
        let stdout = io::stdout();
        let out_is_tty = stdout.is_terminal();
        // Rust's own stdout is line buffered, also to files: too slow for a long list.
        let raw = rustix::io::dup(&stdout).map(std::fs::File::from);
        let out: Box<dyn Write> = match raw {
            Ok(file) if !out_is_tty => Box::new(io::BufWriter::with_capacity(OUTPUT_BYTES, file)),
            Ok(file) => Box::new(LineWriter::new(file)),
            Err(_) => Box::new(stdout),
        };
        Io {
            input: Box::new(io::stdin()),
            out,
            err: Box::new(io::stderr()),
            out_is_tty,
            err_is_tty: io::stderr().is_terminal(),
        }
    }
}

/// Context of a sub-command.
pub struct Flux {
    /// The environment, `flux -p` and `-r` applied.
    pub env: Env,
    /// Standard input.
    pub input: Box<dyn Input>,
    /// Standard output, buffered: a command that waits calls `flush` first.
    pub out: Box<dyn Write>,
    /// Standard error.
    pub err: Box<dyn Write>,
    out_is_tty: bool,
    err_is_tty: bool,
    program: String,
    args: Vec<OsString>,
    style: Style,
    plain: Plain,
}

/// Opens connections as the environment says, on any thread.
#[derive(Debug, Clone)]
pub struct Opener {
    options: Result<Options, OpenError>,
    style: Style,
}

impl Opener {
    /// Connects to `uri`, or else to the instance that the environment names.
    pub fn open(&self, uri: Option<&str>) -> Result<Handle, CliError> {
        let options = self.options.as_ref().map_err(OpenError::clone);
        let opened = options.and_then(|options| Handle::open(uri, options));
        opened.map_err(|error| {
            let text = match self.style {
                Style::Bare => format!("flux_open: {}", error.errno),
                Style::Tagged => format!("Unable to connect to Flux: {error}"),
            };
            CliError::new(text).with_hint(error.hint())
        })
    }
}

impl Flux {
    /// Before the command is known.
    pub fn new(env: Env, io: Io) -> Flux {
        Flux {
            plain: Plain::new(&env),
            env,
            input: io.input,
            out: io.out,
            err: io.err,
            out_is_tty: io.out_is_tty,
            err_is_tty: io.err_is_tty,
            program: "flux".to_owned(),
            args: Vec::new(),
            style: Style::Bare,
        }
    }

    /// Sets the command that runs.
    pub fn set_command(&mut self, program: String, style: Style) {
        self.program = program;
        self.style = style;
    }

    /// Sets the words that follow the command's name.
    pub fn set_args(&mut self, args: Vec<OsString>) {
        self.args = args;
    }

    /// The words that follow the command's name, for a command that reads them again.
    pub fn args(&self) -> &[OsString] {
        &self.args
    }

    /// Style of the command's errors.
    pub fn style(&self) -> Style {
        self.style
    }

    /// `flux-NAME`, as messages show it.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Connects to the instance that the environment names.
    pub fn connect(&self) -> Result<Handle, CliError> {
        self.connect_to(None)
    }

    /// Connects to `uri`, or else to the instance that the environment names.
    pub fn connect_to(&self, uri: Option<&str>) -> Result<Handle, CliError> {
        self.open(uri, None)
    }

    /// Connects, and connects again when the connection is lost: for so long it is tried.
    pub fn connect_again(&self, patience: Duration) -> Result<Handle, CliError> {
        self.open(None, Some(patience))
    }

    fn open(&self, uri: Option<&str>, reconnect: Option<Duration>) -> Result<Handle, CliError> {
        let mut opener = self.opener();
        if let Ok(options) = &mut opener.options {
            options.reconnect = reconnect;
        }
        opener.open(uri)
    }

    /// Opener of connections on other threads.
    pub fn opener(&self) -> Opener {
        Opener {
            options: Options::from_env(|name| self.env.get(name)),
            style: self.style,
        }
    }

    /// Form of text here.
    pub fn plain(&self) -> Plain {
        self.plain
    }

    /// Prints a line: for text that people read. JSON, and values that were asked for, go to
    /// `out` as they are.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{}", self.plain.line(&text.to_string()))
    }

    /// The same on standard error.
    pub fn note(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.err, "{}", self.plain.line(&text.to_string()))
    }

    /// Prints a line about something that does not end the command.
    pub fn warn(&mut self, text: impl Display) -> Result<(), CliError> {
        let tag = match self.style {
            Style::Bare => "",
            Style::Tagged => "WARNING: ",
        };
        let program = self.program.clone();
        Ok(self.note(format_args!("{program}: {tag}{text}"))?)
    }

    /// Prints a line about an action of the command.
    pub fn info(&mut self, text: impl Display) -> Result<(), CliError> {
        let program = self.program.clone();
        Ok(self.note(format_args!("{program}: INFO: {text}"))?)
    }

    /// Prints an error that does not end the command.
    pub fn complain(&mut self, error: &CliError) -> Result<(), CliError> {
        let text = error.render(&self.program, self.style, self.plain);
        self.err.write_all(text.as_bytes())?;
        Ok(())
    }

    /// True if standard output is a terminal.
    pub fn out_is_tty(&self) -> bool {
        self.out_is_tty
    }

    /// True if standard error is a terminal.
    pub fn err_is_tty(&self) -> bool {
        self.err_is_tty
    }

    /// True if standard output is to be coloured.
    pub fn wants_color(&self, choice: clap::ColorChoice) -> bool {
        match choice {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            clap::ColorChoice::Auto => self.out_is_tty && self.env.get_os("NO_COLOR").is_none(),
        }
    }

    /// Columns of the terminal; `None` when standard output is none.
    pub fn terminal_columns(&self) -> Option<usize> {
        self.terminal_size().map(|(columns, _)| columns)
    }

    /// Columns and rows of the terminal; `None` when standard output is none.
    pub fn terminal_size(&self) -> Option<(usize, usize)> {
        if !self.out_is_tty {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(match (size.ws_col, size.ws_row) {
            (0, _) | (_, 0) => (COLUMNS_DEFAULT, ROWS_DEFAULT),
            (columns, rows) => (usize::from(columns), usize::from(rows)),
        })
    }

    /// All of standard input.
    pub fn read_input(&mut self) -> Result<Vec<u8>, CliError> {
        let mut bytes = Vec::new();
        self.input.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
