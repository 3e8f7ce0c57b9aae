//! The start (protocol/11 section 14). The job log has all jobs and the rows of the
//! inactive ones; only active jobs are read from their own keys. Without a job log, or
//! with a damaged one, every job is, and the job log is written again. A job that does not
//! replay is set aside, never dropped.
//!
//! An empty commit comes first: commits that an earlier job manager had sent are applied
//! then, and everything is read from the version that it made; or from the current one,
//! where nothing can be committed for now.

mod log;
mod read;

use std::collections::BTreeMap;

use bytes::Bytes;
use node::{Call, Cx, Recall};
use proto::data::job::State;
use proto::data::{JobId, Tree};
use proto::job_manager::{
    CHECKPOINT_KEY, Checkpoint, JOBS_KEY, JobEvent, LOST_KEY, Online, REQUESTS_KEY,
};
use proto::kvs::{Commit, GetRoot, Lookup, Op, PRIMARY, READDIR, TREEOBJ};
use proto::{Errno, Refusal};
use serde_json::{Value, json};

use crate::JobManager;
use crate::job::Packed;
use crate::joblog::{HEAD_KEY, Head, LOG_KEY, Record, SEGMENTS_KEY, Table, segment_key};
use crate::jobs::Slot;
use crate::limits::REPLAY_LOOKUPS_MAX;
use log::LogReader;
use read::{Fetched, KEYS};

/// Next lookup.
enum Task {
    Checkpoint,
    /// Requests that were done.
    Requests,
    /// Look up the head of the job log.
    Head,
    /// A directory N levels below [`SEGMENTS_KEY`].
    Segments(String, u32),
    /// A piece of the job log, by its place in the order of time.
    Piece(usize, String),
    /// A directory N levels below `job`, whose entries are words of job ids.
    Dir(String, u32),
    /// One key of a job.
    Key(JobId, &'static str),
}

/// Current step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    /// Finding out whether there is a job log.
    #[default]
    View,
    /// Finding out which segments it has.
    List,
    /// Reading it.
    Log,
    /// Reading the keys of the jobs that are active by the log.
    Active,
    /// Reading the keys of all jobs.
    Walk,
}

/// Levels of directories between `job` and a job's own.
const LEVELS: u32 = 3;

/// Jobs between two lines about how far the walk is.
const PROGRESS_JOBS: usize = 10_000;

/// Progress of the start.
#[derive(Default)]
pub struct Replay {
    step: Step,
    /// The version that is read, as a dirref.
    root: Value,
    /// The last one is the next, so that a walk goes depth first and few wait.
    tasks: Vec<Task>,
    in_flight: usize,
    head: Option<Head>,
    log: LogReader,
    /// Table of the log, if it differs from that of its head.
    log_table: Option<Table>,
    /// Something could not be read: the next start is to try again.
    is_partial: bool,
    /// Jobs of the log that nobody has waited for.
    unwaited: BTreeMap<JobId, Bytes>,
    fetched: BTreeMap<JobId, Fetched>,
    /// Jobs that are set aside, and why.
    lost: BTreeMap<JobId, String>,
    checkpoint: Option<Checkpoint>,
    recall: Recall<String>,
    /// The KVS went away while it was read: why.
    lost_kvs: Option<Refusal>,
}

/// Begins the start.
pub fn begin(cx: &mut Cx<JobManager>) {
    cx.call(&Commit::new(PRIMARY), |core, cx, result| match result {
        Ok(stored) => core.read_from(cx, &stored.rootref, stored.rootseq),
        Err(error) if error.errno == Errno::EHOSTUNREACH => begin(cx),
        Err(error) if error.may_pass() => read_current(cx),
        Err(error) => cx.started(Err(error)),
    });
}

/// The commit was refused, after everything before it was applied or refused.
fn read_current(cx: &mut Cx<JobManager>) {
    let namespace = PRIMARY.to_owned();
    cx.call(&GetRoot { namespace }, |core, cx, result| match result {
        Ok(root) => core.read_from(cx, &root.rootref, root.rootseq),
        Err(error) if error.errno == Errno::EHOSTUNREACH => begin(cx),
        Err(error) => cx.started(Err(error)),
    });
}

/// True if there was no KVS to read: its contents are unknown.
fn is_lost(error: &Refusal) -> bool {
    matches!(error.errno, Errno::EHOSTUNREACH | Errno::ENOSYS)
}

impl JobManager {
    fn read_from(&mut self, cx: &mut Cx<Self>, rootref: &str, version: i64) {
        self.early.at_version(version);
        self.replay = Some(Box::new(Replay {
            root: json!({"data": [rootref], "type": "dirref", "ver": 1}),
            tasks: vec![Task::Checkpoint, Task::Requests, Task::Head],
            ..Replay::default()
        }));
        self.look_up(cx);
    }

    /// Keeps lookups in flight; goes on to the next step when none is left.
    fn look_up(&mut self, cx: &mut Cx<Self>) {
        loop {
            let Some(replay) = &mut self.replay else {
                return;
            };
            if let Some(lost) = replay.lost_kvs.take() {
                // A key missing now is not lost for good. The next one reads it.
                return cx.started(Err(lost));
            }
            if cx.is_ending() {
                return;
            }
            while replay.has_room()
                && let Some(task) = replay.tasks.pop()
            {
                replay.send(cx, task);
            }
            if replay.in_flight > 0 {
                return;
            }
            if !self.next_step() {
                return self.finish_replay(cx);
            }
        }
    }

    /// A step is done; returns true if there is another.
    fn next_step(&mut self) -> bool {
        let Some(replay) = &mut self.replay else {
            return false;
        };
        match replay.step {
            Step::View if replay.trusts_log() => {
                replay.step = Step::List;
                replay
                    .tasks
                    .push(Task::Segments(SEGMENTS_KEY.to_owned(), 0));
            }
            Step::View => replay.begin_walk(),
            Step::List if replay.log.missing().is_some() => {
                let missing = replay.log.missing().unwrap_or_default();
                self.damaged(&segment_key(missing), "it is missing");
            }
            Step::List => {
                replay.step = Step::Log;
                let keys = replay.log.keys().into_iter().enumerate();
                replay.tasks = keys.map(|(n, key)| Task::Piece(n, key)).collect();
                replay.tasks.reverse();
            }
            Step::Log => self.log_is_read(),
            Step::Active | Step::Walk => return false,
        }
        true
    }

    fn looked_up(&mut self, task: Task, found: Result<Tree, Refusal>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        replay.in_flight -= 1;
        if found.as_ref().is_err_and(is_lost) {
            replay.lost_kvs = found.err();
            return;
        }
        match (task, found) {
            (Task::Checkpoint, Ok(Tree::Val(text))) => match serde_json::from_slice(&text) {
                Ok(checkpoint) => replay.checkpoint = Some(checkpoint),
                Err(error) => tracing::error!("{CHECKPOINT_KEY}: {error}"),
            },
            (Task::Requests, Ok(Tree::Val(text))) => match Recall::decode(&text) {
                Ok(recall) => replay.recall = recall,
                Err(error) => tracing::error!("{REQUESTS_KEY}: {error}"),
            },
            (Task::Head, Ok(Tree::Val(text))) => match Head::decode(&text) {
                Ok(head) => replay.head = Some(head),
                Err(error) => tracing::error!("{HEAD_KEY}: {error}"),
            },
            (Task::Segments(path, level), Ok(Tree::Dir(entries))) => {
                for name in entries.keys() {
                    replay.found_segment(format!("{path}.{name}"), level);
                }
            }
            (Task::Dir(path, level), Ok(Tree::Dir(entries))) => {
                for name in entries.keys().rev() {
                    replay.found_name(format!("{path}.{name}"), level);
                }
            }
            (Task::Piece(n, _), Ok(Tree::Val(frames))) => self.piece(n, Some(frames)),
            (Task::Piece(n, _), Err(error)) if error.errno == Errno::ENOENT => self.piece(n, None),
            (Task::Segments(..), Err(error)) if error.errno == Errno::ENOENT => {}
            (Task::Piece(_, key) | Task::Segments(key, _), Err(error)) => {
                self.damaged(&key, &error.to_string());
            }
            (Task::Key(id, name), found) => self.key(id, name, found),
            (_, Err(error)) if error.errno == Errno::ENOENT => {}
            (Task::Dir(key, _), Err(error)) => {
                tracing::error!("{key}: {error}: jobs below it are not replayed");
                replay.is_partial = true;
            }
            (Task::Checkpoint | Task::Requests | Task::Head, Err(error)) => {
                tracing::error!("start: {error}")
            }
            (_, Ok(_)) => {}
        }
    }

    /// The job log cannot be read: it is as if there were none.
    fn damaged(&mut self, key: &str, why: &str) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        if matches!(replay.step, Step::List | Step::Log) {
            tracing::error!("{key}: {why}: reading every job's own log");
            replay.begin_walk();
            (self.jobs, self.joblog) = Default::default();
        }
    }

    fn key(&mut self, id: JobId, name: &'static str, found: Result<Tree, Refusal>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let fetched = replay.fetched.entry(id).or_default();
        match found {
            Ok(Tree::Val(value)) => {
                fetched.values.insert(name, value);
            }
            Ok(_) => fetched.broken = Some(Refusal::bare(Errno::EISDIR)),
            Err(error) if error.errno == Errno::ENOENT => fetched.missing += 1,
            Err(error) => fetched.broken = Some(error),
        }
        if fetched.is_complete()
            && let Some(fetched) = replay.fetched.remove(&id)
        {
            self.fetched(id, &fetched);
        }
    }

    /// Everything of one job is there.
    fn fetched(&mut self, id: JobId, fetched: &Fetched) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        // A key that came after its job was given up.
        if self.jobs.get(id).is_some() || replay.lost.contains_key(&id) {
            return;
        }
        match fetched.job(id) {
            None if replay.step == Step::Active => {
                let reason = "it has no eventlog".to_owned();
                tracing::error!("job {id} not replayed: {reason}");
                self.jobs.note_id(id);
                replay.lost.insert(id, reason);
            }
            None => tracing::debug!("job {id} not replayed: it has no eventlog"),
            Some(Ok(job)) if job.life.state == State::Inactive => {
                let packed = Packed::of(&job, 0, 0);
                packed.listed(id, &mut self.folder);
                if replay.step == Step::Active {
                    self.batch.record(Record::Retired(packed.row(id)));
                }
                self.jobs.retire(id, packed);
            }
            Some(Ok(mut job)) => {
                let queue = job.queue_name();
                job.queue = self.queues.intern(queue.as_deref());
                self.waits.begun(&job);
                self.jobs.add(job);
            }
            Some(Err(reason)) => {
                tracing::error!("job {id} not replayed: {reason}");
                self.jobs.note_id(id);
                replay.lost.insert(id, reason);
            }
        }
        let n_read = self.jobs.n_active() + self.jobs.n_inactive();
        if n_read > 0 && n_read.is_multiple_of(PROGRESS_JOBS) {
            tracing::info!("restart: {n_read} jobs so far");
        }
    }

    fn finish_replay(&mut self, cx: &mut Cx<Self>) {
        let Some(replay) = self.replay.take() else {
            return;
        };
        if let Some(checkpoint) = &replay.checkpoint {
            self.jobs.note_id(checkpoint.max_jobid);
            let stops = self.stops_queues_on_restart;
            if self.queues.restore(&checkpoint.queue, stops) {
                self.checkpoint();
            }
        }
        for (id, told) in &replay.unwaited {
            self.waits.read(*id, told);
        }
        if replay.step == Step::Walk {
            self.write_log_anew(&replay);
        }
        let is_walk = replay.step == Step::Walk;
        for (id, reason) in replay.lost {
            set_aside(cx, id, reason);
            if !is_walk {
                self.batch.record(Record::Purged(vec![id.0]));
            }
        }
        let n_jobs = self.jobs.n_active() + self.jobs.n_inactive();
        tracing::info!("restart: {n_jobs} jobs");
        tracing::info!("restart: {} running jobs", self.jobs.n_running());
        let purged = replay.checkpoint.as_ref().and_then(|it| it.purged);
        let purged = purged.unwrap_or_default();
        self.stamps.note(self.jobs.last_timestamp().max(purged));
        self.journal.begin(self.stamps.last(), purged);
        self.notify_policies(cx);
        self.find_early(cx);
        let active: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
        for id in active {
            let state = self.jobs.active(id).map(|job| job.life.state);
            if state == Some(State::Sched) {
                self.post(cx, id, &JobEvent::FluxRestart);
            }
            self.acting.push_back(id);
        }
        self.run(cx);
        self.recall = replay.recall;
        JobManager::follow_expiration(cx);
        let uuid = cx.uuid().to_owned();
        cx.publish(&Online { uuid });
        cx.started(Ok(()));
    }

    /// Writes a job log of all jobs that there are. Its head comes with the last of them:
    /// half a log is none.
    fn write_log_anew(&mut self, replay: &Replay) {
        self.batch.op(Op::unlink(LOG_KEY));
        let mut table = Table::default();
        for (id, slot) in self.jobs.from(JobId(0)) {
            let record = match slot {
                Slot::Active(_) => Record::Submitted(id.0),
                Slot::Inactive(packed) => Record::Retired(packed.row(id)),
                // Its row is in a log that is not trusted.
                Slot::Away(_) => continue,
            };
            if replay.log_table.is_some() {
                table.apply(&record, None);
            }
            self.batch.record(record);
        }
        if let Some(log) = &replay.log_table {
            let (n_all, some) = log.differences(&table);
            tracing::error!("{LOG_KEY}: {n_all} jobs differ: {}", some.join(", "));
        }
        if replay.is_partial {
            // Where the jobs are that could not be read, nothing else says.
            return;
        }
        self.batch.record(Record::Complete);
        if replay.checkpoint.is_some() {
            // Another job manager's says nothing of the log, and would not be trusted.
            self.checkpoint();
        }
    }
}

impl Replay {
    fn has_room(&self) -> bool {
        let limit = match self.step {
            Step::Log => crate::limits::LOG_LOOKUPS_MAX,
            _ => REPLAY_LOOKUPS_MAX,
        };
        self.in_flight < limit
    }

    fn send(&mut self, cx: &mut Cx<JobManager>, task: Task) {
        let (key, flags) = match &task {
            Task::Checkpoint => (CHECKPOINT_KEY.to_owned(), 0),
            Task::Requests => (REQUESTS_KEY.to_owned(), 0),
            Task::Head => (HEAD_KEY.to_owned(), 0),
            Task::Segments(path, _) | Task::Dir(path, _) => (path.clone(), READDIR),
            Task::Piece(_, key) => (key.clone(), 0),
            Task::Key(id, name) => (id.kvs_key(name), 0),
        };
        let request = Lookup {
            key,
            flags,
            namespace: None,
            rootdir: Some(self.root.clone()),
            rootseq: None,
        };
        self.in_flight += 1;
        cx.call(&request, move |core, cx, result| {
            core.looked_up(task, result.map(|found| found.val));
            core.look_up(cx);
        });
    }

    /// True if there is a job log, and no other job manager was at work since.
    fn trusts_log(&self) -> bool {
        let is_ours = |checkpoint: &Checkpoint| checkpoint.log.is_some();
        self.head.is_some() && self.checkpoint.as_ref().is_none_or(is_ours)
    }

    fn begin_walk(&mut self) {
        self.step = Step::Walk;
        self.log = LogReader::default();
        self.unwaited.clear();
        self.tasks = vec![Task::Dir(JOBS_KEY.to_owned(), 0)];
    }

    fn found_segment(&mut self, path: String, level: u32) {
        match level {
            0 => self.tasks.push(Task::Segments(path, 1)),
            _ => self.log.found(&path),
        }
    }

    fn found_name(&mut self, path: String, level: u32) {
        if level < LEVELS {
            return self.tasks.push(Task::Dir(path, level + 1));
        }
        match path.parse::<JobId>() {
            Ok(id) => self.tasks.extend(keys_of(id)),
            Err(error) => tracing::error!("{path}: {error}"),
        }
    }
}

fn keys_of(id: JobId) -> [Task; KEYS.len()] {
    KEYS.map(|key| Task::Key(id, key))
}

/// Moves a job that did not replay out of the way, with the reason.
fn set_aside(cx: &mut Cx<JobManager>, id: JobId, reason: String) {
    let request = Lookup::new(PRIMARY, &id.kvs_path(), TREEOBJ);
    cx.call_with(Call::new(&request), move |core, _, result| {
        let place = format!("{LOST_KEY}.{id}");
        match result {
            Ok(found) => {
                core.batch.op(Op::put_tree(place.clone(), found.val));
                core.batch.op(Op::unlink(id.kvs_path()));
            }
            Err(error) => tracing::error!("{}: {error}", id.kvs_path()),
        }
        core.batch.op(Op::put(format!("{place}.reason"), reason));
        tracing::error!("job {id} was moved to {place}");
    });
}
