//! One job with our standard input, output and signals: `flux run` and `flux job attach`.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use client::{Arrival, Call, Handle, Refusal};
use proto::Errno;
use proto::data::JobId;
use proto::job_manager::{Kill, Raise};

use crate::follower::{Follower, News, Show};
use crate::input::Input;
use crate::signals::{Signals, Wish};
use crate::status_line::StatusLine;
use command::error::CliError;
use command::flux::Flux;

/// How one job is followed.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// What is shown of it.
    pub show: Show,
    /// Tell what it waits for, also where there is no terminal.
    pub show_status: bool,
    /// The tasks that get our standard input; `None` for none.
    pub input_ranks: Option<String>,
    /// The job as the user named it.
    pub name: String,
}

/// Why the wait for the next arrival ended.
enum Ready {
    Input,
    Signal,
}

/// One job that has our streams.
pub struct Session {
    follower: Follower,
    input: Option<Input>,
    signals: Option<Signals>,
    status: Option<StatusLine>,
    name: String,
}

impl Session {
    /// Follows `id` until it has ended or the user leaves, and gives back the exit code.
    pub fn run(
        flux: &mut Flux,
        handle: &mut Handle,
        id: JobId,
        options: SessionOptions,
    ) -> Result<u8, CliError> {
        let mut show = options.show;
        show.exec = options.input_ranks.is_some();
        let input = options.input_ranks.map(|ranks| Input::new(flux, &ranks));
        let signals = match flux.input.descriptor() {
            Some(_) => Signals::take_over(),
            None => None,
        };
        let mut session = Session {
            follower: Follower::start(handle, id, show),
            input: input.transpose()?,
            signals,
            status: StatusLine::new(flux, id, options.show_status),
            name: options.name,
        };
        let code = session.go_on(flux, handle)?;
        flux.out.flush()?;
        Ok(code)
    }

    fn go_on(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<u8, CliError> {
        while !self.follower.is_done() {
            if let Some(status) = &mut self.status {
                status.show(flux)?;
            }
            let arrived = self.wait(flux, handle)?;
            if let Some(status) = &self.status {
                status.hide(flux)?;
            }
            match arrived {
                (Arrival::Deadline, _) => {
                    if let Some(status) = &mut self.status {
                        status.tick();
                    }
                }
                (Arrival::Answer(call, answer), _) => self.take(flux, handle, call, answer)?,
                (Arrival::Ready(_), Some(Ready::Input)) => {
                    if let Some(input) = &mut self.input {
                        input.pass_on(flux, handle)?;
                    }
                }
                (Arrival::Ready(_), Some(Ready::Signal)) if self.obey(flux, handle)? => {
                    return Ok(0);
                }
                _ => {}
            }
        }
        self.follower.print_end(flux)?;
        Ok(self.follower.code())
    }

    /// Blocks for what comes next, after what was printed has gone out.
    fn wait(
        &self,
        flux: &mut Flux,
        handle: &mut Handle,
    ) -> Result<(Arrival, Option<Ready>), CliError> {
        match handle.next(&[], Some(Instant::now()))? {
            Arrival::Deadline => flux.out.flush()?,
            arrival => return Ok((arrival, None)),
        }
        let mut watched: Vec<BorrowedFd<'_>> = Vec::with_capacity(2);
        watched.extend(self.signals.as_ref().map(AsFd::as_fd));
        let signals = watched.len();
        watched.extend(self.input.as_ref().and_then(Input::wanted));
        let tick = self.status.as_ref().and_then(StatusLine::next);
        let arrival = handle.next(&watched, tick)?;
        let ready = match arrival {
            Arrival::Ready(place) if place < signals => Some(Ready::Signal),
            Arrival::Ready(_) => Some(Ready::Input),
            _ => None,
        };
        Ok((arrival, ready))
    }

    fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: client::CallId,
        answer: Result<wire::Message, Refusal>,
    ) -> Result<(), CliError> {
        if let Some(input) = &mut self.input
            && input.take(flux, handle, call, &answer)?
        {
            return Ok(());
        }
        let refused = answer.as_ref().err().map(|refusal| refusal.errno);
        let news = self.follower.take(flux, handle, call, answer);
        let news = news.map_err(|error| self.failed(error, refused))?;
        match (news, &mut self.input, &mut self.status) {
            (News::ExecEvent(entry), Some(input), _) => input.take_event(flux, handle, &entry),
            (News::Event(entry), _, Some(status)) => status.take(flux, &entry),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: CliError, refused: Option<Errno>) -> CliError {
        let why = match refused {
            Some(Errno::ENOENT) => "No such job",
            Some(Errno::EPERM) => "that is not your job",
            _ => return error,
        };
        CliError::new(format!("Failed to attach to {}: {why}", self.name))
    }

    /// Does what a signal means; `true` if that is to leave.
    fn obey(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<bool, CliError> {
        let id = self.follower.id;
        let Some(signals) = &mut self.signals else {
            return Ok(false);
        };
        match signals.next() {
            None => {}
            Some(Wish::Warn) => {
                let text = "one more ctrl-C within 2s to cancel or ctrl-Z to detach";
                flux.note(format_args!("flux-job: {text}"))?;
            }
            Some(Wish::Cancel) => {
                let cancel = Raise {
                    id,
                    severity: 0,
                    kind: "cancel".to_owned(),
                    note: Some("interrupted by ctrl-C".to_owned()),
                    wait_status: None,
                };
                handle.notify(Call::new(&cancel));
            }
            Some(Wish::Detach) => {
                flux.note("flux-job: detaching...")?;
                return Ok(true);
            }
            Some(Wish::Stop) => signals.stop(),
            Some(Wish::Forward(signum)) => {
                let signum = i64::from(signum);
                handle.notify(Call::new(&Kill { id, signum }));
            }
        }
        Ok(false)
    }
}
