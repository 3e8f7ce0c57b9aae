//! Deadlines that a handler has asked for, in order.

use std::collections::BTreeMap;
use std::time::Duration;

/// A timer, to cancel it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(Duration, u64);

/// Timers by the time they are due, then by age.
pub(crate) struct Timers<F> {
    due: BTreeMap<TimerId, F>,
    made: u64,
}

impl<F> Default for Timers<F> {
    fn default() -> Self {
        Timers {
            due: BTreeMap::new(),
            made: 0,
        }
    }
}

impl<F> Timers<F> {
    pub fn add(&mut self, at: Duration, run: F) -> TimerId {
        assert!(
            self.due.len() < crate::limits::TIMERS_MAX,
            "timers are never cancelled"
        );
        self.made += 1;
        let id = TimerId(at, self.made);
        self.due.insert(id, run);
        id
    }

    pub fn cancel(&mut self, id: TimerId) {
        self.due.remove(&id);
    }

    pub fn next_due(&self) -> Option<Duration> {
        self.due.keys().next().map(|id| id.0)
    }

    pub fn pop_due(&mut self, now: Duration) -> Option<F> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
