//! Delivery policy of a request whose service is not available, and the outcome of the
//! request. `doc/delivery.md` shows the outcome of each policy.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Delivery policy of a request whose service is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The broker holds it while the service restarts; idempotent requests are handed to
    /// the restarted module. After `deadline`, if any, the call fails ETIMEDOUT. The
    /// deadline is sent with the request, and every broker on its way enforces it.
    Wait {
        /// Time from now.
        deadline: Option<Duration>,
    },
    /// An error at once when the service is not running.
    Now,
    /// No response at all; never waits.
    BestEffort,
}

impl Delivery {
    /// Without a deadline.
    pub const WAIT: Delivery = Delivery::Wait { deadline: None };

    /// With a deadline this long from now.
    pub const fn within(deadline: Duration) -> Delivery {
        let deadline = Some(deadline);
        Delivery::Wait { deadline }
    }

    /// Time limit for the next hop: this hop keeps a part of the time that is left, so that it
    /// outlives the next and can report which hop timed out.
    pub fn left_for_next(left: Duration) -> Duration {
        left - (left / 8).min(STEP_KEEPS_MAX)
    }

    /// The deadline of a request to be sent, in milliseconds; 0 for none.
    pub fn deadline_ms(self) -> u64 {
        let Delivery::Wait {
            deadline: Some(deadline),
        } = self
        else {
            return 0;
        };
        let left = Delivery::left_for_next(deadline).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX).max(1)
    }
}

/// See [`Delivery::left_for_next`].
const STEP_KEEPS_MAX: Duration = Duration::from_millis(100);

/// Outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The service received it and answered, even with an error. A best-effort message was
    /// passed on.
    Delivered,
    /// There is no such service, or it did not come back in time. Nothing was done.
    NoService,
    /// The receiver, or a broker on the way, was lost. Nothing was done, or repeating it is
    /// harmless.
    PeerGone,
    /// The deadline has passed. The service may still carry it out, if it has received
    /// it.
    Expired,
    /// There was no room for it; this many were dropped there so far. Nothing was done.
    Dropped(u64),
    /// The service, or the way to it, was lost when it had the request, which is not declared
    /// idempotent. It may have been carried out.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Delivered => f.write_str("delivered"),
            Outcome::NoService => f.write_str("no-service"),
            Outcome::PeerGone => f.write_str("peer-gone"),
            Outcome::Expired => f.write_str("expired"),
            Outcome::Dropped(n) => write!(f, "dropped:{n}"),
            Outcome::Unknown => f.write_str("unknown"),
        }
    }
}

/// Not the name of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOutcome;

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Outcome, UnknownOutcome> {
        Ok(match text {
            "delivered" => Outcome::Delivered,
            "no-service" => Outcome::NoService,
            "peer-gone" => Outcome::PeerGone,
            "expired" => Outcome::Expired,
            "unknown" => Outcome::Unknown,
            other => {
                let n = other.strip_prefix("dropped:");
                let n = n.and_then(|n| n.parse().ok()).ok_or(UnknownOutcome)?;
                Outcome::Dropped(n)
            }
        })
    }
}

/// Rank at which a request has stopped, and its outcome: reported by a broker in place of
/// the service. In messages it stands behind the text of the error and its NUL, as
/// `OUTCOME@RANK`, where programs that do not know it ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Outcome of the request.
    pub outcome: Outcome,
    /// The broker where it stopped; `None` for a request that did not leave this program,
    /// or that no broker has reported.
    pub rank: Option<u32>,
}

impl Stopped {
    /// An outcome known only to this program.
    pub const fn here(outcome: Outcome) -> Stopped {
        Stopped {
            outcome,
            rank: None,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank {
            Some(rank) => write!(f, "{}@{rank}", self.outcome),
            None => write!(f, "{}", self.outcome),
        }
    }
}

impl FromStr for Stopped {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Stopped, UnknownOutcome> {
        let (outcome, rank) = match text.split_once('@') {
            Some((outcome, rank)) => (outcome, Some(rank.parse().map_err(|_| UnknownOutcome)?)),
            None => (text, None),
        };
        let outcome = outcome.parse()?;
        Ok(Stopped { outcome, rank })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_written() {
        for outcome in [
            Outcome::Delivered,
            Outcome::NoService,
            Outcome::PeerGone,
            Outcome::Expired,
            Outcome::Dropped(12),
            Outcome::Unknown,
        ] {
            for rank in [None, Some(0), Some(u32::MAX)] {
                let stopped = Stopped { outcome, rank };
                assert_eq!(stopped.to_string().parse(), Ok(stopped));
            }
        }
        for bad in ["", "gone", "dropped", "dropped:x", "unknown@", "unknown@-1"] {
            assert_eq!(bad.parse::<Stopped>(), Err(UnknownOutcome), "{bad}");
        }
    }

    #[test]
    fn each_step_keeps_a_part_of_the_time() {
        for (left, next) in [(0, 0), (8, 7), (800, 700), (10_000, 9_900)] {
            let [left, next] = [left, next].map(Duration::from_millis);
            assert_eq!(Delivery::left_for_next(left), next);
        }
    }
}
