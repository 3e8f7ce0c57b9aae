//! Records to store in the KVS before their cause is answered: events that a restart needs, and R
//! itself. One commit at a time; events that come meanwhile join the next. Where it cannot be
//! stored for now, it is when it can: nothing that has happened to a node is forgotten.

use node::{Cx, Recall, Reply};
use proto::data::Entry;
use proto::kvs::{Commit, Committed, PRIMARY};
use proto::resource::{Drain, EVENTLOG_KEY, R_KEY, REQUESTS_KEY, Undrain};
use proto::{Empty, Payload, Refusal};

use crate::core::Resource;
use crate::limits::COMMIT_RETRY;

/// Request to answer when its event is stored.
#[derive(Debug)]
pub enum Waiter {
    /// A drain.
    Drain(Reply<Drain>),
    /// An undrain.
    Undrain(Reply<Undrain>),
}

impl Waiter {
    /// Answers.
    pub fn answer(self, cx: &mut Cx<Resource>, result: Result<(), Refusal>) {
        let result = result.map(|()| Empty);
        match self {
            Waiter::Drain(reply) => reply.send_refusal(cx, result),
            Waiter::Undrain(reply) => reply.send_refusal(cx, result),
        }
    }
}

/// Records waiting to be stored, and those on their way.
#[derive(Debug, Default)]
pub struct Store {
    log: String,
    r: Option<String>,
    waiting: Vec<Waiter>,
    /// Requests that wait for the records on their way.
    on_its_way: Option<Vec<Waiter>>,
    seq: u64,
    /// Requests that are recognised when they come again.
    pub recall: Recall<()>,
}

impl Store {
    /// Adds an event; with who waits for it, and the number of the request.
    pub fn append(&mut self, entry: &Entry, waiter: Option<(Option<u64>, Waiter)>) {
        self.log.push_str(&entry.encode());
        if let Some((number, waiter)) = waiter {
            self.recall.note(self.seq + 1, number, ());
            self.waiting.push(waiter);
        }
    }

    /// Replaces R.
    pub fn put_r(&mut self, r: String) {
        self.r = Some(r);
    }

    /// Sends the waiting events, unless a commit is on its way.
    pub fn flush(&mut self, cx: &mut Cx<Resource>) {
        if self.on_its_way.is_some() || (self.log.is_empty() && self.r.is_none()) {
            return;
        }
        self.seq += 1;
        let mut commit = Commit::new(PRIMARY).once(cx.uuid(), self.seq);
        if let Some(r) = self.r.take() {
            commit = commit.put(R_KEY, r);
        }
        if !self.log.is_empty() {
            commit = commit.append(EVENTLOG_KEY, std::mem::take(&mut self.log));
        }
        commit.ops.extend(self.recall.op(REQUESTS_KEY, self.seq));
        self.on_its_way = Some(std::mem::take(&mut self.waiting));
        let done = |core: &mut Resource, cx: &mut Cx<Resource>, result| core.store.done(cx, result);
        cx.commit(commit.encode(), |_, _| Some(COMMIT_RETRY), done);
    }

    fn done(&mut self, cx: &mut Cx<Resource>, result: Result<Committed, Refusal>) {
        if let Err(refusal) = &result {
            tracing::error!("events could not be stored: {refusal}");
        }
        let result = result.map(|_| ());
        for waiter in self.on_its_way.take().unwrap_or_default() {
            waiter.answer(cx, result.clone());
        }
        self.recall.answered(self.seq);
        self.flush(cx);
    }
}
