//! The array requested by a jobspec: the shell options `array.*`, read and checked.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::data::limits::{ARRAY_ELEMENTS_MAX, ARRAY_TRIES_MAX};
use crate::data::shell_option::{self as option, ShellOption};
use crate::data::{Fsd, IdSet, JobId};

/// The array requested by a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArraySpec {
    /// Indices of its elements.
    pub indices: IdSet,
    /// Limit of elements that run at once; `None` for the number of slots.
    pub limit: Option<u32>,
    /// Number of retries of a failed element.
    pub retry: u32,
    /// Time limit of one try of an element.
    pub timeout: Option<Duration>,
    /// The job whose successful elements are left out.
    pub resume: Option<JobId>,
}

/// Reasons for which a job is no array, or cannot run as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// There are array options without indices.
    #[error("array: no indices are given")]
    NoIndices,
    /// The indices are not a set.
    #[error("array.indices: '{0}' is not an idset: {1}")]
    NotASet(String, String),
    /// The set is empty.
    #[error("array.indices: the set is empty")]
    Empty,
    /// The set exceeds the maximum for one job.
    #[error("array.indices: {0} elements are more than {ARRAY_ELEMENTS_MAX}")]
    TooMany(u64),
    /// No element could ever run.
    #[error("array.limit: must be an integer > 0")]
    Limit,
    /// The number of retries is too large.
    #[error("array.retry: must be an integer from 0 to {}", ARRAY_TRIES_MAX - 1)]
    Retry,
    /// The timeout is not a duration, or is zero.
    #[error("array.timeout: must be a duration > 0")]
    Timeout,
    /// Not a job id.
    #[error("array.resume: '{0}' is not a job id")]
    Resume(String),
    /// An option of parallel tasks is set that does not apply to elements of an array.
    #[error("array: an array cannot have the shell option '{0}'")]
    Beside(&'static str),
}

/// Options of parallel tasks, which do not apply to elements of an array.
const NOT_BESIDE: [ShellOption; 4] = [
    option::PTY,
    option::EXIT_TIMEOUT,
    option::TASKMAP_SCHEME,
    option::STOP_TASKS_IN_EXEC,
];

impl ArraySpec {
    /// Reads the options of a shell; `None` if the job is no array.
    ///
    /// # Errors
    /// Reads the options, or returns the error of the first invalid one.
    pub fn read(options: &Map<String, Value>) -> Result<Option<ArraySpec>, ArrayError> {
        let rows = [
            option::ARRAY_INDICES,
            option::ARRAY_LIMIT,
            option::ARRAY_RETRY,
            option::ARRAY_TIMEOUT,
            option::ARRAY_RESUME,
        ];
        let [indices, limit, retry, timeout, resume] = rows.map(|row| row.of(options));
        let Some(indices) = indices else {
            let has_more = [limit, retry, timeout, resume].iter().any(Option::is_some);
            return if has_more {
                Err(ArrayError::NoIndices)
            } else {
                Ok(None)
            };
        };
        let beside = NOT_BESIDE.iter().find(|row| row.of(options).is_some());
        if let Some(row) = beside {
            return Err(ArrayError::Beside(row.name));
        }
        Ok(Some(ArraySpec {
            indices: read_indices(indices)?,
            limit: limit.map(read_limit).transpose()?,
            retry: retry.map_or(Ok(0), read_retry)?,
            timeout: timeout.map(read_timeout).transpose()?,
            resume: resume.map(read_resume).transpose()?,
        }))
    }
}

fn read_indices(value: &Value) -> Result<IdSet, ArrayError> {
    // One index may come as a number.
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let set: IdSet = text
        .parse()
        .map_err(|error| ArrayError::NotASet(text.clone(), format!("{error}")))?;
    match set.count() {
        0 => Err(ArrayError::Empty),
        n if n > ARRAY_ELEMENTS_MAX => Err(ArrayError::TooMany(n)),
        _ => Ok(set),
    }
}

fn read_limit(value: &Value) -> Result<u32, ArrayError> {
    let limit = value.as_u64().filter(|limit| *limit > 0);
    let limit = limit.ok_or(ArrayError::Limit)?;
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}

fn read_retry(value: &Value) -> Result<u32, ArrayError> {
    let retry = value.as_u64().and_then(|retry| u32::try_from(retry).ok());
    retry
        .filter(|retry| *retry < ARRAY_TRIES_MAX)
        .ok_or(ArrayError::Retry)
}

fn read_timeout(value: &Value) -> Result<Duration, ArrayError> {
    let fsd: Result<Fsd, _> = serde_json::from_value(value.clone());
    let seconds = fsd.map_err(|_| ArrayError::Timeout)?.secs();
    let timeout = Duration::try_from_secs_f64(seconds).map_err(|_| ArrayError::Timeout)?;
    match timeout.is_zero() {
        true => Err(ArrayError::Timeout),
        false => Ok(timeout),
    }
}

fn read_resume(value: &Value) -> Result<JobId, ArrayError> {
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    text.parse().map_err(|_| ArrayError::Resume(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(options: Value, expect: &str) {
        let read = ArraySpec::read(options.as_object().unwrap());
        let said = match read {
            Err(error) => error.to_string(),
            Ok(None) => "none".to_owned(),
            Ok(Some(spec)) => format!(
                "{} limit={:?} retry={} timeout={:?} resume={:?}",
                spec.indices,
                spec.limit,
                spec.retry,
                spec.timeout,
                spec.resume.map(JobId::get)
            ),
        };
        assert_eq!(said, expect, "{options}");
    }

    fn array(array: Value) -> Value {
        json!({ "array": array })
    }

    #[test]
    fn an_array_says_what_it_wants() {
        check(json!({"verbose": 1}), "none");
        check(
            array(
                json!({"indices": "1-10,15", "limit": 4, "retry": 2, "timeout": "1.5m",
                "resume": "f1"}),
            ),
            "1-10,15 limit=Some(4) retry=2 timeout=Some(90s) resume=Some(0)",
        );
        check(
            array(json!({"indices": 7, "timeout": 2})),
            "7 limit=None retry=0 timeout=Some(2s) resume=None",
        );
        check(
            json!({"array.indices": "0-9999999"}),
            "0-9999999 limit=None retry=0 timeout=None resume=None",
        );
    }

    #[test]
    fn what_cannot_be_run_is_refused_in_words() {
        let no_set =
            |text: &str, why: &str| format!("array.indices: '{text}' is not an idset: {why}");
        let why = |text: &str| text.parse::<IdSet>().unwrap_err().to_string();
        check(array(json!({"limit": 4})), "array: no indices are given");
        check(
            array(json!({"indices": ""})),
            "array.indices: the set is empty",
        );
        check(array(json!({"indices": "x"})), &no_set("x", &why("x")));
        check(
            array(json!({"indices": "5-1"})),
            &no_set("5-1", &why("5-1")),
        );
        check(
            array(json!({"indices": "1-10000001"})),
            "array.indices: 10000001 elements are more than 10000000",
        );
        for limit in [json!(0), json!(-1), json!("x")] {
            check(
                array(json!({"indices": "1-2", "limit": limit})),
                "array.limit: must be an integer > 0",
            );
        }
        for retry in [json!(-1), json!(255), json!("x")] {
            check(
                array(json!({"indices": "1-2", "retry": retry})),
                "array.retry: must be an integer from 0 to 254",
            );
        }
        for timeout in [json!(0), json!("x"), json!(-1)] {
            check(
                array(json!({"indices": "1-2", "timeout": timeout})),
                "array.timeout: must be a duration > 0",
            );
        }
        check(
            array(json!({"indices": "1-2", "resume": "?"})),
            "array.resume: '?' is not a job id",
        );
    }

    #[test]
    fn an_array_has_no_options_of_tasks_that_belong_together() {
        check(
            json!({"array": {"indices": "1-2"}, "exit-timeout": "1s"}),
            "array: an array cannot have the shell option 'exit-timeout'",
        );
        check(
            json!({"array": {"indices": "1-2"}, "taskmap": {"scheme": "cyclic"}}),
            "array: an array cannot have the shell option 'taskmap.scheme'",
        );
    }
}
