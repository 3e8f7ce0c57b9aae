//! Arguments of the module and `[ingest]` of the configuration (protocol/11 section 16).

use proto::config::keys;
use proto::data::jobid::GENERATOR_DEFAULT_MAX;
use proto::{Errno, Object, Refusal};

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Jobs are checked.
    pub validate: bool,
    /// User root may submit to an instance that is not root's.
    pub allow_root_jobs: bool,
    /// The highest rank that makes job ids.
    pub max_generator: u32,
}

impl Settings {
    /// Reads both; an argument wins over the configuration.
    pub fn new(args: &[String], conf: &Object) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            validate: true,
            allow_root_jobs: false,
            max_generator: GENERATOR_DEFAULT_MAX,
        };
        if let Some(disable) = keys::INGEST_VALIDATOR_DISABLE.read::<bool>(conf)? {
            settings.validate = !disable;
        }
        for arg in args {
            settings.read_arg(arg)?;
        }
        Ok(settings)
    }

    fn read_arg(&mut self, arg: &str) -> Result<(), Refusal> {
        match arg.split_once('=').unwrap_or((arg, "")) {
            ("disable-validator", "") => self.validate = false,
            ("allow-root-jobs", "") => self.allow_root_jobs = true,
            ("max-fluid-generator-id", number) => {
                let number = number.parse().ok().filter(|n| *n <= GENERATOR_DEFAULT_MAX);
                self.max_generator = number
                    .ok_or_else(|| invalid("max-fluid-generator-id is out of range".to_owned()))?;
            }
            ("batch-count" | "buffer-size" | "validator-args" | "validator-plugins", _) => {
                return Err(invalid(format!("{arg}: not supported in this version")));
            }
            _ => return Err(invalid(format!("{arg}: unknown option"))),
        }
        Ok(())
    }
}

fn invalid(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], conf: &str, expect: Result<(bool, bool), &str>) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let settings = Settings::new(&args, &conf);
        let outcome = settings.map(|s| (s.validate, s.allow_root_jobs));
        let outcome = outcome.map_err(|refusal| refusal.to_string());
        assert_eq!(outcome, expect.map_err(str::to_owned), "{args:?}");
    }

    #[test]
    fn arguments_and_configuration_are_read() {
        check(&[], "{}", Ok((true, false)));
        check(&["disable-validator"], "{}", Ok((false, false)));
        check(&["allow-root-jobs"], "{}", Ok((true, true)));
        let conf = r#"{"ingest":{"validator":{"disable":true}}}"#;
        check(&[], conf, Ok((false, false)));
        check(&["x"], "{}", Err("x: unknown option"));
        check(
            &["batch-count=5"],
            "{}",
            Err("batch-count=5: not supported in this version"),
        );
        let text = "error reading [ingest] config table: validator.disable: \
            must be true or false";
        check(&[], r#"{"ingest":{"validator":{"disable":1}}}"#, Err(text));
    }
}
