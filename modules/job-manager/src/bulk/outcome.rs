//! Results of processes, in words.

use std::borrow::Cow;

use proto::data::job::{WaitStatus, signal_description};
use proto::{Errno, Refusal};

/// Result of a process.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The process ran.
    Ended(WaitStatus),
    /// It could not be started, or the broker was lost.
    Failed(Refusal),
}

impl Outcome {
    /// The status, as a shell has it for a command that it cannot start.
    pub fn status(&self) -> WaitStatus {
        match self {
            Outcome::Ended(status) => *status,
            Outcome::Failed(refusal) if refusal.errno == Errno::EACCES => WaitStatus::exited(126),
            Outcome::Failed(_) => WaitStatus::exited(127),
        }
    }

    /// Description of the failure, if any.
    pub fn failure(&self) -> Option<Cow<'static, str>> {
        match self {
            Outcome::Ended(status) if status.is_success() => None,
            Outcome::Ended(status) => Some(match status.signal() {
                Some(signal) => signal_description(signal),
                None => "nonzero exit code".into(),
            }),
            Outcome::Failed(refusal) => Some(refusal.to_string().into()),
        }
    }
}

/// Common description of failures on several ranks.
pub fn shared_words<'a>(mut failures: impl Iterator<Item = &'a str>) -> &'a str {
    let first = failures.next().unwrap_or_default();
    if failures.all(|other| other == first) {
        first
    } else {
        "multiple failure modes"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome, status: i32, failure: Option<&str>) {
        assert_eq!(outcome.status(), WaitStatus(status));
        assert_eq!(outcome.failure().as_deref(), failure);
    }

    #[test]
    fn an_end_has_a_status_and_words() {
        check(Outcome::Ended(WaitStatus(0)), 0, None);
        check(
            Outcome::Ended(WaitStatus(768)),
            768,
            Some("nonzero exit code"),
        );
        check(Outcome::Ended(WaitStatus(15)), 15, Some("Terminated"));
        let failed = |errno| Outcome::Failed(Refusal::bare(errno));
        check(failed(Errno::EACCES), 126 << 8, Some("Permission denied"));
        check(
            failed(Errno::ENOENT),
            32512,
            Some("No such file or directory"),
        );
    }

    #[test]
    fn failures_that_differ_are_called_so() {
        let shared = |all: &[&'static str]| shared_words(all.iter().copied());
        assert_eq!(shared(&["Killed"]), "Killed");
        assert_eq!(shared(&["Killed", "Killed"]), "Killed");
        assert_eq!(shared(&["Killed", "x"]), "multiple failure modes");
    }
}
