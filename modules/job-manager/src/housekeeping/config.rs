//! `[job-manager.housekeeping]` (protocol/25 section 9).

use proto::config::keys;
use proto::data::Fsd;
use proto::job_manager::HousekeepingSettings;
use proto::{Errno, Object, Refusal};

/// Time at which nodes become free whose command has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Release {
    /// All together.
    Together,
    /// Each at once, from this many seconds after the first on; 0 is at once.
    After(f64),
}

/// Command that runs after jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Time at which nodes become free.
    pub release: Release,
}

impl Config {
    /// Reads the table; `None` if there is none.
    pub fn new(conf: &Object) -> Result<Option<Config>, Refusal> {
        if keys::JOB_MANAGER_HOUSEKEEPING.value(conf).is_none() {
            return Ok(None);
        }
        let refused = |text: &'static str| Refusal::new(Errno::EINVAL, text);
        let key = &keys::JOB_MANAGER_HOUSEKEEPING_COMMAND;
        let Some(value) = key.value(conf) else {
            let text = "job-manager.housekeeping implies IMP but exec.imp is undefined";
            return Err(refused(text));
        };
        let command = serde_json::from_value::<Vec<String>>(value.clone()).ok();
        let command = command.filter(|words| words.first().is_some_and(|word| !word.is_empty()));
        let command = command.ok_or_else(|| key.refusal(key.path))?;
        let release: Option<Fsd> = keys::JOB_MANAGER_HOUSEKEEPING_RELEASE_AFTER.read(conf)?;
        let _: Option<bool> = keys::JOB_MANAGER_HOUSEKEEPING_EXIT_ON_FIRST_ERROR.read(conf)?;
        let unit: Option<bool> = keys::JOB_MANAGER_HOUSEKEEPING_USE_SYSTEMD_UNIT.read(conf)?;
        if unit.is_some() {
            tracing::error!("job-manager.housekeeping.use-systemd-unit is deprecated - ignoring");
        }
        let release = release.map_or(Release::Together, |after| Release::After(after.secs()));
        Ok(Some(Config { command, release }))
    }

    /// As statistics show it.
    pub fn settings(&self) -> HousekeepingSettings {
        HousekeepingSettings {
            release_after: match self.release {
                Release::Together => -1.0,
                Release::After(seconds) => seconds,
            },
            command: self.command.join(" "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, expect: &str) {
        let conf = format!(r#"{{"job-manager":{{"housekeeping":{table}}}}}"#);
        let conf = Object(serde_json::from_str(&conf).unwrap());
        let shown = match Config::new(&conf) {
            Ok(Some(config)) => format!("{:?} {:?}", config.command, config.release),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn the_table_is_read() {
        assert_eq!(Config::new(&Object::default()), Ok(None));
        check(r#"{"command":["a","b"]}"#, r#"["a", "b"] Together"#);
        check(
            r#"{"command":["a"],"release-after":"1.5m"}"#,
            r#"["a"] After(90.0)"#,
        );
        check(
            r#"{"command":["a"],"release-after":"0","exit-on-first-error":true,"use-systemd-unit":false}"#,
            r#"["a"] After(0.0)"#,
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let imp = "job-manager.housekeeping implies IMP but exec.imp is undefined";
        check("{}", imp);
        check(r#"{"release-after":"1"}"#, imp);
        let command = "error creating housekeeping command";
        for bad in ["[]", r#"[""]"#, "[1]", r#""a""#] {
            check(&format!(r#"{{"command":{bad}}}"#), command);
        }
        let release = "job-manager.housekeeping.release-after FSD parse error";
        for bad in ["5", r#""soon""#, r#""-1""#] {
            check(
                &format!(r#"{{"command":["a"],"release-after":{bad}}}"#),
                release,
            );
        }
    }
}
