//! The module through its front door: the journal and the KVS are played by the test.

use std::time::Duration;

use node::probe::Probe;
use proto::{Errno, Role};

use super::*;

mod again;
mod follow;
mod pages;
mod private;

type List_ = Probe<JobList>;

const JOBSPEC: &str = r#"{"resources":[{"type":"slot","count":1,"label":"task","with":[{"type":"core","count":1}]}],"tasks":[{"command":["/bin/sleep","1"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":60.0,"cwd":"/tmp"}},"version":1}"#;
const R: &str = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"3"}}],"nodelist":["fox0"],"starttime":1.0,"expiration":61.0}}"#;

/// `[TIME NAME CONTEXT]...`: events as JSON; an event without a context ends in its name.
fn events(list: &[&str]) -> String {
    let event = |text: &&str| {
        let mut words = text.splitn(3, ' ');
        let (time, name) = (words.next().unwrap(), words.next().unwrap());
        match words.next() {
            Some(context) => {
                format!(r#"{{"timestamp":{time},"name":"{name}","context":{context}}}"#)
            }
            None => format!(r#"{{"timestamp":{time},"name":"{name}"}}"#),
        }
    };
    list.iter().map(event).collect::<Vec<_>>().join(",")
}

/// A record of the journal.
fn journal(probe: &mut List_, id: i64, list: &[&str], more: &str) {
    let json = format!(r#"{{"id":{id},"events":[{}]{more}}}"#, events(list));
    let tag = 1;
    probe.answer_stream("job-manager.events-journal", tag, Ok(&json));
}

fn sentinel(probe: &mut List_) {
    journal(probe, -1, &[], "");
}

const SUBMIT: &str = r#"1.0 submit {"userid":100,"urgency":16,"flags":0,"version":1}"#;

/// All events of a job that ran, up to `clean`.
const RAN: [&str; 10] = [
    SUBMIT,
    "1.1 validate",
    "1.2 depend",
    r#"1.3 priority {"priority":16}"#,
    r#"1.4 alloc {"annotations":{"sched":{"resource_summary":"rank0/core3"}}}"#,
    "1.5 start",
    r#"2.5 finish {"status":0}"#,
    r#"2.6 release {"ranks":"all","final":true}"#,
    "2.7 free",
    "2.8 clean",
];

fn with_data() -> String {
    format!(r#","jobspec":{JOBSPEC},"R":{R}"#)
}

/// A module that has asked for the journal, which is request 1.
fn start(conf: &str) -> List_ {
    let mut probe = List_::start((), &[], conf).unwrap();
    assert_eq!(
        probe.said(),
        [r#"request job-manager.events-journal #1 {"full":true,"packed":true}"#]
    );
    probe
}

fn list(probe: &mut List_, attrs: &str, constraint: &str) -> Vec<String> {
    let json = format!(r#"{{"max_entries":0,"attrs":[{attrs}],"constraint":{constraint}}}"#);
    probe.request("job-list.list", &json);
    payloads(probe)
}

fn payloads(probe: &mut List_) -> Vec<String> {
    let lines = probe.said();
    let payload = |line: &String| line.splitn(4, ' ').nth(3).unwrap_or("").to_owned();
    lines.iter().map(payload).collect()
}

#[test]
fn requests_wait_for_the_sentinel_and_are_answered_in_order() {
    let mut probe = start("{}");
    probe.request("job-list.list", r#"{"max_entries":0,"attrs":["state"]}"#);
    probe.request("job-list.stats-get", "");
    probe.request("job-list.job-state-pause", "");
    probe.request("job-list.job-stats", "");
    let said = probe.said();
    assert_eq!(said.len(), 1, "only job-stats answers: {said:?}");
    assert!(said[0].starts_with("response job-list.job-stats #4"));
    journal(&mut probe, 7, &RAN, &with_data());
    assert_eq!(probe.said(), [""; 0]);
    sentinel(&mut probe);
    let stats = r#"{"jobs":{"pending":0,"running":0,"inactive":1},"idsync":{"lookups":0,"waits":0},"stats_watchers":0}"#;
    assert_eq!(
        probe.said(),
        [
            r#"response job-list.list #1 {"jobs":[{"id":7,"state":64}]}"#.to_owned(),
            format!("response job-list.stats-get #2 {stats}"),
            "response job-list.job-state-pause #3".to_owned(),
        ]
    );
}

#[test]
fn all_attributes_of_a_job_that_ran_are_listed() {
    let mut probe = start("{}");
    journal(&mut probe, 7, &RAN, &with_data());
    sentinel(&mut probe);
    let times = r#""t_submit":1.0,"t_depend":1.1,"t_priority":1.2,"t_sched":1.3,"t_run":1.4,"t_cleanup":2.5,"t_inactive":2.8"#;
    let job = format!(
        r#"{{"id":7,"userid":100,"urgency":16,"priority":16,{times},"state":64,"name":"sleep","cwd":"/tmp","ntasks":1,"ncores":1,"duration":60.0,"nnodes":1,"ranks":"0","nodelist":"fox0","success":true,"exception_occurred":false,"result":1,"expiration":61.0,"waitstatus":0}}"#
    );
    assert_eq!(
        list(&mut probe, r#""all""#, "null"),
        [format!(r#"{{"jobs":[{job}]}}"#)]
    );
}

#[test]
fn history_and_live_events_give_the_same_job() {
    let story = [
        SUBMIT,
        r#"1.01 dependency-add {"description":"after:1"}"#,
        "1.1 validate",
        r#"1.15 dependency-remove {"description":"after:1"}"#,
        "1.2 depend",
        r#"1.3 priority {"priority":16}"#,
        r#"1.31 urgency {"userid":100,"urgency":20}"#,
        r#"1.32 priority {"priority":20}"#,
        r#"1.33 jobspec-update {"attributes.system.duration":99.0}"#,
        r#"1.34 priority {"priority":20}"#,
        "1.4 alloc",
        r#"1.6 memo {"a":{"b":1},"c":2}"#,
        r#"1.7 memo {"c":null}"#,
        r#"1.8 resource-update {"expiration":77.0}"#,
        r#"1.9 exception {"type":"warn","severity":2,"note":"hm"}"#,
        r#"2.0 exception {"type":"cancel","severity":0,"note":"enough"}"#,
        r#"2.5 finish {"status":9}"#,
        "2.8 clean",
    ];
    let mut history = start("{}");
    journal(&mut history, 7, &story, &with_data());
    sentinel(&mut history);
    let mut live = start("{}");
    sentinel(&mut live);
    for event in story {
        let more = match event.split(' ').nth(1) {
            Some("submit") => format!(r#","jobspec":{JOBSPEC}"#),
            Some("alloc") => format!(r#","R":{R}"#),
            _ => String::new(),
        };
        journal(&mut live, 7, &[event], &more);
    }
    let attrs = r#""urgency","priority","t_sched","t_cleanup","state","duration","success","exception_occurred","exception_type","exception_severity","exception_note","result","expiration","annotations","waitstatus","dependencies""#;
    let expect = r#"{"jobs":[{"id":7,"urgency":20,"priority":20,"t_sched":1.3,"t_cleanup":2.0,"state":64,"duration":99.0,"success":false,"exception_occurred":true,"exception_type":"cancel","exception_severity":0,"exception_note":"enough","result":4,"expiration":77.0,"annotations":{"user":{"a":{"b":1}}},"waitstatus":9,"dependencies":[]}]}"#;
    assert_eq!(list(&mut history, attrs, "null"), [expect]);
    assert_eq!(list(&mut live, attrs, "null"), [expect]);
    assert_eq!(
        list(&mut history, r#""all""#, "null"),
        list(&mut live, r#""all""#, "null")
    );
}

#[test]
fn a_job_thrown_back_has_no_priority_until_the_next() {
    let mut probe = start("{}");
    let list_ = &RAN[..4];
    journal(&mut probe, 7, list_, "");
    sentinel(&mut probe);
    let attrs = r#""priority","state""#;
    assert_eq!(
        list(&mut probe, attrs, "null"),
        [r#"{"jobs":[{"id":7,"priority":16,"state":8}]}"#]
    );
    journal(&mut probe, 7, &["3.0 flux-restart"], "");
    assert_eq!(
        list(&mut probe, attrs, "null"),
        [r#"{"jobs":[{"id":7,"state":4}]}"#]
    );
}

#[test]
fn annotations_are_replaced_and_cleared_by_live_events() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    journal(&mut probe, 7, &RAN[..4], "");
    let attrs = r#""annotations""#;
    let note = r#"3.0 annotations {"annotations":{"sched":{"t_estimate":5.0}}}"#;
    journal(&mut probe, 7, &[note], "");
    assert_eq!(
        list(&mut probe, attrs, "null"),
        [r#"{"jobs":[{"id":7,"annotations":{"sched":{"t_estimate":5.0}}}]}"#]
    );
    journal(
        &mut probe,
        7,
        &[r#"3.1 annotations {"annotations":null}"#],
        "",
    );
    assert_eq!(list(&mut probe, attrs, "null"), [r#"{"jobs":[{"id":7}]}"#]);
}

#[test]
fn a_stream_has_one_job_a_response_or_as_many_as_asked_for() {
    let mut probe = start("{}");
    for id in [1, 2, 3] {
        journal(&mut probe, id, &RAN, "");
    }
    sentinel(&mut probe);
    probe.stream("job-list.list", r#"{"max_entries":0,"attrs":[]}"#);
    assert_eq!(
        probe.said(),
        [
            r#"response job-list.list #1 {"jobs":[{"id":3}],"version":1}"#,
            r#"response job-list.list #1 {"jobs":[{"id":2}]}"#,
            r#"response job-list.list #1 {"jobs":[{"id":1}]}"#,
            "response job-list.list #1 ENODATA",
        ]
    );
    let request = r#"{"max_entries":0,"attrs":[],"chunk":2}"#;
    probe.stream("job-list.list", request);
    assert_eq!(
        probe.said(),
        [
            r#"response job-list.list #2 {"jobs":[{"id":3},{"id":2}],"version":1}"#,
            r#"response job-list.list #2 {"jobs":[{"id":1}]}"#,
            "response job-list.list #2 ENODATA",
        ]
    );
    let none = r#"{"max_entries":1,"attrs":["foo"],"constraint":{"userid":[1]}}"#;
    probe.stream("job-list.list", none);
    assert_eq!(probe.said(), ["response job-list.list #3 ENODATA"]);
    probe.stream("job-list.list", r#"{"max_entries":1,"attrs":["foo"]}"#);
    assert_eq!(
        probe.said(),
        [r#"response job-list.list #4 EINVAL "foo is not a valid attribute""#]
    );
}

#[test]
fn a_long_list_is_written_in_slices() {
    let mut probe = start("{}");
    for id in 1..=1_000 {
        journal(&mut probe, id, &RAN, "");
    }
    sentinel(&mut probe);
    probe.stream("job-list.list", r#"{"max_entries":0,"attrs":[]}"#);
    assert_eq!(probe.said().len(), limits::LIST_SLICE_JOBS);
    probe.pass(limits::NEXT_TURN);
    let said = probe.said();
    assert_eq!(said.len(), 1_001 - limits::LIST_SLICE_JOBS);
    assert_eq!(said.last().unwrap(), "response job-list.list #1 ENODATA");
}

#[test]
fn entries_and_since_end_a_list() {
    let mut probe = start("{}");
    for (id, clean) in [(1, "10.0 clean"), (2, "20.0 clean"), (3, "30.0 clean")] {
        let mut story = RAN;
        story[9] = clean;
        journal(&mut probe, id, &story, "");
    }
    journal(&mut probe, 4, &RAN[..4], "");
    sentinel(&mut probe);
    probe.request("job-list.list", r#"{"max_entries":2,"attrs":[]}"#);
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[{"id":4},{"id":3}]}"#]);
    let since = r#"{"max_entries":0,"attrs":[],"since":20.0}"#;
    probe.request("job-list.list", since);
    assert_eq!(payloads(&mut probe), [r#"{"jobs":[{"id":4},{"id":3}]}"#]);
}

#[test]
fn the_older_form_of_a_request_means_a_constraint() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN, "");
    journal(&mut probe, 2, &RAN[..4], "");
    sentinel(&mut probe);
    let mut check = |userid: i64, states: i64, results: i64, expect: &str| {
        let json = format!(
            r#"{{"max_entries":0,"attrs":[],"userid":{userid},"states":{states},"results":{results}}}"#
        );
        probe.request("job-list.list", &json);
        assert_eq!(payloads(&mut probe), [format!(r#"{{"jobs":[{expect}]}}"#)]);
    };
    check(100, 64, 0, r#"{"id":1}"#);
    check(4294967295, 0, 0, r#"{"id":2},{"id":1}"#);
    check(100, 0, 2, r#"{"id":2}"#);
    check(101, 0, 0, "");
}

#[test]
fn bad_requests_are_refused_with_their_sentence() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN, "");
    sentinel(&mut probe);
    let mut check = |topic: &str, json: &str, expect: &str| {
        probe.request(topic, json);
        let said = probe.said();
        assert!(said[0].ends_with(expect), "{json}: {said:?}");
    };
    let list = "job-list.list";
    let prefix = r#"EPROTO "invalid payload: "#;
    let mut bad = |json: &str, text: &str| check(list, json, &format!("{prefix}{text}\""));
    bad("{}", "Object item not found: max_entries");
    bad(r#"{"max_entries":1}"#, "Object item not found: attrs");
    bad(
        r#"{"max_entries":-1,"attrs":[]}"#,
        "max_entries < 0 not allowed",
    );
    bad(r#"{"max_entries":1,"attrs":7}"#, "attrs must be an array");
    let since = r#"{"max_entries":1,"attrs":[],"since":-1.0}"#;
    bad(since, "since < 0.0 not allowed");
    let constraint = r#"{"max_entries":1,"attrs":[],"constraint":{"foo":[]}}"#;
    bad(
        constraint,
        "constraint object invalid: unknown constraint operator: foo",
    );
    let not_text = r#"{"max_entries":1,"attrs":[7]}"#;
    check(list, not_text, r#"EINVAL "attr has no string value""#);
    let state = r#"{"id":1,"attrs":[],"state":1024}"#;
    check(
        "job-list.list-id",
        state,
        &format!("{prefix}invalid state specified\""),
    );
    check("job-list.list-inactive", "{}", "'job-list.list-inactive'\"");
}

#[test]
fn comparisons_are_limited() {
    let mut probe = start(r#"{"job-list":{"max_comparisons":2}}"#);
    for id in 1..=3 {
        journal(&mut probe, id, &RAN, "");
    }
    sentinel(&mut probe);
    let request = r#"{"max_entries":0,"attrs":[],"constraint":{"userid":[100]}}"#;
    probe.stream("job-list.list", request);
    let said = probe.said();
    assert_eq!(said.len(), 3, "two jobs stay valid: {said:?}");
    let text = r#"EINVAL "Excessive comparisons made, limit search via states or since""#;
    assert!(said[2].ends_with(text));
    let conf = r#"{"job-list":{"max_comparisons":-1}}"#;
    probe.request("job-list.config-reload", conf);
    let text = r#"EINVAL "job-list.max_comparisons must be >= 0""#;
    assert!(probe.said()[0].ends_with(text));
    let conf = r#"{"job-list":{"max_comparisons":0}}"#;
    probe.request("job-list.config-reload", conf);
    probe.said();
    probe.stream("job-list.list", request);
    assert_eq!(probe.said().len(), 4);
}

#[test]
fn list_id_waits_for_a_state_or_for_the_end() {
    let mut probe = start("{}");
    journal(&mut probe, 7, &RAN[..4], "");
    sentinel(&mut probe);
    let ask = |state: &str| format!(r#"{{"id":7,"attrs":["state"]{state}}}"#);
    probe.request("job-list.list-id", &ask(""));
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":8}}"#]);
    probe.request("job-list.list-id", &ask(r#","state":8"#));
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":8}}"#]);
    probe.request("job-list.list-id", &ask(r#","state":16"#));
    probe.request("job-list.list-id", &ask(r#","state":64"#));
    assert_eq!(probe.said(), [""; 0]);
    journal(&mut probe, 7, &[RAN[4]], "");
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":16}}"#]);
    journal(&mut probe, 7, &[RAN[6], RAN[9]], "");
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":64}}"#]);
    probe.request("job-list.list-id", &ask(r#","state":2"#));
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":64}}"#]);
}

#[test]
fn list_id_of_a_job_not_heard_of_looks_whether_it_is_there() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    let ask = r#"{"id":7,"attrs":["state"]}"#;
    probe.request("job-list.list-id", ask);
    let lookup = r#"{"key":"job.0000.0000.0000.0007","flags":1,"namespace":"primary"}"#;
    assert_eq!(probe.said(), [format!("request kvs.lookup #2 {lookup}")]);
    probe.answer("kvs.lookup", 2, Err(Refusal::bare(Errno::ENOENT)));
    assert_eq!(probe.said(), ["response job-list.list-id #1 ENOENT"]);

    probe.request("job-list.list-id", ask);
    probe.said();
    let dir = r#"{"val":{"ver":1,"type":"dir","data":{}}}"#;
    probe.answer("kvs.lookup", 3, Ok(dir));
    assert_eq!(probe.said(), [""; 0]);
    journal(&mut probe, 7, &[SUBMIT], "");
    assert_eq!(probe.said(), [""; 0], "a new job is not shown yet");
    journal(&mut probe, 7, &["1.1 validate"], "");
    assert_eq!(payloads(&mut probe), [r#"{"job":{"id":7,"state":2}}"#]);
}

#[test]
fn an_invalid_job_is_as_if_it_had_never_been() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    journal(&mut probe, 7, &[SUBMIT], "");
    probe.request("job-list.list-id", r#"{"id":7,"attrs":[]}"#);
    assert_eq!(probe.said(), [""; 0]);
    journal(&mut probe, 7, &["1.1 invalidate"], "");
    assert_eq!(probe.said(), ["response job-list.list-id #1 ENOENT"]);
    assert_eq!(list(&mut probe, "", "null"), [r#"{"jobs":[]}"#]);
}

#[test]
fn purged_jobs_are_gone_and_counted() {
    let mut probe = start(r#"{"queues":{"batch":{}}}"#);
    for id in [1, 2] {
        journal(&mut probe, id, &RAN, "");
    }
    sentinel(&mut probe);
    probe.event("job-purge-inactive", r#"{"jobs":[1,9]}"#);
    assert_eq!(list(&mut probe, "", "null"), [r#"{"jobs":[{"id":2}]}"#]);
    probe.request("job-list.job-stats", "");
    let none = r#""job_states":{"depend":0,"priority":0,"sched":0,"run":0,"cleanup":0,"inactive":0,"total":0},"successful":0,"failed":0,"canceled":0,"timeout":0,"inactive_purged":0"#;
    let stats = format!(
        r#"{{"job_states":{{"depend":0,"priority":0,"sched":0,"run":0,"cleanup":0,"inactive":1,"total":1}},"successful":1,"failed":0,"canceled":0,"timeout":0,"inactive_purged":1,"queues":[{{{none},"name":"batch"}}]}}"#
    );
    assert_eq!(payloads(&mut probe), [stats]);
}

#[test]
fn only_the_owner_says_that_jobs_are_purged() {
    let mut probe = start("{}");
    journal(&mut probe, 7, &RAN, "");
    sentinel(&mut probe);
    probe.event_as("job-purge-inactive", r#"{"jobs":[7]}"#, 200, Role::USER);
    assert_eq!(list(&mut probe, "", "null"), [r#"{"jobs":[{"id":7}]}"#]);
}

#[test]
fn who_waits_for_a_job_that_is_purged_is_told() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    probe.request("job-list.list-id", r#"{"id":7,"attrs":[]}"#);
    let dir = r#"{"val":{"ver":1,"type":"dir","data":{}}}"#;
    probe.answer("kvs.lookup", 2, Ok(dir));
    probe.said();
    probe.event("job-purge-inactive", r#"{"jobs":[7]}"#);
    assert_eq!(probe.said(), ["response job-list.list-id #1 ENOENT"]);
}

#[test]
fn stats_watchers_hear_of_changes_together() {
    let mut probe = start("{}");
    sentinel(&mut probe);
    probe.stream("job-list.job-stats", "");
    assert_eq!(probe.said().len(), 1);
    journal(&mut probe, 1, &RAN[..4], "");
    journal(&mut probe, 2, &RAN[..4], "");
    assert_eq!(probe.said(), [""; 0]);
    probe.pass(Duration::from_millis(200));
    let said = probe.said();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains(r#""sched":2"#), "{said:?}");
    probe.pass(Duration::from_secs(1));
    assert_eq!(probe.said(), [""; 0]);
    probe.request("job-list.disconnect", "");
    journal(&mut probe, 3, &RAN[..4], "");
    probe.pass(Duration::from_secs(1));
    assert_eq!(probe.said(), [""; 0]);
}

#[test]
fn a_pause_keeps_events_until_its_end() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN[..4], "");
    sentinel(&mut probe);
    probe.request("job-list.job-state-pause", "");
    journal(&mut probe, 1, &[RAN[4]], "");
    probe.said();
    let state = r#""state""#;
    let sched = r#"{"jobs":[{"id":1,"state":8}]}"#;
    assert_eq!(list(&mut probe, state, "null"), [sched]);
    probe.request("job-list.job-state-unpause", "");
    probe.said();
    let run = r#"{"jobs":[{"id":1,"state":16}]}"#;
    assert_eq!(list(&mut probe, state, "null"), [run]);
}

#[test]
fn a_new_job_manager_is_asked_for_everything_and_requests_wait() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN[..4], "");
    sentinel(&mut probe);
    probe.request("job-list.list-id", r#"{"id":1,"attrs":[],"state":64}"#);
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream("job-manager.events-journal", 1, Err(lost));
    assert_eq!(
        probe.said(),
        [r#"request job-manager.events-journal #2 {"full":true,"packed":true}"#]
    );
    let state = r#""state""#;
    assert_eq!(list(&mut probe, state, "null"), [""; 0]);
    let json = format!(r#"{{"id":1,"events":[{}]}}"#, events(&RAN));
    probe.answer_stream("job-manager.events-journal", 2, Ok(&json));
    let end = r#"{"id":-1,"events":[]}"#;
    probe.answer_stream("job-manager.events-journal", 2, Ok(end));
    assert_eq!(
        payloads(&mut probe),
        [r#"{"jobs":[{"id":1,"state":64}]}"#, r#"{"job":{"id":1}}"#]
    );
}

#[test]
fn counts_stay_while_the_history_is_read_again() {
    let mut probe = start("{}");
    journal(&mut probe, 1, &RAN, "");
    journal(&mut probe, 2, &RAN, "");
    sentinel(&mut probe);
    probe.event("job-purge-inactive", r#"{"jobs":[1]}"#);
    probe.stream("job-list.job-stats", "");
    let known = payloads(&mut probe);
    assert!(known[0].contains(r#""inactive":1,"#), "{known:?}");
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream("job-manager.events-journal", 1, Err(lost));
    probe.said();
    probe.pass(Duration::from_secs(1));
    assert_eq!(probe.said(), [""; 0]);
    probe.request("job-list.job-stats", "");
    assert_eq!(payloads(&mut probe), known);
    let json = format!(r#"{{"id":2,"events":[{}]}}"#, events(&RAN));
    probe.answer_stream("job-manager.events-journal", 2, Ok(&json));
    let end = r#"{"id":-1,"events":[]}"#;
    probe.answer_stream("job-manager.events-journal", 2, Ok(end));
    probe.pass(Duration::from_secs(1));
    assert_eq!(payloads(&mut probe), known);
}

#[test]
fn a_log_of_the_older_format_begins_in_depend() {
    let mut probe = start("{}");
    let submit = r#"1.0 submit {"userid":100,"urgency":16,"flags":0}"#;
    journal(&mut probe, 1, &[submit, "1.2 depend"], "");
    sentinel(&mut probe);
    assert_eq!(
        list(&mut probe, r#""t_depend","state""#, "null"),
        [r#"{"jobs":[{"id":1,"t_depend":1.0,"state":4}]}"#]
    );
}

#[test]
fn what_is_malformed_is_ignored_and_the_job_is_listed() {
    let mut probe = start("{}");
    let list_ = [
        SUBMIT,
        "1.1 validate",
        r#"1.15 exception {"severity":"high"}"#,
        "1.2 depend",
    ];
    journal(&mut probe, 1, &list_, r#","jobspec":7,"R":[]"#);
    probe.answer_stream("job-manager.events-journal", 1, Ok(r#"{"what":1}"#));
    journal(&mut probe, 2, &["1.0 finish"], "");
    sentinel(&mut probe);
    let all = list(&mut probe, r#""all""#, "null");
    assert_eq!(
        all,
        [
            r#"{"jobs":[{"id":1,"userid":100,"urgency":16,"t_submit":1.0,"t_depend":1.1,"t_priority":1.2,"state":4}]}"#
        ]
    );
}
