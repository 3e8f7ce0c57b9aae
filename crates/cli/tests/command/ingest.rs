//! `flux job-validator` and `flux job-frobnicator`: lines in, lines out.

use client::Refusal;
use proto::Errno;
use serde_json::{Value, json};

use super::{answering, check, check_input};

const JOBSPEC: &str = r#"{"resources":[{"type":"slot","count":1,"with":[{"type":"core","count":1}],"label":"task"}],"tasks":[{"command":["true"],"slot":"task","count":{"per_slot":1}}],"attributes":{"system":{"duration":0}},"version":1}"#;

/// An instance with a queue, on which no job can run.
fn instance(topic: &str, _: Value) -> Result<Value, Refusal> {
    match topic {
        "config.get" => Ok(json!({
            "queues": {"batch": {"requires": ["b"]}},
            "ingest": {"validator": {"require-instance": {"minnodes": 1, "mincores": 1}}}
        })),
        "feasibility.check" => Err(Refusal::new(Errno::EOVERFLOW, "never")),
        _ => Err(Refusal::bare(Errno::ENOSYS)),
    }
}

/// Checks the output of a command for input lines.
fn check_lines(line: &str, input: &str, expect: &str) {
    check_input(line, input, answering(instance), expect);
}

#[test]
fn plugins_are_listed() {
    check(
        "job-validator --list-plugins",
        answering(instance),
        "jobspec           Refuses jobspecs that are not version 1\n\
         feasibility       Asks the scheduler whether the job could ever run\n\
         require-instance  Refuses large jobs that are not instances of their own\n",
    );
    check(
        "job-frobnicator --list-plugins",
        answering(instance),
        "defaults     Sets the default queue and time limit\n\
         constraints  Requires the properties of the queue\n",
    );
}

#[test]
fn each_line_is_answered_by_a_line() {
    let who = r#""userid":1,"rolemask":1,"urgency":16,"flags":0"#;
    let lines = format!("{{\"jobspec\":{JOBSPEC},{who}}}\n{{\"jobspec\":{{}},{who}}}\n{JOBSPEC}\n");
    check_lines(
        "job-validator",
        &lines,
        "{\"errnum\":0}\n\
         {\"errnum\":1,\"errstr\":\"Missing key (resources)\"}\n\
         {\"errnum\":22,\"errstr\":\"Missing keys in input. Did you mean to use --jobspec-only?\"}\n",
    );
    check_lines("job-validator", "", "");
}

#[test]
fn a_bare_jobspec_that_is_refused_ends_with_1() {
    let lines = format!("{JOBSPEC}\n{{}}\n");
    check_lines(
        "job-validator --jobspec-only",
        &lines,
        "{\"errnum\":0}\n\
         {\"errnum\":1,\"errstr\":\"Missing key (resources)\"}\n\
         -- code 1\n",
    );
    check_lines(
        "job-validator --jobspec-only --plugins=jobspec,feasibility",
        JOBSPEC,
        "{\"errnum\":75,\"errstr\":\"never\"}\n-- code 1\n",
    );
    check_lines(
        "job-validator --jobspec-only --plugins=require-instance",
        JOBSPEC,
        "{\"errnum\":22,\"errstr\":\"Direct job submission disabled for jobs >= 1 nodes or 1 cores. \
         Please use flux-batch(1) or flux-alloc(1)\"}\n-- code 1\n",
    );
    check_lines(
        "job-validator --jobspec-only --plugins=require-instance \
         --require-instance-minnodes=2 --require-instance-mincores=2",
        JOBSPEC,
        "{\"errnum\":0}\n",
    );
}

#[test]
fn a_jobspec_is_changed_as_the_instance_changes_it() {
    let queued = JOBSPEC.replace("\"duration\":0", "\"duration\":0,\"queue\":\"batch\"");
    let changed = queued.replace(
        "\"queue\":\"batch\"",
        "\"queue\":\"batch\",\"constraints\":{\"properties\":[\"b\"]}",
    );
    let lines = format!("{queued}\n{JOBSPEC}\n");
    check_lines(
        "job-frobnicator --jobspec-only",
        &lines,
        &format!(
            "{{\"errnum\":0,\"data\":{changed}}}\n\
             {{\"errnum\":1,\"errstr\":\"no queue specified\"}}\n-- code 1\n"
        ),
    );
}

#[test]
fn what_cannot_be_run_ends_the_command() {
    check_lines(
        "job-validator --plugins=jobspec,x",
        "",
        "-- stderr\nflux-job-validator: CRITICAL: validator plugin 'x' not found\n-- code 1\n",
    );
    check_lines(
        "job-frobnicator --plugins=x",
        "",
        "-- stderr\nflux-job-frobnicator: CRITICAL: frobnicator plugin 'x' not found\n-- code 1\n",
    );
    check_lines(
        "job-validator --require-version=2",
        "",
        "-- stderr\nflux-job-validator: error: Invalid argument to --require-version\n-- code 2\n",
    );
}
