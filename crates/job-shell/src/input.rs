//! Standard input of tasks: what clients send is passed on and logged (RFC 24).
//!
//! A client that waits for its answers sends no faster than the fastest of its tasks reads.
//! One that does not wait, as libflux clients, fills the tasks' share of memory (`feed.rs`).

use std::collections::VecDeque;

use bytes::Bytes;
use node::{Cx, Peer, Reply, StreamId};
use proto::Empty;
use proto::data::IdSet;
use proto::data::stdio::Data;
use proto::job_shell::{Stdin, StdinError};

use crate::JobShell;
use crate::feed::Feed;
use crate::job::Job;
use crate::limits::{INPUT_BACKLOG_BYTES, INPUT_LOG_BYTES_MAX, INPUT_WAITS_MAX};
use crate::state::State;

/// Where input is.
#[derive(Debug, Default)]
pub struct Input {
    /// What each task has yet to read, by local id; empty until there is any.
    feeds: Vec<Feed>,
    /// Answers that wait for room, and the tasks that they wait for.
    waits: VecDeque<(Reply<Stdin>, IdSet)>,
    /// How much came.
    bytes: u64,
}

impl Input {
    fn of(&self, ranks: &IdSet) -> impl Iterator<Item = &Feed> {
        ranks.iter().map_while(|rank| self.feeds.get(rank as usize))
    }

    /// Whether more can come without filling up memory: one of these tasks has read most of
    /// what it got, or nobody reads any more.
    fn has_room(&self, ranks: &IdSet) -> bool {
        let open = self.of(ranks).filter(|feed| feed.is_open());
        let least = open.map(Feed::backlog).min();
        least.is_none_or(|least| least <= INPUT_BACKLOG_BYTES)
    }
}

impl JobShell {
    /// Takes input from a client. The answer waits until there is room for more.
    pub(crate) fn take_input(
        &mut self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        Stdin(data): Stdin,
        reply: Reply<Stdin>,
    ) {
        if matches!(self.state(), State::Draining | State::Leaving | State::Gone) {
            // It came too late, which its sender could not know.
            return reply.send(cx, Ok(Empty));
        }
        let (ranks, bytes) = match self.admit_input(peer, &data) {
            Ok(admitted) => admitted,
            Err(error) => return reply.send(cx, Err(error)),
        };
        let Some(job) = self.job.clone() else {
            return reply.send(cx, Err(StdinError::Malformed));
        };
        self.input.bytes = self.input.bytes.saturating_add(bytes.len() as u64);
        if let Some((limit, given)) = &job.options.input_limit
            && self.input.bytes > *limit
        {
            let why = format!(
                "input.util: stdin exceeds {given} limit. Try file input (flux submit \
                 --input=FILE) or redirect input to your command to avoid the KVS for large \
                 amounts of input"
            );
            reply.send(cx, Err(StdinError::TooMuch));
            return self.fatal(cx, 1, &why);
        }
        self.log_input(cx, &job, &data);
        self.queue_input(cx, &ranks, bytes, data.is_eof());
        if self.input.has_room(&ranks) {
            return reply.send(cx, Ok(Empty));
        }
        self.input.waits.push_back((reply, ranks));
        if self.input.waits.len() > INPUT_WAITS_MAX
            && let Some((oldest, _)) = self.input.waits.pop_front()
        {
            oldest.send(cx, Ok(Empty));
        }
    }

    /// Checks a request; gives the tasks that it is for, and what they get.
    fn admit_input(&mut self, peer: &Peer, data: &Data) -> Result<(IdSet, Bytes), StdinError> {
        let job = self.job.as_ref().ok_or(StdinError::Malformed)?;
        if !peer.may_act_for(job.userid) {
            return Err(StdinError::NotYours);
        }
        let bytes = data.bytes().map_err(|_| StdinError::Malformed)?;
        let ranks = ranks(&data.rank, job.ntasks).ok_or(StdinError::Malformed)?;
        if data.stream != "stdin" {
            return Err(StdinError::Malformed);
        }
        if job.options.stdin_file.is_some() {
            return Err(StdinError::FromFile);
        }
        if self.input.feeds.is_empty() {
            let count = usize::try_from(job.ntasks).unwrap_or(0);
            self.input.feeds.resize_with(count, Feed::default);
            let with_tasks = self.input.feeds.iter_mut().zip(&self.tasks);
            for (feed, _) in with_tasks.filter(|(_, task)| task.status.is_some()) {
                feed.close();
            }
        }
        match data.is_eof() || self.input.of(&ranks).any(Feed::admits) {
            true => Ok((ranks, bytes.into())),
            false => Err(StdinError::Closed),
        }
    }

    /// Keeps the beginning of the input in its log, and the end of it.
    fn log_input(&mut self, cx: &Cx<Self>, job: &Job, data: &Data) {
        let now = cx.now().wall;
        if self.input.bytes <= INPUT_LOG_BYTES_MAX {
            self.store.input(now, job.ntasks, data);
        } else if data.is_eof() {
            let end = Data::new("stdin", &data.rank, None, true);
            self.store.input(now, job.ntasks, &end);
        }
    }

    fn queue_input(&mut self, cx: &mut Cx<Self>, ranks: &IdSet, bytes: Bytes, eof: bool) {
        let count = self.input.feeds.len();
        for index in ranks
            .iter()
            .map(|rank| rank as usize)
            .take_while(|i| *i < count)
        {
            if !self.input.feeds[index].push(bytes.clone(), eof) {
                let message = format!("task {index}: buffer full, closing stdin");
                self.warn(cx, "input.kvs", &message);
            }
            self.pump(cx, index);
        }
    }

    /// Hands a task what it can take, if it has been started.
    pub(crate) fn pump(&mut self, cx: &mut Cx<Self>, index: usize) {
        let child = self.tasks.get(index).and_then(|task| task.child);
        let (Some(feed), Some(child)) = (self.input.feeds.get_mut(index), child) else {
            return;
        };
        while let Some((bytes, eof)) = feed.next() {
            cx.child_input(child, bytes, eof);
        }
    }

    /// A task has read some of its input; with `closed` it reads no more.
    pub(crate) fn input_taken(
        &mut self,
        cx: &mut Cx<Self>,
        index: usize,
        bytes: usize,
        closed: bool,
    ) {
        let Some(feed) = self.input.feeds.get_mut(index) else {
            return;
        };
        feed.taken(bytes, closed);
        self.pump(cx, index);
        self.answer_waits(cx, index);
    }

    /// A task that has ended reads no more.
    pub(crate) fn close_input(&mut self, cx: &mut Cx<Self>, index: usize) {
        if let Some(feed) = self.input.feeds.get_mut(index) {
            feed.close();
            self.answer_waits(cx, index);
        }
    }

    /// Answers clients who waited for this task.
    fn answer_waits(&mut self, cx: &mut Cx<Self>, index: usize) {
        let is_full = |feed: &Feed| feed.is_open() && feed.backlog() > INPUT_BACKLOG_BYTES;
        if self.input.waits.is_empty() || self.input.feeds.get(index).is_some_and(is_full) {
            return;
        }
        for (reply, ranks) in std::mem::take(&mut self.input.waits) {
            match self.input.has_room(&ranks) {
                true => reply.send(cx, Ok(Empty)),
                false => self.input.waits.push_back((reply, ranks)),
            }
        }
    }

    /// A client that waited to send more has left, or wants no answer.
    pub(crate) fn forget_wait(&mut self, request: StreamId) {
        let waits = &mut self.input.waits;
        let at = waits.iter().position(|(reply, _)| reply.id() == request);
        if let Some((reply, _)) = at.and_then(|at| waits.remove(at)) {
            reply.forget();
        }
    }

    /// All tasks have ended: clients that wait to send more are answered.
    pub(crate) fn release_input(&mut self, cx: &mut Cx<Self>) {
        for (reply, _) in std::mem::take(&mut self.input.waits) {
            reply.send(cx, Ok(Empty));
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
