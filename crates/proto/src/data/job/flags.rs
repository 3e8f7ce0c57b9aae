//! Bit sets of the job services, and the flags of a job by name.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use super::number::number_on_the_wire;

/// A text that names no flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown flag: {0}")]
pub struct UnknownFlag(pub String);

/// Declares a set of bits that keeps unknown ones, so that a service can refuse them with its own
/// error.
macro_rules! bits {
    ($(#[$doc:meta])* $type:ident, $name:literal, $what:literal {
        $($(#[$flag_doc:meta])* $flag:ident = $bit:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub u32);

        impl $type {
            /// No flag.
            pub const NONE: $type = $type(0);
            $($(#[$flag_doc])* pub const $flag: $type = $type($bit);)+
            /// Every known flag.
            pub const ALL: $type = $type($($bit)|+);

            /// The bits.
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// True if every flag of `other` is set.
            pub const fn contains(self, other: $type) -> bool {
                self.0 & other.0 == other.0
            }

            /// True if no bit but known flags is set.
            pub const fn is_known(self) -> bool {
                self.0 & !Self::ALL.0 == 0
            }
        }

        impl BitOr for $type {
            type Output = $type;

            fn bitor(self, other: $type) -> $type {
                $type(self.0 | other.0)
            }
        }

        number_on_the_wire!($type, $name, u32, $what, |flags| flags.0, |bits| Some($type(bits)));
    };
}

bits! {
    /// Flags of a submission, also recorded in the `submit` event.
    SubmitFlags, "SubmitFlags", "flags of a submission" {
        /// The request is signed already; only the client sees this flag.
        PRE_SIGNED = 1,
        /// Post `debug.*` events.
        DEBUG = 2,
        /// The submitter will wait for the job.
        WAITABLE = 4,
        /// Skip validation.
        NOVALIDATE = 8,
    }
}

bits! {
    /// Flags of `job-info.eventlog-watch`.
    EventWatchFlags, "EventWatchFlags", "flags of an event log watch" {
        /// Wait for the log to appear.
        WAITCREATE = 1,
        /// Mark the end of the entries that existed at the start.
        INITIAL_SENTINEL = 2,
    }
}

bits! {
    /// Flags of `job-info.lookup`.
    LookupFlags, "LookupFlags", "flags of a job lookup" {
        /// Return objects instead of their text.
        JSON_DECODE = 1,
        /// Apply the updates in the event log.
        CURRENT = 2,
    }
}

impl SubmitFlags {
    /// Flags that the job manager accepts.
    pub const ON_THE_WIRE: SubmitFlags =
        SubmitFlags(Self::DEBUG.0 | Self::WAITABLE.0 | Self::NOVALIDATE.0);
}

impl FromStr for SubmitFlags {
    type Err = UnknownFlag;

    /// Takes one name of `--flags=`: `debug`, `waitable`, `novalidate` or `signed`.
    fn from_str(name: &str) -> Result<Self, UnknownFlag> {
        match name {
            "debug" => Ok(Self::DEBUG),
            "waitable" => Ok(Self::WAITABLE),
            "novalidate" => Ok(Self::NOVALIDATE),
            "signed" => Ok(Self::PRE_SIGNED),
            _ => Err(UnknownFlag(name.to_owned())),
        }
    }
}

/// A flag that a `set-flags` event gives a job, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobFlag {
    /// Post `debug.*` events.
    Debug,
    /// Resources do not come from the scheduler.
    AllocBypass,
    /// Guests may no longer update the job.
    Immutable,
}

impl JobFlag {
    /// Every flag.
    pub const ALL: [JobFlag; 3] = [Self::Debug, Self::AllocBypass, Self::Immutable];

    /// The name in the event.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::AllocBypass => "alloc-bypass",
            Self::Immutable => "immutable",
        }
    }
}

impl fmt::Display for JobFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for JobFlag {
    type Err = UnknownFlag;

    fn from_str(name: &str) -> Result<Self, UnknownFlag> {
        let known = Self::ALL.into_iter().find(|flag| flag.name() == name);
        known.ok_or_else(|| UnknownFlag(name.to_owned()))
    }
}

crate::data::textual::string_on_the_wire!(JobFlag, "JobFlag", "the name of a job flag");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submit_flags_have_their_bits_and_names() {
        for (name, bit) in [
            ("signed", 1),
            ("debug", 2),
            ("waitable", 4),
            ("novalidate", 8),
        ] {
            assert_eq!(name.parse(), Ok(SubmitFlags(bit)));
        }
        assert_eq!("x".parse::<SubmitFlags>(), Err(UnknownFlag("x".to_owned())));
        assert!(SubmitFlags(15).is_known() && !SubmitFlags(16).is_known());
        assert!(!SubmitFlags::ON_THE_WIRE.contains(SubmitFlags::PRE_SIGNED));
    }

    #[test]
    fn sets_are_numbers_in_json() {
        let flags: LookupFlags = serde_json::from_str("3").unwrap();
        assert_eq!(flags, LookupFlags::JSON_DECODE | LookupFlags::CURRENT);
        assert_eq!(serde_json::to_string(&EventWatchFlags::ALL).unwrap(), "3");
        assert!(!serde_json::from_str::<LookupFlags>("4").unwrap().is_known());
    }

    #[test]
    fn job_flags_are_names() {
        for flag in JobFlag::ALL {
            assert_eq!(flag.name().parse(), Ok(flag));
        }
        assert_eq!(
            serde_json::to_string(&JobFlag::AllocBypass).unwrap(),
            "\"alloc-bypass\""
        );
        assert!(serde_json::from_str::<JobFlag>("\"x\"").is_err());
    }
}
