//! `[job-manager.prolog]`, `[job-manager.epilog]` and `[job-manager.perilog]` (protocol/25
//! section 8).

use proto::Object;
use proto::config::{Key, keys};
use proto::data::Fsd;
use regex_lite::{Regex, RegexBuilder};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Kind;
use crate::limits::{LOG_IGNORE_BYTES_MAX, LOG_IGNORE_MAX};

/// Command to run, and its time limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Seconds that it may take; 0 is no limit.
    pub timeout: f64,
    /// Seconds that it may take to end when it is asked to.
    pub kill_timeout: f64,
    /// On every rank of the job, in place of once on rank 0.
    pub per_rank: bool,
    /// The process is asked to end when its job is.
    pub cancel_on_exception: bool,
}

/// The settings in force.
#[derive(Debug, Default)]
pub struct Config {
    pub prolog: Option<Settings>,
    pub epilog: Option<Settings>,
    ignored: Vec<Regex>,
}

/// Seconds that a prolog may take.
const PROLOG_TIMEOUT_S: f64 = 1800.0;
/// Seconds that either may take to end.
const KILL_TIMEOUT_S: f64 = 60.0;

/// The keys of one table.
struct Keys {
    table: &'static Key,
    command: &'static Key,
    timeout: &'static Key,
    kill_timeout: &'static Key,
    per_rank: &'static Key,
    cancel_on_exception: &'static Key,
    exit_on_first_error: &'static Key,
}

const PROLOG: Keys = Keys {
    table: &keys::JOB_MANAGER_PROLOG,
    command: &keys::JOB_MANAGER_PROLOG_COMMAND,
    timeout: &keys::JOB_MANAGER_PROLOG_TIMEOUT,
    kill_timeout: &keys::JOB_MANAGER_PROLOG_KILL_TIMEOUT,
    per_rank: &keys::JOB_MANAGER_PROLOG_PER_RANK,
    cancel_on_exception: &keys::JOB_MANAGER_PROLOG_CANCEL_ON_EXCEPTION,
    exit_on_first_error: &keys::JOB_MANAGER_PROLOG_EXIT_ON_FIRST_ERROR,
};

const EPILOG: Keys = Keys {
    table: &keys::JOB_MANAGER_EPILOG,
    command: &keys::JOB_MANAGER_EPILOG_COMMAND,
    timeout: &keys::JOB_MANAGER_EPILOG_TIMEOUT,
    kill_timeout: &keys::JOB_MANAGER_EPILOG_KILL_TIMEOUT,
    per_rank: &keys::JOB_MANAGER_EPILOG_PER_RANK,
    cancel_on_exception: &keys::JOB_MANAGER_EPILOG_CANCEL_ON_EXCEPTION,
    exit_on_first_error: &keys::JOB_MANAGER_EPILOG_EXIT_ON_FIRST_ERROR,
};

impl Config {
    /// Reads the tables.
    pub fn new(conf: &Object) -> Result<Config, String> {
        Ok(Config {
            prolog: settings(conf, Kind::Prolog, &PROLOG)?,
            epilog: settings(conf, Kind::Epilog, &EPILOG)?,
            ignored: ignored(conf)?,
        })
    }

    /// Command to run, if any.
    pub fn of(&self, kind: Kind) -> Option<&Settings> {
        match kind {
            Kind::Prolog => self.prolog.as_ref(),
            Kind::Epilog => self.epilog.as_ref(),
        }
    }

    /// True if a line of output is not logged.
    pub fn ignores(&self, line: &str) -> bool {
        line.trim().is_empty() || self.ignored.iter().any(|regex| regex.is_match(line))
    }

    /// As a query shows it.
    pub fn shown(&self) -> Value {
        let shown = |settings: &Option<Settings>| match settings {
            Some(it) => json!({
                "command": it.command,
                "per_rank": it.per_rank,
                "cancel_on_exception": it.cancel_on_exception,
                "timeout": it.timeout,
                "kill-timeout": it.kill_timeout,
            }),
            None => Value::Object(Map::new()),
        };
        json!({"prolog": shown(&self.prolog), "epilog": shown(&self.epilog)})
    }
}

fn settings(conf: &Object, kind: Kind, keys: &Keys) -> Result<Option<Settings>, String> {
    if keys.table.value(conf).is_none() {
        return Ok(None);
    }
    let (name, table) = (kind.name(), keys.table.path);
    let Some(command) = read::<Vec<String>>(conf, keys.command)? else {
        return Err(format!(
            "[{table}]: no command specified and exec.imp not defined"
        ));
    };
    if command.first().is_none_or(String::is_empty) {
        return Err(format!("[{table}]: malformed {name} command"));
    }
    let is_prolog = kind == Kind::Prolog;
    let timeout = read::<Fsd>(conf, keys.timeout)?.map(Fsd::secs);
    let _: Option<bool> = read(conf, keys.exit_on_first_error)?;
    Ok(Some(Settings {
        command,
        timeout: timeout.unwrap_or(if is_prolog { PROLOG_TIMEOUT_S } else { 0.0 }),
        kill_timeout: read(conf, keys.kill_timeout)?.unwrap_or(KILL_TIMEOUT_S),
        per_rank: read(conf, keys.per_rank)?.unwrap_or(false),
        cancel_on_exception: read(conf, keys.cancel_on_exception)?.unwrap_or(is_prolog),
    }))
}

fn read<T: DeserializeOwned>(conf: &Object, key: &Key) -> Result<Option<T>, String> {
    key.read(conf).map_err(|refusal| refusal.to_string())
}

fn ignored(conf: &Object) -> Result<Vec<Regex>, String> {
    let key = &keys::JOB_MANAGER_PERILOG_LOG_IGNORE;
    let texts: Vec<String> = read(conf, key)?.unwrap_or_default();
    if texts.len() > LOG_IGNORE_MAX {
        return Err(format!("{}: more than {LOG_IGNORE_MAX} entries", key.path));
    }
    let compile = |text: &String| {
        let regex = RegexBuilder::new(text)
            .size_limit(LOG_IGNORE_BYTES_MAX)
            .build();
        regex.map_err(|_| format!("[job-manager.perilog]: Failed to compile regex: {text}"))
    };
    texts.iter().map(compile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tables: &str, expect: &str) {
        let conf = format!(r#"{{"job-manager":{tables}}}"#);
        let conf = Object(serde_json::from_str(&conf).unwrap());
        let shown = match Config::new(&conf) {
            Ok(config) => config.shown().to_string(),
            Err(error) => error,
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn the_tables_are_read() {
        check("{}", r#"{"prolog":{},"epilog":{}}"#);
        check(
            r#"{"prolog":{"command":["a","b"]}}"#,
            r#"{"prolog":{"command":["a","b"],"per_rank":false,"cancel_on_exception":true,"timeout":1800.0,"kill-timeout":60.0},"epilog":{}}"#,
        );
        check(
            r#"{"epilog":{"command":["a"],"timeout":"1m","kill-timeout":0.5,"per-rank":true,"cancel-on-exception":true,"exit-on-first-error":true}}"#,
            r#"{"prolog":{},"epilog":{"command":["a"],"per_rank":true,"cancel_on_exception":true,"timeout":60.0,"kill-timeout":0.5}}"#,
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (table, text) in [
            ("{}", "no command specified and exec.imp not defined"),
            (r#"{"command":[]}"#, "malformed prolog command"),
            (r#"{"command":[""]}"#, "malformed prolog command"),
            (r#"{"command":"x"}"#, "command must be an array"),
            (
                r#"{"command":["x"],"timeout":"soon"}"#,
                "invalid prolog timeout",
            ),
            (r#"{"command":["x"],"timeout":5}"#, "invalid prolog timeout"),
        ] {
            let expect = format!("[job-manager.prolog]: {text}");
            check(&format!(r#"{{"prolog":{table}}}"#), &expect);
        }
        check(
            r#"{"epilog":{"command":["x"],"kill-timeout":0}}"#,
            "job-manager.epilog.kill-timeout: must be a number above 0",
        );
        for (bad, text) in [
            (
                "7",
                "error parsing log-ignore: all entries must be a string value",
            ),
            (r#"["("]"#, "Failed to compile regex: ("),
        ] {
            let expect = format!("[job-manager.perilog]: {text}");
            check(&format!(r#"{{"perilog":{{"log-ignore":{bad}}}}}"#), &expect);
        }
        let many = vec!["x"; LOG_IGNORE_MAX + 1];
        check(
            &json!({"perilog": {"log-ignore": many}}).to_string(),
            &format!("job-manager.perilog.log-ignore: more than {LOG_IGNORE_MAX} entries"),
        );
    }

    #[test]
    fn lines_without_use_are_ignored() {
        let conf = json!({"job-manager": {"perilog": {"log-ignore": ["^ok [0-9]+$", "x{2}|[[:digit:]]y"]}}});
        let config = Config::new(&Object(conf.as_object().unwrap().clone())).unwrap();
        for (line, is_ignored) in [
            ("", true),
            (" \t", true),
            ("ok 12", true),
            ("ok 12 not", false),
            ("axxb", true),
            ("7y", true),
            ("text", false),
        ] {
            assert_eq!(config.ignores(line), is_ignored, "{line}");
        }
    }
}
