//! `flux housekeeping`.

use client::Refusal;
use client::fake::Act;
use proto::Errno;
use serde_json::json;
use wire::Message;

use super::{answering, check};

/// An instance of four hosts with housekeeping of two jobs.
fn instance() -> impl FnMut(&Message) -> Vec<Act> + Send + 'static {
    answering(|topic, request| match topic {
        "attr.get" => Ok(json!({"value": "n[0-3]", "flags": 1})),
        "job-manager.stats-get" => Ok(json!({
            "journal": {"listeners": 0, "events": 0},
            "active_jobs": 0,
            "inactive_jobs": 2,
            "max_jobid": 60,
            "housekeeping": {"running": {
                "\u{192}22": {"t_start": 1e12, "pending": "1", "allocated": "1-2"},
                "\u{192}2": {"t_start": 1e12, "pending": "3", "allocated": "3"},
            }},
        })),
        _ => Err(Refusal::new(Errno::EINVAL, request.to_string())),
    })
}

#[test]
fn jobs_are_listed_by_their_nodes() {
    check(
        "housekeeping list",
        instance(),
        "       JOBID NNODES #ACTIVE  RUNTIME NODELIST\n          \u{192}2      1       1       0s n3\n         \u{192}22      2       1       0s n[1-2]\n",
    );
    check(
        "housekeeping list -n -o pending -i n[0-2,99]",
        instance(),
        "         \u{192}22       1       0s            1 n1\n",
    );
    check(
        "housekeeping list -no {id}/{ranks}/{pending.nodelist} -i 2",
        instance(),
        "\u{192}22/2/\n",
    );
}

#[test]
fn a_signal_goes_where_it_is_told_to() {
    let refused = |text: &str| format!("-- stderr\nflux-housekeeping: ERROR: {text}\n-- code 1\n");
    for (line, expect) in [
        ("kill --all", r#"{"signum":15}"#),
        ("kill -t n[1-2],n3", r#"{"signum":15,"ranks":"1-3"}"#),
        ("kill -s KILL -t 0,2", r#"{"signum":9,"ranks":"0,2"}"#),
        ("kill -s 10 -j f2", r#"{"signum":10,"jobid":1}"#),
        (
            "kill",
            "specify at least one of --targets, --jobid, or --all",
        ),
        ("kill --all -j f2", "do not specify --jobid with --all"),
        ("kill -t n7", "didn't find n7 in instance hostlist"),
        ("kill -s FOO --all", "Invalid signal FOO"),
    ] {
        check(
            &format!("housekeeping {line}"),
            instance(),
            &refused(expect),
        );
    }
}
