//! Programs on rank 0, which nothing is done to: commits and jobs go on as if nothing had
//! happened, and what was acknowledged is there in the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use client::{Call, Handle};
use proto::data::job::SubmitFlags;
use proto::data::sign;
use proto::kvs::{Commit, Lookup, PRIMARY};
use proto::{Delivery, Refusal, job_ingest, job_manager};
use serde_json::{Value, json};

use super::Fire;
use super::ping::DEADLINE;
use crate::crash::Tally;

/// Between two commits, and between two jobs.
const PAUSE: Duration = Duration::from_millis(50);
/// Where commits go: a log of numbers.
const KEY: &str = "crash.tree";

/// What came of it.
#[derive(Default)]
pub struct Rank0 {
    commits: AtomicU64,
    jobs: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Rank0 {
    fn wrong(&self, complaint: String) {
        let wrong = self.wrong.lock();
        wrong
            .unwrap_or_else(PoisonError::into_inner)
            .push(complaint);
    }

    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        tally.figure(
            "tree",
            "commits on rank 0",
            self.commits.load(Ordering::Relaxed),
        );
        tally.figure("tree", "jobs on rank 0", self.jobs.load(Ordering::Relaxed));
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        tally.wrong(
            "tree",
            "commits and jobs on rank 0 that went wrong",
            wrong.clone(),
        );
    }
}

/// Commits until all is over, then looks whether everything is there.
pub fn commit(fire: &Fire) {
    let Some(mut handle) = fire.hosts.open(0) else {
        return;
    };
    let mut expect = String::new();
    for n in 0.. {
        let entry = format!("{n};");
        let commit = Commit::new(PRIMARY).append(KEY, entry.clone());
        match call(&mut handle, Call::new(&commit)) {
            Ok(_) => {
                expect += &entry;
                fire.rank0.commits.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) if fire.is_over() => return,
            Err(refusal) => return fire.rank0.wrong(format!("commit {n}: {refusal}")),
        }
        if n % 32 == 0 {
            match call(&mut handle, Call::new(&Lookup::new(PRIMARY, KEY, 0))) {
                Ok(found) if found.clone().bytes().as_deref() == Some(expect.as_bytes()) => {}
                Ok(_) => {
                    return fire
                        .rank0
                        .wrong(format!("after commit {n} the log is another"));
                }
                Err(_) if fire.is_over() => return,
                Err(refusal) => fire.rank0.wrong(format!("lookup {n}: {refusal}")),
            }
        }
        if fire.is_over() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Runs one job after the other until all is over.
pub fn submit(fire: &Fire) {
    let Some(mut handle) = fire.hosts.open(0) else {
        return;
    };
    while !fire.is_over() {
        match run(&mut handle) {
            Ok(waited) if waited.success => {
                fire.rank0.jobs.fetch_add(1, Ordering::Relaxed);
            }
            // The end of the instance is the end of its jobs.
            _ if fire.is_over() => return,
            Ok(waited) => fire.rank0.wrong(format!("{waited:?}")),
            Err(refusal) => return fire.rank0.wrong(format!("a job: {refusal}")),
        }
        std::thread::sleep(PAUSE);
    }
}

fn run(handle: &mut Handle) -> Result<job_manager::Waited, Refusal> {
    let submit = job_ingest::Submit {
        j: sign::wrap_none(
            rustix::process::getuid().as_raw(),
            jobspec().to_string().as_bytes(),
        ),
        urgency: 16,
        flags: i64::from(SubmitFlags::WAITABLE.0),
    };
    let id = call(handle, Call::new(&submit))?.id;
    call(handle, Call::new(&job_manager::Wait { id }))
}

fn call<M: client::Answered>(handle: &mut Handle, call: Call<M>) -> Result<M::Answer, Refusal> {
    let deadline = Some(DEADLINE);
    handle.call(call.delivery(Delivery::Wait { deadline }))
}

fn jobspec() -> Value {
    let core = json!({"type": "core", "count": 1});
    json!({
        "version": 1,
        "resources": [{"type": "slot", "count": 1, "label": "task", "with": [core]}],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, "environment": {"PATH": "/usr/bin:/bin"}}},
    })
}
