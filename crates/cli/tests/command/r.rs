//! `flux R`: no broker is asked, so whole command lines show all of it.

use super::run;

/// Runs `flux R LINE` with these sets on standard input.
fn check(line: &str, input: &str, expect: &str) {
    let words: Vec<&str> = ["R"].into_iter().chain(line.split_whitespace()).collect();
    assert_eq!(run(&[], &words, input), expect, "flux R {line}");
}

/// A set as `flux R encode` prints it.
fn encode(line: &str) -> String {
    let words: Vec<&str> = ["R", "encode"]
        .into_iter()
        .chain(line.split_whitespace())
        .collect();
    run(&[], &words, "")
}

/// Runs `flux R LINE` with these sets on standard input and prints the result in short.
fn check_set(line: &str, sets: &[&str], expect: &str) {
    let input: String = sets.iter().map(|set| encode(set)).collect();
    let words: Vec<&str> = ["R"].into_iter().chain(line.split_whitespace()).collect();
    let set = run(&[], &words, &input);
    check("decode -sn", &set, expect);
}

fn refusal(text: &str) -> String {
    format!("-- stderr\nflux-R: {text}\n-- code 1\n")
}

#[test]
fn a_set_is_made_of_ids() {
    let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"gpu":"0","core":"0-3"}}],"nodelist":["a,b"],"properties":{"x":"1","y!":"0-1"},"starttime":0.0,"expiration":0.0}}"#;
    check(
        "encode -r 0-1 -c 0-3 -g 0 -H a,b -p x:1 -p y!",
        "",
        &format!("{r}\n"),
    );
    check(
        "decode -snrc core -c gpu",
        &encode("-H n[1-3] -g 0-1"),
        "rank[0-2]/core0,gpu[0-1]\nn[1-3]\n0-2\n6\n",
    );
    let host = nix::unistd::gethostname().unwrap();
    check(
        "decode -sn",
        &encode(""),
        &format!("rank0/core0\n{}\n", host.to_string_lossy()),
    );
}

#[test]
fn what_makes_no_set_is_told() {
    for (line, text) in [
        ("-r x", "Failed to decode ranks='x' as idset"),
        (
            "-r 0-1 -H a",
            "hostname count in 'a' does not match nranks (2)",
        ),
        (
            "-l -c 1",
            "do not specify --cores or --gpus with --local or --xml",
        ),
        (
            "-f x -g 1",
            "do not specify --cores or --gpus with --local or --xml",
        ),
        (
            "-p x:5",
            "failed to assign properties: rank 5 not found in target resource list",
        ),
        (
            "-p x:y",
            "failed to assign properties: invalid idset in 'x:y'",
        ),
        ("-r 0-4000000000", "more than 131072 ranks"),
        (
            "-f /nonexistent/x",
            "/nonexistent/x: No such file or directory",
        ),
    ] {
        check(&format!("encode {line}"), "", &refusal(text));
    }
}

#[test]
fn a_set_of_this_machine_has_a_core() {
    let set = encode("--local -H x");
    let counted = run(&[], &["R", "decode", "--count=core"], &set);
    assert!(
        counted.trim().parse::<u32>().unwrap() > 0,
        "{set} {counted}"
    );
}

#[test]
fn sets_are_combined() {
    check_set(
        "append",
        &["-r 0 -c 0-1 -H a", "-r 1 -c 0 -H b"],
        "rank0/core[0-1] rank1/core0\na,b\n",
    );
    check_set(
        "append",
        &["-r 0 -c 0-1 -H a", "-r 0 -c 2 -H a"],
        "rank0/core[0-2]\na\n",
    );
    check_set(
        "diff",
        &["-H a,b -c 0-3", "-H a -c 1", "-r 1 -H b -c 0-3"],
        "rank0/core[0,2-3]\na\n",
    );
    check_set("diff", &["-H a", "-H a"], "\n\n");
    check_set(
        "intersect",
        &["-H a,b -c 0-3", "-H a,b -c 2-9", "-H a -c 3"],
        "rank0/core3\na\n",
    );
    check_set(
        "remap",
        &["-r 3,7 -H a,b", "-r 9 -H c"],
        "rank[0-2]/core0\na,b,c\n",
    );
    check_set(
        "rerank b,a",
        &["-r 3 -H a -c 0", "-r 4 -H b -c 1"],
        "rank0/core1 rank1/core0\nb,a\n",
    );
}

#[test]
fn what_cannot_be_combined_is_told() {
    let two = format!("{}{}", encode("-H a -c 0-1"), encode("-H a -c 1"));
    check(
        "append",
        &two,
        &refusal("R objects 'rank0/core[0-1]' and 'rank0/core1' overlap"),
    );
    let one = encode("-r 0-1 -H a,b");
    check(
        "diff",
        &one,
        &refusal("diff requires at least 2 resource sets"),
    );
    check(
        "intersect",
        &one,
        &refusal("intersect requires at least 2 resource sets"),
    );
    check(
        "rerank",
        &one,
        &refusal("Must provide a hostlist for re-ranking: Success"),
    );
    check(
        "rerank a,b,c",
        &one,
        &refusal("Too many hosts specified (expected 2)"),
    );
    check(
        "rerank a",
        &one,
        &refusal("Too few hosts specified (expected 2)"),
    );
    check(
        "rerank a,c",
        &one,
        &refusal("failed to find one or more provided hosts in R"),
    );
}

#[test]
fn a_part_is_decoded() {
    let set = encode("-r 0-3 -H n[0-3] -c 0-1 -p big:1-2 -p old:2-3");
    let check_ranks = |options: &str, expect: &str| {
        check(
            &format!("decode -r {options}"),
            &set,
            &format!("{expect}\n"),
        );
    };
    check_ranks("-i 1-2,9", "1-2");
    check_ranks("-x 1-2", "0,3");
    check_ranks("-p big", "1-2");
    check_ranks("-p big,old", "2");
    check_ranks("-p ^big -x 0", "3");
    check_ranks("-i 0 -x 0", "");
    check("decode -s -x 0-9", &set, "\n");
    // Union: what is in both counts once.
    check("decode -c core", &format!("{set}{set}"), "8\n");
    check("decode", &set, &set);
    let text = "--count: unknown type 'x', expected node, core or gpu";
    check("decode -c x", &set, &refusal(text));
    check(
        "decode -i x",
        &set,
        &refusal("--include: invalid idset 'x'"),
    );
}

#[test]
fn what_is_no_set_is_told() {
    let near = |what: &str| {
        refusal(&format!(
            "Failed to read an R object: '[' or '{{' expected near {what}"
        ))
    };
    check("decode", "", &near("end of file"));
    check("decode", "foo bar", &near("'foo'"));
    let missing = |key: &str| {
        refusal(&format!(
            "Failed to decode R on stdin: Object item not found: {key}"
        ))
    };
    check("decode", "{}", &missing("version"));
    check("decode", r#"{"version":1}"#, &missing("execution"));
    check(
        "decode",
        r#"{"version":1,"execution":{}}"#,
        &missing("R_lite"),
    );
    let second = format!("{}[", encode(""));
    let said = run(&[], &["R", "append"], &second);
    assert!(
        said.starts_with("-- stderr\nflux-R: Failed to read an R object: "),
        "{said}"
    );
}

#[test]
fn one_rank_is_verified() {
    let check_pair = |expected: &str, actual: &str, expect: &str| {
        let input = format!("{}{}", encode(expected), encode(actual));
        check("verify", &input, expect);
    };
    check_pair("-H a -c 0-1", "-H a -c 0-1", "");
    check_pair(
        "-H a -c 0-1",
        "-H a -c 1",
        &refusal("rank 0 (a) missing resources: core0"),
    );
    let extra = "-- stderr\nflux-R: rank 0 (a) has extra resources: core[2-3]\n";
    check_pair("-H a -c 0-1", "-H a -c 0-3", extra);
    check_pair(
        "-H a",
        "-H b",
        &refusal("rank 0 got hostname 'b', expected 'a'"),
    );
    check_pair("-H a,b", "-r 1 -H b", "");
    check_pair(
        "-H a",
        "-r 1 -H b",
        &refusal("rank 1 not found in expected ranks"),
    );
    check_pair(
        "-H a,b",
        "-H a,b",
        &refusal("Verification supported on single rank only"),
    );
    check(
        "verify",
        &encode(""),
        &refusal("verify requires exactly 2 R objects on stdin"),
    );
}

#[test]
fn properties_are_replaced_and_added() {
    let set = encode("-H a,b -p x:0");
    let with = |properties: &str| set.replace(r#"{"x":"0"}"#, properties);
    check("set-property x:1 y", &set, &with(r#"{"x":"1","y":"0-1"}"#));
    let text = "failed to assign properties: rank 7 not found in target resource list";
    check("set-property y:7", &set, &refusal(text));
}

#[test]
fn a_configuration_is_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let config = "[[resource.config]]\nhosts = \"a[0-1]\"\ncores = \"0-3\"\nproperties = [\"p\"]\n[[resource.config]]\nhosts = \"a1\"\ngpus = \"0\"\n";
    let json = file("s.json", r#"{"writer":"x"}"#);
    let path = file(
        "a.toml",
        &format!("resource.scheduling = \"{json}\"\n{config}"),
    );
    let r = r#"{"version":1,"execution":{"R_lite":[{"rank":"0","children":{"core":"0-3"}},{"rank":"1","children":{"gpu":"0","core":"0-3"}}],"nodelist":["a[0-1]"],"properties":{"p":"0-1"},"starttime":0.0,"expiration":0.0},"scheduling":{"writer":"x"}}"#;
    check(&format!("parse-config {path}"), "", &format!("{r}\n"));
    let r = file("R", r);
    let path = file("b.toml", &format!("resource.path = \"{r}\"\n"));
    let set = run(&[], &["R", "parse-config", &path], "");
    check("decode -s", &set, "rank0/core[0-3] rank1/core[0-3],gpu0\n");

    let json = file("bad.json", "{\n\"a\": }");
    let bad = file(
        "c.toml",
        &format!("resource.scheduling = \"{json}\"\n{config}"),
    );
    let text = format!("resource.scheduling: {json}: expected value on line 2");
    check(&format!("parse-config {bad}"), "", &refusal(&text));
    let none = file("d.toml", "");
    let text = "Config file error: resource.config or resource.path must be defined";
    check(&format!("parse-config {none}"), "", &refusal(text));
    let text = "flux_conf_parse: stat: /nonexistent/x: No such file or directory";
    check("parse-config /nonexistent/x", "", &refusal(text));
}

#[test]
fn a_verb_is_needed() {
    for line in [&["R"][..], &["R", "frob"]] {
        let said = run(&[], line, "");
        assert!(said.contains("Usage: flux R <COMMAND>"), "{said}");
        assert!(said.ends_with("-- code 1\n"), "{said}");
    }
}
