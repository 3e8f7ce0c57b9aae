//! Jobs by inputs, and the messages about many jobs.

use client::Refusal;
use client::fake::{answer, object_of, refuse};
use proto::Errno;
use proto::data::sign;
use serde_json::{Value, json};

use super::submission::{check as check_jobs, event, ran};

/// A dry run of `flux bulksubmit`.
fn check_words(words: &[&str], input: &str, expect: &str) {
    let words: Vec<&str> = ["bulksubmit", "--dry-run"]
        .iter()
        .chain(words)
        .copied()
        .collect();
    assert_eq!(super::run(&[], &words, input), expect, "{words:?}");
}

/// The same with lines without `bulksubmit: submit`, joined.
fn check(line: &str, expect: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let words: Vec<&str> = ["bulksubmit", "--dry-run"]
        .iter()
        .chain(&words)
        .copied()
        .collect();
    let shown = super::run(&[], &words, "");
    let lines = shown
        .lines()
        .map(|line| line.strip_prefix("bulksubmit: submit ").unwrap_or(line));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.join("|"), expect, "{line}");
}

#[test]
fn a_dry_run_shows_each_command_and_the_options_that_were_replaced() {
    check("echo {} ::: 1 2", "echo 1|echo 2");
    check(
        "echo {1} {0} ::: 1 2 ::: 3 4",
        "echo 3 1|echo 4 1|echo 3 2|echo 4 2",
    );
    check("-n {} -N1 h ::: 2", "-n2 h");
    check(
        "--env=A={} --env=B=b -o a.b={} -o c h ::: a",
        "--env=['A=a', 'B=b'] -o ['a.b=a', 'c'] h",
    );
    check(
        "--job-name={./%} --output={.%}.out x ::: a/b.c",
        "--job-name=b --output=a/b.out x",
    );
    check("--cc=1-2 echo {} {cc} ::: a", "--cc=1-2 echo a {cc}");
    check("--env-remove={} --env=B h ::: A", "--env=['-A', 'B'] h");
    check("-t {} -c{seq1} x ::: 5", "-c1 -t5 x");
    check("{seq:03d} {} ::: a b", "000 a|001 b");
    check("{} {{id}} ::: a", "a {{id}}");
    check("::: a b", "a|b");
    check(
        "--progress -n{} x ::: 1 2 ::: 3 4 5",
        "bulksubmit: submitting a total of 6 jobs|-n1 x|-n1 x|-n1 x|-n2 x|-n2 x|-n2 x",
    );
    check(
        "--progress --cc=0-{} x ::: 1 2",
        "bulksubmit: submitting a total of 5 jobs|--cc=0-1 x|--cc=0-2 x",
    );
}

#[test]
fn inputs_come_from_files_and_standard_input() {
    check_words(
        &["echo"],
        "1\n\n2 3\n",
        "bulksubmit: submit echo\nbulksubmit: submit echo\n",
    );
    check_words(
        &[],
        "1\n2 3\n",
        "bulksubmit: submit 1\nbulksubmit: submit 2 3\n",
    );
    check_words(
        &["--sep=none", "{}"],
        "1\n2 3\n",
        "bulksubmit: submit 1\nbulksubmit: submit 2\nbulksubmit: submit 3\n",
    );
    check_words(
        &["{0}{1}", "::::", "-", ":::+", "a", "b"],
        "1\n2\n",
        "bulksubmit: submit 1a\nbulksubmit: submit 2b\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, "x,y\n").unwrap();
    let path = path.to_str().unwrap();
    check_words(
        &["--sep=,", "{}", "::::", path],
        "",
        "bulksubmit: submit x\nbulksubmit: submit y\n",
    );
}

#[test]
fn what_cannot_be_replaced_is_told() {
    for (line, text) in [
        (
            "echo {3} ::: a",
            "flux: ERROR: Invalid replacement string in command: '{3}'",
        ),
        (
            "-n{3} x ::: a",
            "flux: ERROR: Invalid replacement index in -n{3}'",
        ),
        (
            "--job-name={foo} x ::: a",
            "flux: ERROR: Replacement key 'foo' not found in '--job-name={foo}'",
        ),
        (
            "{.foo} ::: a",
            "flux-bulksubmit: ERROR: Unknown input string method '.foo'",
        ),
        (
            "{:>3} ::: a",
            "flux-bulksubmit: ERROR: unsupported format string passed to Xinput.__format__",
        ),
        (
            "x :::: a b",
            "flux-bulksubmit: ERROR: Multiple args not allowed after ::::",
        ),
        (
            "x :::: /no",
            "flux-bulksubmit: ERROR: No such file or directory: '/no'",
        ),
        (
            "x :::",
            "flux-bulksubmit: ERROR: no jobs provided for bulk submission",
        ),
        (
            "x",
            "flux-bulksubmit: ERROR: no jobs provided for bulk submission",
        ),
        (
            "--cc=1 --bcc=2 x ::: a",
            "flux-bulksubmit: ERROR: specify only one of --cc or --bcc",
        ),
    ] {
        check(line, &format!("-- stderr|{text}|-- code 1"));
    }
}

#[test]
fn jobs_are_submitted_by_input_and_copy() {
    check_jobs(
        "bulksubmit -v --cc=7-8 echo {} {cc} ::: a b",
        "",
        ran(0),
        "bulksubmit: submit --cc=7-8 echo a {cc}\nbulksubmit: submit --cc=7-8 echo b {cc}\n\
        ƒ2\nƒ3\nƒ4\nƒ5\n",
        &[
            r#"submit ["echo","a","7"] urgency=16"#,
            r#"submit ["echo","a","8"] urgency=16"#,
            r#"submit ["echo","b","7"] urgency=16"#,
            r#"submit ["echo","b","8"] urgency=16"#,
        ],
    );
    check_jobs(
        "bulksubmit --quiet --urgency={} x{cc} ::: 1 2",
        "",
        ran(0),
        "",
        &[r#"submit ["x"] urgency=1"#, r#"submit ["x"] urgency=2"#],
    );
    check_jobs(
        "bulksubmit --input={} x ::: 0",
        "",
        ran(0),
        "-- stderr\nflux: ERROR: per-task input not supported for bulksubmit\n-- code 1\n",
        &[],
    );
}

/// Every second job is refused.
#[test]
fn a_job_that_is_refused_is_told_and_the_others_go_on() {
    let mut last = 0;
    super::check_input(
        "submit --cc=1-3 {cc}",
        "",
        move |request| {
            let object = object_of(request);
            let j = object["J"].as_str().unwrap();
            let jobspec = sign::unwrap_none(j).unwrap().payload;
            let jobspec: Value = serde_json::from_slice(&jobspec).unwrap();
            last += 1;
            match jobspec["tasks"][0]["command"][0] == "2" {
                true => vec![refuse(request, &Refusal::new(Errno::EINVAL, "no"))],
                false => vec![answer(request, &json!({ "id": last }))],
            }
        },
        "ƒ2\nƒ4\n-- stderr\ncc=2: [Errno 22] no\n-- code 1\n",
    );
}

#[test]
fn events_are_told_as_often_as_wanted() {
    let submitted = [r#"submit ["x"] urgency=16"#];
    check_jobs("submit --wait x", "", ran(0), "ƒ2\n", &submitted);
    check_jobs(
        "submit --wait -v x",
        "",
        ran(0),
        "ƒ2\n-- stderr\nƒ2: 0.500s: complete: status=0\n",
        &submitted,
    );
    check_jobs(
        "submit --wait -v x",
        "",
        ran(768),
        "ƒ2\n-- stderr\nƒ2: 0.500s: failed: status=768\n-- code 3\n",
        &submitted,
    );
    let told = "ƒ2: 0.000s: submit {\"flags\":0,\"urgency\":16,\"userid\":100,\"version\":1}\n\
        ƒ2: 0.100s: start \n";
    check_jobs(
        "submit --wait-event=start -vv x",
        "",
        ran(0),
        &format!("ƒ2\n-- stderr\n{told}"),
        &submitted,
    );
    check_jobs(
        "submit --wait -vv x",
        "",
        ran(9),
        &format!(
            "ƒ2\n-- stderr\n{told}ƒ2: 0.500s: finish {{\"status\":9}}\n\
            ƒ2: 0.500s: failed: status=9\nƒ2: 0.600s: clean \n-- code 137\n"
        ),
        &submitted,
    );
}

#[test]
fn events_of_the_execution_are_told_where_it_is_followed() {
    check_jobs(
        "submit --wait-event=exec.shell.init -vv x",
        "",
        ran(0),
        "ƒ2\n-- stderr\n\
        ƒ2: 0.000s: submit {\"flags\":0,\"urgency\":16,\"userid\":100,\"version\":1}\n\
        ƒ2: 0.100s: start \nƒ2: 0.500s: finish {\"status\":0}\n\
        ƒ2: 0.500s: complete: status=0\nƒ2: 0.600s: clean \nƒ2: 0.100s: exec.init \n\
        ƒ2: 0.200s: exec.shell.init {\"leader-rank\":0,\"service\":\"100-shell-f2\",\"size\":1}\n",
        &[r#"submit ["x"] urgency=16"#],
    );
}

#[test]
fn exceptions_are_told_unless_the_shell_does() {
    let exception = |severity: i64| {
        let context = json!({"type":"alloc","severity":severity,"note":"no way","userid":100});
        event(10.2, "exception", context)
    };
    let submit = json!({"userid":100,"urgency":16,"flags":0,"version":1});
    let submit = event(10.0, "submit", submit);
    let clean = event(10.6, "clean", Value::Null);
    let start = event(10.1, "start", Value::Null);
    let told = "ƒ2\n-- stderr\njob.exception: type=alloc severity=0 no way\n-- code 1\n";
    let submitted = [r#"submit ["x"] urgency=16"#];
    let never_ran = [submit.clone(), exception(0), clean.clone()].concat();
    for option in ["--wait", "--watch"] {
        let line = format!("submit {option} x");
        check_jobs(
            &line,
            "",
            vec![("eventlog", never_ran.clone())],
            told,
            &submitted,
        );
    }
    let no_shell = [submit.clone(), start.clone(), exception(0), clean.clone()].concat();
    check_jobs(
        "submit --watch x",
        "",
        vec![("eventlog", no_shell)],
        told,
        &submitted,
    );
    let mut logs = ran(0);
    logs[0].1 = [submit.clone(), start.clone(), exception(0), clean.clone()].concat();
    check_jobs(
        "submit --watch x",
        "",
        logs.clone(),
        "ƒ2\na\nb\n-- stderr\nx0.400s: flux-shell[1]:  WARN: careful\n-- code 1\n",
        &submitted,
    );
    logs[0].1 = [submit, exception(1), clean].concat();
    check_jobs("submit --wait x", "", logs, "ƒ2\n", &submitted);
}
