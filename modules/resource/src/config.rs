//! Settings: arguments of the module and `[resource]` (protocol/13 section 3). Pure.

use std::time::Duration;

use proto::config::keys;
use proto::data::{Fsd, Rset};
use proto::{Errno, Object, Refusal};

use crate::fake;
use crate::limits::{DISCOVERY_TIMEOUT, JOURNAL_UNCUT_EVENTS_MAX};
use crate::verify::{Mode, Verify};

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// File from which R is read.
    pub path: Option<String>,
    /// File from which the scheduler's part of R is read.
    pub scheduling: Option<String>,
    /// R as `[[resource.config]]` has it, ranks in order of appearance.
    pub config: Option<Rset>,
    /// Targets that are never used, as written.
    pub exclude: String,
    /// Take all of the machine, not only the resources to which this process is bound.
    pub norestrict: bool,
    /// Comparison of R with the resources found.
    pub verify: Verify,
    /// Time to wait for the reports of all ranks; `None` for no limit.
    pub discovery_timeout: Option<Duration>,
    /// Events of the journal that are kept.
    pub journal_max: Option<usize>,
    /// Take every rank of R for online; an argument for tests with invented ranks.
    pub force_up: bool,
}

impl Settings {
    /// Reads arguments and configuration. `hostname` stands for the hosts of an entry
    /// without hosts.
    pub fn new(args: &[String], conf: &Object, hostname: &str) -> Result<Settings, Refusal> {
        let config = match keys::RESOURCE_CONFIG.value(conf) {
            None => None,
            Some(value) => Some(Rset::of_config(value, hostname).map_err(bad)?),
        };
        let invented = fake::invented(conf)?;
        let mut settings = Settings {
            path: keys::RESOURCE_PATH.read(conf)?,
            scheduling: keys::RESOURCE_SCHEDULING.read(conf)?,
            config,
            exclude: keys::RESOURCE_EXCLUDE.read(conf)?.unwrap_or_default(),
            norestrict: keys::RESOURCE_NORESTRICT.read(conf)?.unwrap_or_default(),
            verify: verify(conf)?,
            discovery_timeout: discovery_timeout(conf)?,
            journal_max: keys::RESOURCE_JOURNAL_MAX.read(conf)?,
            force_up: false,
        };
        for arg in args {
            match arg.as_str() {
                "noverify" => settings.verify = Verify::all(Mode::Ignore),
                "norestrict" => settings.norestrict = true,
                "monitor-force-up" => settings.force_up = true,
                "notruncate" => settings.journal_max = Some(JOURNAL_UNCUT_EVENTS_MAX),
                _ => {
                    let text = format!("unknown option: {arg}");
                    return Err(Refusal::new(Errno::EINVAL, text));
                }
            }
        }
        if invented.is_some() {
            // No broker can say that they are there, or what they have.
            settings.config = invented;
            settings.force_up = true;
            settings.verify = Verify::all(Mode::Ignore);
        }
        Ok(settings)
    }
}

fn bad(text: String) -> Refusal {
    let text = format!("error parsing [resource] configuration: {text}");
    Refusal::new(Errno::EINVAL, text)
}

fn verify(conf: &Object) -> Result<Verify, Refusal> {
    if keys::RESOURCE_NOVERIFY.read(conf)? == Some(true) {
        return Ok(Verify::all(Mode::Ignore));
    }
    match keys::RESOURCE_VERIFY.value(conf) {
        Some(value) => Verify::of(value).map_err(bad),
        None => Ok(Verify::default()),
    }
}

fn discovery_timeout(conf: &Object) -> Result<Option<Duration>, Refusal> {
    let timeout: Option<Fsd> = keys::RESOURCE_DISCOVERY_TIMEOUT.read(conf)?;
    let Some(timeout) = timeout else {
        return Ok(Some(DISCOVERY_TIMEOUT));
    };
    let timeout = Duration::try_from_secs_f64(timeout.secs()).ok();
    Ok(timeout.filter(|timeout| !timeout.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these settings; prints R and the enabled settings, or the error.
    fn check(args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let outcome = match Settings::new(&args, &conf, "fox0") {
            Err(error) => error.to_string(),
            Ok(s) => {
                let set = s.config.unwrap_or_default();
                let noverify = s.verify == Verify::all(Mode::Ignore);
                let (hosts, on) = (set.nodelist(), (s.norestrict, noverify, s.force_up));
                format!("{set} {hosts} {:?} {:?} {on:?}", s.path, s.exclude)
            }
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn nothing_set_means_to_look_around() {
        check(&[], "{}", r#"  None "" (false, false, false)"#);
    }

    #[test]
    fn entries_add_up_by_host() {
        let conf = r#"{"resource":{"noverify":true,"exclude":"a1","config":[
            {"hosts":"a[0-1]","cores":"0-3"},{"hosts":"b","cores":"0-1","properties":["big"]},
            {"hosts":"a1","gpus":"0"}]}}"#;
        let set = "rank0/core[0-3] rank1/core[0-3],gpu0 rank2/core[0-1]";
        check(
            &["monitor-force-up"],
            conf,
            &format!(r#"{set} a[0-1],b None "a1" (false, true, true)"#),
        );
    }

    #[test]
    fn one_entry_without_hosts_is_this_machine() {
        let conf = r#"{"resource":{"config":{"cores":"0-63"}}}"#;
        let expect = r#"rank0/core[0-63] fox0 None "" (false, false, false)"#;
        check(&[], conf, expect);
    }

    #[test]
    fn ranks_are_waited_for_as_long_as_is_said() {
        for (conf, expect) in [
            ("{}", Some(DISCOVERY_TIMEOUT)),
            (
                r#"{"resource":{"discovery-timeout":"2s"}}"#,
                Some(Duration::from_secs(2)),
            ),
            (r#"{"resource":{"discovery-timeout":"0"}}"#, None),
        ] {
            let conf = Object(serde_json::from_str(conf).unwrap());
            let settings = Settings::new(&[], &conf, "fox0").unwrap();
            assert_eq!(settings.discovery_timeout, expect);
        }
    }

    #[test]
    fn bad_settings_say_what_is_wrong() {
        let prefix = "error parsing [resource] configuration: ";
        let conf = r#"{"resource":{"config":[{"hosts":"a"}]}}"#;
        check(&[], conf, &format!("{prefix}config: host a has no cores"));
        let conf = r#"{"resource":{"norestrict":7}}"#;
        let text = "norestrict: must be true or false";
        check(&[], conf, &format!("{prefix}{text}"));
        let conf = r#"{"resource":{"verify":{"core":"lax"}}}"#;
        let text = "verify: core must be strict, allow-extra, allow-missing or ignore";
        check(&[], conf, &format!("{prefix}{text}"));
        check(&["x=1"], "{}", "unknown option: x=1");
    }
}
