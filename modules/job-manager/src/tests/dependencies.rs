//! Tests of a job that waits for another one, by the state and the end of the other.

use super::stage::Stage;
use crate::limits::TOLD_DEPENDENTS_MAX;

const EXEC: &str = "from exec job-manager.exec-hello {\"service\":\"job-exec\"}";
const HELLO: &str = "from sched job-manager.sched-hello {}";
const READY: &str = "from sched job-manager.sched-ready {\"mode\":\"unlimited\"}";

/// A stage with a scheduler and an execution service.
fn stage() -> Stage {
    let mut stage = Stage::new();
    for command in [HELLO, READY, EXEC] {
        stage.play(command);
    }
    stage
}

/// Plays commands, each stored before the next.
fn play(stage: &mut Stage, commands: &[&str]) {
    for command in commands {
        stage.play(command);
        while stage.play("store") != ["nothing to store"] {}
    }
}

/// Brings job 1 on by one step.
fn step(stage: &mut Stage, step: &str) {
    let release = r#"exec 1 {"id":ID,"type":"release","data":{"ranks":"all","final":true}}"#;
    let commands: &[&str] = match step {
        "submit" => &["submit 1"],
        "alloc" => &["alloc 1 ok"],
        "start" => &[r#"exec 1 {"id":ID,"type":"start","data":{}}"#],
        "completed" => &[
            r#"exec 1 {"id":ID,"type":"finish","data":{"status":0}}"#,
            release,
        ],
        "failed" => &[
            r#"exec 1 {"id":ID,"type":"finish","data":{"status":256}}"#,
            release,
        ],
        "excepted" => &[
            r#"request job-manager.raise {"id":1,"severity":0,"type":"cancel"}"#,
            release,
        ],
        "canceled" => &[r#"request job-manager.raise {"id":1,"severity":0,"type":"cancel"}"#],
        "purged" => &[
            r#"request job-manager.purge {"age_limit":-1,"num_limit":0,"batch":100,"force":true}"#,
        ],
        "restart" => &["restart", HELLO, READY, EXEC],
        other => panic!("no such step: {other}"),
    };
    play(stage, commands);
}

fn depending(id: u32, scheme: &str, value: &str, user: u32) -> String {
    format!(
        r#"submit {id} user={user} jobspec={{"attributes":{{"system":{{"dependencies":[{{"scheme":"{scheme}","value":"{value}"}}]}}}}}}"#
    )
}

/// Log of a job, or its refusal.
fn fate(stage: &mut Stage, id: u32, submitted: &[String]) -> String {
    let refused = format!("[[{id},\"");
    if let Some(at) = submitted.iter().find_map(|line| line.split_once(&refused)) {
        return at.1.replace("\"]]}", "").replace("\\\"", "\"");
    }
    let log = format!("{id:04x}.eventlog: ");
    let dump = stage.play("dump");
    let log = dump.iter().find_map(|line| line.split_once(&log));
    log.map_or("nothing", |(_, names)| names).to_owned()
}

/// Job 1 goes through `before`; job 2 is submitted and waits for it by `scheme`; job 1 goes
/// through `after`.
fn check(before: &str, scheme: &str, after: &str, expect: &str) {
    let mut stage = stage();
    for word in before.split_whitespace() {
        step(&mut stage, word);
    }
    let mut said = stage.play(&depending(2, scheme, "1", 100));
    while let [.., last] = stage.play("store").as_slice()
        && last != "nothing to store"
    {
        said.push(last.clone());
    }
    for word in after.split_whitespace() {
        step(&mut stage, word);
    }
    let fate = fate(&mut stage, 2, &said);
    assert_eq!(fate, expect, "{before} / {scheme} / {after}");
}

const WAITS: &str = "submit dependency-add validate";
const GOES: &str = "submit dependency-add validate dependency-remove depend priority";
const AT_ONCE: &str = "submit dependency-add dependency-remove validate depend priority";
const ENDED: &str = "submit dependency-add validate exception clean";

#[test]
fn a_job_waits_until_another_one_has_started() {
    let scheme = "afterstart";
    check("submit", scheme, "", WAITS);
    check("submit", scheme, "alloc", WAITS);
    check("submit", scheme, "alloc start", GOES);
    check("submit alloc start", scheme, "", AT_ONCE);
    check("submit alloc start completed", scheme, "", AT_ONCE);
    check("submit", scheme, "canceled", ENDED);
    check("submit", scheme, "alloc excepted", ENDED);
    let never = "dependency: after: 1 never started";
    check("submit canceled", scheme, "", never);
    check("submit alloc excepted", scheme, "", never);
    let after = |rest: &str| format!("submit exception {rest}");
    check("submit", "after", "", &after("dependency-add validate"));
    check(
        "submit alloc start",
        "after",
        "",
        &after(AT_ONCE.split_once(' ').unwrap().1),
    );
}

#[test]
fn a_job_waits_for_the_end_of_another_one() {
    check("submit", "afterany", "alloc start", WAITS);
    for end in [
        "canceled",
        "alloc start completed",
        "alloc failed",
        "alloc start excepted",
    ] {
        check("submit", "afterany", end, GOES);
        check(&format!("submit {end}"), "afterany", "", AT_ONCE);
    }
}

#[test]
fn a_job_waits_for_a_certain_end_of_another_one() {
    let check = |scheme: &str, end: &str, later: &str, refusal: &str| {
        check("submit", scheme, end, later);
        let at_once = if refusal.is_empty() { AT_ONCE } else { refusal };
        check(&format!("submit {end}"), scheme, "", at_once);
    };
    let (ok, bad) = ("alloc start completed", "alloc start failed");
    let excepted = "alloc start excepted";
    check("afterok", ok, GOES, "");
    let failed = "dependency: afterok: job 1 failed or was canceled";
    check("afterok", bad, ENDED, failed);
    check("afterok", excepted, ENDED, failed);
    check(
        "afternotok",
        ok,
        ENDED,
        "dependency: afternotok: job 1 succeeded",
    );
    check("afternotok", bad, GOES, "");
    check("afternotok", excepted, GOES, "");
    let none = "dependency: afterexcept: job 1: no exception";
    check("afterexcept", ok, ENDED, none);
    check("afterexcept", bad, ENDED, none);
    check("afterexcept", excepted, GOES, "");
    for scheme in ["afterok", "afternotok", "afterexcept"] {
        let never = "dependency: after: 1 never started";
        check(scheme, "canceled", ENDED, never);
    }
}

#[test]
fn a_restart_forgets_no_one_who_waits() {
    check("submit", "afterok", "restart alloc start completed", GOES);
    check("submit alloc", "afterstart", "restart start", GOES);
    check("submit", "afterok", "restart canceled", ENDED);
    check("submit alloc start", "afterany", "restart completed", GOES);
    let again = format!("{AT_ONCE} flux-restart priority");
    check("submit alloc start completed", "afterok", "restart", &again);
    let again = format!("{GOES} flux-restart priority");
    let purged = "completed purged restart";
    check("submit alloc start", "afterany", purged, &again);
}

#[test]
fn a_job_that_cannot_be_waited_for_is_named() {
    let check = |scheme: &str, value: &str, user: u32, expect: &str| {
        let mut stage = stage();
        play(&mut stage, &["submit 1"]);
        let said = stage.play(&depending(2, scheme, value, user));
        assert_eq!(fate(&mut stage, 2, &said), expect, "{scheme}:{value}");
    };
    for scheme in [
        "after",
        "afterstart",
        "afterany",
        "afterok",
        "afternotok",
        "afterexcept",
    ] {
        let bad = |value: &str| format!("dependency: {scheme}: \"{value}\" is not a valid jobid");
        for value in ["", "x", "-1", "1.5", "ƒ0O"] {
            check(scheme, value, 100, &bad(value));
        }
        for value in ["3", "ƒ4", "0x3", "2"] {
            let unknown = format!("dependency: {scheme}: id {value}: job not found");
            check(scheme, value, 100, &unknown);
        }
        let other = format!("{scheme}: Permission denied for job 1");
        check(scheme, "1", 101, &other);
    }
    check(
        "string",
        "x",
        100,
        "dependency scheme \"string\" not supported",
    );
    let long = "x".repeat(113);
    let cut = format!("rejecting absurdly long dependency scheme: {long}");
    check(&long, "1", 100, &cut);
    check(
        &"x".repeat(112),
        "1",
        100,
        &format!("dependency scheme \"{}\" not supported", "x".repeat(112)),
    );
    let cut = format!(
        "rejecting absurdly long dependency scheme: {}+",
        "x".repeat(115)
    );
    check(&"x".repeat(200), "1", 100, &cut);
}

/// Jobs that come together know only those before them: nobody waits for a later one, so that
/// there are no circles.
#[test]
fn jobs_that_name_each_other_are_refused() {
    let mut stage = stage();
    let job = |id: u32, other: u32| {
        let depends = format!(r#"{{"scheme":"afterany","value":"{other}"}}"#);
        format!(
            r#"{{"id":{id},"userid":100,"urgency":16,"t_submit":999.5,"flags":0,"jobspec":{{"attributes":{{"system":{{"dependencies":[{depends}]}}}}}}}}"#
        )
    };
    let jobs = format!("{},{},{}", job(1, 2), job(2, 3), job(3, 1));
    let said = stage.play(&format!(
        r#"request job-manager.submit {{"jobs":[{jobs}]}}"#
    ));
    let refused = |id: u32| {
        format!(
            r#"[{},"dependency: afterany: id {id}: job not found"]"#,
            (id + 1) % 3 + 1
        )
    };
    let expect = format!("[{},{},{}]", refused(2), refused(3), refused(1));
    assert!(said.iter().any(|line| line.contains(&expect)), "{said:?}");
}

#[test]
fn an_id_may_be_spelled_in_any_way() {
    for value in [
        "1",
        "0x1",
        "ƒ2",
        "f2",
        "0000.0000.0000.0001",
        "job.0000.0000.0000.0001",
    ] {
        let mut stage = stage();
        play(
            &mut stage,
            &["submit 1", &depending(2, "afterany", value, 100)],
        );
        step(&mut stage, "canceled");
        assert_eq!(fate(&mut stage, 2, &[]), GOES, "{value}");
    }
}

/// Dependencies of one job as they come, each `scheme:value`.
fn check_several(before: &str, dependencies: &[&str], after: &str, expect: &str) {
    let mut stage = stage();
    for word in before.split_whitespace() {
        step(&mut stage, word);
    }
    let object = |it: &&str| {
        let (scheme, value) = it.split_once(':').unwrap();
        format!(r#"{{"scheme":"{scheme}","value":"{value}"}}"#)
    };
    let all: Vec<String> = dependencies.iter().map(object).collect();
    let submit = format!(
        r#"submit 2 jobspec={{"attributes":{{"system":{{"dependencies":[{}]}}}}}}"#,
        all.join(",")
    );
    let mut said = stage.play(&submit);
    loop {
        let heard = stage.play("store");
        if heard == ["nothing to store"] {
            break;
        }
        said.extend(heard);
    }
    for word in after.split_whitespace() {
        step(&mut stage, word);
    }
    said.extend(stage.play("pass 0"));
    let fate = fate(&mut stage, 2, &said);
    assert_eq!(fate, expect, "{dependencies:?}");
}

#[test]
fn all_of_several_dependencies_are_waited_for() {
    let both = ["afterstart:1", "afterany:1"];
    let added = "submit dependency-add dependency-add validate dependency-remove";
    check_several("submit", &both, "alloc start", added);
    let all = format!("{added} dependency-remove depend priority");
    check_several("submit", &both, "alloc start completed", &all);
    check_several("submit", &both, "alloc start restart completed", &all);
    let done = "submit dependency-add dependency-remove dependency-add validate \
        dependency-remove depend priority";
    check_several("submit alloc start", &both, "completed", done);
    // The first failure decides, and nothing is left of the others.
    let mixed = ["afterany:1", "afterok:3"];
    let unknown = "dependency: afterok: id 3: job not found";
    check_several("submit", &mixed, "canceled", unknown);
}

#[test]
fn the_same_dependency_twice_is_one() {
    let twice = ["afterok:1", "afterok:1"];
    check_several("submit", &twice, "", WAITS);
    check_several("submit", &twice, "alloc start completed", GOES);
    check_several("submit", &twice, "restart alloc start completed", GOES);
    // Under two spellings it is two.
    let spelled = ["afterok:1", "afterok:0x1"];
    let two = "submit dependency-add dependency-add validate dependency-remove \
        dependency-remove depend priority";
    check_several("submit", &spelled, "alloc start completed", two);
    let refused = "rejected by job-manager dependency plugin";
    check_several("submit alloc start completed", &twice, "", refused);
    check_several(
        "submit alloc start",
        &["afterstart:1", "afterstart:1"],
        "",
        refused,
    );
}

#[test]
fn a_chain_goes_on_or_ends_with_its_first_link() {
    let check = |scheme: &str, end: &str, expect: &str| {
        let mut stage = stage();
        let mut commands = vec!["submit 1".to_owned()];
        commands.extend((2..6).map(|id: u32| {
            let before = (id - 1).to_string();
            depending(id, scheme, &before, 100)
        }));
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        play(&mut stage, &commands);
        step(&mut stage, end);
        let fates: Vec<String> = (2..6).map(|id| fate(&mut stage, id, &[])).collect();
        let ended = fates.iter().filter(|fate| fate.ends_with("clean")).count();
        let waits = fates.iter().filter(|fate| fate.as_str() == WAITS).count();
        assert_eq!(format!("{ended} ended, {waits} wait"), expect, "{scheme}");
    };
    check("afterany", "canceled", "0 ended, 3 wait");
    check("afterok", "canceled", "4 ended, 0 wait");
    check("afternotok", "canceled", "4 ended, 0 wait");
}

#[test]
fn who_is_ended_waits_for_no_one() {
    let mut stage = stage();
    play(
        &mut stage,
        &["submit 1", &depending(2, "afterany", "1", 100)],
    );
    play(
        &mut stage,
        &[r#"request job-manager.raise {"id":2,"severity":0,"type":"cancel"}"#],
    );
    step(&mut stage, "canceled");
    assert_eq!(fate(&mut stage, 2, &[]), ENDED);
}

/// Number of these jobs with an event in their logs.
fn count(stage: &mut Stage, event: &str) -> usize {
    let dump = stage.play("dump");
    let logs = dump.iter().filter(|line| line.contains("eventlog"));
    logs.filter(|log| log.split(' ').any(|word| word == event))
        .count()
}

/// Job 1 ends with ten jobs that wait for it, and `event` is their resulting event. They get
/// it in slices, and between two of them others are answered.
fn check_slices(scheme: &str, end: &str, event: &str) {
    let mut stage = stage();
    let mut commands = vec!["submit 1".to_owned()];
    commands.extend((2..12).map(|id| depending(id, scheme, "1", 100)));
    play(
        &mut stage,
        &commands.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    stage.play(end);
    let mut told = Vec::new();
    while stage.play("store") != ["nothing to store"] {
        told.push(count(&mut stage, event));
        let asked = stage.play("request job-manager.getinfo {}");
        assert!(
            asked.iter().any(|line| line.contains("max_jobid")),
            "{asked:?}"
        );
        if told.len() == 1 {
            // The last one does not wait for its turn.
            stage.play(r#"request job-manager.raise {"id":11,"severity":0,"type":"cancel"}"#);
        }
    }
    told.dedup();
    assert!(told.is_sorted() && told.len() >= 3, "{told:?}");
    let most = TOLD_DEPENDENTS_MAX;
    assert!(
        told.windows(2).all(|two| two[1] - two[0] <= most + 1),
        "{told:?}"
    );
    for id in 2..11 {
        let fate = fate(&mut stage, id, &[]);
        assert!(fate.contains(event), "{id}: {fate}");
    }
    assert_eq!(fate(&mut stage, 11, &[]), ENDED);
}

#[test]
fn many_who_wait_for_one_job_are_told_in_slices() {
    let cancel = r#"request job-manager.raise {"id":1,"severity":0,"type":"cancel"}"#;
    check_slices("afterany", cancel, "dependency-remove");
    check_slices("afterok", cancel, "exception");
}

#[test]
fn who_was_not_told_before_a_restart_is_told_after_it() {
    let mut stage = stage();
    let mut commands = vec!["submit 1".to_owned()];
    commands.extend((2..12).map(|id| {
        let scheme = if id % 2 == 0 { "afterany" } else { "afterok" };
        depending(id, scheme, "1", 100)
    }));
    play(
        &mut stage,
        &commands.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    stage.play(r#"request job-manager.raise {"id":1,"severity":0,"type":"cancel"}"#);
    stage.play("store");
    assert!(count(&mut stage, "dependency-remove") < 5);
    step(&mut stage, "restart");
    let late = ENDED.replace("exception", "exception exception");
    let mut n_late = 0;
    for id in 2..12 {
        let fate = fate(&mut stage, id, &[]);
        n_late += usize::from(fate == late);
        let is_expected = match id % 2 {
            0 => fate.starts_with(GOES),
            _ => fate == ENDED || fate == late,
        };
        assert!(is_expected, "{id}: {fate}");
    }
    assert!(n_late > 0);
}
