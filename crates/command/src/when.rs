//! Points in time as people write them: `yesterday`, `last Monday`, `1 hour ago`,
//! `2021-06-21 6am`, dates and times of ISO 8601, and `+DURATION`.
//!
//! A day without a time of day is its midnight. A time that may be on many days, such as
//! a bare `Monday` or `6am`, is the nearest on the side that the caller looks to.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan, Zoned};
use proto::data::Fsd;

/// Side on which the caller looks for a time that may be on many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// For the beginning of a listing.
    Past,
    /// For the start of a job.
    Future,
}

/// The seconds since the epoch that a text means at the time `now`; `None` when it is no
/// point in time.
pub fn parse(text: &str, now: f64, zone: &TimeZone, side: Side) -> Option<f64> {
    let text = text.trim();
    if let Some(later) = text.strip_prefix('+') {
        return Some(now + later.parse::<Fsd>().ok()?.secs());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_duration().as_secs_f64());
    }
    let since_epoch = SignedDuration::try_from_secs_f64(now).ok()?;
    let now = Timestamp::from_duration(since_epoch).ok()?;
    let now = now.to_zoned(zone.clone());
    let time = match text.parse::<DateTime>() {
        Ok(time) => time.to_zoned(zone.clone()).ok()?,
        Err(_) => of_words(&text.to_lowercase(), &now, side)?,
    };
    Some(time.timestamp().as_duration().as_secs_f64())
}

fn of_words(text: &str, now: &Zoned, side: Side) -> Option<Zoned> {
    let text = text.replace(',', " ");
    let words: Vec<&str> = text.split_whitespace().filter(|w| *w != "at").collect();
    match words.as_slice() {
        ["now"] => Some(now.clone()),
        [amount @ .., "ago"] => shifted(now, amount, -1),
        ["in", amount @ ..] | [amount @ .., "from", "now"] => shifted(now, amount, 1),
        ["last", unit] if unit_span(unit, 1).is_some() => shifted(now, &["1", unit], -1),
        ["next", unit] if unit_span(unit, 1).is_some() => shifted(now, &["1", unit], 1),
        words => on_calendar(words, now, side),
    }
}

/// Amounts of time, such as `1 hour 30 minutes` or `90m`, away from now.
fn shifted(now: &Zoned, amounts: &[&str], sign: i64) -> Option<Zoned> {
    let mut time = now.clone();
    let mut rest = amounts;
    while let [first, after @ ..] = rest {
        let number = match *first {
            "a" | "an" => Some(1),
            number => number.parse::<u32>().ok().map(i64::from),
        };
        rest = match (number, after) {
            (Some(number), [unit, after @ ..]) if unit_span(unit, 1).is_some() => {
                time = time.checked_add(unit_span(unit, sign * number)?).ok()?;
                after
            }
            _ => {
                let seconds = first.parse::<Fsd>().ok()?.secs() * sign as f64;
                let seconds = SignedDuration::try_from_secs_f64(seconds).ok()?;
                time = time.checked_add(seconds).ok()?;
                after
            }
        };
    }
    (!amounts.is_empty()).then_some(time)
}

fn unit_span(unit: &str, number: i64) -> Option<Span> {
    let span = Span::new();
    let span = match unit.strip_suffix('s').unwrap_or(unit) {
        "second" | "sec" => span.try_seconds(number),
        "minute" | "min" => span.try_minutes(number),
        "hour" | "hr" => span.try_hours(number),
        "day" => span.try_days(number),
        "week" => span.try_weeks(number),
        "month" => span.try_months(number),
        "year" => span.try_years(number),
        _ => return None,
    };
    span.ok()
}

/// A day, a time of day, or both in either order.
fn on_calendar(words: &[&str], now: &Zoned, side: Side) -> Option<Zoned> {
    let (mut day, mut time) = (None, None);
    let mut rest = words;
    while !rest.is_empty() {
        if let Some((found, after)) = read_time(rest).filter(|_| time.is_none()) {
            (time, rest) = (Some(found), after);
        } else if let Some((found, after)) = read_day(rest, now, side).filter(|_| day.is_none()) {
            (day, rest) = (Some(found), after);
        } else {
            return None;
        }
    }
    let at = |day: Date, time: Time| day.to_datetime(time).to_zoned(now.time_zone().clone()).ok();
    match (day, time) {
        (Some(day), time) => at(day, time.unwrap_or(Time::midnight())),
        (None, Some(time)) => {
            let today = at(now.date(), time)?;
            match side {
                Side::Past if today > *now => at(now.date().yesterday().ok()?, time),
                Side::Future if today < *now => at(now.date().tomorrow().ok()?, time),
                _ => Some(today),
            }
        }
        (None, None) => None,
    }
}

type Read<'w, T> = Option<(T, &'w [&'w str])>;

/// `6am`, `6 am`, `18:30`, `6:30:15pm`, `noon`, `midnight`
fn read_time<'w>(words: &'w [&'w str]) -> Read<'w, Time> {
    let (first, rest) = words.split_first()?;
    match *first {
        "noon" => return Some((Time::new(12, 0, 0, 0).ok()?, rest)),
        "midnight" => return Some((Time::midnight(), rest)),
        _ => {}
    }
    let digits_end = first.find(|c: char| c != ':' && !c.is_ascii_digit());
    let (clock, half) = first.split_at(digits_end.unwrap_or(first.len()));
    let (half, rest) = match (half, rest) {
        ("", [half @ ("am" | "pm"), rest @ ..]) => (*half, rest),
        (half, rest) => (half, rest),
    };
    let mut parts = clock.split(':').map(|part| part.parse::<i8>().ok());
    let hour = parts.next()??;
    let minute = parts.next().unwrap_or(Some(0))?;
    let second = parts.next().unwrap_or(Some(0))?;
    let hour = match half {
        "am" if (1..=12).contains(&hour) => hour % 12,
        "pm" if (1..=12).contains(&hour) => hour % 12 + 12,
        // A number alone is none.
        "" if clock.contains(':') => hour,
        _ => return None,
    };
    let is_over = parts.next().is_some();
    let time = Time::new(hour, minute, second, 0).ok();
    Some((time.filter(|_| !is_over)?, rest))
}

/// `today`, `last Monday`, `Monday`, `2021-06-21`, `6/21/2021`, `Jun 21 2021`
fn read_day<'w>(words: &'w [&'w str], now: &Zoned, side: Side) -> Read<'w, Date> {
    let today = now.date();
    let (first, rest) = words.split_first()?;
    let found = match *first {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        "tomorrow" => today.tomorrow().ok(),
        word => word.parse().ok().or_else(|| with_slashes(word)),
    };
    if let Some(day) = found {
        return Some((day, rest));
    }
    if let ("last" | "next" | "this", [name, after @ ..]) = (*first, rest) {
        let nth = match (*first, side) {
            ("last", _) => -1,
            ("this", Side::Past) => -1,
            _ => 1,
        };
        return Some((today.nth_weekday(nth, weekday(name)?).ok()?, after));
    }
    if let Some(day) = weekday(first) {
        let is_today = today.weekday() == day;
        let nth = if side == Side::Past { -1 } else { 1 };
        let found = if is_today {
            Ok(today)
        } else {
            today.nth_weekday(nth, day)
        };
        return Some((found.ok()?, rest));
    }
    let month = month(first)?;
    let (day, rest) = rest.split_first()?;
    let day: i8 = day.parse().ok()?;
    let year = rest.split_first().and_then(|(year, rest)| {
        let year = year.parse::<i16>().ok().filter(|_| year.len() == 4)?;
        Some((year, rest))
    });
    if let Some((year, rest)) = year {
        return Some((Date::new(year, month, day).ok()?, rest));
    }
    let this_year = Date::new(today.year(), month, day).ok()?;
    let found = match side {
        Side::Past if this_year > today => this_year.checked_sub(1.year()).ok()?,
        Side::Future if this_year < today => this_year.checked_add(1.year()).ok()?,
        _ => this_year,
    };
    Some((found, rest))
}

/// `MONTH/DAY/YEAR`
fn with_slashes(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" | "tues" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" | "thurs" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// Months by their first three letters or their whole name.
fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_it = |known: &&str| **known == *name || known[..3] == *name;
    let at = NAMES.iter().position(is_it)?;
    i8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 21 June 2021, 12:00 in a zone one hour east.
    const NOW: f64 = 1_624_273_200.0;

    fn check(text: &str, side: Side, expect: &str) {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let shown = match parse(text, NOW, &zone, side) {
            Some(seconds) => crate::clock::iso(&zone, seconds),
            None => "none".to_owned(),
        };
        assert_eq!(shown, expect, "{text}");
    }

    fn both(text: &str, expect: &str) {
        check(text, Side::Past, expect);
        check(text, Side::Future, expect);
    }

    #[test]
    fn days_have_names() {
        both("now", "2021-06-21T12:00:00");
        both("Yesterday", "2021-06-20T00:00:00");
        both("tomorrow at 6 pm", "2021-06-22T18:00:00");
        both("last Monday", "2021-06-14T00:00:00");
        both("next friday noon", "2021-06-25T12:00:00");
        both("monday", "2021-06-21T00:00:00");
        check("Tuesday 6am", Side::Past, "2021-06-15T06:00:00");
        check("Tuesday 6am", Side::Future, "2021-06-22T06:00:00");
    }

    #[test]
    fn amounts_are_counted_from_now() {
        both("1 hour ago", "2021-06-21T11:00:00");
        both("an hour ago", "2021-06-21T11:00:00");
        both("1 hour 30 minutes ago", "2021-06-21T10:30:00");
        both("90m ago", "2021-06-21T10:30:00");
        both("last week", "2021-06-14T12:00:00");
        both("2 months ago", "2021-04-21T12:00:00");
        both("+1.5h", "2021-06-21T13:30:00");
        both("in 2 days", "2021-06-23T12:00:00");
        both("10 minutes from now", "2021-06-21T12:10:00");
    }

    #[test]
    fn dates_and_times_stand_in_any_usual_form() {
        both("2021-06-21 6am", "2021-06-21T06:00:00");
        both("6:30 pm 2021-06-21", "2021-06-21T18:30:00");
        both("2021-06-21T06:15:01", "2021-06-21T06:15:01");
        both("2021-06-21T06:15", "2021-06-21T06:15:00");
        both("2021-06-21 06:15", "2021-06-21T06:15:00");
        both("2021-06-21T06:15:01Z", "2021-06-21T07:15:01");
        both("2021-06-21T06:15:01+02:00", "2021-06-21T05:15:01");
        both("2021-06-20", "2021-06-20T00:00:00");
        both("6/20/2021 12am", "2021-06-20T00:00:00");
        both("Jun 20, 2021", "2021-06-20T00:00:00");
        check("Dec 24", Side::Past, "2020-12-24T00:00:00");
        check("Dec 24", Side::Future, "2021-12-24T00:00:00");
        check("13:00", Side::Past, "2021-06-20T13:00:00");
        check("13:00", Side::Future, "2021-06-21T13:00:00");
        check("11am", Side::Future, "2021-06-22T11:00:00");
    }

    #[test]
    fn other_words_are_no_times() {
        for text in [
            "",
            "ago",
            "in",
            "soon",
            "5",
            "25:00",
            "13pm",
            "6am 7am",
            "today tomorrow",
            "last",
            "1 fortnight ago",
            "-1 days ago",
            "4294967296 years ago",
            "4294967295 years ago",
            "2021-02-30",
            "Feb 30",
            "Jun",
            "é",
            "6:00:00:00",
            "last ago",
        ] {
            both(text, "none");
        }
    }
}
