//! The time of day, and how it is shown here.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proto::data::eventlog::{EntryFormatter, TimeForm};

use crate::env::Env;

/// The zone that TZ names, else the machine's.
pub fn zone(env: &Env) -> TimeZone {
    match env.get("TZ") {
        Some(name) => TimeZone::posix(name)
            .or_else(|_| TimeZone::get(name))
            .unwrap_or(TimeZone::UTC),
        None => TimeZone::system(),
    }
}

/// Seconds east of UTC at `seconds` after the epoch.
pub fn utc_offset(zone: &TimeZone, seconds: f64) -> i32 {
    let time = Timestamp::from_second(seconds as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    zone.to_offset(time).seconds()
}

/// Seconds since the epoch.
pub fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

/// Microseconds since the epoch.
pub fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}

/// A time as `2026-11-22T07:17:12` in a zone.
pub fn iso(zone: &TimeZone, seconds: f64) -> String {
    shown(zone, seconds, "%Y-%m-%dT%H:%M:%S")
}

/// A time as `2026-11-22 07:17` in a zone.
pub fn minute(zone: &TimeZone, seconds: f64) -> String {
    shown(zone, seconds, "%Y-%m-%d %H:%M")
}

/// A time as `2026-11-22T07:17:12.345` in a zone.
pub fn iso_ms(zone: &TimeZone, seconds: f64) -> String {
    shown(zone, seconds, "%Y-%m-%dT%H:%M:%S.%3f")
}

/// A time as `Sun Nov 22 07:17:12 2026` in a zone.
pub fn plain(zone: &TimeZone, seconds: f64) -> String {
    shown(zone, seconds, "%a %b %e %H:%M:%S %Y")
}

/// The times of lines that follow each other, for people: a date, and seconds since then.
pub struct HumanTimes {
    formatter: EntryFormatter,
    /// Time of the previous line.
    before: Option<f64>,
    is_delta: bool,
}

impl HumanTimes {
    /// For lines from now on. With `is_delta`, seconds are those since the line before.
    pub fn new(zone: &TimeZone, is_delta: bool) -> HumanTimes {
        HumanTimes {
            formatter: EntryFormatter::new(TimeForm::Human, utc_offset(zone, now())),
            before: None,
            is_delta,
        }
    }

    /// The time of the next line, in seconds since the epoch.
    pub fn time(&mut self, seconds: f64) -> String {
        let dated = self.formatter.time(seconds);
        // A line with the date stands for itself; between dates the formatter counts from
        // the last one.
        match self.before.replace(seconds) {
            Some(before) if self.is_delta && dated.starts_with("[ ") => {
                format!("[{:>+11.6}]", seconds - before)
            }
            _ => dated,
        }
    }
}

fn shown(zone: &TimeZone, seconds: f64, form: &str) -> String {
    let time = Timestamp::from_microsecond((seconds * 1e6) as i64);
    let time = time.unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone.clone()).strftime(form).to_string()
}
