//! Measures the time for which handlers hold the loop. Time during which the kernel runs other
//! processes is not charged to handlers: then a remarkable time is no longer than the processor
//! time of our thread.
//!
//! To ask the kernel costs more than most handlers, so it is asked now and then, and when a time is
//! remarkable.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// Shorter times are taken as they are.
const REMARKABLE: Duration = Duration::from_millis(1);

/// The kernel is asked as often as that while there is something to do: by so much the processor
/// time of a handler may be too long.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// The processor time of our thread, and how often the kernel has let others run in its place.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu: Duration,
    preempted: i64,
}

/// Measures one turn of the loop after the other.
#[derive(Default)]
pub struct Stopwatch {
    asked: Duration,
    begin: Used,
}

impl Stopwatch {
    /// A turn begins.
    pub fn begin_turn(&mut self, now: Duration) {
        if now.saturating_sub(self.asked) >= ASK_EVERY {
            (self.asked, self.begin) = (now, used());
        }
    }

    /// Time for which the loop was held by a handler that has taken `time` until `now`.
    pub fn held(&mut self, now: Duration, time: Duration) -> Duration {
        if time < REMARKABLE {
            return time;
        }
        let end = used();
        let held = held(self.begin, end, time);
        (self.asked, self.begin) = (now, end);
        held
    }
}

fn held(begin: Used, end: Used, time: Duration) -> Duration {
    match end.preempted > begin.preempted {
        true => time.min(end.cpu.saturating_sub(begin.cpu)),
        false => time,
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
        preempted: usage.involuntary_context_switches(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cpu_ms: u64, preempted: i64, time_ms: u64, expect_ms: u64) {
        let ms = Duration::from_millis;
        let used = |cpu_ms, preempted| Used {
            cpu: ms(cpu_ms),
            preempted,
        };
        let (begin, end) = (used(100, 7), used(100 + cpu_ms, 7 + preempted));
        assert_eq!(held(begin, end, ms(time_ms)), ms(expect_ms));
    }

    #[test]
    fn time_that_the_kernel_gave_to_others_does_not_count() {
        check(3, 1, 3, 3);
        check(3, 1, 40, 3);
        check(3, 1, 2, 2);
    }

    #[test]
    fn time_that_was_waited_counts() {
        check(3, 0, 40, 40);
        check(0, 0, 40, 40);
    }
}
