//! Configuration from files, one TOML or JSON file or a directory whose `*.toml` are
//! merged table by table, and from overrides of the command line.

use std::path::Path;

use anyhow::Context;
use proto::Object;
use serde_json::{Map, Value};

/// Reads all that a broker was started with: a file or a folder, and each `--conf` over it.
pub fn read_all(path: Option<&Path>, arguments: &[String]) -> anyhow::Result<Object> {
    let mut config = match path {
        Some(path) => read(path)?,
        None => Object::default(),
    };
    for text in arguments {
        merge(&mut config.0, argument(text)?);
    }
    Ok(config)
}

/// Reads a file or a folder.
fn read(path: &Path) -> anyhow::Result<Object> {
    if !path.is_dir() {
        return read_file(path).map(Object);
    }
    let mut files: Vec<_> = std::fs::read_dir(path)
        .with_context(|| format!("{}: cannot read this directory", path.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    let mut config = Map::new();
    for file in files {
        merge(&mut config, read_file(&file)?);
    }
    Ok(Object(config))
}

fn read_file(path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: cannot read this file", path.display()))?;
    let json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    parse(&text, json).with_context(|| path.display().to_string())
}

/// Reads TOML, or JSON if `json`.
pub fn parse(text: &str, json: bool) -> anyhow::Result<Map<String, Value>> {
    let value: Value = if json {
        serde_json::from_str(text)?
    } else {
        toml::from_str(text)?
    };
    match value {
        Value::Object(map) => Ok(map),
        _ => anyhow::bail!("a configuration must be a table"),
    }
}

/// Puts `from` into `into`: tables are merged, everything else is replaced.
fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// One `--conf` argument: `key=value`, a file, or TOML text.
fn argument(text: &str) -> anyhow::Result<Map<String, Value>> {
    if Path::new(text).is_file() {
        return read_file(Path::new(text));
    }
    let Some((key, value)) = text
        .split_once('=')
        .filter(|(key, _)| !key.contains(['\n', ' ']))
    else {
        return parse(text, false).with_context(|| format!("--conf={text}"));
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let nested = key.rsplit('.').fold(value, |value, word| {
        Value::Object(Map::from_iter([(word.to_owned(), value)]))
    });
    match nested {
        Value::Object(map) => Ok(map),
        _ => anyhow::bail!("--conf={text}: a key is missing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], want: &str) {
        let mut config = Map::new();
        for text in texts {
            merge(&mut config, argument(text).expect("a valid argument"));
        }
        assert_eq!(Value::Object(config).to_string(), want);
    }

    #[test]
    fn arguments_nest_by_dots_and_merge() {
        check(
            &["a.b=1", "a.c=\"x\"", "a.d=text"],
            r#"{"a":{"b":1,"c":"x","d":"text"}}"#,
        );
        check(&["[a]\nb = 1", "a.b=2"], r#"{"a":{"b":2}}"#);
    }

    #[test]
    fn bad_toml_is_an_error_with_its_place() {
        let error = argument("[a\nb").unwrap_err();
        assert!(
            format!("{error:#}").contains("TOML parse error"),
            "{error:#}"
        );
    }
}
