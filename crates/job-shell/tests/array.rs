//! Arrays: elements in place of tasks, on one node and on two, with all that is said about them.

mod stage;

use node::{ChildEvent, StdioFd};
use proto::data::IdSet;
use proto::data::array::History;
use proto::{Errno, Refusal};
use serde_json::{Value, json};
use stage::{Play, Stage};

/// Longer than ends wait to be logged.
const GATHER_S: f64 = 0.3;

fn array(ntasks: u64, array: Value) -> Play {
    Play {
        ntasks,
        options: json!({ "array": array }),
        ..Play::default()
    }
}

/// Ends of the elements, from the log.
fn history(stage: &Stage) -> History {
    let log = stage.values.get("array.log").cloned().unwrap_or_default();
    History::read(&String::from_utf8_lossy(&log))
}

fn logged(stage: &Stage) -> String {
    let history = history(stage);
    let ended = history.ended.values();
    let ended: Vec<String> = ended
        .map(|it| format!("{}:{}@{}x{}", it.index, it.how.word(), it.shell, it.tries))
        .collect();
    ended.join(" ")
}

/// The own variable of an element.
fn own(stage: &Stage, nth: usize, name: &str) -> Option<String> {
    let env = &stage.spawned[nth].1.env_add;
    let found = env.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.clone())
}

#[test]
fn elements_take_turns_on_the_slots() {
    let mut stage = Stage::start(array(2, json!({"indices": "1-3"})));
    assert_eq!(stage.notify_job(), ["spawn #1", "spawn #2"]);
    assert_eq!(stage.ends(1, 0), ["spawn #3"]);
    assert_eq!(stage.ends(0, 256), [""; 0]);
    stage.pass(GATHER_S);
    assert_eq!(logged(&stage), "1:failed@0x1 2:done@0x1");
    assert_eq!(stage.ends(2, 0), ["memo 2/3 done, 1 failed", "exit 1"]);
    assert_eq!(logged(&stage), "1:failed@0x1 2:done@0x1 3:done@0x1");
}

#[test]
fn what_elements_share_is_made_once_and_what_they_do_not_is_theirs() {
    let mut play = array(1, json!({"indices": "5,9"}));
    play.options["env-expand"] = json!({"OWN": "a{{array.index}}", "SAME": "{{taskid}}"});
    play.environment = json!({"PATH": "/nonexistent:/bin", "OWN": "x", "FLUX_ARRAY_INDEX": "99"});
    play.command = vec!["sh", "-c"];
    let mut stage = Stage::start(play);
    stage.notify_job();
    stage.ends(0, 0);
    let [first, second] = [0, 1].map(|nth: usize| stage.spawned[nth].1.alike.clone().unwrap());
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert_eq!(first.program.to_str(), Ok("/bin/sh"));
    let env: Vec<&str> = first.env.iter().map(|var| var.to_str().unwrap()).collect();
    let has = |var: &str| env.contains(&var);
    assert!(
        has("SAME=0") && has("FLUX_TASK_RANK=0") && has("FLUX_JOB_SIZE=1"),
        "{env:?}"
    );
    assert!(has("FLUX_ARRAY_COUNT=2"));
    let has_own = |var: &&str| var.starts_with("OWN=") || var.starts_with("FLUX_ARRAY_INDEX=");
    assert!(!env.iter().any(has_own), "{env:?}");
    for (name, value) in [
        ("OWN", "a9"),
        ("FLUX_ARRAY_INDEX", "9"),
        ("FLUX_JOB_CC", "9"),
        ("FLUX_ARRAY_TRY", "1"),
    ] {
        assert_eq!(own(&stage, 1, name).as_deref(), Some(value), "{name}");
    }
    assert!(stage.spawned[1].1.argv.is_empty());
}

#[test]
fn words_and_paths_may_name_the_element() {
    let mut play = array(1, json!({"indices": "5"}));
    play.command = vec!["prog", "-i{{array.index}}"];
    play.options["output"] = json!({"stdout": {"type": "file", "path": "o.{{array.index}}"}});
    play.options["input"] = json!({"stdin": {"type": "file", "path": "i.{{array.index}}"}});
    let mut stage = Stage::start(play);
    stage.notify_job();
    let spawn = &stage.spawned[0].1;
    assert_eq!(spawn.argv, ["prog", "-i5"]);
    assert_eq!(spawn.stdin_path.as_deref(), Some("i.5"));
    let paths = spawn
        .out_paths
        .each_ref()
        .map(|file| file.as_ref().unwrap().path.as_str());
    assert_eq!(paths, ["o.5", "o.5"]);
    // Its files are its own: they are finished when it has ended.
    assert_eq!(
        stage
            .child(0, ChildEvent::Exited { status: 0 })
            .last()
            .unwrap(),
        "exit 0"
    );
}

#[test]
fn output_is_labelled_with_the_index_and_ends_once() {
    let mut stage = Stage::start(array(1, json!({"indices": "5-6"})));
    stage.notify_job();
    stage.writes(0, StdioFd::Stdout, "a\n");
    stage.ends(0, 0);
    stage.writes(1, StdioFd::Stderr, "b\n");
    stage.ends(1, 0);
    let header = &stage.log("output")[0];
    assert!(
        header.contains(r#""count":{"stderr":2,"stdout":2}"#),
        "{header}"
    );
    let expect = [
        r#"data {"stream":"stdout","rank":"5","data":"a\n"}"#,
        r#"data {"stream":"stderr","rank":"6","data":"b\n"}"#,
        r#"data {"stream":"stdout","rank":"5-6","eof":true}"#,
        r#"data {"stream":"stderr","rank":"5-6","eof":true}"#,
    ];
    assert_eq!(stage.output(), expect);
}

#[test]
fn what_failed_is_tried_again_and_what_runs_too_long_is_ended() {
    let mut stage = Stage::start(array(1, json!({"indices": "1", "retry": 1, "timeout": 2})));
    stage.notify_job();
    assert_eq!(stage.ends(0, 256), ["spawn #1"]);
    assert_eq!(own(&stage, 1, "FLUX_ARRAY_TRY").as_deref(), Some("2"));
    assert_eq!(stage.pass(2.1), ["kill 1 15"]);
    assert_eq!(stage.pass(5.1), ["kill 1 9"]);
    assert_eq!(stage.ends(1, 9), ["memo 0/1 done, 1 failed", "exit 124"]);
    assert_eq!(logged(&stage), "1:timeout@0x2");
}

#[test]
fn one_program_that_is_not_there_ends_the_job_and_one_of_many_does_not() {
    let failed = ChildEvent::Failed {
        errno: Errno::ENOENT,
    };
    let mut stage = Stage::start(array(1, json!({"indices": "1-3"})));
    stage.notify_job();
    let note = "raise element 1 (host host0): start failed: prog: No such file or directory";
    let seen = stage.child(0, failed.clone());
    assert_eq!(seen[..1], [note.to_owned()]);
    assert_eq!(seen.last().unwrap(), "exit 127");
    let mut play = array(1, json!({"indices": "1-2"}));
    play.command = vec!["prog.{{array.index}}"];
    let mut stage = Stage::start(play);
    stage.notify_job();
    assert_eq!(stage.child(0, failed), ["spawn #2"]);
    assert_eq!(stage.ends(1, 0).last().unwrap(), "exit 127");
}

#[test]
fn a_job_that_is_to_end_starts_nothing_more() {
    let mut stage = Stage::start(array(1, json!({"indices": "1-3"})));
    stage.notify_job();
    assert_eq!(stage.order(&json!({"signal": 15})), ["kill 0 15"]);
    assert_eq!(stage.ends(0, 15), ["memo 0/3 done, 1 failed", "exit 143"]);
    assert_eq!(logged(&stage), "1:failed@0x1");
}

#[test]
fn clients_cancel_elements_and_have_others_run_again() {
    let mut stage = Stage::start(array(1, json!({"indices": "1-6"})));
    stage.notify_job();
    let ok = |seen: Vec<String>, verb: &str| {
        assert!(seen.contains(&format!("array-{verb}: ok")), "{seen:?}");
        seen
    };
    stage.ends(0, 256);
    let seen = ok(
        stage.request("array-cancel", &json!({"indices": "2,4-5"})),
        "cancel",
    );
    assert!(seen.contains(&"kill 1 15".to_owned()), "{seen:?}");
    assert_eq!(stage.ends(1, 15), ["spawn #3"]);
    ok(
        stage.request("array-retry", &json!({"indices": "1,3"})),
        "retry",
    );
    assert_eq!(stage.ends(2, 0), ["spawn #1"]);
    assert_eq!(stage.ends(3, 0), ["spawn #6"]);
    for (method, indices, why) in [
        ("array-cancel", "7", "ENOENT the array has no such element"),
        ("array-cancel", "", "ENOENT the array has no such element"),
        ("array-cancel", "x", "EPROTO not an idset"),
        ("array-retry", "1-7", "ENOENT the array has no such element"),
    ] {
        let seen = stage.request(method, &json!({"indices": indices}));
        assert_eq!(seen, [format!("{method}: {why}")]);
    }
    let seen = stage.request_by_stranger("array-cancel", &json!({"indices": "6"}));
    assert_eq!(seen, ["array-cancel: EPERM"]);
    assert_eq!(stage.ends(4, 0).last().unwrap(), "exit 143");
    let expect = "1:done@0x2 2:canceled@0x1 3:done@0x1 4:canceled@0x0 5:canceled@0x0 6:done@0x1";
    assert_eq!(logged(&stage), expect);
}

#[test]
fn a_job_without_elements_has_nothing_to_say_of_them() {
    let mut stage = Stage::running(Play::default());
    let seen = stage.request("array-state", &json!({}));
    assert_eq!(
        seen,
        ["array-state: ENOENT the job is not an array, or has not begun"]
    );
}

#[test]
fn a_shell_that_comes_again_runs_what_is_not_in_the_log() {
    let mut first = Stage::start(array(2, json!({"indices": "1-4"})));
    first.notify_job();
    first.ends(0, 0);
    first.ends(1, 768);
    first.pass(GATHER_S);
    let mut second = Stage::start(array(2, json!({"indices": "1-4"})));
    second.values = first.values.clone();
    assert_eq!(second.notify_job(), ["spawn #3", "spawn #4"]);
    second.ends(0, 0);
    assert_eq!(second.ends(1, 0), ["memo 3/4 done, 1 failed", "exit 3"]);
}

#[test]
fn a_job_that_resumes_another_leaves_out_what_ended_well() {
    let mut first = Stage::start(array(1, json!({"indices": "1-2"})));
    first.notify_job();
    first.ends(0, 0);
    first.ends(1, 256);
    let log = String::from_utf8(first.values["array.log"].clone()).unwrap();
    let resume = json!({"indices": "1-3", "resume": "f8"});
    let mut second = Stage::start(array(2, resume.clone()));
    assert_eq!(second.notify_job(), ["look up \"guest.array.log\" of 7"]);
    let reply = json!({"id": 7, "guest.array.log": log}).to_string();
    assert_eq!(
        second.answers("job-info.lookup", Ok(&reply)),
        ["spawn #2", "spawn #3"]
    );
    second.ends(0, 0);
    second.ends(1, 0);
    assert_eq!(history(&second).good(), "1-3".parse::<IdSet>().unwrap());
    let mut second = Stage::start(array(2, resume));
    second.notify_job();
    let missing = Refusal::bare(Errno::ENOENT);
    let seen = second.answers("job-info.lookup", Err(missing));
    assert!(
        seen[0].starts_with("raise array.resume: the log of job"),
        "{seen:?}"
    );
}

/// A job of two nodes with a slot each, seen from this one, which has passed both barriers.
fn on(rank: u64, spec: Value) -> Stage {
    let mut stage = Stage::start(Play {
        nodes: 2,
        rank,
        ..array(1, spec)
    });
    stage.notify_job();
    let seen = stage.opens();
    assert!(seen.contains(&"barrier 1".to_owned()), "{seen:?}");
    stage
}

const NEXT: &str = "100-shell-fNH.array-next";
const ENDED: &str = "100-shell-fNH.array-ended";

#[test]
fn the_leading_shell_hands_elements_to_others() {
    let mut leader = on(0, json!({"indices": "1-4"}));
    let ask = |after: u64| json!({"shell": 1, "after": after, "slots": 1, "want": 1});
    assert_eq!(leader.request("array-next", &ask(0)), ["array-next: ok"]);
    // Its answer was lost: it is given the same, not more.
    assert_eq!(leader.request("array-next", &ask(0)), ["array-next: ok"]);
    assert_eq!(leader.ends(0, 0), ["spawn #3"]);
    // It has as many as it has slots: it waits until one has ended.
    assert_eq!(leader.request("array-next", &ask(1)), [""; 0]);
    let end = |index: u32| {
        let ended = proto::data::array::Ended {
            index,
            shell: 9,
            tries: 1,
            start: 5.0,
            runtime: 1.0,
            how: proto::data::array::How::Exited(proto::data::job::WaitStatus(0)),
        };
        json!({"shell": 1, "line": proto::data::array::ended_line(&[ended])})
    };
    let seen = leader.request("array-ended", &end(2));
    assert_eq!(seen, ["array-next: ok", "array-ended: ok"]);
    assert_eq!(leader.request("array-ended", &end(2)), ["array-ended: ok"]);
    // Nothing is left: it waits, and is told the end.
    assert_eq!(leader.request("array-next", &ask(2)), [""; 0]);
    leader.ends(1, 0);
    let seen = leader.request("array-ended", &end(4));
    assert!(seen.contains(&"array-next: ok".to_owned()), "{seen:?}");
    leader.pass(GATHER_S);
    let seen = leader.hears(1, 1, &json!(["complete"]));
    assert!(seen.contains(&"exit 0".to_owned()), "{seen:?}");
    assert_eq!(
        logged(&leader),
        "1:done@0x1 2:done@1x1 3:done@0x1 4:done@1x1"
    );
}

#[test]
fn elements_of_a_lost_shell_are_lost_or_run_elsewhere() {
    for (retry, expect, code) in [
        (0, "1:done@0x1 2:lost@1x1", 1),
        (1, "1:done@0x1 2:done@0x2", 0),
    ] {
        let mut leader = on(0, json!({"indices": "1-2", "retry": retry}));
        let ask = json!({"shell": 1, "after": 0, "slots": 1, "want": 1});
        leader.request("array-next", &ask);
        leader.ends(0, 0);
        let lost = json!({"ranks": "1", "severity": 2, "message": "gone"});
        let mut seen = leader.order(&json!({ "lost": lost }));
        if retry > 0 {
            assert_eq!(seen, ["spawn #2"]);
            seen = leader.ends(1, 0);
        }
        seen.extend(leader.pass(GATHER_S));
        seen.extend(leader.answers("job-exec.shell-hear", Err(Refusal::bare(Errno::EPIPE))));
        assert!(seen.contains(&format!("exit {code}")), "{seen:?}");
        assert_eq!(logged(&leader), expect);
    }
}

#[test]
fn another_shell_asks_for_elements_and_tells_how_they_ended() {
    let mut other = Stage::start(Play {
        nodes: 2,
        rank: 1,
        ..array(1, json!({"indices": "1-9"}))
    });
    other.notify_job();
    let ask = "next after=0 slots=1 want=1".to_owned();
    assert!(other.opens().contains(&ask));
    // The leading shell may not be there yet.
    let gone = Refusal::bare(Errno::ENOSYS);
    assert_eq!(other.answers(NEXT, Err(gone)), [""; 0]);
    assert_eq!(other.pass(0.1), [ask]);
    let handed = json!({"seq": 1, "indices": "4-6", "tries": {"5": 2}}).to_string();
    assert_eq!(other.answers(NEXT, Ok(&handed)), ["spawn #4"]);
    assert_eq!(other.ends(0, 0), ["spawn #5"]);
    assert_eq!(own(&other, 1, "FLUX_ARRAY_TRY").as_deref(), Some("3"));
    assert_eq!(other.pass(0.15), ["ended 4:done"]);
    assert_eq!(other.answers(ENDED, Ok("{}")), [""; 0]);
    let seen = other.request("array-cancel", &json!({"indices": "5-6"}));
    assert!(seen.contains(&"kill 1 15".to_owned()), "{seen:?}");
    assert!(seen.contains(&"ended 6:canceled".to_owned()), "{seen:?}");
    other.answers(ENDED, Ok("{}"));
    let seen = other.ends(1, 15);
    assert!(seen.contains(&"ended 5:canceled".to_owned()), "{seen:?}");
    other.answers(ENDED, Ok("{}"));
    let over = json!({"seq": 2, "indices": "", "is_over": true}).to_string();
    assert_eq!(other.answers(NEXT, Ok(&over)), ["tell 1 \"complete\""]);
}
