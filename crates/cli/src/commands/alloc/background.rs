//! Waiting until an instance takes jobs.

use std::os::fd::AsFd;
use std::process::Command;

use client::{Arrival, Call, Handle, Pending};
use command::error::CliError;
use command::flux::Flux;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use proto::data::{Entry, JobId};
use proto::job_info::EventlogWatch;
use proto::job_manager::Raise;
use proto::state_machine;

use crate::uri::near;

/// ^C through a descriptor, so that the job is canceled first.
struct Interrupt {
    set: SigSet,
    descriptor: SignalFd,
}

impl Interrupt {
    fn take_over() -> Result<Interrupt, CliError> {
        let set = SigSet::from(Signal::SIGINT);
        let failed = |errno: nix::errno::Errno| CliError::new(errno.desc());
        set.thread_block().map_err(failed)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let descriptor = SignalFd::with_flags(&set, flags).map_err(failed)?;
        Ok(Interrupt { set, descriptor })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        let _ = self.set.thread_unblock();
    }
}

/// Waits, and prints the id of the job.
pub fn wait(
    flux: &mut Flux,
    handle: &mut Handle,
    id: JobId,
    is_verbose: bool,
) -> Result<(), CliError> {
    let interrupt = Interrupt::take_over()?;
    let mut progress = Progress {
        id,
        is_verbose,
        began: None,
    };
    let request = EventlogWatch {
        id,
        path: "eventlog".to_owned(),
        flags: 0,
    };
    let log = handle.start_stream(Call::new(&request).repeating());
    let uri = loop {
        match next(handle, &interrupt, log)? {
            Next::Interrupted => return Err(progress.cancel(flux, handle)?),
            Next::Event(entry) => {
                progress.take(flux, &entry)?;
                if let Some(uri) = uri_of(&entry) {
                    break uri.to_owned();
                }
            }
            Next::End => {
                drop(interrupt);
                show(flux, id)?;
                return Err(progress.failed("unexpectedly exited"));
            }
        }
    };
    let about = |error: CliError| {
        let text = error.text();
        let text = text
            .strip_prefix("Unable to connect to Flux: ")
            .unwrap_or(text);
        CliError::new(format!("Unable to connect to {id}: {text}"))
    };
    let inner = flux.connect_to(Some(&near(flux, &uri)));
    let mut inner = inner.map_err(about)?;
    let online = inner.start(Call::new(&state_machine::Wait));
    loop {
        match inner.next(&[interrupt.descriptor.as_fd()], None) {
            Ok(Arrival::Ready(_)) => return Err(progress.cancel(flux, handle)?),
            Ok(Arrival::Answer(_, answer)) => match online.decode(answer) {
                Ok(_) => break,
                Err(_) => return Err(progress.failed("instance startup failed")),
            },
            Ok(_) => {}
            Err(_) => return Err(progress.failed("instance startup failed")),
        }
    }
    progress.print(flux, "ready")?;
    flux.line(id)?;
    Ok(())
}

enum Next {
    Event(Entry),
    /// The job has ended.
    End,
    Interrupted,
}

fn next(
    handle: &mut Handle,
    interrupt: &Interrupt,
    log: Pending<EventlogWatch>,
) -> Result<Next, CliError> {
    loop {
        let answer = match handle.next(&[interrupt.descriptor.as_fd()], None)? {
            Arrival::Ready(_) => return Ok(Next::Interrupted),
            Arrival::Answer(_, answer) => log.decode(answer),
            _ => continue,
        };
        match answer {
            Ok(watched) => {
                let Some(Ok(entry)) = watched.event.map(|line| Entry::decode(&line)) else {
                    continue;
                };
                return Ok(match entry.name() {
                    "clean" => Next::End,
                    _ => Next::Event(entry),
                });
            }
            Err(refusal) if refusal.is_end() => return Ok(Next::End),
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

fn uri_of(entry: &Entry) -> Option<&str> {
    let context = entry.context().filter(|_| entry.name() == "memo")?;
    context.get("uri")?.as_str()
}

/// Progress messages.
struct Progress {
    id: JobId,
    is_verbose: bool,
    /// When the first event was, and the last one.
    began: Option<(f64, f64)>,
}

impl Progress {
    fn take(&mut self, flux: &mut Flux, entry: &Entry) -> Result<(), CliError> {
        let now = entry.timestamp();
        let is_first = self.began.is_none();
        let (began, _) = self.began.unwrap_or((now, now));
        self.began = Some((began, now));
        match entry.name() {
            _ if is_first => self.print(flux, "waiting for resources"),
            "alloc" => {
                self.print(flux, "resources allocated")?;
                self.print(flux, "waiting for instance")
            }
            _ => Ok(()),
        }
    }

    fn print(&self, flux: &mut Flux, what: &str) -> Result<(), CliError> {
        let (began, now) = match (self.began, what) {
            (Some((began, _)), "ready") => (began, command::clock::now()),
            (began, _) => began.unwrap_or_default(),
        };
        if self.is_verbose {
            let seconds = now - began;
            flux.note(format_args!("{}: {seconds:6.3}s: {what}", self.id))?;
        }
        Ok(())
    }

    fn cancel(&self, flux: &mut Flux, handle: &mut Handle) -> Result<CliError, CliError> {
        flux.note(format_args!("{}: Interrupt: canceling job", self.id))?;
        handle.rpc(&Raise {
            id: self.id,
            severity: 0,
            kind: "cancel".to_owned(),
            note: Some("interrupted by ctrl-C".to_owned()),
            wait_status: None,
        })?;
        Ok(CliError::exit(1))
    }

    fn failed(&self, what: &str) -> CliError {
        CliError::new(format!("{}: {what}", self.id))
    }
}

/// Shows the messages of the job.
fn show(flux: &mut Flux, id: JobId) -> Result<(), CliError> {
    flux.out.flush()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(super::attach_words(id));
    // The end of the job is reported in our own words.
    command.env_clear().envs(flux.env.iter()).status()?;
    Ok(())
}
