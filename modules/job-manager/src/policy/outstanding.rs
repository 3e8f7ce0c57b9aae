//! Prologs and epilogs in a job's log: those that have begun and not ended.

use proto::data::Entry;
use proto::job_manager::JobEvent;

use crate::job::Job;

/// Prologs and epilogs that have begun and not ended, by description; true for a prolog.
pub fn outstanding(job: &Job) -> Vec<(bool, String)> {
    let mut open: Vec<(bool, String)> = Vec::new();
    for event in events(&job.log()) {
        match event {
            JobEvent::PrologStart(description) => open.push((true, description)),
            JobEvent::EpilogStart(description) => open.push((false, description)),
            JobEvent::PrologFinish { description, .. } => close(&mut open, true, &description),
            JobEvent::EpilogFinish { description, .. } => close(&mut open, false, &description),
            _ => {}
        }
    }
    open
}

fn close(open: &mut Vec<(bool, String)>, is_prolog: bool, description: &str) {
    let is_that = |one: &(bool, String)| one.0 == is_prolog && one.1 == description;
    // The state counts what ends, regardless of its name.
    let at = open.iter().position(is_that);
    let at = at.or_else(|| open.iter().position(|one| one.0 == is_prolog));
    if let Some(at) = at {
        open.remove(at);
    }
}

/// True if a job ever had the prolog of perilog.
pub fn had_prolog(job: &Job) -> bool {
    events(&job.log())
        .any(|event| matches!(event, JobEvent::PrologStart(it) if it == "job-manager.prolog"))
}

/// True if a job ever had the epilog of perilog.
pub fn had_epilog(job: &Job) -> bool {
    events(&job.log())
        .any(|event| matches!(event, JobEvent::EpilogStart(it) if it == "job-manager.epilog"))
}

fn events(log: &str) -> impl Iterator<Item = JobEvent> {
    let lines = log.lines().filter(|line| line.contains("log-"));
    lines.filter_map(|line| JobEvent::of(&Entry::decode(line).ok()?).ok())
}
