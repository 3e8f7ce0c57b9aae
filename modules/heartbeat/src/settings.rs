//! What the operator can set: the argument `period=FSD` and the table `[heartbeat]`.
//! Pure; the argument wins over the table.

use std::time::Duration;

use proto::Object;
use proto::data::Fsd;
use proto::heartbeat::ConfigError;
use serde_json::Value;

/// The settings in force, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Between two pulses.
    pub period: Duration,
    /// Without a pulse before a rank leaves its parent; `None` for never.
    pub timeout: Option<Duration>,
    /// Periods without a pulse before a rank warns.
    pub warn_thresh: i64,
}

impl Settings {
    /// Reads arguments and configuration.
    pub fn new(args: &[String], conf: &Object) -> Result<Settings, ConfigError> {
        let mut period: Fsd = fsd("2s").ok_or(ConfigError::Period)?;
        let mut timeout: Fsd = fsd("5m").ok_or(ConfigError::Timeout)?;
        let mut warn_thresh = 3;
        for (key, value) in table(conf)? {
            match key.as_str() {
                "period" => period = fsd_value(value).ok_or(ConfigError::Period)?,
                "timeout" => timeout = fsd_value(value).ok_or(ConfigError::Timeout)?,
                "warn_thresh" => warn_thresh = value.as_i64().ok_or(ConfigError::WarnThresh)?,
                other => {
                    let text = format!("{other}: unknown key");
                    return Err(ConfigError::Malformed(text));
                }
            }
        }
        for arg in args {
            match arg.split_once('=') {
                Some(("period", value)) => period = fsd(value).ok_or(ConfigError::Period)?,
                _ => return Err(ConfigError::UnknownOption(arg.clone())),
            }
        }
        check(period, timeout, warn_thresh)
    }
}

fn table(conf: &Object) -> Result<impl Iterator<Item = (&String, &Value)>, ConfigError> {
    match conf.0.get("heartbeat") {
        None => Ok(None.into_iter().flatten()),
        Some(Value::Object(table)) => Ok(Some(table).into_iter().flatten()),
        Some(_) => Err(ConfigError::Malformed("not a table".to_owned())),
    }
}

fn check(period: Fsd, timeout: Fsd, warn_thresh: i64) -> Result<Settings, ConfigError> {
    if period <= Fsd::ZERO || period.is_infinite() {
        return Err(ConfigError::Period);
    }
    let is_off = timeout == Fsd::ZERO || timeout.is_infinite();
    if !is_off && timeout.secs() < 2.0 * period.secs() {
        return Err(ConfigError::Timeout);
    }
    if warn_thresh <= 0 {
        return Err(ConfigError::WarnThresh);
    }
    let duration = |fsd: Fsd| Duration::try_from_secs_f64(fsd.secs());
    Ok(Settings {
        period: duration(period).map_err(|_| ConfigError::Period)?,
        timeout: match is_off {
            true => None,
            false => Some(duration(timeout).map_err(|_| ConfigError::Timeout)?),
        },
        warn_thresh,
    })
}

fn fsd(text: &str) -> Option<Fsd> {
    text.parse().ok()
}

fn fsd_value(value: &Value) -> Option<Fsd> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints them or why not.
    fn check(args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let outcome = match Settings::new(&args, &conf) {
            Ok(s) => format!("{:?} {:?} {}", s.period, s.timeout, s.warn_thresh),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        check(&[], "{}", "2s Some(300s) 3");
    }

    #[test]
    fn the_table_is_read_and_the_argument_wins() {
        let conf = r#"{"heartbeat":{"period":"5s","timeout":"1m","warn_thresh":10}}"#;
        check(&[], conf, "5s Some(60s) 10");
        check(&["period=0.5s"], conf, "500ms Some(60s) 10");
    }

    #[test]
    fn zero_and_infinity_switch_the_timeout_off() {
        check(&[], r#"{"heartbeat":{"timeout":0}}"#, "2s None 3");
        check(&[], r#"{"heartbeat":{"timeout":"infinity"}}"#, "2s None 3");
    }

    #[test]
    fn bad_settings_say_what_is_wrong() {
        let period = "heartbeat.period must be a positive FSD value";
        check(&[], r#"{"heartbeat":{"period":"0s"}}"#, period);
        check(&[], r#"{"heartbeat":{"period":"soon"}}"#, period);
        check(&["period=-1"], "{}", period);
        let timeout = "heartbeat.timeout must be >= 2*heartbeat.period, infinity, or 0";
        check(&[], r#"{"heartbeat":{"timeout":"3s"}}"#, timeout);
        let thresh = "heartbeat.warn_thresh must be positive";
        check(&[], r#"{"heartbeat":{"warn_thresh":0}}"#, thresh);
        check(&["fast"], "{}", "fast: unknown option");
        let table = "error reading [heartbeat] config table: ";
        check(&[], r#"{"heartbeat":7}"#, &format!("{table}not a table"));
        let unknown = format!("{table}perid: unknown key");
        check(&[], r#"{"heartbeat":{"perid":1}}"#, &unknown);
    }
}
