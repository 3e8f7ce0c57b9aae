//! Where instances are, as the command finds out.

use client::Refusal;
use proto::Errno;
use serde_json::{Value, json};

use super::{answering, check, run};

/// An instance below another one, with a job of which job-list says this.
fn instance(job: Value) -> impl FnMut(&str, Value) -> Result<Value, Refusal> {
    move |topic, object| match (topic, object["name"].as_str()) {
        ("attr.get", Some("local-uri")) => Ok(json!({"value": "local:///run/in", "flags": 1})),
        ("attr.get", Some("parent-uri")) => Ok(json!({"value": "local:///run/out", "flags": 1})),
        ("job-list.list-id", _) if object["id"] == 1 => Ok(json!({ "job": job })),
        ("job-list.list-id", _) => Err(Refusal::bare(Errno::ENOENT)),
        (topic, _) => panic!("{topic}"),
    }
}

/// Job-list's numbers of two states.
const RUN: u32 = 16;
const INACTIVE: u32 = 64;

#[test]
fn an_instance_is_found_by_its_job_or_its_place() {
    let uri = json!({"user": {"uri": "ssh://h/run//x/local-0"}});
    let job = json!({"id": 1, "state": RUN, "annotations": uri});
    for (target, expect) in [
        ("ƒ2", "ssh://h/run//x/local-0\n"),
        ("jobid:ƒ2", "ssh://h/run//x/local-0\n"),
        ("ƒ2?local", "local:///run/x/local-0\n"),
        ("--local 1", "local:///run/x/local-0\n"),
        (".", "local:///run/in\n"),
        ("..", "local:///run/out\n"),
    ] {
        let line = format!("uri {target}");
        check(&line, answering(instance(job.clone())), expect);
    }
}

#[test]
fn a_job_that_is_nowhere_says_why() {
    let refused = |line: &str, job: Value, text: &str| {
        let expect = format!("-- stderr\nflux-uri: ERROR: {text}\n-- code 1\n");
        check(line, answering(instance(job)), &expect);
    };
    let inactive = json!({"id": 1, "state": INACTIVE});
    refused("uri ƒ2", inactive, "jobid ƒ2 is not running");
    let plain = json!({"id": 1, "state": RUN});
    refused("uri 1", plain.clone(), "URI not found for job 1");
    refused("uri 3", plain.clone(), "jobid 3 not found");
    refused("uri zz!", plain.clone(), "zz! is not a valid Flux jobid");
    refused("uri foo:1", plain.clone(), "No plugin for URI scheme foo");
    let both = "Only one of 'local' or 'remote' is allowed";
    refused("uri 1?local&remote", plain, both);
}

#[test]
fn help_lists_what_can_be_resolved() {
    let help = run(&[], &["uri", "--help"], "");
    assert!(
        help.contains("Supported resolver schemes:\n  jobid "),
        "{help}"
    );
}
