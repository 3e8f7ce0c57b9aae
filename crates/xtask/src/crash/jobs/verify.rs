//! Expected state of every job: it exists once, it ran once, its log is whole, it ended
//! as its task does, and its output is that of the task.
//!
//! One thing is allowed: a job that runs while the broker is killed is killed with it,
//! and ends with an exception when the next broker is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use client::{Call, Handle};
use proto::data::eventlog::decode_log;
use proto::data::job::State;
use proto::data::stdio::StdioEvent;
use proto::data::{Entry, JobId};
use proto::kvs::{Lookup, PRIMARY};
use proto::{Delivery, job_list};
use serde_json::json;

use super::Fire;
use super::ledger::Followed;
use super::task::{Marks, Task};

/// A job that takes longer to end is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Events that may follow each event; an exception may come anywhere before `clean`.
const NEXT: &[(&str, &[&str])] = &[
    ("", &["submit"]),
    ("submit", &["validate"]),
    ("validate", &["depend"]),
    ("depend", &["priority"]),
    ("priority", &["alloc", "flux-restart"]),
    ("flux-restart", &["priority"]),
    ("alloc", &["start"]),
    ("start", &["finish"]),
    ("finish", &["release"]),
    ("exception", &["start", "finish", "release"]),
    ("release", &["free"]),
    ("free", &["clean"]),
    ("clean", &[]),
];

/// Waits until all jobs have ended.
pub fn wait_for_all(fire: &Fire) -> Result<()> {
    let mut handle = fire.site.open()?;
    let jobs = Listed::new(&mut handle)?;
    for (name, ids) in &jobs.by_name {
        for id in ids {
            if !jobs.inactive.contains(id) && !is_over(&mut handle, *id) {
                let names = names_of(&log_of(&mut handle, *id, "eventlog").1);
                let complaint = format!("{id} of {name}: {names}");
                fire.ledger.wrong("jobs stuck", complaint);
            }
        }
    }
    Ok(())
}

/// Checks the jobs that have ended and were not checked yet.
pub fn settle(fire: &Fire) -> Result<()> {
    let mut handle = fire.site.open()?;
    let jobs = Listed::new(&mut handle)?;
    let marks = fire.script.marks()?;
    for (n, entry) in fire.ledger.entries() {
        if entry.is_settled {
            continue;
        }
        let task = Task(n);
        let ids = jobs.by_name.get(&task.name()).cloned().unwrap_or_default();
        if ids.len() > 1 {
            let complaint = format!("{}: {ids:?}", task.name());
            fire.ledger
                .wrong("submissions that made two jobs", complaint);
        }
        if let Some(id) = entry.id.filter(|id| !ids.contains(id)) {
            let complaint = format!("{id} of {} is not listed", task.name());
            fire.ledger.wrong("jobs lost", complaint);
        }
        for id in ids.iter().filter(|id| jobs.inactive.contains(id)) {
            look_at(fire, &mut handle, &marks, task, *id);
            fire.ledger.settled(task);
        }
        if entry.is_refused && !ids.is_empty() {
            fire.ledger.count("submissions refused whose job is there");
        }
    }
    Ok(())
}

/// Looks at the whole in the end: nothing is lost that was there once, and no task ran
/// without its job.
pub fn look_at_all(fire: &Fire) -> Result<()> {
    let jobs = Listed::new(&mut fire.site.open()?)?;
    let marks = fire.script.marks()?;
    for (n, entry) in fire.ledger.entries() {
        if let Some(id) = entry.id.filter(|id| !jobs.inactive.contains(id)) {
            let complaint = format!("{id} of {} is not there in the end", Task(n).name());
            fire.ledger.wrong("jobs lost", complaint);
        }
    }
    for task in marks.tasks() {
        if !jobs.by_name.contains_key(&task.name()) {
            let complaint = format!("{} ran, and there is no such job", task.name());
            fire.ledger.wrong("jobs lost", complaint);
        }
        if marks.of_task(task).0 > 1 {
            let complaint = format!("{}: {:?}", task.name(), marks.of_task(task));
            fire.ledger.wrong("jobs that ran twice", complaint);
        }
    }
    Ok(())
}

/// Looks at the allocations of the scheduler while there are no jobs. It may be told a
/// little later than others that the last one has ended.
pub fn look_at_resources(fire: &Fire, handle: &mut Handle) -> Result<()> {
    let end = Instant::now() + STUCK_AFTER;
    loop {
        let status = handle.rpc_json("sched.resource-status", &json!({}))?;
        let given = &status["allocated"]["execution"]["R_lite"];
        match given.as_array().is_none_or(Vec::is_empty) {
            true => return Ok(()),
            false if Instant::now() > end => {
                let complaint = format!("there are no jobs, and they have {given}");
                fire.ledger.wrong("resources lost", complaint);
                return Ok(());
            }
            false => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The jobs as job-list has them.
struct Listed {
    by_name: BTreeMap<String, Vec<JobId>>,
    inactive: BTreeSet<JobId>,
}

impl Listed {
    fn new(handle: &mut Handle) -> Result<Listed> {
        let request = job_list::List {
            max_entries: Some(json!(0)),
            attrs: Some(json!(["name", "state"])),
            ..job_list::List::default()
        };
        let mut listed = Listed {
            by_name: BTreeMap::new(),
            inactive: BTreeSet::new(),
        };
        for job in handle.rpc(&request).context("job-list.list")?.jobs {
            let job = json!(job);
            let id = JobId(job["id"].as_u64().context("a job without id")?);
            let name = job["name"].as_str().unwrap_or_default().to_owned();
            listed.by_name.entry(name).or_default().push(id);
            if job["state"] == json!(State::Inactive.bit()) {
                listed.inactive.insert(id);
            }
        }
        Ok(listed)
    }
}

fn is_over(handle: &mut Handle, id: JobId) -> bool {
    let request = job_list::ListId {
        id: Some(json!(id)),
        attrs: Some(json!(["state"])),
        state: Some(json!(State::Inactive.bit())),
    };
    let deadline = Some(STUCK_AFTER);
    let call = Call::new(&request).delivery(Delivery::Wait { deadline });
    handle.call(call).is_ok()
}

/// A log of a job, as text and in entries; empty when it is not there.
fn log_of(handle: &mut Handle, id: JobId, path: &str) -> (String, Vec<Entry>) {
    let found = handle.rpc(&Lookup::new(PRIMARY, &id.kvs_key(path), 0));
    let bytes = found
        .ok()
        .and_then(|found| found.bytes())
        .unwrap_or_default();
    let entries = decode_log(&bytes).unwrap_or_default();
    (String::from_utf8_lossy(&bytes).into_owned(), entries)
}

/// The log of a job that has ended. A follower of jobs receives an event before it is
/// stored.
fn whole_log(handle: &mut Handle, id: JobId) -> (String, Vec<Entry>) {
    let end = Instant::now() + STUCK_AFTER;
    loop {
        let (text, log) = log_of(handle, id, "eventlog");
        if log.last().is_some_and(|last| last.name() == "clean") || Instant::now() > end {
            return (text, log);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn names_of(entries: &[Entry]) -> String {
    entries
        .iter()
        .map(|entry| format!("{} ", entry.name()))
        .collect()
}

/// Checks one job that has ended.
fn look_at(fire: &Fire, handle: &mut Handle, marks: &Marks, task: Task, id: JobId) {
    let (text, log) = whole_log(handle, id);
    let names = names_of(&log);
    if !is_in_order(&names) || !names.ends_with("clean ") {
        fire.ledger
            .wrong("jobs with a wrong log", format!("{id}: {names}"));
    }
    let (begins, ends) = marks.of_task(task);
    let exception = log.iter().find(|entry| entry.name() == "exception");
    let Some(exception) = exception else {
        let finish = log.iter().find(|entry| entry.name() == "finish");
        let status = finish.and_then(|finish| finish.get_i64("status"));
        if status != Some(i64::from(task.code()) << 8) {
            let complaint = format!("{id}: {status:?}, and not {} << 8", task.code());
            fire.ledger.wrong("jobs with a wrong end", complaint);
        }
        if (begins, ends) != (1, 1) {
            let complaint = format!("{id} of {}: {begins} begins, {ends} ends", task.name());
            fire.ledger.wrong("jobs that did not run once", complaint);
        }
        fire.ledger.count("jobs that ended as they should");
        look_at_output(fire, handle, task, id, true);
        return look_at_told(fire, handle, id, &names, &text);
    };
    let submitted = log.first().map_or(0.0, Entry::timestamp);
    let note = exception.get_str("note").unwrap_or_default();
    let is_allowed = exception.get_str("type") == Some("exec")
        && fire
            .ledger
            .was_broker_killed(submitted, exception.timestamp());
    match is_allowed && begins <= 1 {
        true => fire.ledger.count("jobs that ended with the broker"),
        false => {
            let complaint = format!("{id}: {note}: {begins} begins, {ends} ends");
            fire.ledger.wrong("jobs with a wrong end", complaint);
        }
    }
    look_at_output(fire, handle, task, id, false);
    look_at_told(fire, handle, id, &names, &text);
}

/// True if the names of events are in a possible order.
fn is_in_order(names: &str) -> bool {
    let mut last = "";
    names.split_whitespace().all(|name| {
        let after = NEXT.iter().find(|(before, _)| *before == last);
        let fits = after.is_some_and(|(_, after)| after.contains(&name))
            || name == "exception" && !["", "free", "clean"].contains(&last);
        last = name;
        fits
    })
}

fn look_at_output(fire: &Fire, handle: &mut Handle, task: Task, id: JobId, is_whole: bool) {
    let (_, log) = log_of(handle, id, "guest.output");
    for (stream, expect) in [("stdout", task.stdout()), ("stderr", task.stderr())] {
        let mut bytes = Vec::new();
        for entry in &log {
            if let Ok(StdioEvent::Data(data)) = StdioEvent::from_entry(entry)
                && data.stream == stream
            {
                bytes.extend(data.bytes().unwrap_or_default());
            }
        }
        let is_right = match is_whole {
            true => bytes == expect.as_bytes(),
            false => expect.as_bytes().starts_with(&bytes),
        };
        if !is_right {
            let lens = (bytes.len(), expect.len());
            let complaint = format!("{id}: {stream} of {} is {lens:?} bytes", task.name());
            fire.ledger.wrong("jobs with wrong output", complaint);
        }
    }
}

/// Holds the events of a job in streams against the stored ones.
fn look_at_told(fire: &Fire, handle: &mut Handle, id: JobId, names: &str, text: &str) {
    let told = fire.ledger.told(id);
    let compare = |followed: &Followed, stored: &str| {
        let is_right = match followed.is_whole {
            true => followed.text == stored,
            false => stored.starts_with(&followed.text),
        };
        if !is_right {
            let (path, is_whole) = (followed.path, followed.is_whole);
            let told = &followed.text;
            let complaint = format!("{id} {path} (whole: {is_whole}): told {told}, is {stored}");
            fire.ledger
                .wrong("streams with gaps or doublets", complaint);
        }
    };
    for followed in &told.logs {
        let stored = match followed.path {
            "eventlog" => text.to_owned(),
            path => log_of(handle, id, path).0,
        };
        compare(followed, &stored);
    }
    for followed in &told.journal {
        // The journal tells events before they are stored: those of a job manager that
        // was killed may not have come to be.
        match is_in_order(&followed.text) && !followed.is_whole {
            true if names.starts_with(&followed.text) => {}
            true => fire
                .ledger
                .count("jobs of which the journal told too early"),
            false => compare(followed, names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_and_a_doublet_show_in_the_order_of_events() {
        for (names, expect) in [
            ("", true),
            ("submit validate depend priority alloc", true),
            (
                "submit validate depend priority flux-restart priority",
                true,
            ),
            (
                "submit validate depend priority alloc start exception finish release free clean",
                true,
            ),
            ("submit validate priority", false),
            ("validate depend", false),
            ("submit submit", false),
            (
                "submit validate depend priority alloc start finish finish",
                false,
            ),
            (
                "submit validate depend priority alloc start finish release free clean clean",
                false,
            ),
        ] {
            assert_eq!(is_in_order(names), expect, "{names}");
        }
    }
}
