//! Watching jobs that others have submitted.

use super::submission::{check, ran};

/// Output of a job of the fake instance.
const OUTPUT: &str = "a\nb\n-- stderr\nx0.400s: flux-shell[1]:  WARN: careful\n";

#[test]
fn output_is_printed_again_and_the_exit_code_is_the_largest() {
    check("watch ƒ2", "", ran(0), OUTPUT, &[]);
    let expect = format!("{OUTPUT}-- code 3\n");
    check("watch 1", "", ran(768), &expect, &[]);
    check(
        "watch -l -v ƒ2",
        "",
        ran(0),
        "ƒ2: 0: a\nƒ2: 0: b\n-- stderr\nflux-watch: INFO: Watching 1 jobs\n\
        ƒ2: 0.500s: complete: status=0\nƒ2: 1: x\n0.400s: flux-shell[1]:  WARN: careful\n",
        &[],
    );
}

#[test]
fn jobs_are_selected() {
    let userid = rustix::process::getuid().as_raw();
    let asked = |states: u32, since: &str| {
        let own = format!(r#"{{"userid":[{userid}]}}"#);
        format!(r#"list {{"and":[{{"states":[{states}]}},{own}]}} since={since}"#)
    };
    let twice = "a\nb\na\nb\n-- stderr\nx0.400s: flux-shell[1]:  WARN: careful\n\
        x0.400s: flux-shell[1]:  WARN: careful\n";
    for (line, states, since) in [
        ("-a", 62, "null"),
        ("-A", 126, "null"),
        ("-f inactive", 64, "null"),
        ("--since=50", 126, "50.0"),
        ("-A --progress", 126, "null"),
    ] {
        let expect = match line.contains("progress") {
            true => twice.replace(
                "-- stderr\n",
                "-- stderr\nflux: WARNING: stdout is not a tty. Ignoring --progress option\n",
            ),
            false => twice.to_owned(),
        };
        check(
            &format!("watch {line}"),
            "",
            ran(0),
            &expect,
            &[&asked(states, since)],
        );
    }
    check("watch -A -c1", "", ran(0), OUTPUT, &[&asked(126, "null")]);
}

#[test]
fn what_selects_nothing_is_told() {
    check(
        "watch",
        "",
        ran(0),
        "-- stderr\nflux-watch: ERROR: At least one job selection option is required\n\
        Try 'flux watch --help' for more information.\n-- code 1\n",
        &[],
    );
    check(
        "watch 12345",
        "",
        ran(0),
        "-- stderr\nflux-watch: ERROR: JobID 12345 unknown\nflux-watch: INFO: No matching jobs\n",
        &[],
    );
    check(
        "watch --since=2100-01-01",
        "",
        ran(0),
        "-- stderr\nflux-watch: ERROR: --since=2100-01-01 appears to be in the future\n-- code 2\n",
        &[],
    );
    check(
        "watch --since=zz",
        "",
        ran(0),
        "-- stderr\nflux-watch: ERROR: --since: invalid value 'zz'\n-- code 2\n",
        &[],
    );
}
