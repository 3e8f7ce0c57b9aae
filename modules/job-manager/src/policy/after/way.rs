//! The ways of waiting for a job, and how each is written in its log.

use proto::data::JobId;

/// A way of waiting for another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// Until it starts.
    Start,
    /// Until it ends, with any result.
    Finish,
    /// Until it ends with success.
    Success,
    /// Until it ends with a failure.
    Failure,
    /// Until an exception has ended it.
    Except,
}

impl Way {
    const ALL: [Way; 5] = [
        Way::Start,
        Way::Finish,
        Way::Success,
        Way::Failure,
        Way::Except,
    ];

    /// Beginning of a description, without the `=` after it.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Start => "after-start",
            Way::Finish => "after-finish",
            Way::Success => "after-success",
            Way::Failure => "after-failure",
            Way::Except => "after-except",
        }
    }

    /// The description of a dependency on the job that its user calls `value`.
    pub fn describe(self, value: &str) -> String {
        format!("{}={value}", self.name())
    }

    /// Decodes a description of ours.
    pub fn read(description: &str) -> Option<(Way, JobId)> {
        let (name, value) = description.split_once('=')?;
        let way = Way::ALL.into_iter().find(|way| way.name() == name)?;
        Some((way, value.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_read_again() {
        for way in Way::ALL {
            for value in ["7", "0x7", "ƒ8", "0000.0000.0000.0007"] {
                assert_eq!(Way::read(&way.describe(value)), Some((way, JobId(7))));
            }
        }
        for other in ["singleton", "begin-time=7", "after-start=x", "after-start"] {
            assert_eq!(Way::read(other), None);
        }
    }
}
