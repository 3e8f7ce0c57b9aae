//! Handing jobs in, many requests under way, and following those that have an id.

use std::collections::BTreeMap;

use client::{CallId, Handle, Pending, Refusal};
use proto::job_ingest::Submit;

use attach::{Kind, Many, Progress, Wanted};
use command::error::CliError;
use command::flux::Flux;
use command::streams::Streams;
use submission::answered;

use super::many::Settings;
use super::plan::Planned;
use crate::limits::SUBMITS_IN_FLIGHT_MAX;

/// A request under way.
struct Sent {
    pending: Pending<Submit>,
    streams: Streams,
    label: Option<String>,
}

/// Submits the `total` jobs of a plan, and follows them if that is wanted.
pub fn run(
    flux: &mut Flux,
    mut plan: impl Iterator<Item = Result<Planned, CliError>>,
    settings: &Settings,
    total: u64,
) -> Result<(), CliError> {
    let progress = progress(flux, settings, total)?;
    // Errors of the first are reported before anything is submitted.
    let first = plan.next().transpose()?;
    let mut handle = flux.connect()?;
    let wanted = settings.wanted.clone().unwrap_or_default();
    let mut sender = Sender {
        settings,
        many: Many::new(wanted, progress),
        sent: BTreeMap::new(),
    };
    let plan = first.into_iter().map(Ok).chain(plan);
    let outcome = sender.run(flux, &mut handle, plan);
    if let Some(progress) = &mut sender.many.progress {
        progress.finish(flux)?;
    }
    outcome?;
    flux.out.flush()?;
    match sender.many.code() {
        0 => Ok(()),
        code => Err(CliError::exit(code)),
    }
}

fn progress(
    flux: &mut Flux,
    settings: &Settings,
    total: u64,
) -> Result<Option<Progress>, CliError> {
    if !settings.progress {
        return Ok(None);
    }
    let kind = match settings.wanted {
        Some(_) => Kind::Jobs,
        None => Kind::Submissions,
    };
    let progress = Progress::new(flux, kind, total, settings.jps);
    if progress.is_none() {
        let text = "stdout is not a tty. Ignoring --progress option";
        flux.note(format_args!("flux: WARNING: {text}"))?;
    }
    Ok(progress)
}

struct Sender<'s> {
    settings: &'s Settings,
    many: Many,
    sent: BTreeMap<CallId, Sent>,
}

impl Sender<'_> {
    /// Until every request is answered and every job has come to its event. A job that cannot be
    /// made ends the sending, and is reported when those before it have been answered.
    fn run(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        mut plan: impl Iterator<Item = Result<Planned, CliError>>,
    ) -> Result<(), CliError> {
        let mut failure = None;
        loop {
            while self.sent.len() < SUBMITS_IN_FLIGHT_MAX && failure.is_none() {
                match plan.next() {
                    None => break,
                    Some(Ok(planned)) => self.send(handle, planned),
                    Some(Err(error)) => failure = Some(error),
                }
            }
            self.many.start(flux, handle);
            if self.sent.is_empty() && (self.many.is_idle() || failure.is_some()) {
                return failure.map_or(Ok(()), Err);
            }
            let Some((call, answer)) = self.many.wait(flux, handle)? else {
                continue;
            };
            match self.sent.remove(&call) {
                Some(sent) => self.take(flux, sent, answer)?,
                None => self.many.take(flux, handle, call, answer)?,
            }
        }
    }

    fn send(&mut self, handle: &mut Handle, planned: Planned) {
        let pending = planned.request.start(handle);
        let sent = Sent {
            pending,
            streams: planned.streams,
            label: planned.label,
        };
        self.sent.insert(pending.id(), sent);
    }

    /// Prints the id of a job, or why there is none.
    fn take(
        &mut self,
        flux: &mut Flux,
        sent: Sent,
        answer: Result<wire::Message, Refusal>,
    ) -> Result<(), CliError> {
        let Sent {
            pending,
            streams,
            label,
        } = sent;
        match answered(pending.decode(answer)) {
            Ok(id) => {
                if !self.settings.quiet {
                    streams.with(flux, |flux| Ok(flux.line(id)?))?;
                }
                match (&self.settings.wanted, &mut self.many.progress) {
                    (Some(Wanted { .. }), _) => self.many.add(id, streams),
                    (None, Some(progress)) => progress.counts.done += 1,
                    (None, None) => {}
                }
            }
            Err(error) => {
                let error = match label {
                    Some(label) => error.about(label),
                    None => error,
                };
                streams.with(flux, |flux| flux.complain(&error))?;
                self.many.count_failure(1);
            }
        }
        match &mut self.many.progress {
            Some(progress) => progress.update(flux),
            None => Ok(()),
        }
    }
}
