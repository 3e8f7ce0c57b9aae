//! Tests of jobs in the two stages, under several configurations.

use node::probe::Probe;
use proto::data::sign::wrap_none;
use proto::kvs::{Commit, Dirent};
use proto::{Errno, Refusal};
use serde_json::{Value, json};

use crate::JobIngest;
use crate::tests::{JOBSPEC, STORED, lost, said, started_under};

/// Submits this jobspec as the owner.
fn submit(probe: &mut Probe<JobIngest>, jobspec: &str, flags: i64) {
    let j = wrap_none(100, jobspec.as_bytes());
    probe.request(
        "job-ingest.submit",
        &format!(r#"{{"J":"{j}","urgency":16,"flags":{flags}}}"#),
    );
}

/// Checks the response to the only submission under a configuration; `ok` if its job goes
/// to the KVS.
fn check(conf: Value, jobspec: &str, flags: i64, expect: &str) {
    let mut probe = started_under(&conf.to_string());
    submit(&mut probe, jobspec, flags);
    let said = said(&mut probe).remove(0);
    let said = match said.strip_prefix("response job-ingest.submit #1 ") {
        Some(refusal) => refusal,
        None if said.starts_with("request kvs.commit ") => "ok",
        None => &said,
    };
    assert_eq!(said, expect, "{conf}");
}

fn validator(plugins: &[&str]) -> Value {
    json!({"ingest": {"validator": {"plugins": plugins}}})
}

/// The system attributes of the first job of a commit.
fn stored(probe: &mut Probe<JobIngest>) -> Value {
    probe.settle();
    let line = probe.said().remove(0);
    let json = line.split_once('{').unwrap().1;
    let commit: Commit = serde_json::from_str(&format!("{{{json}")).unwrap();
    let is_jobspec = |key: &str| key.ends_with(".jobspec");
    let op = commit.ops.iter().find(|op| is_jobspec(&op.key)).unwrap();
    let Some(Dirent::Tree(proto::data::Tree::Val(text))) = &op.dirent else {
        panic!("{op:?}");
    };
    let jobspec: Value = serde_json::from_slice(text).unwrap();
    jobspec["attributes"]["system"].clone()
}

#[test]
fn broken_rules_of_the_jobspec_are_errno_1() {
    check(json!({}), JOBSPEC, 0, "ok");
    check(json!({}), "{}", 0, r#"EPERM "Missing key (resources)""#);
    check(json!({}), "{}", 8, "ok");
    let off = json!({"ingest": {"validator": {"disable": true}}});
    check(off, "{}", 0, "ok");
    let environment = JOBSPEC.replace(r#"{"A":"b"}"#, r#"["A=b"]"#);
    let text = r#"EPERM "attributes.system.environment must be a mapping""#;
    check(json!({}), &environment, 0, text);
}

#[test]
fn a_plugin_that_is_not_there_refuses_all_jobs_that_would_pass_it() {
    let text = r#"EPROTO "Unrecoverable error: worker unexpectedly exited""#;
    check(validator(&["jobspec", "x"]), JOBSPEC, 0, text);
    check(validator(&["x"]), JOBSPEC, 8, "ok");
    let frobnicator = json!({"ingest": {"frobnicator": {"plugins": ["x"]}}});
    check(frobnicator, JOBSPEC, 8, text);
}

#[test]
fn a_job_gets_what_its_queue_has_before_it_is_checked() {
    let conf = json!({
        "policy": {"jobspec": {"defaults": {"system": {"duration": "1h", "queue": "a"}}}},
        "queues": {"a": {"requires": ["x"]}}
    });
    let mut probe = started_under(&conf.to_string());
    submit(&mut probe, JOBSPEC, 0);
    let expect = json!({"duration": 3600, "queue": "a", "constraints": {"properties": ["x"]}});
    assert_eq!(stored(&mut probe), expect);
    let elsewhere = JOBSPEC.replace(r#""duration":0"#, r#""duration":0,"queue":"b""#);
    let text = r#"EPERM "Invalid queue 'b' specified""#;
    check(conf.clone(), &elsewhere, 8, text);
    let no_default = json!({"queues": {"a": {}}});
    check(no_default, JOBSPEC, 0, r#"EPERM "no queue specified""#);
}

#[test]
fn the_scheduler_is_asked_whether_a_job_can_run() {
    let conf = validator(&["jobspec", "feasibility"]).to_string();
    let answered = |answer: Result<&str, Refusal>| {
        let mut probe = started_under(&conf);
        submit(&mut probe, JOBSPEC, 0);
        probe.settle();
        let asked = probe.said().remove(0);
        assert!(asked.starts_with(r#"request feasibility.check #4 {"jobspec":{"#));
        assert!(!asked.contains("environment"), "{asked}");
        probe.answer("feasibility.check", 4, answer);
        said(&mut probe)
    };
    let commit = "request kvs.commit #5 1 jobs";
    assert_eq!(answered(Ok("{}")), [commit]);
    assert_eq!(answered(Err(Refusal::bare(Errno::ENOSYS))), [commit]);
    assert_eq!(
        answered(Err(lost())),
        ["request feasibility.check #5 0 jobs"]
    );
    let never = Refusal::new(Errno::EOVERFLOW, "unsatisfiable request");
    let refused = r#"response job-ingest.submit #1 EOVERFLOW "unsatisfiable request""#;
    assert_eq!(answered(Err(never)), [refused]);
    check(validator(&["feasibility"]), "{}", 8, "ok");
}

#[test]
fn a_job_that_is_being_checked_is_not_lost_by_the_end() {
    let mut probe = started_under(&validator(&["feasibility"]).to_string());
    submit(&mut probe, JOBSPEC, 0);
    said(&mut probe);
    probe.request("job-ingest.shutdown", "");
    said(&mut probe);
    assert!(!probe.actor.cx.is_ending());
    probe.answer("feasibility.check", 4, Ok("{}"));
    assert_eq!(said(&mut probe), ["request kvs.commit #5 1 jobs"]);
}

#[test]
fn jobspecs_find_room_in_the_buffer_or_are_refused() {
    let length = JOBSPEC.len();
    let conf = |bytes: usize, plugins: &[&str]| {
        let validator = json!({"plugins": plugins});
        json!({"ingest": {"buffer-size": bytes.to_string(), "validator": validator}})
    };
    check(conf(length, &["jobspec"]), JOBSPEC, 0, "ok");
    let bytes = length - 1;
    let text = format!(r#"ENOSPC "jobspec is longer than ingest.buffer-size, {bytes} bytes""#);
    check(conf(bytes, &["jobspec"]), JOBSPEC, 0, &text);
    let mut probe = started_under(&conf(length, &["feasibility"]).to_string());
    submit(&mut probe, JOBSPEC, 0);
    said(&mut probe);
    submit(&mut probe, JOBSPEC, 0);
    let busy = r#"response job-ingest.submit #2 EAGAIN "too many jobs are being submitted""#;
    assert_eq!(said(&mut probe), [busy]);
    probe.answer("feasibility.check", 4, Ok("{}"));
    said(&mut probe);
    submit(&mut probe, JOBSPEC, 0);
    assert_eq!(said(&mut probe), ["request feasibility.check #6 0 jobs"]);
}

#[test]
fn a_commit_has_as_many_jobs_as_are_configured() {
    let mut probe = started_under(r#"{"ingest":{"batch-count":2}}"#);
    for _ in 0..3 {
        submit(&mut probe, JOBSPEC, 0);
    }
    assert_eq!(said(&mut probe), ["request kvs.commit #4 2 jobs"]);
    probe.answer("kvs.commit", 4, Ok(STORED));
    let said = said(&mut probe);
    assert_eq!(said[1], "request kvs.commit #6 1 jobs", "{said:?}");
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let mut probe = started_under("{}");
    let mut reload = |conf: &str| {
        probe.request("job-ingest.config-reload", conf);
        probe.settle();
        let said = probe.said().remove(0);
        submit(&mut probe, "{}", 0);
        (said, probe.said().remove(0))
    };
    let missing = r#"EPERM "Missing key (resources)""#;
    let (said, told) = reload(r#"{"queues":1}"#);
    let text = r#"EINVAL "error parsing [queues] config table: not a table""#;
    assert!(said.ends_with(text), "{said}");
    assert!(told.ends_with(missing), "{told}");
    let (_, told) = reload(r#"{"queues":{"a":{}}}"#);
    let text = r#"EPERM "invalid jobspec: attributes must be a mapping""#;
    assert!(told.ends_with(text), "{told}");
}

#[test]
fn jobs_are_counted_by_stage() {
    let plugins = ["jobspec", "feasibility"];
    let mut conf = validator(&plugins);
    conf["queues"] = json!({"a": {}});
    let mut probe = started_under(&conf.to_string());
    submit(&mut probe, JOBSPEC, 0);
    let queued = JOBSPEC.replace(r#""duration":0"#, r#""duration":0,"queue":"a""#);
    submit(&mut probe, &queued, 0);
    said(&mut probe);
    submit(&mut probe, &queued, 8);
    probe.answer("feasibility.check", 4, Err(Refusal::bare(Errno::EOVERFLOW)));
    submit(&mut probe, &queued, 0);
    said(&mut probe);
    probe.request("job-ingest.stats-get", "");
    let line = probe.said().remove(0);
    let stats: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
    let stage = |requests: u64, errors: u64, backlog: u64| {
        json!({"running": 0, "requests": requests, "errors": errors, "trash": 0,
            "backlog": backlog, "pids": [0, 0, 0, 0]})
    };
    let expect = json!({"pipeline": {
        "frobnicator": stage(4, 1, 0), "validator": stage(1, 1, 1)}});
    assert_eq!(stats, expect);
}
