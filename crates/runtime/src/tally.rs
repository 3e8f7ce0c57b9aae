//! Things that strangers can make happen as often as they like, logged at once and then
//! together, now and then.

use std::time::Duration;

/// Number of events that no log line has reported.
#[derive(Debug)]
pub struct Tally {
    n: usize,
    quiet_until: Duration,
    quiet: Duration,
}

impl Tally {
    /// None yet; at least `quiet` seconds between two lines.
    pub fn new(quiet: u64) -> Tally {
        Tally {
            n: 0,
            quiet_until: Duration::ZERO,
            quiet: Duration::from_secs(quiet),
        }
    }

    /// Counts one more; returns the number to log now, if it is time.
    pub fn count(&mut self, now: Duration) -> Option<usize> {
        self.n += 1;
        if now < self.quiet_until {
            return None;
        }
        self.quiet_until = now + self.quiet;
        Some(std::mem::take(&mut self.n))
    }
}

/// A broker that may not come in, as the protocol has it (protocol/20 section 3), and their
/// number since the last line.
pub fn log_refused(refused: &mut Tally, now: Duration) {
    match refused.count(now) {
        None => {}
        Some(1) => tracing::error!("overlay auth No access"),
        Some(n) => tracing::error!("overlay auth No access ({n} times)"),
    }
}

/// A connection of `whom` could not be accepted; logs the number since the last line.
pub fn log_unaccepted(
    unaccepted: &mut Tally,
    whom: &str,
    error: &dyn std::fmt::Display,
    now: Duration,
) {
    match unaccepted.count(now) {
        None => {}
        Some(1) => tracing::error!("cannot accept {whom}: {error}"),
        Some(n) => tracing::error!("cannot accept {whom} ({n} times): {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_together() {
        let mut tally = Tally::new(10);
        let mut at = |seconds| tally.count(Duration::from_secs(seconds));
        assert_eq!([at(1), at(2), at(3)], [Some(1), None, None]);
        assert_eq!([at(12), at(13)], [Some(3), None]);
    }
}
