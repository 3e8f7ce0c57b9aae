//! The events of a job's log (RFC 21, protocol/10 section 5), typed.
//!
//! The effect of an event on a job is decided by the job manager. Here they are only read
//! from a log and written to one. Events with other names have no effect on a job.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::data::job::{Exception, Priority, SubmitFlags, Urgency, WaitStatus};
use crate::data::{Context, Entry, EventlogError};

/// One event without its time.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    /// The job was submitted.
    Submit {
        /// User id of its submitter.
        userid: u32,
        /// As submitted.
        urgency: Urgency,
        /// As submitted.
        flags: SubmitFlags,
        /// Version of the log: 1. Absent in older logs, which have no `validate`.
        version: Option<i64>,
    },
    /// The job was accepted.
    Validate,
    /// The job was rejected. Never stored.
    Invalidate,
    /// New flags of the job, by name.
    SetFlags(Vec<String>),
    /// New values of its jobspec, by dotted path.
    JobspecUpdate(Map<String, Value>),
    /// New expiration of its resources, in seconds since the epoch; 0 for none.
    ResourceUpdate {
        /// Expiration.
        expiration: f64,
    },
    /// A dependency was added.
    DependencyAdd(String),
    /// The dependency was removed.
    DependencyRemove(String),
    /// All dependencies are satisfied.
    Depend,
    /// A priority was assigned.
    Priority(Priority),
    /// A user changed its urgency.
    Urgency {
        /// User id.
        userid: u32,
        /// New urgency.
        urgency: Urgency,
    },
    /// The job manager was restarted.
    FluxRestart,
    /// Resources were allocated.
    Alloc {
        /// All annotations so far.
        annotations: Option<Map<String, Value>>,
        /// True if the resources do not come from the scheduler.
        bypass: bool,
    },
    /// A prolog must finish before it starts.
    PrologStart(String),
    /// A prolog has finished.
    PrologFinish {
        /// Dependency.
        description: String,
        /// Exit status.
        status: WaitStatus,
    },
    /// The shells are running.
    Start,
    /// The shells have ended.
    Finish(WaitStatus),
    /// An epilog must finish before its resources are freed.
    EpilogStart(String),
    /// An epilog has finished.
    EpilogFinish {
        /// Dependency.
        description: String,
        /// Exit status.
        status: WaitStatus,
    },
    /// The execution service has released some of its resources.
    Release {
        /// Ranks released.
        ranks: String,
        /// True if these were the last.
        is_final: bool,
    },
    /// The resources were freed.
    Free,
    /// The job is inactive.
    Clean,
    /// An exception was raised: an error, or a request to end the job.
    Exception(Exception),
    /// A user's memo.
    Memo(Map<String, Value>),
    /// All annotations, or none any more. Never stored.
    Annotations(Option<Map<String, Value>>),
    /// `debug.*`: for debugging.
    Debug(String, Option<Context>),
    /// Any other name.
    Other(String, Option<Context>),
}

/// Errors of decoding an entry as an event of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobEventError {
    /// The context does not fit the name.
    #[error("malformed {0} event")]
    Malformed(String),
    /// The log was written by a later version.
    #[error("eventlog v{0} is unsupported")]
    Version(i64),
    /// The time or the name of the event cannot be written.
    #[error("{0}")]
    Entry(#[from] EventlogError),
}

#[derive(Deserialize)]
struct Submit {
    userid: u32,
    urgency: Urgency,
    #[serde(default)]
    flags: SubmitFlags,
    version: Option<i64>,
}

#[derive(Deserialize)]
struct Described {
    description: String,
    #[serde(default = "success")]
    status: WaitStatus,
}

fn success() -> WaitStatus {
    WaitStatus::SUCCESS
}

#[derive(Deserialize)]
struct Released {
    ranks: String,
    #[serde(rename = "final")]
    is_final: bool,
}

#[derive(Deserialize)]
struct UrgencyContext {
    userid: u32,
    urgency: Urgency,
}

#[derive(Deserialize)]
struct AllocContext {
    annotations: Option<Map<String, Value>>,
    #[serde(default)]
    bypass: bool,
}

#[derive(Deserialize)]
struct One<T> {
    #[serde(
        alias = "flags",
        alias = "priority",
        alias = "status",
        alias = "expiration",
        alias = "annotations"
    )]
    value: T,
}

fn submitted(entry: &Entry) -> Result<JobEvent, JobEventError> {
    let malformed = |_| JobEventError::Malformed(entry.name().to_owned());
    let Submit {
        userid,
        urgency,
        flags,
        version,
    } = entry.context_as().map_err(malformed)?;
    match version {
        None | Some(1) => Ok(JobEvent::Submit {
            userid,
            urgency,
            flags,
            version,
        }),
        Some(other) => Err(JobEventError::Version(other)),
    }
}

fn allocated(entry: &Entry) -> Result<JobEvent, JobEventError> {
    let malformed = |_| JobEventError::Malformed(entry.name().to_owned());
    let AllocContext {
        annotations,
        bypass,
    } = entry.context_as().map_err(malformed)?;
    Ok(JobEvent::Alloc {
        annotations,
        bypass,
    })
}

impl JobEvent {
    /// Decodes an entry.
    pub fn of(entry: &Entry) -> Result<JobEvent, JobEventError> {
        let malformed = |_| JobEventError::Malformed(entry.name().to_owned());
        let event = match entry.name() {
            "submit" => submitted(entry)?,
            "validate" => Self::Validate,
            "invalidate" => Self::Invalidate,
            "set-flags" => Self::SetFlags(one(entry)?),
            "jobspec-update" => Self::JobspecUpdate(context(entry)),
            "resource-update" => Self::ResourceUpdate {
                expiration: one(entry)?,
            },
            "dependency-add" => Self::DependencyAdd(described(entry)?.description),
            "dependency-remove" => Self::DependencyRemove(described(entry)?.description),
            "depend" => Self::Depend,
            "priority" => Self::Priority(one(entry)?),
            "urgency" => {
                let UrgencyContext { userid, urgency } = entry.context_as().map_err(malformed)?;
                Self::Urgency { userid, urgency }
            }
            "flux-restart" => Self::FluxRestart,
            "alloc" => allocated(entry)?,
            "prolog-start" => Self::PrologStart(described(entry)?.description),
            "epilog-start" => Self::EpilogStart(described(entry)?.description),
            "prolog-finish" => {
                let Described {
                    description,
                    status,
                } = described(entry)?;
                Self::PrologFinish {
                    description,
                    status,
                }
            }
            "epilog-finish" => {
                let Described {
                    description,
                    status,
                } = described(entry)?;
                Self::EpilogFinish {
                    description,
                    status,
                }
            }
            "start" => Self::Start,
            "finish" => Self::Finish(one(entry)?),
            "release" => {
                let Released { ranks, is_final } = entry.context_as().map_err(malformed)?;
                Self::Release { ranks, is_final }
            }
            "free" => Self::Free,
            "clean" => Self::Clean,
            "exception" => Self::Exception(entry.context_as().map_err(malformed)?),
            "memo" => Self::Memo(context(entry)),
            "annotations" => Self::Annotations(one(entry)?),
            name if name.starts_with("debug.") => {
                Self::Debug(name.to_owned(), entry.context().cloned())
            }
            name => Self::Other(name.to_owned(), entry.context().cloned()),
        };
        Ok(event)
    }

    /// The event as an entry of a log. `timestamp` is in seconds since the epoch.
    pub fn entry(&self, timestamp: f64) -> Result<Entry, JobEventError> {
        let entry = match self {
            Self::Debug(name, _) | Self::Other(name, _) => Entry::new(timestamp, name.clone())?,
            _ => Entry::new(timestamp, self.name_static())?,
        };
        Ok(match self.context() {
            Some(context) => entry.with_context(context),
            None => entry,
        })
    }

    /// Name.
    pub fn name(&self) -> &str {
        match self {
            Self::Debug(name, _) | Self::Other(name, _) => name,
            _ => self.name_static(),
        }
    }

    /// True if it is stored in the log. The other events are only sent to listeners.
    pub fn is_stored(&self) -> bool {
        !matches!(self, Self::Invalidate | Self::Annotations(_))
    }

    fn name_static(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Validate => "validate",
            Self::Invalidate => "invalidate",
            Self::SetFlags(_) => "set-flags",
            Self::JobspecUpdate(_) => "jobspec-update",
            Self::ResourceUpdate { .. } => "resource-update",
            Self::DependencyAdd(_) => "dependency-add",
            Self::DependencyRemove(_) => "dependency-remove",
            Self::Depend => "depend",
            Self::Priority(_) => "priority",
            Self::Urgency { .. } => "urgency",
            Self::FluxRestart => "flux-restart",
            Self::Alloc { .. } => "alloc",
            Self::PrologStart(_) => "prolog-start",
            Self::PrologFinish { .. } => "prolog-finish",
            Self::Start => "start",
            Self::Finish(_) => "finish",
            Self::EpilogStart(_) => "epilog-start",
            Self::EpilogFinish { .. } => "epilog-finish",
            Self::Release { .. } => "release",
            Self::Free => "free",
            Self::Clean => "clean",
            Self::Exception(_) => "exception",
            Self::Memo(_) => "memo",
            Self::Annotations(_) => "annotations",
            Self::Debug(..) => "debug",
            Self::Other(..) => "other",
        }
    }

    fn context(&self) -> Option<Context> {
        let value = match self {
            Self::Submit {
                userid,
                urgency,
                flags,
                version,
            } => match version {
                Some(version) => {
                    json!({"userid": userid, "urgency": urgency, "flags": flags, "version": version})
                }
                None => json!({"userid": userid, "urgency": urgency, "flags": flags}),
            },
            Self::SetFlags(flags) => json!({ "flags": flags }),
            Self::JobspecUpdate(context) | Self::Memo(context) => return Some(context.clone()),
            Self::ResourceUpdate { expiration } => json!({ "expiration": expiration }),
            Self::DependencyAdd(description)
            | Self::DependencyRemove(description)
            | Self::PrologStart(description)
            | Self::EpilogStart(description) => json!({ "description": description }),
            Self::Priority(priority) => json!({ "priority": priority }),
            Self::Urgency { userid, urgency } => json!({"userid": userid, "urgency": urgency}),
            Self::Alloc {
                annotations,
                bypass,
            } => {
                let mut context = Context::new();
                if let Some(annotations) = annotations {
                    context.insert("annotations".to_owned(), annotations.clone().into());
                }
                if *bypass {
                    context.insert("bypass".to_owned(), true.into());
                }
                return (!context.is_empty()).then_some(context);
            }
            Self::PrologFinish {
                description,
                status,
            }
            | Self::EpilogFinish {
                description,
                status,
            } => {
                json!({"description": description, "status": status})
            }
            Self::Finish(status) => json!({ "status": status }),
            Self::Release { ranks, is_final } => json!({"ranks": ranks, "final": is_final}),
            Self::Exception(exception) => json!(exception),
            Self::Annotations(annotations) => json!({ "annotations": annotations }),
            Self::Debug(_, context) | Self::Other(_, context) => return context.clone(),
            Self::Validate | Self::Invalidate | Self::Depend | Self::FluxRestart => Value::Null,
            Self::Start | Self::Free | Self::Clean => Value::Null,
        };
        match value {
            Value::Object(context) => Some(context),
            _ => None,
        }
    }
}

fn one<T: serde::de::DeserializeOwned>(entry: &Entry) -> Result<T, JobEventError> {
    let one: Result<One<T>, _> = entry.context_as();
    one.map(|one| one.value)
        .map_err(|_| JobEventError::Malformed(entry.name().to_owned()))
}

fn described(entry: &Entry) -> Result<Described, JobEventError> {
    entry
        .context_as()
        .map_err(|_| JobEventError::Malformed(entry.name().to_owned()))
}

fn context(entry: &Entry) -> Context {
    entry.context().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an event and writes it again.
    fn check(line: &str) {
        let entry = Entry::decode(line).unwrap();
        let event = JobEvent::of(&entry).unwrap();
        assert_eq!(event.name(), entry.name());
        assert_eq!(event.entry(1.0).unwrap().to_json(), line);
    }

    #[test]
    fn every_event_survives_its_line() {
        for (name, context) in [
            (
                "submit",
                r#"{"userid":1,"urgency":16,"flags":2,"version":1}"#,
            ),
            ("submit", r#"{"userid":1,"urgency":16,"flags":0}"#),
            ("set-flags", r#"{"flags":["debug","immutable"]}"#),
            ("jobspec-update", r#"{"attributes.system.duration":60.0}"#),
            ("resource-update", r#"{"expiration":100.5}"#),
            ("dependency-add", r#"{"description":"begin-time=1.000"}"#),
            ("dependency-remove", r#"{"description":"begin-time=1.000"}"#),
            ("priority", r#"{"priority":16}"#),
            ("urgency", r#"{"userid":1,"urgency":31}"#),
            (
                "alloc",
                r#"{"annotations":{"sched":{"resource_summary":"rank0/core0"}}}"#,
            ),
            ("alloc", r#"{"bypass":true}"#),
            ("prolog-start", r#"{"description":"p"}"#),
            ("prolog-finish", r#"{"description":"p","status":0}"#),
            ("finish", r#"{"status":256}"#),
            ("epilog-start", r#"{"description":"p"}"#),
            ("epilog-finish", r#"{"description":"p","status":9}"#),
            ("release", r#"{"ranks":"all","final":true}"#),
            (
                "exception",
                r#"{"type":"cancel","severity":0,"note":"","userid":1}"#,
            ),
            ("memo", r#"{"uri":"ssh://a","gone":null}"#),
            ("annotations", r#"{"annotations":null}"#),
            ("annotations", r#"{"annotations":{"user":{"a":1}}}"#),
            ("debug.start-lost", r#"{"note":"x"}"#),
            ("anything", r#"{"x":[1]}"#),
        ] {
            check(&format!(
                r#"{{"timestamp":1.0,"name":"{name}","context":{context}}}"#
            ));
        }
        for name in [
            "validate",
            "invalidate",
            "depend",
            "flux-restart",
            "alloc",
            "start",
            "free",
            "clean",
            "debug.alloc-request",
            "anything",
        ] {
            check(&format!(r#"{{"timestamp":1.0,"name":"{name}"}}"#));
        }
    }

    #[test]
    fn a_context_that_does_not_fit_is_refused_by_name() {
        let refused = |name: &str, context: &str| {
            let line = format!(r#"{{"timestamp":1.0,"name":"{name}","context":{context}}}"#);
            JobEvent::of(&Entry::decode(&line).unwrap())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused("submit", "{}"), "malformed submit event");
        assert_eq!(
            refused("finish", r#"{"status":"x"}"#),
            "malformed finish event"
        );
        assert_eq!(
            refused("exception", r#"{"severity":9}"#),
            "malformed exception event"
        );
        let later = r#"{"userid":1,"urgency":16,"flags":0,"version":2}"#;
        assert_eq!(refused("submit", later), "eventlog v2 is unsupported");
    }

    #[test]
    fn what_only_listeners_hear_is_not_stored() {
        assert!(!JobEvent::Invalidate.is_stored());
        assert!(!JobEvent::Annotations(None).is_stored());
        assert!(JobEvent::Clean.is_stored());
    }
}
