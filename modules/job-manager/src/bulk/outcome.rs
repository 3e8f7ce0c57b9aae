//! How a process has ended, in words.

use std::borrow::Cow;

use proto::Refusal;
use proto::data::job::{WaitStatus, signal_description};

/// How a process has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran.
    Ended(WaitStatus),
    /// It could not be started, or its broker was lost.
    Failed(Refusal),
}

impl Outcome {
    /// What went wrong, if anything.
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

/// What went wrong on several ranks together.
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
    use proto::Errno;

    use super::*;

    fn check(outcome: Outcome, failure: Option<&str>) {
        assert_eq!(outcome.failure().as_deref(), failure);
    }

    #[test]
    fn an_end_has_words() {
        check(Outcome::Ended(WaitStatus(0)), None);
        check(Outcome::Ended(WaitStatus(768)), Some("nonzero exit code"));
        check(Outcome::Ended(WaitStatus(15)), Some("Terminated"));
        let failed = |errno| Outcome::Failed(Refusal::bare(errno));
        check(failed(Errno::ENOENT), Some("No such file or directory"));
        check(failed(Errno::EHOSTUNREACH), Some("No route to host"));
    }

    #[test]
    fn failures_that_differ_are_called_so() {
        let shared = |all: &[&'static str]| shared_words(all.iter().copied());
        assert_eq!(shared(&["Killed"]), "Killed");
        assert_eq!(shared(&["Killed", "Killed"]), "Killed");
        assert_eq!(shared(&["Killed", "x"]), "multiple failure modes");
    }
}
