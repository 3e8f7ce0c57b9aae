//! Arguments of the module and its table of the configuration (protocol/25 section 12.1). Pure;
//! an argument wins over the table, and of two arguments the last.

use std::fmt::Display;

use proto::config::Key;
use proto::config::keys::LEVELS;
use proto::{Errno, Object, Refusal};
use serde_json::Value;

use crate::program::Traits;

/// The settings in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Requests that the job manager may have here at a time; `None` for all.
    pub limit: Option<u32>,
    /// True if jobs that have freed some of their resources can be taken over.
    pub partial_ok: bool,
    /// The least severe lines that are logged.
    pub log_level: Level,
}

/// A place in [`LEVELS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(usize);

impl Level {
    /// Messages for operators.
    pub const INFO: Level = Level(6);
    /// Messages for developers.
    pub const DEBUG: Level = Level(7);

    fn named(name: &str) -> Option<Level> {
        LEVELS.iter().position(|level| *level == name).map(Level)
    }

    /// Name.
    pub fn name(self) -> &'static str {
        LEVELS.get(self.0).copied().unwrap_or_default()
    }
}

/// The one class of resource pool that there is.
pub const POOL_CLASS: &str = "Rv1Pool";
/// A class that Flux has.
const TREE_POOL: &str = "TreePool";

impl Settings {
    /// Reads the table of the configuration, then the arguments.
    pub fn new(traits: &Traits, args: &[String], conf: &Object) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            limit: traits.depth,
            partial_ok: true,
            log_level: Level::INFO,
        };
        for (word, key) in traits.keys {
            if let Some(value) = text_of(key, conf)? {
                settings.set(word, &value).map_err(|refusal| {
                    let text = format!("{}.{refusal}", traits.name);
                    Refusal::new(Errno::EINVAL, text)
                })?;
            }
        }
        for arg in args {
            settings.read(traits, arg)?;
        }
        Ok(settings)
    }

    fn read(&mut self, traits: &Traits, arg: &str) -> Result<(), Refusal> {
        match arg.split_once('=') {
            None if traits.has_test_arguments && arg == "test-hello-nopartial" => {
                self.partial_ok = false;
            }
            Some(("mode", "unlimited")) => self.limit = None,
            Some(("mode", mode)) if mode.starts_with("limited=") => {
                let limit = mode.trim_start_matches("limited=");
                self.limit = Some(positive(limit).ok_or_else(|| {
                    refused(format_args!(
                        "mode=limited= requires a positive integer, got '{limit}'"
                    ))
                })?);
            }
            Some((word, value)) if traits.keys.iter().any(|(known, _)| *known == word) => {
                self.set(word, value)?;
            }
            _ => {
                return Err(refused(format_args!(
                    "unknown argument '{arg}': built-in options are queue-depth, log-level, \
                     pool-class"
                )));
            }
        }
        Ok(())
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), Refusal> {
        match word {
            "queue-depth" if value == "unlimited" => self.limit = None,
            "queue-depth" => {
                let limit = positive(value).ok_or_else(|| {
                    refused(format_args!(
                        "queue-depth='{value}' is invalid: expected a positive integer or \
                         'unlimited'"
                    ))
                })?;
                self.limit = Some(limit);
            }
            "log-level" => {
                self.log_level = Level::named(value).ok_or_else(|| {
                    refused(format_args!(
                        "log-level='{value}' is invalid: expected one of {}",
                        LEVELS.join(", ")
                    ))
                })?;
            }
            _ => check_pool_class(value)?,
        }
        Ok(())
    }
}

/// `MODULE:CLASS` or `CLASS`.
fn check_pool_class(value: &str) -> Result<(), Refusal> {
    match value.rsplit(':').next().unwrap_or_default() {
        POOL_CLASS => Ok(()),
        TREE_POOL => Err(refused(format_args!(
            "pool-class='{value}': not supported in this version"
        ))),
        _ => Err(refused(format_args!(
            "pool-class='{value}': could not load pool class"
        ))),
    }
}

/// The value of a key as an argument would have it.
fn text_of(key: &Key, conf: &Object) -> Result<Option<String>, Refusal> {
    Ok(key.read::<Value>(conf)?.map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    }))
}

fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| *n > 0)
}

fn refused(text: impl Display) -> Refusal {
    Refusal::new(Errno::EINVAL, text.to_string())
}

/// True if `scheduling` of a resource set asks for a class of pool that does not exist
/// here.
pub fn wants_other_pool(scheduling: Option<&Value>) -> bool {
    let writer = scheduling.and_then(|scheduling| scheduling.get("writer")?.as_str());
    writer == Some(TREE_POOL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Backfill, Fifo, Program, Simple};

    fn check_with(traits: &Traits, args: &[&str], conf: &str, expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let conf = Object(serde_json::from_str(conf).unwrap());
        let outcome = match Settings::new(traits, &args, &conf) {
            Ok(s) => format!("{:?} {} {}", s.limit, s.partial_ok, s.log_level.name()),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(outcome, expect, "{args:?} {conf:?}");
    }

    fn check(args: &[&str], expect: &str) {
        check_with(&Simple::TRAITS, args, "{}", expect);
    }

    #[test]
    fn every_way_to_say_a_depth_is_understood() {
        check(&[], "Some(8) true info");
        check(&["queue-depth=64"], "Some(64) true info");
        check(&["queue-depth=unlimited"], "None true info");
        check(&["mode=limited=2"], "Some(2) true info");
        check(&["mode=unlimited"], "None true info");
        check(&["mode=unlimited", "queue-depth=3"], "Some(3) true info");
    }

    #[test]
    fn programs_differ_in_what_they_do_unless_told() {
        check_with(&Fifo::TRAITS, &[], "{}", "Some(8) true info");
        check_with(&Backfill::TRAITS, &[], "{}", "None true info");
        check(&["test-hello-nopartial"], "Some(8) false info");
        let unknown = "unknown argument 'test-hello-nopartial': built-in options are queue-depth, log-level, pool-class";
        check_with(&Fifo::TRAITS, &["test-hello-nopartial"], "{}", unknown);
    }

    #[test]
    fn other_arguments_are_read() {
        check(
            &["log-level=debug", "pool-class=Rv1Pool"],
            "Some(8) true debug",
        );
        check(
            &["pool-class=flux.resource.Rv1Pool:Rv1Pool"],
            "Some(8) true info",
        );
    }

    #[test]
    fn nonsense_is_refused_in_the_words_of_flux() {
        let depth = "is invalid: expected a positive integer or 'unlimited'";
        check(&["queue-depth=0"], &format!("queue-depth='0' {depth}"));
        check(&["queue-depth=x"], &format!("queue-depth='x' {depth}"));
        check(
            &["mode=limited=0"],
            "mode=limited= requires a positive integer, got '0'",
        );
        check(
            &["log-level=xx"],
            "log-level='xx' is invalid: expected one of emerg, alert, crit, err, warning, notice, info, debug",
        );
        check(
            &["pool-class=nope"],
            "pool-class='nope': could not load pool class",
        );
        check(
            &["pool-class=TreePool"],
            "pool-class='TreePool': not supported in this version",
        );
        for arg in ["bogus=1", "mode=foo", "unlimited"] {
            let options = "built-in options are queue-depth, log-level, pool-class";
            check(&[arg], &format!("unknown argument '{arg}': {options}"));
        }
    }

    #[test]
    fn the_table_of_the_program_counts_and_arguments_win() {
        let check = |conf: &str, args: &[&str], expect: &str| {
            check_with(&Backfill::TRAITS, args, conf, expect);
        };
        let conf = r#"{"sched-backfill":{"queue-depth":5,"log-level":"err"},"sched-simple":{"queue-depth":1}}"#;
        check(conf, &[], "Some(5) true err");
        check(conf, &["queue-depth=unlimited"], "None true err");
        check(
            r#"{"sched-backfill":{"queue-depth":"unlimited"}}"#,
            &["queue-depth=4"],
            "Some(4) true info",
        );
        check(
            r#"{"sched-backfill":{"queue-depth":true}}"#,
            &[],
            "sched-backfill.queue-depth: must be a positive integer or unlimited",
        );
        check(
            r#"{"sched-backfill":{"log-level":7}}"#,
            &[],
            "sched-backfill.log-level: must be emerg, alert, crit, err, warning, notice, info or debug",
        );
    }
}
