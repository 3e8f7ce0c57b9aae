//! Arguments of the module (protocol/13 section 2). Pure.

use proto::{Errno, Refusal};

use crate::limits::QUEUE_DEPTH;

/// The settings in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Requests that the job manager may have here at a time; `None` for all.
    pub limit: Option<u32>,
    /// Whether we can take back jobs that have returned some of their resources.
    pub partial_ok: bool,
}

impl Settings {
    /// Reads the arguments.
    pub fn new(args: &[String]) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            limit: Some(QUEUE_DEPTH),
            partial_ok: true,
        };
        for arg in args {
            match arg.split_once('=') {
                None if arg == "unlimited" => settings.limit = None,
                None if arg == "test-hello-nopartial" => settings.partial_ok = false,
                Some(("queue-depth", value)) => settings.limit = depth(arg, value)?,
                Some(("mode", "unlimited")) => settings.limit = None,
                Some(("mode", value)) => {
                    let value = value.strip_prefix("limited=");
                    settings.limit = depth(arg, value.unwrap_or_default())?;
                }
                _ => return Err(bad(format!("{arg}: unknown option"))),
            }
        }
        Ok(settings)
    }
}

fn depth(arg: &str, value: &str) -> Result<Option<u32>, Refusal> {
    match value.parse::<u32>() {
        _ if value == "unlimited" => Ok(None),
        Ok(depth) if depth > 0 => Ok(Some(depth)),
        _ => Err(bad(format!("{arg}: invalid option value"))),
    }
}

fn bad(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let outcome = match Settings::new(&args) {
            Ok(settings) => format!("{:?} {}", settings.limit, settings.partial_ok),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn every_way_to_say_a_depth_is_understood() {
        check(&[], "Some(8) true");
        check(&["queue-depth=64"], "Some(64) true");
        check(&["queue-depth=unlimited"], "None true");
        check(&["unlimited"], "None true");
        check(&["mode=limited=2"], "Some(2) true");
        check(&["mode=unlimited"], "None true");
        check(&["test-hello-nopartial"], "Some(8) false");
    }

    #[test]
    fn nonsense_is_refused() {
        check(&["queue-depth=0"], "queue-depth=0: invalid option value");
        check(&["mode=foo"], "mode=foo: invalid option value");
        check(&["fast"], "fast: unknown option");
    }
}
