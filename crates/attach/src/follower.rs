//! State of one job that is followed, from its logs.
//!
//! Three logs: the primary one always; that of its execution if something is wanted from
//! it; and its output, from the moment its shells run.

use client::{Call, CallId, Cursor, Handle, Pending, Refusal};
use proto::data::job::{Exception, WaitStatus};
use proto::data::{Entry, JobId};
use proto::job_info::{EventlogWatch, Lookup, WAITCREATE, Watched};
use proto::job_manager::JobEvent;

use crate::output::{Form, Output};
use command::error::CliError;
use command::flux::Flux;

/// Exit code of a job that ended without one.
const FAILED_CODE: u8 = 1;

/// Output wanted of a job.
#[derive(Debug, Clone)]
pub struct Show {
    /// Output of its tasks.
    pub output: bool,
    /// In front of every line of output.
    pub prefix: String,
    /// The task's rank in front of every line of output.
    pub label: bool,
    /// Remove sequences that would move the cursor from output.
    pub keeps_cursor: bool,
    /// Only errors of the shell.
    pub quiet: bool,
    /// Source position of shell messages.
    pub verbose: bool,
    /// The events of the primary log.
    pub events: bool,
    /// The events of the execution log.
    pub exec_events: bool,
    /// Follow the execution log for another reason: standard input needs it.
    pub exec: bool,
    /// Follow the execution log to its end, if it is followed.
    pub waits_for_exec: bool,
    /// Of the output until now, only the last N lines.
    pub tail: Option<usize>,
    /// Exceptions and how the job ended.
    pub end: bool,
    /// The event with which it ends; with `exec.` in front, one of the execution log.
    pub until: String,
}

impl Default for Show {
    fn default() -> Show {
        Show {
            output: true,
            prefix: String::new(),
            label: false,
            keeps_cursor: false,
            quiet: false,
            verbose: false,
            events: false,
            exec_events: false,
            exec: false,
            waits_for_exec: false,
            tail: None,
            end: true,
            until: "finish".to_owned(),
        }
    }
}

/// Log of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Primary,
    Exec,
    Output,
}

/// An entry that the caller may want to know of.
#[derive(Debug, PartialEq)]
pub enum News {
    /// Of the primary log.
    Event(Entry),
    /// Of the execution log.
    ExecEvent(Entry),
    /// Nothing to act upon.
    Nothing,
}

/// One job that is followed.
pub struct Follower {
    /// Job id.
    pub id: JobId,
    show: Show,
    primary: Option<Pending<EventlogWatch>>,
    exec: Option<Pending<EventlogWatch>>,
    output_log: Option<Pending<EventlogWatch>>,
    /// Position in each log.
    cursors: [Cursor; 3],
    output: Output,
    submitted: f64,
    status: Option<WaitStatus>,
    fatal: Option<Exception>,
    /// True if nothing is left of it on any node.
    is_clean: bool,
    /// True if the event up to which it is followed has come.
    reached: bool,
}

impl Follower {
    /// Begins to follow a job.
    pub fn start(handle: &mut Handle, id: JobId, show: Show) -> Follower {
        let form = Form {
            prefix: show.prefix.clone(),
            label: show.label,
            keeps_cursor: show.keeps_cursor,
            quiet: show.quiet,
            verbose: show.verbose,
        };
        Follower {
            id,
            primary: Some(watch(handle, id, "eventlog")),
            exec: None,
            output_log: None,
            cursors: [Cursor::default(); 3],
            output: Output::new(form),
            submitted: 0.0,
            status: None,
            fatal: None,
            is_clean: false,
            reached: false,
            show,
        }
    }

    /// The streams by which it is followed now.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        let logs = [self.primary, self.exec, self.output_log];
        logs.into_iter().flatten().map(|pending| pending.id())
    }

    /// True if nothing more is to come that is wanted.
    pub fn is_done(&self) -> bool {
        let awaits_exec = self.show.waits_for_exec || self.show.until.starts_with("exec.");
        let has_exec = awaits_exec && self.exec.is_some();
        let is_over = self.is_clean || self.primary.is_none();
        let no_more = match is_over && has_exec {
            true => self.reached && !self.show.waits_for_exec,
            false => self.reached || self.primary.is_none(),
        };
        // A client that waits for an event in the middle does not wait for output.
        let printed = !self.has_ended() || self.output_log.is_none() || self.output.is_complete();
        no_more && printed
    }

    /// True if a shell of the job has begun its output.
    pub fn has_output(&self) -> bool {
        self.output.has_begun()
    }

    /// Shows no output of task 0 from now on.
    pub fn hide_first(&mut self) {
        self.output.hide_first();
    }

    /// True if an event has come that ends the job.
    pub fn has_failed(&self) -> bool {
        self.fatal.is_some()
    }

    /// True if the job is known to have ended.
    pub fn has_ended(&self) -> bool {
        self.status.is_some() || self.is_clean || self.primary.is_none()
    }

    /// Lets go of the streams.
    pub fn stop(&mut self, handle: &mut Handle) {
        for id in self.calls().collect::<Vec<_>>() {
            handle.cancel(id, proto::job_info::EVENTLOG_WATCH_CANCEL);
            handle.forget(id);
        }
        (self.primary, self.exec, self.output_log) = (None, None, None);
    }

    /// The exit code that the job's end means for us.
    pub fn code(&self) -> u8 {
        match (self.status, &self.fatal) {
            // A job that ended well and was then called off did not do well.
            (Some(WaitStatus::SUCCESS) | None, Some(fatal)) => {
                let status = fatal.wait_status.filter(|status| !status.is_success());
                status.map_or(FAILED_CODE, code_of)
            }
            (Some(status), _) => code_of(status),
            (None, None) => 0,
        }
    }

    /// Takes an answer. The error is a refusal of the primary log.
    pub fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: Result<wire::Message, Refusal>,
    ) -> Result<News, CliError> {
        let is = |log: &Option<Pending<EventlogWatch>>| log.is_some_and(|log| log.id() == call);
        let (log, pending) = if is(&self.primary) {
            (Log::Primary, self.primary)
        } else if is(&self.exec) {
            (Log::Exec, self.exec)
        } else {
            (Log::Output, self.output_log)
        };
        let Some(pending) = pending else {
            return Ok(News::Nothing);
        };
        match pending.decode(answer) {
            Ok(Watched { event: Some(line) }) => {
                if !self.cursors[log as usize].is_new(handle.repeats(call)) {
                    return Ok(News::Nothing);
                }
                let entry = Entry::decode(&line)
                    .map_err(|error| CliError::new(format!("{}: {error}", self.id)))?;
                self.take_entry(flux, handle, log, entry)
            }
            Ok(Watched { event: None }) => Ok(News::Nothing),
            Err(refusal) => self.ended(log, refusal),
        }
    }

    fn take_entry(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        log: Log,
        entry: Entry,
    ) -> Result<News, CliError> {
        match log {
            Log::Output => {
                self.output.take(flux, &entry, self.submitted)?;
                Ok(News::Nothing)
            }
            Log::Exec => {
                if self.show.exec_events {
                    self.print(flux, "exec", &entry)?;
                }
                if entry.name() == "log" && self.show.output {
                    self.output.shell_wrote(flux, &entry, self.submitted)?;
                }
                let until = self.show.until.strip_prefix("exec.");
                self.reached |= until == Some(entry.name());
                Ok(News::ExecEvent(entry))
            }
            Log::Primary => {
                self.receive_event(flux, handle, &entry)?;
                Ok(News::Event(entry))
            }
        }
    }

    fn receive_event(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        entry: &Entry,
    ) -> Result<(), CliError> {
        let is_exception = entry.name() == "exception";
        if entry.name() == "submit" {
            self.submitted = entry.timestamp();
        }
        if self.show.events && !is_exception {
            self.print(flux, "job", entry)?;
        }
        match JobEvent::of(entry) {
            Ok(JobEvent::Start) => self.started(handle)?,
            Ok(JobEvent::Finish(status)) => self.status = Some(status),
            Ok(JobEvent::Exception(exception)) => {
                if self.show.end {
                    self.print_exception(flux, entry, &exception)?;
                }
                if exception.severity.is_fatal() && self.fatal.is_none() {
                    self.fatal = Some(exception);
                }
            }
            Ok(JobEvent::Clean) => self.is_clean = true,
            // Entries of a later version are no reason to stop.
            Ok(_) | Err(_) => {}
        }
        self.reached |= self.show.until == entry.name();
        Ok(())
    }

    /// The job's shells run: now there is more to follow.
    fn started(&mut self, handle: &mut Handle) -> Result<(), CliError> {
        let wants_exec = self.show.exec || self.show.exec_events;
        if self.exec.is_none() && (wants_exec || self.show.until.starts_with("exec.")) {
            self.exec = Some(watch(handle, self.id, "guest.exec.eventlog"));
        }
        if self.output_log.is_none() && self.show.output {
            if let Some(lines) = self.show.tail {
                let entries = entries_until_now(handle, self.id, "guest.output")?;
                self.output.hold_back(entries, lines);
            }
            self.output_log = Some(watch(handle, self.id, "guest.output"));
        }
        Ok(())
    }

    /// A log has come to its end, or cannot be read.
    fn ended(&mut self, log: Log, refusal: Refusal) -> Result<News, CliError> {
        match log {
            Log::Primary => self.primary = None,
            Log::Exec => self.exec = None,
            Log::Output => self.output_log = None,
        }
        // A job whose shells never came that far has no such log.
        let is_missing = log != Log::Primary && refusal.errno == proto::Errno::ENOENT;
        match refusal.is_end() || is_missing {
            true => Ok(News::Nothing),
            false => Err(refusal.into()),
        }
    }

    fn print(&self, flux: &mut Flux, log: &str, entry: &Entry) -> Result<(), CliError> {
        let seconds = entry.timestamp() - self.submitted;
        let name = entry.name();
        flux.out.flush()?;
        match entry.context() {
            Some(context) => {
                let context = serde_json::Value::Object(context.clone());
                flux.note(format_args!("{seconds:.3}s: {log}.{name} {context}"))?;
            }
            None => flux.note(format_args!("{seconds:.3}s: {log}.{name}"))?,
        }
        Ok(())
    }

    fn print_exception(
        &self,
        flux: &mut Flux,
        entry: &Entry,
        exception: &Exception,
    ) -> Result<(), CliError> {
        let seconds = entry.timestamp() - self.submitted;
        let Exception { kind, note, .. } = exception;
        let (id, severity) = (self.id, exception.severity.get());
        flux.out.flush()?;
        flux.note(format_args!(
            "{seconds:.3}s: job.exception {id} type={kind} severity={severity} {note}"
        ))?;
        Ok(())
    }

    /// Prints how the job ended, if that was not well.
    pub fn print_end(&self, flux: &mut Flux) -> Result<(), CliError> {
        if let Some(text) = self.status.and_then(WaitStatus::failure_text) {
            flux.out.flush()?;
            flux.note(format_args!("flux-job: {text}"))?;
        }
        Ok(())
    }
}

fn code_of(status: WaitStatus) -> u8 {
    u8::try_from(status.shell_code()).unwrap_or(FAILED_CODE)
}

/// Number of entries that a log has now; 0 if there is no such log yet.
fn entries_until_now(handle: &mut Handle, id: JobId, path: &str) -> Result<usize, CliError> {
    let lookup = handle.rpc(&Lookup {
        id,
        keys: vec![path.to_owned()],
        flags: 0,
    });
    match lookup {
        Ok(found) => {
            let log = found.values.get(path).and_then(serde_json::Value::as_str);
            Ok(log.map_or(0, |log| log.lines().count()))
        }
        Err(refusal) if refusal.errno == proto::Errno::ENOENT => Ok(0),
        Err(refusal) => Err(refusal.into()),
    }
}

fn watch(handle: &mut Handle, id: JobId, path: &str) -> Pending<EventlogWatch> {
    let request = EventlogWatch {
        id,
        path: path.to_owned(),
        flags: if path == "eventlog" { 0 } else { WAITCREATE },
    };
    handle.start_stream(Call::new(&request).repeating())
}
