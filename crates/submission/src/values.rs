//! Values of submission options: from text to the jobspec. Pure.

use jiff::tz::TimeZone;
use proto::data::Fsd;
use proto::data::limits::JOBSPEC_DURATION_S_MAX;
use proto::data::size::parse_size;
use serde_json::{Map, Value, json};

use command::error::CliError;
use command::when::{self, Side};

/// Signal before the end of the time limit, if only that there should be one is said.
const SIGNAL_DEFAULT: i32 = nix::libc::SIGUSR1;
/// Default time before the end, in seconds.
const SIGNAL_TIMELEFT_DEFAULT: f64 = 60.0;

/// A number that an option has, if it has one.
pub fn whole(option: &str, text: Option<&str>) -> Result<Option<u32>, CliError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let bad = |_| CliError::new(format!("{option}: invalid int value '{text}'"));
    text.trim().parse().map(Some).map_err(bad)
}

/// A time limit in seconds; a bare number is minutes.
pub fn time_limit(text: &str) -> Result<f64, String> {
    if let Ok(minutes) = text.parse::<f64>()
        && minutes >= 0.0
        && minutes.is_finite()
    {
        return bounded(minutes * 60.0);
    }
    bounded(duration(text)?)
}

/// Checks the range of a jobspec's number.
fn bounded(seconds: f64) -> Result<f64, String> {
    match seconds <= JOBSPEC_DURATION_S_MAX {
        true => Ok(seconds),
        false => Err(format!("more than {JOBSPEC_DURATION_S_MAX} seconds")),
    }
}

/// A duration in seconds; 0 stands for without end.
fn duration(text: &str) -> Result<f64, String> {
    let duration: Fsd = text.parse().map_err(|_| bad_duration())?;
    Ok(if duration.is_infinite() {
        0.0
    } else {
        duration.secs()
    })
}

fn bad_duration() -> String {
    "invalid Flux standard duration".to_owned()
}

/// A number as jobspecs have it: whole where it is whole.
pub fn seconds(seconds: f64) -> Value {
    match seconds == 0.0 {
        true => json!(0),
        false => json!(seconds),
    }
}

/// JSON if it is, else the text.
pub fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// `KEY[=VALUE]`; without a value it is 1.
pub fn assignment(text: &str) -> (&str, Value) {
    match text.split_once('=') {
        Some((key, value)) => (key, json_or_text(value)),
        None => (text, json!(1)),
    }
}

/// A dependency: a URI of its scheme and value.
pub fn dependency(text: &str) -> Result<Value, CliError> {
    uri("dependency", text)
}

/// Distribution of tasks, for the job shell: a URI of the scheme and its value.
pub fn taskmap(text: &str) -> Result<Value, CliError> {
    uri("taskmap", text)
}

/// `SCHEME[:VALUE[?KEY=VALUE[&KEY=VALUE...]]]`: the part of a URI behind `#` is dropped,
/// numbers are numbers, and a key that is given twice has both values.
fn uri(what: &str, text: &str) -> Result<Value, CliError> {
    let text = match text.contains(':') {
        true => text.to_owned(),
        false => format!("{text}:"),
    };
    let uri = text.split('#').next().unwrap_or_default();
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    if scheme.is_empty() || scheme.contains(|c: char| "?/#&=".contains(c) || c.is_whitespace()) {
        return Err(CliError::new(format!("Invalid {what} URI \"{text}\"")));
    }
    let (value, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut object = Map::new();
    object.insert("scheme".to_owned(), scheme.into());
    object.insert("value".to_owned(), value.into());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = number_or_text(value);
        match object.get_mut(key) {
            None => drop(object.insert(key.to_owned(), value)),
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Ok(Value::Object(object))
}

fn number_or_text(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    let real = text.parse::<f64>().ok().filter(|real| real.is_finite());
    real.map_or_else(|| text.into(), Value::from)
}

/// `+DURATION` or a date and time, as seconds since the epoch.
pub fn begin_time(text: &str, now: f64, zone: &TimeZone) -> Result<f64, CliError> {
    let refuse = || CliError::new(format!("Invalid begin-time \"{text}\""));
    when::parse(text, now, zone, Side::Future).ok_or_else(refuse)
}

/// A number of bytes, as [`parse_size`] reads it.
pub fn bytes(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "invalid number of bytes".to_owned())
}

/// `[SIGNAL][@TIME]` for the job shell. Names of signals are in capitals.
pub fn signal(text: &str) -> Result<Value, CliError> {
    let refuse = |what: &str| CliError::new(format!("--signal={text}: {what}"));
    let (signal, time) = text.split_once('@').unwrap_or((text, ""));
    let signum = match signal {
        "" => SIGNAL_DEFAULT,
        "0" => return Err(refuse("signal must be > 0")),
        name => {
            let unknown = || refuse(&format!("signal '{name}' is invalid"));
            let is_upper = !name.contains(|c: char| c.is_ascii_lowercase());
            signal_number(name)
                .filter(|_| is_upper)
                .ok_or_else(unknown)?
        }
    };
    let timeleft = match time {
        "" => SIGNAL_TIMELEFT_DEFAULT,
        time => time
            .parse::<Fsd>()
            .map_err(|_| refuse(&bad_duration()))?
            .secs(),
    };
    Ok(json!({ "signum": signum, "timeleft": timeleft }))
}

/// A signal by number or by name, with or without `SIG`. Signals are 1 to 64.
pub fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().ok()?;
    Some(signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_time_limit_is_minutes() {
        for (text, expect) in [
            ("2", Ok(120.0)),
            ("0.5", Ok(30.0)),
            ("30s", Ok(30.0)),
            ("1h", Ok(3600.0)),
            ("inf", Ok(0.0)),
            ("1e308", Err("more than 1000000000000 seconds".to_owned())),
            ("1e300d", Err("more than 1000000000000 seconds".to_owned())),
            ("x", Err(bad_duration())),
            ("-1", Err(bad_duration())),
        ] {
            assert_eq!(time_limit(text), expect, "{text}");
        }
    }

    #[test]
    fn dependencies_are_uris() {
        let shown = |text| match dependency(text) {
            Ok(value) => value.to_string(),
            Err(error) => error.text().to_owned(),
        };
        assert_eq!(
            shown("afterok:ƒ1?a=b&c=d"),
            r#"{"scheme":"afterok","value":"ƒ1","a":"b","c":"d"}"#
        );
        assert_eq!(
            shown("x:a;b?n=1&f=1.5&s=&n=x&n=2#rest"),
            r#"{"scheme":"x","value":"a;b","n":[1,"x",2],"f":1.5,"s":""}"#
        );
        assert_eq!(shown("#x"), "Invalid dependency URI \"#x:\"");
        assert_eq!(shown(""), "Invalid dependency URI \":\"");
        assert_eq!(shown("singleton"), r#"{"scheme":"singleton","value":""}"#);
        assert_eq!(shown(":x"), "Invalid dependency URI \":x\"");
    }

    #[test]
    fn taskmaps_are_uris() {
        for (text, expect) in [
            ("cyclic:2", r#"{"scheme":"cyclic","value":"2"}"#),
            ("cyclic", r#"{"scheme":"cyclic","value":""}"#),
            ("x:y?k=1", r#"{"scheme":"x","value":"y","k":1}"#),
            (
                "manual:[[0,2,1,1]]",
                r#"{"scheme":"manual","value":"[[0,2,1,1]]"}"#,
            ),
            ("foo?bar=1", "Invalid taskmap URI \"foo?bar=1:\""),
        ] {
            let outcome = match taskmap(text) {
                Ok(value) => value.to_string(),
                Err(error) => error.text().to_owned(),
            };
            assert_eq!(outcome, expect, "{text}");
        }
    }

    #[test]
    fn begin_times_are_relative_or_in_the_local_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expect) in [
            ("+1h", Ok(4600.0)),
            ("now", Ok(1000.0)),
            ("1970-01-02T00:00:00Z", Ok(86400.0)),
            ("1970-01-02 01:00", Ok(86400.0)),
            ("1970-01-02", Ok(82800.0)),
            ("01:20", Ok(1200.0)),
            ("01:00", Ok(86400.0)),
            ("soon", Err("Invalid begin-time \"soon\"".to_owned())),
            ("+x", Err("Invalid begin-time \"+x\"".to_owned())),
        ] {
            let outcome = begin_time(text, 1000.0, &zone);
            let outcome = outcome.map_err(|error| error.text().to_owned());
            assert_eq!(outcome, expect, "{text}");
        }
    }

    #[test]
    fn signals_have_numbers_names_and_times() {
        for (text, expect) in [
            ("", r#"{"signum":10,"timeleft":60.0}"#),
            ("@3m", r#"{"signum":10,"timeleft":180.0}"#),
            ("USR2@10", r#"{"signum":12,"timeleft":10.0}"#),
            ("SIGINT", r#"{"signum":2,"timeleft":60.0}"#),
            ("9", r#"{"signum":9,"timeleft":60.0}"#),
            ("FOO", "--signal=FOO: signal 'FOO' is invalid"),
            ("foo", "--signal=foo: signal 'foo' is invalid"),
            ("usr1", "--signal=usr1: signal 'usr1' is invalid"),
            ("0", "--signal=0: signal must be > 0"),
            ("1@x", "--signal=1@x: invalid Flux standard duration"),
            ("@x", "--signal=@x: invalid Flux standard duration"),
        ] {
            let outcome = match signal(text) {
                Ok(value) => value.to_string(),
                Err(error) => error.text().to_owned(),
            };
            assert_eq!(outcome, expect);
        }
    }

    #[test]
    fn values_are_json_where_they_can_be() {
        assert_eq!(assignment("a"), ("a", json!(1)));
        assert_eq!(assignment("a=[1]"), ("a", json!([1])));
        assert_eq!(assignment("a=b=c"), ("a", json!("b=c")));
    }
}
