//! KVS commits of the module: everything since the last commit in one, as soon as the one
//! before is stored. A lone event goes out at the end of its turn, unless it may wait a little
//! for others (`pace.rs`): a job that ended soon is stored in one commit, and many such jobs
//! together.
//!
//! One commit is in flight at a time. Each carries a number of its own (`once`), so that it
//! can be sent again when the KVS was lost: nothing acknowledged is lost or doubled.

use std::collections::{BTreeMap, VecDeque};

use node::Cx;
use proto::data::JobId;
use proto::data::job::JobStep;
use proto::job_manager::REQUESTS_KEY;
use proto::kvs::{Commit, Committed, Op, PRIMARY};
use proto::{Payload, Refusal};

use crate::JobManager;
use crate::joblog::Record;
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_OPS_MAX, COMMIT_RETRY};
pub use crate::pace::Haste;
use crate::pace::{Go, Pace};

/// Continuation after a commit is stored.
pub type Deferred = Box<dyn FnOnce(&mut JobManager, &mut Cx<JobManager>)>;

/// One commit in the making.
#[derive(Default)]
struct Part {
    /// Lines for the logs of jobs.
    appends: BTreeMap<JobId, String>,
    /// Other operations to write.
    ops: Vec<Op>,
    /// For the job log.
    records: Vec<Record>,
    bytes: usize,
    then: Vec<Deferred>,
    haste: Haste,
}

impl Part {
    fn is_full(&self) -> bool {
        self.appends.len() + self.ops.len() >= COMMIT_OPS_MAX || self.bytes >= COMMIT_BYTES_MAX
    }

    fn writes_nothing(&self) -> bool {
        self.appends.is_empty() && self.ops.is_empty() && self.records.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.writes_nothing() && self.then.is_empty()
    }
}

/// One commit on its way.
struct Flying {
    jobs: Vec<JobId>,
    then: Vec<Deferred>,
}

/// All commits that are not stored.
#[derive(Default)]
pub struct Batch {
    /// In the order in which they will be sent; the last one is open.
    parts: VecDeque<Part>,
    flying: Option<Flying>,
    /// Number of commits stored.
    stored: u64,
    pace: Pace,
    /// Reason for which nothing can be stored for now.
    refused: Option<Refusal>,
    /// Number of such failures.
    tries: u64,
    /// The most haste of additions for now.
    at_most: Option<Haste>,
}

impl Batch {
    /// The number of the commit that takes the next additions.
    pub fn number(&self) -> u64 {
        self.stored + u64::from(self.flying.is_some()) + self.parts.len().max(1) as u64
    }

    /// The number of the last commit that is stored.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Events added from now on need not be stored sooner than this.
    pub fn at_most(&mut self, haste: Haste) {
        self.at_most = Some(haste);
    }

    /// Requests that the present events be stored at once.
    pub fn hurry(&mut self) {
        if let Some(part) = self.parts.back_mut() {
            part.haste = Haste::Now;
        }
    }

    /// Reason for which nothing can be stored for now, with the number of attempts.
    pub fn refused(&self) -> Option<(&Refusal, u64)> {
        self.refused.as_ref().map(|why| (why, self.tries))
    }

    /// Adds a line to a job's log.
    pub fn append(&mut self, id: JobId, line: &str) {
        self.append_later(id, line);
        self.take_haste();
    }

    /// The same, but nobody minds if it is stored a little later.
    pub fn append_later(&mut self, id: JobId, line: &str) {
        let part = self.open();
        part.bytes += line.len();
        part.appends.entry(id).or_default().push_str(line);
    }

    /// Adds to the job log.
    pub fn record(&mut self, record: Record) {
        let part = self.open();
        part.bytes += record.bytes();
        part.records.push(record);
        self.take_haste();
    }

    /// Writes a value.
    pub fn put(&mut self, key: &str, value: &str) {
        self.op(Op::put(key, value.to_owned()));
        self.open_now().bytes += value.len();
    }

    /// Writes something else.
    pub fn op(&mut self, op: Op) {
        self.open().ops.push(op);
        self.take_haste();
    }

    /// Does `then` once everything said so far is stored, which is at once.
    pub fn then(&mut self, then: impl FnOnce(&mut JobManager, &mut Cx<JobManager>) + 'static) {
        self.then_at_ease(then);
        self.hurry();
    }

    /// The same, but it is not stored sooner for that.
    pub fn then_at_ease(
        &mut self,
        then: impl FnOnce(&mut JobManager, &mut Cx<JobManager>) + 'static,
    ) {
        self.open_now().then.push(Box::new(then));
    }

    /// True if everything is stored.
    pub fn is_idle(&self) -> bool {
        self.flying.is_none() && self.parts.iter().all(Part::is_empty)
    }

    fn take_haste(&mut self) {
        let haste = self.at_most.unwrap_or(Haste::Now);
        let part = self.open_now();
        part.haste = part.haste.max(haste);
    }

    fn open(&mut self) -> &mut Part {
        if self.parts.back().is_none_or(Part::is_full) {
            self.parts.push_back(Part::default());
        }
        self.open_now()
    }

    fn open_now(&mut self) -> &mut Part {
        if self.parts.is_empty() {
            self.parts.push_back(Part::default());
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

impl JobManager {
    /// Sends the gathered changes, unless a commit is on its way.
    pub(crate) fn flush(&mut self, cx: &mut Cx<Self>) {
        while self.batch.flying.is_none()
            && !self.waits_for_more(cx)
            && let Some(part) = self.batch.parts.pop_front()
        {
            if part.writes_nothing() {
                // Nothing to wait for.
                self.batch.stored += 1;
                self.landed(cx, Vec::new(), part.then);
                self.recall.forget(self.batch.stored);
                continue;
            }
            let number = self.batch.stored + 1;
            let mut commit = Commit::new(PRIMARY).once(cx.uuid(), number);
            let jobs: Vec<JobId> = part.appends.keys().copied().collect();
            for (id, lines) in part.appends {
                commit.ops.push(Op::append(id.kvs_key("eventlog"), lines));
            }
            commit.ops.extend(part.ops);
            commit.ops.extend(self.joblog.write(part.records));
            commit.ops.extend(self.recall.op(REQUESTS_KEY, number));
            self.batch.flying = Some(Flying {
                jobs,
                then: part.then,
            });
            // Without room nothing goes on, but nothing is lost either.
            let retry = |core: &mut JobManager, refusal: &Refusal| {
                core.batch.refused = Some(refusal.clone());
                core.batch.tries += 1;
                (!core.is_ending).then_some(COMMIT_RETRY)
            };
            cx.commit(commit.encode(), retry, JobManager::committed);
        }
    }

    fn committed(&mut self, cx: &mut Cx<Self>, result: Result<Committed, Refusal>) {
        match result {
            Ok(stored) => self.early.at_version(stored.rootseq),
            Err(error) => {
                tracing::error!("commit failed: {error}");
                return cx.exit(Err(error));
            }
        }
        self.batch.refused = None;
        self.batch.stored += 1;
        if let Some(flying) = self.batch.flying.take() {
            self.landed(cx, flying.jobs, flying.then);
            self.recall.answered(self.batch.stored);
        }
    }

    /// True if all events to send may wait a little for more.
    fn waits_for_more(&mut self, cx: &mut Cx<Self>) -> bool {
        let haste = match (self.batch.parts.front(), self.batch.parts.len()) {
            (None, _) => return false,
            (Some(part), 1) if !part.writes_nothing() && !self.is_ending => part.haste,
            _ => Haste::Now,
        };
        match self.batch.pace.ask(cx.now().mono, haste) {
            Go::Now => false,
            Go::Wait => true,
            Go::After(wait) => {
                cx.timer(wait, |core: &mut JobManager, cx| {
                    core.batch.pace.look(cx.now().mono);
                    core.flush(cx);
                });
                true
            }
        }
    }

    fn landed(&mut self, cx: &mut Cx<Self>, jobs: Vec<JobId>, then: Vec<Deferred>) {
        for then in then {
            then(self, cx);
        }
        let stored = self.batch.stored;
        for id in &jobs {
            cx.step(*id, JobStep::LogStored);
            self.early.stored(*id, stored);
        }
        self.acting.extend(jobs);
        self.run(cx);
    }
}
