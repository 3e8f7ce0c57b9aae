//! Calendar time from seconds since the epoch, for the printed forms of logs. UTC only: a zone
//! is an offset that the caller adds, because looking one up reads files.

/// Names of the months as logs print them.
pub(crate) const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const SECONDS_A_DAY: i64 = 86_400;

/// A date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: usize,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Civil {
    /// The date and time `seconds` after the epoch.
    pub(crate) fn from_epoch(seconds: i64) -> Self {
        let (days, time) = (
            seconds.div_euclid(SECONDS_A_DAY),
            seconds.rem_euclid(SECONDS_A_DAY),
        );
        // Count in eras of 400 years that begin on 1 March, so that a leap day ends its year.
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: month as usize,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: time / 3_600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }

    /// The month as logs print it.
    pub(crate) fn month_name(&self) -> &'static str {
        MONTHS
            .get(self.month.wrapping_sub(1))
            .copied()
            .unwrap_or("???")
    }
}

/// A time in seconds as whole seconds and microseconds, rounded.
///
/// Times beyond about 30,000 years are cut there: the calendar has no use for them.
pub(crate) fn split_micros(seconds: f64) -> (i64, u32) {
    const SECONDS_MAX: f64 = 1e12;
    let micros = (seconds.clamp(-SECONDS_MAX, SECONDS_MAX) * 1e6).round() as i64;
    (
        micros.div_euclid(1_000_000),
        micros.rem_euclid(1_000_000) as u32,
    )
}

/// `2026-11-22T07:16:20.154262Z`
pub(crate) fn iso_utc(seconds: f64) -> String {
    let (whole, micros) = split_micros(seconds);
    iso_utc_micros(whole * 1_000_000 + i64::from(micros))
}

/// The microseconds since the epoch that a text like `2026-11-22T07:16:20.154262Z` means. The
/// fraction may have 0 to 6 digits.
pub(crate) fn parse_iso_utc(text: &str) -> Option<i64> {
    let number = |text: &str| -> Option<i64> {
        let is_number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.splitn(3, ':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let is_date =
        (1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 || fraction.len() > 6 {
        return None;
    }
    let micros = number(&format!("{fraction:0<6}"))?;
    // As in `from_epoch`: years that begin on 1 March, in eras of 400.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((days * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second) * 1_000_000 + micros)
}

/// [`iso_utc`] of microseconds since the epoch.
pub(crate) fn iso_utc_micros(micros: i64) -> String {
    let (whole, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Civil::from_epoch(whole);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
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
            assert_eq!(iso_utc(seconds), text);
            let micros = parse_iso_utc(text).unwrap();
            assert_eq!(iso_utc_micros(micros), text);
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
            iso_utc(seconds);
        }
    }
}
