//! Settings: module arguments and the table `[exec]`. Pure; an argument wins over the
//! table (flux-config-exec(5), protocol/13 section 6).

use std::time::Duration;

use proto::config::{Key, keys};
use proto::data::Fsd;
use proto::{Errno, Object, Refusal};
use serde_json::{Map, Value, json};

use crate::escalation::Pace;
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
    /// Time that a shell has to report; `None` for no limit.
    pub barrier_timeout: Option<Duration>,
    /// Time that shells have to exit after the leading one.
    pub shell_exit_timeout: Duration,
    /// Time that a shell may be without a broker; `None` for no limit.
    pub lease: Option<Duration>,
    /// Job shell to run; the one beside us when not set.
    pub job_shell: Option<String>,
    /// Subprocess service, shown in statistics only: shells are our own children.
    pub service: String,
    /// True if guests may simulate jobs.
    pub allow_guests: bool,
    /// True if stored data must survive a power failure.
    pub outlasts_power: bool,
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
            lease: Some(Duration::from_secs(3600)),
            job_shell: None,
            service: "rexec".to_owned(),
            allow_guests: false,
            outlasts_power: false,
        }
    }
}

/// Keys that are arguments of the module too.
const ARGUMENTS: [Key; 10] = [
    keys::EXEC_KILL_TIMEOUT,
    keys::EXEC_TERM_SIGNAL,
    keys::EXEC_KILL_SIGNAL,
    keys::EXEC_MAX_KILL_COUNT,
    keys::EXEC_MAX_KILL_TIMEOUT,
    keys::EXEC_BARRIER_TIMEOUT,
    keys::EXEC_SHELL_EXIT_TIMEOUT,
    keys::EXEC_LEASE,
    keys::EXEC_JOB_SHELL,
    keys::EXEC_SERVICE,
];

impl Config {
    /// Reads arguments and configuration.
    pub fn new(args: &[String], conf: &Object) -> Result<Config, Refusal> {
        let mut config = Config::default();
        config.read(conf)?;
        let mut given = Map::new();
        for arg in args {
            let (name, value) = arg.split_once('=').unwrap_or((arg, ""));
            let is_known = |key: &Key| key.path.strip_prefix("exec.") == Some(name);
            if !ARGUMENTS.iter().any(is_known) {
                return Err(unknown_option(arg));
            }
            let value = value
                .parse::<i64>()
                .map_or_else(|_| json!(value), |number| json!(number));
            given.insert(name.to_owned(), value);
        }
        config.read(&Object(Map::from_iter([(
            "exec".to_owned(),
            Value::Object(given),
        )])))?;
        Ok(config)
    }

    /// Applies the table `[exec]`.
    fn read(&mut self, conf: &Object) -> Result<(), Refusal> {
        for (key, setting) in [
            (&keys::EXEC_KILL_TIMEOUT, &mut self.kill_timeout),
            (&keys::EXEC_SHELL_EXIT_TIMEOUT, &mut self.shell_exit_timeout),
        ] {
            if let Some(fsd) = key.read(conf)? {
                *setting = finite(key, fsd)?;
            }
        }
        for (key, setting) in [
            (&keys::EXEC_TERM_SIGNAL, &mut self.term_signal),
            (&keys::EXEC_KILL_SIGNAL, &mut self.kill_signal),
        ] {
            if let Some(value) = key.read(conf)? {
                *setting = signal(key, &value)?;
            }
        }
        if let Some(count) = keys::EXEC_MAX_KILL_COUNT.read(conf)? {
            self.max_kill_count = count;
        }
        let key = &keys::EXEC_MAX_KILL_TIMEOUT;
        if let Some(fsd) = key.read(conf)? {
            self.max_kill_timeout = Some(finite(key, fsd)?);
        }
        if let Some(fsd) = keys::EXEC_BARRIER_TIMEOUT.read::<Fsd>(conf)? {
            // Infinite is without end, as is what no clock can count.
            self.barrier_timeout = Duration::try_from_secs_f64(fsd.secs()).ok();
        }
        if let Some(fsd) = keys::EXEC_LEASE.read::<Fsd>(conf)? {
            self.lease = Duration::try_from_secs_f64(fsd.secs()).ok();
        }
        if let Some(path) = keys::EXEC_JOB_SHELL.read(conf)? {
            self.job_shell = Some(path);
        }
        if let Some(service) = keys::EXEC_SERVICE.read(conf)? {
            self.service = service;
        }
        if let Some(allow) = keys::EXEC_TESTEXEC_ALLOW_GUESTS.read(conf)? {
            self.allow_guests = allow;
        }
        let durability: Option<String> = keys::KVS_DURABILITY.read(conf)?;
        if let Some(durability) = durability {
            self.outlasts_power = durability == "power";
        }
        Ok(())
    }

    /// Pace of kill escalation for a job that will not end.
    pub fn pace(&self) -> Pace {
        Pace {
            kill_timeout: self.kill_timeout,
            max_count: self.max_kill_count,
            max_timeout: self.max_kill_timeout,
        }
    }
}

fn unknown_option(arg: &str) -> Refusal {
    Refusal::new(Errno::EINVAL, format!("{arg}: unknown option"))
}

fn finite(key: &Key, fsd: Fsd) -> Result<Duration, Refusal> {
    Duration::try_from_secs_f64(fsd.secs()).map_err(|_| key.refusal(key.path))
}

fn signal(key: &Key, value: &Value) -> Result<i32, Refusal> {
    let number = match value {
        Value::String(name) => signals::number(name),
        other => other.as_i64().and_then(|n| i32::try_from(n).ok()),
    };
    number
        .filter(|number| (1..=64).contains(number))
        .ok_or_else(|| key.refusal(key.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints the changes, or the error.
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
        for (table, text) in [
            (
                r#""kill-timeout":"soon""#,
                "kill-timeout: must be a duration or a number of seconds",
            ),
            (r#""term-signal":"SIGFOO""#, "term-signal: must be a signal"),
            (
                r#""max-kill-count":0"#,
                "max-kill-count: must be an integer from 1 to 4294967295",
            ),
            (r#""service":"ssh""#, "service: must be rexec"),
        ] {
            let conf = format!(r#"{{"exec":{{{table}}}}}"#);
            check(&[], &conf, &format!("{value}{text}"));
        }
    }
}
