//! The limits of the submitting process that its jobs get too.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use serde_json::{Map, Value};

use command::error::CliError;
use proto::data::glob::glob_matches;

/// Limits by the name that the job shell knows, and whether jobs get them unasked.
const LIMITS: [(&str, Resource, bool); 15] = [
    ("as", Resource::RLIMIT_AS, true),
    ("core", Resource::RLIMIT_CORE, true),
    ("cpu", Resource::RLIMIT_CPU, true),
    ("data", Resource::RLIMIT_DATA, true),
    ("fsize", Resource::RLIMIT_FSIZE, true),
    ("memlock", Resource::RLIMIT_MEMLOCK, false),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE, false),
    ("nice", Resource::RLIMIT_NICE, false),
    ("nofile", Resource::RLIMIT_NOFILE, true),
    ("nproc", Resource::RLIMIT_NPROC, true),
    ("rss", Resource::RLIMIT_RSS, true),
    ("rtprio", Resource::RLIMIT_RTPRIO, false),
    ("rttime", Resource::RLIMIT_RTTIME, false),
    ("sigpending", Resource::RLIMIT_SIGPENDING, false),
    ("stack", Resource::RLIMIT_STACK, true),
];

/// The object for the job shell: soft limits, -1 for none. Each text is a list of rules:
/// `-PATTERN`, `PATTERN` or `NAME=VALUE`, where patterns are those of file names.
pub fn rlimits(rules: &[String]) -> Result<Map<String, Value>, CliError> {
    let mut limits = Map::new();
    for (name, resource, _) in LIMITS.iter().filter(|(_, _, by_default)| *by_default) {
        limits.insert((*name).to_owned(), soft(*resource)?);
    }
    for rule in rules.iter().flat_map(|list| list.split(',')) {
        apply(rule, &mut limits)?;
    }
    Ok(limits)
}

fn apply(rule: &str, limits: &mut Map<String, Value>) -> Result<(), CliError> {
    if let Some(pattern) = rule.strip_prefix('-') {
        for (name, _) in matching(pattern)? {
            limits.shift_remove(name);
        }
    } else if let Some((name, value)) = rule.split_once('=') {
        let value = match value {
            "unlimited" | "infinity" | "inf" => -1,
            number => number
                .parse()
                .map_err(|_| CliError::new(format!("Invalid value in {rule}")))?,
        };
        let bare = bare(name);
        let known = LIMITS.iter().find(|(known, _, _)| *known == bare);
        let unknown = || CliError::new(format!("Invalid rlimit \"{name}\""));
        let (name, _, _) = known.ok_or_else(unknown)?;
        limits.insert((*name).to_owned(), value.into());
    } else {
        for (name, resource) in matching(rule)? {
            limits.insert(name.to_owned(), soft(resource)?);
        }
    }
    Ok(())
}

/// The limits whose names match.
fn matching(pattern: &str) -> Result<Vec<(&'static str, Resource)>, CliError> {
    let bare = bare(pattern);
    let all = LIMITS.iter();
    let all = all.filter(|(name, _, _)| glob_matches(bare.as_bytes(), name.as_bytes()));
    let found: Vec<_> = all.map(|(name, resource, _)| (*name, *resource)).collect();
    match found.is_empty() {
        true => Err(CliError::new(format!(
            "No corresponding rlimit matching \"{pattern}\""
        ))),
        false => Ok(found),
    }
}

/// A name or pattern in the job shell's spelling.
fn bare(name: &str) -> String {
    let name = name.to_lowercase();
    let bare = name.strip_prefix("rlimit_").unwrap_or(&name);
    match bare {
        "ofile" => "nofile".to_owned(),
        bare => bare.to_owned(),
    }
}

fn soft(resource: Resource) -> Result<Value, CliError> {
    let (soft, _) = getrlimit(resource)
        .map_err(|errno| CliError::new(format!("getrlimit: {}", errno.desc())))?;
    Ok(match soft {
        RLIM_INFINITY => (-1).into(),
        soft => soft.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: &[&str], expect: &str) {
        let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let outcome = match rlimits(&rules) {
            Ok(limits) => Value::Object(limits).to_string(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{rules:?}");
    }

    #[test]
    fn rules_add_and_remove_limits() {
        check(&["-*"], "{}");
        check(
            &["-*", "core=5", "RLIMIT_CPU=unlimited"],
            r#"{"core":5,"cpu":-1}"#,
        );
        check(&["-*,core=5,ofile=7"], r#"{"core":5,"nofile":7}"#);
        check(&["-*", "core=5,cpu=6", "-c[!o]*"], r#"{"core":5}"#);
        check(&["-*", "x"], "No corresponding rlimit matching \"x\"");
        check(&["-foo"], "No corresponding rlimit matching \"foo\"");
        check(&["zz=1"], "Invalid rlimit \"zz\"");
        check(&["core=y"], "Invalid value in core=y");
    }

    #[test]
    fn some_limits_are_given_on_request_only() {
        let limits = rlimits(&[]).unwrap();
        assert!(limits.contains_key("stack") && !limits.contains_key("memlock"));
        assert!(
            rlimits(&["memlock".to_owned()])
                .unwrap()
                .contains_key("memlock")
        );
    }
}
