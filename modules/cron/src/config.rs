//! The arguments of the module: `sync=TOPIC` and `sync_epsilon=FSD`. Pure.

use std::time::Duration;

use proto::data::Fsd;
use proto::{Errno, Refusal};

/// The arguments, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The event for which tasks that are due wait.
    pub sync: Option<String>,
    /// Time after such an event during which a task need not wait for the next one.
    pub epsilon: Duration,
}

/// The length of a moment if nothing is said.
const DEFAULT_EPSILON: Duration = Duration::from_millis(15);

impl Settings {
    /// Reads the arguments.
    pub fn new(args: &[String]) -> Result<Settings, Refusal> {
        let mut settings = Settings {
            sync: None,
            epsilon: DEFAULT_EPSILON,
        };
        for arg in args {
            match arg.split_once('=') {
                Some(("sync", topic)) if !topic.is_empty() => {
                    settings.sync = Some(topic.to_owned());
                }
                Some(("sync_epsilon", value)) => {
                    let fsd: Option<Fsd> = value.parse().ok();
                    let epsilon = fsd.and_then(|fsd| Duration::try_from_secs_f64(fsd.secs()).ok());
                    settings.epsilon = epsilon
                        .ok_or_else(|| refused(format!("Invalid sync_epsilon `{value}'")))?;
                }
                _ => return Err(refused(format!("Unknown option `{arg}'"))),
            }
        }
        Ok(settings)
    }
}

fn refused(text: String) -> Refusal {
    Refusal::new(Errno::EINVAL, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expect: &str) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let outcome = match Settings::new(&args) {
            Ok(s) => format!("{:?} {:?}", s.sync, s.epsilon),
            Err(error) => format!("{:?} {error}", error.errno),
        };
        assert_eq!(outcome, expect);
    }

    #[test]
    fn arguments_are_the_event_and_the_moment_after_it() {
        check(&[], "None 15ms");
        check(&["sync=heartbeat.pulse"], r#"Some("heartbeat.pulse") 15ms"#);
        check(&["sync=a", "sync_epsilon=1s"], r#"Some("a") 1s"#);
        check(&["sync_epsilon=0.5"], "None 500ms");
    }

    #[test]
    fn other_arguments_are_refused() {
        check(&["foo=1"], "EINVAL Unknown option `foo=1'");
        check(&["sync"], "EINVAL Unknown option `sync'");
        check(&["sync="], "EINVAL Unknown option `sync='");
        for value in ["", "x", "-1", "inf"] {
            let arg = format!("sync_epsilon={value}");
            let text = format!("EINVAL Invalid sync_epsilon `{value}'");
            check(&[&arg], &text);
        }
    }
}
