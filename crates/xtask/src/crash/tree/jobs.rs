//! Programs on every rank that run jobs, which run on rank 0. What was acknowledged is one
//! inactive job in the end, and no submission has become two.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use client::{Call, Handle};
use proto::data::job::State;
use proto::data::{JobId, sign};
use proto::{Errno, Refusal, job_ingest, job_list, job_manager};
use serde_json::{Value, json};

use super::Fire;
use super::complaints::Complaints;
use super::ping::{call, is_excused, is_on_the_way};
use crate::crash::Tally;

/// Between two jobs of a program.
const PAUSE: Duration = Duration::from_millis(200);

/// What everybody was told.
#[derive(Default)]
pub struct Jobs(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// Submissions by the name of the job, with the id that was acknowledged.
    submissions: BTreeMap<String, Option<JobId>>,
    ended: u64,
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
        let kinds = [
            "job requests that failed on untouched branches",
            "job requests that hung",
            "jobs with a wrong end",
            "jobs lost or doubled",
        ];
        book.wrong.add_up(kinds, tally);
    }
}

/// Runs one job after the other until all is over.
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
            if let Err(refusal) = run(fire, &mut handle, &format!("tree-{rank}-{n}")) {
                is_of_use = is_on_the_way(&refusal);
                // That the own broker is gone is found out by the next request.
                let since = if is_of_use { began } else { used };
                complain(fire, rank, since, &refusal);
            }
            used = Instant::now();
            std::thread::sleep(PAUSE);
        }
    }
}

/// Submits a job and waits for its end.
fn run(fire: &Fire, handle: &mut Handle, name: &str) -> Result<(), Refusal> {
    fire.jobs.book().submissions.insert(name.to_owned(), None);
    let spec = jobspec(name).to_string();
    let submit = job_ingest::Submit {
        j: sign::wrap_none(rustix::process::getuid().as_raw(), spec.as_bytes()),
        urgency: 16,
        flags: 0,
    };
    let id = call(handle, Call::new(&submit))?.id;
    fire.jobs
        .book()
        .submissions
        .insert(name.to_owned(), Some(id));
    let request = job_list::ListId {
        id: Some(json!(id)),
        attrs: Some(json!(["success"])),
        state: Some(json!(State::Inactive.bit())),
    };
    let job = call(handle, Call::new(&request))?.job;
    if json!(job)["success"] != json!(true) {
        fire.jobs
            .wrong("jobs with a wrong end", format!("{name}: {job:?}"));
    }
    fire.jobs.book().ended += 1;
    Ok(())
}

fn complain(fire: &Fire, rank: u32, began: Instant, refusal: &Refusal) {
    let complaint = format!("rank {rank}: {refusal}");
    if refusal.errno == Errno::ETIMEDOUT {
        fire.jobs.wrong("job requests that hung", complaint);
    } else if !is_excused(fire, rank, 0, began, Instant::now()) {
        let what = "job requests that failed on untouched branches";
        fire.jobs.wrong(what, complaint);
    }
}

/// Waits until all jobs are over, and looks at them.
pub fn verify(fire: &Fire, handle: &mut Handle) -> Result<()> {
    call(handle, Call::new(&job_manager::Drain)).context("job-manager.drain")?;
    let request = job_list::List {
        max_entries: Some(json!(0)),
        attrs: Some(json!(["name", "state"])),
        ..job_list::List::default()
    };
    let listed = call(handle, Call::new(&request)).context("job-list.list")?;
    let mut ids: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for job in listed.jobs {
        let job = json!(job);
        let name = job["name"].as_str().unwrap_or_default().to_owned();
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

fn jobspec(name: &str) -> Value {
    let core = json!({"type": "core", "count": 1});
    json!({
        "version": 1,
        "resources": [{"type": "slot", "count": 1, "label": "task", "with": [core]}],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {
            "duration": 0,
            "job": {"name": name},
            "environment": {"PATH": "/usr/bin:/bin"},
        }},
    })
}
