//! Standard input of tasks: data sent by clients are passed on and logged (RFC 24). The leading
//! shell does both; the others read the log (`follow.rs`), so there it is whole.
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
use crate::limits::{INPUT_BACKLOG_BYTES, INPUT_LOG_MAX, INPUT_WAITS_MAX};
use crate::pty::with_end;
use crate::state::State;

/// State of standard input.
#[derive(Debug, Default)]
pub struct Input {
    /// Data that each task has yet to read, by local id; empty until there is any.
    feeds: Vec<Feed>,
    /// Answers that wait for room, and the tasks that they wait for.
    waits: VecDeque<(Reply<Stdin>, Vec<usize>)>,
    /// Number of bytes received.
    bytes: u64,
    /// More than the job may have came, which was said.
    is_too_much: bool,
    /// Tasks of other shells whose end was said.
    ended: IdSet,
    /// Bytes of the log that were read, if another shell writes it.
    pub(crate) followed: usize,
}

impl Input {
    fn of(&self, local: &[usize]) -> impl Iterator<Item = &Feed> {
        local.iter().filter_map(|index| self.feeds.get(*index))
    }

    /// True if more can be accepted within the memory limit: one of these tasks has read
    /// most of its input, or nobody reads any more.
    fn has_room(&self, local: &[usize]) -> bool {
        let open = self.of(local).filter(|feed| feed.is_open());
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
        let is_over = matches!(self.state(), State::Draining | State::Leaving | State::Gone);
        if !self.place.is_leader() {
            // It alone writes the log that all read.
            return reply.send(cx, Err(StdinError::NotLeading));
        }
        if is_over {
            // It came too late, which its sender could not know.
            return reply.send(cx, Ok(Empty));
        }
        let (local, bytes) = match self.admit_input(peer, &data) {
            Ok(admitted) => admitted,
            Err(error) => return reply.send(cx, Err(error)),
        };
        let Some(job) = self.job.clone() else {
            return reply.send(cx, Err(StdinError::Malformed));
        };
        self.input.bytes = self.input.bytes.saturating_add(bytes.len() as u64);
        let limit = job.options.input_limit.clone();
        // Other shells read what the log holds, so it must hold all.
        let limit = limit.or(job
            .has_others()
            .then(|| (INPUT_LOG_MAX.0, INPUT_LOG_MAX.1.into())));
        if let Some((limit, given)) = limit
            && self.input.bytes > limit
        {
            let why = format!(
                "input.util: stdin exceeds {given} limit. Try file input (flux submit \
                 --input=FILE) or redirect input to your command to avoid the KVS for large \
                 amounts of input"
            );
            reply.send(cx, Err(StdinError::TooMuch));
            // Earlier input of a client is refused without a further message.
            if !std::mem::replace(&mut self.input.is_too_much, true) {
                self.fatal(cx, 1, &why);
            }
            return;
        }
        self.log_input(cx, &job, &data);
        self.queue_input(cx, &local, &bytes, data.is_eof());
        if self.input.has_room(&local) {
            return reply.send(cx, Ok(Empty));
        }
        self.input.waits.push_back((reply, local));
        if self.input.waits.len() > INPUT_WAITS_MAX
            && let Some((oldest, _)) = self.input.waits.pop_front()
        {
            oldest.send(cx, Ok(Empty));
        }
    }

    /// Checks a request; returns the tasks here that it is for, and their data.
    fn admit_input(&mut self, peer: &Peer, data: &Data) -> Result<(Vec<usize>, Bytes), StdinError> {
        let job = self.job.clone().ok_or(StdinError::Malformed)?;
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
        let (local, elsewhere) = self.split(&ranks, job.ntasks);
        let is_open = elsewhere.difference(&self.input.ended);
        let is_open = !is_open.is_empty() || self.input.of(&local).any(Feed::admits);
        if data.is_eof() {
            self.input.ended.add(&elsewhere);
        }
        match data.is_eof() || is_open {
            true => Ok((local, bytes.into())),
            false => Err(StdinError::Closed),
        }
    }

    /// The tasks here among these, and those of other shells.
    fn split(&mut self, ranks: &IdSet, ntasks: u64) -> (Vec<usize>, IdSet) {
        self.open_feeds();
        let (mut local, mut elsewhere) = (Vec::new(), IdSet::new());
        for rank in ranks.iter().take_while(|rank| u64::from(*rank) < ntasks) {
            match self.placement.local_id(rank) {
                Some(index) => local.push(index),
                None => elsewhere.insert(rank),
            }
        }
        (local, elsewhere)
    }

    /// Makes room for the input of the tasks here, once they are known.
    fn open_feeds(&mut self) {
        if self.input.feeds.is_empty() {
            let count = self.placement.ranks.len();
            self.input.feeds.resize_with(count, Feed::default);
            let with_tasks = self.input.feeds.iter_mut().zip(&self.tasks);
            for (feed, _) in with_tasks.filter(|(_, task)| task.status.is_some()) {
                feed.close();
            }
        }
    }

    /// Takes a piece of the log that the leading shell writes.
    pub(crate) fn take_logged(&mut self, cx: &mut Cx<Self>, ntasks: u64, data: &Data) {
        let Some(ranks) = ranks(&data.rank, ntasks) else {
            return;
        };
        let (local, _) = self.split(&ranks, ntasks);
        let bytes: Bytes = data.bytes().unwrap_or_default().into();
        self.queue_input(cx, &local, &bytes, data.is_eof());
    }

    /// The log can no longer be read: no task waits for further input.
    pub(crate) fn end_input(&mut self, cx: &mut Cx<Self>) {
        self.open_feeds();
        let all: Vec<usize> = (0..self.input.feeds.len()).collect();
        self.queue_input(cx, &all, &Bytes::new(), true);
    }

    /// Keeps the beginning of the input in its log, and the end of it.
    fn log_input(&mut self, cx: &Cx<Self>, job: &Job, data: &Data) {
        let now = cx.now().wall;
        if self.input.bytes <= INPUT_LOG_MAX.0 || job.has_others() {
            self.store.input(now, job.ntasks, data);
        } else if data.is_eof() {
            let end = Data::new("stdin", &data.rank, None, true);
            self.store.input(now, job.ntasks, &end);
        }
    }

    fn queue_input(&mut self, cx: &mut Cx<Self>, local: &[usize], bytes: &Bytes, eof: bool) {
        for index in local.iter().copied() {
            let feed = self.input.feeds.get_mut(index);
            if feed.is_some_and(|feed| !feed.push(bytes.clone(), eof)) {
                let rank = self.placement.ranks.get(index).copied().unwrap_or(0);
                let message = format!("task {rank}: buffer full, closing stdin");
                self.warn(cx, "input.kvs", &message);
            }
            self.pump(cx, index);
        }
    }

    /// Sends a task as much as it can take, if it has been started.
    pub(crate) fn pump(&mut self, cx: &mut Cx<Self>, index: usize) {
        let child = self.tasks.get(index).and_then(|task| task.child);
        let (Some(feed), Some(child)) = (self.input.feeds.get_mut(index), child) else {
            return;
        };
        let is_terminal = self.tasks[index].terminal.is_some();
        while let Some((bytes, eof)) = feed.next() {
            match is_terminal && eof {
                // There is one way to say it on a terminal.
                true => cx.child_input(child, with_end(bytes, feed.at_line_start()), false),
                false => cx.child_input(child, bytes, eof),
            }
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
        for (reply, local) in std::mem::take(&mut self.input.waits) {
            match self.input.has_room(&local) {
                true => reply.send(cx, Ok(Empty)),
                false => self.input.waits.push_back((reply, local)),
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
