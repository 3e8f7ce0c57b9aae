//! Times as these commands read and print them.

use command::error::CliError;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// The seconds of `N[smhd]`.
pub(super) fn seconds(text: &str) -> Result<f64, CliError> {
    let unit = match text.chars().last() {
        Some('s') => Some(1.0),
        Some('m') => Some(MINUTE),
        Some('h') => Some(HOUR),
        Some('d') => Some(DAY),
        _ => None,
    };
    let number = match unit {
        Some(_) => &text[..text.len() - 1],
        None => text,
    };
    let seconds = number.parse::<f64>().ok();
    let seconds = seconds.map(|seconds| seconds * unit.unwrap_or(1.0));
    seconds
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
        .ok_or_else(|| CliError::new(format!("Invalid duration '{text}'")))
}

/// Age of a time, in words.
pub(super) fn ago(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < MINUTE => (s, "second"),
        s if s < HOUR => (s / MINUTE, "minute"),
        s if s < DAY => (s / HOUR, "hour"),
        s => (s / DAY, "day"),
    };
    match number as i64 {
        ..=1 if unit == "hour" => "an hour ago".to_owned(),
        ..=1 => format!("a {unit} ago"),
        number => format!("{number} {unit}s ago"),
    }
}

/// Duration in three digits: `6.27ms`, `1.5s`, `2.1m`.
pub(super) fn took(seconds: f64) -> String {
    let fsd = proto::data::Fsd::from_secs(seconds.max(0.0)).unwrap_or_default();
    fsd.to_text(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, expect) in [
            ("5", 5.0),
            ("0.5s", 0.5),
            ("2m", 120.0),
            ("1h", 3600.0),
            ("1d", 86_400.0),
        ] {
            assert_eq!(seconds(text), Ok(expect), "{text}");
        }
        for text in ["", "zz", "s", "-1", "1w", "infd", "nan", "1é"] {
            let expect = format!("Invalid duration '{text}'");
            assert_eq!(seconds(text).map_err(|e| e.text().to_owned()), Err(expect));
        }
    }

    #[test]
    fn the_past_is_told_in_words() {
        for (seconds, expect) in [
            (0.1, "a second ago"),
            (4.2, "4 seconds ago"),
            (60.0, "a minute ago"),
            (7199.0, "an hour ago"),
            (7200.0, "2 hours ago"),
            (86_400.0, "a day ago"),
            (864_000.0, "10 days ago"),
        ] {
            assert_eq!(ago(seconds), expect);
        }
        assert_eq!(took(0.006_271), "6.27ms");
    }
}
