//! A desk at which workers take tasks: the server side of `proto::worker`, as a module of which a
//! site writes its own part ([`Bench`]). Acknowledged changes are stored, so its process may be
//! killed at any time: the next one knows who has which task, and workers notice nothing.
//!
//! Read on in `state.rs` (how a task moves) and `table.rs` (all tasks).

mod state;
mod table;

use std::time::Duration;

use proto::kvs::{Commit, Lookup, PRIMARY};
use proto::orphans::{Cause, Report};
use proto::worker::{Add, Complete, List, Renew, Take, Task, WorkerError};
use proto::{Empty, Errno, Method as _, Payload as _, Refusal};

use crate::limits::{DESK_LOG_BYTES_MAX, DESK_LOOK_MS, DESK_RETRY_MS};
use crate::{Cx, Host, Module, Peer, Reply, Routes, StreamId};
use table::Table;

/// Task handling of a site's server.
pub trait Bench: Default + 'static {
    /// Time that a worker may be silent.
    const LEASE: Duration;

    /// True if a name and text are a valid task. `false` refuses it as unknown.
    fn accepts(&mut self, _name: &str, _text: &str) -> bool {
        true
    }

    /// Called when the result of a task is stored. Told at least once for each.
    fn completed(&mut self, _name: &str, _result: &serde_json::Value) {}
}

/// The module.
pub struct Desk<B> {
    bench: B,
    table: Table,
    /// Workers that wait for a task, the first first: as many as may have requests open.
    waiting: Vec<(Take, Reply<Take>)>,
    /// Answers that wait until their changes are stored.
    owed: Vec<Owed>,
    in_flight: bool,
    seq: u64,
    /// Bytes stored, and the size at which they are rewritten.
    bytes: usize,
    bytes_max: usize,
    is_looking: bool,
}

enum Owed {
    Task(Reply<Take>, Task),
    Added(Reply<Add>),
    Completed(Reply<Complete>, Complete),
}

impl<B: Bench> Host for Desk<B> {
    // Declaration of its methods; they are called under the name that it is loaded under.
    const NAME: &'static str = "worker";
    type Worker = ();

    fn settled(&mut self, cx: &mut Cx<Self>) {
        self.give(cx);
        self.store(cx);
        self.watch_leases(cx);
    }

    fn closed(&mut self, _: &mut Cx<Self>, request: StreamId) {
        let mut left = Vec::new();
        for (take, reply) in std::mem::take(&mut self.waiting) {
            match reply.id() == request {
                true => reply.forget(),
                false => left.push((take, reply)),
            }
        }
        self.waiting = left;
    }
}

impl<B: Bench> Module for Desk<B> {
    fn routes() -> Routes<Self> {
        Routes::new()
            .later::<Add>(Self::add)
            .later::<Take>(Self::take)
            .later::<Complete>(Self::complete)
            .on::<Renew>(|core, cx, _, renew| {
                core.table.renew(&renew, cx.now().mono).map(|()| Empty)
            })
            .on::<List>(|core, _, _, _| Ok(core.table.list()))
    }

    fn start(cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        cx.hold_requests();
        Desk::<B>::look_around(cx);
        Ok(Desk {
            bench: B::default(),
            table: Table::new(B::LEASE),
            waiting: Vec::new(),
            owed: Vec::new(),
            in_flight: false,
            seq: 0,
            bytes: 0,
            bytes_max: DESK_LOG_BYTES_MAX,
            is_looking: false,
        })
    }
}

impl<B: Bench> Desk<B> {
    fn key(cx: &Cx<Self>) -> String {
        format!("worker.{}", cx.name())
    }

    /// Waits for the requests of our predecessor to the kvs, then reads the stored state.
    fn look_around(cx: &mut Cx<Self>) {
        cx.call(
            &Commit::new(PRIMARY),
            |_: &mut Self, cx, result| match result {
                Ok(_) => Self::recall(cx),
                Err(error) => Self::later(cx, &error),
            },
        );
    }

    fn later(cx: &mut Cx<Self>, error: &Refusal) {
        tracing::debug!("retrying the request to the key-value store: {error}");
        let wait = Duration::from_millis(DESK_RETRY_MS);
        cx.timer(wait, |_: &mut Self, cx| Self::look_around(cx));
    }

    fn recall(cx: &mut Cx<Self>) {
        let lookup = Lookup::new(PRIMARY, &Self::key(cx), 0);
        cx.call(&lookup, |core: &mut Self, cx, found| {
            let text = match found {
                Ok(found) => found.bytes().unwrap_or_default(),
                Err(error) if error.errno == Errno::ENOENT => Default::default(),
                Err(error) => return Self::later(cx, &error),
            };
            core.bytes = text.len();
            core.table
                .recall(&String::from_utf8_lossy(&text), cx.now().mono);
            cx.started(Ok(()));
        });
    }

    fn add(core: &mut Self, cx: &mut Cx<Self>, _: &Peer, add: Add, reply: Reply<Add>) {
        let mut tasks = add.tasks.iter();
        if !tasks.all(|(name, text)| core.bench.accepts(name, text)) {
            return reply.send(cx, Err(WorkerError::Unknown));
        }
        match core.table.add(add, cx.now().mono) {
            Ok(()) => core.owed.push(Owed::Added(reply)),
            Err(error) => reply.send(cx, Err(error)),
        }
    }

    fn take(core: &mut Self, cx: &mut Cx<Self>, _: &Peer, take: Take, reply: Reply<Take>) {
        let is_same = |(other, _): &(Take, Reply<Take>)| other.worker == take.worker;
        if let Some(at) = core.waiting.iter().position(is_same) {
            if core.waiting[at].0.ticket > take.ticket {
                return reply.send(cx, Err(WorkerError::Replaced));
            }
            let (_, before) = core.waiting.remove(at);
            before.send(cx, Err(WorkerError::Replaced));
        }
        core.waiting.push((take, reply));
    }

    fn complete(
        core: &mut Self,
        cx: &mut Cx<Self>,
        peer: &Peer,
        complete: Complete,
        reply: Reply<Complete>,
    ) {
        match core.table.complete(complete.clone(), cx.now().mono) {
            Ok(()) => core.owed.push(Owed::Completed(reply, complete)),
            Err(error) => {
                if error == WorkerError::TakenOver {
                    let (name, fence) = (&complete.name, complete.fence);
                    cx.notify(&Report {
                        cause: Cause::TakenOver,
                        topic: Complete::TOPIC.replacen(Self::NAME, cx.name(), 1),
                        sender: None,
                        userid: Some(peer.userid),
                        job: None,
                        note: Some(format!("task {name}, fencing number {fence}")),
                    });
                }
                reply.send(cx, Err(error));
            }
        }
    }

    /// Gives tasks to those who wait for one.
    fn give(&mut self, cx: &mut Cx<Self>) {
        for (take, reply) in std::mem::take(&mut self.waiting) {
            match self.table.take(&take, cx.now().mono) {
                Ok(Some(task)) => self.owed.push(Owed::Task(reply, task)),
                Ok(None) => self.waiting.push((take, reply)),
                Err(error) => reply.send(cx, Err(error)),
            }
        }
    }

    /// Stores new records, and answers when they are stored.
    fn store(&mut self, cx: &mut Cx<Self>) {
        if self.in_flight || self.owed.is_empty() && !self.table.has_lines() {
            return;
        }
        let owed = std::mem::take(&mut self.owed);
        let lines = self.table.take_lines();
        if lines.is_empty() {
            return self.answer(cx, owed);
        }
        let (key, commit) = (Self::key(cx), Commit::new(PRIMARY));
        self.bytes += lines.len();
        let commit = match self.bytes > self.bytes_max {
            false => commit.append(key, lines),
            true => {
                let whole = self.table.whole();
                self.bytes = whole.len();
                self.bytes_max = DESK_LOG_BYTES_MAX.max(2 * self.bytes);
                commit.put(key, whole)
            }
        };
        self.in_flight = true;
        self.seq += 1;
        let commit = commit.once(cx.uuid(), self.seq);
        let retry = |_: &mut Self, _: &Refusal| Some(Duration::from_millis(DESK_RETRY_MS));
        cx.commit(commit.encode(), retry, move |core, cx, stored| {
            core.in_flight = false;
            match stored {
                Ok(_) => core.answer(cx, owed),
                Err(error) => {
                    tracing::error!("not stored: {error}");
                    core.refuse(cx, owed);
                    // Our successor goes by what is.
                    cx.exit(Err(error));
                }
            }
            core.store(cx);
        });
    }

    fn answer(&mut self, cx: &mut Cx<Self>, owed: Vec<Owed>) {
        for owed in owed {
            match owed {
                Owed::Task(reply, task) => reply.send(cx, Ok(task)),
                Owed::Added(reply) => reply.send(cx, Ok(Empty)),
                Owed::Completed(reply, complete) => {
                    self.bench.completed(&complete.name, &complete.result);
                    reply.send(cx, Ok(Empty));
                }
            }
        }
    }

    fn refuse(&mut self, cx: &mut Cx<Self>, owed: Vec<Owed>) {
        let error = WorkerError::NotStored;
        for owed in owed {
            match owed {
                Owed::Task(reply, _) => reply.send(cx, Err(error.clone())),
                Owed::Added(reply) => reply.send(cx, Err(error.clone())),
                Owed::Completed(reply, _) => reply.send(cx, Err(error.clone())),
            }
        }
    }

    /// Checks now and then for expired leases, while there are leases.
    fn watch_leases(&mut self, cx: &mut Cx<Self>) {
        if !self.table.has_leases() || std::mem::replace(&mut self.is_looking, true) {
            return;
        }
        let wait = Duration::from_millis(DESK_LOOK_MS);
        cx.timer(wait, |core: &mut Self, cx| {
            core.is_looking = false;
            core.table.lapse(cx.now().mono);
        });
    }
}
