//! Wait statuses in the encoding of wait(2), and the texts about them for users.

use super::number::number_on_the_wire;
use super::signal::signal_description;

/// Exit status of a process, in the encoding of wait(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitStatus(pub i32);

impl WaitStatus {
    /// Exited with code 0.
    pub const SUCCESS: WaitStatus = WaitStatus(0);

    /// Exited with `code`.
    pub const fn exited(code: u8) -> Self {
        Self((code as i32) << 8)
    }

    /// Killed by `signal`, 1 to 126; only the low seven bits count.
    pub const fn killed(signal: i32) -> Self {
        Self(signal & 0x7f)
    }

    /// True if the process exited with code 0.
    pub const fn is_success(self) -> bool {
        self.0 == 0
    }

    /// The exit code, if the process exited.
    pub const fn exit_code(self) -> Option<i32> {
        if self.0 & 0x7f == 0 {
            Some((self.0 >> 8) & 0xff)
        } else {
            None
        }
    }

    /// The signal that killed the process, if one did.
    pub const fn signal(self) -> Option<i32> {
        match self.0 & 0x7f {
            0 | 0x7f => None,
            signal => Some(signal),
        }
    }

    /// The exit code a shell would show: 128 plus the signal for a killed process.
    pub const fn shell_code(self) -> i32 {
        match (self.exit_code(), self.signal()) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            (None, None) => 1,
        }
    }

    /// Message for the user of a job with this status; `None` if it succeeded.
    ///
    /// The status is that of the job shell: it returns 128 plus a signal when a task was killed.
    pub fn failure_text(self) -> Option<String> {
        if let Some(signal) = self.signal() {
            return Some(format!("job shell {}", signal_description(signal)));
        }
        match self.exit_code()? {
            0 => None,
            code if code > 128 => Some(format!("task(s) {}", signal_description(code - 128))),
            code => Some(format!("task(s) exited with exit code {code}")),
        }
    }
}

number_on_the_wire!(
    WaitStatus,
    "WaitStatus",
    i32,
    "a wait status",
    |s| s.0,
    |s| Some(WaitStatus(s))
);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: i32, code: i32, text: Option<&str>) {
        let status = WaitStatus(status);
        assert_eq!(status.shell_code(), code);
        assert_eq!(status.failure_text().as_deref(), text);
    }

    #[test]
    fn statuses_become_codes_and_sentences() {
        check(0, 0, None);
        check(256, 1, Some("task(s) exited with exit code 1"));
        check(128 << 8, 128, Some("task(s) exited with exit code 128"));
        check(143 << 8, 143, Some("task(s) Terminated"));
        check(9, 137, Some("job shell Killed"));
        check(139, 139, Some("job shell Segmentation fault"));
        check(0x7f, 1, None);
    }

    #[test]
    fn statuses_are_made_from_their_parts() {
        assert_eq!(WaitStatus::exited(2), WaitStatus(512));
        assert_eq!(WaitStatus::killed(15).signal(), Some(15));
        assert_eq!(WaitStatus::killed(15).exit_code(), None);
        assert!(WaitStatus::exited(0).is_success());
    }
}
