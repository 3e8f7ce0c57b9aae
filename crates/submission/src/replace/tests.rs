//! Every form of a field, and every error text.

use super::*;

fn values<'a>(inputs: &[&'a str]) -> Values<'a> {
    Values {
        inputs: inputs.to_vec(),
        seq: Some(7),
        cc: Some("{cc}"),
        definitions: None,
    }
}

fn check_with(values: &Values<'_>, text: &str, expect: &str) {
    let outcome = match fill(text, values) {
        Ok(Filled::Text(text)) => text,
        Ok(Filled::Words(words)) => format!("words {words:?}"),
        Err(fault) => format!("error: {}", CliError::from(fault).text()),
    };
    assert_eq!(outcome, expect, "{text}");
}

fn check(text: &str, expect: &str) {
    check_with(&values(&["a/b/c.txt", "2"]), text, expect);
}

#[test]
fn fields_stand_for_inputs_and_parts_of_them() {
    check("x", "x");
    check("{}", "a/b/c.txt");
    check("{}-{}", "a/b/c.txt-2");
    check("{1}{0}{1}", "2a/b/c.txt2");
    check("{.%}", "a/b/c");
    check("{0.%}", "a/b/c");
    check("{./}", "c.txt");
    check("{.//}", "a/b");
    check("{./%}", "c");
    check("{1.%}{1./}{1.//}", "22");
    check("{!s:>11}", "  a/b/c.txt");
    check("{!r}", "'a/b/c.txt'");
    check("{./%:_<3}", "c__");
}

#[test]
fn names_are_cut_as_paths_are() {
    for (input, extension, base, folder) in [
        ("c", "c", "c", ""),
        ("/c.x", "/c", "c.x", "/"),
        ("//c", "//c", "c", "//"),
        ("a//c", "a//c", "c", "a"),
        ("a.b/c", "a.b/c", "c", "a.b"),
        (".c", ".c", ".c", ""),
        ("a/..c.d", "a/..c", "..c.d", "a"),
        ("a/", "a/", "", "a"),
        ("c.", "c", "c.", ""),
    ] {
        let values = values(&[input]);
        check_with(
            &values,
            "{0.%}|{0./}|{0.//}",
            &format!("{extension}|{base}|{folder}"),
        );
    }
}

#[test]
fn counters_have_formats() {
    check("{seq} {seq1}", "7 8");
    check("{seq:03d}", "007");
    check("{seq1:>4}|{seq:<3}|{seq:^3}|", "   8|7  | 7 |");
    check("{seq:x>3}{seq:+d}{seq:#x}{seq:#06b}", "xx7+70x70b0111");
    check("{seq!s:>3}", "  7");
    check(
        "{seq:q}",
        "error: Unknown format code 'q' for object of type 'int'",
    );
    check(
        "{seq:.2}",
        "error: Precision not allowed in integer format specifier",
    );
    check(
        "{seq:99999d}",
        "error: Too many decimal digits in format string",
    );
    let many = Values {
        seq: Some(1_234_567),
        ..values(&[])
    };
    check_with(
        &many,
        "{seq:,}|{seq:_}|{seq:_x}",
        "1,234,567|1_234_567|12_d687",
    );
}

#[test]
fn doubled_braces_and_copies_stay() {
    check("{{id}}", "{{id}}");
    check("{{{}}}", "{{a/b/c.txt}}");
    check("{{id}}.{1}.{cc}", "{{id}}.2.{cc}");
}

#[test]
fn what_is_no_field_is_told() {
    let unsupported = "error: unsupported format string passed to Xinput.__format__";
    check("{:>3}", unsupported);
    check("{0:s}", unsupported);
    check("{.foo}", "error: Unknown input string method '.foo'");
    check(
        "{3}",
        "error: Replacement index out of range for positional args tuple",
    );
    check("{x}", "error: Replacement key 'x' not found");
    check("a}", "error: Single '}' encountered in format string");
    check("a{", "error: Single '{' encountered in format string");
    check("{a", "error: expected '}' before end of string");
    check("{0[1]}", "error: 'Xinput' object is not subscriptable");
    check(
        "{}{0}",
        "error: cannot switch from automatic field numbering to manual field specification",
    );
    check(
        "{0}{}",
        "error: cannot switch from manual field specification to automatic field numbering",
    );
}

#[test]
fn commands_and_options_name_what_is_wrong_with_them() {
    let refused = |text: &str| {
        let mut command = vec!["echo".to_owned(), text.to_owned()];
        match fill_command(&mut command, &values(&["a"])) {
            Ok(()) => command.join(" "),
            Err(error) => error.text().to_owned(),
        }
    };
    assert_eq!(refused("{}"), "echo a");
    let invalid = "flux: ERROR: Invalid replacement string in command: ";
    assert_eq!(refused("{3}"), format!("{invalid}'{{3}}'"));
    assert_eq!(refused("{nope}"), format!("{invalid}'{{nope}}'"));
    assert_eq!(refused("{.foo}"), "Unknown input string method '.foo'");

    let option = |option: &'static str, text: &str| {
        let mut text = Some(text.to_owned());
        let mut place = Place::one(option, &mut text);
        match place.fill(&values(&["a", "b"])) {
            Ok(changed) => format!("{place} {changed}"),
            Err(error) => error.text().to_owned(),
        }
    };
    assert_eq!(option("-n", "{1}"), "-nb true");
    assert_eq!(option("-n", "2"), "-n2 false");
    assert_eq!(option("--job-name", "x{0}"), "--job-name=xa true");
    let text = "flux: ERROR: Invalid replacement index in -n{3}'";
    assert_eq!(option("-n", "{3}"), text);
    let text = "flux: ERROR: Replacement key 'foo' not found in '--job-name={foo}'";
    assert_eq!(option("--job-name", "{foo}"), text);
}

#[test]
fn lists_are_shown_as_python_shows_them() {
    let mut options = crate::Options {
        setopt: vec!["a.b={}".to_owned(), "it's".to_owned()],
        ..crate::Options::default()
    };
    let places = options.places().into_iter();
    let mut place = places.into_iter().find(|place| place.is("-o")).unwrap();
    place.fill(&values(&["a"])).unwrap();
    assert_eq!(place.to_string(), r#"-o ['a.b=a', "it's"]"#);
    assert_eq!(quoted_list(&["a'\"\\\n\u{1}"]), r#"['a\'"\\\n\x01']"#);
}

#[test]
fn users_define_methods_in_python() {
    let env = command::env::Env::from_process();
    let define = |code: &str| Definitions::new(&[format!("m={code}"), "n=x*2".to_owned()]);
    let check = |code: &str, text: &str, expect: &str| {
        let mut definitions = define(code).unwrap();
        let inputs = [vec!["3", "4"], vec!["y"]];
        let texts = std::iter::once(text);
        let evaluated = definitions.evaluate(&env, texts, &inputs);
        assert_eq!(evaluated, Ok(()), "{code}");
        let values = Values {
            definitions: Some(&definitions),
            ..values(&["4", "y"])
        };
        check_with(&values, text, expect);
    };
    check("2**int(x)", "{.m}", "16");
    check("2**int(x)", "{.m:04d}", "0016");
    check("2**int(x)", "-{0.m}-{1.n}", "-16-yy");
    check("[x, int(x)]", "{.m}", "words [\"4\", \"4\"]");
    check("[x]", "-{.m}", "-['4']");
    let error = "error: --define=m: ValueError: invalid literal for int() with base 10: 'y'";
    check("int(x)", "{1.m}", error);
    check("int(x)", "{1.o}", "error: Unknown input string method '.o'");
}

#[test]
fn definitions_that_cannot_be_evaluated_are_refused() {
    let refused = |env: &[(&str, &str)], texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let env = env.iter().copied().collect();
        let evaluated = Definitions::new(&texts).and_then(|mut definitions| {
            definitions.evaluate(&env, std::iter::once("{.m}"), &[vec!["1"]])
        });
        evaluated.unwrap_err().text().to_owned()
    };
    assert_eq!(refused(&[], &["m"]), "--define=m: must be NAME=CODE");
    let text = "--define: needs python3, which is not in PATH";
    assert_eq!(refused(&[("PATH", "/nonexistent")], &["m=x"]), text);
}
