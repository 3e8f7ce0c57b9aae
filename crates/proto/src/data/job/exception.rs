//! Exceptions raised on jobs (RFC 21): type, severity, and the context of their event.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::number::number_on_the_wire;
use super::status::WaitStatus;
use crate::data::limits::EXCEPTION_TYPE_BYTES_MAX;
use crate::data::textual::string_on_the_wire;
use crate::schema::JsonSchema;

/// The type of an exception: not empty, not too long, no white space, no `=`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExceptionType(Box<str>);

/// Severity of an exception: 0 (ends the job) to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Severity(u8);

/// Errors of raising an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionError {
    /// The type is empty, too long, or has white space or `=`.
    #[error("invalid exception type")]
    Type,
    /// The severity is outside 0 to 7.
    #[error("invalid exception severity")]
    Severity,
}

/// The context of an `exception` event, its keys in the order they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// Type, such as `cancel` or `timeout`.
    #[serde(rename = "type")]
    pub kind: ExceptionType,
    /// 0 ends the job.
    pub severity: Severity,
    /// Text for the user, may be empty.
    #[serde(default)]
    pub note: String,
    /// User who raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userid: Option<u32>,
    /// Exit status of the job shell, if that is the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_status: Option<WaitStatus>,
}

impl ExceptionType {
    /// Checks a type.
    pub fn new(text: &str) -> Result<Self, ExceptionError> {
        let is_bad = |c: char| c.is_whitespace() || c == '=';
        if text.is_empty() || text.len() > EXCEPTION_TYPE_BYTES_MAX || text.contains(is_bad) {
            return Err(ExceptionError::Type);
        }
        Ok(Self(text.into()))
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Severity {
    /// Ends the job.
    pub const FATAL: Severity = Severity(0);

    /// Checks a severity.
    pub const fn new(severity: i64) -> Result<Self, ExceptionError> {
        if severity >= 0 && severity <= 7 {
            Ok(Self(severity as u8))
        } else {
            Err(ExceptionError::Severity)
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// True if the exception ends the job.
    pub const fn is_fatal(self) -> bool {
        self.0 == 0
    }
}

impl Exception {
    /// The exception shown in a summary: that of the lowest severity, the first among
    /// equals.
    pub fn worst<'a>(exceptions: impl IntoIterator<Item = &'a Exception>) -> Option<&'a Exception> {
        exceptions
            .into_iter()
            .min_by_key(|exception| exception.severity)
    }

    /// Message for the user of a job that a fatal exception ended.
    pub fn fatal_text(&self) -> String {
        format!("Fatal exception type={} {}", self.kind, self.note)
    }
}

impl fmt::Display for ExceptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ExceptionType {
    type Err = ExceptionError;

    fn from_str(text: &str) -> Result<Self, ExceptionError> {
        Self::new(text)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

string_on_the_wire!(
    ExceptionType,
    "ExceptionType",
    "an exception type without blanks or '='"
);
number_on_the_wire!(
    Severity,
    "Severity",
    i64,
    "a severity, 0 to 7",
    |s| i64::from(s.0),
    |s| { Severity::new(s).ok() }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_severities_are_checked() {
        assert_eq!(ExceptionType::new("cancel").unwrap().as_str(), "cancel");
        let long = "x".repeat(EXCEPTION_TYPE_BYTES_MAX + 1);
        assert!(ExceptionType::new(&long[1..]).is_ok());
        for text in ["", "a b", "a\tb", "a=b", "\n", &long] {
            assert_eq!(
                ExceptionType::new(text),
                Err(ExceptionError::Type),
                "{text:?}"
            );
        }
        assert!(Severity::new(0).unwrap().is_fatal() && !Severity::new(7).unwrap().is_fatal());
        for severity in [-1, 8] {
            assert_eq!(Severity::new(severity), Err(ExceptionError::Severity));
        }
    }

    fn exception(kind: &str, severity: i64) -> Exception {
        Exception {
            kind: kind.parse().unwrap(),
            severity: Severity::new(severity).unwrap(),
            note: "why".to_owned(),
            userid: Some(7),
            wait_status: None,
        }
    }

    #[test]
    fn the_context_has_its_keys_in_order() {
        let json = r#"{"type":"cancel","severity":0,"note":"why","userid":7}"#;
        let cancel = exception("cancel", 0);
        assert_eq!(serde_json::to_string(&cancel).unwrap(), json);
        assert_eq!(serde_json::from_str::<Exception>(json).unwrap(), cancel);
        assert!(serde_json::from_str::<Exception>(r#"{"type":"a b","severity":0}"#).is_err());
        assert!(serde_json::from_str::<Exception>(r#"{"type":"a","severity":8}"#).is_err());
        assert_eq!(cancel.fatal_text(), "Fatal exception type=cancel why");
    }

    #[test]
    fn the_worst_exception_is_the_first_of_the_lowest_severity() {
        let all = [exception("a", 3), exception("b", 0), exception("c", 0)];
        assert_eq!(Exception::worst(&all).unwrap().kind.as_str(), "b");
        assert_eq!(Exception::worst(&[]), None);
    }
}
