use super::parse;

/// The words of each directive, with its line, or the complaint.
fn check(lines: &[&str], expect: &str) {
    let outcome = match parse(&lines.join("\n")) {
        Ok(directives) => {
            let shown = directives
                .iter()
                .map(|d| format!("{} {:?}", d.line, d.words));
            shown.collect::<Vec<_>>().join(" ")
        }
        Err(error) => error,
    };
    assert_eq!(outcome, expect, "{lines:#?}");
}

#[test]
fn sentinels_are_a_prefix_and_a_tag() {
    check(&["#!/bin/sh", "hostname"], "");
    check(&["#!/bin/sh", "# flux: -n1"], r#"2 ["-n1"]"#);
    check(&["#FLUX: -n1", "#FLUX: -N1"], r#"1 ["-n1"] 2 ["-N1"]"#);
    check(&["-- flux: -n1"], r#"1 ["-n1"]"#);
    check(&["flux: -n1"], r#"1 ["-n1"]"#);
    check(
        &["# fluxx: -n1", "#_flux: -n1", "x flux: -n1", "# Flux: -n1"],
        "",
    );
    check(&["#ƒ flux: -n1", "# é"], "");
}

#[test]
fn words_are_those_of_a_shell() {
    let check = |text: &str, expect: &str| check(&[&format!("# flux: {text}")], expect);
    check("-n1  -N 2 ", r#"1 ["-n1", "-N", "2"]"#);
    check("-n1 # -c2", r#"1 ["-n1"]"#);
    check("", "1 []");
    check("# -n1", "1 []");
    check(r#"--a="b c"'d "e"'f\ g"#, r#"1 ["--a=b cd \"e\"f g"]"#);
    check(r#"-a "\"\\\x" ''"#, r#"1 ["-a", "\"\\\\x", ""]"#);
    check(
        r#"--a="""a "b" 'c' # d""" -n1"#,
        r#"1 ["--a=a \"b\" 'c' # d", "-n1"]"#,
    );
    check("--a='''It's a \"job\"'''", r#"1 ["--a=It's a \"job\""]"#);
}

#[test]
fn lines_with_the_prefix_and_blank_lines_may_stand_in_between() {
    let lines = ["# flux: -n1", "# foo", "#", "", "  ", "#x", "# flux: -N1"];
    check(&lines, r#"1 ["-n1"] 7 ["-N1"]"#);
    let orphan = "line 3: orphan 'flux:' detected: directives disabled after line 1";
    check(&["# flux: -n1", "hostname", "# flux: -N1"], orphan);
    check(
        &["# flux: -n1", "x", "## FLUX: y"],
        &orphan.replace("flux", "FLUX"),
    );
    check(&["# flux: -n1", "hostname", "# foo"], r#"1 ["-n1"]"#);
}

#[test]
fn quotes_of_several_lines_lose_the_indentation_of_their_first() {
    let lines = [
        "# flux: --conf=\"\"\"",
        "# flux: [config]",
        "# flux:   item = \"foo\"",
        "# flux:",
        "# flux: x",
        "# flux: \"\"\"",
        "# flux: -n1",
    ];
    check(
        &lines,
        r#"1 ["--conf=[config]\n  item = \"foo\"\n\nx\n"] 7 ["-n1"]"#,
    );
    check(
        &["#flux: -n1 -x '''", "#flux:a", "#flux: '''"],
        r#"1 ["-n1", "-x", "a\n"]"#,
    );
    check(
        &["# flux: -x='''", "# flux:   a", "# flux:   b'''"],
        r#"1 ["-x=a\nb"]"#,
    );
    // Nobody closes it.
    check(
        &["# flux: -n1", "# flux: -x='''", "# flux: a"],
        r#"1 ["-n1"]"#,
    );
}

#[test]
fn a_sentinel_is_kept_to() {
    check(
        &["#!/bin/sh", "# flux: -N1", "## flux: -n1"],
        "line 3: sentinel changed from '# flux:' to '## flux:'

All directives in a file must use the same sentinel.

A directive is switched off by a comment character behind its sentinel,
not in front of it, so that it stays a directive without options:
  # flux: # -n1
A line that is no directive must not begin with a sentinel of its own:
a mistyped directive would be passed over in silence.",
    );
    let lines = ["# flux: -N1", "# FLUX: -n1"];
    let changed = parse(&lines.join("\n")).unwrap_err();
    assert!(changed.starts_with("line 2: sentinel changed from '# flux:' to '# FLUX:'\n"));
}

#[test]
fn what_is_no_directive_is_told_with_its_line() {
    check(&["# flux:  foo"], "line 1: Unknown directive:   foo");
    check(&["", "# flux: foo"], "line 2: Unknown directive:  foo");
    check(
        &["#!/bin/sh", r#"# flux: --job-name="x"#],
        r#"line 2:  --job-name="x: No closing quotation"#,
    );
    check(&["# flux: -x\\"], r"line 1:  -x\: No escaped character");
    check(
        &["", r#"# flux: --job-name="""x"#],
        r#"line 2: unclosed triple quote: --job-name="""x"#,
    );
    let unterminated = "line 4: unterminated multi-line quote at line 2: `--job-name=\"\"\"'";
    let open = "# flux: --job-name=\"\"\"";
    check(&["", open, "# flux: x", "echo"], unterminated);
    check(&["", open, "# flux: x", "## flux: x"], unterminated);
}
