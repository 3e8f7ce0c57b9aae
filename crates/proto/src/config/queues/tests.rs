//! Tests of `[queues]`: values read, refusals with their texts, and the policy in effect
//! in a queue.

use serde_json::{Value, json};

use super::*;

fn parse(conf: &Value) -> Result<Queues, String> {
    let conf = Object(conf.as_object().cloned().unwrap_or_default());
    Queues::parse(&conf).map_err(|refusal| refusal.to_string())
}

/// The refusal of a configuration, or `ok`.
fn check(conf: Value, expect: &str) {
    let read = parse(&conf).err();
    assert_eq!(read.as_deref().unwrap_or("ok"), expect, "{conf}");
}

/// The refusal of a queue `a` beside `b`, which is virtual, and `c`, which is not.
fn check_queue(queue: Value, expect: &str) {
    let conf = json!({"queues": {"a": queue, "b": {"parent": "c"}, "c": {}}});
    let text = match expect {
        "ok" => "ok".to_owned(),
        text => format!("error parsing [queues.a] config table: {text}"),
    };
    check(conf, &text);
}

#[test]
fn queues_are_tables_with_known_keys() {
    check(json!({}), "ok");
    check(json!({"queues": {}}), "ok");
    check(
        json!({"queues": 1}),
        "error parsing [queues] config table: not a table",
    );
    check_queue(json!({}), "ok");
    check_queue(json!({"requires": [], "policy": {}}), "ok");
    check_queue(json!(1), "Expected object, got integer");
    check_queue(json!({"foo": 1}), "1 object item(s) left unpacked: foo");
}

#[test]
fn properties_are_words() {
    let text = "'requires' must be an array of property strings (RFC 20)";
    check_queue(json!({"requires": ["x", "a-b.c", "^y"]}), "ok");
    for bad in [json!("x"), json!([1]), json!(["x", 1]), json!({})] {
        check_queue(json!({"requires": bad}), text);
    }
    for character in " \t!&'\"`|()".chars() {
        check_queue(json!({"requires": [format!("x{character}y")]}), text);
    }
}

#[test]
fn a_parent_is_a_queue_with_nodes_of_its_own() {
    check_queue(json!({"parent": "c"}), "ok");
    check_queue(json!({"parent": 1}), "'parent' must be a string");
    check_queue(json!({"parent": "a"}), "parent queue is itself");
    check_queue(json!({"parent": "x"}), "parent queue 'x' is not configured");
    check_queue(
        json!({"parent": "b"}),
        "parent queue 'b' is itself a virtual queue",
    );
    check_queue(
        json!({"parent": "c", "requires": []}),
        "a virtual queue must not set 'requires'",
    );
    check_queue(
        json!({"parent": "c", "policy": {"scheduler": {}}}),
        "a virtual queue must not set 'policy.scheduler'",
    );
    check_queue(
        json!({"parent": "c", "policy": {"limits": {"duration": "1h"}}}),
        "ok",
    );
}

#[test]
fn the_default_queue_is_one_that_is_there() {
    let default = |queues: Value| {
        let system = json!({"system": {"queue": "a"}});
        json!({"policy": {"jobspec": {"defaults": system}}, "queues": queues})
    };
    check(default(json!({"a": {}})), "ok");
    check(default(json!({"a": {"parent": "b"}, "b": {}})), "ok");
    for queues in [json!({}), json!({"b": {}})] {
        check(
            default(queues),
            "the [policy] config table defines a default queue a that is not in [queues] table",
        );
    }
    let system = json!({"defaults": {"system": {"queue": "a"}}});
    check_queue(
        json!({"policy": {"jobspec": system}}),
        "'policy' must not define a default queue!",
    );
}

#[test]
fn what_is_wrong_in_the_policy_of_a_queue_is_said_with_its_name() {
    check(
        json!({"queues": {"a": {"policy": {"limits": {"duration": 1}}}}}),
        "error parsing [queues.a.policy.limits] config table: 'duration' is not a valid FSD",
    );
    check(
        json!({"policy": {"foo": 1}, "queues": 1}),
        "error parsing [policy] config table: 1 object item(s) left unpacked: foo",
    );
}

/// Two queues, one of them with a virtual one in it.
fn site() -> Queues {
    let limits = |duration: &str, nnodes: i64| json!({"duration": duration, "job-size": {"max": {"nnodes": nnodes}}});
    let defaults = |duration: &str| json!({"defaults": {"system": {"duration": duration}}});
    let site = json!({
        "policy": {
            "jobspec": {"defaults": {"system": {"duration": "1h", "queue": "batch"}}},
            "limits": {"duration": "8h", "job-size": {"max": {"nnodes": 4, "ncores": 9}}},
            "access": {"allow-group": ["staff"]},
        },
        "queues": {
            "batch": {"requires": ["b"], "policy": {
                "limits": limits("1d", -1), "jobspec": defaults("2h"),
                "access": {"allow-user": ["alice"]}}},
            "debug": {"requires": ["d"]},
            "quick": {"parent": "batch", "policy": {
                "limits": {"duration": "30m"}, "jobspec": defaults("5m"),
                "access": {"allow-group": []}}},
        }
    });
    parse(&site).unwrap()
}

#[test]
fn the_nearest_policy_holds_key_by_key() {
    let site = site();
    let check = |queue: Option<&str>, limits: &str, default: &str, access: &str| {
        let found = site.limits(queue);
        let max = found.max.all().map(|(_, limit)| limit);
        let duration = found.duration_max().map(|max| max.to_string());
        let shown = format!("{} {max:?}", duration.unwrap_or_default());
        assert_eq!(shown, limits, "{queue:?}");
        let duration = site.default_duration(queue).map(|found| found.to_string());
        assert_eq!(duration.as_deref(), Some(default), "{queue:?}");
        let found = site.access(queue);
        let shown = format!("{:?} {:?}", found.users, found.groups);
        assert_eq!(shown, access, "{queue:?}");
    };
    let staff = r#"Some(["staff"])"#;
    let alice = r#"Some(["alice"])"#;
    check(
        None,
        "8h [Some(4), Some(9), None]",
        "1h",
        &format!("None {staff}"),
    );
    check(
        Some("debug"),
        "8h [Some(4), Some(9), None]",
        "1h",
        &format!("None {staff}"),
    );
    check(
        Some("batch"),
        "1d [None, Some(9), None]",
        "2h",
        &format!("{alice} {staff}"),
    );
    check(
        Some("quick"),
        "30m [None, Some(9), None]",
        "5m",
        &format!("{alice} Some([])"),
    );
}

#[test]
fn a_virtual_queue_has_the_nodes_of_its_parent() {
    let site = site();
    for (queue, expect) in [("batch", "b"), ("quick", "b"), ("debug", "d"), ("x", "")] {
        assert_eq!(site.requires(queue).join(","), expect, "{queue}");
    }
    assert_eq!(site.default_queue(), Some("batch"));
}

#[test]
fn jobs_are_counted_where_a_size_or_a_queue_is_configured() {
    let max = json!({"limits": {"job-size": {"min": {"ngpus": 1}}}});
    for (conf, expect) in [
        (json!({}), false),
        (json!({"policy": {"limits": {"duration": "1h"}}}), false),
        (json!({"policy": max}), true),
        (json!({"queues": {"a": {}}}), true),
    ] {
        assert_eq!(parse(&conf).unwrap().count_jobs(), expect, "{conf}");
    }
}
