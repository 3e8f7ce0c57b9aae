//! Every rule of the language and every text of its errors.

use super::*;

fn check(shape: &str, expect: &str) {
    let outcome = match parse_shape(shape) {
        Ok(list) => Value::from(list).to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(outcome, expect, "{shape}");
}

/// The same for the first vertex without its type.
fn check_vertex(shape: &str, expect: &str) {
    let outcome = match parse_shape(shape) {
        Ok(list) => {
            let mut vertex = list[0].as_object().unwrap().clone();
            vertex.shift_remove("type");
            Value::from(vertex).to_string()
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(outcome, expect, "{shape}");
}

#[test]
fn lists_have_brackets_unless_they_have_one_vertex() {
    let core = r#"[{"type":"core","count":1}]"#;
    check("core", core);
    check("[core]", core);
    check(" [ core ] ", core);
    check(
        "[core;gpu=2]",
        r#"[{"type":"core","count":1},{"type":"gpu","count":2}]"#,
    );
    check(
        "node/[slot=2/[core=2;gpu];disk]",
        r#"[{"type":"node","count":1,"with":[{"type":"slot","count":2,"label":"task","with":[{"type":"core","count":2},{"type":"gpu","count":1}]},{"type":"disk","count":1}]}]"#,
    );
}

#[test]
fn the_example_of_the_manual_holds() {
    check(
        "node=2{x,a:1,-b}/[slot=2{foo}/[core=2;gpu];slot{bar}/core]",
        r#"[{"type":"node","count":2,"exclusive":true,"a":1,"b":false,"with":[{"type":"slot","count":2,"label":"foo","with":[{"type":"core","count":2},{"type":"gpu","count":1}]},{"type":"slot","count":1,"label":"bar","with":[{"type":"core","count":1}]}]}]"#,
    );
}

#[test]
fn counts_are_integers_idsets_and_ranges() {
    for (count, expect) in [
        ("", "1"),
        ("12", "12"),
        ("[4]", "4"),
        ("1,3-5", r#""1,3-5""#),
        ("[1,3-5]", r#""1,3-5""#),
        ("4,9,16,25", r#""4,9,16,25""#),
        ("2-4", r#""2-4""#),
        ("2-4:2", r#""2-4:2""#),
        ("2-4:2:*", r#""2-4:2:*""#),
        ("2-4:2:+", r#""2-4:2:+""#),
        ("[2-64:2:^]", r#""2-64:2:^""#),
        ("4+", r#""4+""#),
        ("4+:2:^", r#""4+:2:^""#),
        (" 4 ", "4"),
    ] {
        check_vertex(
            &format!("node={count}"),
            &format!(r#"{{"count":{expect}}}"#),
        );
    }
    check_vertex("node={x}", r#"{"count":1,"exclusive":true}"#);
    check(
        "[node=;core=3]",
        r#"[{"type":"node","count":1},{"type":"core","count":3}]"#,
    );
}

#[test]
fn counts_that_are_none_are_refused() {
    check("slot=0/core", "Illegal character '0' at position 5");
    check("slot=x/core", "Illegal character 'x' at position 5");
    check("slot=-1/core", "Illegal character '-' at position 5");
    check("slot=2x/core", "Invalid token 'x' at position 6");
    check("slot=[x]/core", "Illegal character 'x' at position 6");
    check("slot=[2", "Unclosed bracket in position 5");
    check("slot=[", "Unclosed bracket in position 5");
    check("slot=[2x]", "Invalid token 'x' at position 7");
    check("node=2-4:x", "Invalid token ':' at position 8");
    check("node=4-2", "Invalid count '4-2'");
    check("node=99999999999", "Invalid count '99999999999'");
}

#[test]
fn slots_have_labels() {
    let core = r#""with":[{"type":"core","count":1}]}"#;
    check_vertex(
        "slot/core",
        &format!(r#"{{"count":1,"label":"task",{core}"#),
    );
    check(
        "SLOT=2{foo,k:v}/core",
        &format!(r#"[{{"type":"slot","count":2,"label":"foo","k":"v",{core}]"#),
    );
    check_vertex(
        "slot{'a b'}/core",
        &format!(r#"{{"count":1,"label":"a b",{core}"#),
    );
    check_vertex(
        "slot{4GB-node}/core",
        &format!(r#"{{"count":1,"label":"4GB-node",{core}"#),
    );
    check("slot{a:1}/core", "Invalid token ':' at position 6");
    check("slot{}/core", "Invalid token '}' at position 5");
    check("slot{a,}/core", "Invalid token '}' at position 7");
    check("[slot/core;slot{b}/core]", "Multiple slots require labels");
    check("[slot/core;slot/core]", "Multiple slots require labels");
    check("slot{a}/slot/core", "Multiple slots require labels");
}

#[test]
fn items_are_keys_with_values_or_signs() {
    for (items, expect) in [
        ("", ""),
        ("x", r#","exclusive":true"#),
        ("+x", r#","exclusive":true"#),
        ("-x", r#","exclusive":false"#),
        ("x:false", r#","exclusive":false"#),
        ("'x'", r#","x":true"#),
        ("a,+b,-c", r#","a":true,"b":true,"c":false"#),
        ("-'c d'", r#","c d":false"#),
        ("unit:GB", r#","unit":"GB""#),
        ("a : 1 , b : 2", r#","a":1,"b":2"#),
        ("a:True,b:FALSE,c:nuLL", r#","a":true,"b":false,"c":null"#),
        ("a:-1,b:1.5,c:1e3", r#","a":-1,"b":1.5,"c":1000.0"#),
        ("a:4GB,b:1.2.3", r#","a":"4GB","b":"1.2.3""#),
        (
            r#"a:"1",b:'true',"c,d":0"#,
            r#","a":"1","b":"true","c,d":0"#,
        ),
        ("a:[],b:[1,c,[true]]", r#","a":[],"b":[1,"c",[true]]"#),
        (
            "a:{},b:{x,-y,z:{k:v}}",
            r#","a":{},"b":{"exclusive":true,"y":false,"z":{"k":"v"}}"#,
        ),
        ("count:7", ""),
    ] {
        let shape = format!("node{{{items}}}");
        let count = if items == "count:7" { 7 } else { 1 };
        check_vertex(&shape, &format!(r#"{{"count":{count}{expect}}}"#));
    }
    check("node{a:}", "Invalid token '}' at position 7");
    check("node{a:b:c}", "Invalid token ':' at position 8");
    check("node{-}", "Invalid token '}' at position 6");
    check("node{-a:1}", "Invalid token ':' at position 7");
}

#[test]
fn what_does_not_end_is_told() {
    check("", "Unexpected end of input in ''");
    check("slot", "Unexpected end of input in 'slot'");
    check("slot/", "Unexpected end of input in 'slot/'");
    check("[slot/core", "Unclosed bracket in position 0");
    check("[slot/", "Unclosed bracket in position 0");
    check("a{b", "Unclosed brace in position 1");
    check("a{b:[1", "Unclosed bracket in position 4");
    check("a{'b", "Unclosed quote ' at position 2");
    check("a/\"b", "Unclosed quote \" at position 2");
}

#[test]
fn what_does_not_belong_is_told() {
    check("a]", "Mismatched brackets starting at position 1.");
    check("a}", "Mismatched braces starting at position 1.");
    check("[a}", "Mismatched braces starting at position 2.");
    check("a{b]}", "Mismatched brackets starting at position 3.");
    check("[a{b]}", "Invalid token ']' at position 4");
    check("a;b", "Invalid token ';' at position 1");
    check("[]", "Invalid token ']' at position 1");
    check("[a;]", "Invalid token ']' at position 3");
    check("a b", "Invalid token 'b' at position 2");
    check("a{b}{c}", "Invalid token '{' at position 4");
    check("[slot;core]", "Invalid token ';' at position 5");
    check("/a", "Invalid token '/' at position 0");
}

#[test]
fn nesting_has_a_bound() {
    let deep = |levels: usize| "a/".repeat(levels) + "a";
    assert!(parse_shape(&deep(SHAPE_DEPTH_MAX - 1)).is_ok());
    let text = "shape is nested deeper than 64 levels";
    check(&deep(SHAPE_DEPTH_MAX), text);
    check(&format!("a{{b:{}", "[".repeat(100)), text);
}
