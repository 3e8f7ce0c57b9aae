//! Value of a field, and the conversions of its text.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use proto::data::Fsd;

use crate::parse::FormatError;
use crate::spec::Spec;
use command::plain::Plain;

/// Seconds of an hour and of a day.
const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// The value of one field in one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    None,
    /// A text.
    Text(Cow<'a, str>),
    /// A text that is sorted by a number.
    Ordered(Cow<'a, str>, u64),
    /// Control sequence of the terminal.
    Escape(&'static str),
    /// A whole number.
    Int(i64),
    /// A number, such as seconds or a time since the epoch.
    Float(f64),
    /// True or false.
    Bool(bool),
}

/// Conversion of a value before it is padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversion {
    /// As it is.
    None,
    /// `!D`: a time as `2020-01-07T13:31:00`.
    IsoTime,
    /// `!d`: a time in the form of strftime(3).
    Time(String),
    /// `!F`: seconds as a duration such as `1.5h`.
    Duration,
    /// `!H`: seconds as `H:MM:SS`.
    Hours,
    /// `!P`: a fraction as a percentage.
    Percent,
}

const ISO_TIME: &str = "%Y-%m-%dT%H:%M:%S";

impl Conversion {
    /// Reads the text after the exclamation mark. Returns the rest of the specification:
    /// the form of a time stands before `::`.
    pub fn parse<'a>(
        name: Option<&str>,
        spec: &'a str,
    ) -> Result<(Conversion, &'a str), FormatError> {
        Ok(match name {
            None | Some("s" | "r") => (Conversion::None, spec),
            Some("D") => (Conversion::IsoTime, spec),
            Some("d") => match spec.split_once("::") {
                Some((form, spec)) => (Conversion::Time(form.to_owned()), spec),
                None if spec.is_empty() => (Conversion::IsoTime, spec),
                None => (Conversion::Time(spec.to_owned()), ""),
            },
            Some("F") => (Conversion::Duration, spec),
            Some("H") => (Conversion::Hours, spec),
            Some("P") => (Conversion::Percent, spec),
            Some(other) => return Err(FormatError::UnknownConversion(other.to_owned())),
        })
    }
}

impl<'a> Value<'a> {
    /// A text that may be missing.
    pub fn text(text: Option<impl Into<Cow<'a, str>>>) -> Value<'a> {
        text.map_or(Value::None, |text| Value::Text(text.into()))
    }

    /// A whole number that may be missing.
    pub fn int(number: Option<i64>) -> Value<'a> {
        number.map_or(Value::None, Value::Int)
    }

    /// A number that may be missing.
    pub fn float(number: Option<f64>) -> Value<'a> {
        number.map_or(Value::None, Value::Float)
    }

    /// True if it is empty for a column that is dropped when empty.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::None => true,
            Value::Text(text) => text.is_empty(),
            Value::Ordered(..) => false,
            Value::Escape(code) => code.is_empty(),
            Value::Int(number) => *number == 0,
            Value::Float(number) => *number == 0.0,
            Value::Bool(_) => false,
        }
    }

    /// True if it is padded on the left by default.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Float(_))
    }

    /// The order of listings: nothing, then numbers, then texts.
    pub fn compare(&self, other: &Value<'_>) -> Ordering {
        let rank = |value: &Value<'_>| match value {
            Value::None => 0,
            Value::Text(text) if text.is_empty() => 0,
            Value::Escape(_) => 0,
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Ordered(..) => 1,
            Value::Text(_) => 2,
        };
        let number = |value: &Value<'_>| match value {
            Value::Bool(flag) => f64::from(u8::from(*flag)),
            Value::Int(number) => *number as f64,
            Value::Float(number) => *number,
            Value::Ordered(_, number) => *number as f64,
            Value::None | Value::Text(_) | Value::Escape(_) => 0.0,
        };
        match (self, other) {
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            (Value::Ordered(_, one), Value::Ordered(_, other)) => one.cmp(other),
            _ => rank(self)
                .cmp(&rank(other))
                .then(number(self).total_cmp(&number(other))),
        }
    }

    /// The same without anything in it that steers the terminal.
    pub fn plain(self, plain: Plain) -> Value<'a> {
        match self {
            Value::Text(Cow::Borrowed(text)) => Value::Text(plain.line(text)),
            Value::Text(Cow::Owned(text)) => Value::Text(plain.line(&text).into_owned().into()),
            Value::Ordered(text, at) => Value::Ordered(plain.line(&text).into_owned().into(), at),
            other => other,
        }
    }

    /// The text that is shown, cut but not yet padded.
    pub fn show(&self, conversion: &Conversion, spec: &Spec, zone: &TimeZone) -> String {
        let text = match conversion {
            Conversion::None => self.unconverted(spec),
            Conversion::IsoTime => self.time(ISO_TIME, zone),
            Conversion::Time(form) => self.time(form, zone),
            Conversion::Duration => self.seconds().map_or_else(String::new, |seconds| {
                Fsd::from_secs(seconds).map_or_else(|_| String::new(), Fsd::to_listing)
            }),
            Conversion::Hours => self.seconds().map_or_else(String::new, hours),
            Conversion::Percent => self.seconds().map_or_else(String::new, percent),
        };
        if spec.dash_empty && is_nothing(&text) {
            return "-".to_owned();
        }
        // The precision of a number says how many digits it has, not where it is cut.
        match (self.is_number(), conversion) {
            (true, Conversion::None) => text,
            _ => spec.cut(&text),
        }
    }

    fn unconverted(&self, spec: &Spec) -> String {
        match self {
            Value::None => String::new(),
            Value::Text(text) | Value::Ordered(text, _) => text.clone().into_owned(),
            Value::Escape(code) => (*code).to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(number) => match (spec.kind, spec.precision) {
                (Some('f'), precision) => format!("{:.*}", precision.unwrap_or(6), *number as f64),
                (Some('x'), _) => format!("{number:x}"),
                _ => number.to_string(),
            },
            Value::Float(number) => match (spec.kind, spec.precision) {
                (Some('f'), precision) => format!("{number:.*}", precision.unwrap_or(6)),
                (_, Some(precision)) => format!("{number:.precision$}"),
                (_, None) => format!("{number:?}"),
            },
        }
    }

    fn seconds(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::None
            | Value::Text(_)
            | Value::Ordered(..)
            | Value::Escape(_)
            | Value::Bool(_) => None,
        }
    }

    fn time(&self, form: &str, zone: &TimeZone) -> String {
        let Some(seconds) = self.seconds().filter(|seconds| *seconds > 0.0) else {
            return String::new();
        };
        let micros = (seconds * 1e6).round();
        let time = Timestamp::from_microsecond(micros as i64).ok();
        // A form that says nothing shows nothing.
        time.and_then(|time| strtime::format(form, &time.to_zoned(zone.clone())).ok())
            .unwrap_or_default()
    }
}

/// True if the text stands for no value.
fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "0s" | "0.0" | "0:00:00" | "1970-01-01T00:00:00")
}

/// `H:MM:SS`, with days in front where there are any.
fn hours(seconds: f64) -> String {
    let seconds = seconds.round() as i64;
    let (days, rest) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let (hours, minutes, seconds) = (rest / HOUR_S, rest % HOUR_S / 60, rest % 60);
    let time = format!("{hours}:{minutes:02}:{seconds:02}");
    match days {
        0 => time,
        1 | -1 => format!("{days} day, {time}"),
        _ => format!("{days} days, {time}"),
    }
}

/// At most five characters.
fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let text = match percent {
        _ if percent >= 99.95 => format!("{percent:.0}"),
        _ if percent >= 9.995 => format!("{percent:.1}"),
        _ => format!("{percent:.2}"),
    };
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value<'_>, conversion: Option<&str>, spec: &str, expect: &str) {
        let (conversion, spec) = Conversion::parse(conversion, spec).unwrap();
        let spec = Spec::parse(spec).unwrap();
        let shown = value.show(&conversion, &spec, &TimeZone::UTC);
        assert_eq!(shown, expect, "{value:?} {conversion:?}");
    }

    #[test]
    fn values_are_shown_as_python_does() {
        check(Value::Int(7), None, ">6", "7");
        check(Value::Float(1.0), None, "", "1.0");
        check(Value::Float(1.5), None, "8.3f", "1.500");
        check(Value::Bool(true), None, "", "True");
        check(Value::None, None, ">6h", "-");
        check(Value::None, None, ">6.2f", "");
        check(Value::Text("abcdef".into()), None, "<4.4+", "abc+");
    }

    #[test]
    fn conversions_read_seconds_and_times() {
        let time = Value::Float(1_578_403_860.4);
        check(time.clone(), Some("D"), "", "2020-01-07T13:31:00");
        check(time.clone(), Some("d"), "%b%d %R::>12", "Jan07 13:31");
        check(time, Some("d"), "%H", "13");
        check(Value::None, Some("d"), "%b%d %R::>12h", "-");
        check(Value::Float(0.0), Some("D"), "h", "-");
        check(Value::Float(5400.0), Some("F"), ">8h", "1.5h");
        check(Value::Float(0.0), Some("F"), ">8h", "-");
        check(Value::Float(0.0), Some("F"), ">8", "0s");
        check(Value::Float(61.2), Some("H"), "", "0:01:01");
        check(Value::Float(90_000.0), Some("H"), "", "1 day, 1:00:00");
        check(Value::Float(0.0), Some("H"), "h", "-");
        check(Value::Float(0.5), Some("P"), "", "50%");
        check(Value::Float(0.015), Some("P"), "", "1.5%");
        check(Value::Float(1.0), Some("P"), "", "100%");
    }

    #[test]
    fn a_form_that_makes_no_sense_shows_nothing() {
        check(Value::Float(5.0), Some("d"), "%!", "");
    }

    #[test]
    fn nothing_comes_before_numbers_and_numbers_before_texts() {
        let ordered = [
            Value::None,
            Value::Float(-1.0),
            Value::Int(2),
            Value::Float(2.5),
            Value::Text("a".into()),
            Value::Text("b".into()),
        ];
        for (i, one) in ordered.iter().enumerate() {
            for (j, other) in ordered.iter().enumerate() {
                assert_eq!(one.compare(other), i.cmp(&j), "{one:?} {other:?}");
            }
        }
    }
}
