//! Calendar time of logs: from seconds or microseconds since the epoch, and back. UTC only:
//! a zone is an offset that the caller adds, because looking one up reads files.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Microseconds in a second.
const MICROS: f64 = 1e6;

/// The form of times in logs, for strftime(3).
const ISO: &str = "%Y-%m-%dT%H:%M:%S.%6fZ";

/// A time in seconds, rounded to microseconds.
pub(crate) fn at_seconds(seconds: f64) -> Timestamp {
    // Times that no integer holds are cut by the cast; what is no number is the epoch.
    at_micros((seconds * MICROS).round() as i64)
}

/// A time in microseconds. Times outside of the years -9999 to 9999 are clamped.
pub(crate) fn at_micros(micros: i64) -> Timestamp {
    let (first, last) = (
        Timestamp::MIN.as_microsecond(),
        Timestamp::MAX.as_microsecond(),
    );
    Timestamp::from_microsecond(micros.clamp(first, last)).unwrap_or_default()
}

/// The date and time of day in UTC.
pub(crate) fn utc(time: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(time)
}

/// `2026-11-22T07:16:20.154262Z`
pub(crate) fn iso_utc(time: Timestamp) -> String {
    utc(time).strftime(ISO).to_string()
}

/// Parses a text like `2026-11-22T07:16:20.154262Z` into microseconds since the epoch. The
/// fraction may have 0 to 6 digits.
pub(crate) fn parse_iso_utc(text: &str) -> Option<i64> {
    let is_in_form = text.len() <= "2026-11-22T07:16:20.154262Z".len()
        && text.len() >= "2026-11-22T07:16:20Z".len()
        && text.ends_with('Z')
        && text.starts_with(|c: char| c.is_ascii_digit());
    let time: Timestamp = is_in_form.then(|| text.parse().ok()).flatten()?;
    Some(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_centuries() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000000Z"),
            (-1.0, "1969-12-31T23:59:59.000000Z"),
            (951_782_400.0, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_399.0, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000000Z"),
            (1_795_331_780.154_262, "2026-11-22T07:16:20.154262Z"),
            (1.999_999_9, "1970-01-01T00:00:02.000000Z"),
        ] {
            assert_eq!(iso_utc(at_seconds(seconds)), text);
            let micros = parse_iso_utc(text).unwrap();
            assert_eq!(iso_utc(at_micros(micros)), text);
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        assert_eq!(parse_iso_utc("1970-01-01T00:00:01Z"), Some(1_000_000));
        assert_eq!(parse_iso_utc("1970-01-01T00:00:00.5Z"), Some(500_000));
        for text in [
            "",
            "-",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-13-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00Z",
            "1970-01-01T00:00:00.0000000Z",
            "+970-01-01T00:00:00Z",
            "99999999999999999999-01-01T00:00:00Z",
            "é-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_iso_utc(text), None, "{text}");
        }
    }

    #[test]
    fn absurd_times_do_not_panic() {
        for seconds in [f64::MAX, f64::MIN, f64::INFINITY, f64::NAN] {
            iso_utc(at_seconds(seconds));
        }
    }
}
