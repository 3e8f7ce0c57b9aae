//! The only place that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use node::Now;

/// A clock started with the process.
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            start: Instant::now(),
        }
    }
}

impl Clock {
    /// The time.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64());
        Now {
            mono: self.mono(),
            wall,
        }
    }

    /// The same without the time of the day.
    pub fn mono(&self) -> Duration {
        self.start.elapsed()
    }
}
