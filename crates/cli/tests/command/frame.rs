//! What is common to all commands: how they are found, how they fail, what they ask for.

use super::{check, refusing, run};
use proto::Errno;

#[test]
fn an_unknown_command_is_told_with_the_nearest_one() {
    let expect = "-- stderr\n\
        flux: `getatr' is not a flux command.  See 'flux --help'\n\
        hint: did you mean 'flux getattr'?\n\
        -- code 1\n";
    assert_eq!(run(&[], &["getatr"], ""), expect);
    let expect = "-- stderr\n\
        flux: `frobnicate' is not a flux command.  See 'flux --help'\n\
        -- code 1\n";
    assert_eq!(run(&[], &["frobnicate"], ""), expect);
}

#[test]
fn without_a_broker_the_command_says_so() {
    let env = [
        ("FLUX_URI", "local:///nonexistent/local"),
        ("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "0"),
    ];
    let expect = "-- stderr\n\
        flux-getattr: flux_open: No such file or directory\n\
        hint: tried local:///nonexistent/local: no instance runs there: 'flux start' runs one, and FLUX_URI says where it is\n\
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
    assert_eq!(run(&[], &["--help"], ""), overview);
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
