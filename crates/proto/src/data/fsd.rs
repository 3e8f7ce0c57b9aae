//! Flux standard durations (RFC 23): one number and one unit, such as `1.5h`.
//!
//! There are two printed forms, and scripts compare both: `Display` is the exact one of logs
//! and configuration, [`Fsd::to_listing`] the short one of job listings.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::numfmt::format_g;

/// A duration in seconds: zero or more, perhaps infinite, never NaN.
///
/// In messages a duration may be a number of seconds or a string; it is written as a number, or
/// as `"infinity"`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Fsd(f64);

/// A text or a number that is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid Flux standard duration")]
pub struct FsdError;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

impl Fsd {
    /// Zero; as a limit, no limit.
    pub const ZERO: Fsd = Fsd(0.0);
    /// Infinity.
    pub const INFINITY: Fsd = Fsd(f64::INFINITY);

    /// N seconds.
    pub const fn from_whole_secs(seconds: u32) -> Fsd {
        Fsd(seconds as f64)
    }

    /// A duration of `seconds`, which must be neither negative nor NaN.
    pub fn from_secs(seconds: f64) -> Result<Self, FsdError> {
        if seconds >= 0.0 {
            Ok(Self(seconds))
        } else {
            Err(FsdError)
        }
    }

    /// The duration in seconds.
    pub const fn secs(self) -> f64 {
        self.0
    }

    /// True if the duration never ends.
    pub const fn is_infinite(self) -> bool {
        self.0.is_infinite()
    }

    /// The form of logs and configuration with `precision` significant digits: `2ms`, `1.5h`,
    /// `infinity`. `Display` is this with six.
    pub fn to_text(self, precision: usize) -> String {
        let d = self.0;
        let (value, unit) = match d {
            _ if d.is_infinite() => return "infinity".to_owned(),
            _ if d > 0.0 && d < 0.1 => (d * 1000.0, "ms"),
            _ if d < MINUTE => (d, "s"),
            _ if d < HOUR => (d / MINUTE, "m"),
            _ if d < DAY => (d / HOUR, "h"),
            _ => (d / DAY, "d"),
        };
        format!("{}{unit}", format_g(value, precision))
    }

    /// The short form of job listings: `0s`, `1.000s`, `59.5s`, `1.021m`, `inf`.
    pub fn to_listing(self) -> String {
        let d = self.0;
        let (value, unit) = match d {
            _ if d.is_infinite() => return "inf".to_owned(),
            _ if d < 0.001 => return "0s".to_owned(),
            _ if d < 10.0 => return format!("{d:.3}s"),
            _ if d < MINUTE => (d, "s"),
            _ if d < HOUR => (d / MINUTE, "m"),
            _ if d < DAY => (d / HOUR, "h"),
            _ => (d / DAY, "d"),
        };
        format!("{}{unit}", format_g(value, 4))
    }
}

impl fmt::Display for Fsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text(6))
    }
}

impl FromStr for Fsd {
    type Err = FsdError;

    fn from_str(text: &str) -> Result<Self, FsdError> {
        let text = text.trim_start();
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
            return Ok(Self::INFINITY);
        }
        let (number, unit) = text.split_at(number_length(text));
        let scale = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return Err(FsdError),
        };
        let number: f64 = number.parse().map_err(|_| FsdError)?;
        // A number too large for a double is an error, not a duration without end.
        let seconds = if unit == "ms" {
            number / 1000.0
        } else {
            number * scale
        };
        if seconds.is_finite() {
            Self::from_secs(seconds)
        } else {
            Err(FsdError)
        }
    }
}

/// Length in bytes of the decimal floating point number at the start of `text`.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    at += digits(at);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        at += digits(at);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    at
}

impl Serialize for Fsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_infinite() {
            serializer.serialize_str("infinity")
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Fsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = Fsd;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration: seconds, or a text such as \"1.5h\"")
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Fsd, E> {
                Fsd::from_secs(seconds).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Fsd, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Fsd, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Fsd, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

crate::schema::schema_by_hand!(Fsd, "Fsd", inline, {
    "type": ["number", "string"],
    "description": "A duration: seconds, or a text such as \"1.5h\" (RFC 23)."
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_read_as_seconds() {
        for (text, seconds) in [
            ("2ms", 0.002),
            ("0.1s", 0.1),
            ("30", 30.0),
            ("1.2h", 4320.0),
            ("5m", 300.0),
            ("5d", 432000.0),
            ("0", 0.0),
            ("1e3", 1000.0),
            ("1E-1m", 6.0),
            (".5s", 0.5),
            ("5.", 5.0),
            ("+5", 5.0),
            (" 5", 5.0),
            ("inf", f64::INFINITY),
            ("infinity", f64::INFINITY),
            ("INF", f64::INFINITY),
        ] {
            assert_eq!(text.parse::<Fsd>().map(Fsd::secs), Ok(seconds), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "s",
            "-1",
            "-1s",
            "nan",
            "NaN",
            "1x",
            "1 s",
            "5s ",
            "infs",
            "infinitym",
            "1e",
            "1ss",
            "1e999",
            "-inf",
            "1.2.3",
            ".",
            "+",
            "1es",
            "0x10",
        ] {
            assert_eq!(text.parse::<Fsd>(), Err(FsdError), "{text:?}");
        }
        assert_eq!(FsdError.to_string(), "invalid Flux standard duration");
    }

    fn check(seconds: f64, text: &str, listing: &str) {
        let duration = Fsd::from_secs(seconds).unwrap();
        assert_eq!(duration.to_string(), text, "{seconds}");
        assert_eq!(duration.to_listing(), listing, "{seconds}");
    }

    #[test]
    fn both_printed_forms_hold() {
        check(0.0, "0s", "0s");
        check(0.0005, "0.5ms", "0s");
        check(0.002, "2ms", "0.002s");
        check(0.1, "0.1s", "0.100s");
        check(1.0, "1s", "1.000s");
        check(59.5, "59.5s", "59.5s");
        check(60.0, "1m", "1m");
        check(61.234, "1.02057m", "1.021m");
        check(300.0, "5m", "5m");
        check(4320.0, "1.2h", "1.2h");
        check(5400.0, "1.5h", "1.5h");
        check(100000.0, "1.15741d", "1.157d");
        check(432000.0, "5d", "5d");
        check(f64::INFINITY, "infinity", "inf");
    }

    #[test]
    fn numbers_and_texts_are_read_from_json() {
        for (json, seconds) in [("1.5", 1.5), ("60", 60.0), ("\"1.5h\"", 5400.0)] {
            assert_eq!(serde_json::from_str::<Fsd>(json).unwrap().secs(), seconds);
        }
        assert!(serde_json::from_str::<Fsd>("-1").is_err());
        assert_eq!(
            serde_json::to_string(&Fsd::INFINITY).unwrap(),
            "\"infinity\""
        );
        assert_eq!(serde_json::to_string(&Fsd(1.5)).unwrap(), "1.5");
        assert_eq!(Fsd::from_secs(f64::NAN), Err(FsdError));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9eE.+\\-a-zé ]{0,12}") {
            let _ = text.parse::<Fsd>();
        }

        #[test]
        fn a_printed_duration_is_read_back_nearly(seconds in 0.0..1e7_f64) {
            let text = Fsd(seconds).to_string();
            let back = text.parse::<Fsd>().unwrap().secs();
            prop_assert!((back - seconds).abs() <= seconds * 1e-5, "{text}");
        }
    }
}
