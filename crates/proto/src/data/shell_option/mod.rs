//! The options of the job shell, `attributes.system.shell.options` of a jobspec: each declared
//! once, in `table.rs`.
//!
//! The shell reads options by their rows, submissions are checked against them, and
//! `doc/shell-options.md` is printed from them. An option without a row is no error: site
//! plug-ins add names. The shell reports it in the job's log.

mod table;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::shape::{Shape, Support};
use super::suggest;
pub use table::*;

/// One option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellOption {
    /// Dotted path below `shell.options`.
    pub name: &'static str,
    /// Type of the value.
    pub shape: Shape,
    /// Default; empty if there is none.
    pub default: &'static str,
    /// Effect, in one line.
    pub summary: &'static str,
    /// Specification.
    pub source: &'static str,
    /// Support in this version.
    pub support: Support,
}

/// A job sets an option that this version does not support.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shell option '{0}' is not supported in this version")]
pub struct Unsupported(pub String);

/// An option without a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Path.
    pub name: String,
    /// The known name nearest to it, if there is one.
    pub nearest: Option<&'static str>,
}

impl ShellOption {
    /// Value among `options`; null counts as absent.
    pub fn of(self, options: &Map<String, Value>) -> Option<&Value> {
        lookup(options, self.name).filter(|value| !value.is_null())
    }
}

/// Refuses options that this version would ignore.
pub fn check_supported(options: &Map<String, Value>) -> Result<(), Unsupported> {
    for row in ALL {
        let value = row.of(options);
        if let Some(value) = value.filter(|value| row.support.refuses(row.shape, value)) {
            let name = match (row.support, value) {
                (Support::UsedExcept(_), Value::String(text)) => format!("{}={text}", row.name),
                _ => row.name.to_owned(),
            };
            return Err(Unsupported(name));
        }
    }
    Ok(())
}

/// The options that have no row.
pub fn unknown(options: &Map<String, Value>) -> Vec<Unknown> {
    let mut names = Vec::new();
    find_unknown("", options, &mut names);
    let known: BTreeSet<&'static str> = ALL.iter().flat_map(|row| prefixes(row.name)).collect();
    names
        .into_iter()
        .map(|name| {
            let near = suggest::nearest(&name, known.iter().copied());
            Unknown {
                nearest: near,
                name,
            }
        })
        .collect()
}

/// An option by its dotted path, written nested or with dots in its name.
fn lookup<'a>(options: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = options.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let below = options.get(&path[..at])?.as_object()?;
        lookup(below, &path[at + 1..])
    })
}

fn find_unknown(above: &str, options: &Map<String, Value>, names: &mut Vec<String>) {
    for (key, value) in options {
        let path = match above {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        let is_above_a_row = || {
            let mut names = ALL.iter().map(|row| row.name);
            names.any(|name| prefixes(name).any(|prefix| prefix == path))
        };
        if ALL.iter().any(|row| row.name == path) {
            continue;
        }
        match value {
            Value::Object(below) if is_above_a_row() => find_unknown(&path, below, names),
            // Its reader says what is wrong with it.
            _ if is_above_a_row() => {}
            _ => names.push(path),
        }
    }
}

/// A dotted name and all its parents.
fn prefixes(name: &'static str) -> impl Iterator<Item = &'static str> {
    let ends = name.match_indices('.').map(|(at, _)| at);
    ends.chain([name.len()]).map(move |end| &name[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_names_of_their_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn every_option_can_be_asked_for() {
        let check = |options: Value, expect: &str| {
            let outcome = check_supported(options.as_object().unwrap());
            let outcome = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
            assert_eq!(outcome, expect, "{options}");
        };
        check(json!({}), "ok");
        check(json!({"verbose": 2, "mpibind": "off"}), "ok");
        check(json!({"initrc": "/dev/null"}), "ok");
        check(json!({"stage-in": 1}), "ok");
        check(json!({"pty": {"ranks": "all"}}), "ok");
        check(json!({"coprocess": null}), "ok");
        check(json!({"mpi": "none"}), "ok");
        check(json!({"mpi": "spectrum", "initrc": "a.lua"}), "ok");
        check(json!({"sysmon": null}), "ok");
    }

    #[test]
    fn options_without_a_row_are_told_with_the_nearest_name() {
        let check = |options: Value, expect: &[(&str, Option<&str>)]| {
            let unknown = unknown(options.as_object().unwrap());
            let found: Vec<_> = unknown
                .iter()
                .map(|unknown| (unknown.name.as_str(), unknown.nearest))
                .collect();
            assert_eq!(found, expect, "{options}");
        };
        check(json!({"verbose": 1, "output": {"limit": 1}}), &[]);
        check(json!({"output.limit": 1, "env-expand": {"X": "y"}}), &[]);
        check(json!({"verbos": 1}), &[("verbos", Some("verbose"))]);
        check(json!({"mpibind": "off"}), &[("mpibind", None)]);
        let typo = json!({"output": {"limt": 1, "mode": "append"}});
        check(typo, &[("output.limt", Some("output.limit"))]);
        check(json!({"output": 1}), &[]);
    }
}
