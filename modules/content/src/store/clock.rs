//! Durations of disk operations, for `stats-get`. The worker thread may look at a clock:
//! its measurements change none of its results.
#![allow(
    clippy::disallowed_types,
    reason = "measured on the worker thread, only shown"
)]

use std::time::Instant;

use proto::kvs::Summary;

/// Times of everything since the start.
#[derive(Debug, Default)]
pub struct Clock {
    /// For each blob read.
    pub load: Times,
    /// For each batch that was written.
    pub store: Times,
}

impl Clock {
    /// Time at the start of an operation.
    pub fn now() -> Instant {
        Instant::now()
    }
}

/// A running summary of times in milliseconds.
#[derive(Debug, Default)]
pub struct Times {
    summary: Summary,
    /// Sum of the squared differences from the mean.
    squares: f64,
}

impl Times {
    /// Adds the time since `began`.
    pub fn add_since(&mut self, began: Instant) {
        self.add(began.elapsed().as_secs_f64() * 1e3);
    }

    fn add(&mut self, ms: f64) {
        let summary = &mut self.summary;
        summary.count += 1;
        summary.min = match summary.count {
            1 => ms,
            _ => summary.min.min(ms),
        };
        summary.max = summary.max.max(ms);
        let off = ms - summary.mean;
        summary.mean += off / summary.count as f64;
        self.squares += off * (ms - summary.mean);
    }

    /// The summary.
    pub fn summary(&self) -> Summary {
        let n = self.summary.count.saturating_sub(1).max(1);
        Summary {
            stddev: (self.squares / n as f64).sqrt(),
            ..self.summary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_summed_up() {
        let mut times = Times::default();
        assert_eq!(times.summary(), Summary::default());
        for ms in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            times.add(ms);
        }
        let Summary {
            count,
            min,
            max,
            mean,
            stddev,
        } = times.summary();
        assert_eq!((count, min, max, mean), (8, 2.0, 9.0, 5.0));
        assert!((stddev - (32.0f64 / 7.0).sqrt()).abs() < 1e-9, "{stddev}");
    }
}
