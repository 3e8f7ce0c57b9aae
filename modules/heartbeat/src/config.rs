//! Settings: the argument `period=FSD` and the table `[heartbeat]`. Pure; the argument
//! wins over the table.

use std::time::Duration;

use proto::config::{Key, keys};
use proto::data::Fsd;
use proto::{Errno, Object, Refusal};

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
    pub fn new(args: &[String], conf: &Object) -> Result<Settings, Refusal> {
        let mut period = keys::HEARTBEAT_PERIOD.read(conf)?.unwrap_or(DEFAULT_PERIOD);
        let timeout = keys::HEARTBEAT_TIMEOUT
            .read(conf)?
            .unwrap_or(DEFAULT_TIMEOUT);
        let warn_thresh = keys::HEARTBEAT_WARN_THRESH
            .read(conf)?
            .unwrap_or(DEFAULT_WARN_THRESH);
        for arg in args {
            match arg.split_once('=') {
                Some(("period", value)) => {
                    period = value
                        .parse()
                        .map_err(|_| refused(&keys::HEARTBEAT_PERIOD))?;
                }
                _ => {
                    let text = format!("{arg}: unknown option");
                    return Err(Refusal::new(Errno::EINVAL, text));
                }
            }
        }
        check(period, timeout, warn_thresh)
    }
}

const DEFAULT_PERIOD: Fsd = Fsd::from_whole_secs(2);
const DEFAULT_TIMEOUT: Fsd = Fsd::from_whole_secs(300);
const DEFAULT_WARN_THRESH: i64 = 3;

fn check(period: Fsd, timeout: Fsd, warn_thresh: i64) -> Result<Settings, Refusal> {
    if period <= Fsd::ZERO || period.is_infinite() {
        return Err(refused(&keys::HEARTBEAT_PERIOD));
    }
    let is_off = timeout == Fsd::ZERO || timeout.is_infinite();
    if !is_off && timeout.secs() < 2.0 * period.secs() {
        return Err(refused(&keys::HEARTBEAT_TIMEOUT));
    }
    if warn_thresh <= 0 {
        return Err(refused(&keys::HEARTBEAT_WARN_THRESH));
    }
    let duration =
        |key, fsd: Fsd| Duration::try_from_secs_f64(fsd.secs()).map_err(|_| refused(key));
    Ok(Settings {
        period: duration(&keys::HEARTBEAT_PERIOD, period)?,
        timeout: match is_off {
            true => None,
            false => Some(duration(&keys::HEARTBEAT_TIMEOUT, timeout)?),
        },
        warn_thresh,
    })
}

fn refused(key: &Key) -> Refusal {
    key.refusal(key.path)
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
    }
}
