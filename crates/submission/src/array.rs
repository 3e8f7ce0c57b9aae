//! The options of an array, and the shell options that they become.

use proto::data::{IdSet, JobId};
use serde_json::{Map, Value, json};

use command::error::CliError;

/// Job arrays.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct ArrayOptions {
    /// Submit one job that runs the command once for each index, on the allocated slots; at
    /// most LIMIT at once. {{array.index}} in words, paths and --env values is the index, and
    /// so is FLUX_ARRAY_INDEX
    #[arg(long, value_name = "IDSET[%LIMIT]", help_heading = ARRAY)]
    pub array: Option<String>,
    /// Rerun a failed element at most N times
    #[arg(long, value_name = "N", help_heading = ARRAY)]
    pub array_retry: Option<u32>,
    /// Kill an element after this time, such as 90s
    #[arg(long, value_name = "DURATION", help_heading = ARRAY)]
    pub array_timeout: Option<String>,
    /// Leave out elements that exited with code 0 in an earlier array
    #[arg(long, value_name = "JOBID", help_heading = ARRAY)]
    pub array_resume: Option<String>,
}

const ARRAY: &str = "Job arrays";

impl ArrayOptions {
    /// The shell option `array`; none if the job is no array.
    pub fn option(&self) -> Result<Option<Value>, CliError> {
        let Some(text) = &self.array else {
            return match self {
                ArrayOptions {
                    array_retry: None,
                    array_timeout: None,
                    array_resume: None,
                    ..
                } => Ok(None),
                _ => Err(CliError::new(
                    "--array-retry, --array-timeout and --array-resume need --array",
                )),
            };
        };
        let (indices, limit) = match text.split_once('%') {
            Some((indices, limit)) => (indices, Some(limit)),
            None => (text.as_str(), None),
        };
        let set: Result<IdSet, _> = indices.parse();
        let set = set.map_err(|error| CliError::new(format!("--array={text}: {error}")))?;
        let mut option = Map::new();
        option.insert("indices".to_owned(), set.to_string().into());
        if let Some(limit) = limit {
            let number: Result<u32, _> = limit.parse();
            let bad = |_| CliError::new(format!("--array={text}: '{limit}' is not a number"));
            option.insert("limit".to_owned(), json!(number.map_err(bad)?));
        }
        if let Some(retry) = self.array_retry {
            option.insert("retry".to_owned(), json!(retry));
        }
        if let Some(timeout) = &self.array_timeout {
            option.insert("timeout".to_owned(), timeout.as_str().into());
        }
        if let Some(resume) = &self.array_resume {
            let id: Result<JobId, _> = resume.parse();
            let bad = |_| CliError::new(format!("--array-resume={resume}: not a job id"));
            let id = id.map_err(bad)?;
            option.insert("resume".to_owned(), id.get().to_string().into());
        }
        Ok(Some(Value::Object(option)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(array: &str, change: impl FnOnce(&mut ArrayOptions), expect: &str) {
        let mut options = ArrayOptions {
            array: (!array.is_empty()).then(|| array.to_owned()),
            ..ArrayOptions::default()
        };
        change(&mut options);
        let shown = match options.option() {
            Ok(Some(option)) => option.to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(shown, expect, "{array}");
    }

    #[test]
    fn an_array_is_a_set_and_a_limit() {
        check("", |_| {}, "none");
        check("1-10000", |_| {}, r#"{"indices":"1-10000"}"#);
        check("[1-3,7]%2", |_| {}, r#"{"indices":"1-3,7","limit":2}"#);
        check(
            "1-2",
            |it| it.array_retry = Some(3),
            r#"{"indices":"1-2","retry":3}"#,
        );
        check(
            "1-2",
            |it| it.array_timeout = Some("1m".to_owned()),
            r#"{"indices":"1-2","timeout":"1m"}"#,
        );
        check(
            "1-2",
            |it| it.array_resume = Some("f2".to_owned()),
            r#"{"indices":"1-2","resume":"1"}"#,
        );
    }

    #[test]
    fn what_is_none_is_said() {
        check("1-2%x", |_| {}, "--array=1-2%x: 'x' is not a number");
        let text = "--array-retry, --array-timeout and --array-resume need --array";
        check("", |it| it.array_retry = Some(1), text);
        let text = "--array-resume=?: not a job id";
        check("1-2", |it| it.array_resume = Some("?".to_owned()), text);
    }
}
