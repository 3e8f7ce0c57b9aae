//! Several jobs at once: `--watch` and `--wait` of commands that submit, and `flux watch`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use client::{Arrival, CallId, Handle, Refusal};
use proto::data::job::{Exception, WaitStatus};
use proto::data::{Entry, JobId};
use proto::job_manager::JobEvent;
use serde_json::Value;

use crate::follower::{Follower, News, Show};
use crate::limits::FOLLOWED_JOBS_MAX;
use crate::progress::Progress;
use command::error::CliError;
use command::flux::Flux;
use command::streams::Streams;

/// Messages wanted about jobs.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Print the output of their tasks.
    pub output: bool,
    /// With the job's id and the task's rank in front of every line of it.
    pub label: bool,
    /// 1 prints the ends of jobs, 2 every event.
    pub verbose: u8,
    /// The event with which each ends; with `exec.` in front, one of its execution log.
    pub until: String,
}

/// One job that is followed, and the destination of its messages.
struct Followed {
    follower: Follower,
    streams: Streams,
    is_running: bool,
    is_counted: bool,
    /// The exception that is printed if it turns out that no shell ran.
    held: Option<Exception>,
}

/// One job that waits for its turn.
struct Waiting {
    id: JobId,
    streams: Streams,
    /// The end has been counted.
    is_counted: bool,
}

/// All jobs: those that are followed and those that wait for their turn.
pub struct Many {
    wanted: Wanted,
    /// The line that shows the progress of the jobs.
    pub progress: Option<Progress>,
    waiting: VecDeque<Waiting>,
    followed: BTreeMap<JobId, Followed>,
    by_call: BTreeMap<CallId, JobId>,
    /// Time at which the first of the jobs was submitted.
    submitted: Option<f64>,
    worst: u8,
}

/// An answer, and its call.
pub type Answered = (CallId, Result<wire::Message, Refusal>);

impl Many {
    /// No jobs yet.
    pub fn new(wanted: Wanted, progress: Option<Progress>) -> Many {
        Many {
            wanted,
            progress,
            waiting: VecDeque::new(),
            followed: BTreeMap::new(),
            by_call: BTreeMap::new(),
            submitted: None,
            worst: 0,
        }
    }

    /// Adds a job, with the destination of its messages.
    pub fn add(&mut self, id: JobId, streams: Streams) {
        let is_counted = false;
        self.waiting.push_back(Waiting {
            id,
            streams,
            is_counted,
        });
    }

    /// The same for one that is known to have ended: progress counts it at once.
    pub fn add_ended(&mut self, id: JobId, streams: Streams, is_success: bool) {
        if let Some(progress) = &mut self.progress {
            match is_success {
                true => progress.counts.done += 1,
                false => progress.counts.failed += 1,
            }
        }
        let is_counted = true;
        self.waiting.push_back(Waiting {
            id,
            streams,
            is_counted,
        });
    }

    /// Counts a job, or a failed submission, that did not succeed.
    pub fn count_failure(&mut self, code: u8) {
        self.worst = self.worst.max(code);
        if let Some(progress) = &mut self.progress {
            progress.counts.failed += 1;
        }
    }

    /// True if there is nothing left to follow.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.followed.is_empty()
    }

    /// The largest exit code so far.
    pub fn code(&self) -> u8 {
        self.worst
    }

    /// Follows the jobs until each has come to its event, and returns the largest exit code.
    pub fn follow(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<u8, CliError> {
        loop {
            self.start(flux, handle);
            if self.is_idle() {
                return Ok(self.worst);
            }
            if let Some((call, answer)) = self.wait(flux, handle)? {
                self.take(flux, handle, call, answer)?;
            }
        }
    }

    /// Begins to follow as many as may be followed at once.
    pub fn start(&mut self, flux: &Flux, handle: &mut Handle) {
        while self.followed.len() < FOLLOWED_JOBS_MAX
            && let Some(waiting) = self.waiting.pop_front()
        {
            let id = waiting.id;
            let follower = Follower::start(handle, id, self.show(flux, id));
            let calls = follower.calls();
            self.by_call.extend(calls.map(|call| (call, id)));
            let followed = Followed {
                follower,
                streams: waiting.streams,
                is_running: false,
                is_counted: waiting.is_counted,
                held: None,
            };
            self.followed.insert(id, followed);
        }
    }

    fn show(&self, flux: &Flux, id: JobId) -> Show {
        let wanted = &self.wanted;
        let prefix = match wanted.label {
            true => flux.plain().line(&format!("{id}: ")).into_owned(),
            false => String::new(),
        };
        Show {
            output: wanted.output,
            prefix,
            label: wanted.label,
            // Output must not move the cursor out of the region above the line.
            keeps_cursor: self.progress.is_some(),
            exec: wanted.output && wanted.verbose > 1,
            waits_for_exec: wanted.verbose > 1,
            end: false,
            until: wanted.until.clone(),
            ..Show::default()
        }
    }

    /// Takes an answer, if it is one about a job.
    pub fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: Result<wire::Message, Refusal>,
    ) -> Result<(), CliError> {
        let Some(id) = self.by_call.get(&call).copied() else {
            return Ok(());
        };
        let Some(mut followed) = self.followed.remove(&id) else {
            return Ok(());
        };
        if answer.is_err() {
            self.by_call.remove(&call);
        }
        let streams = followed.streams.clone();
        let told = streams.with(flux, |flux| {
            let news = followed.follower.take(flux, handle, call, answer)?;
            self.print(flux, &mut followed, &news)
        });
        if let Err(error) = told {
            flux.complain(&error.about(id))?;
            self.worst = self.worst.max(1);
        }
        let calls = followed.follower.calls();
        self.by_call.extend(calls.map(|call| (call, id)));
        match followed.follower.is_done() {
            true => self.end(flux, handle, followed)?,
            false => drop(self.followed.insert(id, followed)),
        }
        Ok(())
    }

    /// Prints an event.
    fn print(
        &mut self,
        flux: &mut Flux,
        followed: &mut Followed,
        news: &News,
    ) -> Result<(), CliError> {
        let (entry, log) = match news {
            News::Event(entry) => (entry, ""),
            News::ExecEvent(entry) => (entry, "exec."),
            News::Nothing => return Ok(()),
        };
        let since = *self.submitted.get_or_insert(entry.timestamp());
        let since = since.min(entry.timestamp());
        self.submitted = Some(since);
        let seconds = entry.timestamp() - since;
        let id = followed.follower.id;
        if self.wanted.verbose > 1 {
            flux.out.flush()?;
            let (name, context) = (entry.name(), context(entry));
            flux.note(format_args!("{id}: {seconds:.3}s: {log}{name} {context}"))?;
        }
        if log.is_empty() {
            self.print_state(flux, followed, entry, seconds)?;
        }
        Ok(())
    }

    fn print_state(
        &mut self,
        flux: &mut Flux,
        followed: &mut Followed,
        entry: &Entry,
        seconds: f64,
    ) -> Result<(), CliError> {
        let id = followed.follower.id;
        match JobEvent::of(entry) {
            Ok(JobEvent::Start) if !followed.is_running => {
                followed.is_running = true;
                if let Some(progress) = &mut self.progress
                    && !followed.is_counted
                {
                    progress.counts.running += 1;
                }
            }
            Ok(JobEvent::Finish(status)) if self.wanted.verbose > 0 => {
                let end = match status {
                    WaitStatus::SUCCESS => "complete",
                    _ => "failed",
                };
                flux.out.flush()?;
                let status = entry.get_i64("status").unwrap_or_default();
                flux.note(format_args!("{id}: {seconds:.3}s: {end}: status={status}"))?;
            }
            Ok(JobEvent::Exception(exception)) if exception.severity.is_fatal() => {
                // The output of a shell tells it by itself, which may be yet to come. The job
                // ends soon.
                match self.wanted.output {
                    false => show_exception(flux, &exception)?,
                    true => drop(followed.held.get_or_insert(exception)),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Lets go of a job that has come to its event.
    fn end(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        mut followed: Followed,
    ) -> Result<(), CliError> {
        if let Some(exception) = &followed.held
            && !followed.follower.has_output()
        {
            let tell = |flux: &mut Flux| show_exception(flux, exception);
            followed.streams.with(flux, tell)?;
        }
        let code = followed.follower.code();
        self.worst = self.worst.max(code);
        for call in followed.follower.calls() {
            self.by_call.remove(&call);
        }
        followed.follower.stop(handle);
        if let Some(progress) = &mut self.progress {
            let counts = &mut progress.counts;
            match (followed.is_counted, code) {
                (true, _) => {}
                (false, 0) => counts.done += 1,
                (false, _) => counts.failed += 1,
            }
            counts.running -= u64::from(followed.is_running && !followed.is_counted);
            progress.update(flux)?;
        }
        Ok(())
    }

    /// The next answer, after what was printed has gone out if there is none yet.
    pub fn wait(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
    ) -> Result<Option<Answered>, CliError> {
        let mut arrival = handle.next(&[], Some(Instant::now()))?;
        if let Arrival::Deadline = arrival {
            if let Some(progress) = &mut self.progress {
                progress.update(flux)?;
            }
            flux.out.flush()?;
            let redraw = self.progress.as_ref().map(Progress::next);
            let interrupts = self.progress.as_ref().and_then(Progress::descriptor);
            arrival = handle.next(interrupts.as_slice(), redraw)?;
        }
        match (arrival, &mut self.progress) {
            (Arrival::Answer(call, answer), _) => Ok(Some((call, answer))),
            (Arrival::Ready(_), Some(progress)) => match progress.interrupted() {
                Some(code) => Err(CliError::exit(code)),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }
}

fn show_exception(flux: &mut Flux, exception: &Exception) -> Result<(), CliError> {
    let Exception { kind, note, .. } = exception;
    let severity = exception.severity.get();
    flux.out.flush()?;
    flux.note(format_args!(
        "job.exception: type={kind} severity={severity} {note}"
    ))?;
    Ok(())
}

/// Context of an event, with sorted keys; empty if it has none.
fn context(entry: &Entry) -> String {
    let Some(context) = entry.context() else {
        return String::new();
    };
    let mut context = Value::Object(context.clone());
    context.sort_all_objects();
    context.to_string()
}
