//! Kill escalation: increasing force, step by step, against a job that will not end.
//! Pure; the steps of the clock are kept by `ending.rs`.

use std::time::Duration;

/// Number of kill-timeouts after which the shell itself is killed.
const SHELL_KILL_AFTER: u32 = 5;

/// More attempts than this are not made, regardless of the setting.
const KILL_COUNT_MAX: u32 = 10_000;

/// The longest wait between two attempts on the shell.
const INTERVAL_MAX: Duration = Duration::from_secs(300);

/// One step of the escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillStep {
    /// Send the gentle signal to the tasks.
    Term,
    /// Send the hard signal to the tasks.
    Kill,
    /// Kill the shell.
    KillShell,
    /// Leave the job where it is and its ranks drained.
    GiveUp,
}

/// Settings of the pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Between two steps.
    pub kill_timeout: Duration,
    /// Attempts on the shell before giving up, at least 1.
    pub max_count: u32,
    /// Time after which to give up regardless of the count; `None` goes by the count alone.
    pub max_timeout: Option<Duration>,
}

impl Pace {
    /// Step `n` (from 0), and when to take the next one.
    pub fn step(&self, n: u32) -> (KillStep, Duration) {
        if self.time_of(n) >= self.effective_max() {
            return (KillStep::GiveUp, Duration::ZERO);
        }
        let wait = self.time_of(n + 1).min(self.effective_max()) - self.time_of(n);
        let step = match n {
            0 => KillStep::Term,
            n if n < SHELL_KILL_AFTER => KillStep::Kill,
            _ => KillStep::KillShell,
        };
        (step, wait)
    }

    /// When a job that will not end is given up, from the first step on.
    pub fn effective_max(&self) -> Duration {
        let last = SHELL_KILL_AFTER + self.max_count.clamp(1, KILL_COUNT_MAX) - 1;
        self.max_timeout.unwrap_or_else(|| self.time_of(last))
    }

    /// When step `n` is taken, from the first step on.
    fn time_of(&self, n: u32) -> Duration {
        let plain = self.kill_timeout.saturating_mul(n.min(SHELL_KILL_AFTER));
        let doubling = (0..n.saturating_sub(SHELL_KILL_AFTER)).map(|i| {
            let factor = 1_u32.checked_shl(i.min(31)).unwrap_or(u32::MAX);
            self.kill_timeout.saturating_mul(factor).min(INTERVAL_MAX)
        });
        doubling.fold(plain, Duration::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Pace = Pace {
        kill_timeout: Duration::from_secs(5),
        max_count: 8,
        max_timeout: None,
    };

    /// Runs the escalation; prints `time:step` for each step.
    fn check(pace: Pace, expect: &str) {
        let (mut time, mut steps) = (Duration::ZERO, Vec::new());
        for n in 0..100 {
            let (step, wait) = pace.step(n);
            steps.push(format!("{}:{step:?}", time.as_secs()));
            if step == KillStep::GiveUp {
                break;
            }
            time += wait;
        }
        assert_eq!(steps.join(" "), expect);
    }

    #[test]
    fn the_default_escalation_gives_up_after_640_seconds() {
        assert_eq!(DEFAULT.effective_max(), Duration::from_secs(640));
        check(
            DEFAULT,
            "0:Term 5:Kill 10:Kill 15:Kill 20:Kill 25:KillShell 30:KillShell 40:KillShell \
             60:KillShell 100:KillShell 180:KillShell 340:KillShell 640:GiveUp",
        );
    }

    #[test]
    fn a_timeout_of_its_own_cuts_the_escalation() {
        let pace = Pace {
            max_timeout: Some(Duration::from_secs(12)),
            ..DEFAULT
        };
        check(pace, "0:Term 5:Kill 10:Kill 12:GiveUp");
    }

    #[test]
    fn one_attempt_gives_up_when_the_shell_would_be_killed() {
        let pace = Pace {
            max_count: 1,
            ..DEFAULT
        };
        check(pace, "0:Term 5:Kill 10:Kill 15:Kill 20:Kill 25:GiveUp");
    }

    #[test]
    fn hostile_settings_do_not_overflow() {
        let pace = Pace {
            kill_timeout: Duration::MAX,
            max_count: u32::MAX - 10,
            max_timeout: Some(Duration::MAX),
        };
        assert_eq!(pace.step(0).0, KillStep::Term);
    }
}
