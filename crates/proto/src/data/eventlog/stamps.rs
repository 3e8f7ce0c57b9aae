//! The timestamps of one log. Clients keep their place in a log by timestamp, so no two
//! entries may share one.

use super::Entry;

/// Gives each entry of a log a timestamp later than the previous one, also when entries
/// are made at the same time and when the clock jumps back: then by the smallest
/// difference of a double, until the clock has caught up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamps {
    last: f64,
}

impl Stamps {
    /// Records an entry that the log has already, at `timestamp` in seconds since the
    /// epoch.
    pub fn note(&mut self, timestamp: f64) {
        self.last = self.last.max(timestamp);
    }

    /// Records the last of some lines that the log has already.
    pub fn note_lines(&mut self, lines: &str) {
        let last = lines.lines().next_back();
        if let Some(entry) = last.and_then(|line| Entry::decode(line).ok()) {
            self.note(entry.timestamp());
        }
    }

    /// The timestamp of the last entry; 0 before the first.
    pub fn last(&self) -> f64 {
        self.last
    }

    /// The timestamp of the next entry, which is made at `now`.
    pub fn next(&mut self, now: f64) -> f64 {
        self.last = now.max(self.last.next_up());
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::Stamps;
    use crate::data::Entry;

    #[test]
    fn each_is_later_than_the_one_before_and_stays_so_as_text() {
        let mut stamps = Stamps::default();
        stamps.note_lines("{\"timestamp\":1795880899.25,\"name\":\"x\"}\n");
        assert_eq!(stamps.last(), 1_795_880_899.25);
        let mut last = 0.0;
        for now in [1_795_880_899.5, 1_795_880_899.5, 3.0, 1_795_880_900.0, 0.0] {
            let line = Entry::new(stamps.next(now), "x").unwrap().encode();
            let read = Entry::decode(&line).unwrap().timestamp();
            assert!(read > last && read >= now, "{read} after {last} at {now}");
            last = read;
        }
    }
}
