//! Result of a job.

use std::fmt;
use std::str::FromStr;

use super::number::number_on_the_wire;
use super::state::is_spelling;
use super::status::WaitStatus;

/// The result of an inactive job. In JSON it is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobResult {
    /// Ran and exited with 0.
    Completed = 1,
    /// Ended in any other way.
    Failed = 2,
    /// Ended by a fatal `cancel` exception.
    Canceled = 4,
    /// Ended by a fatal `timeout` exception.
    Timeout = 8,
}

/// A text that names no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid job result '{0}'")]
pub struct UnknownResult(pub String);

/// Facts from which the result follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobOutcome<'a> {
    /// True if the job got resources.
    pub ran: bool,
    /// Status of the `finish` event, if there was one.
    pub status: Option<WaitStatus>,
    /// Type of the exception of severity 0, if there was one.
    pub fatal_exception: Option<&'a str>,
}

impl JobResult {
    /// Every result, by number.
    pub const ALL: [JobResult; 4] = [Self::Completed, Self::Failed, Self::Canceled, Self::Timeout];

    /// The result of an outcome.
    pub fn of(outcome: JobOutcome<'_>) -> Self {
        match outcome.fatal_exception {
            None if outcome.ran && outcome.status == Some(WaitStatus::SUCCESS) => Self::Completed,
            Some("cancel") => Self::Canceled,
            Some("timeout") => Self::Timeout,
            _ => Self::Failed,
        }
    }

    /// The number.
    pub const fn bit(self) -> u32 {
        self as u32
    }

    /// The result with this number.
    pub fn from_bit(bit: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.bit() == bit)
    }

    /// `COMPLETED`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::Timeout => "TIMEOUT",
        }
    }

    /// `CD`
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Completed => "CD",
            Self::Failed => "F",
            Self::Canceled => "CA",
            Self::Timeout => "TO",
        }
    }
}

impl fmt::Display for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for JobResult {
    type Err = UnknownResult;

    /// Takes `FAILED`, `failed`, `F` or `f`; mixed case is refused.
    fn from_str(text: &str) -> Result<Self, UnknownResult> {
        Self::ALL
            .into_iter()
            .find(|result| is_spelling(text, result.name(), result.short_name()))
            .ok_or_else(|| UnknownResult(text.to_owned()))
    }
}

number_on_the_wire!(
    JobResult,
    "JobResult",
    u32,
    "a job result",
    |r| r.bit(),
    JobResult::from_bit
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_has_its_number_and_four_spellings() {
        for (bit, name, short_name) in [
            (1, "COMPLETED", "CD"),
            (2, "FAILED", "F"),
            (4, "CANCELED", "CA"),
            (8, "TIMEOUT", "TO"),
        ] {
            let result = JobResult::from_bit(bit).unwrap();
            for text in [
                name,
                short_name,
                &name.to_lowercase(),
                &short_name.to_lowercase(),
            ] {
                assert_eq!(text.parse(), Ok(result), "{text}");
            }
            assert_eq!(serde_json::to_string(&result).unwrap(), bit.to_string());
        }
        assert!("Failed".parse::<JobResult>().is_err());
        assert!(serde_json::from_str::<JobResult>("3").is_err());
    }

    fn check(ran: bool, status: Option<i32>, exception: Option<&str>, expect: JobResult) {
        let status = status.map(WaitStatus);
        let outcome = JobOutcome {
            ran,
            status,
            fatal_exception: exception,
        };
        assert_eq!(JobResult::of(outcome), expect, "{outcome:?}");
    }

    #[test]
    fn the_result_follows_from_the_outcome() {
        check(true, Some(0), None, JobResult::Completed);
        check(true, Some(256), None, JobResult::Failed);
        check(true, None, None, JobResult::Failed);
        check(false, None, Some("cancel"), JobResult::Canceled);
        check(true, Some(9), Some("cancel"), JobResult::Canceled);
        check(true, Some(0), Some("timeout"), JobResult::Timeout);
        check(true, Some(0), Some("exec"), JobResult::Failed);
        check(false, Some(0), None, JobResult::Failed);
    }
}
