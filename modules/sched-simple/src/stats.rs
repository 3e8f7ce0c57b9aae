//! Workload of the scheduler (protocol/25 section 12.1). Pure.

use std::time::Duration;

use proto::sched::Stats;

/// Part of a new interval, or of a new duration, in the average.
const WEIGHT: f64 = 0.2;

/// Of as many passes the first is timed: more often it would cost more than it shows.
const TIMED_EVERY: u64 = 16;

/// Counters since the start, or since they were cleared.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    passes: u64,
    looks: u64,
    interval_s: f64,
    duration_s: f64,
    last_pass: Option<Duration>,
}

impl Counters {
    /// The queue is looked at; returns true if that is to be timed.
    pub fn pass(&mut self, now: Duration) -> bool {
        self.passes += 1;
        if let Some(last) = self.last_pass.replace(now) {
            let interval = now.saturating_sub(last).as_secs_f64();
            self.interval_s += WEIGHT * (interval - self.interval_s);
        }
        self.passes % TIMED_EVERY == 1
    }

    /// A look at the queue took this long.
    pub fn timed(&mut self, took: Duration) {
        self.duration_s += WEIGHT * (took.as_secs_f64() - self.duration_s);
    }

    /// Starts of waiting jobs are estimated.
    pub fn look(&mut self) {
        self.looks += 1;
    }

    /// The answer to `stats-get`. A pass is done in one go, as soon as all that came together
    /// is there: it never yields, and waits for nothing.
    pub fn stats(&self, pending_jobs: usize) -> Stats {
        Stats {
            sched_passes: self.passes,
            sched_yields: 0,
            forecast_passes: self.looks,
            forecast_yields: 0,
            sched_delay: 0.0,
            sched_duration_ewma: self.duration_s,
            sched_interval_ewma: self.interval_s,
            pending_jobs: pending_jobs as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_passes_are_timed() {
        let mut counters = Counters::default();
        let timed = (0..40).filter(|n| counters.pass(Duration::from_secs(*n)));
        assert_eq!(timed.collect::<Vec<_>>(), [0, 16, 32]);
        counters.timed(Duration::from_secs(10));
        counters.timed(Duration::from_secs(2));
        let stats = counters.stats(3);
        assert_eq!((stats.sched_passes, stats.pending_jobs), (40, 3));
        assert!((stats.sched_duration_ewma - 2.0).abs() < 1e-9);
    }
}
