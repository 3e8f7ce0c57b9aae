//! Tests of reading `[policy]`, and of its error texts.

use serde_json::json;

use super::*;

/// Checks the policy read from a value, or the error text behind the common prefix.
fn check(policy: Value, expect: Result<Policy, &str>) {
    let conf = json!({ "policy": policy });
    let conf = Object(conf.as_object().cloned().unwrap_or_default());
    let read = Policy::parse(&conf).map_err(|refusal| refusal.to_string());
    let read = read.map_err(|text| {
        let text = text.strip_prefix("error parsing ");
        text.unwrap_or_default().replace(" config table:", "")
    });
    assert_eq!(read, expect.map_err(str::to_owned), "{:?}", conf.0);
}

#[test]
fn every_key_is_read() {
    check(json!({}), Ok(Policy::default()));
    check(
        json!({
            "jobspec": {"defaults": {"system": {"duration": "1h", "queue": "batch"}}},
            "limits": {"duration": "0", "job-size": {
                "max": {"nnodes": 4, "ncores": -1}, "min": {"ngpus": 0}}},
            "access": {"allow-user": ["alice", "bob"], "allow-group": []},
            "scheduler": {"any": ["thing"]}
        }),
        Ok(Policy {
            defaults: Defaults {
                duration: Some(Fsd::from_whole_secs(3600)),
                queue: Some("batch".to_owned()),
            },
            limits: Limits {
                duration: Some(Fsd::ZERO),
                max: Sizes {
                    nnodes: Some(4),
                    ncores: Some(-1),
                    ngpus: None,
                },
                min: Sizes {
                    ngpus: Some(0),
                    ..Sizes::default()
                },
            },
            access: Access {
                users: Some(vec!["alice".to_owned(), "bob".to_owned()]),
                groups: Some(Vec::new()),
            },
        }),
    );
}

#[test]
fn keys_that_nobody_knows_are_named() {
    for (policy, expect) in [
        (
            json!({"foo": 1, "limits": {}, "bar": 2}),
            "[policy] 2 object item(s) left unpacked: foo, bar",
        ),
        (
            json!({"jobspec": {"foo": 1}}),
            "[policy.jobspec] 1 object item(s) left unpacked: foo",
        ),
        (
            json!({"jobspec": {"defaults": {"foo": 1}}}),
            "[policy.jobspec] 1 object item(s) left unpacked: foo",
        ),
        (
            json!({"jobspec": {"defaults": {"system": {"bank": "x"}}}}),
            "[policy.jobspec] 1 object item(s) left unpacked: bank",
        ),
        (
            json!({"limits": {"foo": 1}}),
            "[policy.limits] 1 object item(s) left unpacked: foo",
        ),
        (
            json!({"limits": {"job-size": {"foo": 1}}}),
            "[policy.limits] 1 object item(s) left unpacked: foo",
        ),
        (
            json!({"limits": {"job-size": {"max": {"foo": 1}}}}),
            "[policy.limits.max] 1 object item(s) left unpacked: foo",
        ),
        (
            json!({"access": {"foo": 1}}),
            "[policy.access] 1 object item(s) left unpacked: foo",
        ),
    ] {
        check(policy, Err(expect));
    }
}

#[test]
fn values_of_another_form_are_refused() {
    let system =
        |key: &str, value: Value| json!({"jobspec": {"defaults": {"system": {key: value}}}});
    let duration = "[policy.jobspec] 'defaults.system.duration' is not a valid FSD";
    check(system("duration", json!("soon")), Err(duration));
    check(system("duration", json!(60)), Err(duration));
    check(
        system("queue", json!(1)),
        Err("[policy.jobspec] 'defaults.system.queue' is not a string"),
    );
    let limit = |key: &str, value: Value| json!({"limits": {key: value}});
    let duration = "[policy.limits] 'duration' is not a valid FSD";
    check(limit("duration", json!("-1")), Err(duration));
    check(limit("duration", json!(3600)), Err(duration));
    let size = |key: &str, value: Value| limit("job-size", json!({key: value}));
    check(
        size("max", json!({"nnodes": -2})),
        Err("[policy.limits.max] values must be >= -1"),
    );
    check(
        size("min", json!({"ngpus": "1"})),
        Err("[policy.limits.min] Expected integer, got string"),
    );
    for key in ["allow-user", "allow-group"] {
        for value in [json!("alice"), json!([1])] {
            let text = format!("[policy.access] '{key}' must be a string array");
            check(json!({"access": {key: value}}), Err(&text));
        }
    }
}

#[test]
fn tables_are_tables() {
    let not = |value: Value, path: &str| {
        check(
            value,
            Err(&format!("[{path}] Expected object, got integer")),
        );
    };
    not(json!(1), "policy");
    not(json!({"jobspec": 1}), "policy.jobspec");
    not(json!({"jobspec": {"defaults": 1}}), "policy.jobspec");
    not(
        json!({"jobspec": {"defaults": {"system": 1}}}),
        "policy.jobspec",
    );
    not(json!({"limits": 1}), "policy.limits");
    not(json!({"limits": {"job-size": 1}}), "policy.limits");
    not(
        json!({"limits": {"job-size": {"min": 1}}}),
        "policy.limits.min",
    );
    not(json!({"access": 1}), "policy.access");
}

#[test]
fn zero_and_minus_one_are_no_limit() {
    let limits = |text: &str, max: i64| Limits {
        duration: text.parse().ok(),
        max: Sizes {
            nnodes: Some(max),
            ..Sizes::default()
        },
        min: Sizes::default(),
    };
    for (limits, duration, sizes) in [
        (limits("1h", 7), Some("1h"), true),
        (limits("0", 0), None, true),
        (limits("infinity", -1), None, false),
        (Limits::default(), None, false),
    ] {
        let shown = limits.duration_max().map(|max| max.to_string());
        assert_eq!(shown.as_deref(), duration, "{limits:?}");
        assert_eq!(limits.has_sizes(), sizes, "{limits:?}");
    }
}
