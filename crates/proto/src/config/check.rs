//! Checks a whole configuration against the table of keys: keys that are unknown,
//! unsupported or of the wrong form are refused, so that nothing is accepted without
//! effect.

use serde_json::{Map, Value};

use super::keys::{ALL, Key, Status, named, table};
use super::{Ingest, Queues};
use crate::{Errno, Object, Refusal};

/// Error in a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Complaint {
    /// The module that reads the key; empty for the broker itself.
    pub module: &'static str,
    /// Refusal to send: EINVAL, with the key in the text.
    pub refusal: Refusal,
}

/// Tables that are checked as they are read. The first two are read together.
const QUEUES: &str = "queues";
const POLICY: &str = "policy";
const INGEST: &str = "ingest";

/// Checks every key of every table that is Flux's. Other tables belong to other programs
/// that keep their settings with the instance, such as `[accounting]`.
///
/// # Errors
/// Returns the first error.
pub fn check(conf: &Object) -> Result<(), Complaint> {
    for (name, value) in &conf.0 {
        let Some(table) = table(name) else {
            continue;
        };
        let checked = match name.as_str() {
            QUEUES | POLICY => Queues::parse(conf).map(drop),
            INGEST => Ingest::parse(conf).map(drop),
            _ => check_value(name, value),
        };
        checked.map_err(|refusal| Complaint {
            module: table.module,
            refusal,
        })?;
    }
    Ok(())
}

fn check_value(path: &str, value: &Value) -> Result<(), Refusal> {
    let key = ALL.iter().find(|key| matches(key.path, path));
    match key {
        Some(key) if key.status == Status::Unsupported => {
            return Err(refused(path, "not supported in this version"));
        }
        Some(key) if !key.form.fits(value) => return Err(key.refusal(path)),
        _ => {}
    }
    match (is_table(path), key, value) {
        (true, _, Value::Object(entries)) => check_entries(path, entries),
        (true, _, _) => Err(refused(path, "must be a table")),
        (false, Some(_), _) => Ok(()),
        (false, None, _) => Err(refused(path, "unknown key")),
    }
}

fn check_entries(path: &str, entries: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in entries {
        check_value(&format!("{path}.{name}"), value)?;
    }
    Ok(())
}

/// True if there are keys below this path.
fn is_table(path: &str) -> bool {
    let below = |key: &Key| {
        let n_words = path.split('.').count();
        let mut ends = key.path.match_indices('.').map(|(at, _)| at);
        let end = ends.nth(n_words - 1);
        end.is_some_and(|end| matches(&key.path[..end], path))
    };
    ALL.iter().any(below)
}

/// True if a path matches the path of a row, whose `*` stands for any name.
fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('.'), path.split('.'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(want), Some(word)) if want == "*" || want == word => {}
            _ => return false,
        }
    }
}

fn refused(path: &str, why: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, format!("{}: {why}", named(path)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::form::Form;

    fn nested(path: &str, value: Value) -> Object {
        let nest = |value, word: &str| json!({word: value});
        let value = path.replace('*', "any").rsplit('.').fold(value, nest);
        Object(value.as_object().cloned().unwrap_or_default())
    }

    fn said(conf: &Object) -> Option<String> {
        check(conf)
            .err()
            .map(|complaint| complaint.refusal.to_string())
    }

    /// A value that a form accepts, and one that it refuses.
    fn samples(form: Form) -> (Value, Value) {
        match form {
            Form::Boolean => (json!(true), json!(1)),
            Form::Integer(low, _) => (json!(low.max(2)), json!("x")),
            Form::Seconds => (json!(7), json!("soon")),
            Form::Depth => (json!(7), json!(0)),
            Form::Duration => (json!("7s"), json!(7)),
            Form::Size => (json!("7M"), json!("x")),
            Form::Signal => (json!("SIGUSR1"), json!(0)),
            Form::OneOf(words) => (json!(words[0]), json!("nosuch")),
            Form::Topology => (json!("kary:2"), json!("flat")),
            Form::Integers => (json!([1]), json!(1)),
            Form::Texts => (json!(["x"]), json!("x")),
            Form::PositiveNumber => (json!(1.5), json!("1.5")),
            Form::Table => (json!({}), json!(1)),
            Form::TableOrBoolean => (json!({}), json!(1)),
            Form::Tables => (json!([{}]), json!(1)),
            _ => (json!("x"), json!(1)),
        }
    }

    #[test]
    fn each_row_takes_a_good_value_and_refuses_a_bad_one_by_its_name() {
        for key in ALL {
            let (good, bad) = samples(key.form);
            let (good, bad) = (said(&nested(key.path, good)), said(&nested(key.path, bad)));
            if key.status == Status::Unsupported {
                let good = good.unwrap_or_default();
                assert!(good.ends_with(": not supported in this version"), "{good}");
                continue;
            }
            let first = key.path.split('.').next().unwrap_or_default();
            if [QUEUES, POLICY, INGEST].contains(&first) {
                // It has texts of its own for values, and knows all keys.
                assert!(
                    !good.unwrap_or_default().contains("left unpacked"),
                    "{}",
                    key.path
                );
                continue;
            }
            assert_eq!(good, None, "{}", key.path);
            if matches!(key.form, Form::Anything) {
                // Its reader says what is wrong with it.
                continue;
            }
            let bad = bad.unwrap_or_default();
            let path = key.path.replace('*', "any");
            let is_named = bad.starts_with(&format!("{}: ", named(&path)));
            assert!(is_named || key.complaint == Some(&bad), "{path}: {bad}");
        }
    }

    fn check_text(conf: Value, want: Option<&str>) {
        let conf = Object(conf.as_object().cloned().unwrap_or_default());
        assert_eq!(said(&conf).as_deref(), want, "{:?}", conf.0);
    }

    #[test]
    fn tables_of_others_are_theirs() {
        check_text(json!({}), None);
        check_text(
            json!({"accounting": {"x": [1]}, "sched-fluxion-qmanager": 7, "x": 1}),
            None,
        );
    }

    #[test]
    fn keys_that_nobody_knows_are_named() {
        check_text(
            json!({"access": {"foo": true}}),
            Some("error parsing [access] configuration: foo: unknown key"),
        );
        check_text(json!({"kvs": {"foo": 1}}), Some("kvs.foo: unknown key"));
        check_text(
            json!({"exec": {"testexec": {"foo": 1}}}),
            Some("error reading config value exec.testexec.foo: unknown key"),
        );
        check_text(
            json!({"queues": {"batch": {"foo": 1}}}),
            Some(
                "error parsing [queues.batch] config table: \
                1 object item(s) left unpacked: foo",
            ),
        );
    }

    #[test]
    fn tables_are_tables() {
        check_text(json!({"kvs": 7}), Some("kvs: must be a table"));
        check_text(
            json!({"queues": {"batch": 1}}),
            Some("error parsing [queues.batch] config table: Expected object, got integer"),
        );
        check_text(json!({"queues": {}}), None);
        check_text(
            json!({"queues": {"batch": {}, "debug": {"parent": "batch"}}}),
            None,
        );
    }

    #[test]
    fn what_is_not_supported_is_named_whatever_is_in_it() {
        check_text(
            json!({"systemd": {"enable": true}}),
            Some("systemd: not supported in this version"),
        );
        check_text(
            json!({"exec": {"imp": "/usr/libexec/flux-imp"}}),
            Some("error reading config value exec.imp: not supported in this version"),
        );
    }

    #[test]
    fn each_path_stands_once_in_a_known_table() {
        for (at, key) in ALL.iter().enumerate() {
            let twice = ALL[..at].iter().any(|other| other.path == key.path);
            assert!(!twice, "{} is declared twice", key.path);
            assert!(table(key.path).is_some(), "{}", key.path);
        }
    }

    #[test]
    fn names_under_a_star_are_given_with_their_values() {
        let conf = nested("queues", json!({"a": {}, "b": {"parent": "a"}}));
        let names: Vec<_> = crate::config::keys::QUEUES
            .each(&conf)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a", "b"]);
        let parents: Vec<_> = crate::config::keys::QUEUES_PARENT.each(&conf).collect();
        assert_eq!(parents, [("b", &json!("a"))]);
    }
}
