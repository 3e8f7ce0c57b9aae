//! Every message of an instance, as its brokers show them, on its way to the rules.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use client::{Arrival, Call, CallId, Handle};
use proto::common::Ping;
use proto::module::{Trace, Traced};
use proto::payload::decode_json;
use proto::{Errno, Refusal};
use wire::Message;

use super::names::Names;
use super::times::patient;
use crate::lint::{Findings, Lint, Record};
use command::error::CliError;

/// Requests, responses and events.
const TYPES: i64 = 7;

/// Traces, their start, and the rules applied to them.
pub(super) struct Watch {
    /// The rank of each trace.
    traces: Vec<(CallId, u32)>,
    names: Names,
    lint: Lint,
    /// Error that ended a trace. Later it is no error: brokers may end.
    refused: Option<Refusal>,
}

impl Watch {
    /// Begins to watch: messages sent after this has returned are seen.
    pub(super) fn begin(handle: &mut Handle, size: u32) -> Result<Watch, CliError> {
        let request = Trace {
            typemask: TYPES,
            topic_glob: "*".to_owned(),
            names: None,
            nodeid: None,
            full: Some(true),
            clients: Some(true),
        };
        let begin = |rank| {
            let call = Call::new(&request).to(rank);
            (handle.start_stream(call).id(), rank)
        };
        let mut watch = Watch {
            traces: (0..size).map(begin).collect(),
            names: Names::new(size),
            lint: Lint::default(),
            refused: None,
        };
        watch.catch_up(handle)?;
        match watch.refused.take() {
            Some(refusal) if refusal.errno != Errno::EHOSTUNREACH => Err(refusal.into()),
            _ => Ok(watch),
        }
    }

    /// Receives messages until one of `ends` can be read, or until `deadline`.
    pub(super) fn until(
        &mut self,
        handle: &mut Handle,
        ends: &[BorrowedFd<'_>],
        deadline: Option<Instant>,
    ) -> Result<(), CliError> {
        loop {
            match handle.next(ends, deadline)? {
                Arrival::Ready(_) | Arrival::Deadline => return Ok(()),
                Arrival::Answer(id, answer) => self.take(id, answer),
                Arrival::Event(_) | Arrival::Request(_) => {}
            }
        }
    }

    /// Receives all messages that the brokers have shown before they learned of this.
    pub(super) fn catch_up(&mut self, handle: &mut Handle) -> Result<(), CliError> {
        let ranks = self.traces.iter().map(|(_, rank)| *rank);
        let ping = |rank| {
            let call = Call::new(&Ping::default()).topic("broker.ping").to(rank);
            call.delivery(patient())
        };
        let mut open: Vec<CallId> = ranks.map(|rank| handle.start(ping(rank)).id()).collect();
        while !open.is_empty() {
            if let Arrival::Answer(id, answer) = handle.next(&[], None)? {
                match open.iter().position(|ping| *ping == id) {
                    Some(at) => drop(open.swap_remove(at)),
                    None => self.take(id, answer),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, id: CallId, answer: Result<Message, Refusal>) {
        let rank = self.traces.iter().find(|(trace, _)| *trace == id);
        let message = match answer {
            Ok(message) => message,
            Err(refusal) => return self.refused = Some(refusal),
        };
        let (Some((_, rank)), Ok(traced)) = (rank, decode_json::<Traced>(message.payload())) else {
            return;
        };
        if let Some(who) = self.names.of(*rank, &traced)
            && let Some(record) = Record::new(who, traced)
        {
            self.lint.see(&record);
        }
    }

    /// Number of messages seen.
    pub(super) fn n_seen(&self) -> u64 {
        self.lint.n_seen()
    }

    /// Findings.
    pub(super) fn finish(self) -> Findings {
        self.lint.finish()
    }
}
