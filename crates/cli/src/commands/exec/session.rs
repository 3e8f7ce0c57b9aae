//! Processes attached to our streams: their output, their exit, and our input to them.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use client::{Arrival, Call, CallId, Handle, Refusal};
use proto::data::stdio::Data;
use proto::rexec::{Credit, Kill, ProcessReply, Write};
use proto::{Errno, Payload};

use super::input::Input;
use super::lines::Lines;
use super::outcome::Outcome;
use super::signals::{SignalAction, Signals};
use crate::limits::OUTPUT_CREDIT_BYTES;
use command::error::CliError;
use command::flux::Flux;

/// Streams of the processes, and the connection to them.
pub(super) struct Streams {
    /// Service that runs them.
    pub service: String,
    /// Command that is run or attached to, as errors name it.
    pub command: Option<String>,
    /// Put ranks before lines.
    pub label: bool,
    /// Send input only as there is room for it.
    pub has_flow: bool,
    /// Count aloud.
    pub verbose: bool,
}

/// The process of one rank.
struct Target {
    rank: u32,
    pid: Option<i32>,
    /// Bytes of input that there is room for.
    credit: u64,
    /// Bytes of output that were written since room for more was last granted to the
    /// server.
    written: u64,
    out: Lines,
    err: Lines,
}

/// All of them.
pub(super) struct Session {
    streams: Streams,
    targets: BTreeMap<CallId, Target>,
    input: Input,
    signals: Option<Signals>,
    outcome: Outcome,
    /// The background process that we are attached to, as the user named it.
    pub attached: Option<String>,
    n_started: usize,
    n_ended: usize,
}

/// Error for an unexpected response of a server.
pub(super) fn surprise() -> Refusal {
    Refusal::new(Errno::EPROTO, "unexpected response")
}

impl Session {
    /// With no process yet. Without `has_input` their input is at its end.
    pub fn new(flux: &Flux, streams: Streams, has_input: bool) -> Result<Session, CliError> {
        let signals = match flux.input.descriptor() {
            Some(_) => Signals::take_over(),
            None => None,
        };
        Ok(Session {
            streams,
            targets: BTreeMap::default(),
            input: Input::new(flux, has_input)?,
            signals,
            outcome: Outcome::default(),
            attached: None,
            n_started: 0,
            n_ended: 0,
        })
    }

    /// Follows the process that `call` starts on a rank.
    pub fn add(&mut self, handle: &mut Handle, rank: u32, call: CallId) {
        let label = match self.streams.label {
            true => format!("{rank}: "),
            false => String::new(),
        };
        let target = Target {
            rank,
            pid: None,
            // Without flow control it is the server's loss.
            credit: if self.streams.has_flow { 0 } else { u64::MAX },
            written: 0,
            out: Lines::new(label.clone()),
            err: Lines::new(label),
        };
        self.targets.insert(call, target);
        if self.input.is_over() && self.attached.is_none() {
            self.write(handle, call, rank, None);
        }
    }

    /// Follows all processes to their ends.
    pub fn run(mut self, flux: &mut Flux, handle: &mut Handle) -> Result<Outcome, CliError> {
        while !self.targets.is_empty() {
            if self.input.never_blocks() && self.room() > 0 {
                self.pass_input_on(flux, handle);
            }
            let (arrival, is_signal) = self.wait(flux, handle)?;
            if is_signal {
                if self.obey(flux, handle)? {
                    break;
                }
                continue;
            }
            match arrival {
                Arrival::Answer(call, answer) => self.take(flux, handle, call, answer)?,
                Arrival::Ready(_) => self.pass_input_on(flux, handle),
                _ => {}
            }
        }
        Ok(self.outcome)
    }

    /// Blocks for the next message, after printed text was written; returns true for a
    /// signal.
    fn wait(&self, flux: &mut Flux, handle: &mut Handle) -> Result<(Arrival, bool), CliError> {
        match handle.next(&[], Some(Instant::now()))? {
            Arrival::Deadline => flux.out.flush()?,
            arrival => return Ok((arrival, false)),
        }
        let mut watched: Vec<BorrowedFd<'_>> = Vec::with_capacity(2);
        watched.extend(self.signals.as_ref().map(AsFd::as_fd));
        let signals = watched.len();
        if self.room() > 0 {
            watched.extend(self.input.wanted());
        }
        let arrival = handle.next(&watched, None)?;
        let is_signal = matches!(arrival, Arrival::Ready(place) if place < signals);
        Ok((arrival, is_signal))
    }

    /// Room for input in all of them.
    fn room(&self) -> u64 {
        let credits = self.targets.values().map(|target| target.credit);
        credits.min().unwrap_or(0)
    }

    fn pass_input_on(&mut self, flux: &mut Flux, handle: &mut Handle) {
        let bytes = self.input.read(flux, self.room());
        let bytes = (!self.input.is_over()).then_some(bytes);
        let calls: Vec<(CallId, u32)> = self
            .targets
            .iter()
            .map(|(call, t)| (*call, t.rank))
            .collect();
        for (call, rank) in calls {
            self.write(handle, call, rank, bytes.as_deref());
        }
    }

    /// Sends input to one process, or its end.
    fn write(&mut self, handle: &mut Handle, call: CallId, rank: u32, bytes: Option<&[u8]>) {
        if let (Some(target), true) = (self.targets.get_mut(&call), self.streams.has_flow) {
            target.credit -= bytes.map_or(0, |bytes| bytes.len() as u64);
        }
        let request = Write {
            matchtag: call.matchtag(),
            io: Data::new("stdin", &rank.to_string(), bytes, bytes.is_none()),
        };
        let topic = format!("{}.write", self.streams.service);
        handle.notify(Call::new(&request).topic(&topic).to(rank));
    }

    fn take(
        &mut self,
        flux: &mut Flux,
        handle: &mut Handle,
        call: CallId,
        answer: Result<wire::Message, Refusal>,
    ) -> Result<(), CliError> {
        let Some(target) = self.targets.get_mut(&call) else {
            // Of a signal that was passed on: the process may have ended before.
            return Ok(());
        };
        let told = answer
            .and_then(|message| ProcessReply::decode(message.payload()).map_err(|_| surprise()));
        match told {
            Ok(ProcessReply::Started { pid } | ProcessReply::Attached { pid, .. }) => {
                target.pid = Some(pid);
                self.n_started += 1;
                self.count(flux)?;
            }
            Ok(ProcessReply::AddCredit { channels }) => {
                let more = channels.get("stdin").copied().unwrap_or(0);
                target.credit = target.credit.saturating_add(more);
            }
            Ok(ProcessReply::Output { io, .. }) => {
                let data = io.bytes().unwrap_or_default();
                match io.stream.as_str() {
                    "stderr" => target.err.push(&mut flux.err, &data, io.is_eof())?,
                    _ => target.out.push(&mut flux.out, &data, io.is_eof())?,
                }
                target.written += data.len() as u64;
                if target.written >= OUTPUT_CREDIT_BYTES / 2 {
                    let bytes = std::mem::take(&mut target.written);
                    let matchtag = call.matchtag();
                    let topic = format!("{}.credit", self.streams.service);
                    let call = Call::new(&Credit { matchtag, bytes });
                    handle.notify(call.topic(&topic).to(target.rank));
                }
            }
            Ok(ProcessReply::Stopped) => {}
            Ok(ProcessReply::Finished { status }) => {
                target.pid = None;
                // It takes no input any more, and keeps none from the others.
                target.credit = u64::MAX;
                let rank = target.rank;
                self.outcome.ended(rank, status);
                self.n_ended += 1;
                self.count(flux)?;
            }
            Err(refusal) => {
                let rank = target.rank;
                self.targets.remove(&call);
                if !refusal.is_end() {
                    let command = self.streams.command.as_deref().unwrap_or_default();
                    self.outcome.refused(flux, rank, command, &refusal)?;
                }
            }
        }
        Ok(())
    }

    fn count(&self, flux: &mut Flux) -> Result<(), CliError> {
        let (started, ended) = (self.n_started, self.n_ended);
        match self.streams.verbose {
            true => flux.warn(format_args!("{started} started, {ended} ended")),
            false => Ok(()),
        }
    }

    /// Carries out a signal; true to leave.
    fn obey(&mut self, flux: &mut Flux, handle: &mut Handle) -> Result<bool, CliError> {
        let Some(action) = self.signals.as_mut().and_then(Signals::next) else {
            return Ok(false);
        };
        match (action, &self.attached) {
            (_, Some(name)) => {
                let text = format!("detached: 'flux sproc kill 15 {name}' ends the process");
                flux.warn(text)?;
                self.targets.clear();
                Ok(true)
            }
            (SignalAction::Leave, None) => {
                for target in self.targets.values() {
                    let how = "command still running at exit";
                    self.outcome.failed(target.rank, how, 1);
                }
                Ok(true)
            }
            (SignalAction::Forward(signum), None) => {
                let topic = format!("{}.kill", self.streams.service);
                for target in self.targets.values() {
                    let Some(pid) = target.pid else { continue };
                    let pid = i64::from(pid);
                    let kill = Kill {
                        pid,
                        signum,
                        label: None,
                    };
                    handle.start(Call::new(&kill).topic(&topic).to(target.rank));
                }
                Ok(false)
            }
        }
    }
}
