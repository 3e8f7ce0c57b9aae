//! How long handlers hold the loop. What the kernel takes away from us while it lets others run is
//! no fault of theirs, so a time that is remarkable is compared with the processor time of the
//! turn, unless we have waited for something ourselves.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// Shorter times are taken as they are.
const REMARKABLE: Duration = Duration::from_millis(1);

/// The processor time of our thread, and how often it has waited.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu: Duration,
    waits: i64,
}

/// Measures one turn of the loop after the other.
#[derive(Default)]
pub struct Stopwatch {
    begin: Used,
}

impl Stopwatch {
    /// A turn begins.
    pub fn begin_turn(&mut self) {
        self.begin = used();
    }

    /// How long the loop was held by what took `time` since the turn began.
    pub fn held(&mut self, time: Duration) -> Duration {
        if time < REMARKABLE {
            return time;
        }
        let end = used();
        let held = held(self.begin, end, time);
        self.begin = end;
        held
    }
}

fn held(begin: Used, end: Used, time: Duration) -> Duration {
    match end.waits > begin.waits {
        true => time,
        false => time.min(end.cpu.saturating_sub(begin.cpu)),
    }
}

fn used() -> Used {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
        return Used::default();
    };
    let duration = |time: nix::sys::time::TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    Used {
        cpu: duration(usage.user_time()) + duration(usage.system_time()),
        waits: usage.voluntary_context_switches(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cpu_ms: u64, waits: i64, time_ms: u64, expect_ms: u64) {
        let cpu = Duration::from_millis;
        let begin = Used {
            cpu: cpu(100),
            waits: 7,
        };
        let end = Used {
            cpu: cpu(100 + cpu_ms),
            waits: 7 + waits,
        };
        assert_eq!(held(begin, end, cpu(time_ms)), cpu(expect_ms));
    }

    #[test]
    fn time_that_the_kernel_gave_to_others_does_not_count() {
        check(3, 0, 3, 3);
        check(3, 0, 40, 3);
        check(3, 0, 2, 2);
    }

    #[test]
    fn time_that_was_waited_counts() {
        check(3, 1, 40, 40);
        check(0, 1, 40, 40);
    }
}
