//! The start: every job is read back from the KVS and its log folded (protocol/11 section
//! 14). A job that does not replay is set aside, never dropped.
//!
//! An empty commit comes first: whatever an earlier job manager had sent off is applied
//! then, and everything is read from the version that it made.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use node::{Call, Cx};
use proto::data::eventlog::split_log;
use proto::data::job::State;
use proto::data::{Entry, JobId, Tree};
use proto::job_manager::{CHECKPOINT_KEY, Checkpoint, JOBS_KEY, JobEvent, LOST_KEY, Online};
use proto::kvs::{Commit, Committed, Lookup, Op, PRIMARY, READDIR, TREEOBJ};
use proto::{Errno, RawJson, Refusal};
use serde_json::{Value, json};

use crate::JobManager;
use crate::alloc::without_scheduling;
use crate::job::{Job, Packed};
use crate::limits::REPLAY_LOOKUPS_MAX;
use crate::queue::Queue;
use crate::state::{ExecAsk, Life};

/// What is still to be looked up.
enum Task {
    Checkpoint,
    /// A directory so many levels below `job`, whose entries are words of job ids.
    Dir(String, u32),
    /// One key of a job.
    Key(JobId, &'static str),
}

/// The keys of a job that were read so far.
#[derive(Default)]
struct Fetched {
    values: BTreeMap<&'static str, Bytes>,
    missing: usize,
    broken: Option<Refusal>,
}

/// The keys of a job that are read.
const KEYS: [&str; 3] = ["eventlog", "jobspec", "R"];

/// Levels of directories between `job` and a job's own.
const LEVELS: u32 = 3;

/// Where the start is.
#[derive(Default)]
pub struct Replay {
    /// The version that is read, as a dirref.
    root: Value,
    /// Depth first, so that few are waiting.
    tasks: Vec<Task>,
    in_flight: usize,
    fetched: BTreeMap<JobId, Fetched>,
    lost: Vec<JobId>,
    n_jobs: usize,
    checkpoint: Option<Checkpoint>,
}

/// Begins the start.
pub fn begin(cx: &mut Cx<JobManager>) {
    cx.call(&Commit::new(PRIMARY), |core, cx, result| match result {
        Ok(Committed { rootref, .. }) => {
            core.replay = Some(Box::new(Replay {
                root: json!({"data": [rootref], "type": "dirref", "ver": 1}),
                tasks: vec![Task::Dir(JOBS_KEY.to_owned(), 0), Task::Checkpoint],
                ..Replay::default()
            }));
            core.look_up(cx);
        }
        Err(error) if error.errno == Errno::EHOSTUNREACH => begin(cx),
        Err(error) => cx.started(Err(error)),
    });
}

impl JobManager {
    /// Keeps lookups in flight; ends the start when none is left.
    fn look_up(&mut self, cx: &mut Cx<Self>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        while replay.in_flight < REPLAY_LOOKUPS_MAX
            && let Some(task) = replay.tasks.pop()
        {
            let (key, flags) = match &task {
                Task::Checkpoint => (CHECKPOINT_KEY.to_owned(), 0),
                Task::Dir(path, _) => (path.clone(), READDIR),
                Task::Key(id, name) => (id.kvs_key(name), 0),
            };
            let request = Lookup {
                key,
                flags,
                namespace: None,
                rootdir: Some(replay.root.clone()),
                rootseq: None,
            };
            replay.in_flight += 1;
            cx.call(&request, move |core, cx, result| {
                let found = result.map(|found| found.val);
                core.looked_up(task, found);
                core.look_up(cx);
            });
        }
        if replay.in_flight == 0 {
            self.finish_replay(cx);
        }
    }

    fn looked_up(&mut self, task: Task, found: Result<Tree, Refusal>) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        replay.in_flight -= 1;
        match (task, found) {
            (Task::Checkpoint, Ok(Tree::Val(text))) => match serde_json::from_slice(&text) {
                Ok(checkpoint) => replay.checkpoint = Some(checkpoint),
                Err(error) => tracing::error!("{CHECKPOINT_KEY}: {error}"),
            },
            (Task::Dir(path, level), Ok(Tree::Dir(entries))) => {
                for name in entries.keys().rev() {
                    replay.found_name(format!("{path}.{name}"), level);
                }
            }
            (Task::Key(id, name), found) => {
                let fetched = replay.fetched.entry(id).or_default();
                match found {
                    Ok(Tree::Val(value)) => {
                        fetched.values.insert(name, value);
                    }
                    Ok(_) => fetched.broken = Some(Refusal::bare(Errno::EISDIR)),
                    Err(error) if error.errno == Errno::ENOENT => fetched.missing += 1,
                    Err(error) => fetched.broken = Some(error),
                }
                let n_known = fetched.values.len() + fetched.missing;
                if (n_known == KEYS.len() || fetched.broken.is_some())
                    && let Some(fetched) = replay.fetched.remove(&id)
                {
                    self.fetched(id, fetched);
                }
            }
            (_, Err(error)) if error.errno == Errno::ENOENT => {}
            (Task::Dir(path, _), Err(error)) => tracing::error!("{path}: {error}"),
            (Task::Checkpoint, Err(error)) => tracing::error!("{CHECKPOINT_KEY}: {error}"),
            (Task::Dir(..) | Task::Checkpoint, Ok(_)) => {}
        }
    }

    /// Everything of one job is there.
    fn fetched(&mut self, id: JobId, fetched: Fetched) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        // A key that came after its job was given up.
        if self.jobs.get(id).is_some() || replay.lost.contains(&id) {
            return;
        }
        let job = match (&fetched.broken, fetched.values.get("eventlog")) {
            (Some(error), _) => Err(error.to_string()),
            // Submitted, but not taken: nobody was told that it was.
            (None, None) => return tracing::debug!("job {id} not replayed: no eventlog"),
            (None, Some(log)) => read_job(id, log, &fetched.values),
        };
        match job {
            Ok(job) => {
                replay.n_jobs += 1;
                if job.life.state == State::Inactive {
                    self.jobs.retire(id, Packed::of(&job, 0, 0));
                } else {
                    self.waits.begun(&job);
                    self.jobs.add(job);
                }
            }
            Err(reason) => {
                tracing::error!("job {id} not replayed: {reason}");
                replay.lost.push(id);
            }
        }
    }

    fn finish_replay(&mut self, cx: &mut Cx<Self>) {
        let Some(replay) = self.replay.take() else {
            return;
        };
        if let Some(checkpoint) = &replay.checkpoint {
            self.jobs.note_id(checkpoint.max_jobid);
            self.queue = Queue::of(checkpoint);
        }
        for id in &replay.lost {
            set_aside(cx, *id);
        }
        tracing::info!("restart: {} jobs", replay.n_jobs);
        tracing::info!("restart: {} running jobs", self.jobs.n_running());
        let active: Vec<JobId> = self.jobs.all_active().map(|job| job.id).collect();
        for id in active {
            let state = self.jobs.active(id).map(|job| job.life.state);
            if state == Some(State::Sched) {
                self.post(cx, id, &JobEvent::FluxRestart);
            }
            self.acting.push_back(id);
        }
        self.run(cx);
        let uuid = cx.uuid().to_owned();
        cx.publish(&Online { uuid });
        cx.started(Ok(()));
    }
}

impl Replay {
    fn found_name(&mut self, path: String, level: u32) {
        if level < LEVELS {
            return self.tasks.push(Task::Dir(path, level + 1));
        }
        match path.parse::<JobId>() {
            Ok(id) => self.tasks.extend(KEYS.map(|key| Task::Key(id, key))),
            Err(error) => tracing::error!("{path}: {error}"),
        }
    }
}

/// Makes a job of what the KVS has of it, or says why not.
fn read_job(id: JobId, log: &Bytes, values: &BTreeMap<&str, Bytes>) -> Result<Job, String> {
    let text = |name: &str| -> Option<RawJson> {
        let text = std::str::from_utf8(values.get(name)?).ok()?;
        RawJson::new(text).ok()
    };
    let jobspec = text("jobspec").ok_or("jobspec is missing or malformed")?;
    let r = text("R").map(|r| Rc::new(without_scheduling(r)));
    let mut lines = split_log(log).map_err(|error| error.to_string())?;
    let (entry, event) = read_line(lines.next().ok_or("eventlog is empty")?)?;
    let life = Life::begin(&event, entry.timestamp()).ok_or("eventlog begins without submit")?;
    let first = entry.encode();
    let mut job = Job::new(id, life, first, Rc::new(jobspec), None);
    for line in lines {
        let (entry, event) = read_line(line)?;
        if let JobEvent::Alloc { bypass, .. } = &event {
            job.r = r.clone();
            if job.r.is_none() && !bypass {
                return Err("R is missing or malformed".to_owned());
            }
        }
        job.apply(&event, &entry, line)
            .map_err(|refused| refused.to_string())?;
    }
    if job.life.has_resources && !job.life.exec_done {
        // It may have been sent to run, and its shells may be alive.
        job.exec = ExecAsk::Lost;
    }
    Ok(job)
}

fn read_line(line: &str) -> Result<(Entry, JobEvent), String> {
    let entry = Entry::decode(line).map_err(|error| error.to_string())?;
    let event = JobEvent::of(&entry).map_err(|error| error.to_string())?;
    Ok((entry, event))
}

/// Moves a job that did not replay out of the way.
fn set_aside(cx: &mut Cx<JobManager>, id: JobId) {
    let request = Lookup::new(PRIMARY, &id.kvs_path(), TREEOBJ);
    cx.call_with(Call::new(&request), move |core, _, result| match result {
        Ok(found) => {
            core.batch
                .op(Op::put_tree(format!("{LOST_KEY}.{id}"), found.val));
            core.batch.op(Op::unlink(id.kvs_path()));
        }
        Err(error) => tracing::error!("{}: {error}", id.kvs_path()),
    });
}
