//! Order of pending jobs: urgency and priority (RFC 30).

use std::fmt;
use std::str::FromStr;

use super::number::number_on_the_wire;

/// Urgency set by a user: 0 (hold) to 31 (expedite).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Urgency(u8);

/// Priority used by the scheduler: higher runs first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(pub u32);

/// An urgency outside 0 to 31. The text is that of the submit check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("urgency range is [0:31]")]
pub struct UrgencyError;

impl Urgency {
    /// Never considered for resources.
    pub const HOLD: Urgency = Urgency(0);
    /// Default of a job; also the maximum for guests.
    pub const DEFAULT: Urgency = Urgency(16);
    /// Before all others.
    pub const EXPEDITE: Urgency = Urgency(31);

    /// An urgency within the range.
    pub const fn new(urgency: i64) -> Result<Self, UrgencyError> {
        if urgency >= 0 && urgency <= Self::EXPEDITE.0 as i64 {
            Ok(Self(urgency as u8))
        } else {
            Err(UrgencyError)
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// True if only the instance owner may set it.
    pub const fn is_for_owner(self) -> bool {
        self.0 > Self::DEFAULT.0
    }

    /// The priority forced by hold and expedite; no plugin is asked about them.
    pub const fn forced_priority(self) -> Option<Priority> {
        match self {
            Self::HOLD => Some(Priority::MIN),
            Self::EXPEDITE => Some(Priority::MAX),
            _ => None,
        }
    }

    /// The built-in priority: forced, or the urgency itself.
    pub const fn default_priority(self) -> Priority {
        match self.forced_priority() {
            Some(priority) => priority,
            None => Priority(self.0 as u32),
        }
    }
}

impl Priority {
    /// Never sent to the scheduler.
    pub const MIN: Priority = Priority(0);
    /// Before all others.
    pub const MAX: Priority = Priority(u32::MAX);
}

impl Default for Urgency {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Urgency {
    type Err = UrgencyError;

    /// Takes a number or one of the words `hold`, `default`, `expedite`.
    fn from_str(text: &str) -> Result<Self, UrgencyError> {
        match text {
            "hold" => Ok(Self::HOLD),
            "default" => Ok(Self::DEFAULT),
            "expedite" => Ok(Self::EXPEDITE),
            _ => text.parse().map_err(|_| UrgencyError).and_then(Self::new),
        }
    }
}

number_on_the_wire!(
    Urgency,
    "Urgency",
    i64,
    "an urgency, 0 to 31",
    |u| i64::from(u.0),
    |u| { Urgency::new(u).ok() }
);
number_on_the_wire!(Priority, "Priority", u32, "a job priority", |p| p.0, |p| {
    Some(Priority(p))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgencies_are_in_range() {
        for (text, expect) in [
            ("0", Ok(Urgency::HOLD)),
            ("31", Ok(Urgency::EXPEDITE)),
            ("hold", Ok(Urgency::HOLD)),
            ("default", Ok(Urgency::DEFAULT)),
            ("expedite", Ok(Urgency::EXPEDITE)),
            ("32", Err(UrgencyError)),
            ("-1", Err(UrgencyError)),
            ("x", Err(UrgencyError)),
        ] {
            assert_eq!(text.parse(), expect, "{text}");
        }
        assert_eq!(UrgencyError.to_string(), "urgency range is [0:31]");
        assert!(serde_json::from_str::<Urgency>("32").is_err());
        assert_eq!(
            serde_json::from_str::<Urgency>("16").unwrap(),
            Urgency::default()
        );
    }

    #[test]
    fn hold_and_expedite_force_the_priority() {
        for (urgency, forced, default) in [
            (0, Some(0), 0),
            (16, None, 16),
            (31, Some(u32::MAX), u32::MAX),
        ] {
            let urgency = Urgency::new(urgency).unwrap();
            assert_eq!(urgency.forced_priority(), forced.map(Priority));
            assert_eq!(urgency.default_priority(), Priority(default));
        }
        assert!(!Urgency::DEFAULT.is_for_owner() && Urgency::new(17).unwrap().is_for_owner());
    }
}
