//! Time at which a commit is sent: at once, or a little later with the changes until
//! then.

use std::time::Duration;

use crate::limits::{COMPANY_WAIT, SOON_BURST, SOON_GAP};

/// Urgency of storing something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Haste {
    /// Nobody waits for it, and more follows that is stored with it.
    #[default]
    Idle,
    /// A client may wait for it. Events in quick succession share a commit.
    Soon,
    /// At once.
    Now,
}

/// Pace of recent commits.
#[derive(Debug, Default)]
pub struct Pace {
    /// Since when something waits.
    since: Option<Duration>,
    /// Time at which the early commits are made up for.
    even: Duration,
    /// Time of the next check.
    timer: Option<Duration>,
}

/// Handling of events to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// The commit is sent.
    Now,
    /// The commit waits; a timer runs.
    Wait,
    /// The commit waits for this long.
    After(Duration),
}

impl Pace {
    /// Requests at the time `now` that the waiting changes be stored in this haste.
    pub fn ask(&mut self, now: Duration, haste: Haste) -> Go {
        let due = match haste {
            Haste::Now => now,
            Haste::Soon => self.even.saturating_sub(SOON_GAP * SOON_BURST),
            Haste::Idle => *self.since.get_or_insert(now) + COMPANY_WAIT,
        };
        if due <= now {
            self.since = None;
            if haste == Haste::Soon {
                self.even = self.even.max(now) + SOON_GAP;
            }
            return Go::Now;
        }
        if self.timer.is_some_and(|timer| timer <= due) {
            return Go::Wait;
        }
        self.timer = Some(due);
        Go::After(due - now)
    }

    /// A timer has ended.
    pub fn look(&mut self, now: Duration) {
        self.timer = self.timer.filter(|timer| *timer > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn what_nobody_waits_for_waits_for_company() {
        let mut pace = Pace::default();
        assert_eq!(pace.ask(ms(100), Haste::Idle), Go::After(COMPANY_WAIT));
        assert_eq!(pace.ask(ms(110), Haste::Idle), Go::Wait);
        // Something else takes it along, and the next begins to wait again.
        assert_eq!(pace.ask(ms(111), Haste::Now), Go::Now);
        assert_eq!(
            pace.ask(ms(112), Haste::Idle),
            Go::Wait,
            "the timer runs still"
        );
        pace.look(ms(120));
        assert_eq!(pace.ask(ms(120), Haste::Idle), Go::After(ms(12)));
        pace.look(ms(132));
        assert_eq!(pace.ask(ms(132), Haste::Idle), Go::Now);
    }

    #[test]
    fn a_few_go_at_once_and_the_rest_share() {
        let mut pace = Pace::default();
        let mut sent = 0;
        for at in 0..1000 {
            pace.look(ms(at));
            let go = pace.ask(ms(at), Haste::Soon);
            assert!(go == Go::Now || at > 0, "the first goes at once");
            sent += u32::from(go == Go::Now);
        }
        let most = 1000 / SOON_GAP.as_millis() as u32 + SOON_BURST + 1;
        assert!((most - 1..=most).contains(&sent), "{sent}");
        // After a pause it is as in the beginning.
        for _ in 0..SOON_BURST {
            assert_eq!(pace.ask(ms(2000), Haste::Soon), Go::Now);
        }
    }

    #[test]
    fn nothing_waits_longer_than_a_gap() {
        let mut pace = Pace::default();
        while pace.ask(ms(7), Haste::Soon) == Go::Now {}
        pace.look(ms(1000));
        while pace.ask(ms(1000), Haste::Now) != Go::Now {}
        let mut pace = Pace::default();
        let wait = loop {
            match pace.ask(ms(50), Haste::Soon) {
                Go::Now => {}
                Go::After(wait) => break wait,
                Go::Wait => panic!("no timer runs"),
            }
        };
        assert!(wait <= SOON_GAP, "{wait:?}");
    }
}
