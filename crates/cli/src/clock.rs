//! The time of day, and how it is shown here.

use jiff::Timestamp;
use jiff::tz::TimeZone;

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

fn shown(zone: &TimeZone, seconds: f64, form: &str) -> String {
    let time = Timestamp::from_second(seconds as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(zone.clone()).strftime(form).to_string()
}
