//! Programs on every rank that run jobs, which run on one or several ranks. An acknowledged
//! submission is one inactive job in the end, and no submission has become two. A job that
//! fails has lost a node, and its exception names it; no task runs twice (`fates.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use client::{Call, Handle};
use proto::data::job::State;
use proto::data::{JobId, sign};
use proto::{Errno, Refusal, job_ingest, job_list, job_manager};
use serde_json::{Value, json};

use super::complaints::Complaints;
use super::fates::{ATTRS, active, logs_of, what_is_wrong, what_ran_wrong};
use super::ping::{call, is_excused, is_on_the_way};
use super::{Fire, SIZE};
use crate::crash::Tally;

/// Between two jobs of a program.
const PAUSE: Duration = Duration::from_millis(200);
/// The most nodes of a job: as many as there are when one of the two large branches is lost.
const NODES_MAX: u32 = SIZE / 2;

/// Answers to all clients.
#[derive(Default)]
pub struct Jobs(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// Submissions by the name of the job, with the id that was acknowledged.
    submissions: BTreeMap<String, Option<JobId>>,
    ended: u64,
    failed: u64,
    /// Jobs whose end did not come in time.
    late: Vec<JobId>,
    wrong: Complaints,
}

impl Jobs {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self, what: &'static str, complaint: String) {
        self.book().wrong.add(what, complaint);
    }

    /// Adds it to the figures.
    pub fn add_up(&self, tally: &mut Tally) {
        let mut book = self.book();
        let acknowledged = book.submissions.values().flatten().count() as u64;
        tally.figure("tree", "submissions", book.submissions.len() as u64);
        tally.figure("tree", "submissions acknowledged", acknowledged);
        tally.figure("tree", "jobs whose end was waited for", book.ended);
        tally.figure("tree", "jobs that have lost a node", book.failed);
        let kinds = [
            "job requests that failed on untouched branches",
            "job requests that hung",
            "jobs with a wrong end",
            "jobs whose tasks did not run once",
            "jobs lost or doubled",
        ];
        book.wrong.add_up(kinds, tally);
    }
}

/// Runs one job after the other until everything has ended.
pub fn submit(fire: &Fire, rank: u32) {
    let mut n = 0;
    while !fire.is_resting() {
        let Some(mut handle) = fire.hosts.open(rank) else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let mut used = Instant::now();
        let mut is_of_use = true;
        while is_of_use && !fire.is_resting() {
            n += 1;
            let began = Instant::now();
            if let Err(failure) = run(fire, &mut handle, rank, n) {
                is_of_use = is_on_the_way(&failure.refusal);
                // The loss of the own broker is found by the next request.
                let since = if is_of_use { began } else { used };
                complain(fire, rank, since, &failure);
            }
            used = Instant::now();
            std::thread::sleep(PAUSE);
        }
    }
}

/// A request of a program that was refused.
struct Failure {
    /// Request, with its job.
    what: String,
    refusal: Refusal,
}

/// Submits a job and waits for its end.
fn run(fire: &Fire, handle: &mut Handle, rank: u32, n: u32) -> Result<(), Failure> {
    let name = format!("tree-{rank}-{n}");
    let failed = |what: String| move |refusal| Failure { what, refusal };
    fire.jobs.book().submissions.insert(name.clone(), None);
    let nodes = 1 + (rank + n) % NODES_MAX;
    let spec = jobspec(&name, nodes, &fire.hosts.marks()).to_string();
    let submit = job_ingest::Submit {
        j: sign::wrap_none(rustix::process::getuid().as_raw(), spec.as_bytes()),
        urgency: 16,
        flags: 0,
    };
    let began = Instant::now();
    let answer = call(handle, Call::new(&submit)).map_err(failed(format!("submit {name}")))?;
    let id = answer.id;
    fire.jobs.book().submissions.insert(name.clone(), Some(id));
    let request = job_list::ListId {
        id: Some(json!(id)),
        attrs: Some(json!(ATTRS)),
        state: Some(json!(State::Inactive.bit())),
    };
    let job = match call(handle, Call::new(&request)) {
        Ok(listed) => listed.job,
        Err(refusal) => {
            if refusal.errno == Errno::ETIMEDOUT {
                fire.jobs.book().late.push(id);
            }
            return Err(failed(format!("end of {name}, {id}"))(refusal));
        }
    };
    let job = json!(job);
    if let Some(complaint) = what_is_wrong(&job, |ranks| {
        fire.branches.were_touched(ranks, began, Instant::now())
    }) {
        let complaint = format!("{name}, {id}: {complaint}: {job}");
        fire.jobs.wrong("jobs with a wrong end", complaint);
    }
    fire.jobs.book().ended += 1;
    Ok(())
}

fn complain(fire: &Fire, rank: u32, began: Instant, failure: &Failure) {
    let Failure { what, refusal } = failure;
    let after = began.elapsed();
    let complaint = format!("rank {rank}, {what}, after {after:?}: {refusal}");
    if refusal.errno == Errno::ETIMEDOUT {
        let touched = fire.branches.history(began);
        let complaint = format!("{complaint}; touched: {touched}");
        fire.jobs.wrong("job requests that hung", complaint);
    } else if !is_excused(fire, rank, 0, began, Instant::now()) {
        let what = "job requests that failed on untouched branches";
        fire.jobs.wrong(what, complaint);
    }
}

/// Waits until all jobs have ended, and checks them.
pub fn verify(fire: &Fire, handle: &mut Handle) -> Result<()> {
    if let Err(refusal) = call(handle, Call::new(&job_manager::Drain)) {
        bail!("job-manager.drain: {refusal}: {}", active(handle));
    }
    let late = std::mem::take(&mut fire.jobs.book().late);
    for id in late {
        eprintln!("{id} was late: {}", logs_of(handle, id));
    }
    let request = job_list::List {
        max_entries: Some(json!(0)),
        attrs: Some(json!([&["name", "state"][..], &ATTRS[..]].concat())),
        ..job_list::List::default()
    };
    let listed = call(handle, Call::new(&request)).context("job-list.list")?;
    let mut ids: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for job in listed.jobs {
        let job = json!(job);
        let name = job["name"].as_str().unwrap_or_default().to_owned();
        look_at(fire, &name, &job);
        let id = job["id"].as_u64().unwrap_or_default();
        ids.entry(name).or_default().push(id);
    }
    let submissions = fire.jobs.book().submissions.clone();
    for (name, acknowledged) in submissions {
        let found = ids.remove(&name).unwrap_or_default();
        let is_there = acknowledged.is_none_or(|id| found == [id.get()]);
        if found.len() > 1 || !is_there {
            let complaint =
                format!("{name}: {acknowledged:?} was acknowledged, {found:?} is there");
            fire.jobs.wrong("jobs lost or doubled", complaint);
        }
    }
    for (name, found) in ids {
        let complaint = format!("nobody has submitted {name}: {found:?}");
        fire.jobs.wrong("jobs lost or doubled", complaint);
    }
    Ok(())
}

/// Looks at a job in the end: its result, and the files of its tasks.
fn look_at(fire: &Fire, name: &str, job: &Value) {
    // When its nodes were touched is not known any more.
    if let Some(complaint) = what_is_wrong(job, |_| true) {
        let complaint = format!("{name}: {complaint}: {job}");
        fire.jobs.wrong("jobs with a wrong end", complaint);
    }
    fire.jobs.book().failed += u64::from(job["success"] != json!(true));
    let marks = std::fs::read_to_string(fire.hosts.marks().join(name)).unwrap_or_default();
    if let Some(complaint) = what_ran_wrong(job, &marks) {
        let complaint = format!("{name}: {complaint}: {job}");
        let what = "jobs whose tasks did not run once";
        fire.jobs.wrong(what, complaint);
    }
}

/// A task a node leaves its number in a file and takes some time.
fn jobspec(name: &str, nodes: u32, marks: &Path) -> Value {
    let core = json!({"type": "core", "count": 1});
    let slot = json!({"type": "slot", "count": 1, "label": "task", "with": [core]});
    let script = format!(
        "echo $FLUX_TASK_RANK >>{}/{name}; sleep 0.1",
        marks.display()
    );
    json!({
        "version": 1,
        "resources": [{"type": "node", "count": nodes, "with": [slot]}],
        "tasks": [{"command": ["sh", "-c", script], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {
            "duration": 0,
            "job": {"name": name},
            "environment": {"PATH": "/usr/bin:/bin"},
        }},
    })
}
