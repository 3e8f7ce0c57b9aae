use proto::data::shape::Support;
use serde_json::json;

use super::*;
use crate::lines::Buffering;

fn read(options: Value) -> Result<Options, Failure> {
    Options::read(options.as_object().unwrap(), None)
}

/// Messages, one line each: level, component and text; last, the reason for which the job
/// does not start.
fn said(options: Value) -> Vec<String> {
    let (remarks, fatal) = match read(options) {
        Ok(options) => (options.remarks, None),
        Err(failure) => (failure.remarks, Some(failure.fatal)),
    };
    let lines = remarks.iter().map(|remark| {
        let component = remark.component.map(|name| format!("{name}: "));
        let component = component.unwrap_or_default();
        format!("{:?} {component}{}", remark.level, remark.text)
    });
    lines
        .chain(fatal.map(|fatal| format!("Fatal {fatal}")))
        .collect()
}

fn check(options: Value, expect: &[&str]) {
    assert_eq!(said(options.clone()), expect, "{options}");
}

#[test]
fn every_row_that_is_used_is_read() {
    let options = Map::new();
    let mut reader = Reader::new(&options);
    Options::read_rows(&mut reader, None);
    let used = option::ALL
        .iter()
        .filter(|row| row.support != Support::Refused);
    let used: std::collections::BTreeSet<&str> = used.map(|row| row.name).collect();
    assert_eq!(reader.seen, used);
}

#[test]
fn nothing_asked_gives_the_defaults() {
    let options = read(json!({})).unwrap();
    assert_eq!(options.stdout.path, None);
    assert_eq!(options.stdout.buffering, Buffering::Line);
    assert_eq!(options.stderr.buffering, Buffering::None);
    assert_eq!(options.exit_timeout, Some(Duration::from_secs(30)));
    assert_eq!(options.affinity, CpuAffinity::default());
    assert_eq!(options.gpu_affinity, Affinity::On);
    assert_eq!(options.taskmap, Scheme::Block);
    assert!(options.pmi && options.openmpi && !options.exit_on_error);
    assert_eq!((options.signal, options.output_limit), (None, None));
    assert_eq!(options.rexec_shutdown, Duration::from_secs(60));
    assert_eq!(options.remarks, []);
}

#[test]
fn processes_of_clients_have_as_long_as_the_job_says() {
    let options = read(json!({"rexec-shutdown-timeout": "1.5s"})).unwrap();
    assert_eq!(options.rexec_shutdown, Duration::from_millis(1500));
    let text = "failed to parse rexec-shutdown-timeout: Invalid argument";
    check(
        json!({"rexec-shutdown-timeout": "x"}),
        &[
            &format!("Error rexec: {text}"),
            "Error plugin 'rexec': shell.init failed",
            &format!("Fatal shell_init: {text}"),
        ],
    );
}

#[test]
fn the_shell_is_as_verbose_as_an_option_or_an_attribute_says() {
    let check = |options: Value, attribute: Value, expect: i64| {
        let options = Options::read(options.as_object().unwrap(), Some(&attribute)).unwrap();
        assert_eq!(options.verbose, expect);
    };
    check(json!({}), json!(1), 1);
    check(json!({"verbose": 2}), json!(1), 2);
    check(json!({"verbose": 9}), json!(null), 2);
    check(json!({"verbose": -1}), json!(null), 0);
}

#[test]
fn standard_error_follows_standard_output_unless_it_is_told_otherwise() {
    let both = json!({"output": {"stdout": {"type": "file", "path": "a", "label": true}}});
    let options = read(both).unwrap();
    assert_eq!(options.stderr.path.as_deref(), Some("a"));
    assert!(options.stderr.label);
    let apart =
        json!({"output": {"mode": "append", "stdout": {"path": "a"}, "stderr": {"path": "b"}}});
    let options = read(apart).unwrap();
    assert_eq!(options.stdout.path.as_deref(), Some("a"));
    assert_eq!(options.stderr.path.as_deref(), Some("b"));
    assert!(options.stderr.append && options.stdout.append);
    let kvs = json!({"output": {"stdout": {"path": "a"}, "stderr": {"type": "kvs"}}});
    assert_eq!(read(kvs).unwrap().stderr.path, None);
    let other = json!({"output": {"stdout": {"type": "tape"}}});
    assert_eq!(read(other).unwrap().stdout.path, None);
}

#[test]
fn dots_may_stand_in_names() {
    let options = json!({"output.stdout.buffer.type": "None", "pmi-simple": {"nomap": 1}});
    let options = read(options).unwrap();
    assert_eq!(options.stdout.buffering, Buffering::None);
    assert!(options.pmi_nomap);
}

#[test]
fn the_end_of_tasks_can_be_set() {
    let check = |value: Value, expect: Option<u64>| {
        let options = read(json!({"exit-timeout": value})).unwrap();
        assert_eq!(options.exit_timeout, expect.map(Duration::from_secs));
    };
    check(json!("none"), None);
    check(json!("None"), None);
    check(json!("2m"), Some(120));
    check(json!(5), Some(5));
    check(json!(1e308), None);
    assert!(read(json!({"exit-on-error": 0})).unwrap().exit_on_error);
}

#[test]
fn a_signal_has_a_number_and_a_time() {
    let check = |value: Value, expect: Option<(i32, u64)>| {
        let expect = expect.map(|(signum, left)| (signum, Duration::from_secs(left)));
        assert_eq!(read(json!({"signal": value})).unwrap().signal, expect);
    };
    check(json!(1), Some((10, 60)));
    check(json!(0), None);
    check(json!(12), Some((12, 60)));
    check(json!({"signum": 12, "timeleft": 5.0}), Some((12, 5)));
    check(json!({"timeleft": "2m"}), Some((10, 120)));
}

#[test]
fn pmi_is_served_by_the_names_of_ours() {
    let check = |value: Value, expect: bool| {
        assert_eq!(read(json!({"pmi": value})).unwrap().pmi, expect, "{value}");
    };
    for ours in ["simple", "pmi1", "cray,pmi2"] {
        check(json!(ours), true);
    }
    for other in ["off", "none", "pmix", "foo", ""] {
        check(json!(other), false);
    }
}

#[test]
fn an_mpi_that_nobody_knows_is_none() {
    assert!(!read(json!({"mpi": "none"})).unwrap().openmpi);
    assert!(read(json!({"mpi": "foo@1"})).unwrap().openmpi);
    let versioned = read(json!({"mpi": "foo@1"})).unwrap();
    assert_eq!(versioned.mpi, Some("foo".to_owned()));
}

#[test]
fn sizes_have_letters() {
    let check = |value: Value, bytes: u64, given: &str| {
        let options = read(json!({"output": {"limit": value}})).unwrap();
        assert_eq!(options.output_limit, Some((bytes, given.to_owned())));
    };
    check(json!(100), 100, "100");
    check(json!("2k"), 2048, "2k");
    check(json!("1.5M"), 3 << 19, "1.5M");
    check(json!("1G"), 1 << 30, "1G");
}

#[test]
fn tasks_are_counted_by_what_there_is() {
    let check = |value: Value, expect| {
        let options = read(json!({"per-resource": value})).unwrap();
        assert_eq!(options.per_resource, expect);
    };
    check(json!({"type": "node"}), Some((PerResource::Node, 1)));
    check(
        json!({"type": "core", "count": 3}),
        Some((PerResource::Core, 3)),
    );
    check(json!(null), None);
}

#[test]
fn options_nobody_knows_are_told() {
    check(
        json!({"mpibind": "off"}),
        &["Warn option mpibind is unknown and was not used"],
    );
    let text = "Warn option output.limt is unknown and was not used: did you mean output.limit?";
    check(json!({"output": {"limt": 1}}), &[text]);
}

/// Options with a wrong value, and the messages (protocol/23 section 3).
#[test]
fn wrong_values_have_their_sentences() {
    let text = "exit-timeout is not a valid Flux Standard Duration";
    for value in [json!("aaa"), json!(false), json!(-1)] {
        failed(
            json!({"exit-timeout": value}),
            "task-exit",
            "task-exit",
            text,
        );
    }
    for (name, value) in [
        ("foo", json!(1)),
        ("cpu", json!("1")),
        ("cpu", json!(-2)),
        ("cpu", json!(u64::MAX)),
    ] {
        let text = format!("invalid shell option rlimit.{name}={value}");
        failed(json!({"rlimit": {name: value}}), "rlimit", "rlimit", &text);
    }
    let text = "cpuset 0x0 contains no cores or is invalid";
    failed(
        json!({"cpu-affinity": "map:0x0;1"}),
        "cpu-affinity",
        "cpu-affinity",
        text,
    );
    let text = "error in shell `signal' option: Expected object, got string";
    failed(json!({"signal": "foo"}), "signal", "signal", text);
    let text = "signal.timeleft=3y is invalid";
    failed(
        json!({"signal": {"timeleft": "3y"}}),
        "signal",
        "signal",
        text,
    );
    for signum in [json!(0), json!(-1), json!(65), json!(1_u64 << 32)] {
        let text = format!("signal.signum={signum} is invalid");
        failed(
            json!({"signal": {"signum": signum}}),
            "signal",
            "signal",
            &text,
        );
    }
}

/// The options fail, and it is said so of this plug-in by this component.
fn failed(options: Value, name: &str, component: &str, text: &str) {
    let said = said(options.clone());
    let own = format!("Error {component}: {text}");
    let plugin = format!("Error plugin '{name}': shell.init failed");
    let fatal = format!("Fatal shell_init: {text}");
    assert!(
        said.ends_with(&[own, plugin, fatal]),
        "{options}: {said:#?}"
    );
}

#[test]
fn wrong_values_of_pmi_and_of_streams_have_their_sentences() {
    let text = "pmi shell option must be a string";
    failed(json!({"pmi": 3}), "pmi-simple", "pmi-simple", text);
    let text = "option error: 1 object item(s) left unpacked: foo";
    failed(
        json!({"pmi-simple": {"foo": 1}}),
        "pmi-simple",
        "pmi-simple",
        text,
    );
    let text = "Unknown kvs implementation native";
    failed(
        json!({"pmi-simple": {"kvs": "native"}}),
        "pmi-simple",
        "pmi-simple",
        text,
    );
    let text = "invalid output.batch-timeout option";
    failed(
        json!({"output": {"batch-timeout": "x"}}),
        "output",
        "output.kvs",
        text,
    );
    let text = "input.stdin.type=foo invalid";
    failed(
        json!({"input": {"stdin": {"type": "foo"}}}),
        "input.service",
        "input.service",
        text,
    );
    let text = "invalid value for env var X";
    failed(
        json!({"env-expand": {"X": 1}}),
        "env-expand",
        "env-expand",
        text,
    );
}

#[test]
fn some_wrong_values_have_sentences_of_their_own_kind() {
    let parse = |name: &str| format!("Fatal failed to parse attributes.system.shell.{name}");
    assert_eq!(
        said(json!({"verbose": "foo"})).last(),
        Some(&parse("verbose"))
    );
    assert_eq!(
        said(json!({"nosetpgrp": "x"})).last(),
        Some(&parse("nosetpgrp"))
    );
    check(
        json!({"oom": {"wrongopt": 1}}),
        &[
            "Error shell_getopt: unpack error: 1 object item(s) left unpacked: wrongopt",
            "Error plugin 'oom': shell.init failed",
            "Fatal shell_init: 1 object item(s) left unpacked: wrongopt",
        ],
    );
    check(
        json!({"output": {"limit": "2G"}}),
        &[
            "Notice output.kvs: Invalid KVS output.limit=2G",
            "Error plugin 'output': shell.init failed",
            "Fatal shell_init: Invalid KVS output.limit=2G",
        ],
    );
    check(
        json!({"input": {"limit": "64M"}}),
        &[
            "Notice input.util: Invalid KVS input.limit=64M",
            "Error input.util: failed to initialize input ctx",
            "Error plugin 'input.service': shell.init failed",
            "Fatal shell_init: Invalid KVS input.limit=64M",
        ],
    );
    check(
        json!({"output": {"client": {"lwm": 5, "hwm": 5}}}),
        &[
            "Error output.config: invalid client.lwm and/or client.hwm specified",
            "Error plugin 'output': shell.init failed",
            "Fatal shell_init: invalid client.lwm and/or client.hwm specified",
        ],
    );
}

#[test]
fn some_wrong_values_are_told_and_the_job_goes_on() {
    check(
        json!({"verbose": 3}),
        &["Warn Ignoring shell verbosity > 2"],
    );
    check(
        json!({"cpu-affinity": 1}),
        &[
            "Error shell_getopt: unpack error: Expected string, got integer",
            "Warn cpu-affinity: cpu-affinity: invalid option: on",
        ],
    );
    check(
        json!({"gpu-affinity": [1]}),
        &[
            "Error shell_getopt: unpack error: Expected string, got array",
            "Warn gpu-affinity: Failed to get gpu-affinity shell option, ignoring",
        ],
    );
    let text = "Warn output.task: ignoring invalid output.mode=foo";
    check(json!({"output": {"mode": "foo"}}), &[text, text]);
    let text = "Error output.config: invalid buffer type specified: foo";
    check(
        json!({"output": {"stdout": {"buffer": {"type": "foo"}}}}),
        &[text],
    );
}

#[test]
fn tasks_that_cannot_be_spread_end_the_job() {
    let taskmap =
        |scheme: &str, value: &str| json!({"taskmap": {"scheme": scheme, "value": value}});
    let text = "Fatal block taskmap does not accept a value (got oops)";
    check(taskmap("block", "oops"), &[text]);
    check(
        taskmap("foo", ""),
        &["Fatal failed to map tasks with scheme=foo"],
    );
    let text = "Fatal taskmap={}: Object item not found: version";
    check(taskmap("manual", "{}"), &[text]);
    check(
        taskmap("cyclic", "0"),
        &[
            "Error taskmap.cyclic: invalid cyclic stride: 0",
            "Error plugin 'taskmap.cyclic': taskmap.cyclic failed",
            "Error taskmap.cyclic failed",
            "Fatal shell_taskmap: invalid cyclic stride: 0",
        ],
    );
    let malformed = [
        "Error failed to parse taskmap shell option",
        "Fatal shell_taskmap",
    ];
    check(json!({"taskmap": {"value": "1"}}), &malformed);
    let said = said(json!({"taskmap": 1}));
    assert!(said.ends_with(&malformed.map(str::to_owned)), "{said:?}");
}

#[test]
fn tasks_that_cannot_be_counted_end_the_job() {
    let fatal = |value: Value, why: &str| {
        let said = said(json!({ "per-resource": value }));
        let text = format!("Fatal failed to initialize shell info: {why}");
        assert_eq!(said.last(), Some(&text), "{value}");
    };
    let parsing = "error parsing jobspec: ";
    fatal(
        json!({"type": "foo"}),
        "error distributing 1 tasks per-foo over R",
    );
    for count in [json!(0), json!(-1)] {
        let text = format!("{parsing}per-resource.count must be > 0");
        fatal(json!({"type": "node", "count": count}), &text);
    }
    let text = format!("{parsing}invalid per-resource section: Object item not found: type");
    fatal(json!({"count": 1}), &text);
    let text = format!("{parsing}invalid per-resource section: Expected object, got integer");
    fatal(json!(1), &text);
}

#[test]
fn helpers_have_a_command_and_may_have_more() {
    let failed = |value: Value, text: &str| {
        failed(
            json!({ "coprocess": value }),
            "coprocess",
            "coprocess",
            text,
        );
    };
    let object = "coprocess option must be a non-empty object";
    failed(json!(1), object);
    failed(json!({}), object);
    failed(json!({"x": {}}), "x: Object item not found: command");
    let command = "x: command must be a non-empty array";
    failed(json!({"x": {"command": []}}), command);
    failed(json!({"x": {"command": "ls"}}), command);
    let ranks = json!({"x": {"command": ["ls"], "ranks": "y"}});
    failed(ranks, "x: invalid ranks 'y'");
    let text = "failed to parse coprocess-kill-timeout";
    let timeout = json!({"coprocess-kill-timeout": 5});
    super::tests::failed(timeout, "coprocess", "coprocess", text);
    let options = json!({"coprocess": {"x": {"command": ["ls"], "ranks": "0,2"}}});
    let options = read(options).unwrap();
    assert_eq!(options.coprocess_kill, Duration::from_secs(10));
    let helper = &options.coprocesses[0];
    assert_eq!(helper.ranks.as_ref().unwrap().to_string(), "0,2");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let said = said(json!({"exit-timeout": "x", "rlimit": {"foo": 1}}));
    assert_eq!(said.len(), 5, "{said:#?}");
    assert_eq!(
        said[4],
        "Fatal shell_init: exit-timeout is not a valid Flux Standard Duration"
    );
}

#[test]
fn tasks_run_on_terminals_as_the_job_says() {
    let has = |pty: Value| {
        let pty = read(json!({ "pty": pty })).unwrap().pty;
        pty.map(|pty| {
            (
                [0, 1].map(|rank| pty.has(rank)),
                pty.capture,
                pty.interactive,
            )
        })
    };
    assert_eq!(has(json!(null)), None);
    for scalar in [json!(1), json!(0), json!("x"), json!(true)] {
        assert_eq!(has(scalar), Some(([true; 2], true, false)));
    }
    assert_eq!(has(json!({})), Some(([true; 2], true, false)));
    assert_eq!(
        has(json!({"interactive": 1})),
        Some(([true, false], false, true))
    );
    let captured = json!({"interactive": 1, "capture": 1});
    assert_eq!(has(captured), Some(([true, false], true, true)));
    assert_eq!(
        has(json!({"ranks": "1", "capture": 0})),
        Some(([false, true], false, false))
    );
    let text = "invalid shell pty option: 1 object item(s) left unpacked: foo";
    check(json!({"pty": {"foo": 1}}), &[&format!("Fatal {text}")]);
    assert_eq!(
        read(json!({"pty": {"foo": 1}})).unwrap_err().component,
        Some("pty")
    );
    let text = "invalid shell pty option: Expected integer, got string";
    check(
        json!({"pty": {"capture": "x"}}),
        &[&format!("Fatal {text}")],
    );
    check(
        json!({"pty": {"ranks": "x"}}),
        &[
            "Error pty: pty: shell_taskids_intersect",
            "Error plugin 'pty': shell.init failed",
            "Fatal shell_init: pty: shell_taskids_intersect",
        ],
    );
    check(
        json!({"pty": {"interactive": 1, "ranks": "1"}}),
        &["Warn pty: pty: adding pty to rank 0 for interactive support"],
    );
}

#[test]
fn wrong_values_of_what_a_site_has_have_their_sentences() {
    let text = "Error parsing stage_in shell option";
    failed(
        json!({"stage-in": {"badopt": 1}}),
        "stage-in",
        "stage-in",
        text,
    );
    let text = "destination prefix must be local: or global:";
    failed(
        json!({"stage-in": {"destination": "wrong:/x"}}),
        "stage-in",
        "stage-in",
        text,
    );
    check(
        json!({"stage-in": {"tags": "a"}}),
        &[
            "Warn stage-in: Setting stage-in.names to the value of deprecated option \
             stage-in.tags.",
        ],
    );
    let text = "sysmon.period is not a valid FSD";
    for period in [json!("x"), json!(0), json!([])] {
        failed(
            json!({"sysmon": {"period": period}}),
            "sysmon",
            "sysmon",
            text,
        );
    }
    let text = "option parse error: 1 object item(s) left unpacked: bad";
    failed(json!({"sysmon": {"bad": 1}}), "sysmon", "sysmon", text);
    check(
        json!({"hwloc": {"xmlfile": "foo"}}),
        &[
            "Error shell_getopt: unpack error: Expected integer, got string",
            "Error hwloc: failed to unpack hwloc options",
            "Error plugin 'hwloc': shell.post-init failed",
            "Fatal shell_post_init",
        ],
    );
}

#[test]
fn what_a_site_has_can_be_asked_for() {
    let options = read(json!({"sysmon": 1, "hwloc": {"xmlfile": 1, "restrict": 1}})).unwrap();
    assert_eq!(options.sysmon, Some(Sysmon { period: None }));
    assert!(options.hwloc.xmlfile && options.hwloc.restrict);
    let options = read(json!({"sysmon": {"period": "1.5s"}, "stage-in": "x"})).unwrap();
    let period = Some(Duration::from_millis(1500));
    assert_eq!(options.sysmon, Some(Sysmon { period }));
    assert_eq!(options.stage_in.unwrap().names, ["main"]);
    assert!(
        read(json!({"rexec": {"sign-required": 1}}))
            .unwrap()
            .rexec_signed
    );
}
