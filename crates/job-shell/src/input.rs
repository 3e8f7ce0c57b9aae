//! Standard input of tasks: what clients send is passed on and logged (RFC 24).

use bytes::Bytes;
use node::{Cx, Peer};
use proto::Empty;
use proto::data::IdSet;
use proto::data::stdio::Data;
use proto::job_shell::{Stdin, StdinError};

use crate::JobShell;
use crate::limits::INPUT_BYTES_MAX;
use crate::state::State;

/// Where input is.
#[derive(Debug, Default)]
pub struct Input {
    /// What came before there were tasks.
    early: Vec<Data>,
    /// Tasks that were told the end.
    closed: IdSet,
    /// How much came.
    bytes: u64,
}

impl JobShell {
    /// Takes input from a client.
    pub(crate) fn take_input(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        Stdin(data): Stdin,
    ) -> Result<Empty, StdinError> {
        let Some(job) = self.job.clone() else {
            return Err(StdinError::Malformed);
        };
        if !peer.may_act_for(job.userid) {
            return Err(StdinError::NotYours);
        }
        let bytes = data.bytes().map_err(|_| StdinError::Malformed)?;
        let ranks = ranks(&data.rank, job.ntasks).ok_or(StdinError::Malformed)?;
        if data.stream != "stdin" {
            return Err(StdinError::Malformed);
        }
        let is_over = matches!(self.state(), State::Draining | State::Leaving | State::Gone);
        if is_over || job.options.stdin_file.is_some() || ranks.is_subset(&self.input.closed) {
            return Err(StdinError::Closed);
        }
        self.input.bytes = self.input.bytes.saturating_add(bytes.len() as u64);
        if self.input.bytes > INPUT_BYTES_MAX {
            return Err(StdinError::TooMuch);
        }
        self.store.input(cx.now().wall, job.ntasks, &data);
        if data.is_eof() {
            self.input.closed.add(&ranks);
        }
        match self.state() {
            State::Running => self.feed(cx, &ranks, bytes.into(), data.is_eof()),
            _ => self.input.early.push(data),
        }
        Ok(Empty)
    }

    /// Passes on what came before there were tasks.
    pub(crate) fn feed_early(&mut self, cx: &mut Cx<Self>) {
        let ntasks = self.tasks.len() as u64;
        for data in std::mem::take(&mut self.input.early) {
            if let (Some(ranks), Ok(bytes)) = (ranks(&data.rank, ntasks), data.bytes()) {
                self.feed(cx, &ranks, bytes.into(), data.is_eof());
            }
        }
    }

    fn feed(&mut self, cx: &mut Cx<Self>, ranks: &IdSet, bytes: Bytes, eof: bool) {
        for task in self.tasks.iter().filter(|task| ranks.contains(task.rank)) {
            if let Some(child) = task.child {
                cx.child_input(child, bytes.clone(), eof);
            }
        }
    }
}

/// The tasks that are meant; `None` for text that is no idset.
fn ranks(text: &str, ntasks: u64) -> Option<IdSet> {
    match text {
        "all" => Some(IdSet::first_n(u32::try_from(ntasks).unwrap_or(u32::MAX))),
        ids => ids.parse().ok(),
    }
}
