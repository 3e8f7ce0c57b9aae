//! Submitting jobs and following them.

use std::sync::{Arc, Mutex};

use client::Refusal;
use client::fake::{Act, answer, object_of, refuse};
use proto::Errno;
use proto::data::{JobId, sign};
use serde_json::{Value, json};
use wire::Message;

use super::check_input;

/// Contents of the jobs' logs, and the requests.
struct Jobs {
    last: u64,
    /// By path, for every job.
    logs: Vec<(&'static str, String)>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Tasks read all their input before they write.
    reads_input: bool,
    /// Requests that wait for output.
    waits: Vec<Message>,
}

pub fn event(seconds: f64, name: &str, context: Value) -> String {
    let mut event = json!({ "timestamp": seconds, "name": name });
    if !context.is_null() {
        event["context"] = context;
    }
    format!("{event}\n")
}

impl Jobs {
    /// Answers as job-ingest, job-info and a shell do.
    fn handle(&mut self, request: &Message) -> Vec<Act> {
        let object = object_of(request);
        match request.topic() {
            "job-ingest.submit" => {
                let j = object["J"].as_str().unwrap();
                let unwrapped = sign::unwrap_none(j).unwrap();
                let jobspec: Value = serde_json::from_slice(&unwrapped.payload).unwrap();
                let command = &jobspec["tasks"][0]["command"];
                self.note(format!("submit {command} urgency={}", object["urgency"]));
                self.last += 1;
                vec![answer(request, &json!({ "id": self.last }))]
            }
            "job-list.list" => {
                let (constraint, since) = (&object["constraint"], &object["since"]);
                self.note(format!("list {constraint} since={since}"));
                let mut job = listed();
                job["id"] = json!(2);
                let jobs = json!({ "jobs": [job, listed()] });
                vec![answer(request, &jobs), refuse(request, &Refusal::END)]
            }
            "job-list.list-id" => match object["id"] == 1 {
                true => vec![answer(request, &json!({ "job": listed() }))],
                false => vec![refuse(request, &Refusal::bare(Errno::ENOENT))],
            },
            "job-info.eventlog-watch" if object["path"] == "guest.output" && self.reads_input => {
                self.waits.push(request.clone());
                Vec::new()
            }
            "job-info.eventlog-watch" => self.log(request),
            "100-shell-f2.stdin" => {
                self.note(format!("stdin {object}"));
                // There is a task 0 alone.
                let mut acts = match object["rank"].as_str() {
                    Some("all" | "0") => vec![answer(request, &json!({}))],
                    _ => vec![refuse(request, &Refusal::bare(Errno::EPIPE))],
                };
                if object["eof"] == true {
                    let waits = std::mem::take(&mut self.waits);
                    acts.extend(waits.iter().flat_map(|request| self.log(request)));
                }
                acts
            }
            _ => Vec::new(),
        }
    }

    fn log(&self, request: &Message) -> Vec<Act> {
        let object = object_of(request);
        let path = object["path"].as_str().unwrap();
        let log = self.logs.iter().find(|(known, _)| *known == path);
        let Some((_, log)) = log else {
            return vec![refuse(request, &Refusal::bare(Errno::ENOENT))];
        };
        let lines = log.split_inclusive('\n');
        let mut acts: Vec<Act> = lines
            .map(|line| answer(request, &json!({ "event": line })))
            .collect();
        acts.push(refuse(request, &Refusal::END));
        acts
    }

    fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }
}

/// A job that job-list knows.
fn listed() -> Value {
    json!({ "id": 1, "state": 64, "result": 1, "t_submit": 10.0 })
}

/// A job that ran two tasks and ended with `status`.
pub fn ran(status: i32) -> Vec<(&'static str, String)> {
    let submit = json!({"userid":100,"urgency":16,"flags":0,"version":1});
    let header = json!({"version":1,"encoding":{"stdout":"UTF-8","stderr":"UTF-8"},
        "count":{"stdout":2,"stderr":2},"options":{}});
    let init = json!({"service":"100-shell-f2","leader-rank":0,"size":1});
    vec![
        (
            "eventlog",
            [
                event(10.0, "submit", submit),
                event(10.1, "start", Value::Null),
                event(10.5, "finish", json!({ "status": status })),
                event(10.6, "clean", Value::Null),
            ]
            .concat(),
        ),
        (
            "guest.exec.eventlog",
            [
                event(10.1, "init", Value::Null),
                event(10.2, "shell.init", init),
            ]
            .concat(),
        ),
        (
            "guest.output",
            [
                event(10.2, "header", header),
                event(
                    10.3,
                    "data",
                    json!({"stream":"stdout","rank":"0","data":"a\nb\n"}),
                ),
                event(
                    10.3,
                    "data",
                    json!({"stream":"stderr","rank":"1","data":"x"}),
                ),
                event(10.4, "log", json!({"level":4,"rank":1,"message":"careful"})),
                event(
                    10.4,
                    "data",
                    json!({"stream":"stdout","rank":"0-1","eof":true}),
                ),
                event(
                    10.4,
                    "data",
                    json!({"stream":"stderr","rank":"0-1","eof":true}),
                ),
            ]
            .concat(),
        ),
    ]
}

/// Runs a command line against jobs with these logs; `asked` has the requests to
/// services.
pub fn check(
    line: &str,
    input: &str,
    logs: Vec<(&'static str, String)>,
    expect: &str,
    asked: &[&str],
) {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let mut jobs = Jobs {
        last: 0,
        logs,
        asked: Arc::clone(&noted),
        reads_input: line.starts_with("run"),
        waits: Vec::new(),
    };
    check_input(line, input, move |request| jobs.handle(request), expect);
    assert_eq!(*noted.lock().unwrap(), asked, "flux {line}");
}

#[test]
fn a_submission_prints_the_id() {
    check(
        "submit --urgency=hold true x",
        "",
        ran(0),
        "ƒ2\n",
        &[r#"submit ["true","x"] urgency=0"#],
    );
    check(
        "submit --quiet true",
        "",
        ran(0),
        "",
        &[r#"submit ["true"] urgency=16"#],
    );
}

#[test]
fn copies_are_submitted_together_with_their_number_in_place() {
    check(
        "submit --cc=1,3 echo {cc}",
        "",
        ran(0),
        "ƒ2\nƒ3\n",
        &[
            r#"submit ["echo","1"] urgency=16"#,
            r#"submit ["echo","3"] urgency=16"#,
        ],
    );
    check(
        "submit --bcc=1-2 echo {cc}",
        "",
        ran(0),
        "ƒ2\nƒ3\n",
        &[
            r#"submit ["echo","1"] urgency=16"#,
            r#"submit ["echo","2"] urgency=16"#,
        ],
    );
}

#[test]
fn a_run_shows_output_and_ends_as_the_job_does() {
    check(
        "run true",
        "",
        ran(0),
        "a\nb\n-- stderr\nx0.400s: flux-shell[1]:  WARN: careful\n",
        &[
            r#"submit ["true"] urgency=16"#,
            r#"stdin {"stream":"stdin","rank":"all","eof":true}"#,
        ],
    );
    check(
        "run --label-io -v false",
        "in",
        ran(256),
        "0: a\n0: b\n-- stderr\njobid: ƒ2\n1: x\n0.400s: flux-shell[1]:  WARN: careful\n\
        flux-job: task(s) exited with exit code 1\n-- code 1\n",
        &[
            r#"submit ["false"] urgency=16"#,
            r#"stdin {"stream":"stdin","rank":"all","data":"in"}"#,
            r#"stdin {"stream":"stdin","rank":"all","eof":true}"#,
        ],
    );
}

#[test]
fn what_a_shell_wrote_by_itself_is_shown() {
    let wrote = json!({"component":"flux-shell","stream":"stderr","rank":"0","data":"a\nb\n"});
    let mut logs = ran(0);
    logs[1].1.push_str(&event(10.25, "log", wrote));
    check(
        "run true",
        "",
        logs,
        "a\nb\n-- stderr\n0.250s: flux-shell[0]: stderr: a\n0.250s: flux-shell[0]: stderr: b\n\
         x0.400s: flux-shell[1]:  WARN: careful\n",
        &[
            r#"submit ["true"] urgency=16"#,
            r#"stdin {"stream":"stdin","rank":"all","eof":true}"#,
        ],
    );
}

#[test]
fn the_end_of_input_is_for_all_tasks() {
    for rank in ["0", "5"] {
        let data = format!(r#"stdin {{"stream":"stdin","rank":"{rank}","data":"in"}}"#);
        check(
            &format!("run --input={rank} true"),
            "in",
            ran(0),
            "a\nb\n-- stderr\nx0.400s: flux-shell[1]:  WARN: careful\n",
            &[
                r#"submit ["true"] urgency=16"#,
                &data,
                r#"stdin {"stream":"stdin","rank":"all","eof":true}"#,
            ],
        );
    }
}

#[test]
fn a_job_that_never_ran_ends_with_1() {
    let logs = vec![(
        "eventlog",
        [
            event(
                10.0,
                "submit",
                json!({"userid":100,"urgency":16,"flags":0,"version":1}),
            ),
            event(
                10.045,
                "exception",
                json!({"type":"cancel","severity":0,"note":"","userid":100}),
            ),
            event(10.05, "clean", Value::Null),
        ]
        .concat(),
    )];
    check(
        "job attach ƒ2",
        "",
        logs,
        "-- stderr\n0.045s: job.exception ƒ2 type=cancel severity=0 \n-- code 1\n",
        &[],
    );
}

#[test]
fn an_unknown_job_can_not_be_attached_to() {
    check(
        "job attach 123",
        "",
        Vec::new(),
        "-- stderr\nflux-job: Failed to attach to 123: No such job\n-- code 1\n",
        &[],
    );
    check(
        "job attach zz!",
        "",
        Vec::new(),
        "-- stderr\nflux-job: error parsing jobid: \"zz!\"\n-- code 1\n",
        &[],
    );
}

#[test]
fn jobs_that_are_watched_are_told_apart() {
    let id = JobId(1).to_string();
    check(
        "submit --watch --label-io --quiet false",
        "",
        ran(512),
        &format!(
            "{id}: 0: a\n{id}: 0: b\n-- stderr\n{id}: 1: x\n\
            0.400s: flux-shell[1]:  WARN: careful\n-- code 2\n"
        ),
        &[r#"submit ["false"] urgency=16"#],
    );
}

#[test]
fn what_is_refused_is_said_with_its_number() {
    check_input(
        "submit true",
        "",
        |request| vec![refuse(request, &Refusal::new(Errno::EPERM, "no"))],
        "-- stderr\n[Errno 1] no\n-- code 1\n",
    );
    check_input(
        "run true",
        "",
        |request| vec![refuse(request, &Refusal::new(Errno::EPERM, "no"))],
        "-- stderr\nflux-run: ERROR: no\n-- code 1\n",
    );
    check_input(
        "submit",
        "",
        |_| Vec::new(),
        "-- stderr\nflux-submit: ERROR: job command and arguments are missing\n-- code 1\n",
    );
    check_input(
        "run -N2 -n1 true",
        "",
        |_| Vec::new(),
        "-- stderr\nflux-run: ERROR: node count must not be greater than task count\n-- code 1\n",
    );
}

/// The jobspec of a dry run without the parts that depend on the host.
fn dry_run(options: &str) -> String {
    let line = format!("submit --dry-run --cwd=/w --rlimit=-* --env=-* --env=A=1 {options} true");
    let words: Vec<&str> = line.split_whitespace().collect();
    super::run(&[], &words, "")
}

#[test]
fn options_become_a_jobspec() {
    let check = |options: &str, resources: &str, count: &str, system: &str, shell: &str| {
        let shell = match shell.strip_prefix(", ") {
            Some(options) => format!(", \"shell\": {{\"options\": {{{options}}}}}"),
            None => String::new(),
        };
        let expect = format!(
            "{{\"resources\": [{resources}], \"tasks\": [{{\"command\": [\"true\"], \
            \"slot\": \"task\", \"count\": {{{count}}}}}], \"attributes\": {{\"system\": \
            {{{system}\"environment\": {{\"A\": \"1\"}}, \"cwd\": \"/w\"{shell}}}}}, \
            \"version\": 1}}\n"
        );
        assert_eq!(dry_run(options), expect);
    };
    let slot = "{\"type\": \"slot\", \"count\": 1, \"with\": \
        [{\"type\": \"core\", \"count\": 1}], \"label\": \"task\"}";
    let each = "\"per_slot\": 1";
    check("", slot, each, "\"duration\": 0, ", "");
    check("-t 2", slot, each, "\"duration\": 120.0, ", "");
    check(
        "-o verbose=2 -o a.b",
        slot,
        each,
        "\"duration\": 0, ",
        ", \"verbose\": 2, \"a\": {\"b\": 1}",
    );
    check(
        "--output=f -l --signal=@3m",
        slot,
        each,
        "\"duration\": 0, ",
        ", \"output\": {\"stdout\": {\"type\": \"file\", \"path\": \"f\", \"label\": true}}, \
        \"signal\": {\"signum\": 10, \"timeleft\": 180.0}",
    );
    let node =
        format!("{{\"type\": \"node\", \"count\": 1, \"exclusive\": true, \"with\": [{slot}]}}");
    check(
        "-N1 --tasks-per-node=2",
        &node,
        each,
        "\"duration\": 0, ",
        ", \"per-resource\": {\"type\": \"node\", \"count\": 2}",
    );
}

#[test]
fn resources_may_be_given_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.json");
    let path = path.to_str().unwrap();
    let list = r#"[{"type": "slot", "count": 2, "label": "task", "with": [{"type": "core", "count": 1}]}]"#;
    let expect = format!("{{\"resources\": {list}, \"tasks\"");
    let shape = "--resources-shape=slot=2/core";
    for options in [shape, &format!("-N4 -n2 {shape}"), &format!("-x {shape}")] {
        let shown = dry_run(options);
        assert!(shown.starts_with(&expect), "{options}: {shown}");
    }
    for document in [
        list.to_owned(),
        format!(r#"{{"version": 1, "resources": {list}}}"#),
    ] {
        std::fs::write(path, document).unwrap();
        let shown = dry_run(&format!("--resources-json={path}"));
        assert!(shown.starts_with(&expect), "{shown}");
    }
    std::fs::write(path, "x").unwrap();
    for (options, text) in [
        (
            format!("{shape} --resources-json={path}"),
            "`--resources-shape` and `--resources-json` are mutually exclusive arguments. \
            Use only one."
                .to_owned(),
        ),
        (
            "--resources-shape=slot/".to_owned(),
            "Unexpected end of input in 'slot/'".to_owned(),
        ),
        (
            "--resources-json=/no".to_owned(),
            "No such file or directory: '/no'".to_owned(),
        ),
        (
            format!("--resources-json={path}"),
            format!("--resources-json: {path}: expected value at line 1 column 1"),
        ),
    ] {
        let expect = format!("-- stderr\nflux-submit: ERROR: {text}\n-- code 1\n");
        assert_eq!(dry_run(&options), expect);
    }
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for (options, text) in [
        ("-x", "exclusive can only be set with a node count"),
        (
            "-n1 --cores=2",
            "Per-resource options can't be used with per-task options. (See --help for details)",
        ),
        (
            "--gpus-per-node=1 --cores=1",
            "--gpus-per-node requires --nodes",
        ),
        (
            "--tasks-per-node=2",
            "must specify node or core count with per_resource",
        ),
        ("--cores=0", "--cores must be >= 1"),
        ("-n0 -c0", "core count must be greater than zero"),
        ("-n1 -c0", "core count must be greater than zero"),
        ("-N0", "node count must be greater than zero"),
        ("-N1 --tasks-per-node=0", "--tasks-per-node must be >= 1"),
        (
            "--cores=1 --tasks-per-core=0",
            "--tasks-per-core must be >= 1",
        ),
        ("--flags=debug,foo", "--flags: Unknown flag foo"),
        (
            "--requires=(a",
            "--requires='(a': Unclosed parenthesis in position 0",
        ),
    ] {
        let expect = format!("-- stderr\nflux-submit: ERROR: {text}\n-- code 1\n");
        assert_eq!(dry_run(options), expect);
    }
}

#[test]
fn no_tasks_are_as_many_as_none_is_said_of() {
    for (zero, none) in [
        ("-n0", ""),
        ("-N1 -n0", "-N1"),
        ("-n0 --cores=2", "--cores=2"),
    ] {
        assert_eq!(dry_run(zero), dry_run(none), "{zero}");
    }
}

#[test]
fn what_this_version_lacks_is_refused_before_it_is_sent() {
    for command in ["submit", "run"] {
        let said = super::run(&[], &[command, "-Sbatch.script=x", "true"], "");
        let expect = format!(
            "-- stderr\nflux-{command}: ERROR: attributes.system.batch is not supported in this version\n-- code 1\n"
        );
        assert_eq!(said, expect);
    }
}

#[test]
fn logs_take_the_place_of_the_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let submitted = [r#"submit ["false"] urgency=16"#];
    let (both, errors) = (path("both-{cc}"), path("errors"));
    let line = format!("submit --cc=7 --watch --log={both} --log-stderr={errors} false");
    check(&line, "", ran(256), "-- code 1\n", &submitted);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("both-7"), "ƒ2\na\nb\n");
    assert_eq!(read("errors"), "x0.400s: flux-shell[1]:  WARN: careful\n");
    let line = format!("submit --log={both}/no true");
    let expect =
        format!("-- stderr\nflux-submit: ERROR: {both}/no: No such file or directory\n-- code 1\n");
    check(&line, "", ran(0), &expect, &[]);
}

#[test]
fn progress_is_for_terminals() {
    check(
        "submit --progress --jps true",
        "",
        ran(0),
        "ƒ2\n-- stderr\nflux: WARNING: stdout is not a tty. Ignoring --progress option\n",
        &[r#"submit ["true"] urgency=16"#],
    );
}

#[test]
fn numbers_that_are_none_are_told_by_their_option() {
    check(
        "submit -n x true",
        "",
        ran(0),
        "-- stderr\nflux-submit: ERROR: --ntasks: invalid int value 'x'\n-- code 1\n",
        &[],
    );
}

#[test]
fn of_an_option_that_is_given_twice_the_last_counts() {
    check(
        "submit --urgency=1 --quiet --urgency=2 --cc=1-3 --cc=4 --quiet echo {cc}",
        "",
        ran(0),
        "",
        &[r#"submit ["echo","4"] urgency=2"#],
    );
    let both = dry_run("-o a=1 -o b=2");
    assert!(both.contains(r#""a": 1, "b": 2"#), "{both}");
}
