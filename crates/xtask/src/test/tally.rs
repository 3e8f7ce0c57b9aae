//! Counts of tests, and the closing line that reports them.

use std::fmt;
use std::ops::AddAssign;

/// Number of tests by result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Tests with the expected result.
    pub passed: usize,
    /// Did not, or never got to say.
    pub failed: usize,
    /// Were left out, for a stated reason, or are known breakages.
    pub skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}
