//! Tests of all commands: how they are found, how they fail, which requests they send.

use super::{check, refusing, run};
use proto::Errno;

#[test]
fn an_unknown_command_is_told_with_the_nearest_ones() {
    let expect = "-- stderr\n\
        flux: `getatr' is not a flux command.  See 'flux --help'\n\
        flux: The most similar commands are\n\
        flux: \tgetattr\n\
        flux: \tsetattr\n\
        flux: \tlsattr\n\
        -- code 1\n";
    assert_eq!(run(&[], &["getatr"], ""), expect);
    let expect = "-- stderr\n\
        flux: `frobnicate' is not a flux command.  See 'flux --help'\n\
        -- code 1\n";
    assert_eq!(run(&[], &["frobnicate"], ""), expect);
    let expect = "-- stderr\n\
        flux: `housekeepin' is not a flux command.  See 'flux --help'\n\
        flux: The most similar command is\n\
        flux: \thousekeeping\n\
        -- code 1\n";
    assert_eq!(run(&[], &["housekeepin"], ""), expect);
}

#[test]
fn without_a_broker_the_command_says_so() {
    let env = [
        ("FLUX_URI", "local:///nonexistent/local"),
        ("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "0"),
    ];
    let expect = "-- stderr\n\
        flux-getattr: flux_open: No such file or directory\n\
        hint: tried local:///nonexistent/local: no instance is running there: start one with 'flux start', or set FLUX_URI\n\
        -- code 1\n";
    assert_eq!(run(&env, &["getattr", "rank"], ""), expect);
    // Every command says where it looked.
    for line in [
        "jobs",
        "run true",
        "submit true",
        "kvs get x",
        "queue status",
        "resource list",
        "uptime",
        "job attach 1",
        "cancel 1",
        "dmesg",
        "ping kvs",
        "event sub",
        "shutdown",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let shown = run(&env, &words, "");
        let names_it = shown.contains("hint: tried local:///nonexistent/local: ");
        assert!(
            names_it && shown.ends_with("-- code 1\n"),
            "{line}: {shown}"
        );
    }
}

#[test]
fn a_mistake_on_the_command_line_shows_the_usage() {
    let expect = "-- stderr\n\
        flux-getattr: unexpected argument '--frob' found\n\
        Usage: flux getattr <NAME>\n\
        hint: to pass '--frob' as a value, use '-- --frob'\n\
        -- code 1\n";
    assert_eq!(run(&[], &["getattr", "--frob", "x"], ""), expect);
    let expect = "-- stderr\n\
        flux-getattr: the following required arguments were not provided:\n  <NAME>\n\
        Usage: flux getattr <NAME>\n\
        -- code 1\n";
    assert_eq!(run(&[], &["getattr"], ""), expect);
}

#[test]
fn long_options_may_be_abbreviated() {
    check(
        "setattr --for x y",
        refusing(Errno::EPERM),
        "-- stderr\nflux-setattr: x: Operation not permitted\n-- code 1\n",
    );
}

#[test]
fn help_is_on_standard_output() {
    let overview = run(&[], &["help"], "");
    assert!(
        overview.starts_with("Usage: flux [OPTIONS] COMMAND"),
        "{overview}"
    );
    assert!(overview.contains("\n  getattr "), "{overview}");
    let by_option = format!("-- stderr\n{overview}");
    assert_eq!(run(&[], &["--help"], ""), by_option);
    assert_eq!(run(&[], &["-h"], ""), by_option);
    let help = run(&[], &["getattr", "--help"], "");
    assert!(help.contains("Usage: flux getattr <NAME>"), "{help}");
    assert!(help.ends_with("flux getattr local-uri\n"), "{help}");
    assert_eq!(run(&[], &["help", "getattr"], ""), help);
}

#[test]
fn nothing_at_all_shows_what_there_is() {
    let shown = run(&[], &[], "");
    assert!(
        shown.starts_with("-- stderr\nUsage: flux [OPTIONS]"),
        "{shown}"
    );
    assert!(shown.ends_with("-- code 1\n"), "{shown}");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&[], &["completion", shell], "");
        assert!(script.contains("eventlog"), "{shell}");
    }
}

#[test]
fn a_command_of_many_says_that_one_is_missing() {
    check(
        "kvs",
        refusing(Errno::ENOSYS),
        "-- stderr\nflux-kvs: a sub-command is missing\nUsage: flux kvs <COMMAND>\n\
        hint: 'flux kvs --help' lists them\n-- code 1\n",
    );
    check(
        "resource",
        refusing(Errno::ENOSYS),
        "-- stderr\nUsage: flux resource <COMMAND>\n\
        flux-resource: error: a sub-command is missing\n\
        hint: 'flux resource --help' lists them\n-- code 2\n",
    );
}

#[test]
fn a_program_with_a_path_is_run_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file").display().to_string();
    let expect = format!("-- stderr\nflux: {path}: No such file or directory\n-- code 1\n");
    assert_eq!(run(&[], &[&path], ""), expect);
    std::fs::write(&path, "").unwrap();
    let expect = format!("-- stderr\nflux: {path}: Permission denied\n-- code 1\n");
    assert_eq!(run(&[], &[&path], ""), expect);
}

#[test]
fn the_environment_of_programs_is_shown() {
    let env = [
        ("FLUX_EXEC_PATH_PREPEND", "/first"),
        ("FLUX_URI", "local:///x"),
        ("PATH", "/b"),
    ];
    let exported = run(&env, &["env"], "");
    let first = exported.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("export FLUX_EXEC_PATH=\"/first:/"),
        "{exported}"
    );
    assert!(
        exported.ends_with("export FLUX_URI=\"local:///x\"\n"),
        "{exported}"
    );
    let shown = run(&env, &["-v", "lptest", "1", "1"], "");
    assert!(shown.contains("\nFLUX_EXEC_PATH=/first:/"), "{shown}");
    assert!(
        shown.contains("\nsub-command search path: /first:/"),
        "{shown}"
    );
    let path = shown
        .lines()
        .find(|line| line.contains("search path"))
        .unwrap_or_default();
    assert!(path.ends_with(":/b"), "{shown}");
}

#[test]
fn python_says_where_its_bindings_are_not() {
    let shown = run(&[], &["python", "--get-path"], "");
    assert!(
        shown.starts_with("-- stderr\nflux-python: no Python bindings are installed\nhint: "),
        "{shown}"
    );
    assert_eq!(run(&[], &["python", "--list-versions"], ""), "");
}
