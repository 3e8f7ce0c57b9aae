//! Shell options: `attributes.system.shell.options` of a jobspec, read and checked once
//! (protocol/13 section 14). Pure.

use std::time::Duration;

use proto::data::Fsd;
use serde_json::{Map, Value};

use crate::limits::INPUT_LIMIT_BYTES_MAX;
use crate::lines::Buffering;

/// What the submitter asked of the shell.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How much the shell says of itself.
    pub verbose: i64,
    /// Where standard output goes.
    pub stdout: Stream,
    /// Where standard error goes.
    pub stderr: Stream,
    /// Bytes of each stream that go to the KVS, and how the job said that, if it did.
    pub output_limit: Option<(u64, String)>,
    /// Bytes of standard input that the job may be sent, and how it said that, if it did.
    pub input_limit: Option<(u64, String)>,
    /// File to read standard input from.
    pub stdin_file: Option<String>,
    /// How long other tasks may outlive the first; `None` for ever.
    pub exit_timeout: Option<Duration>,
    /// End the job when a task fails.
    pub exit_on_error: bool,
    /// Signal to send before the time is up, and how long before.
    pub signal: Option<(i32, Duration)>,
    /// How tasks are bound to cores.
    pub affinity: Affinity,
    /// How GPUs are shown to tasks.
    pub gpu_affinity: Affinity,
    /// Whether PMI is served.
    pub pmi: bool,
    /// Leave out the process mapping.
    pub pmi_nomap: bool,
    /// Resource limits: name without `RLIMIT_` in lower case, soft limit, -1 for none.
    pub rlimits: Vec<(String, i64)>,
    /// Variables of tasks and the templates of their values.
    pub env_templates: Vec<(String, String)>,
    /// Leave tasks in the shell's process group.
    pub nosetpgrp: bool,
}

/// Where one output stream goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// Template of a file's path; `None` for the KVS.
    pub path: Option<String>,
    /// Prefix each line with the task's rank.
    pub label: bool,
    /// Add to a file that exists.
    pub append: bool,
    /// When it is passed on.
    pub buffering: Buffering,
}

/// How tasks are bound to cores, or shown GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affinity {
    /// Not at all.
    Off,
    /// All to all of the job's.
    On,
    /// Each to its share of the job's.
    PerTask,
    /// Each to the idset at its place, the last one for all further tasks.
    Map(Vec<String>),
}

/// Signal that is sent before the time is up when the job only says that one is to be.
const SIGUSR1: i32 = 10;
/// How long before, in seconds.
const SIGNAL_TIME_LEFT_S: f64 = 60.0;
/// How long other tasks may outlive the first, in seconds.
const EXIT_TIMEOUT_S: u64 = 30;

impl Options {
    /// Reads the options; the error names the one that makes no sense.
    pub fn read(options: Option<&Map<String, Value>>) -> Result<Options, String> {
        let empty = Map::new();
        let options = options.unwrap_or(&empty);
        let get = |path: &str| lookup(options, path);
        let stdout = stream(options, "stdout", None)?;
        let stderr = stream(options, "stderr", stdout.path.as_ref().map(|_| &stdout))?;
        Ok(Options {
            verbose: get("verbose").and_then(Value::as_i64).unwrap_or(0),
            output_limit: get("output.limit")
                .map(|value| Ok::<_, String>((size("output.limit", value)?, as_given(value))))
                .transpose()?,
            input_limit: get("input.limit").map(input_limit).transpose()?,
            stdin_file: input_file(options)?,
            exit_timeout: exit_timeout(get("exit-timeout"))?,
            exit_on_error: get("exit-on-error").is_some_and(is_on),
            signal: signal(get("signal"))?,
            affinity: affinity("cpu-affinity", get("cpu-affinity"))?,
            gpu_affinity: affinity("gpu-affinity", get("gpu-affinity"))?,
            pmi: !matches!(get("pmi"), Some(Value::String(off)) if matches!(off.as_str(), "off" | "none")),
            pmi_nomap: get("pmi-simple.nomap").is_some_and(is_on),
            rlimits: rlimits(get("rlimit"))?,
            env_templates: env_templates(get("env-expand"))?,
            nosetpgrp: get("nosetpgrp").is_some_and(is_on),
            stdout,
            stderr,
        })
    }
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

/// An option given without a value is 1.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}

fn stream(
    options: &Map<String, Value>,
    name: &str,
    follow: Option<&Stream>,
) -> Result<Stream, String> {
    let get = |key: &str| lookup(options, &format!("output.{name}.{key}"));
    let kind = get("type").and_then(Value::as_str);
    let path = match (kind, get("path")) {
        (Some("kvs"), _) => None,
        (None | Some("file"), Some(Value::String(path))) => Some(path.clone()),
        (Some("file"), _) => {
            return Err(format!("output.{name}: type is file but there is no path"));
        }
        (None, None) => follow.and_then(|stream| stream.path.clone()),
        (Some(other), _) => return Err(format!("output.{name}: invalid type '{other}'")),
        (None, Some(_)) => return Err(format!("output.{name}.path is not a string")),
    };
    let is_same = follow.is_some_and(|stream| stream.path == path);
    let mode = get("mode")
        .and_then(Value::as_str)
        .or_else(|| lookup(options, "output.mode").and_then(Value::as_str));
    let append = match mode {
        None => follow.is_some_and(|stream| is_same && stream.append),
        Some("truncate") => false,
        Some("append") => true,
        Some(other) => return Err(format!("output.{name}: invalid mode '{other}'")),
    };
    let buffering = match (get("buffer.type").and_then(Value::as_str), name) {
        (Some("none"), _) | (None, "stderr") => Buffering::None,
        (Some("line"), _) | (None, _) => Buffering::Line,
        (Some(other), _) => return Err(format!("invalid buffer type specified: {other}")),
    };
    Ok(Stream {
        path,
        label: get("label").map_or(follow.is_some_and(|s| is_same && s.label), is_on),
        append,
        buffering,
    })
}

/// The limit of the input, in bytes and as it was given.
fn input_limit(value: &Value) -> Result<(u64, String), String> {
    let given = as_given(value);
    match size("input.limit", value) {
        Ok(limit) if limit <= INPUT_LIMIT_BYTES_MAX => Ok((limit, given)),
        _ => Err(format!("input.util: Invalid KVS input.limit={given}")),
    }
}

/// A value as the user has written it.
fn as_given(value: &Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}

fn input_file(options: &Map<String, Value>) -> Result<Option<String>, String> {
    let path = lookup(options, "input.stdin.path").and_then(Value::as_str);
    match lookup(options, "input.stdin.type").and_then(Value::as_str) {
        None if path.is_some() => Ok(path.map(str::to_owned)),
        None | Some("service") => Ok(None),
        Some("file") => match path {
            Some(path) => Ok(Some(path.to_owned())),
            None => Err("input.stdin: type is file but there is no path".to_owned()),
        },
        Some(other) => Err(format!("input.stdin: invalid type '{other}'")),
    }
}

fn fsd(value: &Value) -> Option<f64> {
    let fsd: Fsd = serde_json::from_value(value.clone()).ok()?;
    Some(fsd.secs())
}

fn exit_timeout(value: Option<&Value>) -> Result<Option<Duration>, String> {
    match value {
        None => Ok(Some(Duration::from_secs(EXIT_TIMEOUT_S))),
        Some(Value::String(none)) if none == "none" => Ok(None),
        Some(value) => {
            let seconds = fsd(value).ok_or("exit-timeout: invalid FSD")?;
            // Longer than the clock can count is for ever.
            Ok(Duration::try_from_secs_f64(seconds).ok())
        }
    }
}

fn signal(value: Option<&Value>) -> Result<Option<(i32, Duration)>, String> {
    let (signum, left) = match value {
        None => return Ok(None),
        Some(Value::Object(signal)) => (
            signal
                .get("signum")
                .map_or(Some(i64::from(SIGUSR1)), Value::as_i64),
            signal.get("timeleft").map_or(Some(SIGNAL_TIME_LEFT_S), fsd),
        ),
        Some(value) if !is_on(value) => return Ok(None),
        Some(_) => (Some(i64::from(SIGUSR1)), Some(SIGNAL_TIME_LEFT_S)),
    };
    let signum = signum
        .and_then(|n| i32::try_from(n).ok())
        .filter(|n| (1..=64).contains(n));
    let left = left.and_then(|left| Duration::try_from_secs_f64(left).ok());
    match (signum, left) {
        (Some(signum), Some(left)) => Ok(Some((signum, left))),
        _ => Err("signal: invalid signum or timeleft".to_owned()),
    }
}

fn affinity(key: &str, value: Option<&Value>) -> Result<Affinity, String> {
    let Some(Value::String(text)) = value else {
        return Ok(match value.is_none_or(is_on) {
            true => Affinity::On,
            false => Affinity::Off,
        });
    };
    // `verbose` and `dry-run` only ask to be told.
    let mut chosen = Affinity::On;
    let (words, map) = match text.split_once("map:") {
        Some((words, map)) => (words, Some(map)),
        None => (text.as_str(), None),
    };
    for word in words.split(',').filter(|word| !word.is_empty()) {
        chosen = match word {
            "on" | "verbose" => chosen,
            "off" | "dry-run" => Affinity::Off,
            "per-task" => Affinity::PerTask,
            other => return Err(format!("{key}: invalid option: {other}")),
        };
    }
    Ok(map.map_or(chosen, |map| {
        Affinity::Map(map.split(';').map(str::to_owned).collect())
    }))
}

/// Resource limits that there are.
const RLIMITS: [&str; 17] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "ofile",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

fn rlimits(value: Option<&Value>) -> Result<Vec<(String, i64)>, String> {
    let table = value.and_then(Value::as_object).into_iter().flatten();
    let read = table.map(|(name, limit)| {
        let known = name.to_lowercase();
        match limit.as_i64() {
            Some(number) if number >= -1 && RLIMITS.contains(&known.as_str()) => {
                Ok((known, number))
            }
            _ => Err(format!(
                "rlimit: invalid shell option rlimit.{name}={limit}"
            )),
        }
    });
    read.collect()
}

fn env_templates(value: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let table = value.and_then(Value::as_object).into_iter().flatten();
    table
        .map(|(name, template)| match template.as_str() {
            Some(template) => Ok((name.clone(), template.to_owned())),
            None => Err(format!("env-expand: invalid value for env var {name}")),
        })
        .collect()
}

/// A number of bytes, perhaps with one of the letters k, K, M, G.
fn size(key: &str, value: &Value) -> Result<u64, String> {
    let invalid = || format!("invalid {key}: {value}");
    if let Some(number) = value.as_u64() {
        return Ok(number);
    }
    let text = value.as_str().ok_or_else(invalid)?;
    let (number, factor) = match text.strip_suffix(['k', 'K', 'M', 'G']) {
        None => (text, 1),
        Some(number) if text.ends_with('G') => (number, 1 << 30),
        Some(number) if text.ends_with('M') => (number, 1 << 20),
        Some(number) => (number, 1 << 10),
    };
    let number: f64 = number.parse().map_err(|_| invalid())?;
    match number >= 0.0 && number.is_finite() {
        true => Ok((number * f64::from(factor)) as u64),
        false => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: Value) -> Result<Options, String> {
        Options::read(options.as_object())
    }

    fn refused(options: Value, why: &str) {
        assert_eq!(read(options).unwrap_err(), why);
    }

    #[test]
    fn nothing_asked_gives_the_defaults() {
        let options = read(json!({})).unwrap();
        assert_eq!(options.stdout.path, None);
        assert_eq!(options.stdout.buffering, Buffering::Line);
        assert_eq!(options.stderr.buffering, Buffering::None);
        assert_eq!(options.exit_timeout, Some(Duration::from_secs(30)));
        assert_eq!(options.affinity, Affinity::On);
        assert_eq!(options.gpu_affinity, Affinity::On);
        assert!(options.pmi && !options.exit_on_error);
        assert_eq!((options.signal, options.output_limit), (None, None));
    }

    #[test]
    fn variables_may_be_templates() {
        let options = read(json!({"env-expand": {"X": "{{id}}"}})).unwrap();
        assert_eq!(
            options.env_templates,
            [("X".to_owned(), "{{id}}".to_owned())]
        );
        refused(
            json!({"env-expand": {"X": 1}}),
            "env-expand: invalid value for env var X",
        );
    }

    #[test]
    fn standard_error_follows_standard_output_unless_it_is_told_otherwise() {
        let both = json!({"output": {"stdout": {"type": "file", "path": "a", "label": true}}});
        let options = read(both).unwrap();
        assert_eq!(options.stderr.path.as_deref(), Some("a"));
        assert!(options.stderr.label);
        let apart =
            json!({"output": {"stdout": {"path": "a"}, "stderr": {"path": "b", "mode": "append"}}});
        let options = read(apart).unwrap();
        assert_eq!(options.stdout.path.as_deref(), Some("a"));
        assert_eq!(options.stderr.path.as_deref(), Some("b"));
        assert!(options.stderr.append && !options.stdout.append);
        let kvs = json!({"output": {"stdout": {"path": "a"}, "stderr": {"type": "kvs"}}});
        assert_eq!(read(kvs).unwrap().stderr.path, None);
    }

    #[test]
    fn dots_may_stand_in_names() {
        let options = json!({"output.stdout.buffer.type": "none", "pmi-simple": {"nomap": 1}});
        let options = read(options).unwrap();
        assert_eq!(options.stdout.buffering, Buffering::None);
        assert!(options.pmi_nomap);
    }

    #[test]
    fn the_end_of_tasks_can_be_set() {
        let options = read(json!({"exit-timeout": "none", "exit-on-error": 1})).unwrap();
        assert_eq!(options.exit_timeout, None);
        assert!(options.exit_on_error);
        let options = read(json!({"exit-timeout": "2m", "exit-on-error": false})).unwrap();
        assert_eq!(options.exit_timeout, Some(Duration::from_secs(120)));
        assert!(!options.exit_on_error);
    }

    #[test]
    fn a_signal_has_a_number_and_a_time() {
        let check = |value: Value, expect| {
            assert_eq!(read(json!({"signal": value})).unwrap().signal, expect);
        };
        check(json!(1), Some((10, Duration::from_secs(60))));
        check(json!(0), None);
        check(
            json!({"signum": 12, "timeleft": 5.0}),
            Some((12, Duration::from_secs(5))),
        );
        check(
            json!({"timeleft": "2m"}),
            Some((10, Duration::from_secs(120))),
        );
    }

    #[test]
    fn affinity_has_its_words() {
        let check = |value: Value, expect| {
            assert_eq!(
                read(json!({"cpu-affinity": value})).unwrap().affinity,
                expect
            );
        };
        check(json!("off"), Affinity::Off);
        check(json!("per-task"), Affinity::PerTask);
        check(json!("verbose,per-task"), Affinity::PerTask);
        check(
            json!("map:0-1;2"),
            Affinity::Map(vec!["0-1".into(), "2".into()]),
        );
        refused(
            json!({"cpu-affinity": "sideways"}),
            "cpu-affinity: invalid option: sideways",
        );
    }

    #[test]
    fn sizes_have_letters() {
        let check = |value: Value, expect| {
            assert_eq!(
                read(json!({"output": {"limit": value}}))
                    .unwrap()
                    .output_limit
                    .map(|(limit, _)| limit),
                Some(expect)
            );
        };
        check(json!(100), 100);
        check(json!("2k"), 2048);
        check(json!("1.5M"), 3 << 19);
        check(json!("1G"), 1 << 30);
    }

    #[test]
    fn numbers_beyond_all_measure_are_named() {
        for value in [
            json!(u64::MAX),
            json!(-2),
            json!(1e308),
            json!("1"),
            json!(null),
        ] {
            let text = format!("rlimit: invalid shell option rlimit.cpu={value}");
            refused(json!({"rlimit": {"cpu": value}}), &text);
        }
        refused(
            json!({"rlimit": {"foo": 1}}),
            "rlimit: invalid shell option rlimit.foo=1",
        );
        for signum in [
            json!(0),
            json!(-1),
            json!(65),
            json!(1_u64 << 32),
            json!("x"),
        ] {
            let signal = json!({"signal": {"signum": signum}});
            refused(signal, "signal: invalid signum or timeleft");
        }
        for left in [json!(-1), json!(1e308), json!("x")] {
            let signal = json!({"signal": {"timeleft": left}});
            refused(signal, "signal: invalid signum or timeleft");
        }
    }

    #[test]
    fn nonsense_is_named() {
        refused(
            json!({"output": {"limit": "big"}}),
            "invalid output.limit: \"big\"",
        );
        refused(
            json!({"output": {"stdout": {"type": "tape"}}}),
            "output.stdout: invalid type 'tape'",
        );
        refused(
            json!({"output": {"stdout": {"type": "file"}}}),
            "output.stdout: type is file but there is no path",
        );
        refused(
            json!({"output": {"stdout": {"path": "a", "mode": "x"}}}),
            "output.stdout: invalid mode 'x'",
        );
        refused(json!({"exit-timeout": "soon"}), "exit-timeout: invalid FSD");
        refused(
            json!({"signal": {"signum": 99}}),
            "signal: invalid signum or timeleft",
        );
    }
}
