//! The module through its front door; the KVS is played by the test.

use node::probe::Probe;
use proto::data::Tree;
use proto::{Role, kvs, kvs_watch};
use wire::Flags;

use super::*;

type Info = Probe<JobInfo>;

fn start() -> Info {
    Info::start((), &[], "{}").unwrap()
}

fn val(text: &str) -> String {
    let found = kvs::Found {
        val: Tree::Val(text.to_owned().into()),
    };
    serde_json::to_string(&found).unwrap()
}

fn event(name: &str, context: &str) -> String {
    match context {
        "" => format!("{{\"timestamp\":1.0,\"name\":\"{name}\"}}\n"),
        _ => format!("{{\"timestamp\":1.0,\"name\":\"{name}\",\"context\":{context}}}\n"),
    }
}

fn submit() -> String {
    event("submit", r#"{"userid":200}"#)
}

/// The payload of an answer that carries one line.
fn line(text: &str) -> String {
    serde_json::json!({ "event": text }).to_string()
}

fn missing() -> Refusal {
    Refusal::bare(Errno::ENOENT)
}

const R: &str = r#"{"version":1,"execution":{"expiration":0.0}}"#;
const OTHER: &str = r#"EPERM "access is restricted to job/instance owner""#;

/// Looks up `keys` as user `userid`; the KVS has these values. Returns the answer.
fn check_lookup(userid: u32, keys: &str, flags: u32, kvs: &[(&str, &str)], expect: &str) {
    let mut probe = start();
    let role = if userid == 100 {
        Role::OWNER
    } else {
        Role::USER
    };
    let json = format!(r#"{{"id":7,"keys":[{keys}],"flags":{flags}}}"#);
    probe.request_as("job-info.lookup", &json, userid, role, 0);
    let asked = probe.messages();
    for message in asked {
        if message.topic() != "kvs.lookup" {
            assert_eq!(node::probe::line(&message), expect);
            return;
        }
        let text = node::probe::line(&message);
        let value = kvs
            .iter()
            .find(|(key, _)| text.contains(&format!("\"job.0000.0000.0000.0007.{key}\"")));
        let answer = value.map(|(_, value)| val(value));
        probe.answer(
            "kvs.lookup",
            message.matchtag(),
            answer.as_deref().ok_or_else(missing),
        );
    }
    let said = probe.said();
    assert_eq!(said, [format!("response job-info.lookup #1 {expect}")]);
}

#[test]
fn a_lookup_gives_text_or_objects_as_they_are_or_as_they_became() {
    let update = event("resource-update", r#"{"expiration":5.0}"#);
    let log = submit() + &update;
    let kvs = [("eventlog", &*log), ("R", R), ("J", "signed")];
    let text = serde_json::to_string(R).unwrap();
    let now = R.replace("0.0", "5.0");
    let now_text = serde_json::to_string(&now).unwrap();
    check_lookup(100, r#""R""#, 0, &kvs, &format!(r#"{{"id":7,"R":{text}}}"#));
    check_lookup(100, r#""R""#, 1, &kvs, &format!(r#"{{"id":7,"R":{R}}}"#));
    check_lookup(100, r#""R""#, 3, &kvs, &format!(r#"{{"id":7,"R":{now}}}"#));
    check_lookup(
        100,
        r#""R""#,
        2,
        &kvs,
        &format!(r#"{{"id":7,"R":{now_text}}}"#),
    );
    check_lookup(
        200,
        r#""J","R""#,
        1,
        &kvs,
        &format!(r#"{{"id":7,"J":"signed","R":{R}}}"#),
    );
    let log_text = serde_json::to_string(&log).unwrap();
    check_lookup(
        200,
        r#""eventlog""#,
        0,
        &kvs,
        &format!(r#"{{"id":7,"eventlog":{log_text}}}"#),
    );
}

#[test]
fn a_lookup_is_refused_with_the_reason() {
    let log = submit();
    let kvs = [("eventlog", &*log), ("R", R)];
    check_lookup(100, r#""R""#, 0, &[("R", R)], r#"ENOENT "invalid job id""#);
    check_lookup(100, r#""foo""#, 0, &kvs, r#"ENOENT "foo: key not found""#);
    check_lookup(300, r#""R""#, 0, &kvs, OTHER);
    let mut probe = start();
    let json = r#"{"id":7,"keys":["R"],"flags":8}"#;
    probe.request("job-info.lookup", json);
    let text = r#"EPROTO "lookup request rejected with invalid flag""#;
    assert_eq!(
        probe.said(),
        [format!("response job-info.lookup #1 {text}")]
    );
}

fn watch(probe: &mut Info, path: &str, flags: u32, userid: u32) -> Vec<String> {
    let role = if userid == 100 {
        Role::OWNER
    } else {
        Role::USER
    };
    let json = format!(r#"{{"id":7,"path":"{path}","flags":{flags}}}"#);
    let topic = "job-info.eventlog-watch";
    probe.request_as(topic, &json, userid, role, Flags::STREAMING);
    probe.said()
}

const WATCH: &str = "kvs-watch.lookup";

#[test]
fn the_primary_log_is_relayed_line_by_line_until_clean() {
    let mut probe = start();
    let key = r#""namespace":"primary","key":"job.0000.0000.0000.0007.eventlog""#;
    assert_eq!(
        watch(&mut probe, "eventlog", 0, 200),
        [format!(
            "request kvs-watch.lookup #1 {{{key},\"flags\":260}}"
        )]
    );
    let both = submit() + &event("validate", "");
    probe.answer_stream(WATCH, 1, Ok(&val(&both)));
    let prefix = "response job-info.eventlog-watch #1";
    assert_eq!(
        probe.said(),
        [
            format!("{prefix} {}", line(&submit())),
            format!("{prefix} {}", line(&event("validate", ""))),
        ]
    );
    let clean = event("clean", "");
    probe.answer_stream(WATCH, 1, Ok(&val(&clean)));
    assert_eq!(
        probe.said(),
        [
            format!("{prefix} {}", line(&clean)),
            r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned(),
            format!("{prefix} ENODATA"),
        ]
    );
    assert_eq!(probe.actor.core.stats(), Default::default());
}

#[test]
fn the_sentinel_comes_before_the_end_even_when_the_job_is_over() {
    let mut probe = start();
    watch(&mut probe, "eventlog", 2, 100);
    let all = submit() + &event("clean", "");
    probe.answer_stream(WATCH, 1, Ok(&val(&all)));
    let said = probe.said();
    let prefix = "response job-info.eventlog-watch #1";
    assert_eq!(said.len(), 5);
    assert_eq!(said[3], prefix);
    assert_eq!(said[4], format!("{prefix} ENODATA"));
}

#[test]
fn others_see_nothing_of_a_log() {
    let mut probe = start();
    watch(&mut probe, "eventlog", 0, 300);
    probe.answer_stream(WATCH, 1, Ok(&val(&submit())));
    let said = probe.said();
    let end = format!("response job-info.eventlog-watch #1 {OTHER}");
    assert_eq!(said.last(), Some(&end));
    assert_eq!(said.len(), 2);
    watch(&mut probe, "eventlog", 0, 300);
    probe.answer_stream(WATCH, 2, Err(missing()));
    let end = r#"response job-info.eventlog-watch #2 ENOENT "invalid job id""#;
    assert_eq!(probe.said(), [end]);
}

#[test]
fn a_watch_goes_on_where_it_was_when_its_source_comes_back() {
    let mut probe = start();
    watch(&mut probe, "eventlog", 0, 100);
    probe.answer_stream(WATCH, 1, Ok(&val(&submit())));
    probe.said();
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream(WATCH, 1, Err(lost));
    assert!(probe.said()[0].starts_with("request kvs-watch.lookup #2"));
    let both = submit() + &event("validate", "");
    probe.answer_stream(WATCH, 2, Ok(&val(&both)));
    let validate = line(&event("validate", ""));
    assert_eq!(
        probe.said(),
        [format!("response job-info.eventlog-watch #1 {validate}")]
    );
}

/// A watch of a guest log, whose call 1 follows the life of the job.
fn guest(path: &str, flags: u32, log: &str) -> Info {
    let mut probe = start();
    let said = watch(&mut probe, path, flags, 200);
    assert!(said[0].contains("0007.eventlog"), "{said:?}");
    probe.answer_stream(WATCH, 1, Ok(&val(log)));
    assert_eq!(probe.said(), [""; 0], "not all of the log is known yet");
    probe.answer_stream(WATCH, 1, Ok(""));
    probe
}

fn no_namespace() -> Refusal {
    Refusal::bare(Errno::EOPNOTSUPP)
}

/// The request by which a guest log is watched.
fn feed(tag: u32, key: &str, flags: u32) -> String {
    let request = kvs_watch::Lookup::new("job-7", key, flags);
    let json = serde_json::to_string(&request).unwrap();
    format!("request kvs-watch.lookup #{tag} {json}")
}

const APPEND: u32 = kvs::WATCH | kvs::WATCH_APPEND;
const WAITING: u32 = APPEND | kvs::WAITCREATE;
const GIVEN: &str = "response job-info.eventlog-watch #1";

/// At each point of a job's life: the log of the namespace that is asked for, or the
/// answer to the client.
#[test]
fn a_guest_log_is_waited_for_until_the_job_has_started() {
    let pending = submit();
    let started = submit() + &event("alloc", "") + &event("start", "");
    for (path, flags, log, expect) in [
        // Keys that every job gets are waited for, regardless of the flags.
        ("exec.eventlog", 0, &pending, Some(WAITING)),
        ("exec.eventlog", 1, &pending, Some(WAITING)),
        ("exec.eventlog", 0, &started, Some(WAITING)),
        ("output", 0, &pending, Some(WAITING)),
        ("input", 0, &pending, Some(WAITING)),
        ("output", 0, &started, Some(WAITING)),
        // Another log is there or not, from the start on.
        ("mine", 0, &pending, None),
        ("mine", 1, &pending, Some(WAITING)),
        ("mine", 0, &started, Some(APPEND)),
        ("mine", 1, &started, Some(WAITING)),
    ] {
        let mut probe = guest(&format!("guest.{path}"), flags, log);
        let expect = expect.map(|flags| feed(2, path, flags));
        assert_eq!(probe.said(), Vec::from_iter(expect), "{path} {flags} {log}");
    }
}

#[test]
fn a_log_that_is_not_waited_for_is_asked_for_at_the_start() {
    let mut probe = guest("guest.mine", 0, &submit());
    probe.answer_stream(WATCH, 1, Ok(&val(&event("alloc", ""))));
    assert_eq!(probe.said(), [""; 0]);
    probe.answer_stream(WATCH, 1, Ok(&val(&event("start", ""))));
    assert_eq!(probe.said(), [feed(2, "mine", APPEND)]);
    probe.answer_stream(WATCH, 2, Err(missing()));
    let missing = format!(r#"{GIVEN} ENOENT "guest.mine: key not found""#);
    let cancel = r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned();
    assert_eq!(probe.said(), [cancel, missing]);
}

#[test]
fn a_guest_log_is_followed_into_the_jobs_directory() {
    let mut probe = guest("guest.output", 1, &submit());
    probe.said();
    let (a, b) = (event("header", ""), event("data", ""));
    probe.answer_stream(WATCH, 2, Ok(&val(&a)));
    assert_eq!(
        probe.said(),
        [
            r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned(),
            format!("{GIVEN} {}", line(&a)),
        ]
    );
    probe.answer_stream(WATCH, 2, Err(no_namespace()));
    let said = probe.said();
    assert!(said[0].contains("0007.guest.output"), "{said:?}");
    let all = a + &b;
    probe.answer("kvs.lookup", 3, Ok(&val(&all)));
    let end = format!("{GIVEN} ENODATA");
    assert_eq!(probe.said(), [format!("{GIVEN} {}", line(&b)), end]);
}

/// The namespace is removed before the first look at it: its contents are in the
/// directory.
#[test]
fn a_job_that_ends_before_its_log_is_seen_loses_nothing() {
    let header = event("header", "");
    for (path, flags) in [("output", 0), ("output", 1), ("mine", 1)] {
        let mut probe = guest(&format!("guest.{path}"), flags, &submit());
        probe.said();
        probe.answer_stream(WATCH, 1, Ok(&val(&event("clean", ""))));
        let said = probe.said();
        assert!(said[2].contains(&format!("0007.guest.{path}")), "{said:?}");
        // A cancelled watch may still send something.
        probe.answer_stream(WATCH, 1, Err(Refusal::END));
        probe.answer_stream(WATCH, 2, Ok(&val(&header)));
        probe.answer_stream(WATCH, 2, Err(no_namespace()));
        assert_eq!(probe.said(), [""; 0]);
        probe.answer("kvs.lookup", 3, Ok(&val(&header)));
        let end = format!("{GIVEN} ENODATA");
        assert_eq!(probe.said(), [format!("{GIVEN} {}", line(&header)), end]);
    }
    let started = submit() + &event("start", "");
    let mut probe = guest("guest.mine", 0, &started);
    probe.said();
    probe.answer_stream(WATCH, 2, Err(no_namespace()));
    assert!(probe.said()[1].contains("0007.guest.mine"));
    probe.answer("kvs.lookup", 3, Ok(&val(&header)));
    let end = format!("{GIVEN} ENODATA");
    assert_eq!(probe.said(), [format!("{GIVEN} {}", line(&header)), end]);
}

#[test]
fn a_job_that_never_ran_ends_the_wait_for_its_logs() {
    for (path, flags, end) in [
        ("output", 1, "ENODATA"),
        ("mine", 1, "ENODATA"),
        ("output", 0, r#"ENOENT "guest.output: key not found""#),
        ("mine", 0, r#"ENOENT "guest.mine: key not found""#),
    ] {
        let mut probe = guest(&format!("guest.{path}"), flags, &submit());
        let n_asked = probe.said().len() as u32;
        probe.answer_stream(WATCH, 1, Ok(&val(&event("clean", ""))));
        let said = probe.said();
        let asked = said.last().unwrap();
        assert!(asked.contains(&format!("0007.guest.{path}")), "{said:?}");
        // The watch of the primary log, which was taken back in its own answer.
        probe.answer_stream(WATCH, 1, Err(Refusal::END));
        assert_eq!(probe.said(), [""; 0]);
        probe.answer("kvs.lookup", 2 + n_asked, Err(missing()));
        assert_eq!(probe.said(), [format!("{GIVEN} {end}")]);
        assert_eq!(probe.actor.core.stats(), Default::default());
    }
}

#[test]
fn a_link_that_was_replaced_while_it_was_followed_is_looked_at_again() {
    let mut probe = guest("guest.output", 0, &(submit() + &event("clean", "")));
    probe.said();
    probe.answer("kvs.lookup", 2, Err(no_namespace()));
    let said = probe.said();
    assert!(said[0].starts_with("request kvs.lookup #3"), "{said:?}");
    let header = event("header", "");
    probe.answer("kvs.lookup", 3, Ok(&val(&header)));
    let end = format!("{GIVEN} ENODATA");
    assert_eq!(probe.said(), [format!("{GIVEN} {}", line(&header)), end]);
}

#[test]
fn a_log_that_was_there_is_not_waited_for_when_its_source_comes_back() {
    let mut probe = guest("guest.output", 1, &submit());
    probe.said();
    let header = event("header", "");
    probe.answer_stream(WATCH, 2, Ok(&val(&header)));
    probe.said();
    let lost = Refusal::new(Errno::EHOSTUNREACH, "module disconnect");
    probe.answer_stream(WATCH, 2, Err(lost));
    assert_eq!(probe.said(), [feed(3, "output", APPEND)]);
    probe.answer_stream(WATCH, 3, Err(no_namespace()));
    probe.said();
    probe.answer("kvs.lookup", 4, Ok(&val(&header)));
    assert_eq!(probe.said(), [format!("{GIVEN} ENODATA")]);
}

#[test]
fn the_guest_log_of_a_job_that_is_over_is_read_at_once() {
    let mut probe = guest("guest.output", 3, &(submit() + &event("clean", "")));
    let said = probe.said();
    assert_eq!(said[0], r#"notify kvs-watch.cancel {"matchtag":1}"#);
    assert!(said[1].contains("0007.guest.output"));
    let header = event("header", "");
    probe.answer("kvs.lookup", 2, Ok(&val(&header)));
    assert_eq!(
        probe.said(),
        [
            format!("{GIVEN} {}", line(&header)),
            GIVEN.to_owned(),
            format!("{GIVEN} ENODATA"),
        ]
    );
}

#[test]
fn others_see_nothing_of_a_guest_log() {
    let mut probe = start();
    watch(&mut probe, "guest.output", 1, 300);
    probe.answer_stream(WATCH, 1, Ok(&val(&submit())));
    let cancel = r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned();
    assert_eq!(probe.said(), [cancel, format!("{GIVEN} {OTHER}")]);
}

/// Cancels a watch of a guest log, or leaves, at each stage: everything asked of the KVS is
/// taken back.
#[test]
fn a_guest_log_is_let_go_of_at_every_stage() {
    type Stage = (&'static str, &'static [u32], fn(&mut Info));
    let stages: [Stage; 4] = [
        ("before anything is known", &[1], |_| {}),
        ("pending", &[2, 1], |probe| {
            probe.answer_stream(WATCH, 1, Ok(&val(&submit())));
            probe.answer_stream(WATCH, 1, Ok(""));
        }),
        ("running", &[2], |probe| {
            probe.answer_stream(WATCH, 1, Ok(&val(&submit())));
            probe.answer_stream(WATCH, 1, Ok(""));
            probe.answer_stream(WATCH, 2, Ok(&val(&event("header", ""))));
        }),
        ("reading what is left", &[], |probe| {
            let over = submit() + &event("clean", "");
            probe.answer_stream(WATCH, 1, Ok(&val(&over)));
            probe.answer_stream(WATCH, 1, Ok(""));
        }),
    ];
    for (stage, tags, reach) in stages {
        for is_cancelled in [true, false] {
            let mut probe = start();
            watch(&mut probe, "guest.output", 0, 100);
            reach(&mut probe);
            probe.said();
            let (end, done) = match is_cancelled {
                true => (
                    Some(format!("{GIVEN} ENODATA")),
                    Some("response job-info.eventlog-watch-cancel #2".to_owned()),
                ),
                false => (None, None),
            };
            if is_cancelled {
                let cancel = r#"{"matchtag":1}"#;
                probe.request("job-info.eventlog-watch-cancel", cancel);
            } else {
                probe.request("job-info.disconnect", "");
            }
            let taken_back = |tag| format!(r#"notify kvs-watch.cancel {{"matchtag":{tag}}}"#);
            let taken_back = tags.iter().map(taken_back);
            let expect: Vec<String> = end.into_iter().chain(taken_back).chain(done).collect();
            assert_eq!(probe.said(), expect, "{stage}");
            assert_eq!(probe.actor.core.stats(), Default::default());
        }
    }
}

#[test]
fn a_watch_of_the_primary_log_is_let_go_of() {
    let mut probe = start();
    watch(&mut probe, "eventlog", 0, 100);
    let cancel = r#"{"matchtag":1}"#;
    probe.request("job-info.eventlog-watch-cancel", cancel);
    let taken_back = r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned();
    let done = "response job-info.eventlog-watch-cancel #2".to_owned();
    assert_eq!(probe.said(), [format!("{GIVEN} ENODATA"), taken_back, done]);
    assert_eq!(probe.actor.core.stats(), Default::default());
}

#[test]
fn bad_watches_are_refused_with_their_sentence() {
    let mut probe = start();
    let said = watch(&mut probe, "eventlog", 8, 100);
    let text = "eventlog-watch request rejected with invalid flag";
    assert!(said[0].ends_with(&format!("EPROTO {text:?}")), "{said:?}");
    let json = r#"{"id":7,"path":"eventlog","flags":0}"#;
    probe.request("job-info.eventlog-watch", json);
    let text = "eventlog-watch request rejected without streaming RPC flag";
    assert!(probe.said()[0].ends_with(&format!("EPROTO {text:?}")));
    let json = r#"{"id":7,"key":"J","flags":0}"#;
    probe.stream("job-info.update-watch", json);
    let text = "update-watch unsupported key specified";
    assert!(probe.said()[0].ends_with(&format!("EINVAL {text:?}")));
    let json = r#"{"id":7,"key":"R","flags":1}"#;
    probe.stream("job-info.update-watch", json);
    let text = "update-watch request rejected with invalid flag";
    assert!(probe.said()[0].ends_with(&format!("EPROTO {text:?}")));
    probe.request("job-info.update-watch", json);
    let text = "update-watch request rejected without streaming RPC flag";
    assert!(probe.said()[0].ends_with(&format!("EPROTO {text:?}")));
}

#[test]
fn updates_are_told_as_they_come_until_the_job_is_over() {
    let mut probe = start();
    let json = r#"{"id":7,"key":"R","flags":0}"#;
    probe.stream("job-info.update-watch", json);
    probe.said();
    let update = |at: &str| event("resource-update", &format!(r#"{{"expiration":{at}}}"#));
    let early = submit() + &update("5.0");
    probe.answer_stream(WATCH, 1, Ok(&val(&early)));
    probe.answer_stream(WATCH, 1, Ok(""));
    let said = probe.said();
    assert!(said[0].contains("0007.R"), "{said:?}");
    probe.answer("kvs.lookup", 2, Ok(&val(R)));
    let prefix = "response job-info.update-watch #1";
    let r = |at: &str| format!(r#"{prefix} {{"R":{}}}"#, R.replace("0.0", at));
    assert_eq!(probe.said(), [r("5.0")]);
    let late = update("6.0") + &event("clean", "");
    probe.answer_stream(WATCH, 1, Ok(&val(&late)));
    assert_eq!(
        probe.said(),
        [
            r("6.0"),
            r#"notify kvs-watch.cancel {"matchtag":1}"#.to_owned(),
            format!("{prefix} ENODATA"),
        ]
    );
}

#[test]
fn an_update_lookup_gives_the_current_object() {
    let mut probe = start();
    let json = r#"{"id":7,"key":"R","flags":0}"#;
    probe.request("job-info.update-lookup", json);
    let asked = probe.said();
    assert_eq!(asked.len(), 2);
    let update = event("resource-update", r#"{"expiration":5.0}"#);
    for (tag, text) in (1..).zip(asked) {
        let answer = match text.contains(".R\"") {
            true => val(R),
            false => val(&(submit() + &update)),
        };
        probe.answer("kvs.lookup", tag, Ok(&answer));
    }
    let now = R.replace("0.0", "5.0");
    assert_eq!(
        probe.said(),
        [format!(
            r#"response job-info.update-lookup #1 {{"R":{now}}}"#
        )]
    );
}
