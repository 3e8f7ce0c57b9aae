//! What the operator can set: module arguments and the table `[exec]`. Pure; an argument
//! wins over the table (flux-config-exec(5), protocol/13 section 6).

use std::time::Duration;

use proto::data::Fsd;
use proto::{Errno, Object, Refusal};
use serde_json::{Value, json};

use crate::ladder::Pace;
use crate::signals;

/// The settings in force, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Between two steps to end a job.
    pub kill_timeout: Duration,
    /// First signal.
    pub term_signal: i32,
    /// Second signal.
    pub kill_signal: i32,
    /// Attempts on a shell before it is given up.
    pub max_kill_count: u32,
    /// Time after which a shell is given up; `None` goes by the count.
    pub max_kill_timeout: Option<Duration>,
    /// How long a shell may take to report; `None` for ever.
    pub barrier_timeout: Option<Duration>,
    /// How long shells may outlive the leading one.
    pub shell_exit_timeout: Duration,
    /// Job shell to run; the one beside us when not set.
    pub job_shell: Option<String>,
    /// Subprocess service, told in statistics only: shells are our own children.
    pub service: String,
    /// Whether guests may simulate jobs.
    pub allow_guests: bool,
    /// Accepted for compatibility; one rank needs no delay.
    pub max_start_delay_percent: i64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            kill_timeout: Duration::from_secs(5),
            term_signal: signals::SIGTERM,
            kill_signal: signals::SIGKILL,
            max_kill_count: 8,
            max_kill_timeout: None,
            barrier_timeout: Some(Duration::from_secs(1800)),
            shell_exit_timeout: Duration::from_secs(30),
            job_shell: None,
            service: "rexec".to_owned(),
            allow_guests: false,
            max_start_delay_percent: 25,
        }
    }
}

impl Config {
    /// Reads arguments and configuration.
    pub fn new(args: &[String], conf: &Object) -> Result<Config, Refusal> {
        let mut config = Config::default();
        match conf.0.get("exec") {
            None => {}
            Some(Value::Object(table)) => {
                for (key, value) in table {
                    config.set(key, value)?;
                }
            }
            Some(_) => return Err(bad("exec", "not a table")),
        }
        for arg in args {
            let Some((key, value)) = arg.split_once('=') else {
                return Err(unknown_option(arg));
            };
            if !matches!(
                key,
                "kill-timeout"
                    | "term-signal"
                    | "kill-signal"
                    | "max-kill-count"
                    | "max-kill-timeout"
                    | "barrier-timeout"
                    | "job-shell"
                    | "service"
                    | "sdexec-stop-timer-sec"
                    | "method"
                    | "imp"
            ) {
                return Err(unknown_option(arg));
            }
            let value = value
                .parse::<i64>()
                .map_or_else(|_| json!(value), |number| json!(number));
            config.set(key, &value)?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), Refusal> {
        match key {
            "kill-timeout" => self.kill_timeout = finite(key, value)?,
            "term-signal" => self.term_signal = signal(key, value)?,
            "kill-signal" => self.kill_signal = signal(key, value)?,
            "max-kill-count" => self.max_kill_count = count(key, value)?,
            "max-kill-timeout" => self.max_kill_timeout = Some(finite(key, value)?),
            "barrier-timeout" => self.barrier_timeout = duration(key, value)?,
            "shell-exit-timeout" => self.shell_exit_timeout = finite(key, value)?,
            "job-shell" => self.job_shell = Some(text(key, value)?.to_owned()),
            "service" => self.service = service(value)?,
            "testexec" => self.allow_guests = allow_guests(value)?,
            "max-start-delay-percent" => {
                self.max_start_delay_percent =
                    value.as_i64().ok_or_else(|| bad(key, "not an integer"))?;
            }
            // Settings of parts that a single-user instance on one host does without.
            "imp"
            | "method"
            | "sdexec-properties"
            | "sdexec-stop-timer-sec"
            | "sdexec-stop-timer-signal"
            | "sdexec-constrain-resources" => {}
            other => return Err(bad(other, "unknown key")),
        }
        Ok(())
    }

    /// How hard a job that will not end is pressed.
    pub fn pace(&self) -> Pace {
        Pace {
            kill_timeout: self.kill_timeout,
            max_count: self.max_kill_count,
            max_timeout: self.max_kill_timeout,
        }
    }
}

fn bad(key: &str, why: &str) -> Refusal {
    Refusal::new(
        Errno::EINVAL,
        format!("error reading config value exec.{key}: {why}"),
    )
}

fn unknown_option(arg: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, format!("{arg}: unknown option"))
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str, Refusal> {
    value.as_str().ok_or_else(|| bad(key, "not a string"))
}

/// A duration; `None` is infinite.
fn duration(key: &str, value: &Value) -> Result<Option<Duration>, Refusal> {
    let fsd: Fsd = serde_json::from_value(value.clone()).map_err(|_| bad(key, "invalid FSD"))?;
    match fsd.is_infinite() {
        true => Ok(None),
        false => Duration::try_from_secs_f64(fsd.secs())
            .map(Some)
            .map_err(|_| bad(key, "invalid FSD")),
    }
}

fn finite(key: &str, value: &Value) -> Result<Duration, Refusal> {
    duration(key, value)?.ok_or_else(|| bad(key, "must be finite"))
}

fn signal(key: &str, value: &Value) -> Result<i32, Refusal> {
    let number = match value {
        Value::String(name) => signals::number(name),
        other => other.as_i64().and_then(|n| i32::try_from(n).ok()),
    };
    number
        .filter(|number| (1..=64).contains(number))
        .ok_or_else(|| bad(key, "invalid signal"))
}

fn count(key: &str, value: &Value) -> Result<u32, Refusal> {
    let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
    count
        .filter(|n| *n > 0)
        .ok_or_else(|| bad(key, "must be a positive integer"))
}

fn service(value: &Value) -> Result<String, Refusal> {
    match text("service", value)? {
        known @ ("rexec" | "sdexec") => Ok(known.to_owned()),
        _ => Err(bad("service", "must be rexec or sdexec")),
    }
}

fn allow_guests(value: &Value) -> Result<bool, Refusal> {
    let flag = value.get("allow-guests").unwrap_or(&Value::Bool(false));
    flag.as_bool()
        .ok_or_else(|| bad("testexec.allow-guests", "not a boolean"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints what changed, or why not.
    fn check(args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let outcome = match Config::new(&args, &conf) {
            Ok(c) => format!(
                "{:?} {} {} {} {:?} {:?}",
                c.kill_timeout,
                c.term_signal,
                c.kill_signal,
                c.max_kill_count,
                c.barrier_timeout,
                c.job_shell
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        check(&[], "{}", "5s 15 9 8 Some(1800s) None");
    }

    #[test]
    fn the_table_is_read_and_an_argument_wins() {
        let conf = r#"{"exec":{"kill-timeout":"1m","term-signal":"SIGUSR1","kill-signal":"INT",
            "max-kill-count":3,"barrier-timeout":"inf","job-shell":"/bin/sh"}}"#;
        check(&[], conf, r#"60s 10 2 3 None Some("/bin/sh")"#);
        check(
            &["kill-timeout=0.5"],
            conf,
            r#"500ms 10 2 3 None Some("/bin/sh")"#,
        );
    }

    #[test]
    fn bad_settings_say_what_is_wrong() {
        let value = "error reading config value exec.";
        check(&["quickly"], "{}", "quickly: unknown option");
        check(&["pace=1"], "{}", "pace=1: unknown option");
        check(
            &[],
            r#"{"exec":{"kill-timeout":"soon"}}"#,
            &format!("{value}kill-timeout: invalid FSD"),
        );
        check(
            &[],
            r#"{"exec":{"term-signal":"SIGFOO"}}"#,
            &format!("{value}term-signal: invalid signal"),
        );
        check(
            &[],
            r#"{"exec":{"max-kill-count":0}}"#,
            &format!("{value}max-kill-count: must be a positive integer"),
        );
        check(
            &[],
            r#"{"exec":{"service":"ssh"}}"#,
            &format!("{value}service: must be rexec or sdexec"),
        );
        check(
            &[],
            r#"{"exec":{"speed":1}}"#,
            &format!("{value}speed: unknown key"),
        );
        check(
            &[],
            r#"{"exec":7}"#,
            "error reading config value exec.exec: not a table",
        );
    }
}
