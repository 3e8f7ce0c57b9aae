//! How much the scheduler has to do (protocol/25 section 12.1). Pure.

use std::time::Duration;

use proto::sched::Stats;

/// Part of a new interval in the average.
const WEIGHT: f64 = 0.2;

/// Counters since the start, or since they were cleared.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    passes: u64,
    looks: u64,
    interval_s: f64,
    last_pass: Option<Duration>,
}

impl Counters {
    /// The queue is looked at.
    pub fn pass(&mut self, now: Duration) {
        self.passes += 1;
        if let Some(last) = self.last_pass.replace(now) {
            let interval = now.saturating_sub(last).as_secs_f64();
            self.interval_s += WEIGHT * (interval - self.interval_s);
        }
    }

    /// Starts of waiting jobs are estimated.
    pub fn look(&mut self) {
        self.looks += 1;
    }

    /// The answer to `stats-get`. A pass is done in one go, when all that came together is
    /// there, and a core has no clock to time it with.
    pub fn stats(&self, pending_jobs: usize) -> Stats {
        Stats {
            sched_passes: self.passes,
            sched_yields: 0,
            forecast_passes: self.looks,
            forecast_yields: 0,
            sched_delay: 0.0,
            sched_duration_ewma: 0.0,
            sched_interval_ewma: self.interval_s,
            pending_jobs: pending_jobs as u64,
        }
    }
}
