//! What the tasks of a job print, from its output log to our own streams (RFC 24).

use std::borrow::Cow;
use std::collections::VecDeque;

use proto::data::stdio::{Data, Log, Redirect, StdioEvent};
use proto::data::{Entry, IdSet};

use crate::cursor::without_moves;
use command::error::CliError;
use command::flux::Flux;

/// How output is shown.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// In front of every line, such as `ƒX: `.
    pub prefix: String,
    /// The task's rank in front of every line.
    pub label: bool,
    /// Take out what would move the cursor.
    pub keeps_cursor: bool,
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
    /// The shell is verbose, and says more after its tasks.
    has_log: bool,
    tail: Option<Tail>,
    /// Task 0 is shown by other ways.
    hides_first: bool,
}

/// What is held back of the past, until its last lines are known.
#[derive(Debug)]
struct Tail {
    /// Entries of the log that belong to the past and have not come.
    entries_left: usize,
    lines_max: usize,
    lines: VecDeque<(Stream, Vec<u8>)>,
}

/// Which of our streams something goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Output {
    /// Before anything has come.
    pub fn new(form: Form) -> Output {
        Output {
            form,
            open: None,
            has_log: false,
            tail: None,
            hides_first: false,
        }
    }

    /// Of the first `entries` of the log, show no more than the last `lines` lines.
    pub fn hold_back(&mut self, entries: usize, lines: usize) {
        self.tail = (entries > 0).then(|| Tail {
            entries_left: entries,
            lines_max: lines,
            lines: VecDeque::new(),
        });
    }

    /// Whether its header has come.
    pub fn has_begun(&self) -> bool {
        self.open.is_some()
    }

    /// Shows nothing of task 0 from now on.
    pub fn hide_first(&mut self) {
        self.hides_first = true;
    }

    /// Whether every task has closed its output, and nothing else is to be expected. A verbose shell
    /// talks until the end of the log.
    pub fn is_complete(&self) -> bool {
        self.open == Some(0) && !self.has_log
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
            StdioEvent::Redirect(redirect) => self.redirected(flux, &redirect)?,
            StdioEvent::Log(log) => self.log(flux, &log, entry.timestamp() - since)?,
            StdioEvent::Other => {}
        }
        self.count_down(flux)
    }

    /// With the last entry of the past, shows what is left of it.
    fn count_down(&mut self, flux: &mut Flux) -> Result<(), CliError> {
        let Some(tail) = &mut self.tail else {
            return Ok(());
        };
        tail.entries_left -= 1;
        if tail.entries_left > 0 {
            return Ok(());
        }
        let lines = std::mem::take(&mut tail.lines);
        self.tail = None;
        for (stream, line) in lines {
            write(flux, stream, &line)?;
        }
        Ok(())
    }

    /// Shows something, or holds it back.
    fn show(&mut self, flux: &mut Flux, stream: Stream, bytes: &[u8]) -> Result<(), CliError> {
        let Some(tail) = &mut self.tail else {
            return write(flux, stream, bytes);
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            tail.lines.push_back((stream, line.to_vec()));
            if tail.lines.len() > tail.lines_max {
                tail.lines.pop_front();
            }
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

    fn print(&mut self, flux: &mut Flux, data: &Data) -> Result<(), CliError> {
        let bytes = data
            .bytes()
            .map_err(|error| CliError::new(format!("guest.output: {error}")))?;
        if bytes.is_empty() || (self.hides_first && data.rank == "0") {
            return Ok(());
        }
        let bytes = match self.form.label || !self.form.prefix.is_empty() {
            true => Cow::Owned(self.labelled(&data.rank, &bytes)),
            false => Cow::Borrowed(&bytes),
        };
        let bytes = match self.form.keeps_cursor {
            true => Cow::Owned(without_moves(&bytes)),
            false => bytes,
        };
        let stream = match data.stream.as_str() {
            "stderr" => Stream::Err,
            _ => Stream::Out,
        };
        for _ in 0..data.repeat.unwrap_or(1) {
            self.show(flux, stream, &bytes)?;
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

    fn log(&mut self, flux: &mut Flux, log: &Log, seconds: f64) -> Result<(), CliError> {
        const ERROR: i32 = 3;
        const NOTICE: i32 = 5;
        if self.form.quiet && log.level > ERROR {
            return Ok(());
        }
        // Warnings come with what they are about. Only one that is verbose talks at the end.
        self.has_log |= log.level > NOTICE;
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
        let line = format!("{seconds:.3}s: flux-shell{rank}: {level}{place}{component}{message}");
        let line = format!("{}\n", flux.plain().line(line.trim_end_matches('\n')));
        self.show(flux, Stream::Err, line.as_bytes())
    }

    /// Prints an event `log` of the execution log: what a shell wrote by itself, before it had
    /// a log of its own or beside it (protocol/23 section 4).
    pub fn shell_wrote(
        &mut self,
        flux: &mut Flux,
        entry: &Entry,
        since: f64,
    ) -> Result<(), CliError> {
        if self.form.quiet {
            return Ok(());
        }
        let seconds = entry.timestamp() - since;
        let word = |key: &str| entry.get_str(key).unwrap_or_default();
        let (rank, stream) = (word("rank"), word("stream"));
        for text in word("data").lines() {
            let line = format!("{seconds:.3}s: flux-shell[{rank}]: {stream}: {text}");
            let line = format!("{}\n", flux.plain().line(&line));
            self.show(flux, Stream::Err, line.as_bytes())?;
        }
        Ok(())
    }

    fn redirected(&mut self, flux: &mut Flux, redirect: &Redirect) -> Result<(), CliError> {
        let Redirect { stream, rank, path } = redirect;
        let path = path.as_deref().unwrap_or("somewhere");
        let path = flux.plain().line(path).into_owned();
        let line = format!("{rank}: {stream} redirected to {path}\n");
        self.show(flux, Stream::Err, line.as_bytes())
    }
}

/// Writes at once; errors after the output that came before them.
fn write(flux: &mut Flux, stream: Stream, bytes: &[u8]) -> Result<(), CliError> {
    match stream {
        Stream::Out => flux.out.write_all(bytes)?,
        Stream::Err => {
            flux.out.flush()?;
            flux.err.write_all(bytes)?;
        }
    }
    Ok(())
}
