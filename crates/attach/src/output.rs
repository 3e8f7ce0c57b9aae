//! Output of the tasks of a job, from its output log to our own streams (RFC 24).

use std::borrow::Cow;
use std::collections::VecDeque;

use proto::data::stdio::{Data, Log, Redirect, StdioEvent};
use proto::data::{Entry, IdSet};

use crate::cursor::without_moves;
use crate::limits::READ_ON_BYTES_MAX;
use command::error::CliError;
use command::flux::Flux;

/// Form of the output.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// In front of every line, such as `ƒX: `.
    pub prefix: String,
    /// The task's rank in front of every line.
    pub label: bool,
    /// Remove sequences that would move the cursor.
    pub keeps_cursor: bool,
    /// Leave out the messages of the shell, except errors.
    pub quiet: bool,
    /// Print the place in the shell that a message comes from.
    pub verbose: bool,
}

/// The output of one job so far.
#[derive(Debug, Default)]
pub struct Output {
    form: Form,
    /// Ends of streams that are still to come; `None` before the header.
    open: Option<u64>,
    /// The shell has sent a log message, and may send more after its tasks.
    has_log: bool,
    /// Bytes of output so far.
    bytes: u64,
    tail: Option<Tail>,
    /// Task 0 is shown by other ways.
    hides_first: bool,
}

/// Earlier output held back until its last lines are known.
#[derive(Debug)]
struct Tail {
    /// Entries of the log that belong to the past and have not come.
    entries_left: usize,
    lines_max: usize,
    lines: VecDeque<(Stream, Vec<u8>)>,
}

/// Stream of ours.
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
            bytes: 0,
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

    /// True if its header has come.
    pub fn has_begun(&self) -> bool {
        self.open.is_some()
    }

    /// Shows nothing of task 0 from now on.
    pub fn hide_first(&mut self) {
        self.hides_first = true;
    }

    /// True if every task has closed its output, and nothing else is to be expected. A shell that
    /// has spoken may speak again until the end of the log; but the end of a long log is read again
    /// after the job, all in one piece.
    pub fn is_complete(&self) -> bool {
        let reads_on = self.has_log && self.bytes <= READ_ON_BYTES_MAX;
        self.open == Some(0) && !reads_on
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

    /// With the last of the earlier entries, shows the rest of it.
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
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
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
        if self.form.quiet && log.level > ERROR {
            return Ok(());
        }
        self.has_log = true;
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

    /// Prints an event `log` of the execution log: output of a shell itself, before it had a
    /// log of its own or beside it (protocol/23 section 4).
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

#[cfg(test)]
mod tests {
    use std::io;

    use command::{Env, Io};
    use serde_json::json;

    use super::*;

    /// Checks whether the log is read no further once the only task has written `bytes` and
    /// closed its output.
    #[track_caller]
    fn check(form: Form, speaks: bool, bytes: u64, expect: bool) {
        let io = Io {
            input: Box::new(io::Cursor::new([])),
            out: Box::new(io::sink()),
            err: Box::new(io::sink()),
            out_is_tty: false,
            err_is_tty: false,
        };
        let mut flux = Flux::new(Env::default(), io);
        let mut output = Output::new(form);
        let header = json!({"timestamp": 1.0, "name": "header", "context": {"version": 1,
            "encoding": {"stdout": "UTF-8"}, "count": {"stdout": 1, "stderr": 0}, "options": {}}});
        let log = json!({"timestamp": 1.0, "name": "log", "context": {"level": 4, "message": "x"}});
        let data = json!({"timestamp": 1.0, "name": "data", "context": {"stream": "stdout",
            "rank": "0", "data": "x".repeat(1 << 20)}});
        let end = json!({"timestamp": 1.0, "name": "data", "context": {"stream": "stdout",
            "rank": "0", "eof": true}});
        let mut entries = vec![header];
        entries.extend(speaks.then_some(log));
        entries.extend((0..bytes >> 20).map(|_| data.clone()));
        entries.push(end);
        for entry in entries {
            let entry = serde_json::from_value(entry).expect("an entry");
            output.take(&mut flux, &entry, 0.0).expect("it is shown");
        }
        assert_eq!(output.is_complete(), expect);
    }

    #[test]
    fn the_log_is_read_to_its_end_where_the_shell_has_spoken_and_not_much_is_in_it() {
        let quiet = Form {
            quiet: true,
            ..Form::default()
        };
        check(Form::default(), false, 1 << 20, true);
        check(Form::default(), true, 1 << 20, false);
        check(Form::default(), true, READ_ON_BYTES_MAX, false);
        check(Form::default(), true, READ_ON_BYTES_MAX + (1 << 20), true);
        check(quiet, true, 1 << 20, true);
    }
}
