//! Tests of the plugins' answers about jobs, alone and together.

use serde_json::{Value, json};

use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A job of N nodes, 0 for none, with slots on each, of some cores.
fn job(nodes: i64, slots: i64, cores: i64, command: &[&str]) -> Value {
    let slot = json!({"type": "slot", "count": slots, "label": "task",
        "with": [{"type": "core", "count": cores}]});
    let top = match nodes {
        0 => slot,
        nodes => json!({"type": "node", "count": nodes, "with": [slot]}),
    };
    json!({
        "resources": [top],
        "tasks": [{"command": command, "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0}},
        "version": 1
    })
}

fn spec(jobspec: &Value) -> Jobspec {
    Jobspec::from_object(jobspec.as_object().unwrap().clone())
}

/// Checks the answer of a chain, with its error number: `ok`, or the error of building
/// the chain.
fn check(plugins: &[&str], args: &[&str], jobspec: &Value, feasibility: Feasibility, expect: &str) {
    let conf = RequireInstanceConf::default();
    let said = match Validator::new(Some(&words(plugins)), &words(args), conf) {
        Err(broken) => format!("{} {}", broken.code, broken.text),
        Ok(validator) => match validator.check(&spec(jobspec), feasibility).result() {
            Ok(()) => "ok".to_owned(),
            Err(refusal) => format!("{:?} {refusal}", refusal.errno),
        },
    };
    assert_eq!(said, expect, "{plugins:?} {args:?} {jobspec}");
}

#[test]
fn plugins_and_arguments_that_are_not_there_break_the_chain() {
    let job = job(0, 1, 1, &["true"]);
    let check = |plugins: &[&str], args: &[&str], expect: &str| {
        check(plugins, args, &job, Ok(()), expect);
    };
    check(
        &["jobspec", "x"],
        &[],
        "1 CRITICAL: validator plugin 'x' not found",
    );
    check(&[], &[], "ok");
    let unknown = "2 error: unrecognized arguments:";
    check(&["jobspec"], &["--x=1"], &format!("{unknown} --x=1"));
    // Those of a plugin that is not in the chain are not known.
    check(
        &["jobspec"],
        &[MINNODES, "1"],
        &format!("{unknown} {MINNODES}"),
    );
    check(
        &["jobspec"],
        &["--require-version"],
        "2 error: argument --require-version: expected one argument",
    );
    check(
        &["jobspec"],
        &["--require-version=2"],
        "2 error: Invalid argument to --require-version",
    );
    check(
        &["require-instance"],
        &[MINNODES, "x"],
        "2 error: argument --require-instance-minnodes: invalid int value: 'x'",
    );
    check(&["jobspec"], &["--require-version", "1"], "ok");
}

#[test]
fn another_version_may_come_in_where_any_may() {
    let mut job = job(0, 1, 1, &["true"]);
    job["version"] = json!(2);
    check(&["jobspec"], &[], &job, Ok(()), "EPERM version must be 1");
    check(&["jobspec"], &["--require-version=any"], &job, Ok(()), "ok");
}

#[test]
fn all_sentences_are_said_once_with_the_largest_number() {
    let job = job(9, 1, 1, &["true"]);
    let broken = json!({});
    let infeasible = || Err(Refusal::new(Errno::EOVERFLOW, "unsatisfiable request"));
    check(
        &["feasibility"],
        &[],
        &job,
        infeasible(),
        "EOVERFLOW unsatisfiable request",
    );
    check(
        &["jobspec", "feasibility"],
        &[],
        &broken,
        infeasible(),
        "EOVERFLOW Missing key (resources), unsatisfiable request",
    );
    check(
        &["feasibility", "jobspec", "jobspec"],
        &[],
        &broken,
        Err(Refusal::new(Errno::EINVAL, "Missing key (resources)")),
        "EINVAL Missing key (resources)",
    );
    check(&["jobspec"], &[], &job, infeasible(), "ok");
    let no_scheduler = Err(Refusal::bare(Errno::ENOSYS));
    check(&["feasibility"], &[], &job, no_scheduler, "ok");
}

#[test]
fn large_jobs_must_be_instances() {
    let all = "EINVAL Direct job submission is disabled for all jobs in this instance. \
        Please use flux-batch(1) or flux-alloc(1)";
    let large = |what: &str| {
        format!(
            "EINVAL Direct job submission disabled for jobs >= {what} cores. \
            Please use flux-batch(1) or flux-alloc(1)"
        )
    };
    let of_four = large("4 nodes or 64");
    let nodes = "--require-instance-minnodes=4";
    let cores = "--require-instance-mincores=3";
    for (args, job, expect) in [
        (&[][..], job(0, 1, 1, &["true"]), all),
        (
            &["--require-instance-minnodes=0"],
            job(0, 1, 1, &["true"]),
            all,
        ),
        (&[nodes], job(3, 1, 1, &["true"]), "ok"),
        (&[nodes], job(4, 1, 1, &["true"]), &of_four),
        (&[nodes], job(0, 32, 2, &["true"]), &of_four),
        (&[nodes], job(0, 63, 1, &["true"]), "ok"),
        (
            &[nodes, cores],
            job(1, 3, 1, &["true"]),
            &large("4 nodes or 3"),
        ),
        (&[cores], job(9, 1, 1, &["true"]), &large("3")),
        (&[cores], job(0, 2, 1, &["true"]), "ok"),
        (&[nodes], job(4, 1, 1, &["flux", "broker", "x"]), "ok"),
        (&[nodes], job(4, 1, 1, &["/bin/flux", "start"]), "ok"),
        (&[nodes], job(4, 1, 1, &["flux", "run"]), &of_four),
    ] {
        check(&["require-instance"], args, &job, Ok(()), expect);
    }
    let mut batch = job(4, 1, 1, &["true"]);
    batch["attributes"]["system"]["batch"] = json!({"script": "x"});
    check(&["require-instance"], &[nodes], &batch, Ok(()), "ok");
    let uncounted = json!({"resources": []});
    check(
        &["require-instance"],
        &[nodes],
        &uncounted,
        Ok(()),
        "EINVAL at top level: getting duration: Object item not found: duration",
    );
}

#[test]
fn the_configuration_says_what_is_large_unless_an_argument_does() {
    let conf = RequireInstanceConf {
        minnodes: Some(2),
        mincores: None,
    };
    let plugins = words(&["require-instance"]);
    let check = |args: &[&str], nodes: i64, expect: bool| {
        let validator = Validator::new(Some(&plugins), &words(args), conf).unwrap();
        let verdict = validator.check(&spec(&job(nodes, 1, 1, &["true"])), Ok(()));
        assert_eq!(verdict.result().is_ok(), expect, "{args:?} {nodes}");
    };
    check(&[], 1, true);
    check(&[], 2, false);
    check(&["--require-instance-minnodes=3"], 2, true);
}
