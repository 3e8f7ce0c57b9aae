//! Job states (RFC 21) and sets of them.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use super::number::number_on_the_wire;

/// State of a job. In JSON it is the bit value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Submitted, not yet validated.
    New = 1,
    /// Waiting for dependencies.
    Depend = 2,
    /// Waiting for a priority.
    Priority = 4,
    /// Waiting for resources.
    Sched = 8,
    /// Has resources.
    Run = 16,
    /// Releasing its resources.
    Cleanup = 32,
    /// Ended.
    Inactive = 64,
}

/// A set of states; in JSON the sum of their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct States(u32);

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid job state '{0}'")]
pub struct UnknownState(pub String);

impl State {
    /// Every state in the order of a job's life cycle.
    pub const ALL: [State; 7] = [
        Self::New,
        Self::Depend,
        Self::Priority,
        Self::Sched,
        Self::Run,
        Self::Cleanup,
        Self::Inactive,
    ];

    /// The bit value.
    pub const fn bit(self) -> u32 {
        self as u32
    }

    /// The state with this bit value.
    pub fn from_bit(bit: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.bit() == bit)
    }

    /// `SCHED`
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Depend => "DEPEND",
            Self::Priority => "PRIORITY",
            Self::Sched => "SCHED",
            Self::Run => "RUN",
            Self::Cleanup => "CLEANUP",
            Self::Inactive => "INACTIVE",
        }
    }

    /// `S`
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::New => "N",
            Self::Depend => "D",
            Self::Priority => "P",
            Self::Sched => "S",
            Self::Run => "R",
            Self::Cleanup => "C",
            Self::Inactive => "I",
        }
    }
}

impl States {
    /// No state.
    pub const NONE: States = States(0);
    /// DEPEND, PRIORITY or SCHED.
    pub const PENDING: States = States(14);
    /// RUN or CLEANUP.
    pub const RUNNING: States = States(48);
    /// PENDING or RUNNING. NEW is not part of it.
    pub const ACTIVE: States = States(62);
    /// Every state.
    pub const ALL: States = States(127);

    /// The virtual states with their long and short names.
    const VIRTUAL: [(States, &'static str, &'static str); 3] = [
        (Self::PENDING, "PENDING", "PD"),
        (Self::RUNNING, "RUNNING", "RU"),
        (Self::ACTIVE, "ACTIVE", "A"),
    ];

    /// The sum of the bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits, if each is a state.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// True if `state` is in the set.
    pub const fn contains(self, state: State) -> bool {
        self.0 & state.bit() != 0
    }

    /// True for no state.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The states in the order of a job's life cycle.
    pub fn iter(self) -> impl Iterator<Item = State> {
        State::ALL
            .into_iter()
            .filter(move |state| self.contains(*state))
    }

    /// The long name of a single or virtual state, else `(unknown)`.
    pub fn name(self) -> &'static str {
        self.names().map_or("(unknown)", |(name, _)| name)
    }

    /// The short name of a single or virtual state, else `?`.
    pub fn short_name(self) -> &'static str {
        self.names().map_or("?", |(_, short_name)| short_name)
    }

    fn names(self) -> Option<(&'static str, &'static str)> {
        if let Some(state) = State::from_bit(self.0) {
            return Some((state.name(), state.short_name()));
        }
        let known = Self::VIRTUAL.iter().find(|(states, ..)| *states == self);
        known.map(|(_, name, short_name)| (*name, *short_name))
    }
}

impl From<State> for States {
    fn from(state: State) -> Self {
        Self(state.bit())
    }
}

impl BitOr for States {
    type Output = States;

    fn bitor(self, other: States) -> States {
        States(self.0 | other.0)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    /// Takes `SCHED`, `sched`, `S` or `s`; mixed case is refused.
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| is_spelling(text, state.name(), state.short_name()))
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl FromStr for States {
    type Err = UnknownState;

    /// Takes the spellings of single states, and those of PENDING, RUNNING and ACTIVE.
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::VIRTUAL
            .iter()
            .find(|(_, name, short_name)| is_spelling(text, name, short_name))
            .map_or_else(|| text.parse().map(State::into), |(states, ..)| Ok(*states))
    }
}

/// True for the four spellings: long and short, each wholly upper or wholly lower case.
pub(super) fn is_spelling(text: &str, name: &str, short_name: &str) -> bool {
    [name, short_name].iter().any(|known| {
        let is_lower = !text.contains(|c: char| c.is_ascii_uppercase());
        text == *known || (is_lower && text.eq_ignore_ascii_case(known))
    })
}

number_on_the_wire!(
    State,
    "State",
    u32,
    "a job state",
    |state| state.bit(),
    State::from_bit
);
number_on_the_wire!(
    States,
    "States",
    u32,
    "a set of job states",
    |set| set.0,
    States::from_bits
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_bit_and_four_spellings() {
        for (bit, name, short_name) in [
            (1, "NEW", "N"),
            (2, "DEPEND", "D"),
            (4, "PRIORITY", "P"),
            (8, "SCHED", "S"),
            (16, "RUN", "R"),
            (32, "CLEANUP", "C"),
            (64, "INACTIVE", "I"),
            (14, "PENDING", "PD"),
            (48, "RUNNING", "RU"),
            (62, "ACTIVE", "A"),
        ] {
            let states = States::from_bits(bit).unwrap();
            assert_eq!((states.name(), states.short_name()), (name, short_name));
            for text in [
                name,
                short_name,
                &name.to_lowercase(),
                &short_name.to_lowercase(),
            ] {
                assert_eq!(text.parse(), Ok(states), "{text}");
            }
        }
    }

    #[test]
    fn other_texts_and_bits_are_refused() {
        for text in ["", "Sched", "sChEd", "Pd", "X", "pend", "PENDING "] {
            assert!(text.parse::<States>().is_err(), "{text}");
        }
        assert!("PENDING".parse::<State>().is_err());
        assert_eq!(States::from_bits(128), None);
        assert_eq!(States::from_bits(3).unwrap().name(), "(unknown)");
        assert_eq!(States::NONE.short_name(), "?");
    }

    #[test]
    fn virtual_states_are_unions() {
        assert_eq!(States::PENDING | States::RUNNING, States::ACTIVE);
        let pending: Vec<State> = States::PENDING.iter().collect();
        assert_eq!(pending, [State::Depend, State::Priority, State::Sched]);
        assert!(!States::ACTIVE.contains(State::New));
    }

    #[test]
    fn json_is_the_bit() {
        assert_eq!(serde_json::to_string(&State::Run).unwrap(), "16");
        assert_eq!(
            serde_json::from_str::<State>("64").unwrap(),
            State::Inactive
        );
        let error = serde_json::from_str::<State>("3").unwrap_err();
        assert_eq!(error.to_string(), "3 is not a job state");
        assert_eq!(serde_json::from_str::<States>("127").unwrap(), States::ALL);
    }
}
