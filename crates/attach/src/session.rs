//! One job with our standard input, output and signals: `flux run` and `flux job attach`.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use client::{Arrival, Call, Handle, Refusal};
use proto::Errno;
use proto::data::{Entry, JobId};
use proto::job_manager::{Kill, Raise};

use crate::debugger::{Debugger, Debugging};
use crate::follower::{Follower, News, Show};
use crate::input::Input;
use crate::signals::{SignalAction, Signals};
use crate::status_line::StatusLine;
use crate::terminal::{Client, GONE, Mode, News as Keys};
use command::error::CliError;
use command::flux::Flux;

/// Options of following one job.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Output wanted of it.
    pub show: Show,
    /// Show the status of a pending job, also where there is no terminal.
    pub show_status: bool,
    /// The tasks that get our standard input; `None` for none.
    pub input_ranks: Option<String>,
    /// True if it is only watched, so that no terminal of it can be ours.
    pub read_only: bool,
    /// Debugger that is to be shown the processes of its tasks.
    pub debugger: Option<Debugger>,
    /// The job as the user named it.
    pub name: String,
}

/// Reason for the end of waiting for the next arrival.
enum Ready {
    Input,
    Keys,
    Signal,
}

/// The terminal of task 0, which is ours, or is to be.
struct Terminal {
    client: Client,
    /// True if its terminal output is in the job's output too.
    is_captured: bool,
    /// The event that named it, and that input needs if we do not get it.
    named_by: Entry,
}

/// Signal of a closed terminal.
const SIGHUP: i32 = 1;

/// Exit code of who has lost a terminal, or its task has failed.
const FAILED: u8 = 1;

/// One job that has our streams.
pub struct Session {
    follower: Follower,
    input: Option<Input>,
    terminal: Option<Terminal>,
    is_read_only: bool,
    signals: Option<Signals>,
    status: Option<StatusLine>,
    debugging: Option<Debugging>,
    name: String,
}

impl Session {
    /// Follows `id` until it has ended or the user leaves, and returns the exit code.
    pub fn run(
        flux: &mut Flux,
        handle: &mut Handle,
        id: JobId,
        options: SessionOptions,
    ) -> Result<u8, CliError> {
        let mut show = options.show;
        // It says where input goes, whether there is a terminal, and when tasks were started.
        show.exec = true;
        let input = options.input_ranks.map(|ranks| Input::new(flux, &ranks));
        let signals = match flux.input.descriptor() {
            Some(_) => Signals::take_over(),
            None => None,
        };
        let mut session = Session {
            follower: Follower::start(handle, id, show),
            input: input.transpose()?,
            terminal: None,
            is_read_only: options.read_only,
            signals,
            status: StatusLine::new(flux, id, options.show_status),
            debugging: options.debugger.map(Debugging::new),
            name: options.name,
        };
        let code = session.go_on(flux, handle)?;
        flux.out.flush()?;
        Ok(code)
    }

    fn go_on(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<u8, CliError> {
        while !self.follower.is_done() || self.has_terminal() {
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
                (Arrival::Answer(call, answer), _) => {
                    if let Some(code) = self.take(flux, handle, call, answer)? {
                        return Ok(code);
                    }
                }
                (Arrival::Ready(_), Some(Ready::Keys)) => {
                    let terminal = self.terminal.as_mut();
                    let news = terminal.map(|terminal| terminal.client.read(handle));
                    if let Some(code) = self.heed(flux, handle, news.unwrap_or(Keys::Nothing))? {
                        return Ok(code);
                    }
                }
                (Arrival::Ready(_), Some(Ready::Input)) => {
                    if let Some(input) = &mut self.input {
                        input.pass_on(flux, handle)?;
                    }
                }
                (Arrival::Ready(_), Some(Ready::Signal)) => {
                    if let Some(code) = self.obey(flux, handle)? {
                        return Ok(code);
                    }
                }
                _ => {}
            }
            if let Some(terminal) = &mut self.terminal {
                terminal.client.tick(handle);
            }
        }
        self.follower.print_end(flux)?;
        Ok(self.follower.code())
    }

    /// True if a terminal is ours.
    fn has_terminal(&self) -> bool {
        let terminal = self.terminal.as_ref();
        terminal.is_some_and(|terminal| terminal.client.is_attached())
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
        match &self.terminal {
            Some(terminal) => watched.extend(terminal.client.wanted()),
            None => watched.extend(self.input.as_ref().and_then(Input::wanted)),
        }
        let ticks = [
            self.status.as_ref().and_then(StatusLine::next),
            self.terminal.as_ref().and_then(|it| it.client.next()),
        ];
        let arrival = handle.next(&watched, ticks.into_iter().flatten().min())?;
        let ready = match arrival {
            Arrival::Ready(place) if place < signals => Some(Ready::Signal),
            Arrival::Ready(_) if self.terminal.is_some() => Some(Ready::Keys),
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
    ) -> Result<Option<u8>, CliError> {
        if let Some(terminal) = &mut self.terminal
            && let Some(news) = terminal.client.take(flux, handle, call, &answer)
        {
            return self.heed(flux, handle, news?);
        }
        if let Some(input) = &mut self.input
            && input.take(flux, handle, call, &answer)?
        {
            return Ok(None);
        }
        let refused = answer.as_ref().err().map(|refusal| refusal.errno);
        let news = self.follower.take(flux, handle, call, answer);
        let news = news.map_err(|error| self.failed(error, refused))?;
        if let (News::ExecEvent(entry), Some(debugging)) = (&news, &mut self.debugging) {
            debugging.receive_event(handle, (self.follower.id, &self.name), entry)?;
        }
        match (news, &mut self.status) {
            (News::ExecEvent(entry), _) => self.receive_exec_event(flux, handle, entry)?,
            (News::Event(entry), Some(status)) => status.take(flux, &entry)?,
            _ => {}
        }
        if self.follower.has_failed() && !self.has_terminal() {
            self.drop_terminal(flux, handle)?;
        }
        Ok(None)
    }

    /// Learns where input goes, and asks for the terminal of task 0 if it has one for us.
    fn receive_exec_event(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        entry: Entry,
    ) -> Result<(), CliError> {
        let session = match entry.name() {
            "shell.init" => entry.get_str("pty"),
            _ => None,
        };
        let (service, rank) = (entry.get_str("service"), entry.get_i64("leader-rank"));
        let rank = rank.and_then(|rank| u32::try_from(rank).ok());
        let may_be_ours = !self.follower.has_ended() && !self.follower.has_failed();
        if let (Some(session), Some(service), true) = (session, service, may_be_ours)
            && self.terminal.is_none()
        {
            if self.is_read_only {
                return Err(CliError::new("Cannot connect to pty in readonly mode"));
            }
            let topic = format!("{service}.{session}");
            self.terminal = Some(Terminal {
                client: Client::attach(flux, handle, &topic, rank, Mode::Both)?,
                is_captured: entry.get_i64("capture").is_some_and(|capture| capture != 0),
                named_by: entry,
            });
            return Ok(());
        }
        match &mut self.input {
            Some(input) => input.receive_event(flux, handle, &entry),
            None => Ok(()),
        }
    }

    /// Does without a terminal: input goes its usual way.
    fn drop_terminal(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<(), CliError> {
        let Some(mut terminal) = self.terminal.take() else {
            return Ok(());
        };
        terminal.client.let_go(handle);
        match &mut self.input {
            Some(input) => input.receive_event(flux, handle, &terminal.named_by),
            None => Ok(()),
        }
    }

    /// Something is new of the terminal; gives the exit code if that is the end.
    fn heed(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        news: Keys,
    ) -> Result<Option<u8>, CliError> {
        let Some(terminal) = &mut self.terminal else {
            return Ok(None);
        };
        match news {
            Keys::Nothing => Ok(None),
            Keys::Refused(_) => self.drop_terminal(flux, handle).map(|()| None),
            Keys::Attached => {
                if terminal.is_captured {
                    self.follower.hide_first();
                }
                if let Some(signals) = &mut self.signals {
                    signals.add_those_of_terminals();
                }
                // It may have changed since it was told.
                terminal.client.resize(handle);
                Ok(None)
            }
            Keys::Detached { message, status } => {
                terminal.client.finish(flux, &message)?;
                Ok(Some(u8::from(status != 0)))
            }
            Keys::Lost => {
                terminal.client.finish(flux, GONE)?;
                Ok(Some(FAILED))
            }
            Keys::HungUp => Ok(Some(FAILED)),
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

    /// Carries out a signal; returns the exit code if it means to leave.
    fn obey(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<Option<u8>, CliError> {
        let id = self.follower.id;
        let has_terminal = self.has_terminal();
        let Some(signals) = &mut self.signals else {
            return Ok(None);
        };
        match signals.next() {
            None => {}
            Some(SignalAction::Warn) => {
                let text = "one more ctrl-C within 2s to cancel or ctrl-Z to detach";
                flux.note(format_args!("flux-job: {text}"))?;
            }
            Some(SignalAction::Cancel) => {
                let cancel = Raise {
                    id,
                    severity: 0,
                    kind: "cancel".to_owned(),
                    note: Some("interrupted by ctrl-C".to_owned()),
                    wait_status: None,
                };
                handle.notify(Call::new(&cancel));
            }
            Some(SignalAction::Detach) => {
                flux.note("flux-job: detaching...")?;
                return Ok(Some(0));
            }
            Some(SignalAction::Stop) => match &self.terminal {
                Some(terminal) => terminal.client.suspend(handle, || signals.stop()),
                None => signals.stop(),
            },
            Some(SignalAction::Resize) => {
                if let Some(terminal) = &self.terminal {
                    terminal.client.resize(handle);
                }
            }
            // The job runs on: another client may attach to it.
            Some(SignalAction::Forward(SIGHUP)) if has_terminal => return Ok(Some(FAILED)),
            Some(SignalAction::Quit(signum)) => {
                return Ok(Some(u8::try_from(128 + signum).unwrap_or(FAILED)));
            }
            Some(SignalAction::Forward(signum)) => {
                let signum = i64::from(signum);
                handle.notify(Call::new(&Kill { id, signum }));
            }
        }
        Ok(None)
    }
}
