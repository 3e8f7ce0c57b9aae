//! Submitters that speak for themselves: a job is submitted by a raw call, waited for in
//! one of several ways, and the answers are compared with the effects of the task.

use std::time::Duration;

use client::{Call, Handle};
use proto::data::job::{State, SubmitFlags};
use proto::data::{JobId, sign};
use proto::{Delivery, Errno, Method, Refusal, job_info, job_ingest, job_list, job_manager};
use serde_json::{Value, json};

use super::Fire;
use super::task::Task;

/// A call that takes longer than this counts as never answered.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// Submits jobs and waits for them until it is stopped.
pub fn submit(fire: &Fire, first: u64) {
    let Ok(mut handle) = fire.site.open() else {
        return;
    };
    let mut turn = first;
    while !fire.ledger.is_stopped() {
        turn += 1;
        let task = fire.ledger.begin();
        let Some(id) = submit_one(fire, &mut handle, task) else {
            continue;
        };
        let is_over = match turn % 4 {
            0 => wait(fire, &mut handle, task, id),
            1 => list_id(fire, &mut handle, task, id),
            2 => watch_to_the_end(fire, &mut handle, id),
            // Nobody waits for this one.
            _ => Ok(()),
        };
        if let Err(refusal) = is_over {
            fire.ledger.failed("waiting", &format!("{id}: {refusal}"));
        }
    }
}

fn submit_one(fire: &Fire, handle: &mut Handle, task: Task) -> Option<JobId> {
    let spec = jobspec(fire, task).to_string();
    let request = job_ingest::Submit {
        j: sign::wrap_none(rustix::process::getuid().as_raw(), spec.as_bytes()),
        urgency: 16,
        flags: i64::from(SubmitFlags::WAITABLE.0),
    };
    match call(handle, &request) {
        Ok(submitted) => {
            fire.ledger.acknowledged(task, submitted.id);
            fire.ledger.count("jobs submitted by call");
            Some(submitted.id)
        }
        Err(refusal) => {
            fire.ledger.refused(task);
            fire.ledger
                .failed(job_ingest::Submit::TOPIC, &refusal.to_string());
            None
        }
    }
}

/// One more job, for those who follow jobs.
pub fn submit_last(fire: &Fire, handle: &mut Handle) {
    let task = fire.ledger.begin();
    submit_one(fire, handle, task);
}

/// True if a service died with a request that it may have done or not.
pub fn is_ask_again(refusal: &Refusal) -> bool {
    refusal.errno == Errno::EHOSTUNREACH
}

fn call<M: Method>(handle: &mut Handle, request: &M) -> Result<M::Response, Refusal> {
    let deadline = Some(ANSWER_WAIT);
    handle.call(Call::new(request).delivery(Delivery::Wait { deadline }))
}

/// `job-manager.wait`: its answer may be lost with the job manager, and then it is asked
/// again.
fn wait(fire: &Fire, handle: &mut Handle, task: Task, id: JobId) -> Result<(), Refusal> {
    let waited = loop {
        match call(handle, &job_manager::Wait { id }) {
            Err(refusal) if is_ask_again(&refusal) && !fire.ledger.is_broker_killed() => {
                fire.ledger.count("waits told to ask again");
            }
            waited => break waited?,
        }
    };
    let expect = task.code() == 0;
    if waited.success != expect && !fire.ledger.is_broker_killed() {
        let complaint = format!("{id}: job-manager.wait says {waited:?}");
        fire.ledger.wrong("jobs with a wrong end", complaint);
    }
    fire.ledger.count("jobs waited for");
    Ok(())
}

/// `job-list.list-id`, answered when the job is inactive.
fn list_id(fire: &Fire, handle: &mut Handle, task: Task, id: JobId) -> Result<(), Refusal> {
    let request = job_list::ListId {
        id: Some(json!(id)),
        attrs: Some(json!(["state", "waitstatus"])),
        state: Some(json!(State::Inactive.bit())),
    };
    let job = Value::Object(call(handle, &request)?.job.0);
    let expect = json!(task.code() << 8);
    if job["state"] != json!(State::Inactive.bit()) || job["waitstatus"] != expect {
        let complaint = format!("{id}: job-list.list-id says {job} and not {expect}");
        fire.ledger.wrong("jobs with a wrong end", complaint);
    }
    fire.ledger.count("jobs waited for");
    Ok(())
}

/// `job-info.eventlog-watch`, followed until the job is clean.
fn watch_to_the_end(fire: &Fire, handle: &mut Handle, id: JobId) -> Result<(), Refusal> {
    let request = job_info::EventlogWatch {
        id,
        path: "eventlog".to_owned(),
        flags: job_info::WAITCREATE,
    };
    let mut is_clean = false;
    for watched in handle.stream(Call::new(&request).repeating()) {
        let event = watched?.event.unwrap_or_default();
        is_clean |= event.contains("\"name\":\"clean\"");
    }
    if !is_clean {
        let complaint = format!("{id}: its log ended before the job did");
        fire.ledger
            .wrong("streams with gaps or doublets", complaint);
    }
    fire.ledger.count("jobs waited for");
    Ok(())
}

fn jobspec(fire: &Fire, task: Task) -> Value {
    let core = json!({"type": "core", "count": 1});
    json!({
        "version": 1,
        "resources": [{"type": "slot", "count": 1, "label": "task", "with": [core]}],
        "tasks": [{
            "command": fire.script.command(task),
            "slot": "task",
            "count": {"per_slot": 1},
        }],
        "attributes": {"system": {
            "duration": 0,
            "job": {"name": task.name()},
            "environment": {"PATH": "/usr/bin:/bin"},
        }},
    })
}
