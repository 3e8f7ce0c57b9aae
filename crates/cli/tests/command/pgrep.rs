//! Finding jobs by name or id.

use std::sync::{Arc, Mutex};

use client::Refusal;
use client::fake::{Act, answer, object_of, refuse};
use proto::Errno;
use serde_json::json;
use wire::Message;

use super::check;

/// Answers as an instance does that has three jobs, one of which cannot be cancelled.
fn instance(request: &Message) -> Vec<Act> {
    let object = object_of(request);
    match request.topic() {
        "job-list.list" => {
            let job = |id: u64, name: &str| {
                json!({"id":id,"userid":0,"state":16,"name":name,"ntasks":1,"nnodes":1,
                    "t_run":1.0,"t_cleanup":2.0,"nodelist":"vm"})
            };
            let jobs = [job(3, "sleep"), job(2, "b"), job(1, "sleeper")];
            let max = object["max_entries"].as_u64().unwrap() as usize;
            let jobs = &jobs[..max.min(jobs.len())];
            vec![
                answer(request, &json!({"jobs":jobs})),
                refuse(request, &Refusal::END),
            ]
        }
        "job-manager.raise" => {
            assert_eq!(
                (&object["type"], &object["severity"]),
                (&json!("cancel"), &json!(0))
            );
            vec![match object["id"].as_u64() {
                Some(2) => refuse(request, &Refusal::new(Errno::EPERM, "not yours")),
                _ => answer(request, &json!({})),
            }]
        }
        topic => panic!("{topic}"),
    }
}

#[test]
fn ids_of_jobs_that_match_are_listed() {
    check("pgrep sleep", instance, "ƒ4\nƒ2\n");
    check("pgrep -c1 sleep", instance, "ƒ4\n");
    check("pgrep --max-entries=1 sleep", instance, "ƒ4\n");
    check("pgrep r$ 1..9", instance, "ƒ2\n");
    check("pgrep zz", instance, "-- code 1\n");
    check("pgrep -o full zz", instance, "-- code 1\n");
}

#[test]
fn formats_are_those_of_jobs() {
    let row = "ƒ3 root     b           R      1      1   1.000s vm\n";
    check(
        "pgrep -o full ^b",
        instance,
        &format!(
            "       JOBID USER     NAME       ST NTASKS NNODES     TIME INFO\n          {row}"
        ),
    );
    check("pgrep -no full ^b", instance, &format!("          {row}"));
    check("pgrep -o {name} ^b", instance, "NAME\nb\n");
    check("pgrep -o default ^b", instance, "ƒ3\n");
    check(
        "pgrep -o endreason b",
        instance,
        "-- stderr\nflux-pgrep: ERROR: --format: No such format endreason (Did you mean \
        '{endreason}'?)\nhint: '-o help' lists the names\n-- code 1\n",
    );
}

#[test]
fn expressions_that_make_no_sense_end_with_2() {
    check(
        "pgrep a b",
        instance,
        "-- stderr\nflux-pgrep: ERROR: expression error: Only one pattern can be provided\n\
        -- code 2\n",
    );
    check(
        "pgrep",
        instance,
        "-- stderr\nUsage: flux pgrep <EXPRESSION>...\nflux-pgrep: error: the following \
        required arguments were not provided:\n  <EXPRESSION>...\n-- code 2\n",
    );
    check(
        "pgrep -f foo a",
        instance,
        "-- stderr\nflux-pgrep: ERROR: Invalid filter specified: foo\n-- code 1\n",
    );
}

/// The constraint that a command line asks with.
fn check_asked(line: &str, expect: &str) {
    let asked = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let handle = move |request: &Message| {
        *seen.lock().unwrap() = object_of(request)["constraint"]["and"].to_string();
        vec![refuse(request, &Refusal::END)]
    };
    check(line, handle, "-- code 1\n");
    assert_eq!(*asked.lock().unwrap(), expect, "{line}");
}

#[test]
fn options_choose_the_jobs_to_search() {
    check_asked("pgrep -A x", r#"[{"states":[62]}]"#);
    check_asked("pgrep -a -u all x", r#"[{"states":[126]}]"#);
    check_asked(
        "pgrep -u 7 -q a x",
        r#"[{"states":[62]},{"userid":[7]},{"queue":["a"]}]"#,
    );
    check_asked("pkill -A -f run x", r#"[{"states":[16]}]"#);
}

#[test]
fn jobs_that_match_are_cancelled() {
    check(
        "pkill sleep$",
        instance,
        "-- stderr\nflux-pkill: INFO: Canceled 1 job\n",
    );
    check(
        "pkill sleep",
        instance,
        "-- stderr\nflux-pkill: INFO: Canceled 2 jobs\n",
    );
    check("pkill zz", instance, "-- code 1\n");
    check(
        "pkill .",
        instance,
        "-- stderr\nflux-pkill: ERROR: ƒ3: not yours\nflux-pkill: INFO: Canceled 2 jobs\n\
        -- code 1\n",
    );
    check(
        "pkill -a x",
        instance,
        "-- stderr\nUsage: flux pkill [OPTIONS] <EXPRESSION>...\nflux-pkill: error: unexpected \
        argument '-a' found\nhint: to pass '-a' as a value, use '-- -a'\n-- code 2\n",
    );
}
