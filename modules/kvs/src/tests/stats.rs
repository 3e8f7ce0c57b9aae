//! kvs.stats-get: the keys that its readers know (protocol/04 section 11).

use super::stage::Stage;

/// Plays commands and gives the stats after them.
fn check(commands: &[&str], expect: &[(&str, &str)]) {
    let mut stage = Stage::new();
    for command in commands {
        stage.play(command);
    }
    let said = stage.play("request kvs.stats-get");
    let json = said[0]
        .split_once(" #")
        .unwrap()
        .1
        .split_once(' ')
        .unwrap()
        .1;
    let stats: serde_json::Value = serde_json::from_str(json).unwrap();
    for (path, value) in expect {
        let found = stats
            .pointer(path)
            .unwrap_or_else(|| panic!("no {path}: {stats}"));
        let text = found.to_string();
        assert!(
            *value == "*" && found.is_number() || text == *value,
            "{path} is {text}, not {value}"
        );
    }
}

#[test]
fn stats_have_the_shape_that_is_known() {
    let all = [
        ("/cache/obj size total (MiB)", "*"),
        ("/cache/obj size (KiB)/count", "*"),
        ("/cache/obj size (KiB)/min", "*"),
        ("/cache/obj size (KiB)/mean", "*"),
        ("/cache/obj size (KiB)/stddev", "*"),
        ("/cache/obj size (KiB)/max", "*"),
        ("/cache/#obj dirty", "0"),
        ("/cache/#obj incomplete", "0"),
        ("/cache/#faults", "0"),
        ("/namespace/primary/#versionwaiters", "0"),
        ("/namespace/primary/#no-op stores", "0"),
        ("/namespace/primary/#transactions", "0"),
        ("/namespace/primary/#readytransactions", "0"),
        ("/namespace/primary/store revision", "0"),
        ("/transaction-opcount/commit/count", "0"),
        ("/transaction-opcount/commit/mean", "0.0"),
        ("/pending_requests", "0"),
    ];
    check(&[], &all);
}

#[test]
fn stats_count_what_waits_and_what_was_done() {
    let two = ["commit a=1 b=2", "settle", "stored"];
    let wait = r#"request kvs.wait-version {"namespace":"primary","rootseq":9}"#;
    let before = [
        ("/transaction-opcount/commit/count", "1"),
        ("/transaction-opcount/commit/max", "2.0"),
        ("/namespace/primary/store revision", "1"),
    ];
    check(&two, &before);
    let waiting = [
        ("/namespace/primary/#versionwaiters", "1"),
        ("/pending_requests", "1"),
    ];
    check(&[&two[..], &[wait]].concat(), &waiting);
    let queued = [
        ("/namespace/primary/#transactions", "1"),
        ("/namespace/primary/#readytransactions", "1"),
    ];
    check(&["commit a=1"], &queued);
    let storing = [
        ("/namespace/primary/#transactions", "1"),
        ("/namespace/primary/#readytransactions", "0"),
        ("/cache/#obj dirty", "1"),
    ];
    check(&["commit a=1", "settle"], &storing);
    let again = [
        "commit dir.a=1",
        "settle",
        "stored",
        "commit dir.a=1",
        "settle",
        "stored",
    ];
    check(&again, &[("/namespace/primary/#no-op stores", "2")]);
    let cleared = ["request kvs.stats-clear"];
    let zero = [
        ("/namespace/primary/#no-op stores", "0"),
        ("/namespace/primary/store revision", "2"),
        ("/transaction-opcount/commit/count", "0"),
    ];
    check(&[&again[..], &cleared].concat(), &zero);
}

#[test]
fn stats_count_what_was_asked_of_content() {
    let cold = [
        "commit a=1",
        "settle",
        "stored",
        "restart",
        "stored",
        "lookup a",
    ];
    let asked = [
        ("/cache/#faults", "1"),
        ("/cache/#obj incomplete", "1"),
        ("/pending_requests", "1"),
    ];
    check(&cold, &asked);
    let loaded = [
        ("/cache/#faults", "1"),
        ("/cache/#obj incomplete", "0"),
        ("/pending_requests", "0"),
    ];
    check(&[&cold[..], &["loaded"]].concat(), &loaded);
}

#[test]
fn what_is_in_memory_is_bounded_and_can_be_dropped() {
    let value = "x".repeat(30_000);
    let fill: Vec<String> = (0..8)
        .flat_map(|n| {
            [
                format!("commit a{n}={n}{value}"),
                "settle".to_owned(),
                "stored".to_owned(),
            ]
        })
        .collect();
    let fill: Vec<&str> = fill.iter().map(String::as_str).collect();
    let count = "/cache/obj size (KiB)/count";
    // The empty root and eight more, and as many values.
    check(&fill, &[(count, "17")]);
    check(
        &[&fill[..], &["request kvs.dropcache"]].concat(),
        &[(count, "0")],
    );
    // An eighth of a MiB is for values: four of these.
    let less = r#"request kvs.config-reload {"kvs":{"cache-size":"1M"}}"#;
    check(&[&fill[..], &[less]].concat(), &[(count, "13")]);
    check(&[&[less], &fill[..]].concat(), &[(count, "13")]);
}

#[test]
fn a_cache_that_is_too_small_is_refused() {
    let mut stage = Stage::new();
    let said = stage.play(r#"request kvs.config-reload {"kvs":{"cache-size":"1k"}}"#);
    assert!(
        said[0].ends_with(r#"EINVAL "kvs.cache-size: must be at least 1M""#),
        "{said:?}"
    );
}
