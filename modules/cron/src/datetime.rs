//! Times of the calendar: which they are, and which is the next one. A time is one of these
//! when each of its fields is in the set of that field. Pure.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use proto::cron::TypeData;
use proto::data::IdSet;
use serde_json::Value;

use crate::ranges::FIELDS;

/// Sets of numbers, one a field.
#[derive(Debug, Clone, PartialEq)]
pub struct DateTimes {
    /// In the order of [`FIELDS`].
    sets: [IdSet; 7],
}

const SECOND: usize = 0;
const MINUTE: usize = 1;
const HOUR: usize = 2;
const MDAY: usize = 3;
const MONTH: usize = 4;
const WEEKDAY: usize = 5;
const YEAR: usize = 6;

/// The year that is 0.
const FIRST_YEAR: i16 = 1900;

impl DateTimes {
    /// Reads the arguments of a request: numbers, and ranges as texts. A missing field matches
    /// any value.
    pub fn new(args: &serde_json::Map<String, Value>) -> Result<DateTimes, String> {
        let mut sets = FIELDS.map(|field| field.all());
        for (set, field) in sets.iter_mut().zip(&FIELDS) {
            let Some(value) = args.get(field.name) else {
                continue;
            };
            let read = match value {
                Value::Number(number) => number.as_i64().and_then(|n| field.number(n)),
                Value::String(text) => field.parse(text),
                _ => None,
            };
            *set = read.ok_or_else(|| format!("{}: {value} is out of range", field.name))?;
        }
        Ok(DateTimes { sets })
    }

    /// The first time after `after`, both in seconds since the epoch; `None` if there is none.
    pub fn next(&self, zone: &TimeZone, after: f64) -> Option<f64> {
        let start = Timestamp::from_second(after.floor() as i64 + 1).ok()?;
        let start = start.to_zoned(zone.clone()).datetime();
        let mut from = (start.date(), start.time());
        loop {
            let date = self.date_from(from.0)?;
            let time = if date == from.0 {
                from.1
            } else {
                Time::midnight()
            };
            let Some(time) = self.time_from(time) else {
                from = (date.tomorrow().ok()?, Time::midnight());
                continue;
            };
            let found = zone.to_timestamp(date.to_datetime(time)).ok()?;
            let found = found.as_second() as f64;
            if found > after {
                return Some(found);
            }
            // The clock was turned back: this hour is there twice, and has been once.
            let next = date
                .to_datetime(time)
                .checked_add(jiff::SignedDuration::from_secs(1));
            let next = next.ok()?;
            from = (next.date(), next.time());
        }
    }

    /// The first day of these from `date` on.
    fn date_from(&self, mut date: Date) -> Option<Date> {
        let has = |field: usize, number: i16| {
            u32::try_from(number).is_ok_and(|number| self.sets[field].contains(number))
        };
        let last = i16::try_from(self.sets[YEAR].last()?).ok()? + FIRST_YEAR;
        while date.year() <= last {
            if !has(YEAR, date.year() - FIRST_YEAR) {
                date = Date::new(date.year().checked_add(1)?, 1, 1).ok()?;
            } else if !has(MONTH, i16::from(date.month()) - 1) {
                date = date.last_of_month().tomorrow().ok()?;
            } else if !has(MDAY, date.day().into())
                || !has(WEEKDAY, date.weekday().to_sunday_zero_offset().into())
            {
                date = date.tomorrow().ok()?;
            } else {
                return Some(date);
            }
        }
        None
    }

    /// The first time of a day from `time` on.
    fn time_from(&self, time: Time) -> Option<Time> {
        let from = |field: usize, first: i8| {
            let first = u32::try_from(first).unwrap_or(0);
            let numbers = self.sets[field].iter();
            numbers.filter_map(move |n| (n >= first).then(|| i8::try_from(n).ok()).flatten())
        };
        for hour in from(HOUR, time.hour()) {
            let is_hour = hour == time.hour();
            for minute in from(MINUTE, if is_hour { time.minute() } else { 0 }) {
                let is_minute = is_hour && minute == time.minute();
                let second = from(SECOND, if is_minute { time.second() } else { 0 }).next();
                if let Some(second) = second {
                    return Time::new(hour, minute, second, 0).ok();
                }
            }
        }
        None
    }

    /// Data for clients.
    pub fn data(&self, next_wakeup: f64) -> TypeData {
        let text = |field: usize| self.sets[field].to_string();
        TypeData::Datetime {
            next_wakeup,
            second: text(SECOND),
            minute: text(MINUTE),
            hour: text(HOUR),
            mday: text(MDAY),
            month: text(MONTH),
            weekday: text(WEEKDAY),
            year: text(YEAR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(args: &str) -> Result<DateTimes, String> {
        DateTimes::new(&serde_json::from_str(args).unwrap())
    }

    /// The next time after a moment, in a zone.
    fn check(zone: &str, args: &str, after: &str, expect: Option<&str>) {
        let zone = TimeZone::posix(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let next = times(args).unwrap().next(&zone, after.as_second() as f64);
        let next = next.map(|next| Timestamp::from_second(next as i64).unwrap().to_string());
        assert_eq!(next.as_deref(), expect, "{args}");
    }

    const NOW: &str = "2026-11-28T14:09:10Z";

    #[test]
    fn the_next_time_is_the_first_that_is_in_all_sets() {
        let utc = |args, expect| check("UTC0", args, NOW, Some(expect));
        utc("{}", "2026-11-28T14:09:11Z");
        utc(r#"{"second":0}"#, "2026-11-28T14:10:00Z");
        utc(r#"{"second":10}"#, "2026-11-28T14:10:10Z");
        utc(r#"{"second":0,"minute":"*/5"}"#, "2026-11-28T14:10:00Z");
        utc(
            r#"{"second":0,"minute":0,"hour":"3"}"#,
            "2026-11-29T03:00:00Z",
        );
        utc(
            r#"{"second":0,"minute":0,"hour":0,"mday":1}"#,
            "2026-12-01T00:00:00Z",
        );
        utc(
            r#"{"second":0,"minute":0,"hour":0,"mday":29,"month":1}"#,
            "2028-02-29T00:00:00Z",
        );
        utc(
            r#"{"second":0,"minute":0,"hour":0,"weekday":"mon"}"#,
            "2026-11-30T00:00:00Z",
        );
        utc(
            r#"{"second":5,"minute":0,"hour":0,"mday":1,"month":0,"year":130}"#,
            "2030-01-01T00:00:05Z",
        );
    }

    #[test]
    fn there_may_be_none() {
        let none = |args| check("UTC0", args, NOW, None);
        none(r#"{"year":126,"month":10,"mday":28,"hour":14,"minute":9,"second":10}"#);
        none(r#"{"year":100}"#);
        none(r#"{"month":1,"mday":30}"#);
    }

    #[test]
    fn times_are_meant_in_a_zone() {
        let nine = r#"{"second":0,"minute":0,"hour":9}"#;
        check("EST5", nine, NOW, Some("2026-11-29T14:00:00Z"));
        // The clock goes from 2 to 3, and later from 2 back to 1.
        let zone = "EST5EDT,M3.2.0,M11.1.0";
        let at_2_30 = r#"{"second":0,"minute":30,"hour":2}"#;
        check(
            zone,
            at_2_30,
            "2026-03-08T05:00:00Z",
            Some("2026-03-08T07:30:00Z"),
        );
        let at_1_30 = r#"{"second":0,"minute":30,"hour":1}"#;
        check(
            zone,
            at_1_30,
            "2026-11-01T05:00:00Z",
            Some("2026-11-01T05:30:00Z"),
        );
        check(
            zone,
            at_1_30,
            "2026-11-01T05:30:00Z",
            Some("2026-11-02T06:30:00Z"),
        );
    }

    #[test]
    fn fields_out_of_range_are_named() {
        assert_eq!(
            times(r#"{"mday":0}"#),
            Err("mday: 0 is out of range".to_owned())
        );
        assert_eq!(
            times(r#"{"hour":"x"}"#),
            Err("hour: \"x\" is out of range".to_owned())
        );
        assert_eq!(
            times(r#"{"year":[]}"#),
            Err("year: [] is out of range".to_owned())
        );
    }

    #[test]
    fn clients_see_ranges() {
        let shown = serde_json::to_string(&times(r#"{"minute":"1,2,3"}"#).unwrap().data(1.5));
        let expect = r#"{"next_wakeup":1.5,"second":"0-59","minute":"1-3","hour":"0-23","mday":"1-31","month":"0-11","weekday":"0-6","year":"0-1100"}"#;
        assert_eq!(shown.unwrap(), expect);
    }
}
