//! Private mode: data that a guest receives of jobs that are not its own.

use super::*;

const DIR: &str = r#"{"val":{"ver":1,"type":"dir","data":{}}}"#;
const OTHERS: &str = r#"1.0 submit {"userid":200,"urgency":16,"flags":0,"version":1}"#;

/// Job 1 of the owner is inactive, job 2 of user 200 and job 3 of the owner are new.
fn private(conf: &str) -> List_ {
    let mut probe = start(&format!(r#"{{"access":{{"private-mode":true}}{conf}}}"#));
    journal(&mut probe, 1, &RAN, "");
    journal(&mut probe, 2, &[OTHERS, "1.1 validate"], "");
    journal(&mut probe, 3, &[SUBMIT, "1.1 validate"], "");
    sentinel(&mut probe);
    probe.said();
    probe
}

/// Responses to user 200.
fn ask(probe: &mut List_, topic: &str, json: &str) -> Vec<String> {
    probe.request_as(topic, json, 200, Role::USER, 0);
    probe.said()
}

#[test]
fn guests_see_their_own_jobs_only() {
    let mut probe = private("");
    let own = r#"response job-list.list #1 {"jobs":[{"id":2}]}"#;
    let all = r#"{"max_entries":0,"attrs":[]}"#;
    assert_eq!(ask(&mut probe, "job-list.list", all), [own]);
}

#[test]
fn the_budget_of_a_search_does_not_tell_of_jobs_that_are_not_shown() {
    let mut probe = private(r#","job-list":{"max_comparisons":2}"#);
    let own = r#"response job-list.list #1 {"jobs":[{"id":2}]}"#;
    let one = r#"{"max_entries":0,"attrs":[],"constraint":{"userid":[200]}}"#;
    assert_eq!(ask(&mut probe, "job-list.list", one), [own]);
}

#[test]
fn counts_are_the_owners() {
    let mut probe = private("");
    for (n, method) in ["job-stats", "stats-get"].iter().enumerate() {
        let refused = format!("response job-list.{method} #{} EPERM", n + 1);
        let answer = ask(&mut probe, &format!("job-list.{method}"), "");
        assert_eq!(answer, [refused]);
    }
}

/// A guest asks for a job, and the KVS has it or not: the guest cannot tell which.
fn check_not_there(id: u64, state: &str, in_kvs: bool) {
    let mut probe = private("");
    let json = format!(r#"{{"id":{id},"attrs":[]{state}}}"#);
    let said = ask(&mut probe, "job-list.list-id", &json);
    assert!(said[0].starts_with("request kvs.lookup #2"), "{said:?}");
    let found = if in_kvs {
        Ok(DIR)
    } else {
        Err(Refusal::bare(Errno::ENOENT))
    };
    probe.answer("kvs.lookup", 2, found);
    assert_eq!(probe.said(), ["response job-list.list-id #1 ENOENT"]);
}

#[test]
fn a_job_of_another_is_looked_for_as_one_that_is_not_there() {
    check_not_there(9, "", false);
    for id in [1, 3] {
        for state in ["", r#","state":2"#, r#","state":64"#] {
            check_not_there(id, state, true);
        }
    }
}

#[test]
fn the_owner_sees_all() {
    let mut probe = private("");
    probe.request("job-list.list-id", r#"{"id":2,"attrs":[]}"#);
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":2}}"#]);
}
