//! Writing to the KVS: one commit to the primary namespace for all jobs at a time, and one
//! to each job's own namespace at a time. Later writes join the next.
//!
//! A commit carries a token, so that it can be sent again when the kvs was restarted
//! under it.

use std::collections::BTreeMap;

use node::Cx;
use proto::data::{JobId, Tree};
use proto::job_exec::GuestLines;
use proto::kvs::{Commit, Committed, Op, PRIMARY};
use proto::{Payload, Refusal};

use crate::begun::BEGUN_FILE;
use crate::core::RETRY;
use crate::job::{Home, answer_stored};
use crate::limits::{PRIMARY_BYTES_MAX, PRIMARY_OPS_MAX};
use crate::state::{Move, State};
use crate::{JobExec, Surroundings};

/// Writes that wait for the primary namespace.
#[derive(Debug, Default)]
pub struct Store {
    jobs: BTreeMap<JobId, Waiting>,
    in_flight: bool,
    seq: u64,
}

/// Writes that wait for one job.
#[derive(Debug, Default)]
struct Waiting {
    /// New contents of `guest`.
    guest: Option<Guest>,
    /// Lines for logs in the primary namespace.
    lines: GuestLines,
    /// True if they are the first.
    are_first: bool,
    /// True if the job has no more lines.
    is_last: bool,
}

/// Contents of a job's `guest` key.
#[derive(Debug)]
enum Guest {
    /// A link to the namespace.
    Link,
    /// The directory that the namespace had, by blobref.
    Dir(String),
    /// Nothing is left of the namespace.
    Nothing,
}

impl Store {
    /// Puts the link to the namespace.
    pub fn link(&mut self, id: JobId) {
        self.jobs.entry(id).or_default().guest = Some(Guest::Link);
    }

    /// Puts the directory that the namespace ended with, if there is one.
    pub fn graft(&mut self, id: JobId, rootref: Option<String>) {
        let waiting = self.jobs.entry(id).or_default();
        waiting.guest = Some(rootref.map_or(Guest::Nothing, Guest::Dir));
        waiting.is_last = true;
    }

    /// Adds lines to logs in the primary namespace.
    fn append(&mut self, id: JobId, lines: &GuestLines, are_first: bool, is_last: bool) {
        let waiting = self.jobs.entry(id).or_default();
        waiting.lines.add(lines);
        waiting.are_first |= are_first;
        waiting.is_last |= is_last;
    }

    /// True if there is nothing to send, or not yet.
    fn is_idle(&self) -> bool {
        self.in_flight || self.jobs.is_empty()
    }

    /// The next commit, and the jobs that are done with it.
    fn take(&mut self, writer: &str) -> (Commit, Vec<JobId>) {
        let mut commit = Commit::new(PRIMARY);
        let mut last = Vec::new();
        let mut bytes = 0;
        while let Some((id, waiting)) = self.jobs.pop_first() {
            if waiting.is_last {
                last.push(id);
            }
            bytes += waiting.lines.bytes();
            waiting.ops(id, &mut commit.ops);
            if commit.ops.len() >= PRIMARY_OPS_MAX || bytes >= PRIMARY_BYTES_MAX {
                break;
            }
        }
        self.seq += 1;
        (commit.once(writer, self.seq), last)
    }
}

impl Waiting {
    fn ops(self, id: JobId, ops: &mut Vec<Op>) {
        let guest = || id.kvs_key("guest");
        match self.guest {
            None => {}
            Some(Guest::Link) => {
                ops.push(Op::symlink(guest(), Some(&id.guest_namespace()), "."));
            }
            Some(Guest::Dir(rootref)) => {
                let dir = rootref.parse().map_or(Tree::empty_dir(), Tree::DirRef);
                ops.push(Op::put_tree(guest(), dir));
            }
            Some(Guest::Nothing) => ops.push(Op::mkdir(guest())),
        }
        for (name, lines) in self.lines.by_name() {
            let key = id.kvs_key(&format!("guest.{name}"));
            ops.push(match self.are_first {
                true => Op::put(key, lines),
                false => Op::append(key, lines),
            });
        }
    }
}

impl JobExec {
    /// Sends the gathered data: called when everything that had arrived was handled.
    pub(crate) fn send_off(&mut self, cx: &mut Cx<Self>) {
        for id in std::mem::take(&mut self.dirty) {
            self.send_off_guest(cx, id);
        }
        if let Some(lines) = self.begun.rewrite() {
            let rewrite = move |around: &mut Surroundings| around.begun.replace(&lines);
            cx.quick_work(rewrite, |_: &mut JobExec, _, result| {
                if let Err(error) = result {
                    tracing::warn!("{BEGUN_FILE}: {error}");
                }
            });
        }
        if self.store.is_idle() {
            return;
        }
        self.store.in_flight = true;
        let (commit, last) = self.store.take(cx.uuid());
        // The last one says what becomes of all that was stored before it.
        cx.commit(
            commit.encode(),
            |_, _| Some(RETRY),
            move |core: &mut JobExec, cx, result| {
                core.store.in_flight = false;
                if let Err(error) = result {
                    tracing::error!("job logs were not stored: {error}");
                }
                for id in last {
                    core.grafted(cx, id);
                }
            },
        );
    }

    /// Sends off the guest log of one job.
    fn send_off_guest(&mut self, cx: &mut Cx<Self>, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let is_last = job.state() == State::Finishing;
        if is_last && job.log.home == Home::Here {
            job.log.home = Home::Primary;
        }
        let is_short = job.log.home == Home::Primary && !job.log.is_stored && !is_last;
        let is_closed = matches!(job.log.home, Home::Here | Home::Making) || is_short;
        let is_busy = job.log.in_flight || is_closed || job.log.is_held;
        if is_busy || job.log.unsent.is_empty() {
            return;
        }
        if job.log.home == Home::Primary {
            if is_last && self.leave_to_manager(cx, id) {
                return;
            }
            let Some(job) = self.jobs.get_mut(&id) else {
                return;
            };
            let lines = std::mem::take(&mut job.log.unsent);
            let are_first = !std::mem::replace(&mut job.log.exists, true);
            if is_last {
                job.step(Move::Logged);
                job.send_finish(cx);
            }
            return self.store.append(id, &lines, are_first, is_last);
        }
        let mut commit = Commit::new(&id.guest_namespace());
        for (name, lines) in std::mem::take(&mut job.log.unsent).by_name() {
            commit = commit.append(name, lines);
        }
        job.log.seq += 1;
        job.log.in_flight = true;
        let commit = commit.once(cx.uuid(), job.log.seq);
        let waiting = std::mem::take(&mut job.log.unsaid);
        cx.commit(
            commit.encode(),
            |_, _| Some(RETRY),
            move |core: &mut JobExec, cx, result| {
                let stored = result.as_ref().map(|_| ()).map_err(Refusal::clone);
                answer_stored(cx, waiting, &stored);
                core.guest_stored(cx, id, is_last, result);
            },
        );
    }

    fn guest_stored(
        &mut self,
        cx: &mut Cx<Self>,
        id: JobId,
        is_last: bool,
        result: Result<Committed, Refusal>,
    ) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.log.in_flight = false;
        let is_begun = job.log.is_begun;
        let rootref = match result {
            Ok(committed) => Some(committed.rootref),
            Err(error) => {
                tracing::error!("job={id}: the guest log was not stored: {error}");
                if !is_begun && !is_last {
                    let note = format!("failed to write guest log: {error}");
                    return self.fail(cx, id, &note);
                }
                None
            }
        };
        self.stored(cx, id);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if is_last {
            self.logged(cx, id, rootref);
        } else if !job.log.unsent.is_empty() {
            self.dirty.insert(id);
        }
    }

    /// Marks a job whose guest log has grown.
    pub(crate) fn touch(&mut self, id: JobId) {
        self.dirty.insert(id);
    }
}
