//! Options `output` and `input` (protocol/23 section 11): where streams go and come from.

use std::time::Duration;

use proto::data::shell_option::{self as option, ShellOption};
use proto::data::size::parse_size;
use serde_json::Value;

use super::reader::{Problem, Reader};
use crate::limits::{INPUT_LIMIT_BYTES_MAX, OUTPUT_MAX};
use crate::lines::Buffering;
use crate::log::Level;

/// Destinations of output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OutputOptions {
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// Bytes of each stream that go to the KVS, if the job said so.
    pub limit: Option<Limit>,
    /// Time for which output is gathered before it is stored.
    pub gather: Duration,
}

/// Destination of one output stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stream {
    /// Template of a file's path; `None` for the KVS.
    pub path: Option<String>,
    /// Prefix each line with the task's rank.
    pub label: bool,
    /// Add to a file that exists.
    pub append: bool,
    /// Time at which it is passed on.
    pub buffering: Buffering,
}

/// Source of input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputOptions {
    /// Bytes that the job may be sent, if it said so.
    pub limit: Option<Limit>,
    /// File to read standard input from.
    pub file: Option<String>,
    /// Time for which input is gathered before it is logged.
    pub gather: Duration,
}

/// A number of bytes, and how the job said it.
pub type Limit = (u64, String);

/// The rows of one output stream.
struct Rows {
    kind: ShellOption,
    path: ShellOption,
    label: ShellOption,
    buffer: ShellOption,
}

const STDOUT: Rows = Rows {
    kind: option::OUTPUT_STDOUT_TYPE,
    path: option::OUTPUT_STDOUT_PATH,
    label: option::OUTPUT_STDOUT_LABEL,
    buffer: option::OUTPUT_STDOUT_BUFFER,
};
const STDERR: Rows = Rows {
    kind: option::OUTPUT_STDERR_TYPE,
    path: option::OUTPUT_STDERR_PATH,
    label: option::OUTPUT_STDERR_LABEL,
    buffer: option::OUTPUT_STDERR_BUFFER,
};

/// Reads `output`.
pub fn output(reader: &mut Reader) -> Result<OutputOptions, Problem> {
    reader.section("output")?;
    let append = append(reader);
    let stdout = stream(reader, &STDOUT, append, None)?;
    let stderr = stream(reader, &STDERR, append, Some(&stdout))?;
    watermarks(reader)?;
    let limit = limit(reader, option::OUTPUT_LIMIT, OUTPUT_MAX.0, "output.kvs");
    let limit = limit.map_err(Problem::Text)?;
    let gather = seconds(reader, option::OUTPUT_BATCH_TIMEOUT)
        .map_err(|()| "invalid output.batch-timeout option".to_owned())?;
    Ok(OutputOptions {
        stdout,
        stderr,
        limit,
        gather,
    })
}

/// Reads `input`.
pub fn input(reader: &mut Reader) -> Result<InputOptions, Problem> {
    reader.section("input")?;
    let gather = seconds(reader, option::INPUT_BATCH_TIMEOUT)
        .map_err(|()| "invalid input.batch-timeout option".to_owned())?;
    let path = reader.text(option::INPUT_STDIN_PATH);
    let path = path.map_err(|_| "input.stdin.path is not a string".to_owned())?;
    let file = match reader.value(option::INPUT_STDIN_TYPE) {
        None => path,
        Some(Value::String(kind)) if kind == "service" => None,
        Some(Value::String(kind)) if kind == "file" => match path {
            Some(path) => Some(path),
            None => return Err("input.stdin: type is file but there is no path".into()),
        },
        Some(other) => return Err(format!("input.stdin.type={} invalid", given(other)).into()),
    };
    let limit = limit(
        reader,
        option::INPUT_LIMIT,
        INPUT_LIMIT_BYTES_MAX,
        "input.util",
    );
    let limit = limit.map_err(|why| {
        let text = "failed to initialize input ctx";
        reader.remark(Level::Error, Some("input.util"), text);
        Problem::Text(why)
    })?;
    Ok(InputOptions {
        limit,
        file: file.map(str::to_owned),
        gather,
    })
}

/// True if files are appended to. Both streams report their reading of the option.
fn append(reader: &mut Reader) -> bool {
    match reader.value(option::OUTPUT_MODE) {
        None => false,
        Some(Value::String(mode)) if mode == "truncate" => false,
        Some(Value::String(mode)) if mode == "append" => true,
        Some(other) => {
            let text = format!("ignoring invalid output.mode={}", given(other));
            reader.warn("output.task", text.clone());
            reader.warn("output.task", text);
            false
        }
    }
}

/// One stream; it follows the other one in everything but its buffering.
fn stream(
    reader: &mut Reader,
    rows: &Rows,
    append: bool,
    follow: Option<&Stream>,
) -> Result<Stream, Problem> {
    let path = reader.text(rows.path);
    let path = path.map_err(|_| format!("{} is not a string", rows.path.name))?;
    let is_kvs = reader.value(rows.kind).is_some_and(|kind| kind == "kvs");
    let followed = follow.and_then(|stream| stream.path.as_deref());
    let path = if is_kvs { None } else { path.or(followed) };
    let label = reader.bool(rows.label);
    Ok(Stream {
        path: path.map(str::to_owned),
        label: label.unwrap_or(follow.is_some_and(|stream| stream.label)),
        append,
        buffering: buffering(reader, rows),
    })
}

fn buffering(reader: &mut Reader, rows: &Rows) -> Buffering {
    let default = if rows.buffer.default == "none" {
        Buffering::None
    } else {
        Buffering::Line
    };
    let Some(value) = reader.value(rows.buffer) else {
        return default;
    };
    let word = given(value);
    match word.to_lowercase().as_str() {
        "none" => Buffering::None,
        "line" => Buffering::Line,
        _ => {
            let text = format!("invalid buffer type specified: {word}");
            reader.remark(Level::Error, Some("output.config"), text);
            Buffering::Line
        }
    }
}

/// Checks the credit of shells that send their output to the leader. With one shell there is none.
fn watermarks(reader: &mut Reader) -> Result<(), Problem> {
    let mut read = |row: ShellOption| -> Result<i64, ()> {
        let default = row.default.parse().map_err(drop)?;
        Ok(reader.int(row).map_err(drop)?.unwrap_or(default))
    };
    match (
        read(option::OUTPUT_CLIENT_LWM),
        read(option::OUTPUT_CLIENT_HWM),
    ) {
        (Ok(lwm), Ok(hwm)) if 0 <= lwm && lwm < hwm => Ok(()),
        _ => {
            let text = "invalid client.lwm and/or client.hwm specified";
            reader.remark(Level::Error, Some("output.config"), text);
            Err(Problem::Text(text.to_owned()))
        }
    }
}

/// A number of bytes that is at most `max`. Errors are logged as notices.
fn limit(
    reader: &mut Reader,
    row: ShellOption,
    max: u64,
    component: &'static str,
) -> Result<Option<Limit>, String> {
    let Some(value) = reader.value(row) else {
        return Ok(None);
    };
    let bytes = match value {
        Value::String(text) => parse_size(text),
        value => value.as_u64(),
    };
    let given = given(value);
    match bytes.filter(|bytes| *bytes <= max) {
        Some(bytes) => Ok(Some((bytes, given))),
        None => {
            let text = format!("Invalid KVS {}={given}", row.name);
            reader.remark(Level::Notice, Some(component), text.clone());
            Err(text)
        }
    }
}

/// A number of seconds; none is 0.
fn seconds(reader: &mut Reader, row: ShellOption) -> Result<Duration, ()> {
    let seconds = reader.number(row).map_err(drop)?.unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).map_err(drop)
}

/// A value as the job gave it.
fn given(value: &Value) -> String {
    value.as_str().map_or(value.to_string(), str::to_owned)
}
