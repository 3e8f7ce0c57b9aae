use proto::data::job::{Asked, Given, JobResult, State};
use serde_json::Value;

use job_fold::List;

use super::*;

/// An inactive job of user 100 called `sleep` that ran on ranks 1-2, hosts fox[1-2],
/// from 20 to 30 and was canceled.
fn job() -> Job {
    let mut job = Job::new(7);
    job.userid = 100;
    job.state = State::Inactive;
    job.states_mask = 127;
    job.result = Some(JobResult::Canceled);
    job.times.submit = 10.0;
    job.times.run = 20.0;
    job.times.cleanup = 25.0;
    job.times.inactive = 30.0;
    let asked = Asked {
        name: Some("sleep"),
        queue: Some("batch"),
        ..Asked::default()
    };
    job.asked = Some(asked.encode().into());
    let given = Given {
        ranks: "[1-2]",
        nodelist: "fox[1-2]",
        nnodes: 2,
        ncores: 2,
    };
    job.given = Some(given.encode().into());
    job
}

/// An instance where `batch` is a virtual queue of `all`.
fn instance() -> Instance {
    Instance {
        ranks_max: 1024,
        children: [("all".to_owned(), vec!["batch".to_owned()])].into(),
    }
}

fn check(constraint: &str, expect: &str) {
    let value: Value = serde_json::from_str(constraint).unwrap();
    let outcome = match parse(&value, &instance()) {
        Err(text) => text,
        Ok(query) => {
            let matches = Walk::new(None).matches(&query, &job()).unwrap();
            let visited = lists(&query) & list_bit(List::Inactive) != 0;
            assert!(visited || !matches, "{constraint}: the list is left out");
            matches.to_string()
        }
    };
    assert_eq!(outcome, expect, "{constraint}");
}

#[test]
fn every_operator_matches_what_it_says() {
    for yes in [
        "null",
        "{}",
        r#"{"userid":[1,100]}"#,
        r#"{"userid":[4294967295]}"#,
        r#"{"name":["true","sleep"]}"#,
        r#"{"queue":["batch"]}"#,
        r#"{"queue":["all"]}"#,
        r#"{"states":[64]}"#,
        r#"{"states":["inactive"]}"#,
        r#"{"states":["RUNNING","I"]}"#,
        r#"{"results":[4]}"#,
        r#"{"results":["CA"]}"#,
        r#"{"hostlist":["fox[2-9]"]}"#,
        r#"{"ranks":["2-9"]}"#,
        r#"{"t_submit":["<11"]}"#,
        r#"{"t_run":[">=20"]}"#,
        r#"{"t_inactive":["<= 30.0", "ignored"]}"#,
        r#"{"and":[]}"#,
        r#"{"or":[]}"#,
        r#"{"not":[{"userid":[1]}]}"#,
        r#"{"not":[{"states":["active"]}]}"#,
        r#"{"or":[{"userid":[1]},{"states":[64]}]}"#,
        r#"{"and":[{"userid":[100]},{"not":[{"results":[1]}]}]}"#,
    ] {
        check(yes, "true");
    }
}

#[test]
fn every_operator_leaves_out_the_others() {
    for no in [
        r#"{"userid":[]}"#,
        r#"{"userid":[101]}"#,
        r#"{"name":["slee"]}"#,
        r#"{"queue":["debug"]}"#,
        r#"{"states":[]}"#,
        r#"{"states":[62]}"#,
        r#"{"results":[3]}"#,
        r#"{"hostlist":["fox[3-9]"]}"#,
        r#"{"hostlist":[]}"#,
        r#"{"ranks":["0,3"]}"#,
        r#"{"t_run":[">20"]}"#,
        r#"{"t_cleanup":["<20"]}"#,
        r#"{"not":[]}"#,
        r#"{"not":[{"userid":[100]},{"states":[64]}]}"#,
        r#"{"and":[{"userid":[100]},{"states":[62]}]}"#,
        r#"{"or":[{"userid":[1]},{"states":[62]}]}"#,
    ] {
        check(no, "false");
    }
}

#[test]
fn malformed_constraints_are_refused_with_their_sentence() {
    for (constraint, text) in [
        ("[]", "constraint must be JSON object"),
        (
            r#"{"userid":[],"name":[]}"#,
            "constraint must only contain 1 element",
        ),
        (r#"{"userid":1}"#, "operator userid values not an array"),
        (r#"{"foo":[1]}"#, "unknown constraint operator: foo"),
        (r#"{"userid":["1"]}"#, "userid value must be an integer"),
        (r#"{"name":[1]}"#, "name value must be a string"),
        (r#"{"queue":[1]}"#, "queue value must be a string"),
        (
            r#"{"states":["foo"]}"#,
            "invalid states value 'foo' specified",
        ),
        (
            r#"{"states":[1024]}"#,
            "invalid states value '400h' specified",
        ),
        (r#"{"states":[0.5]}"#, "states value invalid type"),
        (
            r#"{"results":[16]}"#,
            "invalid results value '10h' specified",
        ),
        (r#"{"results":[{}]}"#, "results value invalid type"),
        (r#"{"hostlist":[1]}"#, "host value must be a string"),
        (
            r#"{"hostlist":["foo["]}"#,
            "host value not in valid Hostlist format",
        ),
        (r#"{"hostlist":["a[0-9999]"]}"#, "too many hosts specified"),
        (r#"{"ranks":[1]}"#, "ranks value must be a string"),
        (
            r#"{"ranks":["x"]}"#,
            "ranks value 'x': error parsing range 'x'",
        ),
        (r#"{"ranks":["0-4000000000"]}"#, "too many ranks specified"),
        (r#"{"t_run":[]}"#, "timestamp value not specified"),
        (
            r#"{"t_run":["5"]}"#,
            "timestamp comparison operator not specified",
        ),
        (r#"{"t_run":[">x"]}"#, "Invalid timestamp value specified"),
        (r#"{"t_run":[">-1"]}"#, "timestamp value must be >= 0.0"),
    ] {
        check(constraint, text);
    }
    let deep = format!("{}{}", r#"{"and":["#.repeat(60), "]}".repeat(60));
    check(&deep, "constraint is nested too deep");
}

#[test]
fn each_leaf_costs_one_comparison_and_short_cuts_cost_none() {
    let value = serde_json::json!({"or": [{"states": [64]}, {"userid": [1]}]});
    let query = parse(&value, &instance()).unwrap();
    let mut walk = Walk::new(Some(2));
    assert_eq!(walk.matches(&query, &job()), Ok(true));
    assert_eq!(walk.matches(&query, &job()), Ok(true));
    assert_eq!(walk.matches(&query, &job()), Err(TooMany));
}

#[test]
fn queries_name_the_lists_worth_a_visit() {
    for (constraint, expect) in [
        (r#"{"states":[16]}"#, 2),
        (r#"{"states":["pending"]}"#, 1),
        (r#"{"not":[{"states":["inactive"]}]}"#, 3),
        (r#"{"results":[1]}"#, 4),
        (r#"{"and":[{"userid":[1]},{"states":["running"]}]}"#, 2),
        (r#"{"or":[{"states":[8]},{"results":[1]}]}"#, 5),
        (r#"{"userid":[1]}"#, 7),
        (r#"{"t_inactive":[">5"]}"#, 4),
    ] {
        let value: Value = serde_json::from_str(constraint).unwrap();
        let query = parse(&value, &instance()).unwrap();
        assert_eq!(lists(&query), expect, "{constraint}");
    }
}

#[test]
fn operators_without_operands_are_not_free() {
    let nothing = Query::Not(Vec::new());
    let query = Query::Or(vec![nothing; 3]);
    assert_eq!(Walk::new(Some(3)).matches(&query, &job()), Ok(false));
    assert_eq!(Walk::new(Some(2)).matches(&query, &job()), Err(TooMany));
    // All jobs can be asked for, however many there are.
    let all = Query::And(Vec::new());
    assert_eq!(Walk::new(Some(0)).matches(&all, &job()), Ok(true));
}
