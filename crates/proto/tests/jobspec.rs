//! Refusals of jobspecs in which one value is of the wrong type or missing: for every value of a
//! whole jobspec, every wrong one. The table, `jobspec-refusals.txt`, is rewritten with
//! `UPDATE=1`; t/ submits its rows to a live instance without validation.

#![allow(clippy::disallowed_methods, reason = "the test compares a file")]

use std::fmt::Write;
use std::path::Path;

use proto::data::Jobspec;
use serde_json::{Value, json};

/// A jobspec that has everything.
fn whole() -> Value {
    json!({
        "resources": [{"type": "node", "count": 1, "exclusive": false, "with": [
            {"type": "slot", "count": 1, "label": "task", "with": [
                {"type": "core", "count": 1}]}]}],
        "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {
            "system": {
                "duration": 60.0, "cwd": "/tmp", "environment": {"A": "b"},
                "queue": null, "bank": "b", "project": "p", "job": {"name": "n"},
                "dependencies": [], "constraints": {"properties": []},
                "files": {"f": {"mode": 33152, "data": "x", "encoding": "utf-8"}},
                "shell": {"verbose": 0, "options": {"per-resource": {"type": "node", "count": 1}}},
            },
            "user": {"key": 1},
        },
        "version": 1
    })
}

/// Values of every JSON type, and numbers out of every range.
fn wrong_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!([]),
        json!([1]),
        json!({}),
        json!({"x": 1}),
        json!({"min": 1}),
        json!({"min": 2, "max": 1}),
        json!({"min": 1, "max": 4, "operator": "+", "operand": 1}),
        json!({"min": 1, "operator": "-", "operand": "x"}),
    ]
}

/// The JSON pointers of all values below `value`.
fn pointers(at: &str, value: &Value, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, v)| (key.clone(), v)).collect(),
        Value::Array(array) => array
            .iter()
            .enumerate()
            .map(|(n, v)| (n.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    for (key, value) in below {
        let path = format!("{at}/{key}");
        found.push(path.clone());
        pointers(&path, value, found);
    }
}

/// Takes out the value at a pointer.
fn remove(whole: &mut Value, pointer: &str) {
    let (above, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    match whole.pointer_mut(above) {
        Some(Value::Object(object)) => {
            object.shift_remove(key);
        }
        Some(Value::Array(array)) => {
            array.remove(key.parse().expect("an array has numbers"));
        }
        _ => panic!("{pointer} is nowhere"),
    }
}

fn outcome(jobspec: Value) -> String {
    let Value::Object(object) = jobspec else {
        panic!("a jobspec is an object");
    };
    let checked = Jobspec::from_object(object).validate();
    checked.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}

/// The jobspec, then a row for each change: JSON pointer, the new value (`-` where it is
/// removed), and the error for a submitter.
fn table() -> String {
    let whole = whole();
    let mut text = format!("{whole}\n");
    let mut all = Vec::new();
    pointers("", &whole, &mut all);
    for pointer in all {
        for value in wrong_values() {
            let mut changed = whole.clone();
            let place = changed.pointer_mut(&pointer);
            *place.expect("a pointer of this very value") = value.clone();
            let _ = writeln!(text, "{pointer}\t{value}\t{}", outcome(changed));
        }
        let mut changed = whole.clone();
        remove(&mut changed, &pointer);
        let _ = writeln!(text, "{pointer}\t-\t{}", outcome(changed));
    }
    text
}

#[test]
fn every_wrong_value_has_its_sentence() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobspec-refusals.txt");
    let table = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    let differs = found
        .lines()
        .zip(table.lines())
        .find(|(old, new)| old != new);
    assert_eq!(differs, None, "UPDATE=1 rewrites the table");
    assert_eq!(found.lines().count(), table.lines().count());
}

#[test]
fn a_whole_jobspec_is_good() {
    assert_eq!(outcome(whole()), "ok");
}
