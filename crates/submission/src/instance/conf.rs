//! The configuration of an instance: every `--conf`, merged in order.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::values::json_or_text;
use command::env::Env;
use command::error::{CliError, numbered};

/// Where configurations have names, below the folders of XDG.
const FOLDER: &str = "flux/config";

/// Default directories of a site.
const SITE_DEFAULT: &str = "/etc/xdg";

/// Reads and merges every argument of `--conf`.
pub fn read(env: &Env, arguments: &[String]) -> Result<Map<String, Value>, CliError> {
    let mut conf = Map::new();
    for argument in arguments {
        let part = read_one(env, argument);
        let part = part.map_err(|why| CliError::new(format!("--conf: {why}")))?;
        merge(&mut conf, part);
    }
    Ok(conf)
}

/// Puts `from` into `into`: tables are merged, everything else is replaced.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn read_one(env: &Env, argument: &str) -> Result<Map<String, Value>, String> {
    if argument.contains('\n') {
        let parsed = json(argument).or_else(|_| toml(argument));
        return parsed.map_err(|_| "failed to parse multiline as TOML or JSON".to_owned());
    }
    if let Some((key, value)) = argument.split_once('=') {
        let nested = key.rsplit('.').fold(json_or_text(value), |value, word| {
            Value::Object(Map::from_iter([(word.to_owned(), value)]))
        });
        return Ok(nested.as_object().cloned().unwrap_or_default());
    }
    if argument.ends_with(".toml") || argument.ends_with(".json") {
        return file(Path::new(argument));
    }
    let found = folders(env).into_iter().flat_map(|folder| {
        ["toml", "json"].map(|extension| folder.join(format!("{argument}.{extension}")))
    });
    match found.into_iter().find(|path| path.is_file()) {
        Some(path) => file(&path),
        None => Err(format!("named config '{argument}' not found")),
    }
}

fn file(path: &Path) -> Result<Map<String, Value>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: '{}'", numbered(&error), path.display()))?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    let parsed = if is_json { json(&text) } else { toml(&text) };
    parsed.map_err(|why| format!("parse error: {}: {why}", path.display()))
}

fn json(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn toml(text: &str) -> Result<Map<String, Value>, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
}

/// The user's folder, then those of the site.
fn folders(env: &Env) -> Vec<PathBuf> {
    let set = |name| env.get(name).filter(|text| !text.is_empty());
    let own = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(Path::new(set("HOME")?).join(".config")));
    let site = set("XDG_CONFIG_DIRS").unwrap_or(SITE_DEFAULT).split(':');
    let site = site.filter(|text| !text.is_empty()).map(PathBuf::from);
    let all = own.into_iter().chain(site);
    all.map(|folder| folder.join(FOLDER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(env: &Env, arguments: &[&str], expect: &str) {
        let arguments: Vec<String> = arguments.iter().map(|text| text.to_string()).collect();
        let outcome = match read(env, &arguments) {
            Ok(conf) => Value::Object(conf).to_string(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(outcome, expect, "{arguments:?}");
    }

    fn check(arguments: &[&str], expect: &str) {
        check_in(&Env::default(), arguments, expect);
    }

    #[test]
    fn keys_nest_by_dots_and_merge_in_order() {
        check(&[], "{}");
        check(
            &["resource.noverify=true", "resource.exclude=0", "a=x=y"],
            r#"{"resource":{"noverify":true,"exclude":0},"a":"x=y"}"#,
        );
        check(&["a.b=1", "a=2"], r#"{"a":2}"#);
    }

    #[test]
    fn several_lines_are_json_or_toml() {
        check(&["{\"a\":\n1}", "[b]\nc = 2\n"], r#"{"a":1,"b":{"c":2}}"#);
        check(
            &["a\nb"],
            "--conf: failed to parse multiline as TOML or JSON",
        );
    }

    #[test]
    fn files_are_read_by_their_name_or_where_configurations_have_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        std::fs::write(at("x.toml"), "a = 1\n").unwrap();
        std::fs::write(at("x.json"), r#"{"a": 2}"#).unwrap();
        std::fs::write(at("bad.json"), "[").unwrap();
        check(&[&at("x.toml")], r#"{"a":1}"#);
        check(&[&at("x.json")], r#"{"a":2}"#);
        check(
            &["zz.toml"],
            "--conf: [Errno 2] No such file or directory: 'zz.toml'",
        );
        let bad = at("bad.json");
        let outcome = read(&Env::default(), std::slice::from_ref(&bad)).unwrap_err();
        let expect = format!("--conf: parse error: {bad}: ");
        assert!(outcome.text().starts_with(&expect), "{}", outcome.text());
        check(&["a.txt"], "--conf: named config 'a.txt' not found");

        let named = folder.path().join("flux/config");
        std::fs::create_dir_all(&named).unwrap();
        std::fs::write(named.join("mine.json"), r#"{"b": 3}"#).unwrap();
        let home = at("");
        let none = ("XDG_CONFIG_HOME", "/nonexistent");
        let env = Env::from_iter([none, ("XDG_CONFIG_DIRS", home.as_str())]);
        check_in(&env, &["mine"], r#"{"b":3}"#);
        std::fs::write(named.join("mine.toml"), "b = 4\n").unwrap();
        let env = Env::from_iter([("XDG_CONFIG_HOME", home.as_str())]);
        check_in(&env, &["mine"], r#"{"b":4}"#);
    }
}
