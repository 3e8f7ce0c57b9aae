//! The attributes of a jobspec that have a meaning (protocol/10 section 8): each declared once.
//!
//! Submissions are checked against them and `doc/job-attributes.md` is printed from them.
//! Other attributes are stored unchanged: sites and users read them.

use serde_json::Value;

use super::jobspec::Jobspec;
use super::shape::Shape::{Any, Duration, Int, List, Mapping, Number, OneOf, Text};
use super::shape::Support::{Refused, Used};
use super::shape::{Shape, Support};

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobAttribute {
    /// Dotted path below `attributes`.
    pub name: &'static str,
    /// Type of the value.
    pub shape: Shape,
    /// Meaning, in one line.
    pub summary: &'static str,
    /// Component that acts on it; empty if none does.
    pub used_by: &'static str,
    /// Support in this version.
    pub support: Support,
}

/// Reasons for refusing a job because of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The type differs from the one that its readers expect.
    #[error("attributes.{0} must be {1}")]
    Shape(&'static str, &'static str),
    /// This version would ignore the attribute.
    #[error("attributes.{0} is not supported in this version")]
    Unsupported(&'static str),
}

const fn row(
    name: &'static str,
    shape: Shape,
    summary: &'static str,
    used_by: &'static str,
) -> JobAttribute {
    let support = if used_by.is_empty() { Refused } else { Used };
    JobAttribute {
        name,
        shape,
        summary,
        used_by,
        support,
    }
}

/// Every attribute that has a meaning.
pub const ALL: &[JobAttribute] = &[
    row("system", Mapping, "System attributes", "job-ingest"),
    row(
        "user",
        Mapping,
        "User attributes: stored, never read",
        "job-info",
    ),
    row(
        "system.duration",
        Number,
        "Time limit in seconds, 0 for none",
        "job-exec, sched-simple",
    ),
    row(
        "system.environment",
        Mapping,
        "Environment of tasks; null unsets. Stored only in the signed request",
        "job-shell",
    ),
    row(
        "system.cwd",
        Text,
        "Working directory of tasks",
        "job-shell, job-list",
    ),
    row("system.queue", Text, "Queue", "job-manager, job-list"),
    row(
        "system.bank",
        Text,
        "Bank to charge: shown in listings",
        "job-list",
    ),
    row(
        "system.project",
        Text,
        "Project within the bank: shown in listings",
        "job-list",
    ),
    row("system.job", Mapping, "What follows", "job-ingest"),
    row(
        "system.job.name",
        Text,
        "Name of the job; default: that of its command",
        "job-list, job-shell",
    ),
    row(
        "system.dependencies",
        List,
        "Dependencies of the job (RFC 26)",
        "job-manager",
    ),
    row(
        "system.constraints",
        Mapping,
        "Nodes that the job requires or excludes (RFC 31)",
        "sched-simple",
    ),
    row(
        "system.on-lost-server",
        OneOf(&["run", "stop"], "run or stop"),
        "Behaviour of tasks when no broker was reached for the time `exec.lease`: they run on, \
            unless this is `stop`",
        "job-shell",
    ),
    row(
        "system.preemptible-after",
        Duration,
        "Time from which on the job may be preempted; no job ever is",
        "nobody needs to",
    ),
    row("system.shell", Mapping, "What follows", "job-ingest"),
    row(
        "system.shell.verbose",
        Int,
        "As the shell option `verbose`, which has precedence",
        "job-shell",
    ),
    row(
        "system.shell.options",
        Mapping,
        "[Options of the job shell](shell-options.md)",
        "job-shell",
    ),
    row(
        "system.files",
        Mapping,
        "Files for the job's temporary directory (RFC 37)",
        "job-shell",
    ),
    row(
        "system.batch",
        Any,
        "Batch script in the form of old clients; new ones use `system.files`",
        "",
    ),
    row(
        "system.alloc-bypass",
        Mapping,
        "What follows; only with the job-manager plugin of that name",
        "job-manager",
    ),
    row(
        "system.alloc-bypass.R",
        Mapping,
        "Resources to run on, without a scheduler request; for the owner only",
        "job-manager",
    ),
    row("system.exec", Mapping, "What follows", "job-exec"),
    row(
        "system.exec.test",
        Mapping,
        "Simulated execution (protocol/13 section 7)",
        "job-exec",
    ),
    row(
        "system.exec.job_shell",
        Text,
        "Program to run instead of the job shell",
        "job-exec",
    ),
    row("system.exec.bulkexec", Mapping, "What follows", "job-exec"),
    row(
        "system.exec.bulkexec.mock_exception",
        Text,
        "Fail on purpose: `init` or `starting`",
        "job-exec",
    ),
    row(
        "system.exec.bulkexec.barrier-timeout",
        Duration,
        "Time limit for the shells of the job to meet before they begin",
        "job-exec",
    ),
];

impl JobAttribute {
    /// Value; null counts as absent.
    fn of(self, jobspec: &Jobspec) -> Option<&Value> {
        let value = jobspec.get(&format!("attributes.{}", self.name));
        value.filter(|value| !value.is_null())
    }
}

/// Refuses attributes of another type than their readers expect.
pub fn check_shapes(jobspec: &Jobspec) -> Result<(), AttributeError> {
    for row in ALL {
        if row.of(jobspec).is_some_and(|value| !row.shape.fits(value)) {
            return Err(AttributeError::Shape(row.name, row.shape.noun()));
        }
    }
    Ok(())
}

/// Refuses attributes that this version would ignore.
pub fn check_supported(jobspec: &Jobspec) -> Result<(), AttributeError> {
    for row in ALL {
        let value = row.of(jobspec);
        if value.is_some_and(|value| row.support.refuses(row.shape, value)) {
            return Err(AttributeError::Unsupported(row.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The outcome of both checks for a jobspec with these attributes.
    fn check(attributes: Value, expect: &str) {
        let jobspec = json!({ "attributes": attributes });
        let jobspec = Jobspec::from_object(jobspec.as_object().unwrap().clone());
        let outcome = check_shapes(&jobspec).and_then(|()| check_supported(&jobspec));
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        assert_eq!(outcome, expect, "{attributes}");
    }

    #[test]
    fn every_attribute_has_its_type() {
        for row in ALL.iter().filter(|row| row.shape != Any) {
            let wrong = if row.shape == Mapping {
                json!(1)
            } else {
                json!({})
            };
            let mut attributes = json!({});
            let path = format!("/{}", row.name.replace('.', "/"));
            let mut above = &mut attributes;
            for part in path.split('/').skip(1) {
                above = &mut above[part];
            }
            *above = wrong;
            let text = format!("attributes.{} must be {}", row.name, row.shape.noun());
            check(attributes, &text);
        }
    }

    #[test]
    fn attributes_without_an_effect_are_refused_and_unknown_ones_are_kept() {
        check(
            json!({"system": {"site": {"x": 1}}, "user": {"y": 2}}),
            "ok",
        );
        check(json!({"system": {"batch": null, "cwd": null}}), "ok");
        let text = "attributes.system.batch is not supported in this version";
        check(json!({"system": {"batch": {"script": "x"}}}), text);
    }
}
