//! The options of commands that submit jobs: their values in the jobspec, or their errors.

use serde_json::Value;

/// Output of `flux COMMAND WORDS true` as a dry run.
fn dry_run(env: &[(&str, &str)], command: &str, words: &[&str]) -> String {
    let first = [command, "--dry-run", "--cwd=/w", "--rlimit=-*"];
    let words: Vec<&str> = first
        .iter()
        .chain(words)
        .chain(&["true"])
        .copied()
        .collect();
    super::run(env, &words, "")
}

/// The jobspec of a dry run at this place, as compact JSON; `absent` if there is nothing.
fn check_words(words: &[&str], pointer: &str, expect: &str) {
    let shown = dry_run(&[], "submit", words);
    let jobspec: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown}"));
    let found = jobspec.pointer(&format!("/attributes/{pointer}"));
    let found = found.map_or_else(|| "absent".to_owned(), Value::to_string);
    assert_eq!(found, expect, "{words:?}");
}

fn check(line: &str, pointer: &str, expect: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    check_words(&words, pointer, expect);
}

/// The same for an option of the job shell.
fn check_shell(line: &str, option: &str, expect: &str) {
    check(line, &format!("system/shell/options/{option}"), expect);
}

fn refused(words: &[&str], text: &str) {
    let expect = format!("-- stderr\n{text}\n-- code 1\n");
    assert_eq!(dry_run(&[], "submit", words), expect, "{words:?}");
}

fn check_refused(line: &str, text: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    refused(&words, &format!("flux-submit: ERROR: {text}"));
}

#[test]
fn numbers_are_read_late_and_told_by_their_option() {
    for option in [
        "--ntasks",
        "--nodes",
        "--cores-per-task",
        "--gpus-per-task",
        "--tasks-per-node",
        "--tasks-per-core",
        "--cores",
        "--gpus-per-node",
    ] {
        let needs = match option {
            "--gpus-per-node" => "-N1 ",
            "--tasks-per-node" | "--tasks-per-core" => "--cores=1 ",
            _ => "",
        };
        check_refused(
            &format!("{needs}{option}=zz"),
            &format!("{option}: invalid int value 'zz'"),
        );
    }
    check_refused("-t x", "invalid Flux standard duration");
    check_refused(
        "--urgency=zz",
        "invalid literal for int() with base 10: 'zz'",
    );
    check("-t 5", "system/duration", "300.0");
    check("-t 0", "system/duration", "0");
}

#[test]
fn the_jobspec_has_the_order_that_people_know() {
    let expect = "{\"resources\": [{\"type\": \"slot\", \"count\": 1, \"with\": \
        [{\"type\": \"core\", \"count\": 1}], \"label\": \"task\"}], \
        \"tasks\": [{\"command\": [\"true\"], \"slot\": \"task\", \"count\": {\"per_slot\": 1}}], \
        \"attributes\": {\"system\": {\"duration\": 0, \"environment\": {}, \"cwd\": \"/w\"}}, \
        \"version\": 1}\n";
    assert_eq!(dry_run(&[], "run", &["--env=-*"]), expect);
    let shown = dry_run(&[], "submit", &["--job-name=ƒ"]);
    assert!(shown.contains("\"name\": \"ƒ\""), "{shown}");
}

#[test]
fn the_environment_follows_rules() {
    let vars = [("A", "1"), ("AB", "2")];
    let check = |rules: &[&str], expect: &str| {
        let shown = dry_run(&vars, "submit", rules);
        let found = match serde_json::from_str::<Value>(&shown) {
            Ok(jobspec) => {
                let system = &jobspec["attributes"]["system"];
                format!(
                    "{} {}",
                    system["environment"], system["shell"]["options"]["env-expand"]
                )
            }
            Err(_) => shown,
        };
        assert_eq!(found, expect, "{rules:?}");
    };
    check(&[], r#"{"A":"1","AB":"2"} null"#);
    check(&["--env=-A"], r#"{"AB":"2"} null"#);
    check(&["--env=-/A/"], "{} null");
    check(&["--env-remove=A*", "--env=A"], r#"{"A":"1"} null"#);
    check(&["--env=-*", "--env=NONE*"], "{} null");
    check(&["--env=-*", "--env=X=$A.${AB}$$"], r#"{"X":"1.2$"} null"#);
    check(&["--env=-*", "--env=X={{id}}"], r#"{} {"X":"{{id}}"}"#);
    let text = |text: &str| format!("-- stderr\nflux-submit: ERROR: --env: {text}\n-- code 1\n");
    check(
        &["--env=X=$NOPE"],
        &text("Variable 'NOPE' not found in X=$NOPE"),
    );
    check(&["--env=X=$"], &text("Unable to substitute X=$"));
    check(
        &["--env=X=${A:-x}"],
        &text("Unable to substitute X=${A:-x}"),
    );
    let missing = text("[Errno 2] No such file or directory: '/nope'");
    check(&["--env=^/nope"], &missing);
    check(&["--env-file=/nope"], &missing);
}

#[test]
fn limits_of_processes_follow_rules() {
    check_shell(
        "--rlimit=core=5,cpu=inf",
        "rlimit",
        r#"{"core":5,"cpu":-1}"#,
    );
    check_shell("--rlimit=core=unlimited", "rlimit", r#"{"core":-1}"#);
    check("-t 0", "system/shell", "absent");
    check_refused("--rlimit=foo", "No corresponding rlimit matching \"foo\"");
    check_refused("--rlimit=zz=1", "Invalid rlimit \"zz\"");
    check_refused("--rlimit=core=x", "Invalid value in core=x");
}

#[test]
fn signals_have_a_number_and_a_time() {
    check_shell("--signal", "signal", r#"{"signum":10,"timeleft":60.0}"#);
    check_shell(
        "--signal=USR2@2m",
        "signal",
        r#"{"signum":12,"timeleft":120.0}"#,
    );
    check_shell(
        "--signal=SIGINT",
        "signal",
        r#"{"signum":2,"timeleft":60.0}"#,
    );
    check_shell("--signal=15@5", "signal", r#"{"signum":15,"timeleft":5.0}"#);
    check_refused("--signal=foo", "--signal=foo: signal 'foo' is invalid");
    check_refused("--signal=usr1", "--signal=usr1: signal 'usr1' is invalid");
    check_refused(
        "--signal=1@x",
        "--signal=1@x: invalid Flux standard duration",
    );
    check_refused("--signal=0", "--signal=0: signal must be > 0");
}

#[test]
fn taskmaps_and_dependencies_are_uris() {
    check_shell(
        "--taskmap=cyclic:2",
        "taskmap",
        r#"{"scheme":"cyclic","value":"2"}"#,
    );
    check_shell(
        "--taskmap=cyclic",
        "taskmap",
        r#"{"scheme":"cyclic","value":""}"#,
    );
    check_shell(
        "--taskmap=a:b?c=1",
        "taskmap",
        r#"{"scheme":"a","value":"b","c":1}"#,
    );
    check_refused("--taskmap=foo?bar=1", "Invalid taskmap URI \"foo?bar=1:\"");
    let system = "system/dependencies";
    check(
        "--dependency=afterok:ƒ2 --dependency=x:y?a=1&b=z&a=2.5",
        system,
        r#"[{"scheme":"afterok","value":"ƒ2"},{"scheme":"x","value":"y","a":[1,2.5],"b":"z"}]"#,
    );
    check(
        "--dependency=singleton",
        system,
        r#"[{"scheme":"singleton","value":""}]"#,
    );
    check_refused("--dependency=:", "Invalid dependency URI \":\"");
    let shown = dry_run(&[], "submit", &["--dependency=after:ƒ2"]);
    let text = "dependency scheme 'after' is deprecated, use 'afterstart'";
    assert!(shown.contains(text), "{shown}");
}

#[test]
fn requirements_are_joined() {
    let constraints = "system/constraints";
    check("--requires=a", constraints, r#"{"properties":["a"]}"#);
    check(
        "--requires=a,b --require=host:n[1-2] --requires=-rank:0",
        constraints,
        r#"{"and":[{"properties":["a","b"]},{"hostlist":["n[1-2]"]},{"not":[{"ranks":["0"]}]}]}"#,
    );
    check(
        "--requires=a|b --requires=c",
        constraints,
        r#"{"and":[{"or":[{"properties":["a"]},{"properties":["b"]}]},{"properties":["c"]}]}"#,
    );
    check_refused(
        "--requires=a:(",
        "--requires='a:(': Missing argument to token 'a:'",
    );
}

#[test]
fn files_travel_by_path_or_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tool");
    std::fs::write(&path, "x").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(&path, mode).unwrap();
    let path = path.to_str().unwrap();
    let file = r#"{"size":1,"mode":33184,"data":"x","encoding":"utf-8"}"#;
    check(
        &format!("--add-file={path}"),
        "system/files",
        &format!(r#"{{"tool":{file}}}"#),
    );
    check(
        &format!("--add-file=a.b:700={path}"),
        "system/files",
        &format!(r#"{{"a.b":{file}}}"#),
    );
    check_words(
        &["--add-file=x=a\n"],
        "system/files/x",
        r#"{"mode":33152,"data":"a\n","encoding":"utf-8"}"#,
    );
    check_words(
        &["--add-file=x:755=a\\nb"],
        "system/files/x",
        r#"{"mode":33261,"data":"a\nb","encoding":"utf-8"}"#,
    );
    check_refused(
        "--add-file=x=/nonexist",
        "--add-file=x=/nonexist: [Errno 2] No such file or directory: '/nonexist'",
    );
    refused(
        &["--add-file=a\n"],
        "flux-submit: ERROR: --add-file: file name missing",
    );
}

#[test]
fn attributes_and_shell_options_have_values_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v");
    std::fs::write(&path, r#"{"a": [1]}"#).unwrap();
    let path = path.to_str().unwrap();
    check_shell("-o a -o b.c=2 -o d=x", "a", "1");
    check_shell("-o b.c=2", "b", r#"{"c":2}"#);
    check_shell("--setopt=d=x", "d", r#""x""#);
    check_shell(&format!("-o ^k={path}"), "k", r#"{"a":[1]}"#);
    check("-S a.b=2", "system/a", r#"{"b":2}"#);
    check("-S system.a", "system/a", "1");
    check("-S user.a=x", "user/a", r#""x""#);
    check("-S .user.a=x", "user/a", r#""x""#);
    check("-S .a=1", "a", "1");
    check("-S attributes.user.a=1", "user/a", "1");
    check(&format!("-S ^user.k={path}"), "user/k", r#"{"a":[1]}"#);
    check_refused("-S ^a=/nope", "No such file or directory: '/nope'");
    std::fs::write(path, "x").unwrap();
    let text = format!("--setattr: {path}: expected value at line 1 column 1");
    check_refused(&format!("-S ^a={path}"), &text);
}

#[test]
fn streams_go_to_files() {
    check_shell(
        "--output=f",
        "output",
        r#"{"stdout":{"type":"file","path":"f"}}"#,
    );
    check_shell("--output=none", "output", r#"{"stdout":{"type":"kvs"}}"#);
    check_shell(
        "--input=f",
        "input",
        r#"{"stdin":{"type":"file","path":"f"}}"#,
    );
    check_shell(
        "-u --error=f -l",
        "output/stderr",
        r#"{"type":"file","path":"f","label":true,"buffer":{"type":"none"}}"#,
    );
    for ranks in ["0-1", "all"] {
        refused(
            &[&format!("--input={ranks}")],
            "flux: ERROR: per-task input not supported for submit",
        );
    }
    let shown = dry_run(&[], "run", &["--input=0-1"]);
    assert!(!shown.contains("input"), "{shown}");
}

#[test]
fn tasks_may_be_counted_by_resource() {
    check_shell(
        "-N1 --tasks-per-node=2",
        "per-resource",
        r#"{"type":"node","count":2}"#,
    );
    check_shell(
        "--cores=2 --tasks-per-core=3",
        "per-resource",
        r#"{"type":"core","count":3}"#,
    );
    for (line, text) in [
        ("-N1 --tasks-per-node=0", "--tasks-per-node must be >= 1"),
        (
            "-N1 --tasks-per-node=1 --tasks-per-core=1",
            "Do not specify both the number of tasks per node and per core",
        ),
        (
            "--gpus-per-node=1 --cores=1",
            "--gpus-per-node requires --nodes",
        ),
        (
            "-N2 --cores=1",
            "number of cores cannot be less than nnodes",
        ),
    ] {
        check_refused(line, text);
    }
}

#[test]
fn copies_are_made_by_number() {
    let shown = dry_run(
        &[],
        "submit",
        &["--cc=3-4", "--job-name={cc}.{{id}}", "--env=-*"],
    );
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(
        shown.contains(r#""environment": {"FLUX_JOB_CC": "3"}"#),
        "{shown}"
    );
    assert!(shown.contains(r#""name": "3.{{id}}""#), "{shown}");
    let shown = dry_run(&[], "submit", &["--bcc=3-4", "--job-name={cc}", "--env=-*"]);
    assert!(shown.contains(r#""environment": {}"#), "{shown}");
    assert!(shown.contains(r#""name": "3""#), "{shown}");
    check_refused("--cc=1 --bcc=1", "specify only one of --cc or --bcc");
    check_refused("--cc=zz", "IDset(): Invalid argument: zz");
    refused(
        &["--cc=1", "echo", "{nope}"],
        "flux: ERROR: Invalid replacement string in command: '{nope}'",
    );
    refused(
        &["--cc=1", "--job-name={foo}"],
        "flux: ERROR: Replacement key 'foo' not found in '--job-name={foo}'",
    );
    // Without copies nothing is replaced.
    let shown = dry_run(&[], "submit", &["awk", "{print}"]);
    assert!(shown.contains(r#"["awk", "{print}", "true"]"#), "{shown}");
}

#[test]
fn plugins_are_listed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("x.py"), "").unwrap();
    let env = [("FLUX_CLI_PLUGINPATH", path)];
    let text = "plugins in Python are not supported in this version";
    let expect = format!(
        "-- stderr\nflux-run: ERROR: FLUX_CLI_PLUGINPATH: {path}/x.py: {text}\n-- code 1\n"
    );
    assert_eq!(dry_run(&env, "run", &[]), expect);
    let expect = format!(
        "Options provided by plugins:\n  Search path: {path}\n  (plus flux.cli.plugins namespace)\n\
        \nresources-shape loaded from flux\n  --resources-shape    resources by their shape\n  \
        --resources-json     resources from a file of JSON\n\n"
    );
    for command in ["run", "submit", "bulksubmit", "batch", "alloc"] {
        assert_eq!(super::run(&env, &[command, "--list-plugins"], ""), expect);
        let shown = super::run(&[], &[command, "--help=resources-shape"], "");
        let first = "Documentation for plugin providing option `--resources-shape':\n";
        assert!(shown.starts_with(first), "{shown}");
        let expect =
            format!("-- stderr\nflux-{command}: ERROR: --help: no such option zz\n-- code 1\n");
        assert_eq!(super::run(&[], &[command, "--help=zz"], ""), expect);
        let help = super::run(&[], &[command, "--help"], "");
        assert!(help.contains("Usage: flux"), "{help}");
    }
}
