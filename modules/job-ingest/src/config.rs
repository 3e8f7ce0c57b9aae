//! Arguments of the module, and `[ingest]` of the configuration with the queues and policies
//! (protocol/11 section 16, protocol/25 section 11).

use ingest::{Broken, Frobnicator, Validator};
use proto::config::ingest::{Buffer, Stage as StageConf};
use proto::config::{Ingest, Queues};
use proto::data::jobid::GENERATOR_DEFAULT_MAX;
use proto::{Errno, Object, Refusal};

use crate::limits::{BATCH_JOBS_MAX, BUFFER_BYTES, BUFFER_TEXT};

/// Settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// User root may submit to an instance that is not root's.
    pub allow_root_jobs: bool,
    /// The highest rank that makes job ids.
    pub max_generator: u32,
    /// Jobs of one commit.
    pub batch_jobs: usize,
    /// Bytes of the jobspecs that are in one of the stages.
    pub buffer_bytes: usize,
    /// Stage that changes jobspecs.
    pub frobnicator: Stage<Frobnicator>,
    /// Stage that validates jobspecs.
    pub validator: Stage<Validator>,
    /// Access to queues.
    pub queues: Queues,
}

/// A stage on the way in.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage<Chain> {
    /// Jobs pass it by.
    Off,
    /// Jobs pass its plugins.
    On(Chain),
    /// The chain cannot be made: no job comes in.
    Broken(Broken),
}

impl Settings {
    /// At the start of the module: an argument wins over the configuration.
    pub fn new(args: &[String], conf: &Object) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            allow_root_jobs: false,
            max_generator: GENERATOR_DEFAULT_MAX,
            batch_jobs: BATCH_JOBS_MAX,
            buffer_bytes: BUFFER_BYTES,
            frobnicator: Stage::Off,
            validator: Stage::Off,
            queues: Queues::default(),
        };
        let mut ingest = Ingest::parse(conf)?;
        for arg in args {
            settings.read_arg(arg, &mut ingest)?;
        }
        settings.apply(&ingest, conf)?;
        Ok(settings)
    }

    /// After a change of the configuration, which alone counts then. Values that only
    /// arguments can set stay.
    pub fn changed(&self, conf: &Object) -> Result<Settings, Refusal> {
        let mut settings = self.clone();
        settings.apply(&Ingest::parse(conf)?, conf)?;
        Ok(settings)
    }

    fn read_arg(&mut self, arg: &str, ingest: &mut Ingest) -> Result<(), Refusal> {
        let words = |text: &str| Some(text.split(',').map(str::to_owned).collect());
        match arg.split_once('=').unwrap_or((arg, "")) {
            ("disable-validator", "") => ingest.validator.disable = true,
            ("allow-root-jobs", "") => self.allow_root_jobs = true,
            ("validator-plugins", names) => ingest.validator.plugins = words(names),
            ("validator-args", args) => ingest.validator.args = words(args),
            ("buffer-size", size) => ingest.buffer = Some(Buffer::parse(size)?),
            ("batch-count", number) => {
                let number = number.parse();
                let invalid = |_| invalid(format!("Invalid batch-count: {arg}"));
                ingest.batch_count = Some(number.map_err(invalid)?);
            }
            ("max-fluid-generator-id", number) => {
                let max = number.parse().ok().filter(|n| *n <= GENERATOR_DEFAULT_MAX);
                let invalid = || invalid(format!("Invalid max-fluid-generator-id: '{number}'"));
                self.max_generator = max.ok_or_else(invalid)?;
            }
            _ => return Err(invalid(format!("Invalid option: {arg}"))),
        }
        Ok(())
    }

    fn apply(&mut self, ingest: &Ingest, conf: &Object) -> Result<(), Refusal> {
        let queues = Queues::parse(conf)?;
        let batch = ingest.batch_count.filter(|count| *count > 0);
        let batch = batch.and_then(|count| usize::try_from(count).ok());
        self.batch_jobs = batch.map_or(BATCH_JOBS_MAX, |count| count.min(BATCH_JOBS_MAX));
        let buffer = ingest.buffer.as_ref();
        self.buffer_bytes = buffer.map_or(BUFFER_BYTES, |buffer| buffer.bytes);
        let text = buffer.map_or(BUFFER_TEXT, |buffer| &buffer.text);
        tracing::debug!("worker input buffer set to {text}");

        let stage = &ingest.frobnicator;
        let is_wanted = stage.plugins.is_some()
            || !queues.named.is_empty()
            || queues.policy.defaults != Default::default();
        self.frobnicator = Stage::new("frobnicator", stage, is_wanted, |plugins, args| {
            Frobnicator::new(plugins, args, queues.clone())
        });
        let conf = ingest.require_instance;
        self.validator = Stage::new("validator", &ingest.validator, true, |plugins, args| {
            Validator::new(plugins, args, conf)
        });
        self.queues = queues;
        Ok(())
    }
}

impl<Chain> Stage<Chain> {
    fn new(
        name: &str,
        conf: &StageConf,
        is_wanted: bool,
        make: impl FnOnce(Option<&[String]>, &[String]) -> Result<Chain, Broken>,
    ) -> Stage<Chain> {
        let is_on = is_wanted && !conf.disable;
        let shown = |words: &Option<Vec<String>>| match words {
            Some(words) => words.join(","),
            None => "(null)".to_owned(),
        };
        tracing::debug!(
            "configuring {name} with plugins={}, args={} ({})",
            shown(&conf.plugins),
            shown(&conf.args),
            if is_on { "enabled" } else { "disabled" }
        );
        if !is_on {
            return Stage::Off;
        }
        let args = conf.args.as_deref().unwrap_or_default();
        match make(conf.plugins.as_deref(), args) {
            Ok(chain) => Stage::On(chain),
            Err(broken) => Stage::Broken(broken),
        }
    }
}

fn invalid(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args_of(args: &[&str]) -> Vec<String> {
        args.iter().map(|arg| (*arg).to_owned()).collect()
    }

    fn object(conf: &str) -> Object {
        Object(serde_json::from_str(conf).unwrap())
    }

    /// The two stages, jobs of a commit and bytes of the buffer, and whether root may submit.
    fn shown(settings: &Settings) -> String {
        let state = |is_off: bool, is_broken: bool| match (is_off, is_broken) {
            (true, _) => "off",
            (_, true) => "broken",
            _ => "on",
        };
        format!(
            "{} {} {} {}{}",
            state(
                settings.frobnicator == Stage::Off,
                matches!(settings.frobnicator, Stage::Broken(_))
            ),
            state(
                settings.validator == Stage::Off,
                matches!(settings.validator, Stage::Broken(_))
            ),
            settings.batch_jobs,
            settings.buffer_bytes,
            if settings.allow_root_jobs {
                " root"
            } else {
                ""
            }
        )
    }

    fn check(args: &[&str], conf: &str, expect: &str) {
        let settings = Settings::new(&args_of(args), &object(conf));
        let outcome = settings.map(|settings| shown(&settings));
        let outcome = outcome.unwrap_or_else(|refusal| refusal.to_string());
        assert_eq!(outcome, expect, "{args:?} {conf}");
    }

    #[test]
    fn arguments_come_before_the_configuration() {
        check(&[], "{}", "off on 256 10485760");
        check(&["disable-validator"], "{}", "off off 256 10485760");
        check(&["allow-root-jobs"], "{}", "off on 256 10485760 root");
        let conf = r#"{"ingest":{"batch-count":5,"buffer-size":"2k"}}"#;
        check(&[], conf, "off on 5 2048");
        check(&["batch-count=3", "buffer-size=1k"], conf, "off on 3 1024");
        check(&["batch-count=0"], conf, "off on 256 2048");
        let conf = r#"{"ingest":{"validator":{"disable":true}}}"#;
        check(&[], conf, "off off 256 10485760");
        check(&["validator-plugins=x"], "{}", "off broken 256 10485760");
        let args = ["validator-plugins=jobspec,feasibility"];
        check(&args, "{}", "off on 256 10485760");
        check(
            &["validator-args=--require-version=any"],
            "{}",
            "off on 256 10485760",
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(&["x"], "{}", "Invalid option: x");
        check(
            &["batch-count=x"],
            "{}",
            "Invalid batch-count: batch-count=x",
        );
        check(&["buffer-size=x"], "{}", "Invalid buffer-size: 'x'");
        for number in ["x", "16384", "-1"] {
            let text = format!("Invalid max-fluid-generator-id: '{number}'");
            check(&[&format!("max-fluid-generator-id={number}")], "{}", &text);
        }
        let text = "error parsing [ingest.validator] config table: \
            Expected true or false, got integer";
        check(&[], r#"{"ingest":{"validator":{"disable":1}}}"#, text);
        let text = "error parsing [policy] config table: 1 object item(s) left unpacked: x";
        check(&[], r#"{"policy":{"x":1}}"#, text);
    }

    #[test]
    fn jobspecs_are_changed_where_there_is_something_to_set() {
        let on = "on on 256 10485760";
        check(&[], r#"{"queues":{"a":{}}}"#, on);
        check(
            &[],
            r#"{"policy":{"jobspec":{"defaults":{"system":{"duration":"1h"}}}}}"#,
            on,
        );
        check(
            &[],
            r#"{"ingest":{"frobnicator":{"plugins":["defaults"]}}}"#,
            on,
        );
        let off = "off on 256 10485760";
        check(&[], r#"{"policy":{"limits":{"duration":"1h"}}}"#, off);
        check(
            &[],
            r#"{"queues":{"a":{}},"ingest":{"frobnicator":{"disable":true}}}"#,
            off,
        );
        check(
            &[],
            r#"{"ingest":{"frobnicator":{"plugins":["x"]}}}"#,
            "broken on 256 10485760",
        );
    }

    #[test]
    fn after_a_change_only_the_configuration_counts() {
        let args = ["disable-validator", "batch-count=3", "allow-root-jobs"];
        let settings = Settings::new(&args_of(&args), &Object::default()).unwrap();
        let changed = settings.changed(&object(r#"{"queues":{"a":{}}}"#)).unwrap();
        assert_eq!(shown(&changed), "on on 256 10485760 root");
        let refused = settings.changed(&object(r#"{"queues":{"a":1}}"#));
        assert!(refused.is_err());
    }
}
