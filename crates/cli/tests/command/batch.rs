//! Batch jobs: the handling of a script and of the options in it.

use std::path::Path;

use serde_json::Value;

use super::run;

/// Options that leave nothing of this machine in a jobspec.
const SEALED: &str = "batch --dry-run --env=-* --rlimit=-* --cwd=/";

/// Output of `flux batch OPTIONS`, with `words` after those that seal it.
fn dry(words: &[&str], input: &str) -> String {
    let sealed: Vec<&str> = SEALED.split(' ').chain(words.iter().copied()).collect();
    run(&[("XDG_CONFIG_DIRS", "/nonexistent")], &sealed, input)
}

/// The parts of the jobspec at these pointers, in a row.
fn parts(words: &[&str], input: &str, pointers: &[&str]) -> String {
    let text = dry(words, input);
    let jobspec: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    let part = |pointer: &&str| {
        jobspec
            .pointer(pointer)
            .map_or("-".to_owned(), Value::to_string)
    };
    pointers.iter().map(part).collect::<Vec<_>>().join(" ")
}

const COMMAND: &str = "/tasks/0/command";
const NAME: &str = "/attributes/system/job/name";
const OPTIONS: &str = "/attributes/system/shell/options";
const SCRIPT: &str = "/attributes/system/files/script/data";

#[test]
fn a_batch_job_is_a_broker_with_a_script() {
    let words = "-n1 --conf=resource.noverify=true --broker-opts=-Slog-stderr-level=6,-v --dump \
        -t 5 -o a=b --wrap hostname -x";
    let words: Vec<&str> = words.split_whitespace().collect();
    let actual = dry(&words, "");
    // The order of what all submissions have is not this test's.
    let parts = [
        r#"{"resources": [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}], "#,
        r#""tasks": [{"command": ["flux", "broker", "-Slog-stderr-level=6", "-v", "-Scontent.dump=flux-{{jobid}}-dump.tgz", "#,
        r#"-dump.tgz", "-c{{tmpdir}}/conf.json", "{{tmpdir}}/script", "-x"], "slot": "task", "count": {"per_slot": 1}}], "#,
        r#"{"conf.json": {"mode": 33152, "data": {"resource": {"noverify": true}}}, "#,
        r##""script": {"mode": 33216, "data": "#!/bin/sh\nhostname -x\n", "encoding": "utf-8"}}"##,
        r#""options": {"output": {"stdout": {"type": "file", "path": "flux-{{id}}.out"}}, "#,
        r#""per-resource": {"type": "node"}, "mpi": "none", "exit-timeout": "none", "a": "b"}"#,
        r#""duration": 300.0"#,
    ];
    for part in parts {
        assert!(actual.contains(part), "{part}\n{actual}");
    }
}

#[test]
fn names_output_and_arguments_are_those_of_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.sh");
    std::fs::write(&path, "#!/bin/sh\nhostname\n").unwrap();
    let path = path.to_str().unwrap();
    let pointers = [COMMAND, NAME, SCRIPT];
    let broker = r#"["flux","broker","{{tmpdir}}/script""#;
    assert_eq!(
        parts(&["-n1", path, "-n2"], "", &pointers),
        format!(r##"{broker},"-n2"] "{path}" "#!/bin/sh\nhostname\n""##)
    );
    assert_eq!(
        parts(&["-n1", "--job-name=x"], "#!/bin/cat\n", &pointers),
        format!(r##"{broker}] "x" "#!/bin/cat\n""##)
    );
    assert_eq!(
        parts(&["-n1", "--wrap"], "hostname\n", &pointers),
        format!(r##"{broker}] "batch" "#!/bin/sh\nhostname\n""##)
    );
    assert_eq!(
        parts(
            &["-n1", "--output=x", "--wrap", "y"],
            "",
            &[&format!("{OPTIONS}/output")]
        ),
        r#"{"stdout":{"type":"file","path":"x"}}"#
    );
}

#[test]
fn brokers_may_be_added_on_the_first_node() {
    let pointers = [
        "/tasks/0/count",
        OPTIONS,
        "/attributes/system/files/conf.json/data",
    ];
    let options = r#"{"output":{"stdout":{"type":"file","path":"flux-{{id}}.out"}},"taskmap":"#;
    let rest = r#""mpi":"none","exit-timeout":"none"}"#;
    assert_eq!(
        parts(&["-N3", "--add-brokers=2", "--wrap", "x"], "", &pointers),
        format!(
            r#"{{"total":5}} {options}{{"scheme":"manual","value":"[[0,1,3,1],[1,2,1,1]]"}},{rest} {{"resource":{{"exclude":"1-2"}}}}"#
        )
    );
    assert_eq!(
        dry(&["-n3", "--add-brokers=2", "--wrap", "x"], ""),
        "-- stderr\nflux-batch: ERROR: --add-brokers may only be specified with -N, --nnodes\n\
         -- code 1\n"
    );
}

#[test]
fn directives_stand_in_front_of_the_command_line() {
    let script = "#!/bin/sh\n# flux: -n4 --job-name=\"a b\"\n# flux: -o x=1 # no\nhostname\n";
    let pointers = [
        "/resources/0/count",
        NAME,
        "/attributes/system/shell/options/x",
    ];
    assert_eq!(parts(&[], script, &pointers), r#"4 "a b" 1"#);
    assert_eq!(parts(&["-n2", "-ox=2"], script, &pointers), r#"2 "a b" 2"#);
    // Words have none.
    let wrapped = ["-n1", "--wrap", "#", "flux:", "-n4"];
    assert_eq!(parts(&wrapped, "", &pointers), r##"1 "#" -"##);
    let wrapped = parts(&["-n1", "--wrap"], "# flux: -ox=3\n", &pointers);
    assert_eq!(wrapped, r#"1 "batch" 3"#);
}

fn check_error(words: &[&str], input: &str, expect: &str, code: u8) {
    let actual = dry(words, input);
    let expect = format!("{expect}\n-- code {code}\n");
    assert!(actual.ends_with(&expect), "{actual}");
}

#[test]
fn what_is_no_batch_job_is_refused() {
    let error = |text: &str| format!("flux-batch: ERROR: {text}");
    let slots = "Number of slots to allocate must be specified";
    check_error(&["--wrap", "x"], "", &error(slots), 1);
    let start = "stdin does not appear to start with '#!'";
    check_error(&["-n1"], "hostname\n", &error(start), 1);
    check_error(&["-n1"], "", &error(start), 1);
    let missing = error("No such file or directory: '/no/such'");
    check_error(&["-n1", "/no/such"], "", &missing, 1);
    check_error(&["-n1", "/"], "", &error("Is a directory: '/'"), 1);
    let orphan = "#!/bin/sh\n# flux: -n1\nx\n# flux: -N1\n";
    let text = "stdin: line 4: orphan 'flux:' detected: directives disabled after line 2";
    check_error(&[], orphan, &error(text), 1);
    let option = "#!/bin/sh\n# flux: --zz\n";
    check_error(
        &["-n1"],
        option,
        &error("argument parsing failed at stdin line 2"),
        2,
    );
    let word = "#!/bin/sh\n# flux: -n1 x\n";
    check_error(
        &[],
        word,
        &error("argument parsing failed at stdin line 2"),
        2,
    );
    let cores = "flux-batch: error: unexpected argument '--cores' found";
    check_error(&["--cores=1", "--wrap", "x"], "", cores, 2);
    let name = error("--add-file: script: reserved name");
    check_error(
        &["-n1", "--add-file=script=\n", "--wrap", "x"],
        "",
        &name,
        1,
    );
    assert!(!Path::new("flux-{{id}}.out").exists());
}

#[test]
fn alloc_is_a_broker_with_a_command() {
    let sealed = SEALED.replace("batch", "alloc");
    let command = |words: &str| {
        let words: Vec<&str> = sealed.split(' ').chain(words.split(' ')).collect();
        let text = run(&[], &words, "");
        let jobspec: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        jobspec.pointer(COMMAND).unwrap().to_string()
    };
    assert_eq!(
        command("-n1 --broker-opts=-v hostname -x"),
        r#"["flux","broker","-v","hostname","-x"]"#
    );
    assert_eq!(
        command("-N1 --bg --dump=x"),
        r#"["flux","broker","-Scontent.dump=x","-Sbroker.rc2_none=1"]"#
    );
    assert_eq!(command("-N1 --bg x"), r#"["flux","broker","x"]"#);
}
