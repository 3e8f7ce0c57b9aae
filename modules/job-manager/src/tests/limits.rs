//! Tests of jobs refused for their requests, by the configuration.

use super::stage::Stage;

const NODES: &str = r#""limits":{"job-size":{"max":{"nnodes":2,"ncores":8,"ngpus":1},"min":{"nnodes":1,"ncores":2}}}"#;
const LONG: &str = r#""limits":{"duration":"1h"}"#;

/// Checks the refusal of a job with these resources, empty if it is accepted.
fn check(conf: &str, resources: &str, system: &str, expect: &str) {
    let mut stage = Stage::new();
    stage.play(&format!("conf {conf}"));
    stage.play("restart");
    let submit = format!(
        r#"submit 1 jobspec={{"resources":[{resources}],"tasks":[],"attributes":{{"system":{{{system}}}}},"version":1}}"#
    );
    let mut said = stage.play(&submit);
    said.extend(stage.play("store"));
    said.retain(|line| line.contains("job-manager.submit"));
    let refusal = said.iter().find_map(|line| line.split_once(r#"[[1,""#));
    let refusal = refusal.map_or("", |(_, text)| text).replace(r#""]]}"#, "");
    assert_eq!(refusal, expect, "{resources} {system}");
}

fn slot(cores: u32, gpus: u32) -> String {
    let gpu = match gpus {
        0 => String::new(),
        gpus => format!(r#",{{"type":"gpu","count":{gpus}}}"#),
    };
    format!(
        r#"{{"type":"slot","label":"task","count":1,"with":[{{"type":"core","count":{cores}}}{gpu}]}}"#
    )
}

fn nodes(count: u32, cores: u32, gpus: u32) -> String {
    let slot = slot(cores, gpus);
    format!(r#"{{"type":"node","count":{count},"with":[{slot}]}}"#)
}

#[test]
fn a_job_has_the_size_that_is_allowed() {
    let conf = format!(r#"{{"policy":{{{NODES}}}}}"#);
    let check = |resources: &str, expect: &str| check(&conf, resources, r#""duration":0"#, expect);
    check(&nodes(2, 4, 0), "");
    check(&nodes(1, 2, 1), "");
    let over = |name: &str, n: u32, limit: u32| {
        format!("requested {name} ({n}) exceeds policy limit of {limit}")
    };
    check(&nodes(3, 4, 1), &over("nnodes", 3, 2));
    check(&nodes(2, 5, 1), &over("ncores", 10, 8));
    check(&nodes(2, 4, 1), &over("ngpus", 2, 1));
    let under = |name: &str, n: u32, limit: u32| {
        format!("requested {name} ({n}) is under policy limit of {limit}")
    };
    check(&slot(1, 0), &under("nnodes", 0, 1));
    check(&nodes(1, 1, 0), &under("ncores", 1, 2));
    check("", "Unable to determine slot count");
}

#[test]
fn a_job_that_cannot_be_counted_is_taken_where_nothing_is_limited() {
    check("{}", "", "", "");
    check(r#"{"policy":{"limits":{"duration":"0"}}}"#, "", "", "");
}

#[test]
fn a_queue_has_limits_of_its_own() {
    let conf = format!(
        r#"{{"policy":{{{NODES}}},"queues":{{"a":{{}},"b":{{"policy":{{"limits":{{"duration":"2h","job-size":{{"max":{{"nnodes":-1}}}}}}}}}}}}}}"#
    );
    let check = |queue: &str, resources: &str, duration: u32, expect: &str| {
        let system = format!(r#""duration":{duration},"queue":"{queue}""#);
        check(&conf, resources, &system, expect);
    };
    let over = "requested nnodes (3) exceeds policy limit of 2 for queue a";
    check("a", &nodes(3, 2, 0), 0, over);
    check("b", &nodes(3, 2, 0), 60, "");
    let long = "requested duration (3h) exceeds policy limit of 2h for queue b";
    check("b", &nodes(3, 2, 0), 10800, long);
    check("a", &nodes(1, 2, 0), 10800, "");
}

#[test]
fn a_job_is_as_long_as_is_allowed() {
    let conf = format!(r#"{{"policy":{{{LONG}}}}}"#);
    let over = |asked: &str| format!("requested duration ({asked}) exceeds policy limit of 1h");
    for (system, expect) in [
        (r#""duration":3600"#, String::new()),
        (r#""duration":3601"#, over("1h")),
        (r#""duration":6060"#, over("1.7h")),
        (r#""duration":0"#, over("unlimited")),
        ("", over("unlimited")),
    ] {
        check(&conf, &slot(1, 0), system, &expect);
    }
}

#[test]
fn no_job_is_longer_than_the_instance() {
    let check = |expiration: &str, duration: &str, expect: &str| {
        let mut stage = Stage::new();
        stage.play(&format!("expiration {expiration}"));
        let mut said = stage.play(&format!(
            r#"submit 1 jobspec={{"attributes":{{"system":{{"duration":{duration}}}}}}}"#
        ));
        said.extend(stage.play("store"));
        let refusal = said.iter().find_map(|line| line.split_once(r#"[[1,""#));
        let refusal = refusal.map_or("", |(_, text)| text).replace(r#""]]}"#, "");
        assert_eq!(refusal, expect, "{expiration} {duration}");
    };
    check("1060.0", "60", "");
    check("1060.0", "0", "");
    check("0.0", "3600", "");
    let long = "job duration (1.5m) exceeds remaining instance lifetime (1m)";
    check("1060.0", "90", long);
    let late = "job duration (1s) exceeds remaining instance lifetime (0s)";
    check("999.0", "1", late);
}
